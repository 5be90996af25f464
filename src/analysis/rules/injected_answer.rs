//! Somebody on the way answers in the resolver's place: `domain_name/injected_answer`.
//!
//! What it infers: a forged answer made on the path because of the name.
//! Evidence: one query got two answers that contradict each other, one of them false (no address, or bogons only) and one
//! honest; or an address where no resolver is answered the name and stays silent for a control name.
//! What else could explain it: a resolver that repeats itself (same content: no finding); a path that answers everything
//! (then the decoy answers controls too: `resolver/hijacked_resolver`, not this).
//! References: facts 2.1 `dns.injection_race`.

use crate::analysis::evidence::{Evidence, Honesty, has_two_versions, is_plain, valid_replies};
use crate::analysis::rules::{Finding, endpoints_of};
use crate::model::check::RecordType;
use crate::model::observation::{DnsFacts, DnsReply};
use crate::model::report::Confidence;
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Technique, Trigger};

/// Answers in two versions (or from the decoy) needed to call it confirmed.
const TRIALS: usize = 3;

/// One finding for each host whose queries are answered on the way.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    evidence
        .hosts()
        .filter_map(|host| injected(evidence, host))
        .collect()
}

fn injected(evidence: &Evidence, host: &str) -> Option<Finding> {
    let resolution = evidence.resolution(host)?;
    let forged: Vec<&Answer> = resolution
        .answers
        .iter()
        .filter(|answer| answer.record != Some(RecordType::Aaaa))
        .filter(|answer| answer.resolver.is_some_and(is_plain))
        .filter(|answer| is_forged(answer))
        .collect();
    let decoy = evidence.decoy_answer(host);
    if forged.is_empty() && decoy.is_none() {
        return None;
    }
    // Without somebody who tells the honest answer, a decoy's word would have no contrast.
    let honest = evidence.honest(host);
    if forged.is_empty()
        && honest
            .as_ref()
            .is_none_or(|honest| honest.honesty < Honesty::Agreed)
    {
        return None;
    }
    let confirmed = decoy.is_some() || forged.len() >= TRIALS;
    let mut ids: Vec<String> = decoy
        .iter()
        .map(|answer| answer.observation.id.clone())
        .collect();
    ids.extend(
        forged
            .iter()
            .take(4)
            .map(|answer| answer.observation.id.clone()),
    );
    ids.extend(honest.into_iter().flat_map(|honest| honest.evidence));
    Some(Finding {
        technique: Technique::new(Trigger::DomainName, Interference::InjectedAnswer),
        confidence: if confirmed {
            Confidence::Confirmed
        } else {
            Confidence::Likely
        },
        endpoints: endpoints_of(evidence, host),
        evidence: ids,
        doubt: (!confirmed).then(|| {
            "Seen in fewer than three queries: a resolver that changed its mind cannot be excluded".to_owned()
        }),
        seen: seen(host, &forged, decoy.as_ref()),
    })
}

/// Whether the replies to one query hold a false and an honest one.
fn is_forged(answer: &Answer) -> bool {
    let Some(facts) = answer.dns() else {
        return false;
    };
    let replies = valid_replies(answer);
    has_two_versions(answer)
        && replies.iter().any(|reply| is_false(facts, reply))
        && replies.iter().any(|reply| !is_false(facts, reply))
}

/// No address at all, or none that could be a server's.
fn is_false(facts: &DnsFacts, reply: &DnsReply) -> bool {
    let addresses = reply.addresses();
    addresses
        .iter()
        .all(|address| facts.bogons.contains(address))
}

fn seen(host: &str, forged: &[&Answer], decoy: Option<&Answer>) -> String {
    let mut parts = Vec::new();
    if !forged.is_empty() {
        parts.push(format!(
            "{} queries for {host} got two answers that contradict each other, one false and one honest",
            forged.len()
        ));
    }
    if let Some(decoy) = decoy {
        let address = decoy
            .resolver
            .map_or_else(String::new, |resolver| resolver.address.ip().to_string());
        parts.push(format!(
            "{address}, where no resolver is, answered for {host} and stays silent for control names"
        ));
    }
    parts.join("; ")
}
