//! One endpoint, judged by what a person's app would meet on the ordinary path.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::analysis::control::is_of_the_way;
use crate::analysis::denials::{self, Whose};
use crate::analysis::evidence::{Evidence, is_interrupted, is_proof};
use crate::analysis::rules::protocol::{answers_over_tcp, is_silent_relay};
use crate::analysis::rules::{Finding, address, address_port};
use crate::analysis::words;
use crate::model::catalog::Endpoint;
use crate::model::check::Climb;
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation, Stage};
use crate::model::report::{Confidence, EndpointReport, EndpointStatus, Regime};
use crate::model::resolution::Ordinary;
use crate::model::technique::{Interference, Trigger};
use crate::wire::mtproto::message::NO_KEY;
use crate::wire::noise::certificates::Trouble;

/// Why nothing follows from a relay's silence.
pub const RELAY: &str = "A relay may ignore unknown clients: its silence says nothing";

/// The same, where nobody at all is heard over UDP.
pub const RELAY_WITHOUT_UDP: &str = "A relay answers over TCP and is silent over UDP, and no neutral server is heard over UDP either: \
     a firewall may shut UDP for everybody";

/// Why a relay's silence is told and blamed on nobody, although it does answer strangers.
pub const RELAY_OVER_TCP: &str = "A relay answers over TCP and is silent over UDP, where neutral servers are heard: UDP to it is \
     dropped, or it serves TCP alone";

/// Why a request that failed takes nothing away.
pub const UNSERVED: &str =
    "The server proved its identity over QUIC, but did not answer an HTTP/3 request";

/// Why it is not sure who answers, although the answer is WhatsApp's in every byte.
pub const OF_ANOTHER_ROOT: &str =
    "The known root does not sign the server's key: the key may be new, or another server answers";

/// The same of Telegram's.
pub const OF_NO_KNOWN_KEY: &str =
    "The server offers no known Telegram key: the keys may be new, or another server answers";

/// Why it is not sure who answers, where all that came is an error of the protocol.
pub const OF_AN_ERROR: &str = "The server answers with an error that repeats nothing of the request: another server can send the same, and apps may fail";

/// One endpoint as it is told, and whether it fails *here*: a name that nobody knows does not, the definitions are stale.
#[derive(Debug)]
pub struct Judged {
    /// What is told.
    pub report: EndpointReport,
    /// Whether it counts among what does not work.
    pub fails_here: bool,
}

/// Judges one endpoint.
pub fn judge(evidence: &Evidence, endpoint: &Endpoint, findings: &[Finding]) -> Judged {
    let found: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.endpoints.contains(&endpoint.id))
        .collect();
    // Where the addresses themselves are false, a handshake without a name proves nothing: the impostor shakes hands too.
    let misled = found.iter().any(|finding| {
        finding.confidence >= Confidence::Likely
            && finding.technique.trigger == Trigger::DomainName
            && matches!(
                finding.technique.interference,
                Interference::FalseAnswer | Interference::InjectedAnswer
            )
    });
    // A page in the server's place is an answer too, and no sign of the server.
    let paged = found.iter().any(|finding| {
        finding.confidence >= Confidence::Likely
            && finding.technique.interference == Interference::Blockpage
    });
    let mut met = meet(evidence, endpoint, misled, paged);
    let named = found
        .iter()
        .any(|finding| finding.confidence >= Confidence::Likely);
    let status = match met.status {
        // An answer that leads where nobody may connect to was never climbed, and is no less false for it.
        EndpointStatus::Inconclusive | EndpointStatus::NotRun if named => EndpointStatus::Blocked,
        other => other,
    };
    let status = match down(evidence, endpoint, &met) {
        Some(reason) if status == EndpointStatus::Inconclusive => {
            met.reason = Some(reason);
            EndpointStatus::Down
        }
        _ => status,
    };
    let fails_here = match status {
        EndpointStatus::Blocked | EndpointStatus::Down => true,
        EndpointStatus::Inconclusive => {
            met.failure.is_some() && !met.is_retired && !is_relay(met.reason.as_deref())
        }
        EndpointStatus::Accessible | EndpointStatus::NotRun => false,
    };
    Judged {
        report: EndpointReport {
            endpoint: endpoint.id.clone(),
            status,
            failure: met.failure,
            techniques: found.iter().map(|finding| finding.technique.id()).collect(),
            reason: met.reason.filter(|_| status != EndpointStatus::Blocked),
        },
        fails_here,
    }
}

/// Whether a relay's silence is all there is, so that nothing fails that is known to work elsewhere.
fn is_relay(reason: Option<&str>) -> bool {
    matches!(reason, Some(RELAY | RELAY_WITHOUT_UDP | RELAY_OVER_TCP))
}

/// Whether the silence of relays leaves nothing to be explained: they may not answer strangers, or nobody is heard so.
pub fn is_relay_that_says_nothing(report: &EndpointReport) -> bool {
    matches!(report.reason.as_deref(), Some(RELAY | RELAY_WITHOUT_UDP))
}

/// Why it is thought to be down: it fails here on an open line, and at the other vantage too.
fn down(evidence: &Evidence, endpoint: &Endpoint, met: &Met) -> Option<String> {
    let other = evidence.ground.other()?;
    let fails = met.failure.as_ref().is_some_and(is_of_the_way) && !met.is_retired;
    let climbs = evidence.climbs(endpoint);
    let works = climbs
        .iter()
        .any(|(_, observation)| observation.is_success());
    let there = other.failure(&evidence.target.id, &endpoint.id, !climbs.is_empty())?;
    (fails && !works && evidence.ground.regime == Regime::Open)
        .then(|| format!("It fails at {} too ({there})", other.name()))
}

/// What the ordinary path led to.
struct Met {
    status: EndpointStatus,
    failure: Option<Failure>,
    reason: Option<String>,
    /// Nobody who was asked knows the name.
    is_retired: bool,
}

impl Met {
    fn inconclusive(failure: Option<Failure>, reason: &str) -> Self {
        Self {
            status: EndpointStatus::Inconclusive,
            failure,
            reason: Some(reason.to_owned()),
            is_retired: false,
        }
    }

    fn not_run(reason: String) -> Self {
        Self {
            status: EndpointStatus::NotRun,
            failure: None,
            reason: Some(reason),
            is_retired: false,
        }
    }
}

fn meet(evidence: &Evidence, endpoint: &Endpoint, misled: bool, paged: bool) -> Met {
    let climbs = evidence.climbs(endpoint);
    let mut ordinary: BTreeSet<IpAddr> = endpoint.addresses.iter().copied().collect();
    if let Some(host) = endpoint.host.as_deref() {
        match evidence.ordinary(host) {
            Ordinary::Addresses(addresses) => ordinary.extend(addresses),
            // Fixed addresses stand beside the name: an app that ships them does not need it.
            Ordinary::Failed(failure) if ordinary.is_empty() => {
                return unresolved(evidence, host, failure);
            }
            Ordinary::Waiting | Ordinary::NotMeasured if ordinary.is_empty() => {
                return Met::not_run("The run ended before the name was resolved".to_owned());
            }
            _ => {}
        }
    }
    let met: Vec<&(&Climb, &Observation)> = climbs
        .iter()
        .filter(|(climb, _)| ordinary.contains(&climb.address.ip()))
        .collect();
    climbed(evidence, endpoint, &met, misled, paged)
}

/// The ordinary path gave no address.
fn unresolved(evidence: &Evidence, host: &str, failure: Failure) -> Met {
    // Silence of the others (their transports blocked, say) is no sign that a name has gone.
    let denied_elsewhere = evidence.honest(host).is_none()
        && evidence.resolution(host).is_some_and(|resolution| {
            let mut public = resolution.answers.iter().filter(|it| it.is_public());
            public.any(|it| it.observation.failure() == Some(&Failure::DnsNxdomain))
        });
    let null_answer = evidence.resolution(host).is_some_and(|resolution| {
        resolution
            .answers
            .iter()
            .filter(|answer| answer.is_system())
            .any(|answer| {
                answer.dns().is_some_and(|facts| {
                    facts
                        .bogons
                        .iter()
                        .any(|bogon| bogon == "0.0.0.0" || bogon == "::")
                })
            })
    });
    let is_retired = denied_elsewhere && failure == Failure::DnsNxdomain;
    let everybodys = evidence.resolution(host).and_then(|resolution| {
        let mut ordinary = resolution.answers.iter().filter(|it| it.is_system());
        ordinary.find_map(|answer| match denials::whose(evidence, host, answer) {
            Whose::Anybodys(told) if answer.observation.failure().is_some() => Some(told),
            _ => None,
        })
    });
    let is_cut = evidence.resolution(host).is_some_and(|resolution| {
        let mut ordinary = resolution.answers.iter().filter(|it| it.is_system());
        ordinary.any(|answer| {
            let accepted = answer.dns().and_then(DnsFacts::accepted);
            accepted.is_some_and(|reply| reply.truncated)
        })
    });
    let reason = if null_answer {
        "The DNS resolver answers with the null address, as household filters (Pi-hole, AdGuard Home) do: ask its owner"
    } else if failure == Failure::Interrupted {
        "The run ended before the name was resolved"
    } else if !evidence.ground.answers_system(evidence.catalog) {
        words::NO_CONTROL_NAMES
    } else if is_retired {
        "No DNS resolver knows this name: it may be retired"
    } else if is_cut {
        "The DNS answer was cut, and TCP gave no complete answer"
    } else if let Some(told) = &everybodys {
        told
    } else {
        "The name does not resolve here, and no control comparison shows why"
    };
    Met {
        is_retired,
        ..Met::inconclusive(Some(failure), reason)
    }
}

fn climbed(
    evidence: &Evidence,
    endpoint: &Endpoint,
    climbs: &[&(&Climb, &Observation)],
    misled: bool,
    paged: bool,
) -> Met {
    let open = evidence.ground.regime == Regime::Open;
    let honest: Vec<IpAddr> = endpoint
        .host
        .as_deref()
        .map(|host| evidence.honest_addresses(host))
        .unwrap_or_default();
    let is_honest = |climb: &Climb| {
        let address = climb.address.ip();
        endpoint.addresses.contains(&address) || honest.contains(&address)
    };
    // Under a portal or an outage only a proven server counts: anything else may be the portal's.
    let worked = climbs
        .iter()
        .filter(|(_, observation)| observation.is_success())
        .filter(|(climb, observation)| {
            is_proof(observation) || (open && !paged && (!misled || is_honest(climb)))
        })
        .map(|(climb, observation)| (observation, unvouched(climb, observation)))
        // One server that somebody vouches for is enough.
        .min_by_key(|(_, unvouched)| unvouched.is_some());
    if let Some((observation, unvouched)) = worked {
        return Met {
            status: EndpointStatus::Accessible,
            failure: None,
            reason: observation
                .not_run
                .clone()
                .or_else(|| unvouched.map(str::to_owned)),
            is_retired: false,
        };
    }
    if climbs.iter().any(|(_, it)| is_of_the_server(it)) {
        return Met {
            status: EndpointStatus::Accessible,
            failure: None,
            reason: Some(UNSERVED.to_owned()),
            is_retired: false,
        };
    }
    let telling: Vec<&&(&Climb, &Observation)> = climbs
        .iter()
        .filter(|(_, observation)| !observation.is_not_run() && !is_interrupted(observation))
        .filter(|(climb, _)| {
            evidence.ground.has_family(climb.address.is_ipv6()) || !climb.address.is_ipv6()
        })
        .collect();
    // IPv4 first: what fails over IPv6 only is seldom what a person notices.
    let failed = telling
        .iter()
        .find(|(climb, _)| climb.address.is_ipv4())
        .or(telling.first());
    let Some((_, observation)) = failed else {
        let reason = climbs
            .iter()
            .find_map(|(_, observation)| observation.not_run.clone())
            .unwrap_or_else(|| "This run did not reach it".to_owned());
        return Met::not_run(reason);
    };
    let reason = reason(evidence, endpoint, observation);
    Met::inconclusive(observation.failure().cloned(), &reason)
}

/// Whether anybody at all could have answered so: the protocol was spoken to its end, and no key that is known vouches for the
/// server, nor does TLS.
fn unvouched(climb: &Climb, observation: &Observation) -> Option<&'static str> {
    let exchange = observation
        .step(Operation::Exchange)?
        .exchange
        .as_deref()
        .filter(|_| !is_proof(observation))?;
    let said = |name: &str| {
        let mut says = exchange.says.iter();
        says.find_map(|(it, words)| (it == name).then_some(words.as_str()))
    };
    if exchange.stage == Stage::Parsed && said("error").is_some() {
        return Some(OF_AN_ERROR);
    }
    if exchange.stage != Stage::Bound {
        return None;
    }
    // Who holds a key that the root did vouch for is the server, whatever the date, here or there.
    let of_another_root =
        |words: &str| climb.noise_root.is_some() && words != Trouble::NotValidNow.words();
    if said("chain").is_some_and(of_another_root) {
        Some(OF_ANOTHER_ROOT)
    } else if said("known_key") == Some(NO_KEY) {
        Some(OF_NO_KNOWN_KEY)
    } else {
        None
    }
}

/// Why it is not sure who answers at this endpoint, which works.
pub fn doubt_of_who_answers(report: &EndpointReport) -> Option<&'static str> {
    [OF_AN_ERROR, OF_ANOTHER_ROOT, OF_NO_KNOWN_KEY]
        .into_iter()
        .find(|words| report.reason.as_deref() == Some(words))
}

/// Whether the request over QUIC ended by the server's own doing: nobody else can close, reset or acknowledge anything inside
/// a connection whose handshake is proven. That it serves no such page is no failure of the line.
fn is_of_the_server(observation: &Observation) -> bool {
    let Some(step) = observation.step(Operation::HttpRoundTrip) else {
        return false;
    };
    let is_acknowledged = || {
        let quic = step.quic.as_deref();
        quic.is_some_and(|it| it.request_acknowledged == Some(true)) && step.http.is_none()
    };
    observation.reached(Operation::QuicHandshake)
        && is_proof(observation)
        && match step.failure {
            Some(Failure::Eof | Failure::HttpRequestFailed | Failure::ConnectionReset) => true,
            Some(Failure::GenericTimeout) => is_acknowledged(),
            _ => false,
        }
}

/// Why a failed climb is not blamed on anybody.
fn reason(evidence: &Evidence, endpoint: &Endpoint, observation: &Observation) -> String {
    if evidence.ground.regime != Regime::Open {
        return words::not_open(evidence.ground.regime);
    }
    let elsewhere = evidence
        .climbs(endpoint)
        .iter()
        .any(|(_, other)| other.is_success());
    if elsewhere {
        return "It works at another address".to_owned();
    }
    if is_silent_relay(observation) {
        let words = match answers_over_tcp(evidence, endpoint) {
            None => RELAY,
            Some(false) => RELAY_WITHOUT_UDP,
            Some(true) => RELAY_OVER_TCP,
        };
        return words.to_owned();
    }
    let operation = observation.steps.last().map(|step| step.operation);
    if operation == Some(Operation::TcpConnect)
        && let Some(words) = address::reason(evidence, observation)
            .or_else(|| address_port::reason(evidence, observation))
    {
        return words;
    }
    match operation {
        Some(Operation::TlsHandshake)
            if observation.failure() == Some(&Failure::SslInvalidCertificate) =>
        {
            if evidence.ground.clock_error_s == 0 {
                "The certificate is expired or not yet valid: the server's own fault, or this machine's clock".to_owned()
            } else {
                "The certificate looks expired or not yet valid, because this machine's clock is wrong".to_owned()
            }
        }
        Some(operation) => format!(
            "It fails at the {} step, and no control comparison shows why",
            operation_words(operation)
        ),
        None => "This run did not reach it".to_owned(),
    }
}

fn operation_words(operation: Operation) -> &'static str {
    match operation {
        Operation::Resolve => "DNS",
        Operation::TcpConnect => "TCP",
        Operation::TlsHandshake => "TLS",
        Operation::QuicHandshake => "QUIC",
        Operation::HttpRoundTrip => "HTTP",
        Operation::Exchange => "application",
    }
}
