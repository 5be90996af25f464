//! Everything that was asked about one host name, read the same way by the plan and by the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::catalog::{Catalog, Resolver, ResolverRole};
use crate::model::check::{Ask, RecordType, Role};
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation};

/// One answer (or failure) about the name.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Who was asked; `None` is the system's own view (`getaddrinfo`).
    pub resolver: Option<&'a Resolver>,
    /// Which records; `None` for the system's own view, which asks for both families.
    pub record: Option<RecordType>,
    /// What came back.
    pub observation: &'a Observation,
}

impl<'a> Answer<'a> {
    /// The facts of the resolve step, if it was reached.
    pub fn dns(&self) -> Option<&'a DnsFacts> {
        self.observation
            .step(Operation::Resolve)
            .and_then(|step| step.dns.as_deref())
    }

    /// The addresses of the accepted reply, bogons left out.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let Some(facts) = self.dns() else {
            return Vec::new();
        };
        let Some(reply) = facts.accepted() else {
            return Vec::new();
        };
        reply
            .addresses()
            .into_iter()
            .filter(|address| !facts.bogons.iter().any(|bogon| bogon == address))
            .filter_map(|address| address.parse().ok())
            .collect()
    }

    /// Whether it is part of the ordinary path: what applications here would get.
    pub fn is_system(&self) -> bool {
        self.resolver
            .is_none_or(|resolver| resolver.role == ResolverRole::System)
    }

    /// Whether it is the system's own view and says nothing: no answer came, or none that the C library passes on.
    pub fn is_silent_view(&self) -> bool {
        let is_silent = |failure: &Failure| {
            matches!(
                failure,
                Failure::GenericTimeout | Failure::DnsTemporaryFailure
            )
        };
        self.resolver.is_none() && self.observation.failure().is_some_and(is_silent)
    }

    /// Whether it may serve as contrast: a public resolver.
    pub fn is_public(&self) -> bool {
        self.resolver
            .is_some_and(|resolver| resolver.role == ResolverRole::Public)
    }

    /// Whether the transport is protected by a certificate.
    pub fn is_authenticated(&self) -> bool {
        self.resolver
            .is_some_and(|resolver| resolver.transport.is_authenticated())
    }
}

/// What the ordinary path says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordinary {
    /// Nothing has come back yet.
    Waiting,
    /// Addresses, in the order given, bogons left out.
    Addresses(Vec<IpAddr>),
    /// Why there are none.
    Failed(Failure),
    /// The ordinary path was not measured (interrupted).
    NotMeasured,
}

/// Everything that was asked about one name.
#[derive(Clone, Debug)]
pub struct Resolution<'a> {
    /// The name.
    pub name: &'a str,
    /// All answers, in the order of the checks.
    pub answers: Vec<Answer<'a>>,
}

impl<'a> Resolution<'a> {
    /// Gathers what was asked about `name`.
    pub fn of(
        catalog: &'a Catalog,
        name: &'a str,
        observations: impl Iterator<Item = &'a Observation>,
    ) -> Self {
        let answers = observations
            .filter_map(|it| answer(catalog, it))
            .filter(|(asked, _)| *asked == name)
            .map(|(_, answer)| answer)
            .collect();
        Self { name, answers }
    }

    /// The same of many names, in one pass over the observations.
    pub fn of_all(
        catalog: &'a Catalog,
        names: impl Iterator<Item = &'a str>,
        observations: &'a [Observation],
    ) -> BTreeMap<&'a str, Self> {
        let empty = |name| {
            (
                name,
                Self {
                    name,
                    answers: Vec::new(),
                },
            )
        };
        let mut resolutions: BTreeMap<&str, Self> = names.map(empty).collect();
        for (name, answer) in observations.iter().filter_map(|it| answer(catalog, it)) {
            if let Some(resolution) = resolutions.get_mut(name) {
                resolution.answers.push(answer);
            }
        }
        resolutions
    }

    /// Answers of the ordinary path, first trials only: the system's own view where it says something, else its resolvers.
    /// The C library waits five seconds before it asks again, so one lost datagram keeps it silent for as long as we
    /// listen; its resolver, asked directly and more often, then speaks for it.
    fn ordinary_answers(&self) -> Vec<&Answer<'a>> {
        let first = |answer: &&Answer| answer.is_system() && answer.observation.check.trial == 1;
        let lookups: Vec<_> = self
            .answers
            .iter()
            .filter(first)
            .filter(|answer| answer.resolver.is_none())
            .collect();
        let asked_directly: Vec<_> = self
            .answers
            .iter()
            .filter(first)
            .filter(|answer| answer.resolver.is_some())
            .collect();
        let is_silent = lookups.iter().all(|lookup| lookup.is_silent_view());
        if !is_silent || asked_directly.is_empty() {
            return lookups;
        }
        let is_empty = |answer: &&Answer| answer.addresses().is_empty();
        if asked_directly.iter().all(is_empty) {
            // Loss and rate limits pass: whoever answers when asked again does answer.
            let again = self.answers.iter().filter(|answer| {
                answer.is_system()
                    && answer.resolver.is_some()
                    && answer.observation.check.trial > 1
                    && answer.observation.failure().is_none()
            });
            return asked_directly.into_iter().chain(again).collect();
        }
        asked_directly
    }

    /// What the ordinary path says. `asked` is how many answers are due before a failure is final.
    pub fn ordinary(&self, due: usize) -> Ordinary {
        let answers = self.ordinary_answers();
        let mut seen = BTreeSet::new();
        let addresses: Vec<IpAddr> = answers
            .iter()
            .flat_map(|answer| answer.addresses())
            .filter(|address| seen.insert(*address))
            .collect();
        if !addresses.is_empty() {
            return Ordinary::Addresses(addresses);
        }
        if answers.len() < due {
            return Ordinary::Waiting;
        }
        // An A record's failure says more than that of AAAA, which many honest hosts do not have.
        let failure = answers
            .iter()
            .filter(|answer| answer.record != Some(RecordType::Aaaa))
            .chain(answers.iter())
            .find_map(|answer| answer.observation.failure());
        match failure {
            Some(failure) => Ordinary::Failed(failure.clone()),
            None => Ordinary::NotMeasured,
        }
    }

    /// Addresses told by public resolvers, those of authenticated transports first, each once.
    pub fn contrast_addresses(&self) -> Vec<IpAddr> {
        let mut seen = BTreeSet::new();
        let mut authenticated: Vec<_> = self.answers.iter().filter(|a| a.is_public()).collect();
        authenticated.sort_by_key(|answer| !answer.is_authenticated());
        authenticated
            .iter()
            .flat_map(|answer| answer.addresses())
            .filter(|address| seen.insert(*address))
            .collect()
    }
}

/// The name that was asked about, and the answer; `None` where this was no such question.
fn answer<'a>(catalog: &'a Catalog, observation: &'a Observation) -> Option<(&'a str, Answer<'a>)> {
    if !matches!(observation.check.role, Role::Target | Role::Control) {
        return None;
    }
    match &observation.check.ask {
        Ask::Lookup { name } => {
            let answer = Answer {
                resolver: None,
                record: None,
                observation,
            };
            Some((name, answer))
        }
        Ask::Query {
            resolver,
            name,
            record,
            chaos: false,
        } => {
            let mut known = catalog.resolvers.iter();
            let answer = Answer {
                resolver: Some(known.find(|known| known.id == *resolver)?),
                record: Some(*record),
                observation,
            };
            Some((name, answer))
        }
        _ => None,
    }
}
