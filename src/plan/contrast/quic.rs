//! The cells around QUIC handshakes that failed: {the target's name, an innocuous one of the same length} at {the target's
//! address, controls' addresses}, and a version that nobody speaks at the target's address, which whoever speaks QUIC answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Hello, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::handshake::neutral_name;
use crate::plan::contrast::{changed, reached};
use crate::plan::resolve::Subject;

/// Trials of the failing combination in all, and of each contrast.
const TRIALS: u32 = 3;
/// Names of one target that are contrasted; the others share their fate.
const NAMES: usize = 3;

/// The cells that are called for.
pub fn checks(controls: &[SocketAddr], subject: Subject, seen: &Seen) -> Vec<Check> {
    let mut names = BTreeSet::new();
    reached(seen)
        .filter(|(climb, failed)| climb.protocol == Protocol::Quic && is_telling(failed))
        .filter_map(|(climb, failed)| Some((climb, climb.server_name.as_deref()?, failed)))
        .filter(|(_, name, _)| names.len() < NAMES && names.insert((*name).to_owned()))
        .enumerate()
        .flat_map(|(position, (climb, name, failed))| {
            cells(controls, subject, seen, position, climb, name, failed)
        })
        .collect()
}

/// Silence and what can be forged in its place. A refusal by ICMP names who sent it, and an expired certificate is the
/// server's own fault.
fn is_telling(observation: &Observation) -> bool {
    let Some(step) = observation.step(Operation::QuicHandshake) else {
        return false;
    };
    matches!(
        step.failure,
        Some(
            Failure::GenericTimeout
                | Failure::ConnectionReset
                | Failure::Eof
                | Failure::SslFailedHandshake
                | Failure::SslInvalidHostname
                | Failure::SslUnknownAuthority
        )
    )
}

fn cells(
    controls: &[SocketAddr],
    subject: Subject,
    seen: &Seen,
    position: usize,
    climb: &Climb,
    name: &str,
    failed: &Observation,
) -> Vec<Check> {
    let neutral = neutral_name(name);
    let controls: Vec<SocketAddr> = controls
        .iter()
        .copied()
        .filter(|control| control.is_ipv4() == climb.address.is_ipv4())
        .collect();
    let at = |address, server_name: &str| Climb {
        address,
        host: None,
        server_name: Some(server_name.to_owned()),
        ..climb.clone()
    };
    let mut checks = Vec::new();
    for trial in 1..=TRIALS {
        let turn = position + trial as usize - 1;
        let cell = |varies, climb| changed(subject, failed, varies, trial, climb);
        checks.push(cell(Variation::ServerName, at(climb.address, &neutral)));
        if let Some(control) = controls.get(turn % controls.len().max(1)) {
            let both = cell(Variation::Both, at(*control, &neutral));
            // The censor is shown the name there only after the innocuous one had its answer.
            if seen.is_complete(&both.id) {
                checks.push(cell(Variation::Address, at(*control, name)));
            }
            checks.push(both);
        }
        let greased = Climb {
            hello: Hello::Greased,
            server_name: None,
            ..at(climb.address, name)
        };
        checks.push(cell(Variation::Shape, greased));
        if trial > 1 {
            checks.push(cell(Variation::Nothing, climb.clone()));
        }
    }
    checks
}
