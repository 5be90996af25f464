//! Round 1: the line itself. Controls are resolved and climbed like targets; resolvers are asked who they are.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::model::catalog::{Catalog, Endpoint, Protocol, Resolver, ResolverRole, Transport};
use crate::model::check::{Ask, Check, GROUND, RecordType, Role, Round};
use crate::model::line::Line;
use crate::model::observation::{Observation, Operation};
use crate::plan::contrast::{Controls, transport};
use crate::plan::resolve::Subject;
use crate::plan::{Patience, Seen, reach, resolve};

/// What the ground's checks are made on behalf of.
pub const SUBJECT: Subject = Subject {
    id: GROUND,
    role: Role::Control,
    round: Round::Ground,
};

/// A name whose answer is the address of the resolver that asked for it (Google's own zone; TXT).
pub const EGRESS_NAME: &str = "o-o.myaddr.l.google.com";
/// A CHAOS name that many resolvers answer with the name of the machine (RFC 4892).
pub const SERVER_ID_NAME: &str = "id.server";
/// How often the decoy is asked: a hijack on the path is confirmed by three answers from where no resolver is.
const DECOY_TRIALS: u32 = 3;

/// The controls that worked: they serve as the other address of the contrast round.
pub fn working_controls(catalog: &Catalog, seen: &Seen) -> Controls {
    let in_tls =
        |observation: &Observation, _: &Endpoint| observation.reached(Operation::TlsHandshake);
    let in_clear = |observation: &Observation, endpoint: &Endpoint| {
        endpoint.protocol == Protocol::Http
            && observation
                .step(Operation::HttpRoundTrip)
                .and_then(|step| step.http.as_deref())
                .is_some_and(|http| endpoint.expect.is_met(http))
    };
    let over_quic =
        |observation: &Observation, _: &Endpoint| observation.reached(Operation::QuicHandshake);
    // Where STUN as such is filtered no control answers: then its address serves all the same.
    let by_stun = |observation: &Observation, endpoint: &Endpoint| {
        endpoint.protocol == Protocol::Stun && !observation.is_not_run()
    };
    Controls {
        quic: addresses(catalog, seen, over_quic),
        tls: addresses(catalog, seen, in_tls),
        http: addresses(catalog, seen, in_clear),
        stun: addresses(catalog, seen, by_stun),
    }
}

/// Each operator's first address at which a control worked.
fn addresses(
    catalog: &Catalog,
    seen: &Seen,
    works: impl Fn(&Observation, &Endpoint) -> bool,
) -> Vec<SocketAddr> {
    let mut operators = BTreeSet::new();
    let mut addresses = Vec::new();
    for control in &catalog.controls {
        let endpoint = &control.endpoint;
        let worked = seen.observations().find_map(|observation| {
            let Ask::Climb(climb) = &observation.check.ask else {
                return None;
            };
            let is_its_own = observation.check.endpoints.contains(&endpoint.id);
            (is_its_own && works(observation, endpoint)).then_some(climb.address)
        });
        if let Some(address) = worked
            && operators.insert(control.operator.as_str())
        {
            addresses.push(address);
        }
    }
    addresses
}

/// Everything the ground calls for, given what was seen so far. `controls` are there once everything else is seen and the
/// line is open: resolvers that failed are then contrasted.
pub fn checks(
    catalog: &Catalog,
    line: &Line,
    seen: &Seen,
    patience: Patience,
    controls: Option<&Controls>,
) -> Vec<Check> {
    let mut checks = names(catalog, line);
    checks.extend(catalog.resolvers.iter().flat_map(identity));
    checks.extend(reach::checks(
        catalog,
        line,
        SUBJECT,
        endpoints(catalog),
        seen,
        patience,
    ));
    if let Some(controls) = controls {
        checks.extend(transport::checks(catalog, controls, seen));
    }
    checks
}

/// The endpoints of the controls.
pub fn endpoints(catalog: &Catalog) -> impl Iterator<Item = &Endpoint> {
    catalog.controls.iter().map(|control| &control.endpoint)
}

/// Control names: every one on the ordinary path, the first at every resolver. A resolver that answers a control
/// but not the target's name lies about the target; one that answers neither is dead.
fn names(catalog: &Catalog, line: &Line) -> Vec<Check> {
    let mut checks = resolve::checks(catalog, line, SUBJECT, endpoints(catalog));
    for decoy in of_role(catalog, ResolverRole::Decoy) {
        if let Some(host) = control_host(catalog) {
            for trial in 2..=DECOY_TRIALS {
                checks.push(resolve::query(SUBJECT, decoy, host, RecordType::A, trial));
            }
        }
    }
    checks
}

/// Who really answers at a resolver's address.
fn identity(resolver: &Resolver) -> Vec<Check> {
    if resolver.role == ResolverRole::National
        || !matches!(resolver.transport, Transport::Udp | Transport::Doh)
    {
        return Vec::new();
    }
    [(EGRESS_NAME, false), (SERVER_ID_NAME, true)]
        .into_iter()
        .map(|(name, chaos)| Check {
            id: format!("ground/{}/{name}", resolver.id),
            round: Round::Ground,
            subject: SUBJECT.id.to_owned(),
            endpoints: Vec::new(),
            role: Role::Identity,
            trial: 1,
            contrast: None,
            ask: Ask::Query {
                resolver: resolver.id.clone(),
                name: name.to_owned(),
                record: RecordType::Txt,
                chaos,
            },
        })
        .collect()
}

/// The control name that every resolver is asked.
pub fn control_host(catalog: &Catalog) -> Option<&str> {
    resolve::hosts(endpoints(catalog)).first().copied()
}

fn of_role(catalog: &Catalog, role: ResolverRole) -> impl Iterator<Item = &Resolver> {
    catalog
        .resolvers
        .iter()
        .filter(move |resolver| resolver.role == role)
}
