//! Observations become verdicts. Pure: no sockets, no clock.
//!
//! The order is the ladder of the field: local trouble, captive portal, outage, DNS, and what comes above it.

pub mod again;
pub mod chance;
pub mod connections;
pub mod control;
pub mod decoys;
pub mod denials;
pub mod endpoint;
pub mod everybody;
pub mod everything;
pub mod evidence;
pub mod ground;
pub mod hops;
pub mod innocuous;
pub mod matrix;
pub mod places;
pub mod problem;
pub mod rate;
pub mod regime;
pub mod replies;
pub mod resolvers;
pub mod rules;
pub mod states;
pub mod status;
pub mod summary;
pub mod words;

use crate::analysis::chance::Trains;
use crate::analysis::evidence::Evidence;
use crate::analysis::ground::Ground;
use crate::analysis::places::Places;
use crate::analysis::summary::Basis;
use crate::model::catalog::{Catalog, Endpoint, Protocol, Target};
use crate::model::check::Ask;
use crate::model::observation::{Observation, Operation};
use crate::model::report::{
    Confidence, EndpointStatus, Regime, ServiceReport, Status, TechniqueReport, Verdict,
};

/// Judges one target by the ground and by its own observations, and by nothing else.
pub fn judge(
    catalog: &Catalog,
    target: &Target,
    ground: &Ground,
    observations: &[Observation],
) -> Verdict {
    let evidence = Evidence::new(catalog, target, ground, observations);
    let findings = if ground.regime == Regime::Open {
        rules::findings(&evidence)
    } else {
        Vec::new()
    };
    let services: Vec<ServiceReport> = target
        .services
        .iter()
        .map(|service| {
            let endpoints = service
                .endpoints
                .iter()
                .map(|endpoint| endpoint::judge(&evidence, endpoint, &findings))
                .collect();
            status::service(service, endpoints)
        })
        .collect();
    let techniques = findings
        .iter()
        .map(|finding| finding.report(target))
        .collect::<Vec<_>>();
    let status = status::target(&services);
    let places = places_of(&evidence, &services);
    let unheard = unheard_over_udp(&evidence, &services);
    let is_partly_unheard =
        !unheard.is_empty() || places.iter().any(|(_, it)| !it.unanswered.is_empty());
    let confidence = confidence(target, status, &techniques, &services);
    let confidence = if status == Status::Accessible && is_partly_unheard {
        confidence.min(Confidence::Likely)
    } else {
        confidence
    };
    let basis = Basis {
        status,
        unheard: &unheard,
        places: &places,
        is_unresolved: ground.answers_nobody(catalog),
    };
    let told = summary::tell(target, ground, &basis, &services, &techniques);
    Verdict {
        target: target.id.clone(),
        name: target.name.clone(),
        status,
        confidence,
        summary: told.summary,
        reason: told.reason,
        techniques,
        services,
    }
}

/// By rule and never by feeling: a status rests on the techniques that cause it, or on what was measured to its top.
fn confidence(
    target: &Target,
    status: Status,
    techniques: &[TechniqueReport],
    services: &[ServiceReport],
) -> Confidence {
    match status {
        Status::Accessible => {
            let partial = services
                .iter()
                .filter(|service| service.essential)
                .any(|service| !status::is_measured_to_the_top(service));
            let untold = services
                .iter()
                .filter(|service| !service.alternative)
                .any(|service| {
                    service.status == Status::Inconclusive
                        && !service
                            .endpoints
                            .iter()
                            .all(endpoint::is_relay_that_says_nothing)
                });
            let doubted = summary::doubts_of_who_serves(target, services)
                .next()
                .is_some();
            if partial || untold || doubted {
                Confidence::Likely
            } else {
                Confidence::Confirmed
            }
        }
        // No surer than what stops the service that matters of which it is least sure.
        Status::Blocked => {
            let any_essential = services.iter().any(|it| it.essential);
            let stopped = services
                .iter()
                .filter(|it| it.status == Status::Blocked && (it.essential || !any_essential));
            let surest = |service: &ServiceReport| {
                let is_hit = |technique: &&TechniqueReport| {
                    let mut own = service.endpoints.iter();
                    own.any(|it| technique.endpoints.contains(&it.endpoint))
                };
                let hitting = techniques.iter().filter(is_hit).map(|it| it.confidence);
                hitting.max().unwrap_or(Confidence::Likely)
            };
            stopped.map(surest).min().unwrap_or(Confidence::Suspected)
        }
        Status::Degraded => techniques
            .iter()
            .map(|technique| technique.confidence)
            .max()
            .unwrap_or(Confidence::Suspected),
        // Another vantage fails there too: a contrast that was looked at once.
        Status::Down => Confidence::Likely,
        Status::Inconclusive => Confidence::Suspected,
    }
}

/// The places of the services that work, wholly or in part.
fn places_of<'a>(evidence: &'a Evidence, services: &[ServiceReport]) -> Vec<(&'a str, Places)> {
    let stood = |endpoint: &Endpoint| {
        let climbs = evidence.climbs(endpoint);
        climbs
            .iter()
            .any(|(_, it)| it.reached(Operation::TcpConnect))
    };
    let served = evidence.target.services.iter().zip(services);
    served
        .filter(|(_, report)| matches!(report.status, Status::Accessible | Status::Degraded))
        .filter_map(|(service, report)| {
            Some((service.id.as_str(), Places::of(service, report, stood)?))
        })
        .collect()
}

/// Services of a target that works, of whose relays nothing was heard over UDP, where no neutral one was heard over it either: then
/// their silence is the line's, and calls were not measured.
fn unheard_over_udp(evidence: &Evidence, services: &[ServiceReport]) -> Vec<String> {
    let controls = &evidence.catalog.controls;
    let relay = |protocol: Protocol| protocol.is_relay();
    let is_any_heard = || {
        evidence.ground.trains != Trains::default()
            || evidence.observations.iter().any(|it| {
                matches!(&it.check.ask, Ask::Climb(climb) if relay(climb.protocol))
                    && it.is_success()
            })
    };
    if status::target(services) != Status::Accessible
        || !controls.iter().any(|it| relay(it.endpoint.protocol))
        || is_any_heard()
    {
        return Vec::new();
    }
    let served = evidence.target.services.iter().zip(services);
    served
        .filter(|(service, report)| {
            let mut endpoints = service.endpoints.iter().zip(&report.endpoints);
            endpoints.any(|(endpoint, report)| {
                relay(endpoint.protocol)
                    && report.status == EndpointStatus::Inconclusive
                    && report.failure.is_some()
            })
        })
        .map(|(service, _)| service.id.clone())
        .collect()
}
