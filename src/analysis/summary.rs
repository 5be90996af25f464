//! The sentence a person reads first, and the reason why it is not plainer.

use std::borrow::Cow;

use crate::analysis::ground::Ground;
use crate::analysis::places::Places;
use crate::analysis::status::{doubt_of_who_serves, is_measured_to_the_top};
use crate::analysis::words;
use crate::model::catalog::Target;
use crate::model::plain;
use crate::model::report::{EndpointStatus, Regime, ServiceReport, Status, TechniqueReport};

/// Summary and reason.
#[derive(Debug)]
pub struct Told {
    /// One or two sentences.
    pub summary: String,
    /// Why the status is not plainer.
    pub reason: Option<String>,
}

/// What was judged of a target besides its services and techniques.
pub struct Basis<'a> {
    /// Its status.
    pub status: Status,
    /// Services of which nothing could be measured over UDP.
    pub unheard: &'a [String],
    /// The places of its services that work, wholly or in part.
    pub places: &'a [(&'a str, Places)],
    /// The system's resolver answers for no control name.
    pub is_unresolved: bool,
}

/// Tells a verdict.
pub fn tell(
    target: &Target,
    ground: &Ground,
    basis: &Basis,
    services: &[ServiceReport],
    techniques: &[TechniqueReport],
) -> Told {
    let name = &target.name;
    let how = how(techniques);
    let working = with(services, |service| service.status == Status::Accessible);
    let unclear = with(services, |service| {
        service.status == Status::Inconclusive && is_tried(service)
    });
    let untried = with(services, |service| !is_tried(service));
    let down = with(services, |service| service.status == Status::Down);
    match basis.status {
        Status::Accessible => Told {
            summary: format!(
                "{name} works here{}",
                if how.is_empty() {
                    String::new()
                } else {
                    format!(". Interference: {how}")
                }
            ),
            reason: both(
                both(
                    both(
                        (!down.is_empty()).then(|| format!("Down: {}", down.join(", "))),
                        (!unclear.is_empty()).then(|| not_told(&unclear)),
                    ),
                    both(
                        (!untried.is_empty())
                            .then(|| format!("Not measured: {}", untried.join(", "))),
                        partial(services),
                    ),
                ),
                both(
                    both(
                        unheard_over_udp(basis.unheard),
                        told_of_places(basis.places),
                    ),
                    unvouched(target, services),
                ),
            ),
        },
        Status::Blocked => Told {
            summary: format!("{name} is blocked here: {how}"),
            reason: (!working.is_empty()).then(|| format!("Still working: {}", working.join(", "))),
        },
        Status::Degraded => Told {
            summary: format!(
                "{name} works only in part: {}{}",
                failing(services),
                if how.is_empty() && is_down(services) {
                    ". The same fails at the control vantage".to_owned()
                } else if how.is_empty() {
                    ". The cause is not known".to_owned()
                } else {
                    format!(". Interference: {how}")
                }
            ),
            reason: degraded_reason(basis.places, services, &working, &unclear),
        },
        Status::Down => Told {
            summary: format!("{name} is down: it fails at the control vantage too"),
            reason: ground
                .other()
                .map(|other| format!(
                    "Compared with {}. Open question: that network might be filtered in the same way",
                    other.name()
                )),
        },
        Status::Inconclusive => inconclusive(name, ground, services, basis.is_unresolved),
    }
}

fn inconclusive(
    name: &str,
    ground: &Ground,
    services: &[ServiceReport],
    is_unresolved: bool,
) -> Told {
    let regime = match ground.regime {
        Regime::Open => None,
        Regime::CaptivePortal => Some("a captive portal or a proxy answers in place of servers"),
        Regime::Offline => Some("this machine is offline"),
        Regime::AllowList => Some("this network reaches only listed destinations"),
        Regime::DomesticOnly => Some("this network reaches nothing outside the country"),
    };
    if let Some(words) = regime {
        return Told {
            summary: format!("{name}: no verdict, because {words}"),
            reason: Some(words::not_open(ground.regime)),
        };
    }
    if is_unresolved {
        return Told {
            summary: format!(
                "{name}: no verdict, because this machine's DNS resolver answers for no name"
            ),
            reason: Some(words::NO_CONTROL_NAMES.to_owned()),
        };
    }
    let is_needed = |service: &ServiceReport| {
        service.essential || services.iter().all(|other| !other.essential)
    };
    let reason = services
        .iter()
        .filter(|service| is_needed(service))
        .flat_map(|service| &service.endpoints)
        .filter(|endpoint| endpoint.status != EndpointStatus::Accessible)
        .find_map(|endpoint| {
            let reason = endpoint.reason.as_deref()?;
            Some(format!("{}: {reason}", endpoint.endpoint))
        })
        .unwrap_or_else(|| "No essential service was measured".to_owned());
    let failing = with(services, |service| {
        is_needed(service) && service.status == Status::Inconclusive && is_tried(service)
    });
    let summary = if failing.is_empty() {
        format!("{name}: not enough data for a verdict")
    } else {
        format!(
            "{name} may not work here: {} {}, but there is no evidence of blocking",
            list(&failing),
            if failing.len() > 1 { "fail" } else { "fails" },
        )
    };
    Told {
        summary,
        reason: Some(reason),
    }
}

/// The techniques as sentences; their exact ids stand beside.
fn how(techniques: &[TechniqueReport]) -> String {
    let mut sentences: Vec<Cow<'static, str>> = techniques.iter().map(plain::reported).collect();
    sentences.dedup();
    sentences.join("; ")
}

fn partial(services: &[ServiceReport]) -> Option<String> {
    let shallow: Vec<String> = services
        .iter()
        .filter(|service| service.essential && service.status == Status::Accessible)
        .filter(|service| !is_measured_to_the_top(service))
        .map(|service| service.service.clone())
        .collect();
    (!shallow.is_empty()).then(|| {
        format!(
            "{}: only the lower layers were measured, because this version does not support the app protocol",
            list(&shallow)
        )
    })
}

/// Services that work and others do not stand in for, of which it is not sure who serves them, and why.
pub fn doubts_of_who_serves<'a>(
    target: &'a Target,
    services: &'a [ServiceReport],
) -> impl Iterator<Item = (&'a str, &'static str)> {
    let served = target.services.iter().zip(services);
    served
        .filter(|(_, report)| !report.alternative)
        .filter_map(|(service, report)| {
            Some((service.id.as_str(), doubt_of_who_serves(service, report)?))
        })
}

fn unheard_over_udp(services: &[String]) -> Option<String> {
    (!services.is_empty()).then(|| {
        format!(
            "{}: calls were not measured, because no neutral STUN server answers over UDP on this network",
            list(services)
        )
    })
}

fn unvouched(target: &Target, services: &[ServiceReport]) -> Option<String> {
    let doubts: Vec<(&str, &str)> = doubts_of_who_serves(target, services).collect();
    let (_, words) = *doubts.first()?;
    let names: Vec<String> = doubts
        .iter()
        .filter(|(_, other)| *other == words)
        .map(|(service, _)| (*service).to_owned())
        .collect();
    Some(format!("{}: {words}", list(&names)))
}

fn told_of_places(places: &[(&str, Places)]) -> Option<String> {
    let told: Vec<String> = places
        .iter()
        .flat_map(|(service, places)| places.told(service))
        .collect();
    (!told.is_empty()).then(|| told.join(". "))
}

/// What does not work, and what works in part.
fn failing(services: &[ServiceReport]) -> String {
    let wholly = with(services, |service| {
        matches!(service.status, Status::Blocked | Status::Down)
    });
    let in_part = with(services, |service| service.status == Status::Degraded);
    let told = |services: &[String], [one, many]: [&str; 2]| {
        let verb = if services.len() > 1 { many } else { one };
        (!services.is_empty()).then(|| format!("{} {verb}", list(services)))
    };
    let told = [
        told(&wholly, ["fails", "fail"]),
        told(&in_part, ["works in part", "work in part"]),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() {
        "a service fails".to_owned()
    } else {
        told.join(", ")
    }
}

fn degraded_reason(
    places: &[(&str, Places)],
    services: &[ServiceReport],
    working: &[String],
    unclear: &[String],
) -> Option<String> {
    let failed: Vec<String> = services
        .iter()
        .flat_map(|service| &service.endpoints)
        .filter(|endpoint| endpoint.status == EndpointStatus::Inconclusive)
        .filter_map(|endpoint| {
            endpoint
                .reason
                .as_ref()
                .map(|reason| format!("{}: {reason}", endpoint.endpoint))
        })
        .take(1)
        .collect();
    let mut parts = Vec::new();
    if !working.is_empty() {
        parts.push(format!("Still working: {}", working.join(", ")));
    }
    parts.extend(told_of_places(places));
    if !unclear.is_empty() {
        parts.push(not_told(unclear));
    }
    parts.extend(failed);
    (!parts.is_empty()).then(|| parts.join(". "))
}

fn not_told(services: &[String]) -> String {
    format!("Undetermined: {}", services.join(", "))
}

/// What fails comes before what was not looked at.
fn both(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}. {second}")),
        (first, second) => first.or(second),
    }
}

/// Whether everything that fails is down at the control vantage too.
fn is_down(services: &[ServiceReport]) -> bool {
    let endpoints = services.iter().flat_map(|service| &service.endpoints);
    let mut failing = endpoints
        .filter(|endpoint| endpoint.failure.is_some())
        .peekable();
    failing.peek().is_some() && failing.all(|endpoint| endpoint.status == EndpointStatus::Down)
}

fn is_tried(service: &ServiceReport) -> bool {
    service
        .endpoints
        .iter()
        .any(|endpoint| endpoint.status != EndpointStatus::NotRun)
}

fn with(services: &[ServiceReport], wanted: impl Fn(&ServiceReport) -> bool) -> Vec<String> {
    services
        .iter()
        .filter(|service| wanted(service))
        .map(|service| service.service.clone())
        .collect()
}

fn list(words: &[String]) -> String {
    match words {
        [] => "something".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
