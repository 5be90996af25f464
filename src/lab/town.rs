//! A scenario laid out: which doors there are, who opens them, and what the resolvers say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::lab::atlas::{ADVERTISERS, Atlas, BLOCK_PAGE, PORTAL};
use crate::lab::authority::Validity;
use crate::lab::censor::{Aimed, Censor, Resolvers};
use crate::lab::door::{Door, Face, Tenant, is_udp};
use crate::lab::fault::{Ailment, Aim, Fault};
use crate::lab::inspector::Inspector;
use crate::lab::misfortune;
use crate::lab::ports::Place;
use crate::lab::quic::gate::Gate;
use crate::lab::resolver::Speaker;
use crate::lab::scenarios::Scenario;
use crate::lab::weather::Weather;
use crate::lab::zone::{Voice, Zone};
use crate::model::catalog::{
    Catalog, Endpoint, Protocol, Region, Resolver, ResolverRole, Transport,
};
use crate::model::custom::Custom;
use crate::model::technique::Trigger;

/// Port of plain DNS.
pub const DNS: u16 = 53;

/// Who sits at an address and UDP port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seat {
    /// Nobody.
    #[default]
    Nobody,
    /// The resolver of that index.
    Resolver(usize),
    /// A relay that speaks this.
    Relay(Protocol),
}

/// A scenario laid out on the lab's addresses, with the catalog's ports.
#[derive(Debug, Default)]
pub struct Town {
    /// What is served at each address and TCP port.
    pub doors: BTreeMap<Place, Door>,
    /// Who answers at each address and UDP port.
    pub datagrams: BTreeMap<Place, Seat>,
    /// What those of them expect who speak what the definitions describe.
    pub described: BTreeMap<Place, Custom>,
    /// What is served over QUIC at each address and UDP port.
    pub quic: BTreeMap<Place, Door>,
    /// What looks at QUIC's datagrams.
    pub gate: Gate,
    /// The resolvers.
    pub speakers: Arc<[Speaker]>,
    /// Who reads server names.
    pub inspector: Arc<Inspector>,
    /// What the line loses, and when it is cut.
    pub weather: Arc<Weather>,
    /// The line is said to have IPv6 whether it works or not.
    pub claims_ipv6: bool,
}

impl Town {
    /// Lays a scenario out.
    pub fn new(scenario: &Scenario, catalog: &Catalog, atlas: &Atlas) -> Self {
        let weather = Arc::new(misfortune::weather(scenario.faults));
        let mut town = Self {
            inspector: Arc::new(Inspector::new(scenario, catalog)),
            gate: Gate::new(scenario, catalog, &weather),
            weather,
            ..Self::default()
        };
        town.settle(catalog, atlas, scenario.faults);
        town.install_resolvers(scenario, catalog, atlas);
        town.add_pages(atlas);
        for fault in scenario.faults {
            town.suffer(*fault, catalog, atlas);
        }
        for censor in scenario.censors {
            town.cut_off(*censor, catalog, atlas);
        }
        town.add_second_addresses(scenario.faults, catalog, atlas);
        town
    }

    /// Moves every endpoint in.
    fn settle(&mut self, catalog: &Catalog, atlas: &Atlas, faults: &[Fault]) {
        let services = catalog.targets.iter().flat_map(|it| &it.services);
        let targets = services.flat_map(|it| &it.endpoints);
        let controls = catalog.controls.iter().map(|it| &it.endpoint);
        let mut relays = Vec::new();
        for endpoint in targets.chain(controls) {
            let mut tenant = Tenant {
                endpoint: endpoint.clone(),
                status: None,
                validity: Validity::Lasting,
            };
            for fault in faults {
                match *fault {
                    Fault::Status(aim, status) if is_hit(aim, catalog, endpoint) => {
                        tenant.status = Some(status);
                    }
                    Fault::ExpiredCertificate(aim) if is_hit(aim, catalog, endpoint) => {
                        tenant.validity = Validity::Past;
                    }
                    _ => {}
                }
            }
            for address in atlas.addresses(endpoint) {
                let place = (address, endpoint.port);
                if is_udp(endpoint.protocol) {
                    self.datagrams
                        .entry(place)
                        .or_insert(Seat::Relay(endpoint.protocol));
                    if let Some(custom) = endpoint.custom.as_deref() {
                        self.described
                            .entry(place)
                            .or_insert_with(|| custom.clone());
                    }
                }
                if endpoint.protocol == Protocol::Quic {
                    let door = self.quic.entry(place).or_default();
                    door.endpoints.push(tenant.clone());
                } else if !is_udp(endpoint.protocol) {
                    let door = self.doors.entry(place).or_default();
                    door.endpoints.push(tenant.clone());
                }
                if endpoint.protocol.over_tcp().is_some() {
                    relays.push((place, tenant.clone()));
                }
            }
        }
        // Relays answer over TCP too; where somebody else has the port, there they do not.
        for (place, tenant) in relays {
            let door = self.doors.entry(place).or_default();
            if door.endpoints.is_empty() || door.is_relay() {
                door.endpoints.push(tenant);
            }
        }
    }

    fn install_resolvers(&mut self, scenario: &Scenario, catalog: &Catalog, atlas: &Atlas) {
        let zone = Arc::new(zone(scenario, catalog, atlas));
        let system = system_resolver(atlas);
        let publics = catalog
            .resolvers
            .iter()
            .filter(|it| it.role != ResolverRole::System);
        let mut speakers = Vec::new();
        for resolver in system.iter().chain(publics) {
            let Some(address) = address_of(resolver, atlas) else {
                continue;
            };
            let index = speakers.len();
            let place = (address, resolver.address.port());
            match resolver.transport {
                Transport::Udp => {
                    // Several resolvers cannot share one address: the first has it.
                    let seat = self.datagrams.entry(place).or_default();
                    if *seat == Seat::Nobody {
                        *seat = Seat::Resolver(index);
                    }
                }
                Transport::Tcp | Transport::Dot | Transport::Doh => {
                    let door = self.doors.entry(place).or_default();
                    door.resolvers.push((index, resolver.clone()));
                }
            }
            let speaker = who_speaks(resolver, system.as_ref(), &zone);
            let health = misfortune::health(scenario, resolver);
            speakers.push(Speaker {
                health: Arc::new(health),
                zone: Arc::clone(&zone),
                voice: Arc::new(Voice {
                    egress: egress_of(&speaker, catalog, atlas),
                    speaker,
                }),
            });
        }
        self.speakers = speakers.into();
    }

    /// The portal's own address and the block page's.
    fn add_pages(&mut self, atlas: &Atlas) {
        for (host, face) in [(PORTAL, Face::Portal), (BLOCK_PAGE, Face::BlockPage)] {
            let Some(address) = atlas.host(host) else {
                continue;
            };
            for port in [80, 443] {
                let door = self.doors.entry((IpAddr::V4(address), port)).or_default();
                door.face = face;
            }
        }
    }

    /// Addresses of the names aimed at, on every port of the catalog (or, for `address_port`, on those aimed at).
    fn cut_off(&mut self, censor: Censor, catalog: &Catalog, atlas: &Atlas) {
        let Some(face) = censor.face() else {
            return;
        };
        if censor.is_at_resolvers() {
            return self.close_resolvers(censor.at, face);
        }
        // An address that is cut off is cut off for datagrams too.
        if censor.technique.trigger == Trigger::Address && face == Face::Dropped {
            self.silence_relays(censor.names, catalog, atlas);
        }
        let endpoints = censor.names.endpoints(catalog);
        let doors = self.doors.iter().filter(|(_, door)| !door.is_relay());
        let all: BTreeSet<u16> = doors.map(|((_, port), _)| *port).collect();
        let ports = match censor.technique.trigger {
            Trigger::AddressPort => endpoints.iter().map(|it| it.port).collect(),
            _ => all,
        };
        for endpoint in endpoints {
            for address in atlas.addresses(endpoint) {
                if censor.technique.trigger == Trigger::Address {
                    self.quic.retain(|(it, _), _| *it != address);
                    let doors = self.doors.iter_mut();
                    doors
                        .filter(|((it, _), _)| *it == address)
                        .for_each(|(_, door)| door.face = face);
                }
                for port in &ports {
                    self.doors.entry((address, *port)).or_default().face = face;
                }
            }
        }
    }

    /// Everything at the doors of these resolvers.
    pub fn close_resolvers(&mut self, at: Resolvers, face: Face) {
        for door in self.doors.values_mut() {
            if door.resolvers.iter().any(|(_, it)| at.include(it)) {
                door.face = face;
            }
        }
        for seat in self.datagrams.values_mut() {
            let speaker = match *seat {
                Seat::Resolver(index) => self.speakers.get(index),
                Seat::Relay(_) | Seat::Nobody => None,
            };
            if speaker.is_some_and(|it| at.include(&it.voice.speaker)) {
                *seat = Seat::Nobody;
            }
        }
    }

    /// The same servers once more, where every other answer leads.
    fn add_second_addresses(&mut self, faults: &[Fault], catalog: &Catalog, atlas: &Atlas) {
        for fault in faults {
            let Fault::ManyAddresses(aim) = *fault else {
                continue;
            };
            let hosts = aim.hosts(catalog).into_iter();
            let places: BTreeSet<Ipv4Addr> = hosts.filter_map(|host| atlas.host(&host)).collect();
            let doors: Vec<(Place, Door)> = self
                .doors
                .iter()
                .filter_map(|((address, port), door)| match address {
                    IpAddr::V4(address) if places.contains(address) => {
                        let second = IpAddr::V4(atlas.second(*address));
                        Some(((second, *port), door.clone()))
                    }
                    _ => None,
                })
                .collect();
            self.doors.extend(doors);
        }
    }

    /// Changes every door of the endpoints aimed at.
    pub fn doors_of(
        &mut self,
        aim: Aim,
        catalog: &Catalog,
        atlas: &Atlas,
        change: impl Fn(&mut Door),
    ) {
        for endpoint in aim.endpoints(catalog) {
            let doors = if endpoint.protocol == Protocol::Quic {
                &mut self.quic
            } else {
                &mut self.doors
            };
            for address in atlas.addresses(endpoint) {
                if let Some(door) = doors.get_mut(&(address, endpoint.port)) {
                    change(door);
                }
            }
        }
    }
}

/// The internet provider's resolver, which the lab adds to every catalog.
pub fn system_resolver(atlas: &Atlas) -> Option<Resolver> {
    let address = atlas.system?;
    Some(Resolver {
        id: format!("system/udp/{address}"),
        name: "system".to_owned(),
        operator: "provider".to_owned(),
        role: ResolverRole::System,
        region: Region::Domestic,
        transport: Transport::Udp,
        address: SocketAddr::new(IpAddr::V4(address), DNS),
        server_name: None,
        path: "/dns-query".to_owned(),
        is_local: false,
    })
}

/// Who really answers at a resolver's address: where somebody is in the way, the provider's resolver does.
fn who_speaks(resolver: &Resolver, system: Option<&Resolver>, zone: &Zone) -> Resolver {
    let is_hijacked = zone.censors.iter().any(|it| it.hijacks(resolver));
    let is_captive = zone.portal.is_some() && !resolver.transport.is_authenticated();
    match system {
        Some(system) if is_hijacked || is_captive => Resolver {
            transport: resolver.transport,
            ..system.clone()
        },
        _ => resolver.clone(),
    }
}

/// Place of a resolver. The system's is the lab's from the beginning.
fn address_of(resolver: &Resolver, atlas: &Atlas) -> Option<IpAddr> {
    if resolver.role == ResolverRole::System {
        return atlas.system.map(IpAddr::V4);
    }
    atlas.address(resolver.address.ip())
}

/// Where a resolver's own questions come from: the operator's first place.
fn egress_of(speaker: &Resolver, catalog: &Catalog, atlas: &Atlas) -> Ipv4Addr {
    let of_operator = catalog
        .resolvers
        .iter()
        .filter(|it| it.operator == speaker.operator && it.address.is_ipv4());
    let mut candidates = std::iter::once(speaker).chain(of_operator);
    let place = candidates.find_map(|it| match address_of(it, atlas) {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    });
    place.or(atlas.system).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

fn is_hit(aim: Aim, catalog: &Catalog, endpoint: &Endpoint) -> bool {
    aim.endpoints(catalog)
        .into_iter()
        .any(|it| std::ptr::eq(it, endpoint))
}

fn zone(scenario: &Scenario, catalog: &Catalog, atlas: &Atlas) -> Zone {
    let mut zone = Zone {
        hosts: atlas.hosts().clone(),
        block_page: atlas.host(BLOCK_PAGE),
        censors: scenario
            .censors
            .iter()
            .map(|censor| Aimed::new(*censor, catalog))
            .collect(),
        ..Zone::default()
    };
    for fault in scenario.faults {
        match *fault {
            Fault::RetiredName(aim) => zone.retired.extend(aim.hosts(catalog)),
            Fault::BrokenIpv6 => zone.ipv6 = Some(|_| Ipv6Addr::LOCALHOST),
            Fault::CaptivePortalByDns => zone.portal = atlas.host(PORTAL),
            Fault::Offline => zone.is_offline = true,
            Fault::DeadResolver => zone.is_system_dead = true,
            Fault::Pihole(aim) => {
                let mut names = aim.hosts(catalog);
                names.extend(ADVERTISERS.iter().map(ToString::to_string));
                zone.household = Some(names);
            }
            Fault::BrokenIpv6Of(aim) => {
                zone.ipv6 = Some(|_| Ipv6Addr::LOCALHOST);
                zone.ipv6_names = Some(aim.hosts(catalog));
            }
            Fault::ManyAddresses(aim) => {
                let hosts = aim.hosts(catalog).into_iter();
                zone.second.extend(hosts.filter_map(|host| {
                    let second = atlas.second(atlas.host(&host)?);
                    Some((host, second))
                }));
            }
            Fault::Unresolvable(aim, code) => {
                zone.unresolvable.push((aim.hosts(catalog), code));
            }
            Fault::Resolvers(at, Ailment::Says(lie)) => zone.misled.push((at, lie)),
            Fault::Resolvers(at, Ailment::KeepsIpv6) => zone.ipv4_only.push(at),
            // The others are played by doors, tenants and the line.
            _ => {}
        }
    }
    zone
}
