//! One table of the file becomes one endpoint for each host or address and each port.

use std::net::IpAddr;
use std::ops::Range;

use crate::catalog::custom::{self, CUSTOM};
use crate::catalog::expect::{self, Answer};
use crate::catalog::fields::{Fields, Kind, word};
use crate::catalog::targets::Scope;
use crate::catalog::words::{self, Purpose};
use crate::model::catalog::{Endpoint, Expect, Protocol};
use crate::model::custom::Custom;

pub(super) const ENDPOINT: Kind = Kind {
    name: "an endpoint",
    keys: &[
        "protocol",
        "over",
        "hosts",
        "addresses",
        "ports",
        "path",
        "server_name",
        "alpn",
        "send",
        "expect",
    ],
};

/// Every endpoint of a table holds a copy of the table's addresses.
const MAX_ADDRESSES: usize = 256;
/// A ClientHello has no room for more.
const MAX_ALPN: usize = 16;

/// A host or an address, and where the file names it.
type Place<T> = (T, Range<usize>);

/// The endpoints of one table, each with the place of its host or address.
pub(super) fn expand(fields: &Fields<'_>, scope: &Scope<'_>) -> Vec<(Endpoint, Range<usize>)> {
    let problems = fields.problems();
    let protocol = protocol(fields).and_then(|protocol| custom::over(fields, protocol));
    let hosts: Vec<Place<String>> = fields
        .texts("hosts")
        .iter()
        .filter_map(|text| Some((words::host(text, problems)?, text.span())))
        .collect();
    let addresses: Vec<Place<IpAddr>> = fields
        .texts("addresses")
        .iter()
        .filter_map(|text| {
            Some((
                words::address(text, Purpose::Measured, problems)?,
                text.span(),
            ))
        })
        .collect();
    let ports = ports(fields, protocol);
    let template = template(fields, protocol, scope);
    if ["hosts", "addresses"]
        .iter()
        .all(|key| fields.is_absent(key) || fields.is_empty_list(key))
    {
        let message = "the endpoint has no host and no address".to_owned();
        let hint = "write `hosts = [...]`, `addresses = [...]` or both".to_owned();
        problems.absent(fields.span(), message, Some(hint));
    }
    let spots = spots(fields, hosts, &addresses);
    if !scope.take(spots.len().saturating_mul(ports.len()), fields) {
        return Vec::new();
    }
    let mut endpoints = Vec::new();
    for spot in &spots {
        let each = ports
            .iter()
            .map(|port| template.at(spot.host.as_deref(), &spot.addresses, *port));
        endpoints.extend(each.map(|endpoint| (endpoint, spot.place.clone())));
    }
    endpoints
}

/// Where an endpoint is, but for its port.
struct Spot {
    host: Option<String>,
    addresses: Vec<IpAddr>,
    place: Range<usize>,
}

/// Each host with all the addresses; or each address alone where there is no host.
fn spots(fields: &Fields<'_>, hosts: Vec<Place<String>>, addresses: &[Place<IpAddr>]) -> Vec<Spot> {
    if !fields.has("hosts") {
        let alone = |(address, place): &Place<IpAddr>| Spot {
            host: None,
            addresses: vec![*address],
            place: place.clone(),
        };
        return addresses.iter().map(alone).collect();
    }
    let place = fields.place("addresses");
    if !words::within(
        addresses.len(),
        MAX_ADDRESSES,
        "addresses",
        &place,
        fields.problems(),
    ) {
        return Vec::new();
    }
    let all: Vec<IpAddr> = addresses.iter().map(|(address, _)| *address).collect();
    let named = |(host, place)| Spot {
        host: Some(host),
        addresses: all.clone(),
        place,
    };
    hosts.into_iter().map(named).collect()
}

/// The protocol a table names; what a custom one goes over is not known yet.
pub(super) fn protocol(fields: &Fields<'_>) -> Option<Protocol> {
    let known: Vec<_> = Protocol::ALL
        .iter()
        .map(|protocol| (protocol.word(), *protocol))
        .chain([(CUSTOM, Protocol::CustomTcp)])
        .collect();
    let text = fields.required_text("protocol")?;
    word(&text, "protocol", &known, fields.problems())
}

fn ports(fields: &Fields<'_>, protocol: Option<Protocol>) -> Vec<u16> {
    let problems = fields.problems();
    let numbers = fields.numbers("ports");
    if !numbers.is_empty() {
        return numbers
            .iter()
            .filter_map(|number| words::port(number, problems))
            .collect();
    }
    match protocol.map(|protocol| (protocol, default_port(protocol))) {
        Some((_, Some(port))) => vec![port],
        Some((protocol, None)) => {
            let message = format!(
                "`ports` is missing: `{}` has no usual port",
                custom::named(protocol)
            );
            problems.absent(
                fields.span(),
                message,
                Some("write `ports = [...]`".to_owned()),
            );
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// The port where a protocol is usually spoken.
pub(super) const fn default_port(protocol: Protocol) -> Option<u16> {
    match protocol {
        Protocol::Http | Protocol::MtprotoHttp => Some(80),
        Protocol::Tls
        | Protocol::Https
        | Protocol::WhatsappNoise
        | Protocol::WhatsappWebsocket
        | Protocol::MtprotoAbridged
        | Protocol::MtprotoIntermediate
        | Protocol::MtprotoObfuscated
        | Protocol::MtprotoWebsocket
        | Protocol::MaxBinary
        | Protocol::MaxWebsocket
        | Protocol::Websocket
        | Protocol::Quic => Some(443),
        Protocol::Stun | Protocol::Turn | Protocol::StunTcp | Protocol::TurnTcp => Some(3478),
        Protocol::Tcp
        | Protocol::TelegramReflector
        | Protocol::Commnat
        | Protocol::CustomTcp
        | Protocol::CustomTls
        | Protocol::CustomUdp => None,
    }
}

/// What the endpoints of one table have in common.
pub(super) struct Template {
    protocol: Protocol,
    path: String,
    server_name: Option<String>,
    alpn: Vec<String>,
    custom: Option<Box<Custom>>,
    expect: Expect,
}

fn template(fields: &Fields<'_>, protocol: Option<Protocol>, scope: &Scope<'_>) -> Template {
    let problems = fields.problems();
    let answer = protocol.map(Answer::of);
    if let (Some(protocol), Some(answer)) = (protocol, &answer) {
        expect::refuse(
            fields,
            &["path"],
            answer.has_path,
            protocol,
            "has no request path",
        );
        expect::refuse(
            fields,
            &["server_name", "alpn"],
            answer.is_tls,
            protocol,
            "does not speak TLS",
        );
    }
    let alpn = fields.texts("alpn");
    words::within(
        alpn.len(),
        MAX_ALPN,
        "ALPN identifiers",
        &fields.place("alpn"),
        problems,
    );
    let send = custom::send(fields, protocol);
    let (expect, own) = expect::expect(fields, protocol, scope.private_roots());
    let is_custom = protocol.is_some_and(Protocol::is_custom);
    Template {
        protocol: protocol.unwrap_or(Protocol::Tcp),
        path: expect::path(fields),
        server_name: fields
            .text("server_name")
            .and_then(|text| words::host(&text, problems)),
        alpn: alpn
            .iter()
            .filter_map(|text| words::alpn(text, problems))
            .collect(),
        custom: is_custom.then(|| Box::new(Custom { send, ..own })),
        expect,
    }
}

impl Template {
    /// The template of a control: nothing of it but its request.
    pub(super) fn plain(protocol: Protocol, path: String, expect: Expect) -> Self {
        Self {
            protocol,
            path,
            server_name: None,
            alpn: Vec::new(),
            custom: None,
            expect,
        }
    }

    /// The endpoint at this place.
    pub(super) fn at(&self, host: Option<&str>, addresses: &[IpAddr], port: u16) -> Endpoint {
        let place = match (host, addresses.first()) {
            (Some(host), _) => host.to_owned(),
            (None, Some(IpAddr::V6(address))) => format!("[{address}]"),
            (None, Some(IpAddr::V4(address))) => address.to_string(),
            (None, None) => String::new(),
        };
        Endpoint {
            id: endpoint_id(self.protocol, &place, port, &self.path),
            host: host.map(ToOwned::to_owned),
            addresses: addresses.to_vec(),
            port,
            protocol: self.protocol,
            server_name: self.server_name.clone(),
            path: self.path.clone(),
            alpn: self.alpn.clone(),
            custom: self.custom.clone(),
            expect: self.expect.clone(),
        }
    }
}

/// Like a URL: what people know as one is written as they know it.
fn endpoint_id(protocol: Protocol, place: &str, port: u16, path: &str) -> String {
    let word = protocol.word();
    let is_web = matches!(protocol, Protocol::Http | Protocol::Https);
    let path = if path == "/" && !is_web { "" } else { path };
    if is_web && default_port(protocol) == Some(port) {
        format!("{word}://{place}{path}")
    } else {
        format!("{word}://{place}:{port}{path}")
    }
}
