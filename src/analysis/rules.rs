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
    // What another vantage saw settles what was named before.
    other_vantage::infer,
];

/// Observations one technique refers to; the report holds all the others too.
const EVIDENCE: usize = 12;

/// What all rules say, one finding for each technique.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in RULES.iter().flat_map(|rule| rule(evidence)) {
        match merged
            .iter_mut()
            .find(|known| known.technique == finding.technique)
        {
            Some(known) => merge(known, finding),
            None => merged.push(finding),
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

/// The surer finding speaks for both.
fn merge(known: &mut Finding, other: Finding) {
    known.endpoints.extend(other.endpoints);
    if other.confidence > known.confidence {
        known.confidence = other.confidence;
        known.doubt = other.doubt;
        known.seen = other.seen;
        let earlier = std::mem::replace(&mut known.evidence, other.evidence);
        known.evidence.extend(earlier);
    } else {
        known.evidence.extend(other.evidence);
    }
    let mut seen = BTreeSet::new();
    known.evidence.retain(|id| seen.insert(id.clone()));
}

/// Ids of the endpoints of a host.
pub fn endpoints_of(evidence: &Evidence, host: &str) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| endpoint.host.as_deref() == Some(host))
        .map(|endpoint| endpoint.id.clone())
        .collect()
}
