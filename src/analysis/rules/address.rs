//! Connections that never stand at an address, whatever the port: `address/{drop,refuse,unreachable}`.
//!
//! What it infers: the address is looked at; nothing of it answers on any port tried.
//! Evidence: four addresses of the target or more stay silent, in three trials each, while controls work; or connections to
//! several are refused, or said to be unreachable, two hops nearer than any control stands; or many networks are said to be
//! unreachable by one router; or a router on the way says by ICMP that it prohibits the destination.
//! What else could explain it: servers that are down (they are silent, refuse or are said to be unreachable where servers
//! stand, and not nearer: no finding; fewer than four that are silent: no finding); a local firewall (the ICMP error comes
//! from this machine: no finding); a limit by rate for each network (an address beside which a neighbour that stood before is
//! silent too does not count; doubt, where fewer than four have no neighbour that stood, or one that stood beside two of their
//! own trials); a port that is prohibited, and no address (what was tried on such a port alone does not count); broken IPv6 (left
//! out); a line that fails for a while (controls in between fail too: no finding); a part of all roads that is down, whoever is at
//! their ends (a quarter of the controls fail so too, or chance may have hit just these: no finding; one control, or none and a few scattered addresses:
//! doubt); the
//! whole service down everywhere at once, networks whose routes were withdrawn (silent, or said to be unreachable, at a border like any
//! other: doubt), or servers nearer than all controls (doubt).
//! References: facts 2.2; IMC 2022 on the TSPU's address blocking; OONI ts-038; RFC 792 and 4443 on time exceeded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::connections::{Connections, Manner, TRIALS, Tried, all, all_of, hit, icmp};
use crate::analysis::everybody::Share;
use crate::analysis::evidence::Evidence;
use crate::analysis::hops::{Reach, Road, Roads};
use crate::analysis::rate::Limits;
use crate::analysis::rules::Finding;
use crate::model::check::Ask;
use crate::model::line::{RACK, is_of_the_web, network};
use crate::model::observation::Observation;
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Dead addresses that are more than a few servers down.
const ADDRESSES: usize = 4;
/// Networks that are said to be unreachable by one router: more than one machine room.
const NETWORKS: usize = 3;
/// Addresses that are turned down nearer than servers stand, and their networks.
const NEARER: usize = 2;

/// What is more likely than this comes by chance: that all addresses of a target are silent, and some of the controls'.
const CHANCE: f64 = 0.01;
/// The same where some of the target's are: there are many ways to be some.
const CHANCE_OF_SOME: f64 = 0.001;
/// The same where these are whole services or networks, and one control is: it may be down itself.
const CHANCE_OF_GROUPS: f64 = 0.05;
/// Addresses that make a service or a network tell something by being silent together, and how many more of these than of those in
/// groups that are silent in part.
const GROUP: usize = 3;
const IN_GROUPS: usize = 3;

/// At most one finding for each manner.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let connections = &evidence.connections;
    if connections.controls_failed {
        return Vec::new();
    }
    MANNERS
        .into_iter()
        .filter(|manner| !strangers(evidence, *manner).is_everybodys())
        .map(|manner| Dead::of(connections, manner))
        .filter(|dead| dead.chance(evidence).is_none())
        .filter_map(|dead| dead.finding(evidence, &connections.roads))
        .collect()
}

/// How many of the controls met the same.
fn strangers(evidence: &Evidence, manner: Manner) -> Share {
    let everybody = &evidence.ground.everybody;
    everybody.connections(manner.interference(), None)
}

/// Whether roads that are down may have done it, where connections to a target's addresses never stand.
pub enum RoadsDown {
    /// It is chance which are, as far as the controls tell: nobody is to be blamed.
    Likely,
    /// No control tells of them, and the addresses are as few as chance may pick: a doubt.
    Unseen(String),
}

/// The same for any rule that blames connections that never stand on somebody.
pub fn roads_down(evidence: &Evidence, how: Interference) -> Option<RoadsDown> {
    let mut manners = MANNERS.into_iter().filter(|it| it.interference() == how);
    let dead = manners.find_map(|manner| {
        let dead = Dead::of(&evidence.connections, manner);
        (!dead.addresses.is_empty()).then_some(dead)
    })?;
    if dead.chance(evidence).is_some() {
        return Some(RoadsDown::Likely);
    }
    dead.chance_unseen(evidence).map(RoadsDown::Unseen)
}

/// What else than somebody on the way may do what these addresses meet, although they answer another vantage: what they meet is met
/// where servers stand, or at home, or by whom a router obeys is not known.
pub fn doubt_of_place(
    evidence: &Evidence,
    how: Interference,
    of: &BTreeSet<IpAddr>,
) -> Option<String> {
    let connections = &evidence.connections;
    MANNERS
        .into_iter()
        .filter(|manner| manner.interference() == how)
        .map(|manner| (manner, Dead::of(connections, manner)))
        .filter(|(_, dead)| !dead.addresses.is_disjoint(of))
        .find_map(|(manner, dead)| match dead.reach(&connections.roads) {
            Reach::Whole { .. } => Some(AT_THE_SERVERS),
            reach if is_at_home(manner, reach) => Some(AT_HOME),
            _ if manner == Manner::Prohibited => Some(WHOSE_ROUTER),
            Reach::Unknown => Some(NOT_SEEN_WHERE),
            Reach::Short { .. } => None,
        })
        .map(str::to_owned)
}

/// Why connections that failed so are not blamed on anybody, where their roads tell.
pub fn reason(evidence: &Evidence, failed: &Observation) -> Option<String> {
    let Ask::Climb(climb) = &failed.check.ask else {
        return None;
    };
    let connections = &evidence.connections;
    if connections.controls_failed {
        return Some(
            "Controls that worked before failed in between: the line itself fails".to_owned(),
        );
    }
    let manner = Manner::of(climb, failed)?;
    let share = strangers(evidence, manner);
    if share.is_everybodys() {
        return Some(format!(
            "{} of {} controls fail so too: some paths from here are down, or shut for everybody",
            share.met, share.of
        ));
    }
    let dead = Dead::of(connections, manner);
    if dead.is_limited(climb.address.ip()) {
        return Some(LIMITED.to_owned());
    }
    let Reach::Whole { hops, beyond } = dead.reach(&connections.roads) else {
        let is_dead = dead.addresses.contains(&climb.address.ip());
        return dead.chance(evidence).filter(|_| is_dead);
    };
    let how = match manner {
        Manner::Silence => "Packets get as far as a server would stand",
        Manner::Refusal => "Connections are refused where a server would stand",
        Manner::Unreachable | Manner::Prohibited => {
            "Connections are rejected beside where a server would stand"
        }
    };
    Some(format!(
        "{how} (hop {hops}; controls connect at hop {beyond}): servers that are down look the same"
    ))
}

/// Why silent addresses of a network are blamed on nobody.
const LIMITED: &str = "Another address of the same network connected before and was then silent too: a limit of connections by rate looks the same";

const MANNERS: [Manner; 4] = [
    Manner::Silence,
    Manner::Refusal,
    Manner::Unreachable,
    Manner::Prohibited,
];

/// The addresses of which nothing answers, in one manner.
struct Dead<'a, 'b> {
    manner: Manner,
    addresses: BTreeSet<IpAddr>,
    /// Those among them that were tried three times.
    repeated: BTreeSet<IpAddr>,
    /// What a limit by rate may have swallowed, where they are silent.
    limits: Option<&'b Limits>,
    /// They are silent, and of too few of them it is known that their network is not limited.
    may_be_limited: bool,
    places: &'b BTreeMap<IpAddr, Tried<'a>>,
}

/// Ports that fail so at an address which stands on another: what was tried on none but these does not speak for its address.
fn shut_ports(places: &BTreeMap<IpAddr, Tried>, manner: Manner) -> BTreeSet<u16> {
    let standing = places
        .values()
        .filter(|tried| all(tried).any(|(seen, _)| seen.is_none()));
    let failing = standing.flatten().filter(|(_, trials)| {
        let mut trials = trials.iter();
        trials.all(|(seen, _)| *seen == Some(manner))
    });
    failing.map(|(port, _)| *port).collect()
}

impl<'a, 'b> Dead<'a, 'b> {
    fn of(connections: &'b Connections<'a>, manner: Manner) -> Self {
        let places = &connections.places;
        let addresses: BTreeSet<IpAddr> = places
            .iter()
            .filter(|(_, tried)| all(tried).all(|(seen, _)| *seen == Some(manner)))
            .map(|(address, _)| *address)
            .collect();
        let is_repeated = |address: &IpAddr| {
            let mut ports = places[address].values();
            ports.any(|trials| trials.len() >= TRIALS)
        };
        let mut repeated: BTreeSet<IpAddr> =
            addresses.iter().copied().filter(is_repeated).collect();
        let limits = (manner == Manner::Silence).then_some(&connections.limits);
        if let Some(limits) = limits {
            repeated.retain(|address| !limits.limited.contains(address));
        }
        if manner == Manner::Prohibited {
            let shut = shut_ports(places, manner);
            repeated.retain(|address| places[address].keys().any(|port| !shut.contains(port)));
        }
        let is_free = |limits: &Limits| repeated.intersection(&limits.free).count() >= ADDRESSES;
        Self {
            manner,
            addresses,
            may_be_limited: limits.is_some_and(|limits| !is_free(limits)),
            repeated,
            limits,
            places,
        }
    }

    fn is_limited(&self, address: IpAddr) -> bool {
        self.limits
            .is_some_and(|limits| limits.limited.contains(&address))
    }

    /// Why it may be chance that it is these that fail, if it may: roads are down, whoever is at their ends.
    fn chance(&self, evidence: &Evidence) -> Option<String> {
        let (own, roads) = self.shares(evidence);
        if roads.met == 0 {
            return None;
        }
        let chance = if own.met == own.of {
            CHANCE
        } else if strangers(evidence, self.manner).met < 2 && self.is_grouped(evidence) {
            CHANCE_OF_GROUPS
        } else {
            CHANCE_OF_SOME
        };
        (roads.chance_of(own) >= chance).then(|| {
            format!(
                "{} of {} addresses of the target {}, and {} of {} of the controls': which paths are down may be chance",
                own.met,
                own.of,
                self.manner.told(),
                roads.met,
                roads.of
            )
        })
    }

    /// The same as a doubt where no control is silent: roads that are down may have spared them all. Chance does not pick whole
    /// services and networks.
    fn chance_unseen(&self, evidence: &Evidence) -> Option<String> {
        let (own, roads) = self.shares(evidence);
        let is_chance = own.met < own.of
            && roads.met == 0
            && roads.chance_of(own) >= CHANCE_OF_SOME
            && !self.is_grouped(evidence);
        is_chance.then(|| {
            format!(
                "They are {} of {} addresses, in the same networks as the others: a few paths that are down for everybody, and to none of {} controls, would look the same",
                own.met, own.of, roads.of
            )
        })
    }

    /// How many of the target's addresses are silent, and how many of the controls'.
    fn shares(&self, evidence: &Evidence) -> (Share, Share) {
        let ground = evidence.ground;
        // Where IPv6 is a black hole it is one for the controls too, and says nothing of IPv4.
        let [v4, v6] = self.families();
        let is_asked = |to: SocketAddr| {
            (!ground.shuts_odd_ports || is_of_the_web(to.port()))
                && if to.is_ipv4() { v4 } else { v6 }
        };
        let own = Share {
            met: self.addresses.len(),
            of: self.beside().count(),
        };
        let how = self.manner.interference();
        (own, ground.everybody.roads(how, is_asked))
    }

    /// Addresses of the target that were tried, of the families in which some are dead.
    fn beside(&self) -> impl Iterator<Item = &IpAddr> {
        let [v4, v6] = self.families();
        let is_alike = move |it: &&IpAddr| if it.is_ipv4() { v4 } else { v6 };
        self.places.keys().filter(is_alike)
    }

    /// Whether some are dead of IPv4, and of IPv6.
    fn families(&self) -> [bool; 2] {
        [true, false].map(|is_ipv4| self.addresses.iter().any(|it| it.is_ipv4() == is_ipv4))
    }

    /// Whether they are whole services, or all that was tried in their networks: chance does not look at these.
    fn is_grouped(&self, evidence: &Evidence) -> bool {
        let mut networks: BTreeMap<_, Vec<IpAddr>> = BTreeMap::new();
        for address in self.beside() {
            let network = networks.entry(network(*address, RACK)).or_default();
            network.push(*address);
        }
        let networks: Vec<_> = networks.into_values().collect();
        let of_service = |tried: &BTreeSet<IpAddr>| {
            let tried = self.beside().filter(|it| tried.contains(it));
            tried.copied().collect()
        };
        let services = evidence.connections.services.iter();
        let services: Vec<Vec<IpAddr>> = services.map(of_service).collect();
        self.are_silent_together(&networks) || self.are_silent_together(&services)
    }

    fn are_silent_together(&self, groups: &[Vec<IpAddr>]) -> bool {
        let mut together: BTreeSet<IpAddr> = BTreeSet::new();
        let mut apart: BTreeSet<IpAddr> = BTreeSet::new();
        for group in groups.iter().filter(|it| it.len() >= GROUP) {
            let dead = group.iter().copied();
            let dead = dead.filter(|it| self.addresses.contains(it));
            if dead.clone().count() == group.len() {
                together.extend(dead);
            } else {
                apart.extend(dead);
            }
        }
        together.len() >= ADDRESSES && together.len() >= apart.len() * IN_GROUPS
    }

    fn finding(&self, evidence: &Evidence, roads: &Roads) -> Option<Finding> {
        let reach = self.reach(roads);
        let strangers = strangers(evidence, self.manner);
        let unseen = self.chance_unseen(evidence);
        let confidence = self.confidence(roads, reach, strangers)?;
        let confidence = if unseen.is_some() {
            confidence.min(Confidence::Likely)
        } else {
            confidence
        };
        let hit = hit(evidence, |climb| {
            self.addresses.contains(&climb.address.ip())
        });
        let trials = all_of(self.places, &self.addresses).map(|observation| observation.id.clone());
        let mut ids: Vec<String> = trials.take(6).collect();
        if reach != Reach::Unknown {
            let traced = roads.to(&self.addresses);
            let shown = traced
                .into_iter()
                .take(1)
                .chain(roads.controls.iter().take(1));
            ids.extend(shown.flat_map(Road::evidence));
        }
        (!hit.is_empty()).then(|| Finding {
            technique: Technique::new(Trigger::Address, self.manner.interference()),
            confidence,
            endpoints: hit,
            evidence: ids,
            doubt: (confidence < Confidence::Confirmed)
                .then(|| self.doubt(reach, strangers, unseen)),
            seen: self.seen(reach),
        })
    }

    /// How far the packets to these addresses come.
    fn reach(&self, roads: &Roads) -> Reach {
        let traced = roads.to(&self.addresses);
        match self.manner {
            Manner::Silence => roads.swallowed(&traced),
            Manner::Refusal | Manner::Unreachable | Manner::Prohibited => roads.turned(&traced),
        }
    }

    /// How sure it is, if it is anything.
    fn confidence(&self, roads: &Roads, reach: Reach, strangers: Share) -> Option<Confidence> {
        let is_enough = self.repeated.len() >= ADDRESSES;
        let is_named = match (self.manner, reach) {
            (_, Reach::Whole { .. }) | (Manner::Refusal, Reach::Unknown) => false,
            (Manner::Prohibited, _) => !self.repeated.is_empty(),
            (Manner::Silence, _) => is_enough,
            (Manner::Refusal | Manner::Unreachable, Reach::Short { .. }) => self.is_traced(roads),
            (Manner::Unreachable, Reach::Unknown) => is_enough && self.is_told_by_one(),
        };
        let is_sure = matches!(reach, Reach::Short { agrees: true, .. })
            && !self.may_be_limited
            && strangers.met == 0
            && !is_at_home(self.manner, reach)
            // Where nobody has a road for, or is told none, packets end at a border, whoever sends them; no router refuses for want of one.
            && self.manner == Manner::Refusal
            && self.is_traced(roads);
        let confidence = if is_sure {
            Confidence::Confirmed
        } else {
            Confidence::Likely
        };
        is_named.then_some(confidence)
    }

    /// Whether several addresses in several networks were traced, each of them tried three times.
    fn is_traced(&self, roads: &Roads) -> bool {
        let traced: BTreeSet<IpAddr> = roads
            .to(&self.addresses)
            .iter()
            .map(|road| road.address.ip())
            .collect();
        let networks: BTreeSet<_> = traced.iter().map(|it| network(*it, RACK)).collect();
        networks.len() >= NEARER && traced.is_subset(&self.repeated)
    }

    /// Whether one router says it of enough networks.
    fn is_told_by_one(&self) -> bool {
        let offenders: BTreeSet<Option<&str>> = all_of(self.places, &self.repeated)
            .map(|observation| icmp(observation)?.offender.as_deref())
            .collect();
        let networks: BTreeSet<_> = self.repeated.iter().map(|it| network(*it, RACK)).collect();
        offenders.len() == 1 && !offenders.contains(&None) && networks.len() >= NETWORKS
    }

    fn doubt(&self, reach: Reach, strangers: Share, unseen: Option<String>) -> String {
        let doubt = match (self.manner, reach) {
            (Manner::Prohibited, _) => WHOSE_ROUTER,
            _ if is_at_home(self.manner, reach) => AT_HOME,
            (Manner::Silence | Manner::Unreachable, Reach::Short { .. }) => {
                "Networks whose operator has withdrawn their routes look the same, which only another vantage can settle"
            }
            (Manner::Refusal, Reach::Short { .. }) => {
                "The servers might be down if they stand nearer than all controls, which only another vantage can settle"
            }
            _ => {
                "The servers might be down everywhere: to rule it out, compare with another vantage (`--control`)"
            }
        };
        let mut doubts = vec![doubt.to_owned()];
        if self.may_be_limited {
            doubts.push("Other addresses of the same networks answer: a limit of connections by rate would look the same".to_owned());
        }
        doubts.extend(doubt_of(strangers));
        doubts.extend(unseen);
        doubts.join(". ")
    }

    fn seen(&self, reach: Reach) -> String {
        let what = self.manner.told();
        let alive = self.places.len() - self.addresses.len();
        let offender = all_of(self.places, &self.addresses)
            .find_map(icmp)
            .map(|error| {
                let offender = error.offender.as_deref();
                format!(
                    " (ICMP type {} code {} from {})",
                    error.kind,
                    error.code,
                    offender.unwrap_or("an unidentified router")
                )
            })
            .unwrap_or_default();
        format!(
            "{} addresses of the target {what} on every port tried{offender}; {alive} others answer, and so do the controls{}",
            self.addresses.len(),
            told(self.manner, reach)
        )
    }
}

/// Whether it may happen in this very machine, or in its own network: nothing is heard of the first router, or what answers is no
/// further away than it.
pub const fn is_at_home(manner: Manner, reach: Reach) -> bool {
    match (manner, reach) {
        (Manner::Silence, Reach::Short { hops, .. }) => hops == 0,
        (Manner::Refusal | Manner::Unreachable, Reach::Short { hops, .. }) => hops <= 1,
        _ => false,
    }
}

/// The doubt that is then left.
pub const AT_HOME: &str = "It happens before the first router: a firewall of this machine or of its own network looks the same";

/// The doubt that is left where packets come as far as servers stand, or connections are turned down there.
pub const AT_THE_SERVERS: &str = "It happens where a server would stand: the servers, or a firewall beside them, may reject clients from here";
/// The doubt that is left where nothing shows how far packets come.
pub const NOT_SEEN_WHERE: &str = "The place on the path is not known: the servers, or a firewall beside them, may reject clients from here";
/// The doubt that is left where a router says that it prohibits them.
pub const WHOSE_ROUTER: &str = "The router's owner is not known";

/// What is left to doubt where a control fails so too.
pub fn doubt_of(strangers: Share) -> Option<String> {
    (strangers.met > 0).then(|| {
        let fail = if strangers.met == 1 { "fails" } else { "fail" };
        format!(
            "{} of {} controls {fail} so too: a failure of some paths for everybody would look the same",
            strangers.met, strangers.of
        )
    })
}

/// What the roads show, as the end of a sentence.
pub fn told(manner: Manner, reach: Reach) -> String {
    match (manner, reach) {
        (Manner::Silence, Reach::Short { hops, beyond, .. }) => format!(
            ". Packets disappear after hop {hops}; packets to others get further and connect at hop {beyond}"
        ),
        (_, Reach::Short { hops, beyond, .. }) => {
            format!(". It happens after {hops} hops, and others connect at hop {beyond}")
        }
        (_, Reach::Whole { .. } | Reach::Unknown) => String::new(),
    }
}
