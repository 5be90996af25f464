//! The cells around an app's first message that met nothing: {its own bytes, random ones of the same length} at {the target's
//! address, controls' addresses}, also for what definitions describe; for STUN, the request without its magic cookie, at relays and at controls.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Payload, Variation};
use crate::model::custom::Custom;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::{Controls, changed, reached};
use crate::plan::resolve::Subject;

/// Trials of the failing combination in all, and of each contrast.
const TRIALS: u32 = 3;
/// Addresses that are contrasted of those which fail alike: the others share their fate.
const ADDRESSES: usize = 3;

/// The cells that are called for.
pub fn checks(controls: &Controls, subject: Subject, seen: &Seen) -> Vec<Check> {
    let mut groups: BTreeMap<(Protocol, Option<&Custom>, String), Vec<SocketAddr>> =
        BTreeMap::new();
    let mut checks = Vec::new();
    for (climb, failed) in reached(seen) {
        let Some(word) = met_nothing(climb, failed) else {
            continue;
        };
        let group = groups
            .entry((climb.protocol, climb.custom.as_deref(), word))
            .or_default();
        if group.len() == ADDRESSES || group.contains(&climb.address) {
            continue;
        }
        group.push(climb.address);
        let turn = group.len() - 1;
        checks.extend(cells(controls, subject, seen, climb, failed, turn));
    }
    checks
}

/// How an exchange ended without a byte, where a box on the way can read it.
fn met_nothing(climb: &Climb, observation: &Observation) -> Option<String> {
    let step = observation.steps.last()?;
    let failure = step.failure.as_ref()?;
    let heard = step.exchange.as_deref().map_or(0, |it| it.received_bytes);
    let is_mute = matches!(
        failure,
        Failure::GenericTimeout | Failure::TimedOut | Failure::ConnectionReset | Failure::Eof
    );
    let is_readable = !climb.protocol.is_tls()
        && !matches!(
            climb.protocol,
            Protocol::TelegramReflector | Protocol::Commnat
        );
    // Where the server speaks first there is nothing of ours to look at.
    let is_mute = is_mute && climb.custom.as_deref().is_none_or(|it| !it.send.is_empty());
    (step.operation == Operation::Exchange && heard == 0 && is_mute && is_readable)
        .then(|| failure.word().into_owned())
}

fn cells(
    controls: &Controls,
    subject: Subject,
    seen: &Seen,
    climb: &Climb,
    failed: &Observation,
    turn: usize,
) -> Vec<Check> {
    let is_udp = climb.protocol.is_udp();
    let elsewhere = if is_udp {
        &controls.stun
    } else {
        &controls.tls
    };
    let elsewhere: Vec<SocketAddr> = elsewhere
        .iter()
        .copied()
        .filter(|control| control.is_ipv4() == climb.address.is_ipv4())
        .collect();
    let other = if is_udp && !climb.protocol.is_custom() {
        Payload::WithoutCookie
    } else {
        Payload::Random
    };
    let message = |address, payload| Climb {
        address,
        payload,
        host: None,
        ..climb.clone()
    };
    let mut checks = Vec::new();
    for trial in 1..=TRIALS {
        let cell = |varies, climb| changed(subject, failed, varies, trial, climb);
        checks.push(cell(Variation::Payload, message(climb.address, other)));
        let at = (turn + trial as usize - 1) % elsewhere.len().max(1);
        if let Some(control) = elsewhere.get(at) {
            let both = cell(Variation::Both, message(*control, other));
            // The censor is shown the signature there only after the meaningless bytes had their answer.
            if seen.is_complete(&both.id) {
                let own = message(*control, Payload::Own);
                checks.push(cell(Variation::Address, own));
            }
            checks.push(both);
        }
        if trial > 1 {
            checks.push(cell(Variation::Nothing, climb.clone()));
        }
    }
    checks
}
