//! What was seen becomes the next round of checks. Pure: no sockets, no clock.
//!
//! Every function returns *all* the checks its round calls for, given what was seen so far; ids are stable, so the
//! session starts those it has not started yet. Rounds overlap: an endpoint is climbed as soon as its own name has an
//! answer.

pub mod contrast;
pub mod ground;
pub mod outline;
pub mod reach;
pub mod resolve;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::check::Ask;
use crate::model::observation::Observation;

/// What was seen so far on behalf of one subject, by check id.
#[derive(Debug, Default)]
pub struct Seen {
    sightings: BTreeMap<String, Sighting>,
    /// Ids of the checks that were about a host: the plan asks for them again and again.
    about: BTreeMap<String, BTreeSet<String>>,
}

/// One observation, perhaps still being completed (a DNS window that is listened out).
#[derive(Debug)]
struct Sighting {
    observation: Observation,
    complete: bool,
}

impl Seen {
    /// Notes an observation; a complete one replaces the first answer that went before it.
    pub fn note(&mut self, observation: Observation, complete: bool) {
        let host = match &observation.check.ask {
            Ask::Lookup { name } | Ask::Query { name, .. } => Some(name),
            Ask::Climb(climb) => climb.host.as_ref(),
        };
        if let Some(host) = host {
            let ids = self.about.entry(host.clone()).or_default();
            ids.insert(observation.check.id.clone());
        }
        self.sightings.insert(
            observation.check.id.clone(),
            Sighting {
                observation,
                complete,
            },
        );
    }

    /// Everything seen, complete or not.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.sightings
            .values()
            .map(|sighting| &sighting.observation)
    }

    /// Everything seen of questions for that host and of its climbs, complete or not.
    pub fn about(&self, host: &str) -> impl Iterator<Item = &Observation> {
        let ids = self.about.get(host).into_iter().flatten();
        ids.filter_map(|id| self.sightings.get(id))
            .map(|sighting| &sighting.observation)
    }

    /// Whether the observation of that check is complete.
    pub fn is_complete(&self, check: &str) -> bool {
        self.sightings
            .get(check)
            .is_some_and(|sighting| sighting.complete)
    }

    /// The observation of that check, once it is complete.
    pub fn complete(&self, check: &str) -> Option<&Observation> {
        let sighting = self.sightings.get(check).filter(|it| it.complete)?;
        Some(&sighting.observation)
    }

    /// A copy of everything seen, in the order of the observations' ids.
    pub fn to_observations(&self) -> Vec<Observation> {
        let mut observations: Vec<_> = self.observations().cloned().collect();
        observations.sort_by_key(|observation| number(&observation.id));
        observations
    }

    /// Gives up everything seen, in the order of the observations' ids.
    pub fn into_observations(self) -> Vec<Observation> {
        let mut observations: Vec<_> = self
            .sightings
            .into_values()
            .map(|sighting| sighting.observation)
            .collect();
        observations.sort_by_key(|observation| number(&observation.id));
        observations
    }
}

/// The number in `o17`.
fn number(id: &str) -> u64 {
    id.trim_start_matches('o').parse().unwrap_or(u64::MAX)
}

/// Whether the plan should still hope for the ordinary path's answer before it goes on with a resolver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It may still come soon.
    Waiting,
    /// It has taken far longer than an answer takes.
    Overdue,
}
