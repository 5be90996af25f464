//! Controls and resolvers: what a target is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::catalog::custom;
use crate::catalog::endpoints::{Template, default_port, protocol};
use crate::catalog::expect::{self, Answer};
use crate::catalog::fields::{Fields, Kind, word};
use crate::catalog::targets::unique_id;
use crate::catalog::words::{self, Purpose};
use crate::model::catalog::{Control, Protocol, Region, Resolver, ResolverRole, Transport};

pub(super) const CONTROL: Kind = Kind {
    name: "a control",
    keys: &[
        "id", "operator", "region", "protocol", "host", "port", "path", "expect",
    ],
};
pub(super) const RESOLVER: Kind = Kind {
    name: "a resolver",
    keys: &[
        "id",
        "operator",
        "role",
        "region",
        "addresses",
        "transports",
        "server_name",
        "dot_name",
        "doh_name",
        "path",
    ],
};

/// Every host is asked of every resolver: this many is already a flood.
const MAX_RESOLVERS: usize = 256;
/// Controls are measured in every run, before anything else.
const MAX_CONTROLS: usize = 256;

const REGIONS: &[(&str, Region)] = &[("domestic", Region::Domestic), ("foreign", Region::Foreign)];
/// `system` is missing on purpose: that one is read from the machine.
pub(super) const ROLES: &[(&str, ResolverRole)] = &[
    ("public", ResolverRole::Public),
    ("national", ResolverRole::National),
    ("decoy", ResolverRole::Decoy),
];
pub(super) const TRANSPORTS: &[(&str, Transport)] = &[
    ("udp", Transport::Udp),
    ("tcp", Transport::Tcp),
    ("dot", Transport::Dot),
    ("doh", Transport::Doh),
];

/// Every `[[control]]` of the file.
pub(super) fn controls(file: &Fields<'_>, private_roots: &BTreeSet<&str>) -> Vec<Control> {
    let mut taken = BTreeSet::new();
    let tables = file.tables("control", &CONTROL);
    words::within(
        tables.len(),
        MAX_CONTROLS,
        "controls",
        &file.place("control"),
        file.problems(),
    );
    tables
        .iter()
        .filter_map(|fields| control(fields, &mut taken, private_roots))
        .collect()
}

fn control(
    fields: &Fields<'_>,
    taken: &mut BTreeSet<String>,
    private_roots: &BTreeSet<&str>,
) -> Option<Control> {
    let problems = fields.problems();
    let id = unique_id(fields, "control", taken);
    let operator = operator(fields);
    let region = region(fields);
    let protocol = control_protocol(fields);
    let host = fields
        .required_text("host")
        .and_then(|text| words::host(&text, problems));
    let port = fields
        .number("port")
        .map(|number| words::port(&number, problems));
    if protocol == Some(Protocol::Tcp) {
        fields.require("port");
    }
    if let Some(protocol) = protocol {
        expect::refuse(
            fields,
            &["path"],
            // Of a control over QUIC the handshake is enough.
            Answer::of(protocol).has_path && protocol != Protocol::Quic,
            protocol,
            "has no request path",
        );
    }
    let path = expect::path(fields);
    let (expect, _) = expect::expect(fields, protocol, private_roots);
    let port = port.unwrap_or_else(|| default_port(protocol?))?;
    Some(Control {
        id: id?,
        operator: operator?,
        region: region?,
        endpoint: Template::plain(protocol?, path, expect).at(Some(&host?), &[], port),
    })
}

/// Controls are the ground under everything, so they speak what every version speaks.
fn control_protocol(fields: &Fields<'_>) -> Option<Protocol> {
    let spoken = [
        Protocol::Tcp,
        Protocol::Tls,
        Protocol::Http,
        Protocol::Https,
        Protocol::Quic,
        Protocol::Stun,
    ];
    let protocol = protocol(fields)?;
    if spoken.contains(&protocol) {
        return Some(protocol);
    }
    let message = format!("a control cannot speak `{}`", custom::named(protocol));
    let hint = "take `http`, `https`, `tls`, `tcp`, `quic` or `stun`".to_owned();
    fields
        .problems()
        .add(&fields.place("protocol"), message, Some(hint));
    None
}

fn operator(fields: &Fields<'_>) -> Option<String> {
    let text = fields.required_text("operator")?;
    words::id(&text, "operator", fields.problems())
}

/// Where a target is at home; abroad by default.
pub(super) fn region_or_foreign(fields: &Fields<'_>) -> Region {
    let text = fields.text("region");
    text.and_then(|text| word(&text, "region", REGIONS, fields.problems()))
        .unwrap_or(Region::Foreign)
}

fn region(fields: &Fields<'_>) -> Option<Region> {
    let text = fields.required_text("region")?;
    word(&text, "region", REGIONS, fields.problems())
}

/// What all tables of one resolver id must agree on.
type Identity = (Option<String>, Option<ResolverRole>, Option<Region>);

/// Every `[[resolver]]` of the file, one for each address and transport.
pub(super) fn resolvers(file: &Fields<'_>) -> Vec<Resolver> {
    let problems = file.problems();
    let mut identities = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut resolvers = Vec::new();
    for fields in file.tables("resolver", &RESOLVER) {
        for resolver in points(&fields, &mut identities) {
            if resolvers.len() >= MAX_RESOLVERS {
                let message = format!("the file comes to more than {MAX_RESOLVERS} resolvers here");
                let hint = "addresses times transports counts".to_owned();
                problems.add(fields.span(), message, Some(hint));
                return resolvers;
            }
            if !taken.insert(resolver.id.clone()) {
                let message = format!("resolver `{}` is already defined", resolver.id);
                problems.add(&fields.place("addresses"), message, None);
            }
            resolvers.push(resolver);
        }
    }
    resolvers
}

fn points(fields: &Fields<'_>, identities: &mut BTreeMap<String, Identity>) -> Vec<Resolver> {
    let problems = fields.problems();
    let id = resolver_id(fields);
    let role = fields
        .required_text("role")
        .and_then(|text| word(&text, "role", ROLES, problems));
    let identity = (operator(fields), role, region(fields));
    let transports: Vec<Transport> = fields
        .required_texts("transports")
        .iter()
        .filter_map(|text| word(text, "transport", TRANSPORTS, problems))
        .collect();
    let addresses: Vec<IpAddr> = fields
        .required_texts("addresses")
        .iter()
        .filter_map(|text| words::address(text, Purpose::Asked, problems))
        .collect();
    let names = names(fields, &transports);
    let path = doh_path(fields, &transports);
    let (Some(id), (Some(operator), Some(role), Some(region))) = (id, identity.clone()) else {
        return Vec::new();
    };
    agree(fields, &id, &identity, identities);
    let point = |address: IpAddr, transport: Transport| Resolver {
        id: format!("{id}/{}/{address}", transport.word()),
        name: id.clone(),
        operator: operator.clone(),
        role,
        region,
        transport,
        address: SocketAddr::new(address, port(transport)),
        server_name: names.of(transport),
        path: path.clone(),
        is_local: false,
    };
    // One more than allowed is enough to tell that there are too many.
    let each = |address: &IpAddr| {
        transports
            .iter()
            .map(|transport| point(*address, *transport))
            .collect::<Vec<_>>()
    };
    addresses
        .iter()
        .flat_map(each)
        .take(MAX_RESOLVERS + 1)
        .collect()
}

/// Tables that share an id speak of one resolver.
fn agree(
    fields: &Fields<'_>,
    id: &str,
    identity: &Identity,
    identities: &mut BTreeMap<String, Identity>,
) {
    let first = identities
        .entry(id.to_owned())
        .or_insert_with(|| identity.clone());
    if first != identity {
        let message = format!("resolver `{id}` has another operator, role or region above");
        let hint = "make them agree, or take another id".to_owned();
        fields.problems().add(fields.span(), message, Some(hint));
    }
}

fn resolver_id(fields: &Fields<'_>) -> Option<String> {
    let text = fields.required_text("id")?;
    let id = words::id(&text, "id", fields.problems())?;
    if id == "system" {
        let message = "`system` is the name of this machine's own resolvers".to_owned();
        fields
            .problems()
            .add(&text.span(), message, Some("take another id".to_owned()));
        return None;
    }
    Some(id)
}

const fn port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 53,
        Transport::Dot => 853,
        Transport::Doh => 443,
    }
}

/// The names in a resolver's certificates.
struct Names {
    dot: Option<String>,
    doh: Option<String>,
}

impl Names {
    fn of(&self, transport: Transport) -> Option<String> {
        match transport {
            Transport::Udp | Transport::Tcp => None,
            Transport::Dot => self.dot.clone(),
            Transport::Doh => self.doh.clone(),
        }
    }
}

fn names(fields: &Fields<'_>, transports: &[Transport]) -> Names {
    let name = |key| {
        fields
            .text(key)
            .and_then(|text| words::host(&text, fields.problems()))
    };
    let common = name("server_name");
    for (transport, key) in [(Transport::Dot, "dot_name"), (Transport::Doh, "doh_name")] {
        if transports.contains(&transport) && !fields.has(key) && !fields.has("server_name") {
            let message = format!(
                "`{}` needs the name in the resolver's certificate",
                transport.word()
            );
            let hint = format!("write `server_name = \"...\"`, or `{key}` where the two differ");
            fields
                .problems()
                .absent(&fields.place("transports"), message, Some(hint));
        }
    }
    Names {
        dot: name("dot_name").or_else(|| common.clone()),
        doh: name("doh_name").or(common),
    }
}

fn doh_path(fields: &Fields<'_>, transports: &[Transport]) -> String {
    if fields.has("path") && !transports.contains(&Transport::Doh) {
        let message = "`path` means nothing here: only `doh` has a request path".to_owned();
        fields.problems().add(
            &fields.place("path"),
            message,
            Some("leave it out".to_owned()),
        );
    }
    let path = fields
        .text("path")
        .and_then(|text| words::path(&text, fields.problems()));
    path.unwrap_or_else(|| "/dns-query".to_owned())
}
