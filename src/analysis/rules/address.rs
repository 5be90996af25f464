//! Connections that never stand, by where they lead: `address/{drop,unreachable}` and `address_port/drop`.
//!
//! What it infers: the address is looked at (nothing of it answers on any port tried), or one port of it (another
//! answers).
//! Evidence: four addresses of the target or more stay silent, in three trials each, on every port tried, while controls
//! work; or a router on the way says by ICMP that it prohibits the destination; or the same port
//! is silent at two addresses or more that answer on another.
//! What else could explain it: one or a few servers that are down (fewer than four addresses: no finding); servers that
//! were stopped, however many (they refuse: no finding, for a refusal by a censor looks the same from here); a local firewall (the ICMP error comes from this machine: no finding); broken IPv6 (left
//! out); the whole service down everywhere at once (doubt: only another vantage can tell).
//! References: facts 2.2; IMC 2022 on the TSPU's address blocking; OONI ts-038.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::evidence::{Evidence, endpoints, is_interrupted};
use crate::analysis::rules::Finding;
use crate::model::check::{Ask, Climb};
use crate::model::failure::Failure;
use crate::model::observation::{IcmpError, Observation, Operation};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Dead addresses that are more than a few servers down.
const ADDRESSES: usize = 4;
/// Addresses at which the same port must be silent.
const PORTS_AT: usize = 2;
/// Trials that must all have failed.
const TRIALS: usize = 3;

/// At most one finding for each interference.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let places = places(evidence);
    let mut findings: Vec<Finding> = [Manner::Silence, Manner::Prohibited]
        .into_iter()
        .filter_map(|manner| dead_addresses(evidence, &places, manner))
        .collect();
    findings.extend(dead_port(evidence, &places));
    findings
}

/// How a connection did not come to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Silence,
    Refusal,
    Unreachable,
    /// A router on the way says that it prohibits the destination.
    Prohibited,
}

impl Manner {
    fn of(climb: &Climb, observation: &Observation) -> Option<Self> {
        let step = observation.step(Operation::TcpConnect)?;
        let failure = step.failure.as_ref()?;
        let icmp: &[IcmpError] = step.tcp.as_deref().map_or(&[], |tcp| &tcp.icmp);
        if icmp.iter().any(|error| error.offender_is_own) {
            return None;
        }
        if let Some(error) = icmp.first() {
            let is_on_the_way = error.offender.as_deref() != Some(&climb.address.ip().to_string());
            return Some(if is_prohibition(error) && is_on_the_way {
                Self::Prohibited
            } else {
                Self::Unreachable
            });
        }
        match failure {
            Failure::GenericTimeout | Failure::TimedOut => Some(Self::Silence),
            Failure::ConnectionRefused => Some(Self::Refusal),
            Failure::HostUnreachable => Some(Self::Unreachable),
            _ => None,
        }
    }

    const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Refusal => Interference::Refuse,
            Self::Unreachable | Self::Prohibited => Interference::Unreachable,
        }
    }
}

/// RFC 1812 5.2.7.1: 9, 10 and 13 are prohibitions; RFC 4443: 1, 5 and 6 of type 1.
fn is_prohibition(error: &IcmpError) -> bool {
    matches!((error.kind, error.code), (3, 9 | 10 | 13) | (1, 1 | 5 | 6))
}

/// What was tried at one address: by port, what became of every trial (`None`: it stood).
type Tried<'a> = BTreeMap<u16, Vec<(Option<Manner>, &'a Observation)>>;

/// Every address of the target that was tried, contrasts of ports included.
fn places<'a>(evidence: &Evidence<'a>) -> BTreeMap<IpAddr, Tried<'a>> {
    let mut places: BTreeMap<IpAddr, Tried> = BTreeMap::new();
    for observation in evidence.observations {
        let Ask::Climb(climb) = &observation.check.ask else {
            continue;
        };
        let is_v6_in_vain = climb.address.is_ipv6() && !evidence.ground.has_family(true);
        if observation.is_not_run()
            || is_interrupted(observation)
            || is_v6_in_vain
            || is_at_control(observation)
        {
            continue;
        }
        let stood = observation.reached(Operation::TcpConnect);
        let manner = Manner::of(climb, observation);
        if stood || manner.is_some() {
            places
                .entry(climb.address.ip())
                .or_default()
                .entry(climb.address.port())
                .or_default()
                .push((manner, observation));
        }
    }
    places
}

/// Contrasts at a control's address say nothing of the target's.
fn is_at_control(observation: &Observation) -> bool {
    use crate::model::check::Variation::{Address, Both};
    observation
        .check
        .contrast
        .as_ref()
        .is_some_and(|contrast| matches!(contrast.varies, Address | Both))
}

fn dead_addresses(
    evidence: &Evidence,
    places: &BTreeMap<IpAddr, Tried>,
    manner: Manner,
) -> Option<Finding> {
    let dead: BTreeSet<IpAddr> = places
        .iter()
        .filter(|(_, tried)| all(tried).all(|(seen, _)| *seen == Some(manner)))
        .map(|(address, _)| *address)
        .collect();
    let repeated = dead
        .iter()
        .filter(|address| {
            places[address]
                .values()
                .any(|trials| trials.len() >= TRIALS)
        })
        .count();
    let needed = if manner == Manner::Prohibited {
        1
    } else {
        ADDRESSES
    };
    if repeated < needed {
        return None;
    }
    let hit = hit(evidence, |climb| dead.contains(&climb.address.ip()));
    let ids = dead
        .iter()
        .flat_map(|address| all(&places[address]))
        .map(|(_, observation)| observation.id.clone())
        .take(8)
        .collect();
    let doubt = if manner == Manner::Prohibited {
        "Whose router it is cannot be seen from here"
    } else {
        "That all of them are down everywhere at once can only be excluded from another vantage"
    };
    (!hit.is_empty()).then(|| Finding {
        technique: Technique::new(Trigger::Address, manner.interference()),
        confidence: Confidence::Likely,
        endpoints: hit,
        evidence: ids,
        doubt: Some(doubt.to_owned()),
        seen: seen(places, &dead, manner),
    })
}

/// A port that is silent at several addresses which answer on another. A refusal is how any closed port answers.
fn dead_port(evidence: &Evidence, places: &BTreeMap<IpAddr, Tried>) -> Option<Finding> {
    let mut silent: BTreeMap<u16, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut stands: BTreeSet<u16> = BTreeSet::new();
    for (address, tried) in places {
        let answers_elsewhere = all(tried).any(|(manner, _)| manner.is_none());
        for (port, trials) in tried {
            if trials.iter().any(|(manner, _)| manner.is_none()) {
                stands.insert(*port);
            } else if answers_elsewhere
                && trials.len() >= TRIALS
                && trials
                    .iter()
                    .all(|(manner, _)| *manner == Some(Manner::Silence))
            {
                silent.entry(*port).or_default().insert(*address);
            }
        }
    }
    let (port, addresses) = silent
        .into_iter()
        .find(|(port, addresses)| addresses.len() >= PORTS_AT && !stands.contains(port))?;
    let is_hit = |climb: &Climb| {
        !climb.protocol.is_udp()
            && climb.address.port() == port
            && addresses.contains(&climb.address.ip())
    };
    let ids = addresses
        .iter()
        .flat_map(|address| all(&places[address]))
        .map(|(_, observation)| observation.id.clone())
        .take(8)
        .collect();
    Some(Finding {
        technique: Technique::new(Trigger::AddressPort, Interference::Drop),
        confidence: Confidence::Likely,
        endpoints: hit(evidence, is_hit),
        evidence: ids,
        doubt: Some(
            "The servers may have given up this port; only another vantage can tell".to_owned(),
        ),
        seen: format!(
            "Port {port} is silent at {} addresses in {TRIALS} trials each, while other ports of the same addresses answer",
            addresses.len()
        ),
    })
}

fn all<'a, 'b>(
    tried: &'b Tried<'a>,
) -> impl Iterator<Item = &'b (Option<Manner>, &'a Observation)> {
    tried.values().flatten()
}

/// Endpoints of which every climb is hit.
fn hit(evidence: &Evidence, is_hit: impl Fn(&Climb) -> bool) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| {
            let climbs = evidence.climbs(endpoint);
            let mut tried = climbs
                .iter()
                .filter(|(climb, observation)| {
                    !observation.is_not_run()
                        && (climb.address.is_ipv4() || evidence.ground.has_family(true))
                })
                .peekable();
            tried.peek().is_some() && tried.all(|(climb, _)| is_hit(climb))
        })
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn seen(places: &BTreeMap<IpAddr, Tried>, dead: &BTreeSet<IpAddr>, manner: Manner) -> String {
    let what = match manner {
        Manner::Silence => "stay silent",
        Manner::Refusal => "refuse every connection",
        Manner::Unreachable => "are told to be unreachable",
        Manner::Prohibited => "are prohibited by a router on the way",
    };
    let alive = places.len() - dead.len();
    let offender = dead
        .iter()
        .flat_map(|address| all(&places[address]))
        .filter_map(|(_, observation)| observation.step(Operation::TcpConnect)?.tcp.as_deref())
        .find_map(|tcp| {
            let error = tcp.icmp.first()?;
            Some(format!(
                " (ICMP type {} code {} from {})",
                error.kind,
                error.code,
                error
                    .offender
                    .as_deref()
                    .unwrap_or("a router that is not named")
            ))
        })
        .unwrap_or_default();
    format!(
        "{} addresses of the target {what} on every port tried{offender}, {alive} others answer, and so do the controls",
        dead.len()
    )
}
