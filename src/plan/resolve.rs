//! Round 2: every host name at the ordinary path and at the contrast resolvers.

use std::collections::BTreeSet;

use crate::model::catalog::{Catalog, Endpoint, Resolver, ResolverRole, Transport};
use crate::model::check::{Ask, Check, RecordType, Role, Round};
use crate::model::line::Line;

/// On whose behalf names are asked.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// A target's id, or `ground`.
    pub id: &'a str,
    /// What the names are: targets' or controls'.
    pub role: Role,
    /// Ground or resolve.
    pub round: Round,
}

/// The checks that ask every host of these endpoints of every resolver.
///
/// Plain UDP is asked everywhere, DoH where offered; TCP and DoT only for the first host (they tell whether the
/// transport itself is interfered with, not more about the name) and again in the contrast round for what failed.
pub fn checks<'a>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for (position, host) in hosts(endpoints).into_iter().enumerate() {
        if line.lookup {
            checks.push(lookup(subject, host, 1));
        }
        for resolver in &catalog.resolvers {
            if !is_asked(resolver, position == 0) {
                continue;
            }
            checks.push(query(subject, resolver, host, RecordType::A, 1));
            if line.ipv6
                && (resolver.role == ResolverRole::System || is_chosen_for_ipv6(catalog, resolver))
            {
                checks.push(query(subject, resolver, host, RecordType::Aaaa, 1));
            }
        }
    }
    checks
}

/// How many answers the ordinary path owes for one name.
pub fn answers_due(catalog: &Catalog, line: &Line) -> usize {
    if line.lookup {
        return 1;
    }
    let systems = catalog
        .resolvers
        .iter()
        .filter(|resolver| resolver.role == ResolverRole::System)
        .count();
    systems * if line.ipv6 { 2 } else { 1 }
}

/// The distinct hosts, in the order of the definitions.
pub fn hosts<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    endpoints
        .filter_map(|endpoint| endpoint.host.as_deref())
        .filter(|host| seen.insert(*host))
        .collect()
}

/// The system's own view of a name.
pub fn lookup(subject: Subject, name: &str, trial: u32) -> Check {
    let id = format!("{}/lookup/{name}#{trial}", subject.id);
    check(
        subject,
        id,
        trial,
        Ask::Lookup {
            name: name.to_owned(),
        },
    )
}

/// One raw query.
pub fn query(
    subject: Subject,
    resolver: &Resolver,
    name: &str,
    record: RecordType,
    trial: u32,
) -> Check {
    let id = format!(
        "{}/{}/{name}/{}#{trial}",
        subject.id,
        resolver.id,
        record.word()
    );
    check(
        subject,
        id,
        trial,
        Ask::Query {
            resolver: resolver.id.clone(),
            name: name.to_owned(),
            record,
            chaos: false,
        },
    )
}

fn check(subject: Subject, id: String, trial: u32, ask: Ask) -> Check {
    Check {
        id,
        round: subject.round,
        subject: subject.id.to_owned(),
        endpoints: Vec::new(),
        role: subject.role,
        trial,
        contrast: None,
        ask,
    }
}

fn is_asked(resolver: &Resolver, first_host: bool) -> bool {
    match (resolver.role, resolver.transport) {
        // A name that a decoy answers was answered by the path: one name of each target is enough to tell.
        (ResolverRole::Decoy, _) | (_, Transport::Tcp | Transport::Dot) => first_host,
        // IPv6 points of an operator tell whether the point works, not more about names.
        (ResolverRole::Public, _) => first_host || resolver.address.is_ipv4(),
        (ResolverRole::System | ResolverRole::National, _) => true,
    }
}

/// AAAA is asked of the system and of one authenticated resolver: it decides nothing but where IPv6 leads.
fn is_chosen_for_ipv6(catalog: &Catalog, resolver: &Resolver) -> bool {
    catalog
        .resolvers
        .iter()
        .find(|candidate| {
            candidate.role == ResolverRole::Public && candidate.transport == Transport::Doh
        })
        .is_some_and(|chosen| chosen.id == resolver.id)
}
