//! Contrasts of resolvers whose transport failed: the same again, and, where the handshake failed, the cells around its name.

use std::net::SocketAddr;

use crate::model::catalog::{Catalog, Protocol, Resolver, ResolverRole};
use crate::model::check::{
    Check, Climb, Contrast, Hello, Payload, RecordType, Role, Round, Variation,
};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::handshake::{at_controls, handshake, neutral_name};
use crate::plan::contrast::{Controls, TRIALS, changed};
use crate::plan::ground::{SUBJECT, control_host};
use crate::plan::resolve::{self, Subject};

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
        .flat_map(|(resolver, failed)| {
            let elsewhere = answering(catalog, resolver, host, seen);
            contrasts(subject, resolver, host, failed, (controls, elsewhere), seen)
        })
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

/// Another operator's resolver that answered by the same transport; where none of the public ones did, the system's own.
fn answering<'a>(
    catalog: &'a Catalog,
    failed: &Resolver,
    host: &str,
    seen: &Seen,
) -> Option<&'a Resolver> {
    let answered = |role| {
        let mut others = catalog.resolvers.iter().filter(move |other| {
            other.role == role
                && other.transport == failed.transport
                && other.operator != failed.operator
                && other.address.is_ipv4() == failed.address.is_ipv4()
        });
        others.find(|other| {
            let id = resolve::query(SUBJECT, other, host, RecordType::A, 1).id;
            seen.complete(&id).is_some_and(Observation::is_success)
        })
    };
    answered(ResolverRole::Public).or_else(|| answered(ResolverRole::System))
}

/// The failing question again, one after the other, each beside a control: an outage that lasts a moment must not fill all
/// trials. Where the handshake failed, the cells hold their own controls.
fn contrasts(
    subject: Subject,
    resolver: &Resolver,
    host: &str,
    failed: &Observation,
    (controls, elsewhere): (&Controls, Option<&Resolver>),
    seen: &Seen,
) -> Vec<Check> {
    let again =
        |climb: &Climb, trial| changed(subject, failed, Variation::Nothing, trial, climb.clone());
    match failed.steps.last().map(|step| step.operation) {
        Some(Operation::TcpConnect) => {
            let connection = climb(resolver, Protocol::Tcp);
            let beside = |trial: u32| {
                let control = controls
                    .tls
                    .get(trial as usize % controls.tls.len().max(1))?;
                let there = Climb {
                    address: *control,
                    ..connection.clone()
                };
                Some(changed(subject, failed, Variation::Address, trial, there))
            };
            in_turn(seen, |trial| again(&connection, trial), beside)
        }
        Some(Operation::TlsHandshake) => {
            let climb = climb(resolver, Protocol::Tls);
            cells(subject, &climb, failed, &controls.tls, seen)
        }
        Some(Operation::Resolve) => {
            let question = |resolver: &Resolver, trial| Check {
                role: Role::Control,
                ..resolve::query(subject, resolver, host, RecordType::A, trial)
            };
            let beside = |trial: u32| {
                let check = question(elsewhere?, trial);
                Some(Check {
                    id: format!("{}/beside#{trial}", failed.check.id),
                    contrast: Some(Contrast {
                        of: failed.check.id.clone(),
                        varies: Variation::Address,
                    }),
                    ..check
                })
            };
            in_turn(seen, |trial| question(resolver, trial), beside)
        }
        _ => Vec::new(),
    }
}

/// Each trial once the one before it is complete, with its control.
fn in_turn(
    seen: &Seen,
    again: impl Fn(u32) -> Check,
    beside: impl Fn(u32) -> Option<Check>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for trial in 2..=TRIALS {
        if trial > 2 && !seen.is_complete(&again(trial - 1).id) {
            break;
        }
        checks.push(again(trial));
        checks.extend(beside(trial));
    }
    checks
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
        custom: None,
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
        let split = Climb {
            hello: Hello::Split,
            ..climb.clone()
        };
        checks.push(cell(Variation::Split, split));
        if trial > 1 {
            checks.push(cell(Variation::Nothing, climb.clone()));
        }
    }
    let is_ipv4 = climb.address.is_ipv4();
    let family = controls
        .iter()
        .copied()
        .filter(|it| it.is_ipv4() == is_ipv4);
    let family: Vec<SocketAddr> = family.collect();
    checks.extend(at_controls(&family, subject, seen, 0, climb, name, failed));
    checks
}
