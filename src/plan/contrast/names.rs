//! Round 4: what failed, again, with one thing changed. On an open line it is empty.
//!
//! So far for names only: the failing question repeated, a control name asked in between, and the same name once more by
//! a protected transport.

use crate::model::catalog::{Catalog, Endpoint, ResolverRole, Transport};
use crate::model::check::{Ask, Check, RecordType, Role, Round};
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::model::observation::Operation;
use crate::model::resolution::{Answer, Resolution};
use crate::plan::resolve::{Subject, hosts};
use crate::plan::{Seen, ground, resolve};

/// How often a question that failed is asked in all. Silence is asked once more than a lie: a lie cannot be made by
/// packet loss, silence can.
const TRIALS: u32 = 3;
const TRIALS_OF_SILENCE: u32 = 4;
/// Names of one target that are repeated at most: all of a messenger's, a fraction of a long list's.
const NAMES: usize = 64;

/// Names of one target of which a decoy is asked again: who answers in its place answers for all of them.
const NAMES_OF_DECOY: usize = 2;

/// The repetitions that are called for.
pub fn checks<'a>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
    seen: &Seen,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let (mut repeated, mut by_decoy) = (0, 0);
    for host in hosts(endpoints) {
        let resolution = Resolution::of(catalog, host, seen.about(host));
        let suspicious: Vec<&Answer> = resolution
            .answers
            .iter()
            .filter(|answer| seen.is_complete(&answer.observation.check.id))
            .filter(|answer| {
                is_suspicious(answer, &resolution, seen)
                    || (by_decoy < NAMES_OF_DECOY && is_of_decoy(answer))
            })
            .collect();
        by_decoy += usize::from(suspicious.iter().any(|answer| is_of_decoy(answer)));
        if suspicious.is_empty() || repeated == NAMES {
            continue;
        }
        repeated += 1;
        for answer in suspicious {
            checks.extend(repetitions(catalog, line, subject, host, answer, seen));
        }
    }
    checks
}

/// A first answer of the ordinary path that gives no usable address, or that came in two versions, while some other
/// resolver knows the name.
fn is_suspicious(answer: &Answer, resolution: &Resolution, seen: &Seen) -> bool {
    let observation = answer.observation;
    if observation.check.trial != 1
        || answer.record == Some(RecordType::Aaaa)
        || observation.is_not_run()
    {
        return false;
    }
    if observation.failure().is_some() {
        let known_elsewhere = !resolution.contrast_addresses().is_empty();
        // A silent view costs five seconds each time and proves nothing: the raw query beside it does.
        return answer.is_system() && !answer.is_silent_view() && known_elsewhere;
    }
    answer.is_system()
        && (has_two_versions(answer) || leads_to_somebody_else(answer, resolution.name, seen))
}

/// Whether something answered where no resolver is: its silence for control names counts only beside it.
fn is_of_decoy(answer: &Answer) -> bool {
    let resolver = answer.resolver;
    answer.observation.check.trial == 1
        && answer.record != Some(RecordType::Aaaa)
        && resolver.is_some_and(|it| it.role == ResolverRole::Decoy)
        && answer.dns().is_some_and(|facts| facts.accepted().is_some())
}

/// Whether a climb of this host at an address of this answer ended in a handshake with somebody else, and none worked.
fn leads_to_somebody_else(answer: &Answer, host: &str, seen: &Seen) -> bool {
    let addresses = answer.addresses();
    let mut somebody_else = false;
    for observation in seen.observations() {
        let Ask::Climb(climb) = &observation.check.ask else {
            continue;
        };
        if climb.host.as_deref() != Some(host) || !addresses.contains(&climb.address.ip()) {
            continue;
        }
        if observation.reached(Operation::TlsHandshake) {
            return false;
        }
        let tls = observation
            .step(Operation::TlsHandshake)
            .and_then(|step| step.tls.as_deref());
        somebody_else |= tls.is_some_and(|tls| !tls.chain.is_empty() || tls.clear_text.is_some());
    }
    somebody_else
}

/// Whether well-formed replies to the one query contradict each other.
fn has_two_versions(answer: &Answer) -> bool {
    let Some(facts) = answer.dns() else {
        return false;
    };
    let mut valid = facts
        .replies
        .iter()
        .filter(|reply| reply.id_matches && reply.malformed.is_none() && !reply.truncated);
    let Some(first) = valid.next() else {
        return false;
    };
    valid.any(|reply| {
        reply.rcode != first.rcode
            || !reply
                .addresses()
                .iter()
                .any(|address| first.addresses().contains(address))
    })
}

fn repetitions(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    host: &str,
    answer: &Answer,
    seen: &Seen,
) -> Vec<Check> {
    let contrast = Subject {
        round: Round::Contrast,
        ..subject
    };
    let control = Subject {
        role: Role::Control,
        ..contrast
    };
    let ask = |trial: u32| match answer.resolver {
        Some(resolver) => resolve::query(contrast, resolver, host, RecordType::A, trial),
        None => resolve::lookup(contrast, host, trial),
    };
    // What a rate limit or an overloaded resolver can say is asked of a control beside each name: such trouble lasts a
    // moment, and a control asked at another moment knows nothing of it.
    let is_passing = !matches!(
        answer.observation.failure(),
        Some(Failure::DnsNxdomain | Failure::DnsNoAnswer | Failure::DnsBogon) | None
    );
    let ask_control = |name: &str, trial: u32| {
        let check = match answer.resolver {
            Some(resolver) => resolve::query(control, resolver, name, RecordType::A, trial),
            None => resolve::lookup(control, name, trial),
        };
        let id = if is_passing {
            format!("{}/beside/{host}", check.id)
        } else {
            check.id
        };
        Check { id, ..check }
    };
    let silent =
        answer.resolver.is_some() && answer.dns().is_none_or(|facts| facts.replies.is_empty());
    let trials = if silent { TRIALS_OF_SILENCE } else { TRIALS };
    let mut checks = Vec::new();
    for trial in 2..=trials {
        // One after the other: an outage or a rate limit that lasts a moment must not fill all trials at once. Silence
        // takes long, so its last two go together.
        let before = if silent {
            (trial - 1).min(2)
        } else {
            trial - 1
        };
        if before > 1 && !seen.is_complete(&ask(before).id) {
            break;
        }
        checks.push(ask(trial));
        if let Some(name) = ground::control_host(catalog) {
            checks.push(ask_control(name, trial));
        }
    }
    if answer.resolver.is_some() {
        checks.extend(by_protected_transport(catalog, line, contrast, host));
    }
    checks
}

/// The same name at public resolvers by DoT, which the resolve round did not use.
fn by_protected_transport(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    host: &str,
) -> Vec<Check> {
    catalog
        .resolvers
        .iter()
        .filter(|resolver| {
            resolver.role == ResolverRole::Public && resolver.transport == Transport::Dot
        })
        .filter(|resolver| line.has_family(resolver.address.ip()))
        .take(2)
        .map(|resolver| resolve::query(subject, resolver, host, RecordType::A, 1))
        .collect()
}
