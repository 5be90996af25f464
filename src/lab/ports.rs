//! Binds the lab's sockets: every port of the catalog becomes one free port of this machine, the same everywhere.
//!
//! The only lab of a machine has the same numbers in every run (443 becomes 20443), so that its reports can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use socket2::{Domain, Protocol, Socket, Type};

/// Ports of the catalog and what they became.
pub type PortMap = BTreeMap<u16, u16>;

/// An address and a port as the catalog has it.
pub type Place = (IpAddr, u16);

/// How often another number is tried where somebody on this machine holds the first.
const ATTEMPTS: usize = 64;

/// Where stable numbers begin, in order of preference. The kernel gives none of them to others by default.
const BASES: [u16; 4] = [20_000, 10_000, 40_000, 50_000];
/// How many numbers follow each beginning.
const SPAN: u16 = 10_000;
/// The range from which the kernel gives port 0 a number: first and last, by default 32768 and 60999.
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// What the ports of one transport became, and the socket at each place.
pub type Bound = (PortMap, Vec<(Place, Socket)>);

/// The right of one lab on this machine to the stable numbers, for as long as this lives. All other labs have random ones.
#[derive(Debug)]
pub struct Claim {
    bases: Vec<u16>,
    /// A datagram socket: nothing lingers of it when its process ends, however it ends.
    _lock: Option<UdpSocket>,
}

impl Claim {
    /// Takes the right, if no other lab of this machine has it. The address is one that the lab gives to no server.
    pub fn take(address: IpAddr) -> Self {
        let lock = UdpSocket::bind((address, BASES[0])).ok();
        let ephemeral = fs::read_to_string(EPHEMERAL).unwrap_or_default();
        Self {
            bases: lock.as_ref().map_or_else(Vec::new, |_| bases(&ephemeral)),
            _lock: lock,
        }
    }

    /// No right: every number is random.
    pub const fn none() -> Self {
        Self {
            bases: Vec::new(),
            _lock: None,
        }
    }

    /// Numbers that a port may become, the preferred one first.
    fn numbers(&self, original: u16) -> impl Iterator<Item = u16> {
        self.bases.iter().map(move |base| base + original % SPAN)
    }
}

/// The beginnings whose numbers the kernel does not hand out; the first one where it hands out all.
fn bases(ephemeral: &str) -> Vec<u16> {
    let mut ends = ephemeral.split_whitespace().map(str::parse::<u16>);
    let range: RangeInclusive<u16> = match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        _ => 32_768..=60_999,
    };
    let is_apart = |base: &u16| base + SPAN <= *range.start() || base > range.end();
    let apart: Vec<u16> = BASES.into_iter().filter(is_apart).collect();
    if apart.is_empty() {
        vec![BASES[0]]
    } else {
        apart
    }
}

/// Binds a socket at every place, at random numbers. The sockets are not listening yet: a bound port that does not listen
/// is a closed port that nobody else can take. `stand` tells where the server of an address really stands.
pub fn bind(
    kind: Type,
    places: &BTreeSet<Place>,
    stand: impl Fn(IpAddr) -> IpAddr,
) -> io::Result<Bound> {
    let [bound] = bind_all([(kind, places)], stand, &Claim::none())?;
    Ok(bound)
}

/// The same for TCP and UDP together: a port that both have becomes one number, because a server that is asked over one
/// transport is asked over the other at the same port. With a claim the numbers are the stable ones where they are free.
pub fn bind_both(
    streams: &BTreeSet<Place>,
    datagrams: &BTreeSet<Place>,
    stand: impl Fn(IpAddr) -> IpAddr,
    claim: &Claim,
) -> io::Result<[Bound; 2]> {
    let kinds = [(Type::STREAM, streams), (Type::DGRAM, datagrams)];
    bind_all(kinds, stand, claim)
}

fn bind_all<const KINDS: usize>(
    kinds: [(Type, &BTreeSet<Place>); KINDS],
    stand: impl Fn(IpAddr) -> IpAddr,
    claim: &Claim,
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
        let stable = claim
            .numbers(original)
            .filter(|number| !taken.contains(number))
            .find_map(|number| Some((number, bind_at(&stands, number)?)));
        let (number, sockets) = match stable {
            Some(bound) => bound,
            None => bind_alike(&stands, &taken)?,
        };
        taken.insert(number);
        for ((at, address), socket) in wanted.into_iter().zip(sockets) {
            let (ports, bound) = &mut bound[at];
            ports.insert(original, number);
            bound.push(((address, original), socket));
        }
    }
    Ok(bound)
}

/// A socket at each of these with this number; `None` where one of them is taken.
fn bind_at(stands: &[(Type, IpAddr)], number: u16) -> Option<Vec<Socket>> {
    let bound = |(kind, address): &(Type, IpAddr)| {
        let address = SocketAddr::new(*address, number);
        // Connections of the lab before this one linger for a minute; they must not take its numbers away.
        let (_, socket) = bind_one(*kind, address, *kind == Type::STREAM).ok()?;
        Some(socket)
    };
    stands.iter().map(bound).collect()
}

/// One free number for all of these, and a socket bound to it at each.
fn bind_alike(stands: &[(Type, IpAddr)], taken: &BTreeSet<u16>) -> io::Result<(u16, Vec<Socket>)> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let mut number = 0;
        let mut sockets = Vec::with_capacity(stands.len());
        for (kind, address) in stands {
            match bind_one(*kind, SocketAddr::new(*address, number), false) {
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

fn bind_one(kind: Type, address: SocketAddr, again: bool) -> io::Result<(u16, Socket)> {
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
    socket.set_reuse_address(again)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket();
    let port = bound.map_or(address.port(), |it| it.port());
    Ok((port, socket))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

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
        let [(tcp, streams), (udp, sockets)] =
            bind_both(&places(), &datagrams, here, &Claim::none()).unwrap();
        assert_eq!((streams.len(), sockets.len()), (4, 5));
        assert_eq!((tcp[&80], tcp[&443]), (udp[&80], udp[&443]));
        assert!(!tcp.contains_key(&3478));
        assert!(!tcp.values().any(|number| *number == udp[&3478]));
    }

    #[test]
    fn the_only_lab_has_the_same_numbers_in_every_run() {
        // An address of this test's own: other tests open labs at the same time.
        let claim = Claim::take("127.64.255.255".parse().unwrap());
        let places: BTreeSet<Place> = ["127.64.9.4", "127.64.9.5"]
            .iter()
            .flat_map(|it| [(it.parse().unwrap(), 443), (it.parse().unwrap(), 5222)])
            .collect();
        for _ in 0..2 {
            let [(tcp, streams), (udp, _)] = bind_both(&places, &places, here, &claim).unwrap();
            assert_eq!((tcp[&443], tcp[&5222]), (20_443, 25_222));
            assert_eq!(tcp, udp);
            // A connection that its server ends lingers there.
            let (_, server) = streams.into_iter().next().unwrap();
            server.listen(1).unwrap();
            let address = server.local_addr().unwrap().as_socket().unwrap();
            let client = TcpStream::connect(address).unwrap();
            drop(server.accept().unwrap());
            drop(client);
        }
    }

    #[test]
    fn the_second_of_two_labs_has_other_numbers() {
        let address: IpAddr = "127.64.255.254".parse().unwrap();
        let first = Claim::take(address);
        let second = Claim::take(address);
        assert_eq!(first.numbers(443).next(), Some(20_443));
        assert_eq!(second.numbers(443).next(), None);
        drop(first);
        assert_eq!(Claim::take(address).numbers(443).next(), Some(20_443));
    }

    #[test]
    fn a_number_that_is_taken_becomes_the_next() {
        let claim = Claim::take("127.64.255.253".parse().unwrap());
        let place: Place = ("127.64.9.6".parse().unwrap(), 443);
        let _other = UdpSocket::bind((place.0, 20_443)).unwrap();
        let alone = BTreeSet::from([place]);
        let [_, (udp, _)] = bind_both(&BTreeSet::new(), &alone, here, &claim).unwrap();
        assert_eq!(udp[&443], 10_443);
    }

    #[test]
    fn stable_numbers_are_none_that_the_kernel_hands_out() {
        assert_eq!(bases("32768\t60999\n"), [20_000, 10_000]);
        assert_eq!(bases("15000 35000"), [40_000, 50_000]);
        assert_eq!(bases("1024 65535"), [20_000]);
        assert_eq!(bases("nonsense"), [20_000, 10_000]);
    }

    #[test]
    fn two_labs_stand_side_by_side() {
        let (first, held) = bind(Type::STREAM, &places(), here).unwrap();
        let (second, _) = bind(Type::STREAM, &places(), here).unwrap();
        assert_ne!(first[&80], second[&80]);
        drop(held);
    }
}
