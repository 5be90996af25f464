//! What the faults of a scenario do to its doors, its resolvers and its line.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::lab::atlas::Atlas;
use crate::lab::censor::Resolvers;
use crate::lab::door::{Door, Face, Tenant};
use crate::lab::fault::{Ailment, Aim, Border, Cut, Fault};
use crate::lab::health::Health;
use crate::lab::scenarios::Scenario;
use crate::lab::town::{Seat, Town};
use crate::lab::weather::{Dice, Weather};
use crate::model::catalog::{Catalog, Protocol, Resolver, Transport};

/// The line of a scenario.
pub fn weather(faults: &[Fault]) -> Weather {
    let loss = faults.iter().find_map(|fault| match *fault {
        Fault::Loss(percent, seed) => Some((percent, seed)),
        _ => None,
    });
    let cut = faults.iter().find_map(|fault| match *fault {
        Fault::Cut(cut) => Some(cut),
        _ => None,
    });
    Weather::new(loss.unwrap_or_default(), cut)
}

/// What ails one resolver.
pub fn health(scenario: &Scenario, resolver: &Resolver) -> Health {
    let mut ailments = Vec::new();
    let mut malice = None;
    for fault in scenario.faults {
        match *fault {
            Fault::Resolvers(at, ailment) if at.include(resolver) => ailments.push(ailment),
            Fault::HostileResolver(at, kind) if at.include(resolver) => malice = Some(kind),
            Fault::Border(Border::Silent | Border::Closed)
                if Resolvers::Foreign.include(resolver) =>
            {
                ailments.push(Ailment::Silent);
            }
            _ => {}
        }
    }
    Health::new(ailments, malice)
}

impl Town {
    /// Lets a fault happen to the doors.
    pub fn suffer(&mut self, fault: Fault, catalog: &Catalog, atlas: &Atlas) {
        if let Some((aim, face)) = face_of(fault) {
            self.doors_of(aim, catalog, atlas, |it| it.face = face);
            if matches!(face, Face::Closed | Face::Dropped) {
                self.silence_relays(aim, catalog, atlas);
            }
        }
        match fault {
            Fault::SlowServer(aim, milliseconds) => {
                let delay = Duration::from_millis(milliseconds);
                self.doors_of(aim, catalog, atlas, |it| it.delay = delay);
            }
            Fault::Restart(aim, lasting) => {
                let restarts = Some(Cut {
                    after: 2,
                    lasting,
                    again: false,
                });
                self.doors_of(aim, catalog, atlas, |it| it.restarts = restarts);
            }
            Fault::BrokenIpv6 | Fault::BrokenIpv6Of(_) => self.break_ipv6(atlas),
            Fault::RoadsDown(percent, seed) => {
                self.lose_roads(&Dice::new(percent, seed), atlas);
            }
            Fault::Clock(days) => {
                for door in self.doors.values_mut().chain(self.quic.values_mut()) {
                    door.ahead_days = days;
                }
            }
            Fault::NoQuic(aim) => {
                for endpoint in aim.endpoints(catalog) {
                    for address in atlas.addresses(endpoint) {
                        self.quic.remove(&(address, endpoint.port));
                    }
                }
            }
            Fault::NoDatagrams(aim) => {
                self.silence(aim, catalog, atlas, |it| it.over_tcp().is_some());
            }
            Fault::Border(Border::Silent) => {
                self.doors_of(Aim::Foreign, catalog, atlas, |it| it.face = Face::Silent);
                self.close_resolver_doors(Face::Silent);
                self.silence_relays(Aim::Foreign, catalog, atlas);
            }
            Fault::Border(Border::Closed) => {
                self.doors_of(Aim::Foreign, catalog, atlas, |it| it.face = Face::Dropped);
                self.close_resolver_doors(Face::Dropped);
                self.silence_relays(Aim::Foreign, catalog, atlas);
            }
            Fault::CaptivePortal => {
                for door in self.doors.values_mut() {
                    door.face = behind_portal(door);
                }
            }
            Fault::CaptivePortalByDns => {
                for door in self.doors.values_mut() {
                    let is_portal = door.face == Face::Portal;
                    let is_dns = door.resolver(Transport::Tcp).is_some();
                    if !is_portal && !is_dns {
                        door.face = Face::Closed;
                    }
                }
            }
            Fault::Offline => {
                for door in self.doors.values_mut() {
                    door.face = Face::Closed;
                }
                self.silence_relays(Aim::Everybody, catalog, atlas);
            }
            // The others are played by the resolvers, the tenants and the line.
            _ => {}
        }
    }

    /// Who lies at the end of a road that is down is there for nobody. The system's resolver is near by.
    fn lose_roads(&mut self, dice: &Dice, atlas: &Atlas) {
        let doors = self.doors.keys().chain(self.quic.keys());
        let places = doors.chain(self.datagrams.keys());
        let all: BTreeSet<IpAddr> = places.map(|(address, _)| *address).collect();
        let near = atlas.system.map(IpAddr::V4);
        let lost: BTreeSet<IpAddr> = all
            .into_iter()
            .filter(|it| dice.fall() && near != Some(*it))
            .collect();
        // On whichever port.
        let ports: BTreeSet<u16> = self.doors.keys().map(|(_, port)| *port).collect();
        for address in &lost {
            for port in &ports {
                self.doors.entry((*address, *port)).or_default().face = Face::Dropped;
            }
        }
        for ((address, _), seat) in &mut self.datagrams {
            if lost.contains(address) {
                *seat = Seat::Nobody;
            }
        }
        self.quic.retain(|(address, _), _| !lost.contains(address));
    }

    /// Foreign resolvers are as far away as everything else abroad.
    fn close_resolver_doors(&mut self, face: Face) {
        for door in self.doors.values_mut() {
            let mut resolvers = door.resolvers.iter();
            if resolvers.any(|(_, it)| Resolvers::Foreign.include(it)) {
                door.face = face;
            }
        }
    }

    /// Nobody answers datagrams at these endpoints.
    pub fn silence_relays(&mut self, aim: Aim, catalog: &Catalog, atlas: &Atlas) {
        self.silence(aim, catalog, atlas, |_| true);
    }

    fn silence(
        &mut self,
        aim: Aim,
        catalog: &Catalog,
        atlas: &Atlas,
        is_hit: impl Fn(Protocol) -> bool,
    ) {
        let mut endpoints = aim.endpoints(catalog);
        endpoints.retain(|endpoint| is_hit(endpoint.protocol));
        for endpoint in endpoints {
            for address in atlas.addresses(endpoint) {
                if let Some(seat @ Seat::Relay(_)) =
                    self.datagrams.get_mut(&(address, endpoint.port))
                {
                    *seat = Seat::Nobody;
                }
            }
        }
    }

    /// Every port is closed at `::1`, where every name's IPv6 address is.
    fn break_ipv6(&mut self, atlas: &Atlas) {
        self.claims_ipv6 = true;
        if !atlas.ipv6 {
            return;
        }
        let nowhere = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let ports: Vec<u16> = self.doors.keys().map(|(_, port)| *port).collect();
        for port in ports {
            let closed = Door {
                face: Face::Closed,
                ..Door::default()
            };
            self.doors.insert((nowhere, port), closed);
        }
        for ((address, _), seat) in &mut self.datagrams {
            if address.is_ipv6() {
                *seat = Seat::Nobody;
            }
        }
    }
}

/// Faults that change who opens, and nothing else.
fn face_of(fault: Fault) -> Option<(Aim, Face)> {
    Some(match fault {
        Fault::ServerDown(aim) => (aim, Face::Closed),
        Fault::ServerGone(aim) => (aim, Face::Dropped),
        Fault::SilentTls(aim) => (aim, Face::Silent),
        Fault::Maintenance(aim, interference) => (aim, Face::Curt(interference)),
        Fault::Tarpit(aim) => (aim, Face::Tarpit),
        Fault::Garbage(aim) => (aim, Face::Garbage),
        Fault::NoObfuscation(aim) => (aim, Face::Plain),
        Fault::NoLargeHello(aim) => (aim, Face::Narrow),
        Fault::GenuineAlert(aim) => (aim, Face::Strict),
        Fault::StrictNames(aim) => (aim, Face::Choosy),
        Fault::WrongCertificate(aim) => (aim, Face::Misconfigured),
        Fault::OtherName(aim) => (aim, Face::Misplaced),
        Fault::Hostile(aim, kind) => (aim, Face::Hostile(kind)),
        _ => return None,
    })
}

/// A portal takes the web and leaves plain DNS alone; everything else is closed.
fn behind_portal(door: &Door) -> Face {
    let is_web = |it: &Tenant| it.endpoint.protocol == Protocol::Http;
    if door.resolver(Transport::Tcp).is_some() {
        door.face
    } else if door.face == Face::Portal || door.is_tls() || door.endpoints.iter().any(is_web) {
        Face::Portal
    } else {
        Face::Closed
    }
}
