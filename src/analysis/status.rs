//! How endpoints make a service, and services a target.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::endpoint::{Judged, UNSERVED, doubt_of_who_answers};
use crate::model::catalog::{Endpoint, Protocol, Service};
use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport, Status};

/// Places at which nobody is answered, for it to be told: at one the server may be broken.
const PLACES: usize = 2;

/// What has to work for the whole to work: an endpoint, or a place that several endpoints lead to.
#[derive(Clone, Copy)]
struct Part {
    status: EndpointStatus,
    /// It counts among what does not work, wholly or in part.
    fails_here: bool,
}

impl Part {
    fn of(judged: &Judged) -> Self {
        Self {
            status: judged.report.status,
            fails_here: judged.fails_here,
        }
    }

    /// A place that any of these leads to. It is impaired where the first fails and another works.
    fn of_place(ways: &[Self]) -> Self {
        let any = |wanted: EndpointStatus| ways.iter().any(|way| way.status == wanted);
        let mut failing = ways.iter().filter(|way| way.fails_here);
        let fails_here = failing.clone().next().is_some();
        if any(EndpointStatus::Accessible) {
            return Self {
                status: EndpointStatus::Accessible,
                fails_here: ways.first().is_some_and(|first| first.fails_here),
            };
        }
        let status = if any(EndpointStatus::Blocked) {
            EndpointStatus::Blocked
        } else if fails_here && failing.all(|way| way.status == EndpointStatus::Down) {
            EndpointStatus::Down
        } else if any(EndpointStatus::Inconclusive) || fails_here {
            EndpointStatus::Inconclusive
        } else {
            EndpointStatus::NotRun
        };
        Self { status, fails_here }
    }
}

/// Where an endpoint leads.
type Place<'a> = (Option<&'a str>, &'a [IpAddr]);

/// What was found on each way to each place of a service, in the order of the definitions.
fn by_place<'a, T, F: IntoIterator<Item = T>>(
    service: &'a Service,
    found: F,
) -> impl Iterator<Item = Vec<T>> + use<'a, T, F> {
    let mut places: BTreeMap<Place<'a>, Vec<T>> = BTreeMap::new();
    for (endpoint, found) in service.endpoints.iter().zip(found) {
        let place = (endpoint.host.as_deref(), endpoint.addresses.as_slice());
        places.entry(place).or_default().push(found);
    }
    places.into_values()
}

/// A service by its endpoints, or by its places: a pool works while any endpoint works; otherwise some failing is degraded, and all
/// failing is blocked where a technique was named.
pub fn service(service: &Service, judged: Vec<Judged>) -> ServiceReport {
    let endpoints = judged.iter().map(Part::of);
    let parts: Vec<Part> = if service.by_place {
        by_place(service, endpoints)
            .map(|ways| Part::of_place(&ways))
            .collect()
    } else {
        endpoints.collect()
    };
    let count = |wanted: EndpointStatus| parts.iter().filter(|part| part.status == wanted).count();
    let accessible = count(EndpointStatus::Accessible);
    let blocked = count(EndpointStatus::Blocked);
    let down = count(EndpointStatus::Down);
    let failing = parts.iter().filter(|part| part.fails_here).count();
    let status = match (accessible, blocked, failing) {
        (1.., _, _) if service.pool => Status::Accessible,
        (1.., _, 1..) => Status::Degraded,
        (1.., _, 0) => Status::Accessible,
        (0, 1.., _) => Status::Blocked,
        (0, 0, _) if down > 0 && down == failing => Status::Down,
        _ => Status::Inconclusive,
    };
    ServiceReport {
        service: service.id.clone(),
        status,
        essential: service.essential,
        alternative: service.alternative,
        endpoints: judged.into_iter().map(|endpoint| endpoint.report).collect(),
    }
}

/// A target by its services: blocked when every essential service is, degraded when any service is blocked or degraded.
/// Services of which nothing could be measured are left out, and those for which others stand in while any of these was measured.
pub fn target(services: &[ServiceReport]) -> Status {
    let (alternatives, mut measured): (Vec<&ServiceReport>, Vec<&ServiceReport>) = services
        .iter()
        .filter(|service| is_measured(service))
        .partition(|service| service.alternative);
    if measured.is_empty() {
        measured = alternatives;
    }
    let mut essential: Vec<&ServiceReport> = measured
        .iter()
        .copied()
        .filter(|service| service.essential)
        .collect();
    // A run that ended before anything essential was measured knows nothing of what matters.
    let defines_essential = services.iter().any(|service| service.essential);
    if essential.is_empty() && !defines_essential {
        essential.clone_from(&measured);
    }
    let all = |status: Status| {
        !essential.is_empty() && essential.iter().all(|service| service.status == status)
    };
    let any = |status: Status| measured.iter().any(|service| service.status == status);
    if all(Status::Blocked) {
        Status::Blocked
    } else if all(Status::Down) {
        Status::Down
    } else if any(Status::Blocked) {
        Status::Degraded
    } else if essential.is_empty()
        || essential
            .iter()
            .any(|service| service.status == Status::Inconclusive)
    {
        Status::Inconclusive
    } else if any(Status::Degraded)
        || essential
            .iter()
            .any(|service| service.status == Status::Down)
    {
        Status::Degraded
    } else {
        Status::Accessible
    }
}

/// Protocols on the port of a service's first way that are answered at none of its places, and nothing named tells why. Apps may speak
/// nothing else; other ports may be shut for everybody.
pub fn unanswered(service: &Service, report: &ServiceReport) -> Vec<Protocol> {
    let Some(first) = service.endpoints.first().filter(|_| service.by_place) else {
        return Vec::new();
    };
    let mut tried: BTreeMap<Protocol, Vec<&EndpointReport>> = BTreeMap::new();
    for (endpoint, report) in service.endpoints.iter().zip(&report.endpoints) {
        if endpoint.port == first.port && report.status != EndpointStatus::NotRun {
            tried.entry(endpoint.protocol).or_default().push(report);
        }
    }
    let is_unanswered = |reports: &[&EndpointReport]| {
        let mut reports = reports.iter();
        reports.all(|it| it.status == EndpointStatus::Inconclusive && it.failure.is_some())
    };
    tried
        .iter()
        .filter(|(_, reports)| reports.len() >= PLACES && is_unanswered(reports))
        .map(|(protocol, _)| *protocol)
        .collect()
}

/// Protocols that still lead to the places of a service of which the first way fails.
pub fn ways_left(service: &Service, report: &ServiceReport) -> BTreeSet<Protocol> {
    if !service.by_place || report.status != Status::Degraded {
        return BTreeSet::new();
    }
    let ways = service.endpoints.iter().zip(&report.endpoints);
    let is_left =
        |(_, report): &&(&Endpoint, &EndpointReport)| report.status == EndpointStatus::Accessible;
    by_place(service, ways)
        .filter(|ways| !ways.first().is_some_and(|first| is_left(&first)))
        .flat_map(|ways| {
            let left = ways.iter().filter(is_left);
            left.map(|(endpoint, _)| endpoint.protocol)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Whether anything of the service was measured.
fn is_measured(service: &ServiceReport) -> bool {
    service
        .endpoints
        .iter()
        .any(|endpoint| endpoint.status != EndpointStatus::NotRun)
}

/// Why it is not sure who serves it, where it works: in a pool, because nobody vouches for any of its servers that work.
pub fn doubt_of_who_serves(service: &Service, report: &ServiceReport) -> Option<&'static str> {
    if report.status != Status::Accessible {
        return None;
    }
    let mut working = report
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.status == EndpointStatus::Accessible)
        .map(doubt_of_who_answers);
    let first = working.clone().flatten().next()?;
    (!service.pool || working.all(|doubt| doubt.is_some())).then_some(first)
}

/// Whether a working endpoint was climbed to its own protocol, or as far as its server goes.
pub fn is_measured_to_the_top(service: &ServiceReport) -> bool {
    service.endpoints.iter().any(|endpoint| {
        let is_top =
            |reason: &String| reason == UNSERVED || doubt_of_who_answers(endpoint).is_some();
        endpoint.status == EndpointStatus::Accessible && endpoint.reason.iter().all(is_top)
    })
}
