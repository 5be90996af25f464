//! Other ports of the same address, for connections that never stood; sibling addresses are in the reach round already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::model::catalog::{Endpoint, Protocol};
use crate::model::check::{Check, Climb, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::{changed, reached};
use crate::plan::resolve::Subject;

/// Trials of the failing connection in all.
const TRIALS: u32 = 3;
/// Other ports tried at one address.
const PORTS: usize = 2;
/// Addresses of one target that are contrasted: enough to tell a range from a host.
const ADDRESSES: usize = 8;

/// The repetitions and other ports that are called for.
pub fn checks<'a>(
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
    seen: &Seen,
) -> Vec<Check> {
    let ports: BTreeSet<u16> = endpoints
        .filter(|endpoint| !endpoint.protocol.is_udp())
        .map(|endpoint| endpoint.port)
        .collect();
    let mut tried: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
    for (climb, _) in reached(seen) {
        tried
            .entry(climb.address.ip())
            .or_default()
            .insert(climb.address.port());
    }
    let mut checks = Vec::new();
    let mut contrasted = BTreeSet::new();
    for (climb, failed) in reached(seen) {
        if !never_stood(failed)
            || contrasted.len() == ADDRESSES
            || !contrasted.insert(climb.address.ip())
        {
            continue;
        }
        for trial in 2..=TRIALS {
            checks.push(changed(
                subject,
                failed,
                Variation::Nothing,
                trial,
                climb.clone(),
            ));
        }
        let known = &tried[&climb.address.ip()];
        for port in ports
            .iter()
            .filter(|port| !known.contains(port))
            .take(PORTS)
        {
            let other = Climb {
                address: SocketAddr::new(climb.address.ip(), *port),
                protocol: Protocol::Tcp,
                server_name: None,
                ..climb.clone()
            };
            checks.push(changed(subject, failed, Variation::Port, 1, other));
        }
    }
    checks
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
