//! A small catalog of four targets, enough to walk every path of the lab, and the commands that knock at it.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Output};

use blockprobe::lab::{self, Site};
use blockprobe::model::catalog::{
    Catalog, Control, Endpoint, Expect, PrivateRoot, Protocol, Region, Resolver, ResolverRole,
    Service, Target, Transport,
};

pub const SUCCESS: &str = "success\n";

/// Opens a scenario of the table for the small catalog.
pub async fn open(name: &str) -> Site {
    let scenario = lab::find(name).expect("the scenario is in the table");
    lab::open(scenario, &catalog())
        .await
        .expect("loopback is free")
}

pub fn endpoint(protocol: Protocol, host: &str, port: u16) -> Endpoint {
    Endpoint {
        id: format!("{}://{host}:{port}", protocol.word()),
        host: Some(host.to_owned()),
        addresses: Vec::new(),
        port,
        protocol,
        server_name: None,
        path: "/".to_owned(),
        alpn: Vec::new(),
        custom: None,
        expect: Expect::default(),
    }
}

fn service(id: &str, essential: bool, endpoints: Vec<Endpoint>) -> Service {
    Service {
        id: id.to_owned(),
        essential,
        pool: essential,
        by_place: false,
        alternative: false,
        endpoints,
    }
}

fn target(id: &str, services: Vec<Service>) -> Target {
    Target {
        id: id.to_owned(),
        region: Region::Foreign,
        name: id.to_owned(),
        services,
    }
}

fn resolver(name: &str, transport: Transport, address: &str, server_name: &str) -> Resolver {
    Resolver {
        id: format!("{name}/{}/{address}", transport.word()),
        name: name.to_owned(),
        operator: name.to_owned(),
        role: ResolverRole::Public,
        region: Region::Foreign,
        transport,
        address: address.parse().unwrap(),
        server_name: (!server_name.is_empty()).then(|| server_name.to_owned()),
        path: "/dns-query".to_owned(),
        is_local: false,
    }
}

fn whatsapp() -> Target {
    let mut web = endpoint(Protocol::Https, "web.whatsapp.com", 443);
    web.expect.title = Some("WhatsApp Web".to_owned());
    let key = Some("77".repeat(32));
    let mut chat = endpoint(Protocol::WhatsappNoise, "g.whatsapp.net", 5222);
    chat.expect.noise_root.clone_from(&key);
    let mut web_chat = endpoint(Protocol::WhatsappWebsocket, "web.whatsapp.com", 443);
    "/ws/chat".clone_into(&mut web_chat.path);
    web_chat.expect.noise_root = key;
    let mut stun = endpoint(Protocol::Stun, "g.whatsapp.net", 3478);
    stun.addresses = vec!["157.240.20.51".parse().unwrap()];
    target(
        "whatsapp",
        vec![
            service("chat", true, vec![chat]),
            service("web", false, vec![web]),
            service("web_chat", false, vec![web_chat]),
            service(
                "media",
                false,
                vec![
                    endpoint(Protocol::Https, "mmg.whatsapp.net", 443),
                    endpoint(Protocol::Https, "static.whatsapp.net", 443),
                ],
            ),
            service("calls", false, vec![stun]),
        ],
    )
}

fn telegram() -> Target {
    let mut centre = endpoint(Protocol::MtprotoAbridged, "", 443);
    centre.host = None;
    centre.addresses = vec![
        "149.154.167.51".parse().unwrap(),
        "2001:67c:4e8:f002::a".parse().unwrap(),
    ];
    let web = endpoint(Protocol::Https, "web.telegram.org", 443);
    target(
        "telegram",
        vec![
            service("data_centres", true, vec![centre]),
            service("web", false, vec![web]),
        ],
    )
}

fn facetime() -> Target {
    let mut push = endpoint(Protocol::Tls, "1-courier.push.apple.com", 5223);
    push.alpn = vec!["apns-pack-v1".to_owned()];
    push.expect.private_root = Some("apple".to_owned());
    let mut identity = endpoint(Protocol::Https, "identity.ess.apple.com", 443);
    identity.expect.private_root = Some("apple".to_owned());
    let plain = endpoint(Protocol::Http, "static.ess.apple.com", 80);
    target(
        "facetime",
        vec![
            service("identity", true, vec![identity]),
            service("push", false, vec![push, plain]),
        ],
    )
}

fn max() -> Target {
    let mut api = endpoint(Protocol::Https, "api.oneme.ru", 443);
    "/me".clone_into(&mut api.path);
    api.expect.status = vec![401];
    api.expect.contains = Some("verify.token".to_owned());
    let web = endpoint(Protocol::Https, "web.max.ru", 443);
    let mut calls = endpoint(Protocol::Websocket, "videowebrtc.okcdn.ru", 443);
    "/ws2".clone_into(&mut calls.path);
    target(
        "max",
        vec![
            service("api", true, vec![api]),
            service("web", false, vec![web]),
            service("calls", false, vec![calls]),
        ],
    )
}

pub fn catalog() -> Catalog {
    let mut portal = endpoint(Protocol::Http, "detectportal.firefox.com", 80);
    "/success.txt".clone_into(&mut portal.path);
    portal.expect.body = Some(SUCCESS.to_owned());
    let mut decoy = resolver("decoy", Transport::Udp, "192.0.2.1:53", "");
    decoy.role = ResolverRole::Decoy;
    Catalog {
        targets: vec![whatsapp(), telegram(), facetime(), max()],
        controls: vec![Control {
            id: "firefox".to_owned(),
            operator: "mozilla".to_owned(),
            region: Region::Foreign,
            endpoint: portal,
        }],
        resolvers: vec![
            resolver("google", Transport::Udp, "8.8.8.8:53", ""),
            resolver("google", Transport::Tcp, "8.8.8.8:53", ""),
            resolver("google", Transport::Dot, "8.8.8.8:853", "dns.google"),
            resolver("google", Transport::Doh, "8.8.8.8:443", "dns.google"),
            resolver("google6", Transport::Udp, "[2001:4860:4860::8888]:53", ""),
            resolver("cloudflare", Transport::Udp, "1.1.1.1:53", ""),
            decoy,
        ],
        private_roots: vec![PrivateRoot {
            id: "apple".to_owned(),
            name: "Apple".to_owned(),
            certificates: Vec::new(),
        }],
        ..Catalog::default()
    }
}

/// The small catalog with so many more hosts, on two ports each.
pub fn crowd(hosts: usize) -> Catalog {
    let mut catalog = catalog();
    let endpoints = (0..hosts).flat_map(|number| {
        let host = format!("host{number}.example");
        [
            endpoint(Protocol::Https, &host, 443),
            endpoint(Protocol::Http, &host, 80),
        ]
    });
    let crowd = service("crowd", true, endpoints.collect());
    catalog.targets.push(target("crowd", vec![crowd]));
    catalog
}

/// Where a resolver of the small catalog is in the lab, by id.
pub fn resolver_at(site: &Site, id: &str) -> SocketAddr {
    let resolvers = &site.catalog.resolvers;
    let found = resolvers.iter().find(|it| it.id == id);
    found.expect("the resolver is in the catalog").address
}

/// Where a name is served in the lab.
pub fn place_of(site: &Site, host: &str, port: u16) -> SocketAddr {
    let address = site.address_of(host).expect("the name has an address");
    let port = site.port_for(port).expect("the port has a number");
    SocketAddr::new(IpAddr::V4(address), port)
}

/// Runs a command beside the servers, and says what to install where it is missing.
pub async fn run(program: &'static str, arguments: Vec<String>, package: &str) -> Output {
    let running = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output()
    });
    running.await.unwrap().unwrap_or_else(|error| {
        panic!("cannot run {program}: {error}\nhint: apt-get install -y {package}")
    })
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
