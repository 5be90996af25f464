//! Connections that never stand on one port of an address that answers on another: `address_port/{drop,refuse,unreachable}`.
//!
//! What it infers: address and port are looked at together.
//! Evidence: in three trials each, the same port is silent at two addresses or more that answer on another; or it is refused
//! at least two hops nearer than the other port of the same address stands; or a router on the way, which is not beside the
//! server, says by ICMP that it prohibits it.
//! What else could explain it: servers that have given up the port, or a firewall beside them (packets to it come as far as
//! those to the other port: no finding; where the roads tell nothing, refusal names nothing, and silence has that doubt); a
//! gateway in front of the servers that answers for closed ports itself (one hop nearer is no finding; doubt); a firewall that
//! lets only some ports pass, whoever is asked (where all controls on odd ports fail too, or packets to this port end at the same
//! hop at controls' addresses: no finding; a limit of connections by rate for each network (addresses beside which a neighbour
//! that stood before is silent too do not count); doubt, where packets to it are not seen to come as far as controls are).
//! References: facts 2.2; RFC 792 and 4443 on time exceeded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::connections::{Connections, Manner, TRIALS, Tried, all, hit};
use crate::analysis::everybody::Share;
use crate::analysis::evidence::Evidence;
use crate::analysis::hops::{Reach, Road, Roads, swallowed_beside, turned_beside};
use crate::analysis::rules::Finding;
use crate::analysis::rules::address::{
    AT_HOME, AT_THE_SERVERS, NOT_SEEN_WHERE, WHOSE_ROUTER, doubt_of, is_at_home, told,
};
use crate::model::check::{Ask, Climb};
use crate::model::line::{RACK, is_of_the_web, network};
use crate::model::observation::Observation;
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// The doubt that is left where it is not seen what becomes of the port at others' addresses.
const SHUT: &str = "A firewall that allows only some ports for everybody would look the same";

/// Addresses at which the same port must be silent.
const PORTS_AT: usize = 2;
/// The same where the port stands at other addresses of the target.
const PORTS_IN_A_RANGE: usize = 4;

/// At most one finding for each manner.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    if evidence.connections.controls_failed {
        return Vec::new();
    }
    [Manner::Silence, Manner::Refusal, Manner::Prohibited]
        .into_iter()
        .filter_map(|manner| dead_port(evidence, manner))
        .collect()
}

/// One port that fails in one manner, at these addresses.
struct DeadPort<'b> {
    manner: Manner,
    port: u16,
    addresses: BTreeSet<IpAddr>,
    /// The roads to it, each beside the road to another port of the same address.
    roads: Vec<(&'b Road<'b>, &'b Road<'b>)>,
}

/// What becomes of packets to a port at controls' addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// They come as far as the controls are.
    Open,
    /// They end where those to the target do.
    Shut,
    /// It cannot be told.
    Untold,
}

/// Why a port that fails so is not blamed on anybody, where its roads tell.
pub fn reason(evidence: &Evidence, failed: &Observation) -> Option<String> {
    let Ask::Climb(climb) = &failed.check.ask else {
        return None;
    };
    let port = climb.address.port();
    let share = strangers(evidence, Manner::of(climb, failed)?, port);
    if share.is_everybodys() {
        return Some(format!(
            "{} of {} controls on port {port} fail so too: the port is shut for everybody",
            share.met, share.of
        ));
    }
    let roads = &evidence.connections.roads;
    let mut elsewhere = roads.elsewhere(port);
    let is_shut = elsewhere.any(|(_, reach)| matches!(reach, Reach::Short { .. }));
    is_shut.then(|| {
        format!(
            "Packets to port {port} end on the path to others too: a firewall shuts it for everybody"
        )
    })
}

/// The first port of which it can be said.
fn dead_port(evidence: &Evidence, manner: Manner) -> Option<Finding> {
    let Connections {
        places,
        roads,
        limits,
        ..
    } = &evidence.connections;
    let mut dead: BTreeMap<u16, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut stands: BTreeSet<u16> = BTreeSet::new();
    for (address, tried) in places {
        let is_limited = manner == Manner::Silence && limits.limited.contains(address);
        let answers_elsewhere = all(tried).any(|(seen, _)| seen.is_none());
        for (port, trials) in tried {
            if trials.iter().any(|(seen, _)| seen.is_none()) {
                stands.insert(*port);
            } else if answers_elsewhere
                && !is_limited
                && trials.len() >= TRIALS
                && trials.iter().all(|(seen, _)| *seen == Some(manner))
            {
                dead.entry(*port).or_default().insert(*address);
            }
        }
    }
    dead.into_iter().find_map(|(port, addresses)| {
        // A firewall that lets only the web's ports pass cuts off everybody's others.
        if evidence.ground.shuts_odd_ports && !is_of_the_web(port) {
            return None;
        }
        let strangers = strangers(evidence, manner, port);
        if strangers.is_everybodys() {
            return None;
        }
        // Silence of one port at one address, and not at others, is how servers differ; at many it takes a range.
        let needed = if stands.contains(&port) {
            PORTS_IN_A_RANGE
        } else {
            PORTS_AT
        };
        if manner == Manner::Silence && addresses.len() < needed {
            return None;
        }
        let failing = roads.failing.iter();
        let dead = DeadPort {
            manner,
            port,
            roads: failing
                .filter(|it| it.address.port() == port && addresses.contains(&it.address.ip()))
                .filter_map(|road| Some((road, roads.beside(road)?)))
                .collect(),
            addresses,
        };
        dead.finding(evidence, places, roads, strangers)
    })
}

/// What is to be said of a port that fails so at this address, and answers another vantage.
pub enum Blamed {
    /// It is shut for others too: nobody is to be blamed.
    Nobody,
    /// It may be somebody on the way; what else it may be, if anything.
    Perhaps(Option<String>),
}

/// The same for any rule that blames a failing port on somebody.
pub fn blamed(evidence: &Evidence, how: Interference, to: SocketAddr) -> Blamed {
    let (ground, port) = (evidence.ground, to.port());
    let Connections { roads, limits, .. } = &evidence.connections;
    let is_limited = how == Interference::Drop && limits.limited.contains(&to.ip());
    let is_everybodys = ground
        .everybody
        .connections(how, Some(port))
        .is_everybodys();
    if is_limited || is_everybodys || ground.shuts_odd_ports && !is_of_the_web(port) {
        return Blamed::Nobody;
    }
    let manners = [Manner::Silence, Manner::Refusal, Manner::Unreachable];
    let Some(manner) = manners.into_iter().find(|it| it.interference() == how) else {
        return Blamed::Nobody;
    };
    let failing = roads.failing.iter().filter(|it| it.address == to);
    let dead = DeadPort {
        manner,
        port,
        addresses: BTreeSet::from([to.ip()]),
        roads: failing
            .filter_map(|road| Some((road, roads.beside(road)?)))
            .collect(),
    };
    let reach: Vec<(&Road, Reach)> = dead.reach_of_all();
    let short: Vec<&(&Road, Reach)> = reach.iter().filter(|(_, it)| is_short(*it)).collect();
    match dead.elsewhere(roads, &short) {
        Elsewhere::Shut => return Blamed::Nobody,
        Elsewhere::Untold => return Blamed::Perhaps(Some(SHUT.to_owned())),
        Elsewhere::Open => {}
    }
    let doubt = if reach.iter().all(|(_, it)| *it == Reach::Unknown) {
        Some(NOT_SEEN_WHERE)
    } else if reach
        .iter()
        .any(|(_, it)| matches!(it, Reach::Whole { .. }))
    {
        Some(AT_THE_SERVERS)
    } else if reach.iter().any(|(_, it)| is_at_home(manner, *it)) {
        Some(AT_HOME)
    } else {
        None
    };
    Blamed::Perhaps(doubt.map(str::to_owned))
}

const fn is_short(reach: Reach) -> bool {
    matches!(reach, Reach::Short { .. })
}

/// How many of the controls met the same on that port.
fn strangers(evidence: &Evidence, manner: Manner, port: u16) -> Share {
    let everybody = &evidence.ground.everybody;
    everybody.connections(manner.interference(), Some(port))
}

impl DeadPort<'_> {
    fn finding(
        &self,
        evidence: &Evidence,
        places: &BTreeMap<IpAddr, Tried>,
        roads: &Roads,
        strangers: Share,
    ) -> Option<Finding> {
        let reach = self.reach_of_all();
        let is_whole = |(_, it): &(&Road, Reach)| matches!(it, Reach::Whole { .. });
        let short: Vec<&(&Road, Reach)> = reach.iter().filter(|(_, it)| is_short(*it)).collect();
        let is_at_the_server = !reach.is_empty() && reach.iter().all(is_whole);
        let is_named = match self.manner {
            Manner::Silence | Manner::Prohibited => !is_at_the_server,
            Manner::Refusal => !short.is_empty() && short.len() == self.roads.len(),
            Manner::Unreachable => false,
        };
        let is_hit = |climb: &Climb| {
            climb.address.port() == self.port && self.addresses.contains(&climb.address.ip())
        };
        let hit = hit(evidence, is_hit);
        if !is_named || (hit.is_empty() && self.manner != Manner::Silence) {
            return None;
        }
        let networks: BTreeSet<_> = short
            .iter()
            .map(|(road, _)| network(road.address.ip(), RACK))
            .collect();
        let elsewhere = self.elsewhere(roads, &short);
        if elsewhere == Elsewhere::Shut {
            return None;
        }
        let is_shown = networks.len() >= PORTS_AT
            && short.len() == self.roads.len()
            && self.manner != Manner::Prohibited;
        let is_at_home = short.iter().any(|(_, it)| is_at_home(self.manner, *it));
        let doubts: Vec<String> = [
            (!is_shown).then(|| self.doubt().to_owned()),
            is_at_home.then(|| AT_HOME.to_owned()),
            (elsewhere == Elsewhere::Untold).then(|| SHUT.to_owned()),
            doubt_of(strangers),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut ids = self.trials(places);
        if let Some((road, other)) = self.roads.first().filter(|_| !short.is_empty()) {
            ids.extend([road.evidence(), other.evidence()].concat());
            let strangers = roads.elsewhere(self.port).take(1);
            ids.extend(strangers.flat_map(|(road, _)| road.evidence()));
        }
        Some(Finding {
            technique: Technique::new(Trigger::AddressPort, self.manner.interference()),
            confidence: if doubts.is_empty() {
                Confidence::Confirmed
            } else {
                Confidence::Likely
            },
            endpoints: hit,
            evidence: ids,
            doubt: (!doubts.is_empty()).then(|| doubts.join(". ")),
            seen: self.seen(short.first().map_or(Reach::Unknown, |(_, reach)| *reach)),
        })
    }

    /// What becomes of the port where others are, whom nobody has a reason to shut it for.
    fn elsewhere(&self, roads: &Roads, short: &[&(&Road, Reach)]) -> Elsewhere {
        if is_of_the_web(self.port) {
            return Elsewhere::Open;
        }
        let reach: Vec<Reach> = roads.elsewhere(self.port).map(|(_, it)| it).collect();
        let ends = |it: &Reach| match it {
            Reach::Short { hops, .. } => Some(*hops),
            Reach::Whole { .. } | Reach::Unknown => None,
        };
        let here: Vec<u8> = short.iter().filter_map(|(_, it)| ends(it)).collect();
        // One router more or less may not have been heard.
        let is_same = |hops: u8| here.is_empty() || here.iter().any(|it| it.abs_diff(hops) <= 1);
        if reach.iter().filter_map(ends).any(is_same) {
            Elsewhere::Shut
        } else if reach.iter().any(|it| matches!(it, Reach::Whole { .. })) {
            Elsewhere::Open
        } else {
            Elsewhere::Untold
        }
    }

    /// How far packets to it come on each road.
    fn reach_of_all(&self) -> Vec<(&Road<'_>, Reach)> {
        let roads = self.roads.iter();
        roads
            .map(|(road, other)| (*road, self.reach(road, other)))
            .collect()
    }

    fn reach(&self, road: &Road, other: &Road) -> Reach {
        match self.manner {
            Manner::Silence => swallowed_beside(road, other),
            Manner::Refusal | Manner::Unreachable | Manner::Prohibited => {
                turned_beside(road, other)
            }
        }
    }

    fn trials(&self, places: &BTreeMap<IpAddr, Tried>) -> Vec<String> {
        let tried = self.addresses.iter().flat_map(|it| all(&places[it]));
        tried.map(|(_, it)| it.id.clone()).take(8).collect()
    }

    const fn doubt(&self) -> &'static str {
        match self.manner {
            Manner::Silence => {
                "The servers may have given up this port, which only another vantage can settle"
            }
            Manner::Refusal => {
                "A gateway in front of the servers may answer for closed ports itself, which only another vantage can settle"
            }
            Manner::Unreachable | Manner::Prohibited => WHOSE_ROUTER,
        }
    }

    fn seen(&self, reach: Reach) -> String {
        let what = match self.manner {
            Manner::Silence => "gets no reply",
            Manner::Refusal => "is refused",
            Manner::Unreachable | Manner::Prohibited => "is prohibited by a router on the path",
        };
        format!(
            "Port {} {what} at {} {} in {TRIALS} trials each, while other ports of the same {} answer{}",
            self.port,
            self.addresses.len(),
            if self.addresses.len() == 1 {
                "address"
            } else {
                "addresses"
            },
            if self.addresses.len() == 1 {
                "address"
            } else {
                "addresses"
            },
            told(self.manner, reach)
        )
    }
}
