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
use crate::plan::contrast::alternation::alternate;
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
    let cell = |varies, trial, climb| changed(subject, failed, varies, trial, climb);
    let at = |trial: u32| {
        let turn = (turn + trial as usize - 1) % elsewhere.len().max(1);
        elsewhere.get(turn).copied()
    };
    let here = |round| {
        let other = message(climb.address, other);
        vec![cell(Variation::Payload, round, other)]
    };
    // The first of these was the reach round's.
    let again = |round| vec![cell(Variation::Nothing, round + 1, climb.clone())];
    let mut checks = if is_udp {
        alternate(seen, TRIALS, here, again)
    } else {
        // A connection that stood shows by itself that the line is there, and a silent one takes long.
        let turns = (1..TRIALS).flat_map(|round| [here(round), again(round)].concat());
        turns.chain(here(TRIALS)).collect()
    };
    // The censor is shown the signature there only after the meaningless bytes had their answer.
    let there = |varies, round, payload| {
        let climb = at(round).map(|control| message(control, payload));
        climb.map(|climb| cell(varies, round, climb))
    };
    checks.extend(alternate(
        seen,
        TRIALS + 1,
        |round| there(Variation::Both, round, other).into_iter().collect(),
        |round| {
            let own = there(Variation::Address, round, Payload::Own);
            own.into_iter().collect()
        },
    ));
    checks
}
