//! Every name of the definitions with an address of its own, in the networks where they are in the field.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use blockprobe::lab::atlas::ADVERTISERS;
use blockprobe::lab::zone::{Voice, Zone};
use blockprobe::model::catalog::{Catalog, Endpoint, Region, Resolver, ResolverRole, Transport};

/// The provider's resolver, which the client is told to use.
pub const PROVIDER: Ipv4Addr = Ipv4Addr::new(11, 53, 0, 1);

/// The address of a name: Telegram's, WhatsApp's and Apple's names are in their networks, everybody else in 11/8.
pub fn address_of(catalog: &Catalog, name: &str) -> Ipv4Addr {
    let [_, high, middle, low, ..] = digest(name);
    let low = low.clamp(1, 254);
    let is_of =
        |target: &str| hosts(catalog).any(|(owner, host)| owner == Some(target) && host == name);
    if name.ends_with(".apple.com") {
        Ipv4Addr::new(17, high, middle, low)
    } else if is_of("telegram") {
        Ipv4Addr::new(149, 154, 160 + high % 16, low)
    } else if is_of("whatsapp") {
        Ipv4Addr::new(157, 240, middle, low)
    } else {
        Ipv4Addr::new(11, high, middle, low)
    }
}

/// The IPv6 address of a name, in scenarios that have IPv6.
pub fn address_6_of(name: &str) -> Ipv6Addr {
    let [first, second, third, fourth, ..] = digest(name);
    let word = |high: u8, low: u8| u16::from(high) << 8 | u16::from(low);
    Ipv6Addr::new(
        0x2a0d,
        0x11,
        0,
        0,
        0,
        0,
        word(first, second),
        word(third, fourth),
    )
}

/// An honest zone of every name there is.
pub fn zone(catalog: &Catalog) -> Zone {
    let names = hosts(catalog).map(|(_, host)| host);
    let names = names.chain(ADVERTISERS.iter().copied());
    let hosts: HashMap<String, Ipv4Addr> = names
        .map(|name| (name.to_owned(), address_of(catalog, name)))
        .collect();
    Zone {
        hosts,
        ..Zone::default()
    }
}

/// Who speaks at each address: the resolvers of the definitions, and the provider's.
pub fn voices(catalog: &Catalog) -> HashMap<IpAddr, Vec<Voice>> {
    let provider = Resolver {
        id: format!("system/udp/{PROVIDER}"),
        name: "system".to_owned(),
        operator: "provider".to_owned(),
        role: ResolverRole::System,
        region: Region::Domestic,
        transport: Transport::Udp,
        address: (PROVIDER, 53).into(),
        server_name: None,
        path: "/dns-query".to_owned(),
        is_local: false,
    };
    let mut voices: HashMap<IpAddr, Vec<Voice>> = HashMap::new();
    for speaker in std::iter::once(&provider).chain(&catalog.resolvers) {
        let here = speaker.address.ip();
        voices.entry(here).or_default().push(Voice {
            egress: egress_of(catalog, speaker),
            speaker: speaker.clone(),
        });
    }
    voices
}

/// Where a resolver's own questions come from: its operator's first IPv4 address.
fn egress_of(catalog: &Catalog, speaker: &Resolver) -> Ipv4Addr {
    let of_operator = catalog.resolvers.iter();
    let of_operator = of_operator.filter(|it| it.operator == speaker.operator);
    let mut addresses = std::iter::once(speaker)
        .chain(of_operator)
        .map(|it| it.address.ip());
    addresses
        .find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .unwrap_or(PROVIDER)
}

/// Every host name with the target it belongs to; controls belong to none.
fn hosts(catalog: &Catalog) -> impl Iterator<Item = (Option<&str>, &str)> {
    let targets = catalog.targets.iter().flat_map(|target| {
        let endpoints = target.services.iter().flat_map(|it| &it.endpoints);
        endpoints.map(|endpoint| (Some(target.id.as_str()), endpoint))
    });
    let controls = catalog.controls.iter().map(|it| (None, &it.endpoint));
    targets
        .chain(controls)
        .filter_map(|(owner, endpoint): (_, &Endpoint)| Some((owner, endpoint.host.as_deref()?)))
}

/// Bytes that are a name's own (FNV-1a).
fn digest(name: &str) -> [u8; 8] {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.to_be_bytes()
}

#[test]
fn every_name_has_an_address_of_its_own() {
    let catalog = blockprobe::catalog::embedded();
    let zone = zone(&catalog);
    let addresses: std::collections::HashSet<_> = zone.hosts.values().collect();
    assert_eq!(addresses.len(), zone.hosts.len());
}
