//! The plan before anything was seen, for `blockprobe list`.

use crate::model::catalog::{Catalog, Endpoint, Protocol};
use crate::model::check::{Role, Round};
use crate::model::line::Line;
use crate::model::observation::Operation;
use crate::model::outline::{Outline, OutlineEndpoint};
use crate::plan::resolve::Subject;
use crate::plan::{Patience, Seen, ground, reach, resolve};

/// What would be measured on this line.
pub fn outline(catalog: &Catalog, line: &Line) -> Outline {
    let nothing = Seen::default();
    let mut checks = ground::checks(catalog, line, &nothing, Patience::Waiting, None);
    let mut endpoints: Vec<OutlineEndpoint> = catalog
        .controls
        .iter()
        .map(|control| OutlineEndpoint {
            target: "ground".to_owned(),
            name: control.operator.clone(),
            service: control.id.clone(),
            essential: false,
            pool: false,
            by_place: false,
            ladder: ladder_of_control(&control.endpoint),
            ..of(&control.endpoint)
        })
        .collect();
    for target in &catalog.targets {
        let subject = Subject {
            id: &target.id,
            role: Role::Target,
            round: Round::Resolve,
        };
        let all = || {
            target
                .services
                .iter()
                .flat_map(|service| &service.endpoints)
        };
        checks.extend(resolve::checks(catalog, line, subject, all()));
        let reach_subject = Subject {
            round: Round::Reach,
            ..subject
        };
        checks.extend(reach::checks(
            catalog,
            line,
            reach_subject,
            all(),
            &nothing,
            Patience::Waiting,
        ));
        for service in &target.services {
            endpoints.extend(service.endpoints.iter().map(|endpoint| OutlineEndpoint {
                target: target.id.clone(),
                name: target.name.clone(),
                service: service.id.clone(),
                essential: service.essential,
                pool: service.pool,
                by_place: service.by_place,
                ..of(endpoint)
            }));
        }
    }
    Outline { endpoints, checks }
}

fn of(endpoint: &Endpoint) -> OutlineEndpoint {
    OutlineEndpoint {
        target: String::new(),
        name: String::new(),
        service: String::new(),
        essential: false,
        pool: false,
        by_place: false,
        endpoint: endpoint.id.clone(),
        ladder: ladder(endpoint),
    }
}

/// A control over QUIC shows that QUIC passes, and is asked for nothing.
fn ladder_of_control(endpoint: &Endpoint) -> Vec<Operation> {
    let mut ladder = ladder(endpoint);
    if endpoint.protocol == Protocol::Quic {
        ladder.retain(|operation| *operation <= Operation::QuicHandshake);
    }
    ladder
}

fn ladder(endpoint: &Endpoint) -> Vec<Operation> {
    let mut ladder: Vec<Operation> = Vec::new();
    if endpoint.host.is_some() {
        ladder.push(Operation::Resolve);
    }
    ladder.extend(endpoint.protocol.ladder());
    ladder
}
