//! An internet of Debian's servers: the whole catalog at free ports of loopback, unbound for its resolvers, nginx for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use blockprobe::catalog::embedded;
use blockprobe::lab::atlas::Atlas;
use blockprobe::lab::door::is_udp;
use blockprobe::lab::ports::{self, Place, PortMap};
use blockprobe::lab::rewrite;
use blockprobe::model::catalog::{
    Catalog, Endpoint, Protocol, Resolver as Known, ResolverRole, Transport,
};
use blockprobe::model::line::Line;
use blockprobe::model::observation::Operation;
use socket2::{Socket, Type};
use tempfile::TempDir;

use crate::certificates;
use crate::nginx::{self, Door};
use crate::program::{PortTaken, Program};
use crate::unbound::{Lie, Resolver};

/// What is wrong with the world.
#[derive(Clone, Copy, Debug, Default)]
pub struct World {
    /// What the system's resolver does to WhatsApp's names.
    pub lie: Option<Lie>,
    /// The system's resolver answers at the address of every other one, and where no resolver is, over UDP.
    pub is_hijacked: bool,
    /// A host whose certificate nobody has heard of.
    pub stranger: Option<&'static str>,
}

/// The servers and the way to them.
pub struct Site {
    /// The embedded catalog at this site's addresses and ports.
    pub catalog: Catalog,
    /// The line of somebody who lives here.
    pub line: Line,
    /// What nginx serves, and where.
    pub doors: BTreeMap<SocketAddr, Door>,
    /// nginx for the targets.
    pub targets: Program,
    /// nginx for the controls.
    pub controls: Program,
    /// unbound for the provider's resolver.
    pub system: Program,
    /// unbound for all the others.
    pub public: Program,
    /// Where redirects lead.
    pub elsewhere: String,
    trap: TcpListener,
    /// UDP ports where nobody answers: the decoy's, and those of protocols that are not spoken yet.
    _silent: Vec<Socket>,
    _directory: TempDir,
}

/// Between finding free ports and opening them nobody else here may look for some.
static OPENING: Mutex<()> = Mutex::new(());

/// How often other ports are looked for: what the other tests measure takes ports of its own between finding and opening.
const ATTEMPTS: usize = 5;

impl Site {
    /// Starts everything. Blocks until the last port is open.
    pub fn open(world: World) -> Self {
        let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        (0..ATTEMPTS)
            .find_map(|_| Self::try_open(world).ok())
            .unwrap_or_else(|| panic!("no free ports in {ATTEMPTS} attempts"))
    }

    fn try_open(world: World) -> Result<Self, PortTaken> {
        let original = over_tcp(embedded());
        let has_ipv6 = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let atlas = Atlas::new(&original, has_ipv6);
        let (tcp, udp, silent) = free_ports(&original, &atlas, world);
        let mut catalog = rewrite::catalog(&original, "open", &atlas, &tcp, &udp).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let roots = certify(&mut catalog, directory.path());
        let (targets, controls) = doors(&catalog, &atlas, world);
        let trap = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).unwrap();
        trap.set_nonblocking(true).unwrap();
        let elsewhere = format!("http://{}/elsewhere", trap.local_addr().unwrap());
        let hosts = hosts(&catalog, &atlas);
        let [system, public] = resolvers(&catalog, &hosts, world);
        Ok(Self {
            targets: nginx::start(directory.path(), "targets", &targets, &elsewhere)?,
            controls: nginx::start(directory.path(), "controls", &controls, &elsewhere)?,
            system: system.start(directory.path())?,
            public: public.start(directory.path())?,
            line: line(has_ipv6, roots),
            doors: targets.into_iter().chain(controls).collect(),
            catalog,
            elsewhere,
            trap,
            _silent: silent,
            _directory: directory,
        })
    }

    /// Whether somebody followed a redirect.
    pub fn was_followed(&self) -> bool {
        self.trap.accept().is_ok()
    }
}

/// What Debian's programs serve as they are set up here: over TCP alone, and of the apps' own protocols what carries them.
fn over_tcp(mut catalog: Catalog) -> Catalog {
    for target in &mut catalog.targets {
        for service in &mut target.services {
            service
                .endpoints
                .retain(|endpoint| !endpoint.protocol.is_udp());
            for endpoint in &mut service.endpoints {
                if endpoint.protocol.ladder().contains(&Operation::Exchange) {
                    endpoint.protocol = if endpoint.protocol.is_tls() {
                        Protocol::Tls
                    } else {
                        Protocol::Tcp
                    };
                }
            }
        }
        target
            .services
            .retain(|service| !service.endpoints.is_empty());
    }
    catalog
        .controls
        .retain(|control| !control.endpoint.protocol.is_udp());
    catalog
}

/// Every port of the catalog becomes a free one, the same everywhere. Where nobody will answer over UDP the sockets
/// are kept.
fn free_ports(catalog: &Catalog, atlas: &Atlas, world: World) -> (PortMap, PortMap, Vec<Socket>) {
    let mut streams: BTreeSet<Place> = BTreeSet::new();
    let mut datagrams: BTreeSet<Place> = BTreeSet::new();
    let mut answering: BTreeSet<Place> = BTreeSet::new();
    for (endpoint, _) in endpoints(catalog) {
        let places = atlas.addresses(endpoint);
        let places = places.into_iter().map(|it| (it, endpoint.port));
        if is_udp(endpoint.protocol) {
            datagrams.extend(places);
        } else {
            streams.extend(places);
        }
    }
    for resolver in &catalog.resolvers {
        let Some(address) = atlas.address(resolver.address.ip()) else {
            continue;
        };
        let place = (address, resolver.address.port());
        if resolver.transport == Transport::Udp {
            datagrams.insert(place);
            if resolver.role != ResolverRole::Decoy || world.is_hijacked {
                answering.insert(place);
            }
        } else {
            streams.insert(place);
        }
    }
    let system = (IpAddr::V4(atlas.system.unwrap()), 53);
    datagrams.insert(system);
    answering.insert(system);
    let (tcp, _) = ports::bind(Type::STREAM, &streams, |address| address).unwrap();
    let (udp, sockets) = ports::bind(Type::DGRAM, &datagrams, |address| address).unwrap();
    let silent = sockets
        .into_iter()
        .filter(|(place, _)| !answering.contains(place));
    (tcp, udp, silent.map(|(_, socket)| socket).collect())
}

/// Certificates for everybody; gives the roots that the line trusts.
fn certify(catalog: &mut Catalog, directory: &Path) -> Vec<Vec<u8>> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (endpoint, _) in endpoints(catalog) {
        names.extend(endpoint.host.clone());
        names.extend(endpoint.server_name.clone());
    }
    let resolvers = catalog.resolvers.iter();
    names.extend(resolvers.filter_map(|it| it.server_name.clone()));
    let names: Vec<String> = names.into_iter().collect();
    for root in &mut catalog.private_roots {
        root.certificates = vec![certificates::issue(directory, &root.id, &names)];
    }
    certificates::issue(directory, "stranger", &names);
    vec![certificates::issue(directory, "public", &names)]
}

/// What the targets and the controls serve. TLS and HTTP versions alternate from place to place.
fn doors(
    catalog: &Catalog,
    atlas: &Atlas,
    world: World,
) -> (BTreeMap<SocketAddr, Door>, BTreeMap<SocketAddr, Door>) {
    let mut targets: BTreeMap<SocketAddr, Door> = BTreeMap::new();
    let mut controls = BTreeMap::new();
    for (endpoint, is_control) in endpoints(catalog) {
        if is_udp(endpoint.protocol) {
            continue;
        }
        let private = endpoint.expect.private_root.as_deref();
        let signer = match world.stranger {
            Some(host) if endpoint.host.as_deref() == Some(host) => "stranger",
            _ => private.unwrap_or("public"),
        };
        let certificate = endpoint.protocol.is_tls().then(|| signer.to_owned());
        let host = endpoint.host.as_deref().and_then(|name| atlas.host(name));
        // The catalog is rewritten already: fixed addresses are this site's.
        let fixed = endpoint.addresses.iter().copied();
        for address in host.map(IpAddr::V4).into_iter().chain(fixed) {
            let doors = if is_control {
                &mut controls
            } else {
                &mut targets
            };
            let count = doors.len();
            let place = SocketAddr::new(address, endpoint.port);
            let door = doors.entry(place).or_insert_with(|| Door {
                certificate: certificate.clone(),
                is_old: count % 2 == 1,
                has_http2: count % 4 < 2,
                endpoints: Vec::new(),
            });
            assert_eq!(door.certificate, certificate, "two tenants at {place}");
            door.endpoints.push(endpoint.clone());
        }
    }
    (targets, controls)
}

/// Every name with its address.
fn hosts(catalog: &Catalog, atlas: &Atlas) -> Vec<(String, IpAddr)> {
    let names: BTreeSet<&str> = endpoints(catalog)
        .filter_map(|(endpoint, _)| endpoint.host.as_deref())
        .collect();
    let with_address = |name: &str| {
        let address = atlas.host(name).expect("every name has a place");
        (name.to_owned(), IpAddr::V4(address))
    };
    names.into_iter().map(with_address).collect()
}

/// The provider's resolver, and all the others.
fn resolvers<'a>(
    catalog: &Catalog,
    hosts: &'a [(String, IpAddr)],
    world: World,
) -> [Resolver<'a>; 2] {
    let places = |is_system: bool, transports: &[Transport]| -> BTreeSet<SocketAddr> {
        let is_hijacked = |it: &Known| world.is_hijacked && it.transport == Transport::Udp;
        let answering = |it: &&Known| it.role != ResolverRole::Decoy || is_hijacked(it);
        let systems = |it: &Known| it.role == ResolverRole::System || is_hijacked(it);
        let resolvers = catalog.resolvers.iter().filter(answering);
        resolvers
            .filter(|it| systems(it) == is_system && transports.contains(&it.transport))
            .map(|it| it.address)
            .collect()
    };
    let resolver = |label, is_system, lies| Resolver {
        label,
        plain: places(is_system, &[Transport::Udp, Transport::Tcp]),
        dot: places(is_system, &[Transport::Dot]),
        doh: places(is_system, &[Transport::Doh]),
        hosts,
        lies,
    };
    let lies = world.lie.map(|lie| lies(catalog, lie)).unwrap_or_default();
    [
        resolver("system", true, lies),
        resolver("resolvers", false, Vec::new()),
    ]
}

/// The lie for every zone that WhatsApp has a name in.
fn lies(catalog: &Catalog, lie: Lie) -> Vec<(String, Lie)> {
    let whatsapp = catalog.targets.iter().find(|it| it.id == "whatsapp");
    let services = whatsapp.expect("it is in the catalog").services.iter();
    let hosts = services
        .flat_map(|it| &it.endpoints)
        .filter_map(|it| it.host.as_deref());
    let zone = |host: &str| {
        let labels: Vec<&str> = host.rsplitn(3, '.').take(2).collect();
        format!("{}.{}", labels[1], labels[0])
    };
    let zones: BTreeSet<String> = hosts.map(zone).collect();
    assert!(zones.contains("whatsapp.com") && zones.contains("whatsapp.net"));
    zones.into_iter().map(|zone| (zone, lie)).collect()
}

/// Every endpoint, and whether it is a control's.
fn endpoints(catalog: &Catalog) -> impl Iterator<Item = (&Endpoint, bool)> {
    let services = catalog.targets.iter().flat_map(|it| &it.services);
    let targets = services.flat_map(|it| &it.endpoints).map(|it| (it, false));
    let controls = catalog.controls.iter().map(|it| (&it.endpoint, true));
    targets.chain(controls)
}

fn line(has_ipv6: bool, roots: Vec<Vec<u8>>) -> Line {
    Line {
        lookup: false,
        ipv4: true,
        ipv6: has_ipv6,
        own: Vec::new(),
        playground: vec!["127.64.0.0/10".parse().unwrap(), "::1/128".parse().unwrap()],
        added_roots: roots,
        notes: Vec::new(),
    }
}
