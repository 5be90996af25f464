//! Targets and their services, with ids that are unique and a bound on what a file may come to.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::contrasts;
use crate::catalog::endpoints::{self, ENDPOINT};
use crate::catalog::fields::{Fields, Kind};
use crate::catalog::words;
use crate::model::catalog::{Service, Target};
use crate::model::check::GROUND;

pub(super) const TARGET: Kind = Kind {
    name: "a target",
    keys: &["id", "name", "region", "service"],
};
pub(super) const SERVICE: Kind = Kind {
    name: "a service",
    keys: &[
        "id",
        "essential",
        "pool",
        "by_place",
        "alternative",
        "endpoint",
    ],
};

/// Beyond this a run would take hours and the plan gigabytes.
const MAX_ENDPOINTS: usize = 20_000;
/// A name that a person reads in a table.
const MAX_NAME: usize = 100;

/// What is known before the targets are read, and how much may still be made of them.
pub(super) struct Scope<'a> {
    private_roots: &'a BTreeSet<&'a str>,
    room: Cell<usize>,
    full: Cell<bool>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(private_roots: &'a BTreeSet<&'a str>) -> Self {
        Self {
            private_roots,
            room: Cell::new(MAX_ENDPOINTS),
            full: Cell::new(false),
        }
    }

    pub(super) fn private_roots(&self) -> &'a BTreeSet<&'a str> {
        self.private_roots
    }

    /// Takes room for so many endpoints; the first table that finds none says so.
    pub(super) fn take(&self, count: usize, fields: &Fields<'_>) -> bool {
        if let Some(room) = self.room.get().checked_sub(count) {
            self.room.set(room);
            return !self.full.get();
        }
        if !self.full.replace(true) {
            let message = format!("the file comes to more than {MAX_ENDPOINTS} endpoints here");
            let hint = "split it into several files; hosts times ports counts".to_owned();
            fields.problems().add(fields.span(), message, Some(hint));
        }
        false
    }
}

/// Every `[[target]]` of the file; the ids of `known` are taken.
pub(super) fn targets(file: &Fields<'_>, known: &[Target], scope: &Scope<'_>) -> Vec<Target> {
    let mut taken: BTreeSet<String> = known.iter().map(|target| target.id.clone()).collect();
    file.tables("target", &TARGET)
        .iter()
        .map(|fields| target(fields, &mut taken, scope))
        .collect()
}

fn target(fields: &Fields<'_>, taken: &mut BTreeSet<String>, scope: &Scope<'_>) -> Target {
    let problems = fields.problems();
    let id = unique_id(fields, "target", taken);
    if id.as_deref() == Some(GROUND) {
        let message = format!("`{GROUND}` is what a report calls the controls and resolvers");
        let hint = "take another id".to_owned();
        problems.add(fields.span(), message, Some(hint));
    }
    let name = fields
        .required_text("name")
        .and_then(|text| words::name(&text, "`name`", MAX_NAME, problems));
    let tables = fields.tables("service", &SERVICE);
    if tables.is_empty() {
        let hint = "write `[[target.service]]` below it".to_owned();
        problems.absent(
            fields.span(),
            "the target has no service".to_owned(),
            Some(hint),
        );
    }
    let mut services = BTreeSet::new();
    let mut endpoints = BTreeMap::new();
    Target {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        region: contrasts::region_or_foreign(fields),
        services: tables
            .iter()
            .map(|fields| service(fields, &mut services, &mut endpoints, scope))
            .collect(),
    }
}

fn service(
    fields: &Fields<'_>,
    services: &mut BTreeSet<String>,
    taken: &mut BTreeMap<String, String>,
    scope: &Scope<'_>,
) -> Service {
    let problems = fields.problems();
    let id = unique_id(fields, "service", services).unwrap_or_default();
    let tables = fields.tables("endpoint", &ENDPOINT);
    if tables.is_empty() {
        let hint = "write `[[target.service.endpoint]]` below it".to_owned();
        problems.absent(
            fields.span(),
            "the service has no endpoint".to_owned(),
            Some(hint),
        );
    }
    let mut endpoints = Vec::new();
    for table in &tables {
        for (endpoint, place) in endpoints::expand(table, scope) {
            if let Some(owner) = taken.insert(endpoint.id.clone(), id.clone()) {
                let message = format!(
                    "endpoint `{}` is here twice: service `{owner}` has it",
                    endpoint.id
                );
                problems.add(&place, message, None);
            }
            endpoints.push(endpoint);
        }
    }
    let [essential, pool, by_place, alternative] =
        ["essential", "pool", "by_place", "alternative"].map(|key| fields.flag(key));
    if essential && alternative {
        let message = "a service that others stand in for is not essential".to_owned();
        let hint = "leave out `alternative` or `essential`".to_owned();
        problems.add(&fields.place("alternative"), message, Some(hint));
    }
    if pool && by_place {
        let message = "in a pool all endpoints stand in for one another already".to_owned();
        let hint = "leave out `by_place` or `pool`".to_owned();
        problems.add(&fields.place("by_place"), message, Some(hint));
    }
    Service {
        id,
        essential,
        pool,
        by_place,
        alternative,
        endpoints,
    }
}

/// The id of a table, which no other table of its kind has.
pub(super) fn unique_id(
    fields: &Fields<'_>,
    what: &str,
    taken: &mut BTreeSet<String>,
) -> Option<String> {
    let text = fields.required_text("id")?;
    let id = words::id(&text, "id", fields.problems())?;
    if !taken.insert(id.clone()) {
        let message = format!("a {what} `{id}` is already defined");
        fields
            .problems()
            .add(&text.span(), message, Some("give it another id".to_owned()));
    }
    Some(id)
}
