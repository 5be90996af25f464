//! The 2x2 of server name and address, for handshakes that failed: {the target's name, an innocuous name of the same length}
//! at {the target's address, controls' addresses}. Equal lengths make equal ClientHellos, so that size explains nothing.
//!
//! The target's own combination is repeated; each control address hears the target's name once, so that what a censor
//! remembers of one trial does not poison the next.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::catalog::Protocol;
use crate::model::check::{Check, Climb, Hello, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::{changed, reached};
use crate::plan::resolve::Subject;

/// Trials of the failing combination in all, and of each contrast.
const TRIALS: u32 = 3;
/// Names of one target that are contrasted; the others share their fate.
const NAMES: usize = 24;

/// The cells that are called for.
pub fn checks(controls: &[SocketAddr], subject: Subject, seen: &Seen) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (climb, failed) in reached(seen) {
        let Some(name) = climb.server_name.as_deref() else {
            continue;
        };
        if !failed_in_handshake(failed) || names.contains(name) || names.len() == NAMES {
            continue;
        }
        names.insert(name);
        checks.extend(cells(controls, subject, climb, name, failed));
    }
    checks
}

/// A handshake that ended otherwise than with the server's own certificate. An expired certificate is the server's
/// own fault, and no contrast says more of it.
fn failed_in_handshake(observation: &Observation) -> bool {
    observation.steps.last().is_some_and(|step| {
        step.operation == Operation::TlsHandshake
            && step.failure.as_ref().is_some_and(|failure| {
                !matches!(
                    failure,
                    Failure::SslInvalidCertificate | Failure::Interrupted
                )
            })
    })
}

fn cells(
    controls: &[SocketAddr],
    subject: Subject,
    climb: &Climb,
    name: &str,
    failed: &Observation,
) -> Vec<Check> {
    let neutral = neutral_name(name);
    let handshake = |address, server_name: &str| Climb {
        address,
        protocol: Protocol::Tls,
        host: None,
        server_name: Some(server_name.to_owned()),
        alpn: climb.alpn.clone(),
        path: "/".to_owned(),
        look_for: None,
        private_root: climb.private_root.clone(),
        noise_root: None,
        hello: Hello::Plain,
        hops: None,
    };
    let mut checks = Vec::new();
    for trial in 1..=TRIALS {
        // Interleaved, the harmless cell first: what a censor remembers then poisons the target's cell, not the contrast.
        checks.push(changed(
            subject,
            failed,
            Variation::ServerName,
            trial,
            handshake(climb.address, &neutral),
        ));
        // Each trial at another control, as far as there are enough of them.
        let control = controls
            .get((trial as usize - 1) % controls.len().max(1))
            .filter(|control| control.is_ipv4() == climb.address.is_ipv4());
        if let Some(control) = control {
            checks.push(changed(
                subject,
                failed,
                Variation::Both,
                trial,
                handshake(*control, &neutral),
            ));
            checks.push(changed(
                subject,
                failed,
                Variation::Address,
                trial,
                handshake(*control, name),
            ));
        }
        if trial > 1 {
            checks.push(changed(
                subject,
                failed,
                Variation::Nothing,
                trial,
                climb.clone(),
            ));
        }
    }
    checks
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
}
