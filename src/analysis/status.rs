//! How endpoints make a service, and services a target.

use crate::model::catalog::Service;
use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport, Status};

/// A service by its endpoints: a pool works while any endpoint works; otherwise some failing is degraded, and all
/// failing is blocked where a technique was named.
pub fn service(service: &Service, endpoints: Vec<EndpointReport>) -> ServiceReport {
    let count = |wanted: EndpointStatus| {
        endpoints
            .iter()
            .filter(|endpoint| endpoint.status == wanted)
            .count()
    };
    let accessible = count(EndpointStatus::Accessible);
    let blocked = count(EndpointStatus::Blocked);
    let down = count(EndpointStatus::Down);
    let failing = blocked
        + down
        + endpoints
            .iter()
            .filter(|endpoint| {
                endpoint.status == EndpointStatus::Inconclusive && fails_here(endpoint)
            })
            .count();
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
        endpoints,
    }
}

/// A name that nobody knows does not fail *here*: it is the definitions that are stale.
fn fails_here(endpoint: &EndpointReport) -> bool {
    endpoint.failure.is_some()
        && !endpoint
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("may be retired"))
}

/// A target by its services: blocked when every essential service is, degraded when any service is blocked or degraded.
/// Services of which nothing could be measured are left out.
pub fn target(services: &[ServiceReport]) -> Status {
    let measured: Vec<&ServiceReport> = services
        .iter()
        .filter(|service| is_measured(service))
        .collect();
    let mut essential: Vec<&ServiceReport> = measured
        .iter()
        .copied()
        .filter(|service| service.essential)
        .collect();
    if essential.is_empty() {
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
        || measured.iter().any(|service| fails_whole(service))
        || essential
            .iter()
            .any(|service| service.status == Status::Down)
    {
        Status::Degraded
    } else {
        Status::Accessible
    }
}

/// Whether all that was measured of the service fails, and not for want of a resolver: then a person misses it as much as
/// a service that fails in part.
pub fn fails_whole(service: &ServiceReport) -> bool {
    let is_resolved = |endpoint: &EndpointReport| {
        !endpoint
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("for control names either"))
    };
    let mut inconclusive = service
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.status == EndpointStatus::Inconclusive);
    service.status == Status::Inconclusive
        && inconclusive.any(|endpoint| fails_here(endpoint) && is_resolved(endpoint))
}

/// Whether anything of the service was measured.
fn is_measured(service: &ServiceReport) -> bool {
    service
        .endpoints
        .iter()
        .any(|endpoint| endpoint.status != EndpointStatus::NotRun)
}

/// Whether a working endpoint was climbed to its own protocol.
pub fn is_measured_to_the_top(service: &ServiceReport) -> bool {
    service
        .endpoints
        .iter()
        .any(|endpoint| endpoint.status == EndpointStatus::Accessible && endpoint.reason.is_none())
}
