//! Somebody on the way answers in the resolver's place: `domain_name/injected_answer`.
//!
//! What it infers: a forged answer made on the path because of the name.
//! Evidence: one query got two answers that contradict each other, one of them false (no address, or bogons only) and one
//! honest; or an address where no resolver is answered the name and stays silent for a control name.
//! What else could explain it: a resolver that repeats itself (same content: no finding); a
//! slow one that was asked again and changed its mind (no more answers than questions: no finding); a line that doubles questions, to a
//! resolver of which one half is broken (then control names get two versions too: no finding) or fails for this name alone (then
//! the false version is a failure, which a resolver says of itself: no finding where controls are answered doubly, else doubt); a path that answers everything
//! (then the decoy answers controls too: `resolver/hijacked_resolver`, not this).
//! References: facts 2.1 `dns.injection_race`.

use std::collections::BTreeSet;

use crate::analysis::decoys;
use crate::analysis::evidence::{Evidence, Honesty};
use crate::analysis::replies::{
    has_more_than_asked, has_two_versions, is_false, is_plain, valid_replies,
};
use crate::analysis::rules::{Finding, endpoints_of};
use crate::model::check::RecordType;
use crate::model::observation::{DnsFacts, DnsReply};
use crate::model::report::Confidence;
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Technique, Trigger};

/// Answers in two versions (or from the decoy) needed to call it confirmed.
const TRIALS: usize = 3;

/// Control names that the decoy must have left silent while it answered.
const BESIDE: usize = 2;

/// SERVFAIL and REFUSED: what a resolver says of itself, not of the name.
const OF_ITSELF: [u16; 2] = [2, 5];

/// One finding for each host whose queries are answered on the way.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let forgeries = Forgeries::of(evidence);
    evidence
        .hosts()
        .filter_map(|host| {
            injected(evidence, host).or_else(|| same_forgery(evidence, host, &forgeries))
        })
        .collect()
}

/// What was forged on the way for any name of the target: the same content elsewhere has the same maker, also where the
/// honest answer came too late to be heard.
#[derive(Debug, Default)]
pub struct Forgeries {
    addresses: BTreeSet<String>,
    codes: BTreeSet<u16>,
}

impl Forgeries {
    /// Gathers the false versions of raced answers, and everything a decoy said.
    pub fn of(evidence: &Evidence) -> Self {
        let mut forgeries = Self::default();
        for host in evidence.hosts() {
            let answers = evidence
                .resolution(host)
                .map(|it| it.answers.as_slice())
                .unwrap_or_default();
            for answer in answers
                .iter()
                .filter(|it| it.record != Some(RecordType::Aaaa) && is_forged(evidence, it))
            {
                let facts = answer.dns();
                for reply in valid_replies(answer) {
                    if facts.is_some_and(|facts| is_false(facts, reply)) {
                        forgeries.add(reply);
                    }
                }
            }
            if let Some(reply) = decoys::answer(evidence, host).and_then(|it| it.dns()?.accepted())
            {
                forgeries.add(reply);
            }
        }
        forgeries
    }

    fn add(&mut self, reply: &DnsReply) {
        let addresses = reply.addresses().into_iter();
        self.addresses.extend(addresses.map(str::to_owned));
        if reply.rcode != 0 {
            self.codes.insert(reply.rcode);
        }
    }

    /// Whether an answer says what was forged elsewhere, and nothing else.
    pub fn explain(&self, answer: &Answer) -> bool {
        let Some(reply) = answer.dns().and_then(DnsFacts::accepted) else {
            return false;
        };
        let addresses = reply.addresses();
        let by_address =
            !addresses.is_empty() && addresses.iter().all(|it| self.addresses.contains(*it));
        by_address || self.codes.contains(&reply.rcode)
    }
}

/// A host whose own race was not heard, with the content that was forged for others.
fn same_forgery(evidence: &Evidence, host: &str, forgeries: &Forgeries) -> Option<Finding> {
    let answer = evidence
        .resolution(host)?
        .answers
        .iter()
        .filter(|it| it.is_system() && it.record != Some(RecordType::Aaaa))
        .find(|it| forgeries.explain(it))?;
    let honest = evidence.honest(host)?;
    let mut ids = vec![answer.observation.id.clone()];
    ids.extend(honest.evidence);
    Some(Finding {
        technique: Technique::new(Trigger::DomainName, Interference::InjectedAnswer),
        confidence: Confidence::Likely,
        endpoints: endpoints_of(evidence, host),
        evidence: ids,
        doubt: Some(
            "The forged answer for this name itself was not seen: the answer equals one forged for another name of the target"
                .to_owned(),
        ),
        seen: format!(
            "The answer for {host} equals the one that a middlebox forged for another name"
        ),
    })
}

fn injected(evidence: &Evidence, host: &str) -> Option<Finding> {
    let resolution = evidence.resolution(host)?;
    let forged: Vec<&Answer> = resolution
        .answers
        .iter()
        .filter(|answer| answer.record != Some(RecordType::Aaaa))
        .filter(|answer| answer.resolver.is_some_and(is_plain))
        .filter(|answer| is_forged(evidence, answer))
        .collect();
    let decoy = decoys::answer(evidence, host);
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
    let by_decoy = decoys::trials(evidence);
    let doubt = if decoy.is_some() && by_decoy.answered >= TRIALS && by_decoy.beside >= BESIDE {
        None
    } else if decoy.is_some() && forged.len() < TRIALS {
        Some(
            "It was answered so in fewer than three queries, or no control name was silent beside them: a line that was slow for a \
             moment is not excluded",
        )
    } else if forged.iter().all(|answer| is_failure(answer)) {
        Some(
            "The false answers say only that a resolver failed or refused: one of several behind one address may say so of itself",
        )
    } else {
        (forged.len() < TRIALS).then_some(
            "Seen in fewer than three queries: a resolver that changed its mind cannot be excluded",
        )
    };
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
        confidence: if doubt.is_none() {
            Confidence::Confirmed
        } else {
            Confidence::Likely
        },
        endpoints: endpoints_of(evidence, host),
        evidence: ids,
        doubt: doubt.map(str::to_owned),
        seen: seen(host, &forged, decoy.as_ref()),
    })
}

/// Whether the replies to one query hold a false and an honest one, as those to control names do not.
fn is_forged(evidence: &Evidence, answer: &Answer) -> bool {
    let (Some(resolver), Some(facts)) = (answer.resolver, answer.dns()) else {
        return false;
    };
    let replies = valid_replies(answer);
    // A slow resolver is asked again, and may fail the first time and answer the second.
    has_more_than_asked(facts)
        && has_two_versions(answer)
        && replies.iter().any(|reply| is_false(facts, reply))
        && replies.iter().any(|reply| !is_false(facts, reply))
        && !evidence.contradicts_controls(resolver)
        && !(is_failure(answer) && evidence.doubles_controls(resolver))
}

/// Whether every false reply says no more than that a resolver failed or refused.
fn is_failure(answer: &Answer) -> bool {
    let Some(facts) = answer.dns() else {
        return false;
    };
    let replies = valid_replies(answer);
    let mut lies = replies.iter().filter(|reply| is_false(facts, reply));
    lies.all(|reply| OF_ITSELF.contains(&reply.rcode))
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
            "{address}, where there is no resolver, answered for {host} and gave no reply for control names"
        ));
    }
    parts.join("; ")
}
