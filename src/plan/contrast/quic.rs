//! The cells around QUIC handshakes that failed: {the target's name, an innocuous one of the same length} at {the target's
//! address, controls' addresses}, and a version that nobody speaks at the target's address, which whoever speaks QUIC answers.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Hello, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::alternation::alternate;
use crate::plan::contrast::handshake::neutral_name;
use crate::plan::contrast::{TRIALS, changed, has_recovered, reached};
use crate::plan::resolve::Subject;

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
    if has_recovered(subject, climb, failed, seen) {
        return Vec::new();
    }
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
    let cell = |varies, round, climb| changed(subject, failed, varies, round, climb);
    // The first of those that are tried here was the reach round's.
    let mut checks = alternate(
        seen,
        TRIALS,
        |round| {
            let greased = Climb {
                hello: Hello::Greased,
                server_name: None,
                ..at(climb.address, name)
            };
            let innocuous = at(climb.address, &neutral);
            vec![
                cell(Variation::ServerName, round, innocuous),
                cell(Variation::Shape, round, greased),
            ]
        },
        |round| vec![cell(Variation::Nothing, round + 1, climb.clone())],
    );
    // The censor is shown the name there only after the innocuous one had its answer.
    let there = |varies, round: u32, name: &str| {
        let turn = position + round as usize - 1;
        let control = controls.get(turn % controls.len().max(1))?;
        Some(cell(varies, round, at(*control, name)))
    };
    checks.extend(alternate(
        seen,
        TRIALS + 1,
        |round| {
            let innocuous = there(Variation::Both, round, &neutral);
            innocuous.into_iter().collect()
        },
        |round| there(Variation::Address, round, name).into_iter().collect(),
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

    fn seen(seen: &mut Seen, check: Check, failure: Option<Failure>) {
        let step = Step {
            operation: Operation::QuicHandshake,
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

    fn own() -> Check {
        let endpoint = Endpoint {
            id: "quic://web.example:443".to_owned(),
            host: Some("web.example".to_owned()),
            addresses: Vec::new(),
            port: 443,
            protocol: Protocol::Quic,
            server_name: None,
            path: "/".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        };
        reach::climb(SUBJECT, &endpoint, "192.0.2.1".parse().unwrap(), 1)
    }

    fn count(checks: &[Check], varies: Variation) -> usize {
        let is_such = |check: &&Check| check.contrast.as_ref().unwrap().varies == varies;
        checks.iter().filter(is_such).count()
    }

    #[test]
    fn what_works_or_is_refused_is_not_contrasted() {
        for failure in [None, Some(Failure::ConnectionRefused)] {
            let mut known = Seen::default();
            seen(&mut known, own(), failure);
            assert!(checks(&[], SUBJECT, &known).is_empty());
        }
    }

    #[test]
    fn silence_is_repeated_and_contrasted_by_name_version_and_address() {
        let controls = ["198.51.100.1:443".parse().unwrap()];
        let mut known = Seen::default();
        seen(&mut known, own(), Some(Failure::GenericTimeout));
        let first = checks(&controls, SUBJECT, &known);
        let row = |varies| count(&first, varies);
        assert_eq!((row(Variation::ServerName), row(Variation::Shape)), (1, 1));
        assert_eq!((row(Variation::Both), row(Variation::Nothing)), (1, 0));
        // Nothing of it passes: all the rest goes at once, but the name is not shown to a control that did not answer.
        for check in first {
            seen(&mut known, check, Some(Failure::GenericTimeout));
        }
        let all = checks(&controls, SUBJECT, &known);
        let row = |varies| count(&all, varies);
        assert_eq!(row(Variation::Nothing), 2);
        assert_eq!(row(Variation::ServerName), 3);
        assert_eq!(row(Variation::Shape), 3);
        for check in &all {
            let Ask::Climb(climb) = &check.ask else {
                panic!("a climb")
            };
            let is_greased = check.contrast.as_ref().unwrap().varies == Variation::Shape;
            assert_eq!(climb.hello == Hello::Greased, is_greased);
            assert_eq!(climb.server_name.is_none(), is_greased);
        }
    }

    #[test]
    fn the_name_is_shown_to_a_control_after_an_innocuous_one_passed_there_and_beside_the_next() {
        let controls = ["198.51.100.1:443".parse().unwrap()];
        let mut known = Seen::default();
        seen(&mut known, own(), Some(Failure::GenericTimeout));
        for round in 1..=4 {
            let planned = checks(&controls, SUBJECT, &known);
            let row = |varies| count(&planned, varies);
            assert_eq!(row(Variation::Both), round);
            assert_eq!(row(Variation::Address), round - 1);
            for check in planned {
                let is_again = check.contrast.as_ref().unwrap().varies == Variation::Nothing;
                let failure = is_again.then_some(Failure::GenericTimeout);
                seen(&mut known, check, failure);
            }
        }
    }
}
