//! The cells around handshakes that failed: {the target's name, an innocuous name of the same length} at {the target's address,
//! controls' addresses}, its name in two writes, and in a ClientHello of another shape. Equal lengths make equal ClientHellos,
//! so that size explains nothing.
//!
//! Where the address cannot be reached at all, the name is still tried at the controls: censors stack layers.
//! The target's own combination is repeated; each control address hears few names, and hears the innocuous one before,
//! so that what a censor remembers of one trial does not poison the next.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Hello, Variation, parent_of};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::alternation::alternate;
use crate::plan::contrast::{TRIALS, changed, has_recovered, reached};
use crate::plan::resolve::Subject;

/// Names that are contrasted of those which share a domain and a failure: the others share their fate.
const NAMES_OF_A_DOMAIN: usize = 2;
/// Names of one target that are contrasted at most.
const NAMES: usize = 16;

/// The cells that are called for.
pub fn checks(controls: &[SocketAddr], subject: Subject, seen: &Seen) -> Vec<Check> {
    bases(seen)
        .into_iter()
        .enumerate()
        .flat_map(|(position, base)| cells(controls, subject, seen, position, &base))
        .collect()
}

/// A failed check whose server name is contrasted.
struct Base<'a> {
    climb: &'a Climb,
    failed: &'a Observation,
    name: &'a str,
    /// Its address was reached, so that contrasts can be made there too.
    stood: bool,
}

/// Representatives of everything that failed.
fn bases(seen: &Seen) -> Vec<Base<'_>> {
    let mut groups: BTreeMap<(&str, bool, String), Vec<&str>> = BTreeMap::new();
    let mut bases = Vec::new();
    for (climb, failed) in reached(seen) {
        let (Some(name), Some(stood)) = (climb.server_name.as_deref(), failure_of(failed)) else {
            continue;
        };
        let word = failed.failure().map(|failure| failure.word().into_owned());
        // Where no address was reached, how does not matter: its name is all that is asked about.
        let word = if stood { word } else { None };
        let group = groups
            .entry((parent_of(name), stood, word.unwrap_or_default()))
            .or_default();
        if group.contains(&name) || group.len() == NAMES_OF_A_DOMAIN || bases.len() == NAMES {
            continue;
        }
        group.push(name);
        bases.push(Base {
            climb,
            failed,
            name,
            stood,
        });
    }
    bases
}

/// Whether the check failed in the handshake (otherwise than with an expired certificate, which is the server's own fault),
/// or never stood (`Some(false)`) although TLS was due.
fn failure_of(observation: &Observation) -> Option<bool> {
    let step = observation.steps.last()?;
    let failure = step.failure.as_ref()?;
    match step.operation {
        Operation::TlsHandshake => (!matches!(
            failure,
            Failure::SslInvalidCertificate | Failure::Interrupted
        ))
        .then_some(true),
        Operation::TcpConnect => matches!(
            failure,
            Failure::GenericTimeout
                | Failure::TimedOut
                | Failure::ConnectionRefused
                | Failure::ConnectionReset
                | Failure::HostUnreachable
        )
        .then_some(false),
        _ => None,
    }
}

/// The controls of the address's own family; of the other where there are none.
fn beside(controls: &[SocketAddr], address: SocketAddr) -> Vec<SocketAddr> {
    let (own, others): (Vec<SocketAddr>, Vec<SocketAddr>) = controls
        .iter()
        .partition(|control| control.is_ipv4() == address.is_ipv4());
    if own.is_empty() { others } else { own }
}

fn cells(
    controls: &[SocketAddr],
    subject: Subject,
    seen: &Seen,
    position: usize,
    base: &Base,
) -> Vec<Check> {
    let Base { climb, failed, .. } = base;
    if has_recovered(subject, climb, failed, seen) {
        return Vec::new();
    }
    let neutral = neutral_name(base.name);
    let controls = beside(controls, climb.address);
    let cell = |varies, trial, climb| changed(subject, failed, varies, trial, climb);
    let mut checks = Vec::new();
    if base.stood {
        for trial in 1..=TRIALS {
            // Interleaved, the harmless cell first: what a censor remembers then poisons the target's cell, not the contrast.
            let innocuous = handshake(climb, climb.address, &neutral);
            checks.push(cell(Variation::ServerName, trial, innocuous));
            let shaped = |hello| Climb {
                hello,
                ..handshake(climb, climb.address, base.name)
            };
            checks.push(cell(Variation::Split, trial, shaped(Hello::Split)));
            checks.push(cell(Variation::Shape, trial, shaped(Hello::Large)));
            if trial > 1 {
                checks.push(cell(Variation::Nothing, trial, (*climb).clone()));
            }
        }
    }
    checks.extend(at_controls(
        &controls, subject, seen, position, climb, base.name, failed,
    ));
    checks
}

/// The cells at controls' addresses. The censor is shown the name there only after the innocuous one had its answer, and beside
/// another: a line that is cut for a moment then silences both.
pub fn at_controls(
    controls: &[SocketAddr],
    subject: Subject,
    seen: &Seen,
    position: usize,
    climb: &Climb,
    name: &str,
    failed: &Observation,
) -> Vec<Check> {
    let neutral = neutral_name(name);
    let there = |varies, trial: u32, name: &str| -> Vec<Check> {
        let turn = position + trial as usize - 1;
        let control = controls.get(turn % controls.len().max(1));
        let climb = control.map(|control| handshake(climb, *control, name));
        let check = climb.map(|climb| changed(subject, failed, varies, trial, climb));
        check.into_iter().collect()
    };
    alternate(
        seen,
        TRIALS + 1,
        |trial| there(Variation::Both, trial, &neutral),
        |trial| there(Variation::Address, trial, name),
    )
}

/// The failed climb's own ClientHello, with that name at that address, and no step above it.
pub fn handshake(climb: &Climb, address: SocketAddr, server_name: &str) -> Climb {
    Climb {
        address,
        protocol: Protocol::Tls,
        host: None,
        server_name: Some(server_name.to_owned()),
        alpn: offered(climb),
        path: "/".to_owned(),
        look_for: None,
        noise_root: None,
        custom: None,
        ..climb.clone()
    }
}

/// What HTTP offers although the definitions do not say so: without it the ClientHello would be another one.
fn offered(climb: &Climb) -> Vec<String> {
    match (climb.alpn.as_slice(), climb.protocol) {
        ([], Protocol::Https) => ["h2", "http/1.1"].map(str::to_owned).to_vec(),
        (offered, _) => offered.to_vec(),
    }
}

/// An innocuous name of the same length and shape: under `example.com` where there is room, filler letters otherwise.
pub fn neutral_name(name: &str) -> String {
    const SUFFIX: &str = ".example.com";
    if name.len() > SUFFIX.len() && name.len() - SUFFIX.len() <= 63 {
        return "n".repeat(name.len() - SUFFIX.len()) + SUFFIX;
    }
    name.chars()
        .map(|character| if character == '.' { '.' } else { 'n' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innocuous_name_is_as_long_as_the_targets() {
        for name in [
            "t.me",
            "web.whatsapp.com",
            "v.whatsapp.net",
            &format!("{}.example.org", "a".repeat(63)),
        ] {
            let neutral = neutral_name(name);
            assert_eq!(neutral.len(), name.len());
            assert_ne!(neutral, name);
            assert!(
                neutral
                    .split('.')
                    .all(|label| (1..=63).contains(&label.len())),
                "{neutral}"
            );
        }
    }

    #[test]
    fn controls_of_the_own_family_come_first_and_any_are_better_than_none() {
        let v4: SocketAddr = "198.41.0.5:443".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::5]:443".parse().unwrap();
        assert_eq!(beside(&[v4, v6], v6), [v6]);
        assert_eq!(beside(&[v4, v6], v4), [v4]);
        assert_eq!(beside(&[v4], v6), [v4]);
    }
}
