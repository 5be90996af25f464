//! Round 4: what failed, again, with one thing changed. On an open line it is empty.

pub mod address;
pub mod handshake;
pub mod hops;
pub mod names;

use std::net::SocketAddr;

use crate::model::catalog::{Catalog, Endpoint, Protocol};
use crate::model::check::{Ask, Check, Climb, Contrast, Hello, Role, Round, Variation};
use crate::model::line::Line;
use crate::model::observation::Observation;
use crate::plan::Seen;
use crate::plan::resolve::Subject;

/// Everything the contrast round calls for, given what was seen so far. `controls` are addresses of controls that
/// speak TLS, once the ground is done and the line is open.
pub fn checks<'a, I: Iterator<Item = &'a Endpoint>>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Fn() -> I,
    seen: &Seen,
    controls: Option<&[SocketAddr]>,
) -> Vec<Check> {
    let mut checks = names::checks(catalog, line, subject, endpoints(), seen);
    // Before the ground is done nobody knows which controls can serve.
    if let Some(controls) = controls {
        checks.extend(handshake::checks(controls, subject, seen));
        checks.extend(address::checks(controls, subject, endpoints(), seen));
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
        hello: Hello::Plain,
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
