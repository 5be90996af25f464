//! What resolvers replied, read as replies: which of them count, which are false, which contradict each other.

use std::collections::BTreeSet;

use crate::model::catalog::{Resolver, Transport};
use crate::model::check::{Ask, Role};
use crate::model::observation::{DnsFacts, DnsReply, Observation, Operation};
use crate::model::resolution::Answer;

/// Ids of resolvers that answered a control name; `None` is the system's own view.
pub fn answering(observations: &[Observation]) -> BTreeSet<Option<String>> {
    observations
        .iter()
        .filter(|observation| observation.check.role == Role::Control && observation.is_success())
        .filter_map(|observation| match &observation.check.ask {
            Ask::Lookup { .. } => Some(None),
            Ask::Query { resolver, .. } => Some(Some(resolver.clone())),
            Ask::Climb(_) => None,
        })
        .collect()
}

/// Resolvers of which control names got a false reply and an honest one to the same question, by their ids.
pub fn contradicting(observations: &[Observation]) -> impl Iterator<Item = &str> {
    questions_of_controls(observations)
        .filter(|(_, facts)| {
            let mut replies = valid(facts);
            let is_first_false = replies.next().map(|first| is_false(facts, first));
            replies.any(|reply| Some(is_false(facts, reply)) != is_first_false)
        })
        .map(|(resolver, _)| resolver)
}

/// Resolvers that gave more replies than there were questions about control names, by their ids.
pub fn doubling(observations: &[Observation]) -> impl Iterator<Item = &str> {
    questions_of_controls(observations)
        .filter(|(_, facts)| has_more_than_asked(facts))
        .map(|(resolver, _)| resolver)
}

fn questions_of_controls(observations: &[Observation]) -> impl Iterator<Item = (&str, &DnsFacts)> {
    observations
        .iter()
        .filter(|observation| observation.check.role == Role::Control)
        .filter_map(|observation| {
            let Ask::Query { resolver, .. } = &observation.check.ask else {
                return None;
            };
            let facts = observation.step(Operation::Resolve)?.dns.as_deref()?;
            Some((resolver.as_str(), facts))
        })
}

/// Whether more replies came than questions were sent.
pub fn has_more_than_asked(facts: &DnsFacts) -> bool {
    valid(facts).count() > usize::try_from(facts.sent).unwrap_or(usize::MAX)
}

/// No address at all, or none that could be a server's.
pub fn is_false(facts: &DnsFacts, reply: &DnsReply) -> bool {
    let addresses = reply.addresses();
    addresses
        .iter()
        .all(|address| facts.bogons.iter().any(|bogon| bogon == address))
}

/// Replies that count: ours, well formed, whole.
pub fn valid_replies<'a>(answer: &Answer<'a>) -> Vec<&'a DnsReply> {
    answer
        .dns()
        .map(|facts| valid(facts).collect())
        .unwrap_or_default()
}

fn valid(facts: &DnsFacts) -> impl Iterator<Item = &DnsReply> {
    facts
        .replies
        .iter()
        .filter(|reply| reply.id_matches && reply.malformed.is_none() && !reply.truncated)
}

/// Whether replies to the one query contradict each other: another code, or no address in common. A resolver that
/// merely repeats itself does not.
pub fn has_two_versions(answer: &Answer) -> bool {
    let replies = valid_replies(answer);
    let Some(first) = replies.first() else {
        return false;
    };
    let known = first.addresses();
    replies.iter().any(|reply| {
        let addresses = reply.addresses();
        reply.rcode != first.rcode
            || (addresses.is_empty() != known.is_empty())
            || (!known.is_empty() && !addresses.iter().any(|address| known.contains(address)))
    })
}

/// Whether this resolver speaks plain DNS, which the path can read and forge.
pub fn is_plain(resolver: &Resolver) -> bool {
    matches!(resolver.transport, Transport::Udp | Transport::Tcp)
}
