//! The evidence of a technique: which of its attempts failed as the target's own did, and which got an answer.

use std::collections::HashSet;

use crate::model::failure::Failure;
use crate::model::report::TechniqueReport;
use crate::model::technique::{Interference, Trigger};
use crate::output::human::facts::{Asked, Fact, Facts, Index, Shape};

/// In place of a resolver's id, where this machine's own lookup was asked.
pub const OWN_LOOKUP: &str = "";

/// What is known of a run besides its verdicts.
pub struct Known<'a> {
    facts: &'a Facts,
    /// The targets' own attempts.
    pub index: Index<'a>,
}

impl<'a> Known<'a> {
    /// Of these facts.
    pub fn of(facts: &'a Facts) -> Self {
        Self {
            facts,
            index: facts.index(),
        }
    }

    /// The evidence of a technique, each with its mark.
    pub fn evidence(&self, technique: &TechniqueReport) -> Evidence<'a> {
        Evidence::of(self.facts.cited(&technique.evidence), technique)
    }
}

/// How an attempt ended, compared with the target's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// In the same way as the target's own.
    Failed,
    /// With an answer.
    Passed,
    /// Otherwise.
    Other,
}

impl Mark {
    /// One column wide.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Failed => "✗",
            Self::Passed => "✓",
            Self::Other => "?",
        }
    }

    /// As a label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Passed => "passed",
            Self::Other => "other",
        }
    }
}

/// What a technique cites.
pub struct Evidence<'a> {
    /// In its own order.
    pub cited: Vec<&'a Fact>,
    /// Ways in which the target's own attempts ended.
    shapes: Vec<&'a Shape>,
    /// Resolvers that are at fault, for techniques of DNS.
    pub resolvers: HashSet<&'a str>,
    trigger: Trigger,
    interference: Interference,
}

impl<'a> Evidence<'a> {
    fn of(cited: Vec<&'a Fact>, technique: &TechniqueReport) -> Self {
        let mut evidence = Self {
            shapes: Vec::new(),
            resolvers: HashSet::new(),
            trigger: technique.trigger,
            interference: technique.interference,
            cited,
        };
        let Some(lead) = evidence.lead() else {
            return evidence;
        };
        let asked = resolver(lead);
        for fact in evidence.cited.iter().filter(|fact| fact.is_own()) {
            let is_its_resolver = asked.is_some() && resolver(fact) == asked;
            if resolver(fact).is_some() != asked.is_some()
                || !(is_its_resolver || fact.shape.failure.is_some() || fact.shape == lead.shape)
            {
                continue;
            }
            evidence.resolvers.extend(resolver(fact));
            if !evidence.shapes.contains(&&fact.shape) {
                evidence.shapes.push(&fact.shape);
            }
        }
        evidence
    }

    /// What the censor looks at.
    pub const fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The attempt that shows the technique: one that failed, or where the censor answers, the first.
    pub fn lead(&self) -> Option<&'a Fact> {
        let mut own = self.cited.iter().filter(|fact| fact.is_own());
        let failed = own.find(|fact| fact.shape.failure.is_some());
        failed.or(self.cited.first()).copied()
    }

    /// Whether it ended as the target's own attempts did. Silence of an address is one, whatever was sent to it.
    pub fn is_same(&self, fact: &Fact) -> bool {
        let is_like = |shape: &&Shape| {
            **shape == fact.shape
                || (self.is_of_addresses()
                    && shape.failure.is_some()
                    && shape.failure == fact.shape.failure)
        };
        self.shapes.iter().any(is_like)
    }

    const fn is_of_addresses(&self) -> bool {
        matches!(self.trigger, Trigger::Address | Trigger::AddressPort)
    }

    /// How a cited attempt ended.
    pub fn mark(&self, fact: &Fact) -> Mark {
        let failed = match resolver(fact) {
            Some(resolver) => fact.is_own() && self.resolvers.contains(&resolver),
            None => self.is_same(fact) && self.resolvers.is_empty(),
        };
        // A refusal is an answer where the others are silent.
        let is_refused = self.is_of_addresses()
            && self.interference == Interference::Drop
            && fact.shape.failure == Some(Failure::ConnectionRefused);
        match (failed, fact.is_answered || is_refused) {
            (true, _) => Mark::Failed,
            (false, true) => Mark::Passed,
            (false, false) => Mark::Other,
        }
    }
}

/// The resolver that was asked for a name.
pub fn resolver(fact: &Fact) -> Option<&str> {
    match &fact.asked {
        Asked::Name { resolver, .. } => Some(resolver.as_deref().unwrap_or(OWN_LOOKUP)),
        Asked::Place(_) => None,
    }
}
