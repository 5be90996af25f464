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

/// Binds a socket at every place. The sockets are not listening yet: a bound port that does not listen is a
/// closed port that nobody else can take. `stand` tells where the server of an address really stands.
pub fn bind(
    kind: Type,
    places: &BTreeSet<Place>,
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<(PortMap, Vec<(Place, Socket)>)> {
    let mut ports = PortMap::new();
    let mut sockets = Vec::with_capacity(places.len());
    let originals: BTreeSet<u16> = places.iter().map(|(_, port)| *port).collect();
    for original in originals {
        let addresses: Vec<IpAddr> = places
            .iter()
            .filter(|(_, port)| *port == original)
            .map(|(address, _)| *address)
            .collect();
        let taken: BTreeSet<u16> = ports.values().copied().collect();
        let stands: Vec<IpAddr> = addresses.iter().map(|it| stand(*it)).collect();
        let (number, bound) = bind_alike(kind, &stands, &taken)?;
        ports.insert(original, number);
        sockets.extend(addresses.into_iter().map(|it| (it, original)).zip(bound));
    }
    Ok((ports, sockets))
}

/// One free number for all these addresses, and a socket bound to it at each.
fn bind_alike(
    kind: Type,
    addresses: &[IpAddr],
    taken: &BTreeSet<u16>,
) -> io::Result<(u16, Vec<Socket>)> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let mut number = 0;
        let mut sockets = Vec::with_capacity(addresses.len());
        for address in addresses {
            match bind_one(kind, SocketAddr::new(*address, number)) {
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
        if sockets.len() == addresses.len() && !taken.contains(&number) {
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
    fn two_labs_stand_side_by_side() {
        let (first, held) = bind(Type::STREAM, &places(), here).unwrap();
        let (second, _) = bind(Type::STREAM, &places(), here).unwrap();
        assert_ne!(first[&80], second[&80]);
        drop(held);
    }
}
