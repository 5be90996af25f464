//! How endpoints make a service, and services a target.

use crate::analysis::endpoint::{Judged, UNSERVED, doubt_of_who_answers};
use crate::analysis::places::by_place;
use crate::model::catalog::Service;
use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport, Status};

/// What has to work for the whole to work: an endpoint, or a place that several endpoints lead to.
#[derive(Clone, Copy)]
struct Part {
    status: EndpointStatus,
    /// It counts among what does not work, wholly or in part.
    fails_here: bool,
    /// It is blocked over QUIC, and in no way that would stop anything else.
    by_quic: bool,
}

impl Part {
    fn of(judged: &Judged) -> Self {
        Self {
            status: judged.report.status,
            fails_here: judged.fails_here,
            by_quic: judged.report.status == EndpointStatus::Blocked
                && judged
                    .report
                    .techniques
                    .iter()
                    .all(|id| id.starts_with("quic")),
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
                by_quic: false,
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
        let mut blocked = ways
            .iter()
            .filter(|way| way.status == EndpointStatus::Blocked);
        Self {
            status,
            fails_here,
            by_quic: status == EndpointStatus::Blocked && blocked.all(|way| way.by_quic),
        }
    }
}

/// A service by its endpoints, or by its places: a pool works while any endpoint works; otherwise some failing is degraded, and all
/// failing is blocked where a technique was named.
pub fn service(service: &Service, judged: Vec<Judged>) -> ServiceReport {
    let endpoints = judged.iter().map(Part::of);
    let parts: Vec<Part> = if service.by_place {
        let places = by_place(service, endpoints);
        places.iter().map(|ways| Part::of_place(ways)).collect()
    } else {
        endpoints.collect()
    };
    let count = |wanted: EndpointStatus| parts.iter().filter(|part| part.status == wanted).count();
    let accessible = count(EndpointStatus::Accessible);
    let blocked = count(EndpointStatus::Blocked);
    let down = count(EndpointStatus::Down);
    let failing = parts.iter().filter(|part| part.fails_here).count();
    // Apps do without QUIC: where the rest fails for reasons of its own, QUIC is not what stops them.
    let by_quic = blocked == parts.iter().filter(|part| part.by_quic).count();
    let status = match (accessible, blocked, failing) {
        (1.., _, _) if service.pool => Status::Accessible,
        (1.., _, 1..) => Status::Degraded,
        (1.., _, 0) => Status::Accessible,
        (0, 1.., _) if by_quic && failing > blocked => Status::Inconclusive,
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

/// Whether anything of the service was measured.
fn is_measured(service: &ServiceReport) -> bool {
    service
        .endpoints
        .iter()
        .any(|endpoint| endpoint.status != EndpointStatus::NotRun)
}

/// Why it is not sure who serves it, where it works: where endpoints stand in for one another, because nobody vouches for any of those
/// that work.
pub fn doubt_of_who_serves(service: &Service, report: &ServiceReport) -> Option<&'static str> {
    if report.status != Status::Accessible {
        return None;
    }
    let endpoints = report.endpoints.iter();
    let parts: Vec<Vec<&EndpointReport>> = if service.pool {
        vec![endpoints.collect()]
    } else if service.by_place {
        by_place(service, endpoints)
    } else {
        endpoints.map(|endpoint| vec![endpoint]).collect()
    };
    parts.into_iter().find_map(|part| {
        let mut doubts = part
            .into_iter()
            .filter(|endpoint| endpoint.status == EndpointStatus::Accessible)
            .map(doubt_of_who_answers);
        let first = doubts.next()?;
        first.filter(|_| doubts.all(|doubt| doubt.is_some()))
    })
}

/// Whether a working endpoint was climbed to its own protocol, or as far as its server goes.
pub fn is_measured_to_the_top(service: &ServiceReport) -> bool {
    service.endpoints.iter().any(|endpoint| {
        let is_top =
            |reason: &String| reason == UNSERVED || doubt_of_who_answers(endpoint).is_some();
        endpoint.status == EndpointStatus::Accessible && endpoint.reason.iter().all(is_top)
    })
}
