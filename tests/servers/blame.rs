//! Servers that are down, and one that nobody can vouch for: told, and blamed on nobody.

use blockprobe::model::check::Variation;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Operation;
use blockprobe::model::report::{EndpointStatus, Regime, Report, Status};

use crate::needs;
use crate::report::{climbs, endpoints, measure, verdict};
use crate::site::{Site, World};

#[tokio::test]
async fn a_dead_resolver_is_blamed_on_nobody() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World::default());
    site.system.stop();
    names_are_not_resolved_here(&measure(&site).await);
}

#[tokio::test]
async fn a_silent_resolver_is_blamed_on_nobody() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World::default());
    site.system.halt();
    names_are_not_resolved_here(&measure(&site).await);
}

#[tokio::test]
async fn servers_that_are_down_are_blamed_on_nobody() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World::default());
    site.targets.stop();
    let report = measure(&site).await;
    assert_eq!(report.vantage.regime, Regime::Open);
    nobody_is_blamed(&report);
    for verdict in &report.verdicts {
        assert_eq!(verdict.status, Status::Inconclusive, "{verdict:#?}");
        let refused = endpoints(verdict).filter(|it| it.status != EndpointStatus::NotRun);
        for endpoint in refused {
            assert_eq!(
                endpoint.failure,
                Some(Failure::ConnectionRefused),
                "{endpoint:#?}"
            );
        }
    }
}

#[tokio::test]
async fn a_line_on_which_no_server_answers_is_offline() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World::default());
    site.targets.stop();
    site.controls.stop();
    site.public.stop();
    let report = measure(&site).await;
    assert_eq!(report.vantage.regime, Regime::Offline);
    nothing_is_told(&report);
}

#[tokio::test]
async fn a_line_on_which_only_resolvers_prove_themselves_is_up_and_tells_nothing() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World::default());
    site.targets.stop();
    site.controls.stop();
    let report = measure(&site).await;
    assert_eq!(report.vantage.regime, Regime::Open);
    nothing_is_told(&report);
}

fn nothing_is_told(report: &Report) {
    nobody_is_blamed(report);
    for verdict in &report.verdicts {
        assert_eq!(verdict.status, Status::Inconclusive, "{verdict:#?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_neither_access_nor_blocking() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    // One under the public roots, one under a private root, each alone in its service or essential.
    for (host, target) in [
        ("web.whatsapp.com", "whatsapp"),
        ("identity.ess.apple.com", "facetime"),
    ] {
        let site = Site::open(World {
            stranger: Some(host),
            ..World::default()
        });
        let report = measure(&site).await;
        nobody_is_blamed(&report);
        let id = format!("https://{host}");
        let endpoint = endpoints(verdict(&report, target))
            .find(|it| it.endpoint.starts_with(&id))
            .unwrap();
        assert_eq!(
            endpoint.status,
            EndpointStatus::Inconclusive,
            "{endpoint:#?}"
        );
        assert_eq!(endpoint.failure, Some(Failure::SslUnknownAuthority));
        for (climb, observation) in climbs(&report) {
            let tls = observation.step(Operation::TlsHandshake);
            let Some(tls) = tls.and_then(|it| it.tls.as_ref()) else {
                continue;
            };
            if observation
                .check
                .contrast
                .as_ref()
                .is_some_and(|it| it.varies != Variation::Nothing)
            {
                continue;
            }
            let is_stranger = climb.host.as_deref() == Some(host);
            let is_refused = tls.alert.is_some();
            assert_eq!(
                tls.trusted_by.is_none(),
                is_stranger || is_refused,
                "{}",
                observation.check.id
            );
        }
    }
}

fn names_are_not_resolved_here(report: &Report) {
    assert_eq!(report.vantage.regime, Regime::Open);
    nobody_is_blamed(report);
    let note = "The system's DNS resolver does not answer for control names either";
    assert!(
        report.vantage.notes.iter().any(|it| it == note),
        "{:?}",
        report.vantage.notes
    );
    // Its data centres have fixed addresses; the others live by their names.
    for target in ["whatsapp", "facetime", "max"] {
        let verdict = verdict(report, target);
        assert_eq!(verdict.status, Status::Inconclusive, "{verdict:#?}");
    }
}

fn nobody_is_blamed(report: &Report) {
    for verdict in &report.verdicts {
        assert_ne!(verdict.status, Status::Blocked, "{verdict:#?}");
        assert!(verdict.techniques.is_empty(), "{verdict:#?}");
        for endpoint in endpoints(verdict) {
            assert_ne!(endpoint.status, EndpointStatus::Blocked, "{endpoint:#?}");
        }
    }
    for resolver in &report.vantage.resolvers {
        assert!(resolver.techniques.is_empty(), "{resolver:#?}");
    }
}
