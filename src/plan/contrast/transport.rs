//! Contrasts of resolvers whose transport failed: the same again, and, where the handshake failed, the cells around its name.

use std::net::SocketAddr;

use crate::model::catalog::{Catalog, Protocol, Resolver, ResolverRole};
use crate::model::check::{Check, Climb, Hello, Payload, RecordType, Role, Round, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::handshake::{handshake, neutral_name};
use crate::plan::contrast::{Controls, changed};
use crate::plan::ground::{SUBJECT, control_host};
use crate::plan::resolve::{self, Subject};

/// Trials of what failed in all, and of each contrast.
const TRIALS: u32 = 3;
/// Resolvers that are contrasted at most: on a line that lets nothing of a kind pass, more say the same.
const RESOLVERS: usize = 12;

/// Everything that is called for; nothing where every resolver answers, or none.
pub fn checks(catalog: &Catalog, controls: &Controls, seen: &Seen) -> Vec<Check> {
    let Some(host) = control_host(catalog) else {
        return Vec::new();
    };
    let subject = Subject {
        round: Round::Contrast,
        ..SUBJECT
    };
    let publics = catalog
        .resolvers
        .iter()
        .filter(|resolver| resolver.role == ResolverRole::Public);
    publics
        .filter_map(|resolver| Some((resolver, failed(resolver, host, seen)?)))
        .take(RESOLVERS)
        .flat_map(|(resolver, failed)| contrasts(subject, resolver, host, failed, controls, seen))
        .collect()
}

/// The first question about a control name, if it failed on the wire.
fn failed<'a>(resolver: &Resolver, host: &str, seen: &'a Seen) -> Option<&'a Observation> {
    let id = resolve::query(SUBJECT, resolver, host, RecordType::A, 1).id;
    let observation = seen.complete(&id)?;
    let failure = observation.failure()?;
    let is_on_the_wire = matches!(
        failure,
        Failure::GenericTimeout
            | Failure::TimedOut
            | Failure::ConnectionRefused
            | Failure::ConnectionReset
            | Failure::HostUnreachable
            | Failure::Eof
            | Failure::SslFailedHandshake
            | Failure::SslInvalidHostname
            | Failure::SslUnknownAuthority
    );
    is_on_the_wire.then_some(observation)
}

fn contrasts(
    subject: Subject,
    resolver: &Resolver,
    host: &str,
    failed: &Observation,
    controls: &Controls,
    seen: &Seen,
) -> Vec<Check> {
    let again =
        |climb: &Climb, trial| changed(subject, failed, Variation::Nothing, trial, climb.clone());
    match failed.steps.last().map(|step| step.operation) {
        Some(Operation::TcpConnect) => {
            let climb = climb(resolver, Protocol::Tcp);
            (2..=TRIALS).map(|trial| again(&climb, trial)).collect()
        }
        Some(Operation::TlsHandshake) => {
            let climb = climb(resolver, Protocol::Tls);
            cells(subject, &climb, failed, &controls.tls, seen)
        }
        Some(Operation::Resolve) => (2..=TRIALS)
            .map(|trial| resolve::query(subject, resolver, host, RecordType::A, trial))
            .map(|check| Check {
                role: Role::Control,
                ..check
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A connection like the one that the question was asked on.
fn climb(resolver: &Resolver, protocol: Protocol) -> Climb {
    use crate::model::catalog::Transport::{Doh, Dot};
    let alpn: &[&str] = match resolver.transport {
        Dot => &["dot"],
        Doh => &["h2", "http/1.1"],
        _ => &[],
    };
    Climb {
        address: resolver.address,
        protocol,
        host: None,
        server_name: resolver
            .server_name
            .clone()
            .filter(|_| protocol == Protocol::Tls),
        alpn: alpn.iter().map(|it| (*it).to_owned()).collect(),
        path: "/".to_owned(),
        look_for: None,
        private_root: None,
        noise_root: None,
        hello: Hello::Plain,
        payload: Payload::Own,
        hops: None,
    }
}

fn cells(
    subject: Subject,
    climb: &Climb,
    failed: &Observation,
    controls: &[SocketAddr],
    seen: &Seen,
) -> Vec<Check> {
    let Some(name) = climb.server_name.as_deref() else {
        return Vec::new();
    };
    let neutral = neutral_name(name);
    let mut checks = Vec::new();
    for trial in 1..=TRIALS {
        let cell = |varies, climb| changed(subject, failed, varies, trial, climb);
        let here = handshake(climb, climb.address, &neutral);
        checks.push(cell(Variation::ServerName, here));
        let turn = (trial as usize - 1) % controls.len().max(1);
        let control = controls
            .get(turn)
            .filter(|control| control.is_ipv4() == climb.address.is_ipv4());
        if let Some(control) = control {
            let both = cell(Variation::Both, handshake(climb, *control, &neutral));
            if seen.is_complete(&both.id) {
                let named = handshake(climb, *control, name);
                checks.push(cell(Variation::Address, named));
            }
            checks.push(both);
        }
        let split = Climb {
            hello: Hello::Split,
            ..climb.clone()
        };
        checks.push(cell(Variation::Split, split));
        if trial > 1 {
            checks.push(cell(Variation::Nothing, climb.clone()));
        }
    }
    checks
}
