//! Where nothing is wrong everything works, and what is observed is what these servers were told to do.

use std::collections::BTreeMap;

use blockprobe::model::catalog::{Protocol, Transport};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{HttpFacts, Observation, Operation};
use blockprobe::model::report::{EndpointStatus, Regime, Report, Status};

use crate::needs;
use crate::nginx::{ERRORS, REDIRECTS};
use crate::report::{climbs, endpoints, made, measure, queries};
use crate::site::{Site, World};

#[tokio::test]
async fn an_open_line_of_servers_we_did_not_write_is_open() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let site = Site::open(World::default());
    let report = measure(&site).await;
    assert_eq!(
        report.vantage.regime,
        Regime::Open,
        "{:#?}",
        report.vantage.notes
    );
    assert!(
        report.vantage.notes.is_empty(),
        "{:#?}",
        report.vantage.notes
    );
    for verdict in &report.verdicts {
        assert_eq!(verdict.status, Status::Accessible, "{verdict:#?}");
        assert!(verdict.techniques.is_empty(), "{verdict:#?}");
    }
    only_what_nginx_cannot_speak_fails(&report);
    every_resolver_works_by_every_transport(&site, &report);
    doh_shares_one_connection(&site, &report);
    versions_are_those_of_the_servers(&site, &report);
    pages_are_those_of_the_catalog(&site, &report);
    error_pages_are_reachability(&report);
    redirects_are_told_and_not_followed(&site, &report);
}

/// nginx refuses the push protocol's ALPN with a genuine alert: it is asked again without, and proves itself.
fn only_what_nginx_cannot_speak_fails(report: &Report) {
    for endpoint in report.verdicts.iter().flat_map(endpoints) {
        assert!(
            matches!(
                endpoint.status,
                EndpointStatus::Accessible | EndpointStatus::NotRun
            ),
            "{endpoint:#?}"
        );
    }
    let is_courier = |it: &Observation| {
        it.check
            .endpoints
            .iter()
            .any(|it| it.contains("courier.push.apple.com"))
    };
    let mut couriers = climbs(report).filter(|(_, it)| is_courier(it)).peekable();
    assert!(couriers.peek().is_some());
    for (climb, observation) in couriers {
        let alert = observation
            .step(Operation::TlsHandshake)
            .and_then(|it| it.tls.as_ref()?.alert);
        let expected = (!climb.alpn.is_empty()).then_some(120);
        assert_eq!(alert, expected, "{}", observation.check.id);
    }
}

fn every_resolver_works_by_every_transport(site: &Site, report: &Report) {
    for transport in [
        Transport::Udp,
        Transport::Tcp,
        Transport::Dot,
        Transport::Doh,
    ] {
        let told = report.vantage.resolvers.iter();
        let told: Vec<_> = told.filter(|it| it.transport == transport).collect();
        assert!(!told.is_empty(), "{transport:?}");
        for resolver in told {
            assert_eq!(resolver.status, Status::Accessible, "{resolver:#?}");
            assert!(resolver.techniques.is_empty(), "{resolver:#?}");
        }
        let resolvers = site.catalog.resolvers.iter();
        for resolver in resolvers.filter(|it| it.transport == transport) {
            let answered = queries(report, &resolver.id)
                .filter(|it| it.failure().is_none() && !it.is_not_run())
                .count();
            let is_decoy = resolver.name == "decoy";
            assert_eq!(answered == 0, is_decoy, "{}: {answered}", resolver.id);
        }
    }
}

fn doh_shares_one_connection(site: &Site, report: &Report) {
    let resolvers = site.catalog.resolvers.iter();
    for resolver in resolvers.filter(|it| it.transport == Transport::Doh) {
        let queries = queries(report, &resolver.id);
        let connected = queries
            .clone()
            .filter(|it| made(it, Operation::TcpConnect))
            .count();
        assert_eq!(connected, 1, "{}", resolver.id);
        assert!(queries.count() > 4, "{}", resolver.id);
    }
}

fn versions_are_those_of_the_servers(site: &Site, report: &Report) {
    let mut met = BTreeMap::new();
    for (climb, observation) in climbs(report) {
        let Some(door) = site.doors.get(&climb.address) else {
            continue;
        };
        let tls = observation.step(Operation::TlsHandshake);
        if let Some(tls) = tls.filter(|it| it.failure.is_none()) {
            let version = tls.tls.as_ref().and_then(|it| it.version.as_deref());
            let expected = if door.is_old { "TLS1.2" } else { "TLS1.3" };
            assert_eq!(version, Some(expected), "{}", observation.check.id);
            *met.entry(expected).or_insert(0) += 1;
        }
        if let Some(http) = observation.step(Operation::HttpRoundTrip) {
            let version = http.http.as_ref().map(|it| it.version.as_str());
            let is_newer = door.has_http2 && climb.protocol == Protocol::Https;
            let expected = if is_newer { "HTTP/2" } else { "HTTP/1.1" };
            assert_eq!(version, Some(expected), "{}", observation.check.id);
            let seen = if climb.protocol == Protocol::Https {
                expected
            } else {
                "HTTP in clear"
            };
            *met.entry(seen).or_insert(0) += 1;
        }
    }
    for each in ["TLS1.2", "TLS1.3", "HTTP/1.1", "HTTP/2", "HTTP in clear"] {
        assert!(met.get(each).is_some_and(|it| *it >= 5), "{each}: {met:?}");
    }
}

fn pages_are_those_of_the_catalog(site: &Site, report: &Report) {
    let mut read = 0;
    for (climb, observation) in climbs(report) {
        let http = observation.step(Operation::HttpRoundTrip);
        let Some(http) = http.and_then(|it| it.http.as_deref()) else {
            continue;
        };
        let mut here = site.doors[&climb.address].endpoints.iter();
        let endpoint = here.find(|it| observation.check.endpoints.contains(&it.id));
        let expect = &endpoint.expect("nginx serves it").expect;
        let id = &observation.check.id;
        if let Some(title) = &expect.title {
            assert_eq!(http.title.as_ref(), Some(title), "{id}");
            read += 1;
        }
        if let Some(body) = &expect.body {
            assert_eq!(http.body.as_deref().unwrap_or_default(), body, "{id}");
            read += 1;
        }
        if expect.contains.is_some() {
            assert_eq!(http.found, Some(true), "{id}");
            read += 1;
        }
    }
    assert!(read >= 8, "{read}");
}

fn error_pages_are_reachability(report: &Report) {
    for (host, status) in ERRORS {
        let facts = facts_of(report, host);
        assert!(!facts.is_empty(), "{host}");
        for http in facts {
            assert_eq!(http.status, *status, "{host}");
            let is_nginx = http.header("server").is_some_and(|it| it.contains("nginx"));
            assert!(is_nginx, "{host}: {:?}", http.headers);
        }
        let id = format!("https://{host}");
        let endpoint = report
            .verdicts
            .iter()
            .flat_map(endpoints)
            .find(|it| it.endpoint.starts_with(&id))
            .unwrap();
        assert_eq!(endpoint.status, EndpointStatus::Accessible, "{endpoint:#?}");
        assert_eq!(endpoint.failure, None::<Failure>);
    }
}

fn redirects_are_told_and_not_followed(site: &Site, report: &Report) {
    for (host, status) in REDIRECTS {
        let facts = facts_of(report, host);
        assert!(!facts.is_empty(), "{host}");
        for http in facts {
            assert_eq!(http.status, *status, "{host}");
            assert_eq!(http.header("location"), Some(site.elsewhere.as_str()));
        }
    }
    assert!(!site.was_followed(), "somebody came to {}", site.elsewhere);
}

fn facts_of<'a>(report: &'a Report, host: &str) -> Vec<&'a HttpFacts> {
    climbs(report)
        .filter(|(climb, _)| climb.host.as_deref() == Some(host))
        .filter_map(|(_, it)| it.step(Operation::HttpRoundTrip)?.http.as_deref())
        .collect()
}
