//! What state the whole line is in, by what its controls showed together.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::replies;
use crate::analysis::states::{State, answers_stay_out, is_heard_only};
use crate::model::catalog::{Catalog, Control, Protocol, Region, Transport};
use crate::model::check::Ask;
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation};
use crate::model::report::Regime;
use crate::model::resolution::Resolution;

/// State of the whole line, by what its controls showed.
pub fn of(catalog: &Catalog, states: &[(&Control, State)], observations: &[Observation]) -> Regime {
    // What is spoken over UDP is shut on many honest networks: it is there for contrast and says nothing of the line.
    let is_halted = answers_stay_out(states, observations);
    let states: Vec<(&Control, State)> = states
        .iter()
        .copied()
        .filter(|(control, _)| !control.endpoint.protocol.is_udp())
        .filter(|(control, _)| !is_halted || !is_heard_only(control, observations))
        .collect();
    let operators = |wanted: State, region: Option<Region>| -> BTreeSet<&str> {
        states
            .iter()
            .filter(|(control, state)| {
                *state == wanted && region.is_none_or(|region| control.region == region)
            })
            .map(|(control, _)| control.operator.as_str())
            .collect()
    };
    let of_web = |wanted: State, protocol: Option<Protocol>| -> BTreeSet<&str> {
        states
            .iter()
            .filter(|(control, state)| {
                let spoken = control.endpoint.protocol;
                *state == wanted
                    && spoken != Protocol::Tcp
                    && protocol.is_none_or(|it| it == spoken)
            })
            .map(|(control, _)| control.operator.as_str())
            .collect()
    };
    // In clear somebody else answers for everybody: a portal, whether or not it lets TLS through. More impostors than
    // honest controls: a portal with a walled garden.
    let in_clear = of_web(State::SomebodyElse, Some(Protocol::Http));
    let taken_over = in_clear.len() >= 3 && of_web(State::Works, Some(Protocol::Http)).is_empty();
    let talking = of_web(State::Works, None);
    let impostors = of_web(State::SomebodyElse, None).len();
    let portal = if talking.is_empty() {
        impostors >= 2 || one_address_for_everybody(catalog, observations)
    } else {
        impostors >= 3 && impostors > talking.len()
    };
    if taken_over || portal {
        return Regime::CaptivePortal;
    }
    // A foreign resolver that proved itself by TLS is as good a sign of the world outside as a control.
    if foreign_resolver_answers(catalog, observations) {
        return Regime::Open;
    }
    if operators(State::Works, None).is_empty() {
        // Cut short before any control could answer: a line of which nothing failed is not known to be offline.
        let untold = states.iter().all(|(_, state)| *state == State::NotMeasured);
        let failed = observations.iter().any(|observation| {
            observation
                .failure()
                .is_some_and(|failure| *failure != Failure::Interrupted)
        });
        let resolves = !replies::answering(observations).is_empty();
        return if untold && (resolves || !failed) {
            Regime::Open
        } else {
            Regime::Offline
        };
    }
    let silent: BTreeSet<&str> = operators(State::Silent, None)
        .difference(&talking)
        .copied()
        .collect();
    let foreign_silent = operators(State::Silent, Some(Region::Foreign)).len();
    let foreign_talks = states.iter().any(|(control, state)| {
        *state == State::Works
            && control.region == Region::Foreign
            && control.endpoint.protocol != Protocol::Tcp
    });
    let domestic_works = operators(State::Works, Some(Region::Domestic)).len();
    let foreign_connects = catalog
        .controls
        .iter()
        .filter(|control| control.region == Region::Foreign)
        .any(|control| {
            observations.iter().any(|observation| {
                observation.check.endpoints.contains(&control.endpoint.id)
                    && observation.reached(Operation::TcpConnect)
            })
        });
    let border = !foreign_talks && foreign_silent >= 3 && domestic_works >= 2;
    let most_are_silent = silent.len() >= 3 && silent.len() > talking.len();
    match (border, most_are_silent) {
        (true, _) if !foreign_connects => Regime::DomesticOnly,
        (true, _) | (false, true) => Regime::AllowList,
        (false, false) => Regime::Open,
    }
}

/// Whether a resolver outside the country answered over HTTPS, on the port that the controls use: lists of what may pass
/// look at that one and often leave others alone.
fn foreign_resolver_answers(catalog: &Catalog, observations: &[Observation]) -> bool {
    observations.iter().any(|observation| {
        let Ask::Query { resolver, .. } = &observation.check.ask else {
            return false;
        };
        observation.is_success()
            && catalog.resolvers.iter().any(|known| {
                known.id == *resolver
                    && known.region == Region::Foreign
                    && known.transport == Transport::Doh
            })
    })
}

/// Whether the ordinary path gives the controls of several operators one and the same address: a portal by DNS.
fn one_address_for_everybody(catalog: &Catalog, observations: &[Observation]) -> bool {
    let mut by_address: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for control in &catalog.controls {
        let Some(host) = control.endpoint.host.as_deref() else {
            continue;
        };
        let resolution = Resolution::of(catalog, host, observations.iter());
        for answer in resolution
            .answers
            .iter()
            .filter(|answer| answer.is_system())
        {
            for address in answer.dns().map(DnsFacts::addresses).unwrap_or_default() {
                by_address
                    .entry(address)
                    .or_default()
                    .insert(&control.operator);
            }
        }
    }
    by_address.values().any(|operators| operators.len() >= 3)
}
