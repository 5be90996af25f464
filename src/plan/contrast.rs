//! Round 4: what failed, again, with one thing changed. On an open line it is empty.

pub mod address;
pub mod alternation;
pub mod exchange;
pub mod handshake;
pub mod hops;
pub mod names;
pub mod quic;
pub mod request;
pub mod transport;

use std::net::SocketAddr;

use crate::model::catalog::{Catalog, Endpoint, Protocol};
use crate::model::check::{Ask, Check, Climb, Contrast, Hello, Payload, Role, Round, Variation};
use crate::model::line::Line;
use crate::model::observation::Observation;
use crate::plan::Seen;
use crate::plan::resolve::Subject;

/// Trials of the failing combination in all, and of each contrast.
const TRIALS: u32 = 3;

/// Addresses of controls that work, each operator's first: the other address of a contrast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// Those that answered in TLS as they should.
    pub tls: Vec<SocketAddr>,
    /// Those that answered HTTP in clear as they should.
    pub http: Vec<SocketAddr>,
    /// Those that answered over QUIC as they should.
    pub quic: Vec<SocketAddr>,
    /// Those that answered STUN.
    pub stun: Vec<SocketAddr>,
}

/// Everything the contrast round calls for, given what was seen so far. `controls` are there once the ground is known and
/// the line is open.
pub fn checks<'a, I: Iterator<Item = &'a Endpoint>>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Fn() -> I,
    seen: &Seen,
    controls: Option<&Controls>,
) -> Vec<Check> {
    let mut checks = names::checks(catalog, line, subject, endpoints(), seen);
    // Before the ground is done nobody knows which controls can serve.
    if let Some(controls) = controls {
        checks.extend(handshake::checks(&controls.tls, subject, seen));
        checks.extend(quic::checks(&controls.quic, subject, seen));
        checks.extend(exchange::checks(controls, subject, seen));
        let pages = &catalog.block_pages;
        checks.extend(request::checks(
            &controls.http,
            subject,
            endpoints(),
            pages,
            seen,
        ));
        checks.extend(address::checks(&controls.tls, subject, endpoints(), seen));
    }
    checks
}

/// Climbs of the reach round that are complete and were begun.
fn reached(seen: &Seen) -> impl Iterator<Item = (&Climb, &Observation)> {
    seen.observations().filter_map(|observation| {
        let Ask::Climb(climb) = &observation.check.ask else {
            return None;
        };
        let counts = observation.check.role == Role::Target
            && observation.check.contrast.is_none()
            && !observation.is_not_run()
            && seen.is_complete(&observation.check.id);
        counts.then_some((climb, observation))
    })
}

/// Whether the combination that failed has worked since. Nothing is told of it then, and nothing more need be asked: on a line
/// that loses much, each question whose answer would be silence takes long.
fn has_recovered(subject: Subject, climb: &Climb, failed: &Observation, seen: &Seen) -> bool {
    (2..=TRIALS).any(|trial| {
        let again = changed(subject, failed, Variation::Nothing, trial, climb.clone());
        seen.complete(&again.id)
            .is_some_and(Observation::is_success)
    })
}

/// A bare connection.
fn connection(address: SocketAddr, hops: Option<u8>) -> Climb {
    Climb {
        address,
        protocol: Protocol::Tcp,
        host: None,
        server_name: None,
        alpn: Vec::new(),
        path: "/".to_owned(),
        look_for: None,
        private_root: None,
        noise_root: None,
        custom: None,
        hello: Hello::Plain,
        payload: Payload::Own,
        hops,
    }
}

/// A check like the one that failed, with one thing changed.
fn changed(
    subject: Subject,
    failed: &Observation,
    varies: Variation,
    trial: u32,
    climb: Climb,
) -> Check {
    let word = match varies {
        Variation::Nothing => "again",
        Variation::ServerName => "name",
        Variation::Address => "address",
        Variation::Both => "both",
        Variation::Port => "port",
        Variation::Host => "host",
        Variation::Split => "split",
        Variation::Shape => "shape",
        Variation::Hops => "hops",
        Variation::Payload => "payload",
        Variation::Transport => "transport",
        Variation::Neighbour => "neighbour",
    };
    let role = if varies == Variation::Nothing {
        Role::Target
    } else {
        Role::Control
    };
    Check {
        id: format!("{}/{word}@{}#{trial}", failed.check.id, climb.address),
        round: Round::Contrast,
        subject: subject.id.to_owned(),
        endpoints: if varies == Variation::Nothing {
            failed.check.endpoints.clone()
        } else {
            Vec::new()
        },
        role,
        trial,
        contrast: Some(Contrast {
            of: failed.check.id.clone(),
            varies,
        }),
        ask: Ask::Climb(climb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Expect;
    use crate::model::failure::Failure;
    use crate::model::observation::{Operation, Step};
    use crate::plan::reach;

    const SUBJECT: Subject = Subject {
        id: "target",
        role: Role::Target,
        round: Round::Reach,
    };

    fn note(seen: &mut Seen, check: &Check, operation: Operation, failure: Option<Failure>) {
        let step = Step {
            operation,
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
            check: check.clone(),
            steps: vec![step],
            not_run: None,
        };
        seen.note(observation, true);
    }

    fn controls() -> Controls {
        let addresses = ["198.51.100.1:443", "198.51.100.2:443", "198.51.100.3:443"];
        let addresses: Vec<SocketAddr> = addresses.map(|it| it.parse().unwrap()).to_vec();
        Controls {
            tls: addresses.clone(),
            http: addresses.clone(),
            quic: addresses.clone(),
            stun: addresses,
        }
    }

    /// What is asked, round after round, where the first trial is silent, its repetitions end so and all else passes.
    fn asked(
        protocol: Protocol,
        operation: Operation,
        again: Option<&Failure>,
    ) -> Vec<Vec<Variation>> {
        let endpoint = Endpoint {
            id: format!("{}://web.example:443", protocol.word()),
            host: Some("web.example".to_owned()),
            addresses: Vec::new(),
            port: 443,
            protocol,
            server_name: None,
            path: "/".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        };
        let first = reach::climb(SUBJECT, &endpoint, "192.0.2.1".parse().unwrap(), 1);
        let mut seen = Seen::default();
        note(&mut seen, &first, operation, Some(Failure::GenericTimeout));
        let controls = controls();
        let mut rounds = Vec::new();
        loop {
            let mut checks = handshake::checks(&controls.tls, SUBJECT, &seen);
            checks.extend(quic::checks(&controls.quic, SUBJECT, &seen));
            checks.extend(exchange::checks(&controls, SUBJECT, &seen));
            checks.retain(|check| !seen.is_complete(&check.id));
            if checks.is_empty() {
                return rounds;
            }
            let varies = |check: &Check| check.contrast.as_ref().unwrap().varies;
            for check in &checks {
                let is_again = varies(check) == Variation::Nothing;
                let failure = again.filter(|_| is_again).cloned();
                note(&mut seen, check, operation, failure);
            }
            rounds.push(checks.iter().map(varies).collect());
        }
    }

    #[test]
    fn what_works_when_it_is_repeated_is_contrasted_no_further() {
        for (protocol, operation) in [
            (Protocol::Tls, Operation::TlsHandshake),
            (Protocol::Quic, Operation::QuicHandshake),
            (Protocol::MtprotoAbridged, Operation::Exchange),
            (Protocol::Stun, Operation::Exchange),
        ] {
            let has_again = |round: &Vec<Variation>| round.contains(&Variation::Nothing);
            let silent = asked(protocol, operation, Some(&Failure::GenericTimeout));
            let working = asked(protocol, operation, None);
            let first = silent.iter().position(has_again).unwrap();
            assert_eq!(working[..], silent[..=first], "{}", protocol.word());
            assert!(silent.len() > working.len(), "{}", protocol.word());
        }
    }
}
