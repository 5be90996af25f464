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
