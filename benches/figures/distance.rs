//! A lab that stands far away, on a thread of its own so that its work is not counted as the product's.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use blockprobe::catalog;
use blockprobe::lab::ports::PortMap;
use blockprobe::lab::scenarios::Scenario;
use blockprobe::lab::{self, Site};
use blockprobe::model::catalog::Catalog;
use blockprobe::model::line::Line;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;

use crate::relay;

/// Where the server of the lab's one IPv6 address stands.
const OF_IPV6: Ipv4Addr = Ipv4Addr::new(127, 255, 0, 1);

/// Who says nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody.
    Nobody,
    /// Every address of a target: a SYN is never answered.
    Targets,
    /// Every address, the resolvers' too.
    Everybody,
}

/// What somebody needs who measures the lab; it is gone when this is dropped.
pub struct Distant {
    /// The lab's catalog.
    pub catalog: Catalog,
    /// The line of somebody who lives in it.
    pub line: Line,
    /// What each TCP port became.
    pub tcp_ports: PortMap,
    /// What each UDP port became.
    pub udp_ports: PortMap,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Distant {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Opens the open lab so far away; `None`: right here, without relays.
pub fn open(half: Option<Duration>, silence: Silence) -> Distant {
    let scenario = lab::find("open").expect("the lab has this scenario");
    play(scenario, half, silence)
}

/// The same of any scenario.
pub fn play(scenario: &'static Scenario, half: Option<Duration>, silence: Silence) -> Distant {
    let (end, ended) = oneshot::channel();
    let (told, hear) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let stood = stand(scenario, half, silence).await;
            let (site, held) = stood.expect("loopback is free");
            drop(told.send((
                site.catalog.clone(),
                site.line.clone(),
                site.tcp_ports.clone(),
                site.udp_ports.clone(),
            )));
            drop(ended.await);
            drop((site, held));
        });
    });
    let (catalog, mut line, tcp_ports, udp_ports) = hear.recv().expect("the lab opened");
    // The lab's IPv6 is the one address `::1`: a run at a distance is one over IPv4.
    line.ipv6 &= half.is_none();
    Distant {
        catalog,
        line,
        tcp_ports,
        udp_ports,
        end: Some(end),
        thread: Some(thread),
    }
}

async fn stand(
    scenario: &Scenario,
    half: Option<Duration>,
    silence: Silence,
) -> io::Result<(Site, Vec<Socket>)> {
    let embedded = catalog::embedded();
    let Some(half) = half else {
        return Ok((lab::open(scenario, &embedded).await?, Vec::new()));
    };
    let site = lab::open_behind(scenario, &embedded, behind).await?;
    let targets = addresses_of_targets(&site);
    let is_silent = |address: IpAddr| match silence {
        Silence::Nobody => false,
        Silence::Targets => targets.contains(&address),
        Silence::Everybody => true,
    };
    let mut held = Vec::new();
    for front in site.streams.iter().filter(|it| it.is_ipv4()) {
        if is_silent(front.ip()) {
            held.extend(deaf(*front)?);
        } else {
            let listener = TcpListener::bind(front).await?;
            tokio::spawn(relay::streams(listener, moved(*front), half));
        }
    }
    for front in site.datagrams.iter().filter(|it| it.is_ipv4()) {
        let socket = UdpSocket::bind(front).await?;
        if is_silent(front.ip()) {
            held.push(socket.into_std()?.into());
        } else {
            tokio::spawn(relay::datagrams(socket, moved(*front), half));
        }
    }
    Ok((site, held))
}

/// A listener whose queue is full: the kernel drops every further SYN.
fn deaf(front: SocketAddr) -> io::Result<[Socket; 2]> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&front.into())?;
    listener.listen(0)?;
    let parked = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    parked.connect(&front.into())?;
    Ok([listener, parked])
}

/// The lab's addresses are in 127.64.0.0/10; their servers stand in 127.128.0.0/10.
fn behind(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [first, second, third, fourth] = address.octets();
            IpAddr::V4(Ipv4Addr::new(first, second + 64, third, fourth))
        }
        IpAddr::V6(_) => IpAddr::V4(OF_IPV6),
    }
}

fn moved(front: SocketAddr) -> SocketAddr {
    SocketAddr::new(behind(front.ip()), front.port())
}

fn addresses_of_targets(site: &Site) -> BTreeSet<IpAddr> {
    let services = site.catalog.targets.iter().flat_map(|it| &it.services);
    let mut addresses = BTreeSet::new();
    for endpoint in services.flat_map(|it| &it.endpoints) {
        addresses.extend(&endpoint.addresses);
        let host = endpoint.host.as_deref();
        let place = host.and_then(|name| site.address_of(name));
        addresses.extend(place.map(IpAddr::V4));
    }
    addresses
}
