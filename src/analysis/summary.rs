//! The sentence a person reads first, and the reason why it is not plainer.

use crate::analysis::ground::Ground;
use crate::analysis::places::Places;
use crate::analysis::status::{doubt_of_who_serves, is_measured_to_the_top};
use crate::model::catalog::Target;
use crate::model::report::{EndpointStatus, Regime, ServiceReport, Status, TechniqueReport};
use crate::model::technique::Interference;

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
                    format!(", although {how}")
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
                "{name} works here only in part: {}{}",
                failing(services),
                if how.is_empty() && is_down(services) {
                    ", and so it does at the control vantage".to_owned()
                } else if how.is_empty() {
                    ", and nothing measured tells why".to_owned()
                } else {
                    format!(", because {how}")
                }
            ),
            reason: degraded_reason(basis.places, services, &working, &unclear),
        },
        Status::Down => Told {
            summary: format!("{name} is down: it fails at the control vantage too"),
            reason: ground
                .other()
                .map(|other| format!(
                    "Compared with {}. Were that line filtered in the same way, it would look the same",
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
        Regime::CaptivePortal => {
            Some("a captive portal answers for everybody: log in to the network first")
        }
        Regime::Offline => Some("this machine has no working network"),
        Regime::AllowList => Some("only listed destinations pass on this line"),
        Regime::DomesticOnly => Some("nothing outside the country passes on this line"),
    };
    if let Some(words) = regime {
        return Told {
            summary: format!("Nothing can be said of {name}: {words}"),
            reason: Some(format!("The line is not open ({})", ground.regime.word())),
        };
    }
    if is_unresolved {
        return Told {
            summary: format!(
                "Nothing can be said of {name}: this machine's resolver answers for nobody"
            ),
            reason: Some(
                "The system's resolver does not answer for control names either".to_owned(),
            ),
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
        .unwrap_or_else(|| "Nothing essential was measured".to_owned());
    let failing = with(services, |service| {
        is_needed(service) && service.status == Status::Inconclusive && is_tried(service)
    });
    let summary = if failing.is_empty() {
        format!("Nothing can be said of {name}: too little was measured")
    } else {
        format!(
            "{name} may not work here: {} {}, but nothing shows that it is blocked",
            list(&failing),
            if failing.len() > 1 { "fail" } else { "fails" },
        )
    };
    Told {
        summary,
        reason: Some(reason),
    }
}

/// The techniques in plain words; their exact ids stand beside.
fn how(techniques: &[TechniqueReport]) -> String {
    let mut words: Vec<&str> = techniques
        .iter()
        .map(|technique| {
            if technique.hits_calls_alone() {
                words_of_calls(technique.interference)
            } else {
                words_of(&technique.id)
            }
        })
        .collect();
    words.dedup();
    words.join("; ")
}

/// STUN over UDP, which stands on no connection and is no app's own.
fn words_of_calls(interference: Interference) -> &'static str {
    match interference {
        Interference::Drop => "its calls' connection requests (STUN) are left without an answer",
        _ => "its calls' connection requests (STUN) are interfered with on the way",
    }
}

fn words_of(id: &str) -> &'static str {
    match id {
        "domain_name/nxdomain" => "the resolver here denies that its names exist",
        "domain_name/no_answer" => "the resolver here answers its names without an address",
        "domain_name/refused_answer" => "the resolver here refuses to answer for its names",
        "domain_name/servfail" => "the resolver here fails for its names only",
        "domain_name/drop" => "the resolver here stays silent for its names",
        "domain_name/false_answer" => "the resolver here sends its names elsewhere",
        "domain_name/injected_answer" => "somebody on the way forges the answers to its names",
        "address/drop" => "its addresses are left without an answer",
        "address/refuse" => "connections to its addresses are refused on the way",
        "address/unreachable" => "a router on the way says that its addresses cannot be reached",
        "address_port/drop" => "one port of its addresses is left without an answer",
        "address_port/refuse" => "connections to one port of its addresses are refused on the way",
        "address_port/unreachable" => {
            "a router on the way says that one port of its addresses cannot be reached"
        }
        "server_name/drop" | "server_name_at_address/drop" => {
            "connections that name it in TLS are left without an answer"
        }
        "server_name/reset" | "server_name_at_address/reset" => {
            "connections that name it in TLS are reset"
        }
        "server_name/close" | "server_name_at_address/close" => {
            "connections that name it in TLS are closed"
        }
        "tls_fingerprint/drop" => {
            "connections whose ClientHello looks like this are left without an answer"
        }
        "tls_fingerprint/reset" => "connections whose ClientHello looks like this are reset",
        "tls_fingerprint/close" => "connections whose ClientHello looks like this are closed",
        "tls_fingerprint/alert" => {
            "connections whose ClientHello looks like this get a forged alert"
        }
        "quic/drop" => "QUIC is left without an answer",
        "quic_server_name/drop" => "connections that name it in QUIC are left without an answer",
        "quic_server_name/reset" => "connections that name it in QUIC are reset",
        "quic_server_name/close" => "connections that name it in QUIC are closed",
        "quic_server_name/alert" => "connections that name it in QUIC get a forged alert",
        "quic_server_name/intercept" => "connections that name it in QUIC are met by somebody else",
        "http_host/drop" => "requests in clear that name it are left without an answer",
        "http_host/reset" => "requests in clear that name it are reset",
        "http_host/close" => "requests in clear that name it are closed",
        "http_host/blockpage" => "requests in clear that name it are answered with a block page",
        "address_port/blockpage" => "a block page answers at its addresses",
        "protocol/drop" => "the first bytes of its own protocol are left without an answer",
        "protocol/reset" => "connections that speak its own protocol are reset",
        "protocol/close" => "connections that speak its own protocol are closed",
        "server_name/alert" | "server_name_at_address/alert" => {
            "connections that name it in TLS get a forged alert"
        }
        "server_name/intercept" | "server_name_at_address/intercept" => {
            "connections that name it in TLS are met by somebody else"
        }
        _ => "it is interfered with on the way",
    }
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
            "Of {} only the lower layers were measured: its own protocol is not spoken by this version",
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
            "Of {} nothing was measured over UDP, which calls go over: no neutral relay answers STUN on this line",
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
    let words = words.strip_prefix("The ").unwrap_or(words);
    Some(format!("Of {} the {words}", list(&names)))
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
        told(&in_part, ["is impaired", "are impaired"]),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() {
        "something fails".to_owned()
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
    format!("Not told: {}", services.join(", "))
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
