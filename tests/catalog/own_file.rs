//! A file of one's own: a fifth messenger, other contrasts, and how tables become endpoints.

use std::net::IpAddr;

use blockprobe::catalog::{embedded, load};
use blockprobe::model::catalog::Catalog;

use crate::{TARGET, service};

fn catalog(text: &str) -> Catalog {
    load("my.toml", text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_fifth_messenger_is_toml_only() {
    let text = include_str!("../../docs/definitions.md");
    let example = text
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let catalog = catalog(example);
    let ids: Vec<&str> = catalog
        .targets
        .iter()
        .map(|target| target.id.as_str())
        .collect();
    assert_eq!(ids, ["whatsapp", "telegram", "facetime", "max", "signal"]);
    let chat = service(&catalog, "signal", "chat");
    assert!(chat.essential && chat.pool);
    assert_eq!(chat.endpoints[0].id, "https://chat.signal.org/");
    assert_eq!(catalog.definitions.source, "my.toml");
    assert_ne!(catalog.definitions.sha256, embedded().definitions.sha256);
}

#[test]
fn a_file_of_targets_keeps_the_built_in_contrasts() {
    let own = catalog(&format!(
        "{TARGET}protocol = \"tls\"\nhosts = [\"X.Example.ORG\"]\n"
    ));
    let built_in = embedded();
    assert_eq!(own.targets.len(), 1);
    assert_eq!(
        service(&own, "t", "s").endpoints[0].host.as_deref(),
        Some("x.example.org")
    );
    assert_eq!(own.controls.len(), built_in.controls.len());
    assert_eq!(own.resolvers, built_in.resolvers);
    assert_eq!(own.private_roots.len(), built_in.private_roots.len());
    assert_eq!(own.block_pages.len(), built_in.block_pages.len());
}

#[test]
fn own_controls_and_resolvers_replace_the_built_in_ones() {
    let own = catalog(
        r#"include = "default"
        [[control]]
        id = "c"
        operator = "o"
        region = "foreign"
        protocol = "http"
        host = "c.example"
        [[resolver]]
        id = "mine"
        operator = "me"
        role = "public"
        region = "domestic"
        addresses = ["127.0.0.1", "::1"]
        transports = ["udp", "doh"]
        doh_name = "dns.example"
        path = "/q"
        "#,
    );
    assert_eq!(own.controls.len(), 1);
    assert_eq!(own.controls[0].endpoint.id, "http://c.example/");
    let ids: Vec<&str> = own
        .resolvers
        .iter()
        .map(|resolver| resolver.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "mine/udp/127.0.0.1",
            "mine/doh/127.0.0.1",
            "mine/udp/::1",
            "mine/doh/::1"
        ]
    );
    assert_eq!(own.resolvers[1].server_name.as_deref(), Some("dns.example"));
    assert_eq!(
        (
            own.resolvers[0].path.as_str(),
            own.resolvers[3].path.as_str()
        ),
        ("/q", "/q")
    );
    assert_eq!(own.targets.len(), 4);
}

#[test]
fn hosts_addresses_and_ports_multiply() {
    let text = |rest: &str| catalog(&format!("{TARGET}{rest}"));
    let ids = |catalog: &Catalog| -> Vec<String> {
        service(catalog, "t", "s")
            .endpoints
            .iter()
            .map(|endpoint| endpoint.id.clone())
            .collect()
    };
    let both = text(
        "protocol = \"https\"\nhosts = [\"a.example\", \"b.example\"]\naddresses = [\"10.0.0.1\", \"2001:db8::1\"]\nports = [443, 8443]\npath = \"/p?q=1\"\n",
    );
    let expected = [
        "https://a.example/p?q=1",
        "https://a.example:8443/p?q=1",
        "https://b.example/p?q=1",
        "https://b.example:8443/p?q=1",
    ];
    assert_eq!(ids(&both), expected);
    let addresses: [IpAddr; 2] = [
        "10.0.0.1".parse().expect("v4"),
        "2001:db8::1".parse().expect("v6"),
    ];
    assert!(
        service(&both, "t", "s")
            .endpoints
            .iter()
            .all(|endpoint| endpoint.addresses == addresses)
    );
    let alone = text("protocol = \"stun\"\naddresses = [\"10.0.0.1\", \"2001:db8::1\"]\n");
    assert_eq!(
        ids(&alone),
        ["stun://10.0.0.1:3478", "stun://[2001:db8::1]:3478"]
    );
    assert!(
        service(&alone, "t", "s")
            .endpoints
            .iter()
            .all(|endpoint| endpoint.addresses.len() == 1)
    );
}
