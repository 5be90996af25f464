//! The ordinary path's resolver denies a name that others know: `domain_name/{nxdomain,no_answer,refused_answer,servfail,drop}`.
//!
//! What it infers: the resolver treats this name differently, because of the name.
//! Evidence: the same question failed in the same way in every trial; the same resolver answered control names; other
//! resolvers know the name (two operators in clear, or one over an encrypted transport, or TLS proved the address).
//! A trial in which nothing came back does not count where a resolver says of the name that it is not there, nor does a
//! control's question that was lost then.
//! What else could explain it: a retired name (then nobody knows it: no finding); a dead resolver (then controls fail
//! too: no finding); a flapping line (then a trial succeeds: no finding); a line
//! that loses much (then chance would do it too: no finding, or doubt); a filter in the user's own router (doubt); a resolver that
//! cannot reach the servers of this name, which says that it failed, or nothing (doubt); name servers that fail for everybody but for
//! those that have the name in a cache (a protected resolver fails too: no finding; some in clear do and others do not: doubt); one that is slow, or fails the first copy of a
//! question (then this system's own lookups resolve the name: no finding by silence or failure); a resolver that nothing here
//! asks but we (then they do too: doubt); one that denies names of controls as well, being broken or knowing few names (no finding
//! where a quarter of them are denied, all under the same top level, or as many as chance would have it; one of them: doubt).
//! References: facts 2.1 `dns.nxdomain`, `dns.nodata`, `dns.refused`, `dns.timeout`, `dns.nsdi_delisting`.

use std::collections::BTreeSet;

use crate::analysis::chance::Silence;
use crate::analysis::denials::{self, Whose};
use crate::analysis::evidence::{Evidence, Honest, Honesty};
use crate::analysis::replies::is_plain;
use crate::analysis::rules::injected_answer::Forgeries;
use crate::analysis::rules::{Finding, endpoints_of};
use crate::model::catalog::ResolverRole;
use crate::model::check::RecordType;
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation};
use crate::model::report::Confidence;
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Technique, Trigger};

/// Trials that must all have failed for a confirmed lie, and for confirmed silence (which loss can imitate).
const TRIALS: usize = 3;
const TRIALS_OF_SILENCE: usize = 4;
/// Other operators whose resolvers must end alike before a fault beyond one resolver is excluded.
const OPERATORS: usize = 2;

/// Doubt about a denial that nobody here may meet.
pub const RESOLVES_HERE: &str = "This system's own lookups resolve the name (by its files, a cache or another resolver), so apps here may not be affected";

/// One finding for each host that is denied.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let forgeries = Forgeries::of(evidence);
    evidence
        .hosts()
        .filter_map(|host| {
            let resolution = evidence.resolution(host)?;
            resolution
                .answers
                .iter()
                .filter(|answer| answer.is_system() && answer.observation.check.trial == 1)
                .filter(|answer| answer.record != Some(RecordType::Aaaa))
                .filter_map(|answer| denied(evidence, host, answer, &forgeries))
                .max_by_key(|finding| finding.confidence)
        })
        .collect()
}

fn denied(
    evidence: &Evidence,
    host: &str,
    answer: &Answer,
    forgeries: &Forgeries,
) -> Option<Finding> {
    let (answer, trials) = &telling(evidence, answer);
    let failure = answer.observation.failure()?;
    // getaddrinfo hides the code and the silence; where a raw query stands beside it, that one speaks.
    let interference = interference(failure, answer)?;
    let honest = evidence.honest(host)?;
    let fails_controls = if is_of_the_name(answer.observation) {
        evidence.fails_controls_otherwise_than_by_loss(answer.resolver)
    } else {
        evidence.fails_controls(answer.resolver)
    };
    if evidence.is_raced(host)
        || evidence.is_spoken_for(host, answer)
        || !evidence.answers_controls(answer.resolver)
        || fails_controls
        || is_broken(answer)
    {
        return None;
    }
    let everybodys = match denials::whose(evidence, host, answer) {
        Whose::Targets => None,
        Whose::Doubtful(doubt) => Some(doubt),
        Whose::Anybodys(_) => return None,
    };
    // Who waits longer or asks again is answered: that is how applications here ask.
    let resolves_here = evidence.resolves_here(host);
    if is_in_vain(interference)
        && (resolves_here || fails_in_protection(evidence, host, answer.observation.failure()))
    {
        return None;
    }
    // A denial that was made on the way is told by `injected_answer`.
    if forgeries.explain(answer) {
        return None;
    }
    if trials.iter().any(|trial| trial.failure() != Some(failure)) {
        return None;
    }
    let needed = if interference == Interference::Drop {
        TRIALS_OF_SILENCE
    } else {
        TRIALS
    };
    let enough = trials.len() >= needed;
    let silence = match answer.resolver {
        Some(resolver) if interference == Interference::Drop => {
            evidence.silence_of_a_name(resolver, trials)
        }
        _ => Silence::Certain,
    };
    if interference == Interference::Drop && !enough || silence == Silence::Chance {
        return None;
    }
    let doubt = resolves_here
        .then(|| RESOLVES_HERE.to_owned())
        .or_else(|| doubt(answer, &honest, enough))
        .or(silence.doubt())
        .or(everybodys)
        .or_else(|| beyond_the_resolver(evidence, host, answer, interference));
    let confidence = if doubt.is_none() {
        Confidence::Confirmed
    } else {
        Confidence::Likely
    };
    let mut ids: Vec<String> = trials.iter().map(|trial| trial.id.clone()).collect();
    ids.extend(honest.evidence.iter().cloned());
    Some(Finding {
        technique: Technique::new(Trigger::DomainName, interference),
        confidence,
        endpoints: endpoints_of(evidence, host),
        evidence: ids,
        doubt,
        seen: seen(evidence, host, answer, interference, trials.len(), &honest),
    })
}

/// What is judged, and its trials: what was lost says nothing against what was said of the name, twice or more. Other failures
/// mixed with silence are a resolver's own trouble.
fn telling<'a>(evidence: &Evidence<'a>, answer: &Answer<'a>) -> (Answer<'a>, Vec<&'a Observation>) {
    let all = evidence.trials(answer);
    let is_lost = |it: &&Observation| it.failure() == Some(&Failure::GenericTimeout);
    let heard: Vec<&Observation> = all.iter().copied().filter(|it| !is_lost(it)).collect();
    match *heard {
        [observation, _, ..] if is_of_the_name(observation) => {
            let first = Answer {
                observation,
                ..*answer
            };
            (first, heard)
        }
        _ => (*answer, all),
    }
}

/// Whether a resolver says of the name itself that there is none, or nothing at it.
fn is_of_the_name(observation: &Observation) -> bool {
    let failure = observation.failure();
    matches!(failure, Some(Failure::DnsNxdomain | Failure::DnsNoAnswer))
}

/// Whether it may be said or left unsaid by a resolver that could not find out.
pub fn is_in_vain(interference: Interference) -> bool {
    matches!(interference, Interference::Servfail | Interference::Drop)
}

/// Which answer it is. The system's own view cannot tell silence from a code, so silence needs a raw query.
fn interference(failure: &Failure, answer: &Answer) -> Option<Interference> {
    match failure {
        Failure::DnsNxdomain => Some(Interference::Nxdomain),
        Failure::DnsNoAnswer => Some(Interference::NoAnswer),
        Failure::DnsRefused => Some(Interference::RefusedAnswer),
        Failure::DnsServfail => Some(Interference::Servfail),
        Failure::GenericTimeout if answer.resolver.is_some() => Some(Interference::Drop),
        _ => None,
    }
}

fn doubt(answer: &Answer, honest: &Honest, enough: bool) -> Option<String> {
    if !enough {
        return Some("Too few queries to exclude chance".to_owned());
    }
    if honest.honesty == Honesty::Single {
        return Some("Only one other resolver was reached, without encryption".to_owned());
    }
    whose(answer)
}

/// A resolver on this machine or in its own network may be a filter of its owner's.
pub fn whose(answer: &Answer) -> Option<String> {
    answer.resolver.is_some_and(|resolver| resolver.is_local).then(|| {
        "The resolver runs on this machine or in its own network: a filter of its owner looks the same".to_owned()
    })
}

/// A resolver that asks in vain ends so too, and where it stands nobody here can look. A cut between a provider and one operator's
/// name servers has happened without any censor; resolvers of several operators do not share it.
fn beyond_the_resolver(
    evidence: &Evidence,
    host: &str,
    answer: &Answer,
    interference: Interference,
) -> Option<String> {
    if !is_in_vain(interference) {
        return None;
    }
    if others_alike(evidence, host, answer).len() < OPERATORS {
        return Some("The resolver may be unable to reach the servers of this name: a fault between them would look the same".to_owned());
    }
    // Who forges them on the way, or swallows the questions, does so to all that are asked in clear.
    answers_in_clear(evidence, host).then(|| {
        "Resolvers of several operators fail for it and others do not: its own name servers may fail, and who answers may do so from a cache"
            .to_owned()
    })
}

/// Whether a resolver abroad that was asked in clear knows the name.
fn answers_in_clear(evidence: &Evidence, host: &str) -> bool {
    let answers = evidence.resolution(host).map(|it| it.answers.iter());
    answers.into_iter().flatten().any(|answer| {
        answer.is_public()
            && answer.resolver.is_some_and(is_plain)
            && !evidence.is_hijacked(answer)
            && !answer.addresses().is_empty()
    })
}

/// Whether a resolver that nobody on the way can speak for fails for it too: then its name servers do, and others answer from a cache.
fn fails_in_protection(evidence: &Evidence, host: &str, failure: Option<&Failure>) -> bool {
    let answers = evidence.resolution(host).map(|it| it.answers.iter());
    failure == Some(&Failure::DnsServfail)
        && answers.into_iter().flatten().any(|answer| {
            answer.is_public()
                && answer.is_authenticated()
                && answer.observation.failure() == failure
        })
}

/// Operators of other resolvers that answer control names, and ended alike for this name.
fn others_alike<'a>(evidence: &Evidence<'a>, host: &str, answer: &Answer<'a>) -> BTreeSet<&'a str> {
    let own = answer.resolver.map(|resolver| resolver.address.ip());
    let answers = evidence.resolution(host).map(|it| it.answers.iter());
    answers
        .into_iter()
        .flatten()
        .filter(|other| !other.is_system() && !evidence.is_hijacked(other))
        .filter(|other| other.observation.failure() == answer.observation.failure())
        .filter_map(|other| other.resolver)
        .filter(|resolver| resolver.role != ResolverRole::Decoy && is_plain(resolver))
        .filter(|resolver| Some(resolver.address.ip()) != own)
        .filter(|resolver| evidence.answers_controls(Some(resolver)))
        .map(|resolver| resolver.operator.as_str())
        .collect()
}

/// An alias that leads nowhere is a broken answer, not an empty one. One that was cut is none at all: the rest is to be had over TCP.
pub fn is_broken(answer: &Answer) -> bool {
    answer.observation.failure() == Some(&Failure::DnsNoAnswer)
        && answer
            .dns()
            .and_then(DnsFacts::accepted)
            .is_some_and(|reply| !reply.answers.is_empty() || reply.truncated)
}

fn seen(
    evidence: &Evidence,
    host: &str,
    answer: &Answer,
    interference: Interference,
    trials: usize,
    honest: &Honest,
) -> String {
    let who = answer
        .resolver
        .map_or("The system's own lookup".to_owned(), |resolver| {
            format!("The system's DNS resolver ({})", resolver.address.ip())
        });
    let what = match interference {
        Interference::Nxdomain => "says that the name does not exist",
        Interference::NoAnswer => "answers without any address",
        Interference::RefusedAnswer => "refuses to answer",
        Interference::Servfail => "reports a failure (SERVFAIL)",
        _ => "gives no reply",
    };
    let proof = match honest.honesty {
        Honesty::Proven => "and a server at the address they give proved by TLS to be that host",
        Honesty::Protected => "over an encrypted transport",
        Honesty::Agreed => "from several operators",
        Honesty::Single => "without encryption",
    };
    let national = national_agrees(evidence, host, answer);
    format!(
        "{who} {what} for {host} in {trials} of {trials} tries. It answers control names. {} know the name, {proof}{}",
        honest.tellers.join(", "),
        if national {
            "; the national system's resolver says the same as the system's"
        } else {
            ""
        }
    )
}

/// Whether a national system's resolver, asked directly, fails in the same way.
fn national_agrees(evidence: &Evidence, host: &str, answer: &Answer) -> bool {
    evidence.resolution(host).is_some_and(|resolution| {
        resolution.answers.iter().any(|other| {
            other
                .resolver
                .is_some_and(|resolver| resolver.role == ResolverRole::National)
                && other.observation.failure().is_some()
                && other.observation.failure() == answer.observation.failure()
                && !other.dns().is_none_or(|facts| facts.replies.is_empty())
        })
    })
}
