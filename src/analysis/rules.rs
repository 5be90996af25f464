//! The rules: one inference per file, listed once, in the order of the ladder of the field.

pub mod address;
pub mod address_port;
pub mod block_page;
pub mod false_answer;
pub mod http_host;
pub mod injected_answer;
pub mod lying_resolver;
pub mod other_vantage;
pub mod protocol;
pub mod quic;
pub mod server_name;
pub mod tls_fingerprint;

use std::collections::BTreeSet;

use crate::analysis::evidence::{Evidence, endpoints};
use crate::analysis::words;
use crate::model::catalog::Target;
use crate::model::report::{Confidence, TechniqueReport};
use crate::model::technique::{Interference, Technique, Trigger};

/// What one rule says of one host or endpoint.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is done.
    pub technique: Technique,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// Ids of the endpoints it hits.
    pub endpoints: BTreeSet<String>,
    /// Ids of the observations it rests on.
    pub evidence: Vec<String>,
    /// The innocent explanation that is left.
    pub doubt: Option<String>,
    /// What was seen, the contrast included.
    pub seen: String,
}

impl Finding {
    /// The finding as it stands in a verdict.
    pub fn report(&self, target: &Target) -> TechniqueReport {
        let services = target
            .services
            .iter()
            .filter(|service| {
                service
                    .endpoints
                    .iter()
                    .any(|endpoint| self.endpoints.contains(&endpoint.id))
            })
            .map(|service| service.id.clone())
            .collect();
        TechniqueReport {
            id: self.technique.id(),
            trigger: self.technique.trigger,
            interference: self.technique.interference,
            confidence: self.confidence,
            services,
            endpoints: self.endpoints.iter().cloned().collect(),
            evidence: self.evidence.clone(),
            doubt: self.doubt.clone(),
            seen: self.seen.clone(),
        }
    }
}

/// One inference.
type Rule = fn(&Evidence) -> Vec<Finding>;

/// Every rule, in the order of the ladder.
const RULES: &[Rule] = &[
    injected_answer::infer,
    false_answer::infer,
    lying_resolver::infer,
    address::infer,
    address_port::infer,
    server_name::infer,
    tls_fingerprint::infer,
    quic::infer,
    http_host::infer,
    block_page::infer,
    protocol::infer,
];

/// Observations one technique refers to; the report holds all the others too.
const EVIDENCE: usize = 12;

/// What all rules say, one finding for each technique.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut alone: Vec<Finding> = RULES.iter().flat_map(|rule| rule(evidence)).collect();
    let mut answers = other_vantage::infer(evidence);
    // Each by itself: what is not settled must not pass for what is, by being merged with it.
    other_vantage::settle(evidence, &mut alone);
    other_vantage::settle(evidence, &mut answers);
    let mut merged = by_technique(alone);
    for answer in by_technique(answers) {
        match merged
            .iter_mut()
            .find(|it| it.technique == answer.technique)
        {
            Some(known) => merge(known, answer, true),
            None => merged.push(answer),
        }
    }
    // What a line that loses connection attempts leaves unanswered is nobody's doing. DNS has its own trials.
    if evidence.is_line_losing() {
        merged.retain(|finding| {
            finding.technique.interference != Interference::Drop
                || finding.technique.trigger == Trigger::DomainName
        });
    }
    for finding in &mut merged {
        finding.evidence.truncate(EVIDENCE);
    }
    merged
}

/// One finding for each technique, in the order in which they were first named.
fn by_technique(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        match merged
            .iter_mut()
            .find(|it| it.technique == finding.technique)
        {
            Some(known) => merge(known, finding, false),
            None => merged.push(finding),
        }
    }
    merged
}

/// Stands before what is doubted of endpoints of which the finding that speaks does not speak.
const OF_OTHERS: &str = "Of other endpoints: ";

/// The surer finding speaks for both, and of two that are as sure another vantage's `answer`; what is doubted of endpoints of which it
/// does not speak is told beside, and so is what is no question for another vantage.
fn merge(known: &mut Finding, mut other: Finding, is_answer: bool) {
    let answers = is_answer && other.confidence == known.confidence;
    if other.confidence > known.confidence || answers {
        std::mem::swap(known, &mut other);
    }
    let covers = other.endpoints.is_subset(&known.endpoints);
    if let Some(doubt) = other.doubt.filter(|_| !covers || answers) {
        let told = known.doubt.take().unwrap_or_default();
        let bare = |it: &'_ str| it.strip_prefix(OF_OTHERS).unwrap_or(it).to_owned();
        let known_ones: BTreeSet<String> = told.split(". ").map(bare).collect();
        let more: Vec<String> = doubt
            .split(". ")
            .map(bare)
            .filter(|it| !known_ones.contains(it))
            .filter(|it| !(covers && it.contains(words::ANOTHER_VANTAGE)))
            .collect();
        let own = Some(told).filter(|it| !it.is_empty());
        let of_others = if covers { "" } else { OF_OTHERS };
        let more = Some(more.join(". ")).filter(|it| !it.is_empty());
        let more = more.map(|it| format!("{of_others}{it}"));
        let all: Vec<String> = own.into_iter().chain(more).collect();
        known.doubt = Some(all.join(". ")).filter(|it| !it.is_empty());
    }
    known.endpoints.extend(other.endpoints);
    known.evidence.extend(other.evidence);
    let mut seen = BTreeSet::new();
    known.evidence.retain(|id| seen.insert(id.clone()));
    known.evidence.truncate(EVIDENCE);
}

/// Ids of the endpoints of a host.
pub fn endpoints_of(evidence: &Evidence, host: &str) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| endpoint.host.as_deref() == Some(host))
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(endpoints: &[&str], confidence: Confidence, doubt: Option<&str>) -> Finding {
        Finding {
            technique: Technique::new(Trigger::ServerName, Interference::Reset),
            confidence,
            endpoints: endpoints.iter().map(|&it| it.to_owned()).collect(),
            evidence: Vec::new(),
            doubt: doubt.map(str::to_owned),
            seen: format!("{endpoints:?}"),
        }
    }

    fn merged(mut one: Finding, other: Finding, is_answer: bool) -> (String, Option<String>) {
        merge(&mut one, other, is_answer);
        (one.seen, one.doubt)
    }

    #[test]
    fn what_is_doubted_of_other_endpoints_is_told_once() {
        let sure = || finding(&["a"], Confidence::Confirmed, None);
        let likely = |endpoints: &[&str]| finding(endpoints, Confidence::Likely, Some("Chance"));
        let told = || Some("Of other endpoints: Chance".to_owned());
        let by_a = "[\"a\"]".to_owned();
        assert_eq!(
            merged(sure(), likely(&["b"]), false),
            (by_a.clone(), told())
        );
        assert_eq!(
            merged(likely(&["a", "b"]), sure(), false),
            (by_a.clone(), told())
        );
        // Of the same endpoints the surer one has said all.
        assert_eq!(merged(likely(&["a"]), sure(), false), (by_a.clone(), None));
        let once = Some("Chance".to_owned());
        assert_eq!(merged(likely(&["a"]), likely(&["b"]), false), (by_a, once));
    }

    #[test]
    fn doubts_that_take_turns_do_not_pile_up() {
        let mut known = finding(&["0"], Confidence::Likely, Some("A"));
        for (id, doubt) in [("1", "B"), ("2", "A"), ("3", "B"), ("4", "C")] {
            let other = finding(&[id], Confidence::Likely, Some(doubt));
            merge(&mut known, other, false);
        }
        let told = known.doubt.unwrap();
        assert_eq!(told, "A. Of other endpoints: B. Of other endpoints: C");
    }

    #[test]
    fn an_answer_takes_the_doubt_away_that_asked_for_it() {
        let asks = || {
            finding(
                &["a"],
                Confidence::Likely,
                Some("only another vantage can tell"),
            )
        };
        let answers = || finding(&["a"], Confidence::Likely, Some("Looked an hour before"));
        let doubt = |is_answer| merged(asks(), answers(), is_answer).1.unwrap();
        assert_eq!(doubt(true), "Looked an hour before");
        assert_eq!(doubt(false), "only another vantage can tell");
        // What it cannot settle stays.
        let asks = finding(
            &["a"],
            Confidence::Likely,
            Some("A limit by rate. Only by another vantage"),
        );
        let told = merged(asks, answers(), true).1.unwrap();
        assert_eq!(told, "Looked an hour before. A limit by rate");
    }
}
