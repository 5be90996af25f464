//! Binds the lab's sockets: every port of the catalog becomes one free port of this machine, the same everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Ports of the catalog and what they became.
pub type PortMap = BTreeMap<u16, u16>;

/// An address and a port as the catalog has it.
pub type Place = (IpAddr, u16);

/// How often another number is tried where somebody on this machine holds the first.
const ATTEMPTS: usize = 64;

/// What the ports of one transport became, and the socket at each place.
pub type Bound = (PortMap, Vec<(Place, Socket)>);

/// Binds a socket at every place. The sockets are not listening yet: a bound port that does not listen is a
/// closed port that nobody else can take. `stand` tells where the server of an address really stands.
pub fn bind(
    kind: Type,
    places: &BTreeSet<Place>,
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<Bound> {
    let [bound] = bind_all([(kind, places)], stand)?;
    Ok(bound)
}

/// The same for TCP and UDP together: a port that both have becomes one number, because a server that is asked over one
/// transport is asked over the other at the same port.
pub fn bind_both(
    streams: &BTreeSet<Place>,
    datagrams: &BTreeSet<Place>,
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<[Bound; 2]> {
    bind_all([(Type::STREAM, streams), (Type::DGRAM, datagrams)], stand)
}

fn bind_all<const KINDS: usize>(
    kinds: [(Type, &BTreeSet<Place>); KINDS],
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<[Bound; KINDS]> {
    let mut bound: [Bound; KINDS] = std::array::from_fn(|_| Bound::default());
    let all = kinds.iter().flat_map(|(_, places)| places.iter());
    let originals: BTreeSet<u16> = all.map(|(_, port)| *port).collect();
    let mut taken = BTreeSet::new();
    for original in originals {
        let mut wanted: Vec<(usize, IpAddr)> = Vec::new();
        for (at, (_, places)) in kinds.iter().enumerate() {
            let places = places.iter().filter(|(_, port)| *port == original);
            wanted.extend(places.map(|(address, _)| (at, *address)));
        }
        let stands: Vec<(Type, IpAddr)> = wanted
            .iter()
            .map(|(at, address)| (kinds[*at].0, stand(*address)))
            .collect();
        let (number, sockets) = bind_alike(&stands, &taken)?;
        taken.insert(number);
        for ((at, address), socket) in wanted.into_iter().zip(sockets) {
            let (ports, bound) = &mut bound[at];
            ports.insert(original, number);
            bound.push(((address, original), socket));
        }
    }
    Ok(bound)
}

/// One free number for all of these, and a socket bound to it at each.
fn bind_alike(stands: &[(Type, IpAddr)], taken: &BTreeSet<u16>) -> io::Result<(u16, Vec<Socket>)> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let mut number = 0;
        let mut sockets = Vec::with_capacity(stands.len());
        for (kind, address) in stands {
            match bind_one(*kind, SocketAddr::new(*address, number)) {
                Ok((port, socket)) => {
                    number = port;
                    sockets.push(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    refusal = error;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if sockets.len() == stands.len() && !taken.contains(&number) {
            return Ok((number, sockets));
        }
    }
    Err(refusal)
}

fn bind_one(kind: Type, address: SocketAddr) -> io::Result<(u16, Socket)> {
    let protocol = if kind == Type::STREAM {
        Protocol::TCP
    } else {
        Protocol::UDP
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket();
    let port = bound.map_or(address.port(), |it| it.port());
    Ok((port, socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> BTreeSet<Place> {
        ["127.64.9.1", "127.64.9.2"]
            .iter()
            .flat_map(|it| [(it.parse().unwrap(), 80), (it.parse().unwrap(), 443)])
            .collect()
    }

    fn here(address: IpAddr) -> IpAddr {
        address
    }

    #[test]
    fn a_port_has_the_same_number_at_every_address() {
        let (ports, sockets) = bind(Type::STREAM, &places(), here).unwrap();
        assert_eq!(sockets.len(), 4);
        assert_ne!(ports[&80], ports[&443]);
        for ((address, original), socket) in sockets {
            let bound = socket.local_addr().unwrap().as_socket().unwrap();
            assert_eq!(bound, SocketAddr::new(address, ports[&original]));
        }
    }

    #[test]
    fn a_port_of_both_transports_has_one_number() {
        let alone = BTreeSet::from([("127.64.9.3".parse().unwrap(), 3478)]);
        let datagrams: BTreeSet<Place> = places().into_iter().chain(alone).collect();
        let [(tcp, streams), (udp, sockets)] = bind_both(&places(), &datagrams, here).unwrap();
        assert_eq!((streams.len(), sockets.len()), (4, 5));
        assert_eq!((tcp[&80], tcp[&443]), (udp[&80], udp[&443]));
        assert!(!tcp.contains_key(&3478));
        assert!(!tcp.values().any(|number| *number == udp[&3478]));
    }

    #[test]
    fn two_labs_stand_side_by_side() {
        let (first, held) = bind(Type::STREAM, &places(), here).unwrap();
        let (second, _) = bind(Type::STREAM, &places(), here).unwrap();
        assert_ne!(first[&80], second[&80]);
        drop(held);
    }
}
