//! The cells around an app's first message that met nothing: {its own bytes, random ones of the same length} at {the target's
//! address, controls' addresses}, also for what definitions describe; for STUN, the request without its magic cookie, at relays and at
//! controls, and the same request over TCP, at relays.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Payload, Variation};
use crate::model::custom::Custom;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::address::is_silent;
use crate::plan::contrast::alternation::alternate;
use crate::plan::contrast::{Controls, TRIALS, changed, has_recovered, reached};
use crate::plan::resolve::Subject;

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
    if has_recovered(subject, climb, failed, seen) {
        return Vec::new();
    }
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
    if let Some(protocol) = climb.protocol.over_tcp()
        && is_silent(failed)
    {
        let over_tcp = |round| {
            let climb = Climb {
                protocol,
                ..message(climb.address, Payload::Own)
            };
            cell(Variation::Transport, round, climb)
        };
        let first = over_tcp(1);
        let has_answered = seen
            .complete(&first.id)
            .is_some_and(Observation::is_success);
        checks.push(first);
        // An answer is met beside silence over UDP once more. Whoever is silent here too is left: a connection that does not
        // come to stand has asked several times, and takes long.
        if has_answered {
            checks.extend(again(1));
            checks.push(over_tcp(2));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::{Endpoint, Expect};
    use crate::model::check::{Ask, Role, Round};
    use crate::model::observation::Step;
    use crate::plan::reach;

    const SUBJECT: Subject = Subject {
        id: "target",
        role: Role::Target,
        round: Round::Reach,
    };

    fn own(protocol: Protocol, address: &str) -> Check {
        let endpoint = Endpoint {
            id: format!("{}://{address}:3478", protocol.word()),
            host: None,
            addresses: vec![address.parse().unwrap()],
            port: 3478,
            protocol,
            server_name: None,
            path: "/".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        };
        reach::climb(SUBJECT, &endpoint, endpoint.addresses[0], 1)
    }

    fn note(seen: &mut Seen, check: Check, failure: Option<Failure>) {
        let step = Step {
            operation: Operation::Exchange,
            t0: 0.0,
            t: 4.0,
            failure,
            dns: None,
            tcp: None,
            tls: None,
            quic: None,
            http: None,
            exchange: None,
        };
        let observation = Observation {
            id: "o1".to_owned(),
            check,
            steps: vec![step],
            not_run: None,
        };
        seen.note(observation, true);
    }

    fn over_tcp(checks: &[Check]) -> Vec<(u32, Protocol, SocketAddr)> {
        let asked = checks.iter().filter_map(|check| {
            let Ask::Climb(climb) = &check.ask else {
                return None;
            };
            let contrast = check.contrast.as_ref()?;
            (contrast.varies == Variation::Transport).then_some((
                check.trial,
                climb.protocol,
                climb.address,
            ))
        });
        asked.collect()
    }

    /// What is asked over TCP after these ended so, and again once all else that was planned was answered or not.
    fn asked(
        ended: &[(Protocol, &str, Option<Failure>)],
        then: Option<&Failure>,
    ) -> Vec<(u32, Protocol, SocketAddr)> {
        let mut seen = Seen::default();
        for (protocol, address, failure) in ended {
            note(&mut seen, own(*protocol, address), failure.clone());
        }
        for _ in 0..TRIALS + 2 {
            for check in checks(&Controls::default(), SUBJECT, &seen) {
                let is_again = check.contrast.as_ref().unwrap().varies == Variation::Nothing;
                let failure = if is_again {
                    Some(Failure::GenericTimeout)
                } else {
                    then.cloned()
                };
                note(&mut seen, check, failure);
            }
        }
        over_tcp(&checks(&Controls::default(), SUBJECT, &seen))
    }

    #[test]
    fn a_relay_that_is_silent_over_udp_is_asked_over_tcp_at_its_port_and_again_if_it_answers() {
        let silence = || Some(Failure::GenericTimeout);
        for (protocol, wanted) in [
            (Protocol::Stun, Protocol::StunTcp),
            (Protocol::Turn, Protocol::TurnTcp),
        ] {
            let place: SocketAddr = "192.0.2.1:3478".parse().unwrap();
            let twice = [(1, wanted, place), (2, wanted, place)];
            let ended = [(protocol, "192.0.2.1", silence())];
            assert_eq!(asked(&ended, None), twice);
            assert_eq!(asked(&ended, silence().as_ref()), twice[..1]);
        }
    }

    #[test]
    fn nobody_else_is_asked_over_tcp() {
        let silence = || Some(Failure::GenericTimeout);
        for (protocol, failure) in [
            (Protocol::Stun, None),
            (Protocol::Turn, None),
            (Protocol::Stun, Some(Failure::ConnectionRefused)),
            (Protocol::Stun, Some(Failure::Eof)),
            (Protocol::TelegramReflector, silence()),
            (Protocol::Commnat, silence()),
            (Protocol::MtprotoAbridged, silence()),
        ] {
            let asked = asked(&[(protocol, "192.0.2.1", failure)], silence().as_ref());
            assert!(asked.is_empty(), "{asked:?}");
        }
    }

    #[test]
    fn only_addresses_that_are_contrasted_are_asked_over_tcp() {
        let addresses: Vec<String> = (1..=9).map(|it| format!("192.0.2.{it}")).collect();
        let silent = |it| (Protocol::Stun, it, Some(Failure::GenericTimeout));
        let ended: Vec<_> = addresses.iter().map(|it| silent(it.as_str())).collect();
        assert_eq!(asked(&ended, None).len(), ADDRESSES * 2);
    }

    #[test]
    fn silence_over_udp_is_looked_for_beside_the_second_question_over_tcp() {
        let mut seen = Seen::default();
        let silence = Some(Failure::GenericTimeout);
        note(&mut seen, own(Protocol::Stun, "192.0.2.1"), silence);
        let first = checks(&Controls::default(), SUBJECT, &seen);
        let again = |checks: &[Check]| {
            let contrasts = checks.iter().filter_map(|it| it.contrast.as_ref());
            contrasts
                .filter(|it| it.varies == Variation::Nothing)
                .count()
        };
        assert_eq!((over_tcp(&first).len(), again(&first)), (1, 0));
        let answered = first.into_iter().find(|check| {
            let contrast = check.contrast.as_ref();
            contrast.is_some_and(|it| it.varies == Variation::Transport)
        });
        note(&mut seen, answered.unwrap(), None);
        let second = checks(&Controls::default(), SUBJECT, &seen);
        assert_eq!((over_tcp(&second).len(), again(&second)), (2, 1));
    }
}
