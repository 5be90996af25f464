//! The cells around requests in clear that failed, or were answered oddly: {the target's Host, an innocuous one of the same
//! length} at {the target's address, controls' addresses}, and its Host in two writes.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::catalog::{BlockPage, Endpoint, Protocol};
use crate::model::check::{Check, Climb, Hello, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::alternation::alternate;
use crate::plan::contrast::handshake::neutral_name;
use crate::plan::contrast::{TRIALS, changed, reached};
use crate::plan::resolve::Subject;

/// Hosts of one target that are contrasted; the others share their fate.
const HOSTS: usize = 8;

/// The cells that are called for.
pub fn checks<'a>(
    controls: &[SocketAddr],
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
    pages: &[BlockPage],
    seen: &Seen,
) -> Vec<Check> {
    let in_clear: Vec<&Endpoint> = endpoints
        .filter(|endpoint| endpoint.protocol == Protocol::Http)
        .collect();
    let mut checks = Vec::new();
    let mut hosts = BTreeSet::new();
    for (climb, failed) in reached(seen) {
        let Some(host) = climb.host.as_deref() else {
            continue;
        };
        let asked = in_clear
            .iter()
            .find(|endpoint| failed.check.endpoints.contains(&endpoint.id));
        let Some(endpoint) = asked.filter(|_| climb.protocol == Protocol::Http) else {
            continue;
        };
        let is_wanted = is_failed(failed) || is_odd(failed, endpoint, pages);
        if is_wanted && hosts.len() < HOSTS && hosts.insert(host) {
            checks.extend(cells(controls, subject, seen, climb, host, failed));
        }
    }
    checks
}

/// A request that ended without an answer.
fn is_failed(observation: &Observation) -> bool {
    observation.steps.last().is_some_and(|step| {
        step.operation == Operation::HttpRoundTrip
            && matches!(
                step.failure,
                Some(
                    Failure::GenericTimeout
                        | Failure::TimedOut
                        | Failure::ConnectionReset
                        | Failure::Eof
                )
            )
    })
}

fn is_odd(observation: &Observation, endpoint: &Endpoint, pages: &[BlockPage]) -> bool {
    observation
        .step(Operation::HttpRoundTrip)
        .and_then(|step| step.http.as_deref())
        .is_some_and(|http| endpoint.is_odd(http, pages))
}

fn cells(
    controls: &[SocketAddr],
    subject: Subject,
    seen: &Seen,
    climb: &Climb,
    host: &str,
    failed: &Observation,
) -> Vec<Check> {
    let neutral = neutral_name(host);
    let request = |address, host: &str| Climb {
        address,
        host: Some(host.to_owned()),
        ..climb.clone()
    };
    let controls: Vec<SocketAddr> = controls
        .iter()
        .copied()
        .filter(|control| control.is_ipv4() == climb.address.is_ipv4())
        .collect();
    let mut checks = Vec::new();
    for trial in 1..=TRIALS {
        let cell = |varies, climb| changed(subject, failed, varies, trial, climb);
        checks.push(cell(Variation::Host, request(climb.address, &neutral)));
        let split = Climb {
            hello: Hello::Split,
            ..climb.clone()
        };
        checks.push(cell(Variation::Split, split));
        if trial > 1 {
            checks.push(cell(Variation::Nothing, climb.clone()));
        }
    }
    // The censor is shown the Host there only after the innocuous one had its answer, and beside another.
    let there = |varies, trial: u32, host: &str| -> Vec<Check> {
        let control = controls.get((trial as usize - 1) % controls.len().max(1));
        let climb = control.map(|control| request(*control, host));
        let check = climb.map(|climb| changed(subject, failed, varies, trial, climb));
        check.into_iter().collect()
    };
    checks.extend(alternate(
        seen,
        TRIALS + 1,
        |trial| there(Variation::Both, trial, &neutral),
        |trial| there(Variation::Address, trial, host),
    ));
    checks
}
