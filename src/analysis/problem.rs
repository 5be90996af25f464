//! What is wrong with this network or this machine, and what to do about it: one or two sentences, shown before everything else.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::ground::Ground;
use crate::analysis::states::State;
use crate::model::catalog::{Control, Protocol};
use crate::model::failure::Failure;
use crate::model::observation::{CertificateFacts, Observation, Operation};
use crate::model::report::Regime;

/// What the ground's observations show besides the regime and the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// One issuer made certificates for several controls: the issuer.
    pub issuer: Option<String>,
    /// Checks of the ground failed because this machine had no open files left.
    pub is_out_of_files: bool,
    /// No control was measured.
    pub is_unknown: bool,
}

impl Signs {
    /// Reads the signs from what was measured of the controls.
    pub fn of(states: &[(&Control, State)], observations: &[Observation]) -> Self {
        Self {
            issuer: issuer(states, observations),
            is_out_of_files: observations.iter().any(is_out_of_files),
            is_unknown: states.iter().all(|(_, state)| *state == State::NotMeasured),
        }
    }
}

/// The problem of this vantage; `None` where there is none.
pub fn of(ground: &Ground) -> Option<String> {
    let signs = &ground.signs;
    if signs.is_out_of_files {
        return Some(OUT_OF_FILES.to_owned());
    }
    match (ground.regime, &signs.issuer) {
        (Regime::Open, _) if ground.clock_error_s != 0 => Some(clock(ground.clock_error_s)),
        (Regime::Open, _) if signs.is_unknown => Some(UNKNOWN.to_owned()),
        (Regime::Open, _) => None,
        (Regime::CaptivePortal, Some(issuer)) => Some(opened(issuer)),
        (Regime::CaptivePortal, None) => Some(PORTAL.to_owned()),
        (Regime::AllowList, _) => Some(ALLOW_LIST.to_owned()),
        (Regime::DomesticOnly, _) => Some(DOMESTIC_ONLY.to_owned()),
        (Regime::Offline, _) => Some(OFFLINE.to_owned()),
    }
}

const OUT_OF_FILES: &str = "This machine ran out of open files, so checks are missing. Raise the limit (`ulimit -n 4096`) and run again.";
const UNKNOWN: &str =
    "No control server was reached, so the state of this network is not known. Run again.";
const PORTAL: &str = "A captive portal answers in place of the control servers. Log in to this network and run again.";
const ALLOW_LIST: &str = "This network reaches only a list of allowed destinations, so no target can be judged. Run again from another network.";
const DOMESTIC_ONLY: &str = "This network reaches nothing outside the country, so no target can be judged. Run again when foreign servers are reachable.";
const OFFLINE: &str = "Offline: even the control servers cannot be reached, so nothing can be concluded. Check the network and run again.";

fn opened(issuer: &str) -> String {
    format!(
        "A program on this machine or this network's proxy opens TLS connections (certificates by {issuer}), so no target can be \
         judged. Turn it off or run again from another network."
    )
}

fn clock(ahead_s: i64) -> String {
    let side = if ahead_s > 0 { "ahead" } else { "behind" };
    format!(
        "This machine's clock is {} {side} (certificates look expired or not yet valid). Set the clock and run again.",
        span(ahead_s.unsigned_abs())
    )
}

/// `365 days`, in the largest unit of which there are at least two.
fn span(seconds: u64) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3_600),
        _ => format!("{} minutes", seconds / 60),
    }
}

/// The one issuer of certificates that were made for two controls or more. A portal answers in clear too, or has one certificate
/// for every name.
fn issuer(states: &[(&Control, State)], observations: &[Observation]) -> Option<String> {
    let is_taken_over = |(control, state): &(&Control, State)| {
        control.endpoint.protocol == Protocol::Http && *state == State::SomebodyElse
    };
    if states.iter().any(is_taken_over) {
        return None;
    }
    let mut hosts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (control, _) in states {
        let Some(host) = control.endpoint.host.as_deref() else {
            continue;
        };
        let own = observations
            .iter()
            .filter(|it| it.check.endpoints.contains(&control.endpoint.id));
        for leaf in own.filter_map(stranger).filter(|it| is_for(it, host)) {
            hosts.entry(&leaf.issuer).or_default().insert(host);
        }
    }
    let (issuer, hosts) = hosts.into_iter().max_by_key(|(_, hosts)| hosts.len())?;
    (hosts.len() >= 2).then(|| common_name(issuer))
}

/// The leaf of a chain that no known root stands for.
fn stranger(observation: &Observation) -> Option<&CertificateFacts> {
    let step = observation.step(Operation::TlsHandshake)?;
    (step.failure == Some(Failure::SslUnknownAuthority))
        .then(|| step.tls.as_deref()?.chain.first())
        .flatten()
}

fn is_for(leaf: &CertificateFacts, host: &str) -> bool {
    leaf.names.iter().any(|name| {
        name.eq_ignore_ascii_case(host)
            || name
                .strip_prefix("*.")
                .zip(host.split_once('.'))
                .is_some_and(|(parent, (_, rest))| parent.eq_ignore_ascii_case(rest))
    })
}

/// Characters of an issuer that a sentence can bear.
const LONGEST: usize = 80;

/// `CN=...` of an issuer, or all of it where it has none.
fn common_name(issuer: &str) -> String {
    let mut parts = issuer.split(", ");
    let name = parts.find(|it| it.starts_with("CN=")).unwrap_or(issuer);
    name.chars().take(LONGEST).collect()
}

fn is_out_of_files(observation: &Observation) -> bool {
    let is_it = |words: &str| words.contains("open files");
    let not_run = observation.not_run.as_deref();
    let failed = observation.steps.last().and_then(|it| it.failure.as_ref());
    not_run.is_some_and(is_it) || matches!(failed, Some(Failure::Unknown(words)) if is_it(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_with_its_direction_and_in_a_unit_that_a_person_can_read() {
        assert!(clock(365 * 86_400).contains("clock is 365 days ahead ("));
        assert!(clock(-3 * 3_600).contains("clock is 3 hours behind ("));
        assert!(clock(7 * 60).contains("clock is 7 minutes ahead ("));
    }

    #[test]
    fn an_issuer_is_shown_by_its_common_name() {
        assert_eq!(
            common_name("O=Acme, CN=Acme Filter, C=DE"),
            "CN=Acme Filter"
        );
        assert_eq!(common_name("O=Acme"), "O=Acme");
        assert_eq!(common_name(&"x".repeat(500)).len(), LONGEST);
    }
}
