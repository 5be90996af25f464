//! Roads, read: how far the packets of a connection come, by the connections that were tried with fewer hops to live.
//!
//! What came back is evidence, what did not is none alone: packets are lost, and routers ration what they tell. So a road
//! is silent only where neighbouring hop counts are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::evidence::{Evidence, is_interrupted};
use crate::model::check::{Ask, Climb, Variation};
use crate::model::failure::Failure;
use crate::model::line::{NEIGHBOURHOOD, RACK, is_of_the_web, network};
use crate::model::observation::{IcmpError, Observation, Operation};

/// Longer roads are none: what a report says beyond this is not read, and counting stays within a byte.
const LONGEST: u8 = 64;
/// Neighbouring hop counts that agree.
const NEIGHBOURS: u8 = 2;
/// Where controls stand after fewer hops, there is no room for a router between whoever filters and the server.
const LONG: u8 = 4;

/// One road, by hop count.
#[derive(Debug)]
pub struct Road<'a> {
    /// Where it leads.
    pub address: SocketAddr,
    echoes: BTreeMap<u8, (Echo, &'a Observation)>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    /// The connection stood.
    Stood,
    /// It was refused, or said to be unreachable.
    Turned,
    /// A router said that the hops were used up.
    Expired,
    Silence,
}

impl Road<'_> {
    /// The least hop count with which the connection stood or was turned down.
    pub fn distance(&self) -> Option<u8> {
        self.first(|echo| matches!(echo, Echo::Stood | Echo::Turned))
    }

    /// The greatest hop count that a router said to be used up; 0 if none did.
    pub fn heard(&self) -> u8 {
        let mut last_first = self.echoes.iter().rev();
        last_first
            .find(|(_, (echo, _))| *echo == Echo::Expired)
            .map_or(0, |(hops, _)| *hops)
    }

    /// Whether the connection stood with enough hops.
    pub fn stands(&self) -> bool {
        self.first(|echo| echo == Echo::Stood).is_some()
    }

    /// Whether a router told of the next hop counts that they were used up.
    fn is_heard_after(&self, hops: u8) -> bool {
        self.next(hops).all(|echo| echo == Some(Echo::Expired))
    }

    /// Whether nothing came back with the next hop counts.
    fn is_silent_after(&self, hops: u8) -> bool {
        self.next(hops).all(|echo| echo == Some(Echo::Silence))
    }

    fn next(&self, hops: u8) -> impl Iterator<Item = Option<Echo>> {
        let next = hops + 1..=hops + NEIGHBOURS;
        next.map(|hops| self.echoes.get(&hops).map(|(echo, _)| *echo))
    }

    /// Whether packets to here surely come two hops further than `hops`.
    pub fn goes_beyond(&self, hops: u8) -> bool {
        self.heard() > hops
            || (self.stands()
                && self
                    .distance()
                    .is_some_and(|here| here >= hops + NEIGHBOURS))
    }

    /// Ids of the two observations that tell its length.
    pub fn evidence(&self) -> Vec<String> {
        [self.heard(), self.distance().unwrap_or(0)]
            .iter()
            .filter_map(|hops| Some(self.echoes.get(hops)?.1.id.clone()))
            .collect()
    }

    fn first(&self, wanted: impl Fn(Echo) -> bool) -> Option<u8> {
        let mut first_first = self.echoes.iter();
        first_first
            .find(|(_, (echo, _))| wanted(*echo))
            .map(|(hops, _)| *hops)
    }
}

/// All roads that were looked at on behalf of one target.
#[derive(Debug, Default)]
pub struct Roads<'a> {
    /// To failing addresses.
    pub failing: Vec<Road<'a>>,
    /// To other ports of the same addresses, where connections stand.
    pub standing: Vec<Road<'a>>,
    /// To controls that stand.
    pub controls: Vec<Road<'a>>,
    /// To a failing port at controls' addresses.
    pub strangers: Vec<Road<'a>>,
}

/// How far the packets to failing addresses come, beside those to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every road ends, for sure, at least two hops nearer.
    Short {
        /// With so many hops something was still heard, or the connection was turned down already.
        hops: u8,
        /// After so many hops, the nearest of the others stands (or was heard last).
        beyond: u8,
        /// All roads end at the same hop, and lead to different networks.
        agrees: bool,
    },
    /// They come as far as servers are.
    Whole {
        /// With so many hops something came back from furthest away.
        hops: u8,
        /// After so many hops, the others stand.
        beyond: u8,
    },
    /// It cannot be told.
    Unknown,
}

impl<'a> Roads<'a> {
    /// Reads all connections that were tried with fewer hops.
    pub fn of(evidence: &Evidence<'a>) -> Self {
        let climbs = || {
            let all = evidence.observations.iter();
            all.filter_map(|observation| match &observation.check.ask {
                Ask::Climb(climb) => Some((climb, observation)),
                _ => None,
            })
        };
        let failed: BTreeMap<&str, SocketAddr> = climbs()
            .filter(|(_, observation)| observation.check.contrast.is_none())
            .map(|(climb, observation)| (observation.check.id.as_str(), climb.address))
            .collect();
        let mut roads: BTreeMap<SocketAddr, Road> = BTreeMap::new();
        let mut failing = BTreeSet::new();
        for (climb, observation) in climbs() {
            let contrast = observation.check.contrast.as_ref();
            let Some(contrast) = contrast.filter(|it| it.varies == Variation::Hops) else {
                continue;
            };
            let hops = climb.hops.filter(|hops| *hops <= LONGEST);
            if let (Some(hops), Some(echo)) = (hops, echo(climb, observation)) {
                let road = roads.entry(climb.address).or_insert_with(|| Road {
                    address: climb.address,
                    echoes: BTreeMap::new(),
                });
                road.echoes.insert(hops, (echo, observation));
            }
            failing.extend(failed.get(contrast.of.as_str()));
        }
        let ours: BTreeSet<IpAddr> = failing.iter().map(SocketAddr::ip).collect();
        let odd: BTreeSet<u16> = failing.iter().map(SocketAddr::port).collect();
        let is_strange = |port: u16| odd.contains(&port) && !is_of_the_web(port);
        let mut read = Self::default();
        for (address, road) in roads {
            if failing.contains(&address) {
                read.failing.push(road);
            } else if ours.contains(&address.ip()) {
                read.standing.push(road);
            } else if is_strange(address.port()) {
                read.strangers.push(road);
            } else if road.stands() {
                read.controls.push(road);
            }
        }
        read
    }

    /// The roads to these addresses, on any port that fails there.
    pub fn to<'b>(&'b self, addresses: &BTreeSet<IpAddr>) -> Vec<&'b Road<'a>> {
        let failing = self.failing.iter();
        failing
            .filter(|road| addresses.contains(&road.address.ip()))
            .collect()
    }

    /// The road to another port of the same address, where connections stand.
    pub fn beside(&self, road: &Road) -> Option<&Road<'a>> {
        let mut standing = self.standing.iter();
        standing.find(|other| other.address.ip() == road.address.ip() && other.stands())
    }

    /// How far packets to this port come at controls' addresses, beside those to the controls themselves.
    pub fn elsewhere(&self, port: u16) -> impl Iterator<Item = (&Road<'a>, Reach)> {
        let strangers = self.strangers.iter();
        let strangers = strangers.filter(move |it| it.address.port() == port);
        strangers.filter_map(|road| {
            let mut controls = self.controls.iter();
            let own = controls.find(|it| it.address.ip() == road.address.ip())?;
            let reach = if road.distance().is_some() {
                turned_beside(road, own)
            } else {
                swallowed_beside(road, own)
            };
            Some((road, reach))
        })
    }

    /// Whether connections to these addresses are turned down nearer than any control stands.
    pub fn turned(&self, roads: &[&Road]) -> Reach {
        let Some(beyond) = self.nearest_control().filter(|it| *it > NEIGHBOURS) else {
            return Reach::Unknown;
        };
        let distances: Option<Vec<u8>> = roads.iter().map(|road| road.distance()).collect();
        let Some(distances) = distances.filter(|it| !it.is_empty()) else {
            return Reach::Unknown;
        };
        let (least, most) = bounds(&distances);
        let is_beyond = |hops: u8| self.controls.iter().all(|road| road.goes_beyond(hops));
        if is_beyond(most) {
            Reach::Short {
                hops: most,
                beyond,
                agrees: least == most && are_apart(roads),
            }
        } else {
            Reach::Whole { hops: most, beyond }
        }
    }

    /// Whether packets to these silent addresses end nearer than those to controls.
    pub fn swallowed(&self, roads: &[&Road]) -> Reach {
        let mut stand: Vec<u8> = self.controls.iter().filter_map(Road::distance).collect();
        stand.sort_unstable();
        // The second nearest: a control in the provider's own network may be nearer than any server.
        let Some(beyond) = stand.get(1).or(stand.first()).copied() else {
            return Reach::Unknown;
        };
        if roads.is_empty() || roads.iter().any(|road| road.distance().is_some()) {
            return Reach::Unknown;
        }
        let heard: Vec<u8> = roads.iter().map(|road| road.heard()).collect();
        let (least, most) = bounds(&heard);
        if beyond >= LONG && most + 1 >= beyond && least + NEIGHBOURS >= beyond {
            return Reach::Whole { hops: most, beyond };
        }
        let is_cut = |road: &&Road| {
            let hops = road.heard();
            let heard = self.controls.iter().filter(|it| it.is_heard_after(hops));
            road.is_silent_after(hops) && heard.count() >= 2
        };
        if roads.iter().all(is_cut) {
            // A server that is down is one hop behind its last router: what is sure ends two hops nearer than any control.
            let mut controls = self.controls.iter();
            let is_nearer = controls.all(|road| road.goes_beyond(most + 1));
            Reach::Short {
                hops: most,
                beyond,
                agrees: least == most && are_apart(roads) && is_nearer,
            }
        } else {
            Reach::Unknown
        }
    }

    /// The hop count with which the nearest control stands.
    fn nearest_control(&self) -> Option<u8> {
        self.controls.iter().filter_map(Road::distance).min()
    }
}

/// Whether connections to a failing port are turned down nearer than another port of the same address stands.
pub fn turned_beside(road: &Road, other: &Road) -> Reach {
    let (Some(hops), Some(beyond)) = (road.distance(), other.distance()) else {
        return Reach::Unknown;
    };
    // One pair of roads: only what was heard counts, for two lost connections would look the same.
    if other.heard() > hops {
        Reach::Short {
            hops,
            beyond,
            agrees: true,
        }
    } else if beyond < hops + NEIGHBOURS {
        Reach::Whole { hops, beyond }
    } else {
        Reach::Unknown
    }
}

/// Whether packets to a silent port end nearer than those to another port of the same address.
pub fn swallowed_beside(road: &Road, other: &Road) -> Reach {
    let (None, Some(beyond)) = (road.distance(), other.distance()) else {
        return Reach::Unknown;
    };
    let hops = road.heard();
    if beyond >= LONG && hops + NEIGHBOURS > beyond {
        Reach::Whole { hops, beyond }
    } else if road.is_silent_after(hops) && other.is_heard_after(hops) {
        Reach::Short {
            hops,
            beyond,
            agrees: true,
        }
    } else {
        Reach::Unknown
    }
}

/// Three addresses in three racks of two neighbourhoods: one machine room that is down is not that.
fn are_apart(roads: &[&Road]) -> bool {
    let networks = |lengths| -> BTreeSet<_> {
        let addresses = roads.iter().map(|road| road.address.ip());
        addresses.map(|it| network(it, lengths)).collect()
    };
    networks(RACK).len() >= 3 && networks(NEIGHBOURHOOD).len() >= 2
}

fn bounds(numbers: &[u8]) -> (u8, u8) {
    let least = numbers.iter().min().copied().unwrap_or(0);
    let most = numbers.iter().max().copied().unwrap_or(0);
    (least, most)
}

fn echo(climb: &Climb, observation: &Observation) -> Option<Echo> {
    if is_interrupted(observation) {
        return None;
    }
    let step = observation.step(Operation::TcpConnect)?;
    let icmp = step.tcp.as_deref().map(|tcp| tcp.icmp.as_slice());
    let icmp = icmp.unwrap_or_default();
    let is_expired = |it: &IcmpError| it.is_time_exceeded(climb.address.is_ipv4());
    match &step.failure {
        None => Some(Echo::Stood),
        Some(_) if icmp.iter().any(|error| error.offender_is_own) => None,
        Some(_) if icmp.iter().any(is_expired) => Some(Echo::Expired),
        Some(Failure::GenericTimeout | Failure::TimedOut) => Some(Echo::Silence),
        Some(Failure::ConnectionRefused) => Some(Echo::Turned),
        Some(_) if !icmp.is_empty() => Some(Echo::Turned),
        Some(_) => None,
    }
}
