//! How endpoints make a service, and services a target.

use crate::analysis::endpoint::{Judged, UNSERVED, doubt_of_who_answers};
use crate::model::catalog::Service;
use crate::model::report::{EndpointStatus, ServiceReport, Status};

/// A service by its endpoints: a pool works while any endpoint works; otherwise some failing is degraded, and all
/// failing is blocked where a technique was named.
pub fn service(service: &Service, judged: Vec<Judged>) -> ServiceReport {
    let count = |wanted: EndpointStatus| {
        judged
            .iter()
            .filter(|endpoint| endpoint.report.status == wanted)
            .count()
    };
    let accessible = count(EndpointStatus::Accessible);
    let blocked = count(EndpointStatus::Blocked);
    let down = count(EndpointStatus::Down);
    let failing = judged.iter().filter(|endpoint| endpoint.fails_here).count();
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
