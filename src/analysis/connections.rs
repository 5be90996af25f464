//! Connections that never stood, by address and port: how each trial failed, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::evidence::{Evidence, endpoints, is_interrupted};
use crate::analysis::hops::Roads;
use crate::analysis::rate::Limits;
use crate::model::catalog::Protocol;
use crate::model::check::{Ask, Climb, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{IcmpError, Observation, Operation};
use crate::model::technique::Interference;

/// Trials that must all have failed.
pub const TRIALS: usize = 3;

/// How a connection did not come to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing came back.
    Silence,
    /// RST on SYN.
    Refusal,
    /// A router, or the host, says that it cannot be reached.
    Unreachable,
    /// A router on the way says that it prohibits the destination.
    Prohibited,
}

impl Manner {
    /// How it failed; `None` where it stood, or failed for a reason of this machine.
    pub fn of(climb: &Climb, observation: &Observation) -> Option<Self> {
        let step = observation.step(Operation::TcpConnect)?;
        let failure = step.failure.as_ref()?;
        let icmp: &[IcmpError] = step.tcp.as_deref().map_or(&[], |tcp| &tcp.icmp);
        if icmp.iter().any(|error| error.offender_is_own) {
            return None;
        }
        if let Some(error) = icmp.first() {
            let is_on_the_way = error.offender.as_deref() != Some(&climb.address.ip().to_string());
            return Some(if is_prohibition(error) && is_on_the_way {
                Self::Prohibited
            } else {
                Self::Unreachable
            });
        }
        match failure {
            Failure::GenericTimeout | Failure::TimedOut => Some(Self::Silence),
            Failure::ConnectionRefused => Some(Self::Refusal),
            Failure::HostUnreachable => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// What it is called.
    pub const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Refusal => Interference::Refuse,
            Self::Unreachable | Self::Prohibited => Interference::Unreachable,
        }
    }

    /// What addresses of which nothing answers do, as a person says it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Silence => "stay silent",
            Self::Refusal => "refuse every connection",
            Self::Unreachable => "are unreachable (ICMP)",
            Self::Prohibited => "are prohibited by a router on the path",
        }
    }
}

/// RFC 1812 5.2.7.1: 9, 10 and 13 are prohibitions; RFC 4443: 1, 5 and 6 of type 1.
fn is_prohibition(error: &IcmpError) -> bool {
    matches!((error.kind, error.code), (3, 9 | 10 | 13) | (1, 1 | 5 | 6))
}

/// What was tried at one address: by port, what became of every trial (`None`: it stood).
pub type Tried<'a> = BTreeMap<u16, Vec<(Option<Manner>, &'a Observation)>>;

/// All connections of a target, read once: several rules ask for them, and for each endpoint.
#[derive(Debug, Default)]
pub struct Connections<'a> {
    /// Every address that was tried.
    pub places: BTreeMap<IpAddr, Tried<'a>>,
    /// Addresses that were tried for each service.
    pub services: Vec<BTreeSet<IpAddr>>,
    /// How far their packets come.
    pub roads: Roads<'a>,
    /// What a limit by rate may have swallowed.
    pub limits: Limits,
    /// Whether a control that worked before does not stand in between the trials: then the line fails, for everybody.
    pub controls_failed: bool,
}

impl<'a> Connections<'a> {
    /// Reads them.
    pub fn of(evidence: &Evidence<'a>) -> Self {
        let places = places(evidence);
        Self {
            services: services(evidence),
            roads: Roads::of(evidence),
            limits: Limits::of(evidence, &places),
            controls_failed: controls_failed(evidence),
            places,
        }
    }
}

/// Every address of the target that was tried, contrasts of ports included.
fn places<'a>(evidence: &Evidence<'a>) -> BTreeMap<IpAddr, Tried<'a>> {
    let mut places: BTreeMap<IpAddr, Tried> = BTreeMap::new();
    for observation in evidence.observations {
        let Ask::Climb(climb) = &observation.check.ask else {
            continue;
        };
        let is_v6_in_vain = climb.address.is_ipv6() && !evidence.ground.has_family(true);
        if observation.is_not_run()
            || is_interrupted(observation)
            || is_v6_in_vain
            || is_elsewhere(climb, observation)
        {
            continue;
        }
        let stood = observation.reached(Operation::TcpConnect);
        let manner = Manner::of(climb, observation);
        if stood || manner.is_some() {
            places
                .entry(climb.address.ip())
                .or_default()
                .entry(climb.address.port())
                .or_default()
                .push((manner, observation));
        }
    }
    places
}

fn services(evidence: &Evidence) -> Vec<BTreeSet<IpAddr>> {
    let services = &evidence.target.services;
    let mut by_endpoint: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, service) in services.iter().enumerate() {
        for endpoint in &service.endpoints {
            by_endpoint.entry(&endpoint.id).or_default().push(at);
        }
    }
    let mut tried = vec![BTreeSet::new(); services.len()];
    for (climb, observation) in evidence.all_climbs() {
        let ids = observation.check.endpoints.iter();
        for at in ids.filter_map(|id| by_endpoint.get(id.as_str())).flatten() {
            tried[*at].insert(climb.address.ip());
        }
    }
    tried
}

/// Contrasts at a control's address, or with fewer hops to live, say nothing of the target's own connections.
fn is_elsewhere(climb: &Climb, observation: &Observation) -> bool {
    let contrast = observation.check.contrast.as_ref();
    climb.hops.is_some()
        || contrast.is_some_and(|it| matches!(it.varies, Variation::Address | Variation::Both))
        || is_not_served(observation)
}

/// A server of datagrams that was asked over TCP too: that no connection stands there says nothing, it may have none to offer.
pub fn is_not_served(observation: &Observation) -> bool {
    let contrast = observation.check.contrast.as_ref();
    contrast.is_some_and(|it| it.varies == Variation::Transport)
        && !observation.reached(Operation::TcpConnect)
}

fn controls_failed(evidence: &Evidence) -> bool {
    let between = evidence.observations.iter().filter(|observation| {
        let contrast = observation.check.contrast.as_ref();
        let is_bare = matches!(
            &observation.check.ask,
            Ask::Climb(climb) if climb.protocol == Protocol::Tcp && climb.hops.is_none()
        );
        is_bare
            && contrast.is_some_and(|it| it.varies == Variation::Address)
            && !observation.is_not_run()
            && !is_interrupted(observation)
    });
    let mut any = false;
    let failed = between
        .inspect(|_| any = true)
        .any(|observation| observation.failure().is_some());
    // Where no control was there to be asked, and most fail, nothing tells the line from the target.
    failed || (!any && !evidence.ground.most_controls_work)
}

/// The ICMP error that ended a connection.
pub fn icmp(observation: &Observation) -> Option<&IcmpError> {
    let tcp = observation.step(Operation::TcpConnect)?.tcp.as_deref()?;
    tcp.icmp.first()
}

/// Everything that was tried at one address.
pub fn all<'a, 'b>(
    tried: &'b Tried<'a>,
) -> impl Iterator<Item = &'b (Option<Manner>, &'a Observation)> {
    tried.values().flatten()
}

/// Everything that was tried at these addresses.
pub fn all_of<'a, 'b>(
    places: &'b BTreeMap<IpAddr, Tried<'a>>,
    addresses: &'b BTreeSet<IpAddr>,
) -> impl Iterator<Item = &'a Observation> + use<'a, 'b> {
    let tried = addresses.iter().filter_map(|address| places.get(address));
    tried.flat_map(all).map(|(_, observation)| *observation)
}

/// Endpoints of which every climb is hit.
pub fn hit(evidence: &Evidence, is_hit: impl Fn(&Climb) -> bool) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| {
            let climbs = evidence.climbs(endpoint);
            let mut tried = climbs
                .iter()
                .filter(|(climb, observation)| {
                    !observation.is_not_run()
                        && (climb.address.is_ipv4() || evidence.ground.has_family(true))
                })
                .peekable();
            tried.peek().is_some() && tried.all(|(climb, _)| is_hit(climb))
        })
        .map(|endpoint| endpoint.id.clone())
        .collect()
}
