//! Round 2: every host name at the ordinary path and at the contrast resolvers.

use std::collections::BTreeSet;

use crate::model::catalog::{Catalog, Endpoint, Region, Resolver, ResolverRole, Transport};
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

/// The checks that ask about the hosts of these endpoints.
///
/// Every host is asked of the ordinary path, of a national resolver and of the witnesses; the first host of all
/// resolvers by all transports. That tells whether a resolver or a transport is itself interfered with, and keeps the
/// number of questions that any one resolver hears polite.
pub fn checks<'a>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
) -> Vec<Check> {
    let witnesses = witnesses(catalog);
    let asked_of_ipv6 = witnesses
        .iter()
        .find(|witness| witness.transport == Transport::Doh);
    let mut checks = Vec::new();
    for (position, host) in hosts(endpoints).into_iter().enumerate() {
        if line.lookup {
            checks.push(lookup(subject, host, 1));
        }
        for resolver in &catalog.resolvers {
            if position > 0
                && resolver.role != ResolverRole::System
                && !witnesses.contains(&resolver)
            {
                continue;
            }
            checks.push(query(subject, resolver, host, RecordType::A, 1));
            // AAAA only says where IPv6 leads: the ordinary path and one protected witness are enough.
            let is_ordinary = resolver.role == ResolverRole::System && !line.lookup;
            if line.ipv6 && (is_ordinary || asked_of_ipv6 == Some(&resolver)) {
                checks.push(query(subject, resolver, host, RecordType::Aaaa, 1));
            }
        }
    }
    checks
}

/// Resolvers that are asked about every host: in clear those of three foreign operators and of a domestic one, protected
/// those of two operators, and one of a national system.
fn witnesses(catalog: &Catalog) -> Vec<&Resolver> {
    let mut chosen: Vec<&Resolver> = Vec::new();
    let mut choose = |count: usize, fits: &dyn Fn(&Resolver) -> bool| {
        let mut operators = BTreeSet::new();
        for resolver in catalog.resolvers.iter().filter(|resolver| fits(resolver)) {
            if operators.len() < count && operators.insert(resolver.operator.as_str()) {
                chosen.push(resolver);
            }
        }
    };
    let is_public = |resolver: &Resolver, transport| {
        resolver.role == ResolverRole::Public
            && resolver.transport == transport
            && resolver.address.is_ipv4()
    };
    choose(3, &|resolver| {
        is_public(resolver, Transport::Udp) && resolver.region == Region::Foreign
    });
    choose(1, &|resolver| {
        is_public(resolver, Transport::Udp) && resolver.region == Region::Domestic
    });
    choose(2, &|resolver| is_public(resolver, Transport::Doh));
    choose(1, &|resolver| resolver.role == ResolverRole::National);
    chosen
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
