//! Connections that never stood: repeated, at other ports of the same address, and with fewer hops to live; where they are silent,
//! beside a neighbour that stood before. Other siblings are in the reach round already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::model::catalog::{Endpoint, Protocol};
use crate::model::check::{Ask, Check, Climb, Variation};
use crate::model::failure::Failure;
use crate::model::line::{NEIGHBOURHOOD, RACK, network};
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::{TRIALS, changed, connection, hops, reached};
use crate::plan::resolve::Subject;

/// Other ports tried at one address.
const PORTS: usize = 2;
/// Addresses of one target and one family that are contrasted: enough to tell a range from a host.
const ADDRESSES: usize = 8;
/// Those of one neighbourhood: the others tell more.
const NEIGHBOURS: usize = 5;
/// Controls that are connected to in each round of trials.
const CONTROLS: usize = 2;

/// A connection that never stood, as it was planned and as it was seen.
pub type Failed<'a> = (&'a Climb, &'a Observation);

/// The repetitions, other ports and roads that are called for.
pub fn checks<'a>(
    controls: &[SocketAddr],
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
    seen: &Seen,
) -> Vec<Check> {
    // What is spoken over UDP leaves its ports closed to TCP, and a refusal there would speak for the whole address.
    let ports: BTreeSet<u16> = endpoints
        .filter(|endpoint| !endpoint.protocol.is_udp())
        .map(|endpoint| endpoint.port)
        .collect();
    let mut tried: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
    for (climb, _) in reached(seen).filter(|(climb, _)| !climb.protocol.is_udp()) {
        tried
            .entry(climb.address.ip())
            .or_default()
            .insert(climb.address.port());
    }
    let failures = failures(seen);
    let mut checks = Vec::new();
    let has_controls = |it: &&Failed| {
        let mut controls = controls.iter();
        controls.any(|control| control.is_ipv4() == it.0.address.is_ipv4())
    };
    if let Some((climb, failed)) = failures.iter().find(has_controls) {
        for trial in trials(subject, climb, failed, seen) {
            checks.extend(between(controls, subject, climb, failed, trial.trial));
        }
    }
    for (climb, failed) in &failures {
        let again = trials(subject, climb, failed, seen);
        let known = &tried[&climb.address.ip()];
        if let Some(neighbour) = neighbour(climb.address, known, seen)
            && is_silent(failed)
        {
            checks.extend(again.iter().map(|again| {
                let bare = connection(neighbour, None);
                changed(subject, failed, Variation::Neighbour, again.trial, bare)
            }));
        }
        checks.extend(again);
        let unknown = ports.iter().filter(|port| !known.contains(port));
        for port in unknown.take(PORTS) {
            let other = Climb {
                address: SocketAddr::new(climb.address.ip(), *port),
                protocol: Protocol::Tcp,
                server_name: None,
                ..(*climb).clone()
            };
            checks.push(changed(subject, failed, Variation::Port, 1, other));
        }
    }
    checks.extend(hops::checks(controls, subject, &failures, seen));
    checks
}

/// One failed connection of each address, in the order in which they were known to have failed: what comes later never
/// changes what was called for before.
fn failures(seen: &Seen) -> Vec<Failed<'_>> {
    let mut failures: Vec<Failed> = reached(seen)
        .filter(|(_, observation)| never_stood(observation))
        .collect();
    failures.sort_by(|(_, one), (_, other)| {
        let by_time = ended(one).total_cmp(&ended(other));
        by_time.then_with(|| one.check.id.cmp(&other.check.id))
    });
    let mut addresses = BTreeSet::new();
    failures.retain(|(climb, _)| addresses.insert(climb.address.ip()));
    let (mut neighbours, mut family) = (BTreeMap::new(), BTreeMap::new());
    failures.retain(|(climb, _)| {
        let address = climb.address.ip();
        let near = neighbours
            .entry(network(address, NEIGHBOURHOOD))
            .or_insert(0);
        *near += 1;
        // Each family for itself: where IPv6 is broken, all of it fails.
        let all = family.entry(address.is_ipv4()).or_insert(0);
        *all += usize::from(*near <= NEIGHBOURS);
        *near <= NEIGHBOURS && *all <= ADDRESSES
    });
    failures
}

/// The repetitions. Silence costs seconds, so its trials run side by side; what is told at once is asked for again only
/// when the trial before is over, so that one bad moment of the line is not three trials.
fn trials(subject: Subject, climb: &Climb, failed: &Observation, seen: &Seen) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for trial in 2..=TRIALS {
        let is_due = is_silent(failed)
            || checks
                .last()
                .is_none_or(|before| seen.is_complete(&before.id));
        if !is_due {
            break;
        }
        let again = changed(subject, failed, Variation::Nothing, trial, climb.clone());
        checks.push(again);
    }
    checks
}

/// Where a connection stood on one of these ports near an address: in its own rack and on its own port, if there is such a one. A limit of connections by rate, which counts for
/// each network, swallows the next one there too; who looks at the address alone does not.
fn neighbour(failed: SocketAddr, ports: &BTreeSet<u16>, seen: &Seen) -> Option<SocketAddr> {
    let address = failed.ip();
    let rack = network(address, RACK);
    let around = network(address, NEIGHBOURHOOD);
    let stood = reached(seen).filter(|(other, observation)| {
        let other = other.address;
        other.ip() != address
            && ports.contains(&other.port())
            && around.contains(&other.ip())
            && observation.reached(Operation::TcpConnect)
    });
    // The first of them stays the first, whatever comes later.
    let distance = |climb: &Climb| {
        let other = climb.address;
        (!rack.contains(&other.ip()), other.port() != failed.port())
    };
    let first = stood.min_by(|(near, one), (far, other)| {
        let by_time = || ended(one).total_cmp(&ended(other));
        distance(near).cmp(&distance(far)).then_with(by_time)
    })?;
    Some(first.0.address)
}

fn ended(observation: &Observation) -> f64 {
    observation.steps.last().map_or(0.0, |step| step.t)
}

/// Controls in between: one that does not stand any more means that it is the line that failed.
fn between(
    controls: &[SocketAddr],
    subject: Subject,
    climb: &Climb,
    failed: &Observation,
    trial: u32,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for control in controls
        .iter()
        .filter(|control| control.is_ipv4() == climb.address.is_ipv4())
        .take(CONTROLS)
    {
        let bare = connection(*control, None);
        checks.push(Check {
            // Not the handshake that a control hears of the same failed check.
            id: format!("{}/between@{control}#{trial}", failed.check.id),
            ..changed(subject, failed, Variation::Address, trial, bare)
        });
    }
    checks
}

/// Whether nothing at all came back.
pub fn is_silent(failed: &Observation) -> bool {
    matches!(
        failed.failure(),
        Some(Failure::GenericTimeout | Failure::TimedOut)
    )
}

/// Whether all its trials are over, and it never stood.
pub fn is_repeated(failed: &Observation, seen: &Seen) -> bool {
    let repetitions = seen.observations().filter(|observation| {
        let contrast = observation.check.contrast.as_ref();
        contrast.is_some_and(|it| it.of == failed.check.id && it.varies == Variation::Nothing)
            && never_stood(observation)
            && seen.is_complete(&observation.check.id)
    });
    repetitions.count() + 1 >= TRIALS as usize
}

/// A port of this address at which connections stand.
pub fn standing_port(address: IpAddr, seen: &Seen) -> Option<u16> {
    let climbs = seen.observations().filter_map(|observation| {
        let Ask::Climb(climb) = &observation.check.ask else {
            return None;
        };
        let stood = observation.reached(Operation::TcpConnect) && climb.hops.is_none();
        (stood && climb.address.ip() == address).then_some(climb.address.port())
    });
    climbs.min()
}

/// A connection that failed on the wire, not for a reason of this machine.
fn never_stood(observation: &Observation) -> bool {
    observation.steps.last().is_some_and(|step| {
        step.operation == Operation::TcpConnect
            && matches!(
                step.failure,
                Some(
                    Failure::GenericTimeout
                        | Failure::TimedOut
                        | Failure::ConnectionRefused
                        | Failure::ConnectionReset
                        | Failure::HostUnreachable
                        | Failure::NetworkUnreachable
                )
            )
    })
}
