//! What the resolvers themselves show: who answers at their addresses, and whether they can be used.

pub mod interference;

use std::collections::BTreeMap;

use crate::analysis::everybody::Everybody;
use crate::analysis::ground::usable;
use crate::model::catalog::{Catalog, Resolver, ResolverRole, Transport};
use crate::model::check::{Ask, Role};
use crate::model::observation::{Observation, Operation};
use crate::model::report::{Confidence, ResolverReport, TechniqueReport};
use crate::model::technique::{Interference, Technique, Trigger};

/// Why a resolver's address is thought to be answered by somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hijack {
    confidence: Confidence,
    evidence: Vec<String>,
    doubt: Option<String>,
    seen: String,
}

/// Answers from where no resolver is, needed to call it confirmed.
const TRIALS: usize = 3;

/// Public resolvers (by id) whose address is answered by somebody else.
///
/// What it infers: `resolver/hijacked_resolver`.
/// Evidence: an address where no resolver is answers a control name; or a resolver names itself differently over plain
/// DNS than over its protected transport, and as the system's own resolver does.
/// What else could explain it: a company's or hotel's network that redirects DNS for everybody (told as doubt).
/// References: facts on DNS hijacking; OONI does not detect it (probe#1521).
pub fn hijacked(catalog: &Catalog, observations: &[Observation]) -> BTreeMap<String, Hijack> {
    let decoy: Vec<&Observation> = observations
        .iter()
        .filter(|observation| observation.check.role == Role::Control)
        .filter(|observation| {
            resolver_of(catalog, observation)
                .is_some_and(|resolver| resolver.role == ResolverRole::Decoy)
        })
        .filter(|observation| was_answered(observation))
        .collect();
    catalog
        .resolvers
        .iter()
        .filter(|resolver| {
            resolver.role == ResolverRole::Public && resolver.transport == Transport::Udp
        })
        .filter_map(|resolver| {
            hijack(catalog, resolver, &decoy, observations)
                .map(|hijack| (resolver.id.clone(), hijack))
        })
        .collect()
}

fn hijack(
    catalog: &Catalog,
    resolver: &Resolver,
    decoy: &[&Observation],
    observations: &[Observation],
) -> Option<Hijack> {
    let answered: Vec<&Observation> = observations
        .iter()
        .filter(|observation| is_query_to(observation, &resolver.id) && was_answered(observation))
        .collect();
    let first = answered.first()?;
    let own = identities(observations, |id| id == resolver.id);
    let protected = identities(observations, |id| {
        catalog.resolvers.iter().any(|other| {
            other.id == id
                && other.operator == resolver.operator
                && other.transport.is_authenticated()
        })
    });
    let names_itself_rightly = own
        .iter()
        .any(|(name, text)| protected.get(name) == Some(text));
    if names_itself_rightly {
        return None;
    }
    if !decoy.is_empty()
        && decoy
            .iter()
            .any(|observation| same_family(observation, resolver, catalog))
    {
        let mut evidence: Vec<String> = decoy.iter().take(TRIALS).map(|o| o.id.clone()).collect();
        evidence.push(first.id.clone());
        return Some(Hijack {
            confidence: if decoy.len() >= TRIALS {
                Confidence::Confirmed
            } else {
                Confidence::Likely
            },
            evidence,
            doubt: Some(
                "The owner is not known: a company's, hotel's or home router that redirects all DNS looks the same"
                    .to_owned(),
            ),
            seen: format!(
                "An address without a resolver answered {} of its queries, so a middlebox on the path answers plain DNS; {} answered too",
                decoy.len(),
                resolver.name
            ),
        });
    }
    let system = identities(observations, |id| {
        catalog.resolvers.iter().any(|other| {
            other.id == id
                && other.role == ResolverRole::System
                && other.address.ip() != resolver.address.ip()
        })
    });
    let as_system = own.iter().find(|(name, text)| {
        system.get(*name) == Some(*text) && protected.get(*name).is_some_and(|right| right != *text)
    })?;
    Some(Hijack {
        confidence: Confidence::Likely,
        evidence: vec![first.id.clone()],
        doubt: Some(
            "The evidence is how the resolvers identify themselves, which a forwarder may pass on"
                .to_owned(),
        ),
        seen: format!(
            "Over plain DNS {} identifies itself as the system's resolver does ({}); over its encrypted transport it does not",
            resolver.name, as_system.1
        ),
    })
}

/// One report entry for each resolver that was asked.
pub fn report(
    catalog: &Catalog,
    observations: &[Observation],
    hijacked: &BTreeMap<String, Hijack>,
    families: &[String],
    everybody: &Everybody,
) -> Vec<ResolverReport> {
    catalog
        .resolvers
        .iter()
        .filter(|resolver| resolver.role != ResolverRole::Decoy)
        .filter(|resolver| {
            observations.iter().any(|observation| {
                is_query_to(observation, &resolver.id) && !observation.is_not_run()
            })
        })
        .map(|resolver| {
            let answers = observations.iter().any(|observation| {
                observation.check.role == Role::Control
                    && is_query_to(observation, &resolver.id)
                    && observation.is_success()
            });
            let hijack = hijacked.get(&resolver.id);
            let techniques: Vec<TechniqueReport> = hijack
                .map(technique)
                .or_else(|| {
                    // Where IPv6 itself does not work, its silence is nobody's doing.
                    let word = if resolver.address.is_ipv4() {
                        "ipv4"
                    } else {
                        "ipv6"
                    };
                    let works = families.iter().any(|family| family == word);
                    works
                        .then(|| {
                            interference::infer(
                                catalog,
                                resolver,
                                everybody,
                                hijacked,
                                observations,
                            )
                        })
                        .flatten()
                })
                .into_iter()
                .collect();
            ResolverReport {
                name: resolver.name.clone(),
                transport: resolver.transport,
                address: told(resolver),
                status: usable(answers, !techniques.is_empty()),
                techniques,
            }
        })
        .collect()
}

/// Where it was asked. One of the vantage's own addresses was made the unspecified one before anything was judged.
fn told(resolver: &Resolver) -> String {
    if resolver.address.ip().is_unspecified() {
        format!("[scrubbed]:{}", resolver.address.port())
    } else {
        resolver.address.to_string()
    }
}

fn technique(hijack: &Hijack) -> TechniqueReport {
    let technique = Technique::new(Trigger::Resolver, Interference::HijackedResolver);
    TechniqueReport {
        id: technique.id(),
        trigger: technique.trigger,
        interference: technique.interference,
        confidence: hijack.confidence,
        services: Vec::new(),
        endpoints: Vec::new(),
        evidence: hijack.evidence.clone(),
        doubt: hijack.doubt.clone(),
        seen: hijack.seen.clone(),
    }
}

/// What resolvers said of themselves, by the name that was asked.
fn identities(observations: &[Observation], of: impl Fn(&str) -> bool) -> BTreeMap<&str, String> {
    observations
        .iter()
        .filter(|observation| observation.check.role == Role::Identity)
        .filter_map(|observation| {
            let Ask::Query { resolver, name, .. } = &observation.check.ask else {
                return None;
            };
            if !of(resolver) {
                return None;
            }
            let facts = observation.step(Operation::Resolve)?.dns.as_deref()?;
            let answer = facts
                .accepted()?
                .answers
                .iter()
                .find(|answer| answer.record == "TXT")?;
            Some((name.as_str(), answer.value.clone()))
        })
        .collect()
}

fn resolver_of<'a>(catalog: &'a Catalog, observation: &Observation) -> Option<&'a Resolver> {
    let Ask::Query { resolver, .. } = &observation.check.ask else {
        return None;
    };
    catalog.resolvers.iter().find(|known| &known.id == resolver)
}

fn is_query_to(observation: &Observation, id: &str) -> bool {
    matches!(&observation.check.ask, Ask::Query { resolver, .. } if resolver == id)
}

fn was_answered(observation: &Observation) -> bool {
    observation
        .step(Operation::Resolve)
        .and_then(|step| step.dns.as_deref())
        .is_some_and(|facts| facts.accepted().is_some())
}

fn same_family(observation: &Observation, resolver: &Resolver, catalog: &Catalog) -> bool {
    resolver_of(catalog, observation)
        .is_some_and(|decoy| decoy.address.is_ipv4() == resolver.address.is_ipv4())
}
