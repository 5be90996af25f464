//! Targets, their services and endpoints: one table of the file becomes one endpoint for each host or address and port.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use crate::catalog::expect::{self, Answer};
use crate::catalog::fields::{Fields, Kind, word};
use crate::catalog::words::{self, Purpose};
use crate::model::catalog::{Endpoint, Expect, Protocol, Service, Target};

pub(super) const TARGET: Kind = Kind {
    name: "a target",
    keys: &["id", "name", "service"],
};
pub(super) const SERVICE: Kind = Kind {
    name: "a service",
    keys: &["id", "essential", "pool", "endpoint"],
};
pub(super) const ENDPOINT: Kind = Kind {
    name: "an endpoint",
    keys: &[
        "protocol",
        "hosts",
        "addresses",
        "ports",
        "path",
        "server_name",
        "alpn",
        "expect",
    ],
};

/// Beyond this a run would take hours and the plan gigabytes.
const MAX_ENDPOINTS: usize = 20_000;
/// Every endpoint of a table holds a copy of the table's addresses.
const MAX_ADDRESSES: usize = 256;
/// A ClientHello has no room for more.
const MAX_ALPN: usize = 16;
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
    fn take(&self, count: usize, fields: &Fields<'_>) -> bool {
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
    let name = fields
        .required_text("name")
        .and_then(|text| words::phrase(&text, "`name`", MAX_NAME, problems));
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
        for (endpoint, place) in expand(table, scope) {
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
    Service {
        id,
        essential: fields.flag("essential"),
        pool: fields.flag("pool"),
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

/// A host or an address, and where the file names it.
type Place<T> = (T, Range<usize>);

fn expand(fields: &Fields<'_>, scope: &Scope<'_>) -> Vec<(Endpoint, Range<usize>)> {
    let problems = fields.problems();
    let protocol = protocol(fields);
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
    if nowhere(fields) {
        let hint = "write `hosts = [...]`, `addresses = [...]` or both".to_owned();
        problems.absent(
            fields.span(),
            "the endpoint has no host and no address".to_owned(),
            Some(hint),
        );
    }
    let place = fields.place("addresses");
    let only_addresses = hosts.is_empty() && !fields.has("hosts");
    let spots = if only_addresses {
        addresses.len()
    } else {
        hosts.len()
    };
    let fits = only_addresses
        || words::within(
            addresses.len(),
            MAX_ADDRESSES,
            "addresses",
            &place,
            problems,
        );
    if !scope.take(spots.saturating_mul(ports.len()), fields) || !fits {
        return Vec::new();
    }
    let each_port = |host: Option<&String>, addresses: &[IpAddr], place: &Range<usize>| {
        ports
            .iter()
            .map(|port| (template.at(host, addresses, *port), place.clone()))
            .collect::<Vec<_>>()
    };
    if only_addresses {
        addresses
            .iter()
            .flat_map(|(address, place)| each_port(None, &[*address], place))
            .collect()
    } else {
        let addresses: Vec<IpAddr> = addresses.iter().map(|(address, _)| *address).collect();
        hosts
            .iter()
            .flat_map(|(host, place)| each_port(Some(host), &addresses, place))
            .collect()
    }
}

fn nowhere(fields: &Fields<'_>) -> bool {
    // A list whose members are wrong has already been told.
    let empty = |key| !fields.has(key) || fields.is_empty_list(key);
    empty("hosts") && empty("addresses")
}

/// The protocol a table names.
pub(super) fn protocol(fields: &Fields<'_>) -> Option<Protocol> {
    let known: Vec<_> = Protocol::ALL
        .iter()
        .map(|protocol| (protocol.word(), *protocol))
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
                protocol.word()
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
        Protocol::Stun | Protocol::Turn => Some(3478),
        Protocol::Tcp | Protocol::TelegramReflector | Protocol::Commnat => None,
    }
}

/// What the endpoints of one table have in common.
pub(super) struct Template {
    protocol: Protocol,
    path: String,
    server_name: Option<String>,
    alpn: Vec<String>,
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
        expect: expect::expect(fields, protocol, scope.private_roots()),
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
            expect,
        }
    }

    /// The endpoint at this place.
    pub(super) fn at(&self, host: Option<&String>, addresses: &[IpAddr], port: u16) -> Endpoint {
        let place = match (host, addresses.first()) {
            (Some(host), _) => host.clone(),
            (None, Some(IpAddr::V6(address))) => format!("[{address}]"),
            (None, Some(IpAddr::V4(address))) => address.to_string(),
            (None, None) => String::new(),
        };
        Endpoint {
            id: endpoint_id(self.protocol, &place, port, &self.path),
            host: host.cloned(),
            addresses: addresses.to_vec(),
            port,
            protocol: self.protocol,
            server_name: self.server_name.clone(),
            path: self.path.clone(),
            alpn: self.alpn.clone(),
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
