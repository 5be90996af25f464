//! A technique in a line or two: what was seen, how often, and what passed where one thing was changed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::model::check::Variation;
use crate::model::observation::Operation;
use crate::model::plain;
use crate::model::report::{EndpointReport, EndpointStatus, TechniqueReport, Verdict};
use crate::model::technique::{Interference, Trigger};
use crate::output::human::evidence::{Evidence, Known, Mark, OWN_LOOKUP, resolver};
use crate::output::human::facts::{Asked, Fact};
use crate::output::human::fold::parts;

/// What was seen, with its counts, and the contrast; nothing in it is escaped.
pub fn sentence(
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
) -> String {
    let evidence = known.evidence(technique);
    let mut text = plain::reported(technique).into_owned();
    if let Some(counts) = counts(technique, verdict, known, &evidence) {
        let _ = write!(text, " ({counts})");
    }
    text.push('.');
    for clause in contrast(technique, verdict, &evidence) {
        text.push(' ');
        text.push_str(&clause);
        text.push('.');
    }
    text
}

fn counts(
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
    evidence: &Evidence<'_>,
) -> Option<String> {
    let Some(first) = evidence.lead() else {
        let endpoints = technique.endpoints.len();
        return (endpoints > 0).then(|| many(endpoints, "endpoint"));
    };
    let tally = match &first.asked {
        Asked::Name { .. } => of_names(technique, verdict, known, evidence),
        Asked::Place(_) => of_places(technique, verdict, known, evidence, first.shape.last),
    };
    if tally.attempts == 0 {
        return None;
    }
    let noun = match (first.shape.last, technique.trigger) {
        (Some(Operation::Resolve), _) => "quer",
        (Some(Operation::TlsHandshake | Operation::QuicHandshake), _) => "handshake",
        (Some(Operation::HttpRoundTrip), _) => "request",
        _ => "attempt",
    };
    let noun = match (noun, tally.attempts) {
        ("quer", 1) => "query".to_owned(),
        ("quer", _) => "queries".to_owned(),
        (noun, 1) => noun.to_owned(),
        (noun, _) => format!("{noun}s"),
    };
    // A false answer beside an empty one is no attempt that passed.
    if matches!(first.asked, Asked::Name { .. }) && tally.failed < tally.attempts {
        return Some(tally.things);
    }
    Some(format!(
        "{}, {} of {} {noun}",
        tally.things, tally.failed, tally.attempts
    ))
}

/// How often.
struct Tally {
    /// Names or addresses.
    things: String,
    failed: usize,
    attempts: usize,
}

fn of_names(
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
    evidence: &Evidence<'_>,
) -> Tally {
    let names: BTreeSet<&str> = host_names(technique.endpoints.iter());
    let all: BTreeSet<&str> = verdict.map_or_else(BTreeSet::new, |verdict| {
        host_names(endpoints_of(verdict).map(|endpoint| &endpoint.endpoint))
    });
    let asked: Vec<&Fact> = names
        .iter()
        .flat_map(|name| known.index.name(name))
        .filter(|fact| resolver(fact).is_some_and(|it| evidence.resolvers.contains(&it)))
        .copied()
        .collect();
    let failed = asked.iter().filter(|fact| evidence.is_same(fact));
    Tally {
        failed: failed.count(),
        attempts: asked.len(),
        things: format!(
            "{} of {}",
            names.len(),
            many(all.len().max(names.len()), "name")
        ),
    }
}

fn of_places(
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    known: &Known<'_>,
    evidence: &Evidence<'_>,
    last: Option<Operation>,
) -> Tally {
    let mut counted: HashSet<*const Fact> = HashSet::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
    let mut failed = 0;
    for endpoint in &technique.endpoints {
        for &fact in known.index.endpoint(endpoint) {
            let Asked::Place(place) = &fact.asked else {
                continue;
            };
            let is_of = verdict.is_none_or(|verdict| verdict.target == fact.subject);
            // What failed below that step says nothing of it.
            if !is_of || fact.shape.last < last || !counted.insert(fact) {
                continue;
            }
            if evidence.is_same(fact) {
                failed += 1;
                names.extend(place.name.as_deref());
                addresses.insert(place.ip);
            }
        }
    }
    let by_name = matches!(
        technique.trigger,
        Trigger::ServerName
            | Trigger::ServerNameAtAddress
            | Trigger::HttpHost
            | Trigger::QuicServerName
    );
    let things = if by_name && !names.is_empty() {
        many(names.len(), "name")
    } else if addresses.len() == 1 {
        "1 address".to_owned()
    } else {
        format!("{} addresses", addresses.len())
    };
    Tally {
        things,
        failed,
        attempts: counted.len(),
    }
}

fn host_names<'a>(ids: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    ids.map(|id| parts(id).host)
        .filter(|host| host.parse::<IpAddr>().is_err())
        .collect()
}

fn endpoints_of(verdict: &Verdict) -> impl Iterator<Item = &EndpointReport> {
    verdict
        .services
        .iter()
        .flat_map(|service| &service.endpoints)
}

fn many(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// What passed and what failed with one thing changed, in sentences without their full stops.
fn contrast(
    technique: &TechniqueReport,
    verdict: Option<&Verdict>,
    evidence: &Evidence<'_>,
) -> Vec<String> {
    let mut clauses = Vec::new();
    if technique.trigger == Trigger::DomainName {
        clauses.extend(other_resolvers(technique.interference, evidence));
    }
    let mut tallies: BTreeMap<Variation, (usize, usize)> = BTreeMap::new();
    for fact in &evidence.cited {
        if let Some(varies) = fact.varies {
            let (failed, passed) = tallies.entry(varies).or_default();
            *failed += usize::from(evidence.mark(fact) == Mark::Failed);
            *passed += usize::from(evidence.mark(fact) == Mark::Passed);
        }
    }
    // One sentence for both, where controls answer another name and not this one.
    if let (Some(&(this, 0)), Some(&(0, other))) = (
        tallies.get(&Variation::Address),
        tallies.get(&Variation::Both),
    ) && this > 0
        && other > 0
    {
        let (others, these) = things(technique.trigger);
        clauses.push(format!(
            "Control servers answer {others} ({other} of {other}), not {these} (0 of {this})"
        ));
        tallies.remove(&Variation::Address);
        tallies.remove(&Variation::Both);
    }
    for (varies, (failed, passed)) in tallies {
        let total = failed + passed;
        if failed > 0 && passed == 0 {
            clauses.extend(failing(varies, technique.trigger).map(str::to_owned));
        } else if passed > 0 {
            let passing = passing(varies, technique.trigger);
            clauses.push(format!("{passing} ({passed} of {total})"));
        }
    }
    if technique.trigger == Trigger::Address {
        let answers = |it: &&EndpointReport| it.status == EndpointStatus::Accessible;
        let answering = verdict.map_or(0, |verdict| endpoints_of(verdict).filter(answers).count());
        if answering > 0 {
            let verb = if answering == 1 { "answers" } else { "answer" };
            clauses.push(format!("{} {verb}", many(answering, "other endpoint")));
        }
    }
    clauses
}

/// What was changed and what it was, in the plural.
const fn things(trigger: Trigger) -> (&'static str, &'static str) {
    match trigger {
        Trigger::Protocol => ("other messages", "this one"),
        _ => ("other names", "these"),
    }
}

fn other_resolvers(interference: Interference, evidence: &Evidence<'_>) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for fact in &evidence.cited {
        if let Some(id) = resolver(fact)
            && id != OWN_LOOKUP
            && fact.is_own()
            && evidence.mark(fact) == Mark::Passed
        {
            let name = id.split('/').next().unwrap_or(id);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let verb = match (interference, names.len()) {
        (_, 0) => return None,
        (Interference::FalseAnswer | Interference::InjectedAnswer, _) => "give other addresses",
        _ => "know them",
    };
    Some(format!("Other resolvers {verb} ({})", names.join(", ")))
}

/// What one change makes pass.
fn passing(varies: Variation, trigger: Trigger) -> &'static str {
    let is_message = matches!(trigger, Trigger::Protocol);
    match varies {
        Variation::Nothing => "Some attempts pass",
        Variation::ServerName => "The same servers answer another name",
        Variation::Address if is_message => "Control servers answer the same message",
        Variation::Address => "Control servers answer the same name",
        Variation::Both if is_message => "Control servers answer other bytes",
        Variation::Both => "Control servers answer another name",
        Variation::Port => "Other ports of the same addresses answer",
        Variation::Host => "The same servers answer another Host",
        Variation::Split => "The same name passes in two pieces",
        Variation::Shape if trigger == Trigger::Quic => {
            "The same servers answer other QUIC versions"
        }
        Variation::Shape if trigger == Trigger::QuicServerName => {
            "The same servers answer a QUIC version without the name"
        }
        Variation::Shape => "The same name passes in a ClientHello of another shape",
        Variation::Hops => "The same packets get further with a limited TTL",
        Variation::Payload => "Random bytes of the same length get a reaction",
        Variation::Transport => "The same passes over another transport",
        Variation::Neighbour => "Neighbouring addresses answer",
    }
}

/// What fails whatever is changed; `None` where that says nothing on its own.
const fn failing(varies: Variation, trigger: Trigger) -> Option<&'static str> {
    Some(match (varies, trigger) {
        (Variation::Address, Trigger::Protocol) => "The same message fails at control servers too",
        (Variation::Address, _) => "The same name fails at control servers too",
        (Variation::Port, _) => "Other ports of the same addresses fail too",
        (Variation::ServerName, Trigger::TlsFingerprint | Trigger::Quic) => {
            "Another name fails there too"
        }
        _ => return None,
    })
}
