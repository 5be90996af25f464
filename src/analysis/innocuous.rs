//! Innocuous handshakes at controls, which no censor has a reason to touch: what becomes of them is chance, or happens to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::analysis::everybody::Share;
use crate::analysis::evidence::is_interrupted;
use crate::analysis::matrix::{Manner, TRIALS};
use crate::model::check::{Ask, Variation};
use crate::model::observation::{Observation, Operation, Step};
use crate::model::technique::Interference;

/// What chance may have done: boxes and servers that fail at some handshakes, whatever the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// Nothing.
    Certain,
    /// It is left as a doubt.
    Left(&'static str),
    /// All of it.
    Enough,
}

/// Of more failures than these, and of a tenth of all, it is chance which ones fail. One may be lost.
const STRAYS: usize = 2;
const STRAYS_OF: usize = 10;

/// What became of innocuous handshakes.
#[derive(Clone, Debug, Default)]
pub struct Innocuous {
    /// Those of which nothing that a censor remembers can have come.
    of: usize,
    /// Of these, by how they failed.
    met: BTreeMap<Interference, usize>,
    /// How others failed.
    later: BTreeSet<Interference>,
}

impl Innocuous {
    /// Counts those among the observations of one target, or of the ground.
    pub fn of(observations: &[Observation]) -> Self {
        // When a name that a censor may know was first shown at a control: one that was answered there he does not know.
        let mut shown: BTreeMap<SocketAddr, f64> = BTreeMap::new();
        for (address, named, step) in at_controls(observations, Variation::Address) {
            if !is_answered(named) {
                let first = shown.entry(address).or_insert(f64::INFINITY);
                *first = first.min(step.t0);
            }
        }
        let due = due(observations);
        let mut counted = Self::default();
        for (address, innocuous, step) in at_controls(observations, Variation::Both) {
            let shown = shown.get(&address).copied().unwrap_or(f64::INFINITY);
            let manner = Manner::of(innocuous);
            // What was still under way then may have been hit by what the censor remembers; an answer that was due by then was not.
            let is_before =
                step.t < shown || (manner == Some(Manner::Silence) && step.t0 + due < shown);
            counted.of += usize::from(is_before);
            if let Some(how) = manner.map(Manner::interference) {
                if is_before {
                    *counted.met.entry(how).or_default() += 1;
                } else {
                    counted.later.insert(how);
                }
            }
        }
        counted
    }

    /// The same where little shows that it is no chance: what is met by many controls, and by an innocuous name, be it after a name was
    /// shown that a censor may know, is chance then.
    pub fn chance_of_little(&self, everybody: Share, manner: Manner) -> Chance {
        let has_met = self.later.contains(&manner.interference());
        match self.chance(everybody, manner) {
            Chance::Certain if everybody.is_everybodys() && has_met => Chance::Enough,
            chance => chance,
        }
    }

    /// Whether any met it, be it after a name was shown that a censor may know.
    pub fn has_met(&self, how: Interference) -> bool {
        self.later.contains(&how) || self.met.contains_key(&how)
    }

    /// What is met at random by everybody is met by a target too. Where many controls met it with their own names, these may be
    /// filtered as well: then the innocuous names must have passed, all of them.
    pub fn chance(&self, everybody: Share, manner: Manner) -> Chance {
        // These are answers, and a control's server gives them to names that it does not know.
        if manner.may_be_genuine() {
            return Chance::Certain;
        }
        let met = self.met.get(&manner.interference());
        match met.copied().unwrap_or(0) {
            met if everybody.is_everybodys() && (met > 0 || self.of < TRIALS) => Chance::Enough,
            0 => Chance::Certain,
            met @ STRAYS.. if met * STRAYS_OF >= self.of => Chance::Enough,
            _ => {
                Chance::Left("An innocuous name met the same at a control: chance is not excluded")
            }
        }
    }
}

/// Twice as long as any of those took that were answered, seconds; nothing is due where none was.
fn due(observations: &[Observation]) -> f64 {
    at_controls(observations, Variation::Both)
        .filter(|(_, it, _)| is_answered(it))
        .map(|(.., step)| 2.0 * (step.t - step.t0))
        .reduce(f64::max)
        .unwrap_or(f64::INFINITY)
}

/// Another name's certificate is an answer too.
fn is_answered(observation: &Observation) -> bool {
    Manner::of(observation).is_none_or(Manner::may_be_genuine)
}

/// Handshakes at controls in which that was changed.
fn at_controls(
    observations: &[Observation],
    varies: Variation,
) -> impl Iterator<Item = (SocketAddr, &Observation, &Step)> {
    let contrasts = observations.iter().filter(move |it| {
        let contrast = it.check.contrast.as_ref();
        contrast.is_some_and(|it| it.varies == varies) && !is_interrupted(it)
    });
    contrasts.filter_map(|it| match &it.check.ask {
        Ask::Climb(climb) => Some((climb.address, it, it.step(Operation::TlsHandshake)?)),
        _ => None,
    })
}
