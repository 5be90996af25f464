//! Addresses where no resolver is: what answers there was made on the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::evidence::{Evidence, is_answer_amid};
use crate::model::catalog::{Catalog, ResolverRole, Transport};
use crate::model::check::{Ask, Role};
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation};
use crate::model::resolution::Answer;

/// What came from where no resolver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trials {
    /// Questions about the target's names that were answered.
    pub answered: usize,
    /// Control names that were left silent while one of these was answered.
    pub beside: usize,
}

/// By its id: how long a decoy was silent for control names at least, seconds. Those that every control name left silent, while an
/// answer of somebody else came over UDP.
pub fn silences(catalog: &Catalog, observations: &[Observation]) -> BTreeMap<String, f64> {
    let asked = |observation: &Observation| {
        let Ask::Query { resolver, .. } = &observation.check.ask else {
            return None;
        };
        let known = catalog.resolvers.iter().find(|it| it.id == *resolver)?;
        (known.transport == Transport::Udp && !observation.is_not_run()).then_some(known)
    };
    let others: Vec<&Observation> = observations
        .iter()
        .filter(|it| asked(it).is_some_and(|known| known.role != ResolverRole::Decoy))
        .filter(|it| it.is_success())
        .collect();
    let mut silent: BTreeMap<String, f64> = BTreeMap::new();
    let mut doubtful = BTreeSet::new();
    for observation in observations {
        let decoy = asked(observation).filter(|known| known.role == ResolverRole::Decoy);
        let step = observation.step(Operation::Resolve);
        let (Some(decoy), Some(step)) = (decoy, step) else {
            continue;
        };
        let is_silent = step.failure == Some(Failure::GenericTimeout);
        if !is_silent
            || !others
                .iter()
                .any(|other| is_answer_amid(other, observation))
        {
            doubtful.insert(decoy.id.clone());
        }
        let least = silent.entry(decoy.id.clone()).or_insert(f64::INFINITY);
        *least = least.min(step.t - step.t0);
    }
    silent.retain(|id, _| !doubtful.contains(id));
    silent
}

/// What a decoy said about a host: `Some` only where the decoy stays silent for controls, so that the answer was
/// made on the path because of the name.
pub fn answer<'a>(evidence: &Evidence<'a>, host: &str) -> Option<Answer<'a>> {
    let resolution = evidence.resolution(host)?;
    resolution
        .answers
        .iter()
        .copied()
        .filter(|answer| {
            answer
                .resolver
                .is_some_and(|resolver| resolver.role == ResolverRole::Decoy)
        })
        .find(|answer| {
            answer.dns().is_some_and(|facts| facts.accepted().is_some())
                && !evidence.answers_controls(answer.resolver)
                && (is_sooner_than_silence(evidence, answer) || trials(evidence).beside > 0)
        })
}

/// How a decoy answered the target's names, and control names asked beside them.
pub fn trials(evidence: &Evidence) -> Trials {
    let of_decoy = |role: Role| {
        evidence.observations.iter().filter(move |observation| {
            observation.check.role == role
                && matches!(&observation.check.ask, Ask::Query { resolver, .. } if is_decoy(evidence.catalog, resolver))
        })
    };
    let is_answered = |observation: &&Observation| {
        let step = observation.step(Operation::Resolve);
        step.and_then(|step| step.dns.as_deref())
            .is_some_and(|facts| facts.accepted().is_some())
    };
    let answered: Vec<&Observation> = of_decoy(Role::Target).filter(is_answered).collect();
    let silent = of_decoy(Role::Control).filter(|control| {
        control.failure() == Some(&Failure::GenericTimeout)
            && answered
                .iter()
                .any(|answer| is_answer_amid(answer, control))
    });
    Trials {
        beside: silent.count(),
        answered: answered.len(),
    }
}

fn is_decoy(catalog: &Catalog, resolver: &str) -> bool {
    let mut resolvers = catalog.resolvers.iter();
    resolvers.any(|it| it.id == resolver && it.role == ResolverRole::Decoy)
}

/// Whether a decoy answered within the time for which control names were waited for: what comes later may be a slow line's answer,
/// whatever is asked.
fn is_sooner_than_silence(evidence: &Evidence, answer: &Answer) -> bool {
    let resolver = answer.resolver.map(|it| it.id.as_str());
    let silence = resolver.and_then(|it| evidence.ground.silence_of_decoy(it));
    let asked = answer.observation.step(Operation::Resolve);
    let heard = answer.dns().and_then(DnsFacts::accepted);
    silence
        .zip(asked.zip(heard))
        .is_some_and(|(silence, (asked, heard))| heard.t - asked.t0 <= silence)
}
