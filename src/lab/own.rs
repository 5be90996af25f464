//! What a scenario cannot do for definitions of the user's own, in sentences for the notes of a report.

use crate::lab::scenarios::Scenario;
use crate::model::catalog::{Catalog, Endpoint};
use crate::wire::custom;

/// Ids of endpoints named in one note at most.
const MOST: usize = 5;

/// Notes about what the lab does not serve, and about a scenario that is aimed at nothing of these definitions.
pub fn notes(scenario: &Scenario, catalog: &Catalog) -> Vec<String> {
    aimless(scenario, catalog)
        .into_iter()
        .chain(unserved(catalog))
        .collect()
}

/// Censors have their aims in the built-in definitions. Where no endpoint matches, every target is open.
fn aimless(scenario: &Scenario, catalog: &Catalog) -> Option<String> {
    let is_hit = |censor: &crate::lab::censor::Censor| !censor.names.endpoints(catalog).is_empty();
    let is_aimless = !scenario.censors.is_empty() && !scenario.censors.iter().any(is_hit);
    is_aimless.then(|| {
        format!(
            "The lab's scenario {} censors nothing that these definitions measure: every target is open in it",
            scenario.name
        )
    })
}

/// Protocols of the definitions for which no right answer can be made up.
fn unserved(catalog: &Catalog) -> Option<String> {
    let services = catalog.targets.iter().flat_map(|it| &it.services);
    let endpoints = services.flat_map(|it| &it.endpoints);
    let controls = catalog.controls.iter().map(|it| &it.endpoint);
    let is_unserved = |endpoint: &&Endpoint| {
        let custom = endpoint.custom.as_deref();
        custom.is_some_and(|it| !custom::is_met(it, &custom::honest_answer(it)))
    };
    let ids = endpoints.chain(controls).filter(is_unserved);
    let ids: Vec<&str> = ids.map(|it| it.id.as_str()).collect();
    let more = match ids.len().saturating_sub(MOST) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let shown = ids.get(..MOST.min(ids.len())).unwrap_or_default();
    (!ids.is_empty()).then(|| {
        format!(
            "The lab cannot serve {}{more}: it finds no answer that meets what the definitions expect",
            shown.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::find;
    use crate::model::catalog::{Expect, Protocol, Region, Service, Target};
    use crate::model::custom::Custom;

    fn catalog(regexes: &[&str]) -> Catalog {
        let endpoint = |regex: &&str| Endpoint {
            id: format!("custom_tcp://{regex}"),
            host: Some("own.example".to_owned()),
            addresses: Vec::new(),
            port: 993,
            protocol: Protocol::CustomTcp,
            server_name: None,
            path: String::new(),
            alpn: Vec::new(),
            custom: Some(Box::new(Custom {
                regex: Some((*regex).to_owned()),
                ..Custom::default()
            })),
            expect: Expect::default(),
        };
        let service = Service {
            id: "all".to_owned(),
            essential: true,
            pool: false,
            by_place: false,
            alternative: false,
            endpoints: regexes.iter().map(endpoint).collect(),
        };
        Catalog {
            targets: vec![Target {
                id: "own".to_owned(),
                region: Region::Foreign,
                name: "Own".to_owned(),
                services: vec![service],
            }],
            ..Catalog::default()
        }
    }

    #[test]
    fn what_the_lab_cannot_serve_is_said_by_its_id() {
        let open = find("open").unwrap();
        assert_eq!(notes(open, &catalog(&["^OK", "[0-9]+ ready"])), [""; 0]);
        let notes = notes(open, &catalog(&["^OK", "(a{1000}){1000}"]));
        assert_eq!(
            notes,
            [
                "The lab cannot serve custom_tcp://(a{1000}){1000}: it finds no answer that meets what the definitions expect"
            ]
        );
    }

    #[test]
    fn a_scenario_that_censors_nothing_of_the_definitions_says_so() {
        let scenario = find("nxdomain_by_isp_resolver").unwrap();
        let notes = notes(scenario, &catalog(&["^OK"]));
        assert!(
            notes[0].contains("nxdomain_by_isp_resolver censors nothing"),
            "{notes:?}"
        );
        let mut aimed = catalog(&["^OK"]);
        aimed.targets[0].id = "whatsapp".to_owned();
        assert_eq!(super::notes(scenario, &aimed), [""; 0]);
    }
}
