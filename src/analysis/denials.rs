//! What a resolver does to everybody's names. One that knows a few names only, or of which a part is broken, denies those of
//! controls too, and what it says of a target's is then no sign that anybody looks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::everybody::Share;
use crate::analysis::evidence::{Evidence, is_interrupted};
use crate::model::check::{Ask, RecordType, Role};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::resolution::Answer;

/// What is more likely than this comes by chance: that so many of a target's names meet it, and so few of the controls'.
const CHANCE: f64 = 0.01;
/// Control names that have to meet it before chance is asked: one may be gone, or filtered itself.
const NAMES: usize = 2;

/// What was said of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    failure: Option<Failure>,
    addresses: BTreeSet<String>,
}

impl Said {
    fn by(observation: &Observation) -> Option<Self> {
        if observation.is_not_run() || is_interrupted(observation) {
            return None;
        }
        let step = observation.step(Operation::Resolve)?;
        let facts = step.dns.as_deref();
        Some(Self {
            failure: observation.failure().cloned(),
            addresses: facts.map_or_else(BTreeSet::new, |it| it.addresses().into_iter().collect()),
        })
    }

    /// Whether the other name met the same: the failure, or the very addresses.
    fn is_like(&self, other: &Self) -> bool {
        self.failure == other.failure
            && (self.failure.is_some() || self.addresses == other.addresses)
    }
}

/// What was said of control names, by the resolver's id; `None` is the system's own view.
#[derive(Clone, Debug, Default)]
pub struct Denials(BTreeMap<Option<String>, BTreeMap<String, Vec<Said>>>);

impl Denials {
    /// Counts what the ground's observations show.
    pub fn of(observations: &[Observation]) -> Self {
        let mut all = Self::default();
        for observation in observations {
            let (resolver, name) = match &observation.check.ask {
                Ask::Lookup { name } => (None, name),
                Ask::Query {
                    resolver,
                    name,
                    record: RecordType::A,
                    ..
                } => (Some(resolver.clone()), name),
                _ => continue,
            };
            if let Some(said) = Said::by(observation)
                && observation.check.role == Role::Control
            {
                let names = all.0.entry(resolver).or_default();
                names.entry(name.clone()).or_default().push(said);
            }
        }
        all
    }
}

/// Whose names meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The target's, as far as controls tell.
    Targets,
    /// A control's too, which may be by chance: a doubt.
    Doubtful(String),
    /// Anybody's, and why that is thought.
    Anybodys(String),
}

/// Whose names a resolver of the ordinary path answers as it answers for this host.
pub fn whose(evidence: &Evidence, host: &str, answer: &Answer) -> Whose {
    let id = answer.resolver.map(|resolver| resolver.id.clone());
    let (Some(said), Some(names)) = (
        Said::by(answer.observation),
        evidence.ground.denials.0.get(&id),
    ) else {
        return Whose::Targets;
    };
    let domains: BTreeSet<Vec<&str>> = evidence.hosts().map(|host| ending(host, 2)).collect();
    // Names of the target's own operator are no strangers.
    let strangers: Vec<(&str, bool)> = names
        .iter()
        .filter(|(name, _)| !domains.contains(&ending(name, 2)))
        .map(|(name, all)| (name.as_str(), all.iter().all(|it| it.is_like(&said))))
        .collect();
    let controls = Share::of(strangers.iter().map(|(_, met)| *met));
    if controls.met == 0 {
        return Whose::Targets;
    }
    let told = format!(
        "The resolver answers for {} of {} control names as it does for this one",
        controls.met, controls.of
    );
    let top = ending(host, 1);
    let beside = strangers.iter().filter(|(name, _)| ending(name, 1) == top);
    let beside = Share::of(beside.map(|(_, met)| *met));
    let is_of_the_top = beside.of > 0 && beside.met == beside.of;
    if controls.is_everybodys() || is_of_the_top && beside.met >= NAMES {
        return Whose::Anybodys(told);
    }
    let own = Share::of(own(evidence, answer).iter().map(|it| it.is_like(&said)));
    let may_be_chance = controls.chance_of(own) >= CHANCE;
    match controls.met {
        NAMES.. if may_be_chance => Whose::Anybodys(told),
        _ if may_be_chance || is_of_the_top => Whose::Doubtful(format!(
            "{told}: a fault of the resolver would look the same"
        )),
        _ => Whose::Targets,
    }
}

/// What the same resolver said of the target's names when it was first asked.
fn own(evidence: &Evidence, answer: &Answer) -> Vec<Said> {
    let id = |answer: &Answer| answer.resolver.map(|resolver| resolver.id.clone());
    let resolutions = evidence
        .hosts()
        .filter_map(|host| evidence.resolution(host));
    let answers = resolutions.flat_map(|it| &it.answers).filter(|it| {
        it.is_system()
            && it.record != Some(RecordType::Aaaa)
            && it.observation.check.trial == 1
            && id(it) == id(answer)
    });
    answers
        .filter_map(|answer| Said::by(answer.observation))
        .collect()
}

/// So many labels from the end of a name, the last first.
pub fn ending(name: &str, labels: usize) -> Vec<&str> {
    name.rsplit('.').take(labels).collect()
}
