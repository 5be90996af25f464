//! The catalog as it is in the lab: the same endpoints, controls and resolvers at the lab's addresses.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::lab::atlas::{Atlas, BLOCK_PAGE};
use crate::lab::authority::{Signer, root};
use crate::lab::door::is_udp;
use crate::lab::ports::PortMap;
use crate::lab::town::system_resolver;
use crate::lab::whatsapp::noise_root;
use crate::model::catalog::{BlockPage, Catalog, Endpoint, Resolver, ResolverRole, Transport};

/// Rewrites a catalog. Ids stay, so that a report reads as it would outside.
pub fn catalog(
    original: &Catalog,
    scenario: &str,
    atlas: &Atlas,
    tcp: &PortMap,
    udp: &PortMap,
) -> io::Result<Catalog> {
    let mut catalog = original.clone();
    catalog.definitions.source = format!("lab:{scenario}");
    let services = catalog.targets.iter_mut().flat_map(|it| &mut it.services);
    for endpoint in services.flat_map(|it| &mut it.endpoints) {
        move_endpoint(endpoint, atlas, tcp, udp);
    }
    for control in &mut catalog.controls {
        move_endpoint(&mut control.endpoint, atlas, tcp, udp);
    }
    catalog.resolvers = resolvers(original, atlas, tcp, udp);
    for private in &mut catalog.private_roots {
        let signer = Signer::Private(private.id.clone());
        private.certificates = vec![root(&signer)?.to_vec()];
    }
    catalog.block_pages = atlas
        .host(BLOCK_PAGE)
        .map(|address| BlockPage {
            operator: "provider".to_owned(),
            addresses: vec![IpAddr::V4(address)],
            hosts: Vec::new(),
            texts: Vec::new(),
        })
        .into_iter()
        .collect();
    Ok(catalog)
}

fn move_endpoint(endpoint: &mut Endpoint, atlas: &Atlas, tcp: &PortMap, udp: &PortMap) {
    let places = endpoint.addresses.iter();
    let mut places: Vec<IpAddr> = places.filter_map(|it| atlas.address(*it)).collect();
    // Every fixed IPv6 address is the same place.
    places.dedup();
    endpoint.addresses = places;
    if let Some(root) = &mut endpoint.expect.noise_root {
        *root = noise_root();
    }
    let ports = if is_udp(endpoint.protocol) { udp } else { tcp };
    if let Some(port) = ports.get(&endpoint.port) {
        endpoint.port = *port;
    }
}

fn resolvers(original: &Catalog, atlas: &Atlas, tcp: &PortMap, udp: &PortMap) -> Vec<Resolver> {
    let mut moved: Vec<Resolver> = Vec::new();
    let system = system_resolver(atlas);
    let publics = original
        .resolvers
        .iter()
        .filter(|it| it.role != ResolverRole::System);
    for resolver in system.iter().chain(publics) {
        let is_system = resolver.role == ResolverRole::System;
        let address = if is_system {
            Some(resolver.address.ip())
        } else {
            atlas.address(resolver.address.ip())
        };
        let ports = match resolver.transport {
            Transport::Udp => udp,
            Transport::Tcp | Transport::Dot | Transport::Doh => tcp,
        };
        let port = ports.get(&resolver.address.port());
        let (Some(address), Some(port)) = (address, port) else {
            continue;
        };
        let address = SocketAddr::new(address, *port);
        // The lab has one IPv6 address: the first resolver that wants it has it.
        let is_taken = |it: &Resolver| {
            it.address == address && it.transport == resolver.transport && address.is_ipv6()
        };
        if !moved.iter().any(is_taken) {
            moved.push(Resolver {
                address,
                ..resolver.clone()
            });
        }
    }
    moved
}
