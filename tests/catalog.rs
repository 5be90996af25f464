//! Definitions as a person meets them: the built-in file, a file of one's own, and every mistake one can make in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use blockprobe::catalog::{EMBEDDED, embedded, schema};
use blockprobe::model::catalog::{
    Catalog, Protocol, Region, ResolverRole, Service, Target, Transport,
};
use blockprobe::model::observation::Operation;

#[path = "catalog/any_input.rs"]
mod any_input;
#[path = "catalog/described.rs"]
mod described;
#[path = "catalog/mistakes.rs"]
mod mistakes;
#[path = "catalog/own_file.rs"]
mod own_file;
#[path = "catalog/sizes.rs"]
mod sizes;

/// A file that is right, up to what comes after it.
const TARGET: &str = r#"
[[target]]
id = "t"
name = "T"
[[target.service]]
id = "s"
[[target.service.endpoint]]
"#;

fn target<'a>(catalog: &'a Catalog, id: &str) -> &'a Target {
    catalog
        .targets
        .iter()
        .find(|target| target.id == id)
        .expect("the target is there")
}

fn service<'a>(catalog: &'a Catalog, target_id: &str, id: &str) -> &'a Service {
    let services = &target(catalog, target_id).services;
    services
        .iter()
        .find(|service| service.id == id)
        .expect("the service is there")
}

// ---------------------------------------------------------------------------------------------- the built-in file

#[test]
fn the_embedded_file_loads() {
    let catalog = embedded();
    let ids: Vec<&str> = catalog
        .targets
        .iter()
        .map(|target| target.id.as_str())
        .collect();
    assert_eq!(ids, ["whatsapp", "telegram", "facetime", "max"]);
    assert_eq!(catalog.definitions.source, "embedded");
    assert_eq!(catalog.definitions.sha256.len(), 64);
}

#[test]
fn every_target_has_an_essential_service() {
    let essential: Vec<(String, String)> = embedded()
        .targets
        .iter()
        .flat_map(|target| {
            target
                .services
                .iter()
                .map(|service| (target.id.clone(), service))
        })
        .filter(|(_, service)| service.essential)
        .map(|(target, service)| (target, service.id.clone()))
        .collect();
    let expected = [
        ("whatsapp", "chat"),
        ("telegram", "data_centres"),
        ("facetime", "identity"),
        ("max", "api"),
    ];
    assert_eq!(
        essential,
        expected.map(|(target, service)| (target.to_owned(), service.to_owned()))
    );
}

#[test]
fn the_data_centres_are_no_pool_and_each_is_reached_by_several_ways() {
    let catalog = embedded();
    let centres = service(&catalog, "telegram", "data_centres");
    assert!(centres.by_place && !centres.pool);
    let mut places: BTreeMap<&[IpAddr], Vec<(Protocol, u16)>> = BTreeMap::new();
    for endpoint in &centres.endpoints {
        assert!(endpoint.addresses.len() == 1 && endpoint.host.is_none());
        let ways = places.entry(&endpoint.addresses).or_default();
        ways.push((endpoint.protocol, endpoint.port));
    }
    assert_eq!(places.len(), 5);
    for ways in places.values() {
        assert_eq!(ways[0], (Protocol::MtprotoAbridged, 443));
        assert!(ways.contains(&(Protocol::MtprotoObfuscated, 443)));
        assert_eq!(ways.len(), 6);
    }
}

#[test]
fn what_answers_over_udp_stands_beside_what_does_not() {
    for target in embedded().targets {
        for service in target.services {
            let is_udp = |protocol: Protocol| !protocol.ladder().contains(&Operation::TcpConnect);
            let udp = service
                .endpoints
                .iter()
                .filter(|endpoint| is_udp(endpoint.protocol))
                .count();
            // Relays may not answer strangers: no target's fate hangs on them.
            let beside = service.pool && udp < service.endpoints.len();
            let is_spare = service.pool && !service.essential;
            assert!(
                udp == 0 || beside || is_spare || service.alternative,
                "{}/{}",
                target.id,
                service.id
            );
        }
    }
}

#[test]
fn quic_is_an_alternative_with_two_foreign_controls() {
    let catalog = embedded();
    let quic = service(&catalog, "whatsapp", "quic");
    assert!(quic.alternative && quic.pool && !quic.essential);
    let operators: BTreeSet<&str> = catalog
        .controls
        .iter()
        .filter(|control| control.endpoint.protocol == Protocol::Quic)
        .map(|control| control.operator.as_str())
        .collect();
    assert_eq!(operators, ["cloudflare", "google"].into());
}

#[test]
fn ids_are_unique() {
    let catalog = embedded();
    for target in &catalog.targets {
        let mut seen = BTreeSet::new();
        for endpoint in target
            .services
            .iter()
            .flat_map(|service| &service.endpoints)
        {
            assert!(seen.insert(&endpoint.id), "{}: {}", target.id, endpoint.id);
        }
    }
    let resolvers: BTreeSet<&str> = catalog
        .resolvers
        .iter()
        .map(|resolver| resolver.id.as_str())
        .collect();
    assert_eq!(resolvers.len(), catalog.resolvers.len());
}

#[test]
fn three_operators_control_each_region_and_no_target_is_its_own_control() {
    let catalog = embedded();
    let mut operators: BTreeMap<bool, BTreeSet<&str>> = BTreeMap::new();
    for control in &catalog.controls {
        operators
            .entry(control.region == Region::Domestic)
            .or_default()
            .insert(&control.operator);
    }
    assert!(
        operators.values().all(|operators| operators.len() >= 3),
        "{operators:?}"
    );
    assert_eq!(operators.len(), 2);
    let services = catalog.targets.iter().flat_map(|target| &target.services);
    let hosts: BTreeSet<&str> = services
        .flat_map(|service| &service.endpoints)
        .filter_map(|endpoint| endpoint.host.as_deref())
        .collect();
    for control in &catalog.controls {
        let host = control
            .endpoint
            .host
            .as_deref()
            .expect("a control has a host");
        assert!(!hosts.contains(host), "{host} belongs to a target");
    }
}

#[test]
fn foreign_controls_of_three_operators_have_exact_answers_in_clear() {
    let catalog = embedded();
    let exact = catalog.controls.iter().filter(|control| {
        let endpoint = &control.endpoint;
        control.region == Region::Foreign
            && endpoint.protocol == Protocol::Http
            && endpoint.expect.body.is_some()
    });
    let operators: BTreeSet<&str> = exact.map(|control| control.operator.as_str()).collect();
    assert!(operators.len() >= 3, "{operators:?}");
}

#[test]
fn authenticated_resolvers_have_a_name_and_every_role_is_there() {
    let catalog = embedded();
    for resolver in &catalog.resolvers {
        assert_eq!(
            resolver.server_name.is_some(),
            resolver.transport.is_authenticated(),
            "{}",
            resolver.id
        );
        let port = match resolver.transport {
            Transport::Udp | Transport::Tcp => 53,
            Transport::Dot => 853,
            Transport::Doh => 443,
        };
        assert_eq!(resolver.address.port(), port);
        assert_eq!(
            resolver.id,
            format!(
                "{}/{}/{}",
                resolver.name,
                resolver.transport.word(),
                resolver.address.ip()
            )
        );
    }
    for role in [
        ResolverRole::Public,
        ResolverRole::National,
        ResolverRole::Decoy,
    ] {
        assert!(
            catalog
                .resolvers
                .iter()
                .any(|resolver| resolver.role == role),
            "{role:?}"
        );
    }
}

#[test]
fn private_roots_are_the_certificates_they_say() {
    use sha2::{Digest, Sha256};
    let known = [
        "b0b1730ecbc7ff4505142c49f1295e6eda6bcaed7e2c68c5be91b5a11001f024",
        "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179",
        "d26d2d0231b7c39f92cc738512ba54103519e4405d68b5bd703e9788ca8ecf31",
    ];
    let catalog = embedded();
    let certificates = catalog
        .private_roots
        .iter()
        .flat_map(|root| &root.certificates);
    let digests: Vec<String> = certificates
        .map(|der| {
            Sha256::digest(der)
                .iter()
                .fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").expect("a String takes everything");
                    hex
                })
        })
        .collect();
    assert_eq!(digests, known);
}

#[test]
fn the_national_root_is_trusted_for_max_alone() {
    for target in embedded().targets {
        for endpoint in target
            .services
            .iter()
            .flat_map(|service| &service.endpoints)
        {
            if endpoint.expect.private_root.as_deref() == Some("russian_trusted_ca") {
                let host = endpoint.host.as_deref().unwrap_or_default();
                let ours =
                    host == "max.ru" || host.ends_with(".max.ru") || host.ends_with(".oneme.ru");
                assert!(ours, "{host}");
            }
        }
    }
}

#[test]
fn the_embedded_file_fits_its_schema() {
    let schema = serde_json::to_value(schema()).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is valid");
    let file: toml::Table = EMBEDDED.parse().expect("the file is TOML");
    let file = serde_json::to_value(file).expect("the file has a JSON form");
    let errors: Vec<String> = validator
        .iter_errors(&file)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let wrong = serde_json::json!({ "target": [{ "id": "A B", "name": "x", "service": [] }] });
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn the_documentation_explains_every_key() {
    let text = include_str!("../docs/definitions.md");
    let schema = serde_json::to_value(schema()).expect("a schema is JSON");
    let sections: BTreeMap<&str, &str> = text
        .split("\n### ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .collect();
    let tables = [
        ("The file", &schema),
        ("`[[target]]`", &schema["$defs"]["Target"]),
        ("`[[target.service]]`", &schema["$defs"]["Service"]),
        (
            "`[[target.service.endpoint]]`",
            &schema["$defs"]["Endpoint"],
        ),
        ("`expect`", &schema["$defs"]["Expect"]),
        ("`[[control]]`", &schema["$defs"]["Control"]),
        ("`[[resolver]]`", &schema["$defs"]["Resolver"]),
        ("`[[private_root]]`", &schema["$defs"]["PrivateRoot"]),
        ("`[[block_page]]`", &schema["$defs"]["BlockPage"]),
    ];
    for (heading, table) in tables {
        let section = sections
            .get(heading)
            .unwrap_or_else(|| panic!("no section {heading}"));
        for key in table["properties"].as_object().expect("properties").keys() {
            assert!(
                section.contains(&format!("\n| `{key}` |")),
                "{key} is not explained under {heading}"
            );
        }
    }
    for protocol in Protocol::ALL {
        assert!(
            text.contains(&format!("`{}`", protocol.word())),
            "{}",
            protocol.word()
        );
    }
}
