//! A censored internet on loopback: honest servers, censors and the table of scenarios.

pub mod atlas;
pub mod authority;
pub mod censor;
pub mod door;
pub mod fault;
pub mod health;
pub mod hostile;
pub mod inspector;
pub mod life;
pub mod misfortune;
pub mod own;
pub mod ports;
pub mod quic;
pub mod resolver;
pub mod rewound;
pub mod rewrite;
pub mod scenarios;
pub mod server;
pub mod talk;
pub mod town;
pub mod weather;
pub mod web;
pub mod websocket;
pub mod whatsapp;
pub mod zone;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use socket2::{Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::lab::atlas::Atlas;
use crate::lab::authority::Signer;
use crate::lab::door::Face;
use crate::lab::life::Life;
use crate::lab::ports::{Claim, Place, PortMap};
use crate::lab::scenarios::{HOSTILE, SCENARIOS, Scenario};
use crate::lab::server::{BACKLOG, Server};
use crate::lab::talk::Way;
use crate::lab::town::{Seat, Town};
use crate::model::catalog::{Catalog, Protocol};
use crate::model::line::Line;

/// Every scenario, in the order in which `selftest` plays them.
pub fn scenarios() -> &'static [Scenario] {
    &SCENARIOS
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    let mut all = SCENARIOS.iter().chain(HOSTILE);
    all.find(|it| it.name == name)
}

/// How many sockets the servers of a scenario take.
pub fn sockets(scenario: &Scenario, catalog: &Catalog) -> usize {
    let town = Town::new(scenario, catalog, &Atlas::new(catalog, true));
    town.doors.len() + town.datagrams.len()
}

/// An internet that is open: its servers live as long as it does, and are gone when the runtime next turns.
#[derive(Debug)]
pub struct Site {
    /// The catalog that was given, with the lab's addresses, ports and private roots.
    pub catalog: Catalog,
    /// The line of somebody who lives in the lab.
    pub line: Line,
    /// What each TCP port of the catalog became.
    pub tcp_ports: PortMap,
    /// What each UDP port of the catalog became.
    pub udp_ports: PortMap,
    /// Where the product looks for a TCP server.
    pub streams: Vec<SocketAddr>,
    /// Where the product sends datagrams, to a server or to nobody.
    pub datagrams: Vec<SocketAddr>,
    atlas: Atlas,
    servers: Life,
    /// Closed ports and silent addresses: bound, so that nobody else takes them.
    _held: Vec<Socket>,
    /// The right to the numbers of its ports.
    _claim: Claim,
}

impl Site {
    /// The lab's address of a name.
    pub fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        self.atlas.host(host)
    }

    /// The lab's number for a TCP port of the catalog.
    pub fn port_for(&self, port: u16) -> Option<u16> {
        self.tcp_ports.get(&port).copied()
    }

    /// The lab's public root in PEM, for command-line clients.
    pub fn ca_pem(&self) -> io::Result<String> {
        authority::root_pem(&Signer::Public)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.servers.end();
    }
}

/// Opens a scenario for a catalog. Errors are those of this machine's sockets: no part of loopback is free.
///
/// # Errors
/// When the lab's addresses cannot be bound.
pub async fn open(scenario: &Scenario, catalog: &Catalog) -> io::Result<Site> {
    open_behind(scenario, catalog, |address| address).await
}

/// The same with every server at another address than the one the product is told, `stand` of it: something can then be
/// put between them. The port is the same, and at the address that is told nobody listens.
///
/// # Errors
/// When the lab's addresses cannot be bound.
#[expect(
    clippy::unused_async,
    reason = "it spawns tasks, so it must be called where a runtime is"
)]
pub async fn open_behind(
    scenario: &Scenario,
    catalog: &Catalog,
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<Site> {
    let has_ipv6 = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let atlas = Atlas::new(catalog, has_ipv6);
    let town = Town::new(scenario, catalog, &atlas);
    let tcp: BTreeSet<Place> = town.doors.keys().copied().collect();
    let udp: BTreeSet<Place> = town.datagrams.keys().copied().collect();
    let claim = Claim::take(IpAddr::V4(atlas::FIRST));
    let [(tcp_ports, streams), (udp_ports, datagrams)] =
        ports::bind_both(&tcp, &udp, &stand, &claim)?;
    let mut line = line_of_a_resident(town.claims_ipv6 || has_ipv6)?;
    line.notes = own::notes(scenario, catalog);
    let catalog = rewrite::catalog(catalog, scenario.name, &atlas, &tcp_ports, &udp_ports)?;
    let servers = Life::default();
    let told = |places: &[(Place, Socket)], ports: &PortMap| -> Vec<SocketAddr> {
        let numbered = |(address, port): &Place| {
            let number = ports.get(port).copied();
            number.map(|number| SocketAddr::new(*address, number))
        };
        places.iter().filter_map(|(it, _)| numbered(it)).collect()
    };
    let told_streams = told(&streams, &tcp_ports);
    let told_datagrams = told(&datagrams, &udp_ports);
    let mut held = start_tcp(&town, streams, &servers)?;
    held.extend(start_udp(&town, datagrams, &servers)?);
    Ok(Site {
        catalog,
        line,
        tcp_ports,
        udp_ports,
        streams: told_streams,
        datagrams: told_datagrams,
        atlas,
        servers,
        _held: held,
        _claim: claim,
    })
}

fn line_of_a_resident(ipv6: bool) -> io::Result<Line> {
    let ours = Ipv4Net::new(atlas::FIRST, atlas::PREFIX).map_err(io::Error::other)?;
    Ok(Line {
        lookup: false,
        ipv4: true,
        ipv6,
        own: Vec::new(),
        playground: vec![
            IpNet::V4(ours),
            IpNet::V6(Ipv6Net::from(Ipv6Addr::LOCALHOST)),
        ],
        added_roots: vec![authority::root(&Signer::Public)?.to_vec()],
        notes: Vec::new(),
    })
}

/// Opens the doors; the sockets of those that stay closed come back.
fn start_tcp(town: &Town, sockets: Vec<(Place, Socket)>, life: &Life) -> io::Result<Vec<Socket>> {
    let mut held = Vec::new();
    for (place, socket) in sockets {
        let door = town.doors.get(&place).filter(|it| it.face != Face::Closed);
        let Some(door) = door else {
            held.push(socket);
            continue;
        };
        if door.face == Face::Dropped {
            held.extend(swallow(socket)?);
            continue;
        }
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let name = place.0.to_string();
        let server = Server::new(
            door.clone(),
            &name,
            Arc::clone(&town.speakers),
            Arc::clone(&town.inspector),
            life.clone(),
        )
        .on(&town.weather);
        life.spawn_for_ever(server.serve(listener));
    }
    Ok(held)
}

/// Makes a listener at which SYNs vanish: nobody accepts, and one parked connection fills its backlog of none.
fn swallow(socket: Socket) -> io::Result<[Socket; 2]> {
    socket.listen(0)?;
    let parked = Socket::new(socket.domain()?, Type::STREAM, None)?;
    parked.connect(&socket.local_addr()?)?;
    Ok([socket, parked])
}

/// Lets resolvers and relays speak over UDP, and QUIC's servers shake hands; the sockets of silent addresses come back.
fn start_udp(town: &Town, sockets: Vec<(Place, Socket)>, life: &Life) -> io::Result<Vec<Socket>> {
    let mut held = Vec::new();
    for (place, socket) in sockets {
        let seat = town.datagrams.get(&place).copied().unwrap_or_default();
        let speaker = match seat {
            Seat::Resolver(index) => town.speakers.get(index),
            Seat::Relay(_) | Seat::Nobody => None,
        };
        match (seat, speaker) {
            (_, Some(speaker)) => {
                let socket = UdpSocket::from_std(socket.into())?;
                let (speaker, weather) = (speaker.clone(), Arc::clone(&town.weather));
                life.spawn_for_ever(resolver::serve_udp(socket, speaker, weather, life.clone()));
            }
            (Seat::Relay(Protocol::Quic), None) => {
                let door = town.quic.get(&place);
                let Some(door) = door.filter(|it| it.face == Face::Honest) else {
                    held.push(socket);
                    continue;
                };
                let config = server::server_config(door, &place.0.to_string());
                let socket = UdpSocket::from_std(socket.into())?;
                let (answerer, gate) = (quic::answer::of(door.clone()), town.gate.clone());
                life.spawn_for_ever(quic::serve(socket, config, answerer, gate));
            }
            (Seat::Relay(protocol), None) => {
                let socket = UdpSocket::from_std(socket.into())?;
                let way = Way {
                    weather: Arc::clone(&town.weather),
                    knows_stun: town.inspector.knows_stun(),
                };
                match town.described.get(&place).cloned() {
                    Some(custom) => {
                        life.spawn_for_ever(talk::serve_described_datagrams(socket, custom));
                    }
                    None => life.spawn_for_ever(talk::serve_datagrams(socket, protocol, way)),
                }
            }
            _ => held.push(socket),
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_site_behind_leaves_the_addresses_that_are_told_to_others() {
        let scenario = find("open").unwrap();
        let aside = |address: IpAddr| match address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() + (64 << 16))),
            IpAddr::V6(_) => IpAddr::V4(Ipv4Addr::new(127, 255, 9, 1)),
        };
        // The portal and the block page are there whatever the catalog has.
        let site = open_behind(scenario, &Catalog::default(), aside)
            .await
            .unwrap();
        let told = site.streams.iter().find(|it| it.is_ipv4()).unwrap();
        let stand = SocketAddr::new(aside(told.ip()), told.port());
        assert!(TcpStream::connect(told).is_err());
        assert!(TcpStream::connect(stand).is_ok());
    }
}
