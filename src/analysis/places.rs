//! Services whose places are each led to by several ways (`by_place`): which places are lost, which are impaired, and which ways
//! are answered nowhere although others are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::model::catalog::{Endpoint, Protocol, Service};
use crate::model::report::{EndpointReport, EndpointStatus, ServiceReport};

/// Places at which a way is not answered, for it to be told: at one the server may be broken.
const PLACES: usize = 2;

/// Where an endpoint leads: to its host, or to its addresses where it has none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    Host(&'a str),
    Addresses(&'a [IpAddr]),
}

impl<'a> Place<'a> {
    fn of(endpoint: &'a Endpoint) -> Self {
        match endpoint.host.as_deref() {
            Some(host) => Self::Host(host),
            None => Self::Addresses(&endpoint.addresses),
        }
    }
}

/// What was found on each way to each place of a service; the ways in the order of the definitions.
pub fn by_place<T>(service: &Service, found: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut places: BTreeMap<Place, Vec<T>> = BTreeMap::new();
    for (endpoint, found) in service.endpoints.iter().zip(found) {
        places.entry(Place::of(endpoint)).or_default().push(found);
    }
    places.into_values().collect()
}

/// A way to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    protocol: Protocol,
    port: u16,
}

impl Way {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            protocol: endpoint.protocol,
            port: port_in(&endpoint.id).unwrap_or(endpoint.port),
        }
    }
}

/// The port that an id names: a person knows it, and in the lab it stands elsewhere.
fn port_in(id: &str) -> Option<u16> {
    let (_, rest) = id.split_once("://")?;
    let (_, port) = rest.split('/').next()?.rsplit_once(':')?;
    port.parse().ok()
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on port {}", self.protocol.word(), self.port)
    }
}

/// At how many places a way is answered, of those that work and where it was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Places at which it is.
    pub at: usize,
    /// Places in all.
    pub of: usize,
}

/// The places of a service, as its ways were judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Those of which anything was measured.
    pub tried: usize,
    /// Those that no way leads to.
    pub lost: usize,
    /// Those of which the first way fails and another works.
    pub impaired: usize,
    /// Ways that work at every one of these.
    pub left: BTreeSet<Way>,
    /// Ways on the port of the first that are not answered at places which work, and no technique tells why. Other ports may be shut for
    /// everybody.
    pub unanswered: BTreeMap<Way, Answered>,
}

type Judged<'a> = (&'a Endpoint, &'a EndpointReport);

impl Places {
    /// `None` where each endpoint stands for itself.
    ///
    /// `stood` tells whether a connection to an endpoint came to stand: what a way does not answer is told only of these, for on a line
    /// that swallows connections it is chance which of the ways are hit.
    pub fn of(
        service: &Service,
        report: &ServiceReport,
        stood: impl Fn(&Endpoint) -> bool,
    ) -> Option<Self> {
        let first = Way::of(service.endpoints.first().filter(|_| service.by_place)?);
        let judged = service.endpoints.iter().zip(&report.endpoints);
        let places = by_place(service, judged);
        let is_tried = |(_, it): &Judged| it.status != EndpointStatus::NotRun;
        let tried: Vec<Vec<Judged>> = places
            .into_iter()
            .filter(|ways| ways.iter().any(is_tried))
            .collect();
        let (working, lost): (Vec<_>, Vec<_>) = tried
            .iter()
            .map(Vec::as_slice)
            .partition(|ways| ways.iter().any(works));
        let impaired: Vec<&[Judged]> = working
            .iter()
            .copied()
            .filter(|ways| {
                let mut first = ways.iter().take(1);
                first.any(|way| is_tried(way) && !works(way))
            })
            .collect();
        let left = impaired.iter().map(|ways| {
            let working = ways.iter().filter(|it| works(it));
            working.map(|(endpoint, _)| Way::of(endpoint)).collect()
        });
        let mut unanswered = unanswered(&working, |it| Way::of(it).port == first.port && stood(it));
        if !impaired.is_empty() {
            unanswered.remove(&first);
        }
        Some(Self {
            tried: tried.len(),
            lost: lost.len(),
            impaired: impaired.len(),
            left: left
                .reduce(|one: BTreeSet<Way>, other| one.intersection(&other).copied().collect())
                .unwrap_or_default(),
            unanswered,
        })
    }

    /// What a person should know of them, in sentences.
    pub fn told(&self, service: &str) -> Vec<String> {
        let mut told = Vec::new();
        let places = |count: usize| match count {
            1 => format!("1 of {} places is", self.tried),
            _ => format!("{count} of {} places are", self.tried),
        };
        if self.lost > 0 {
            told.push(format!(
                "{service}: {} reachable in no way",
                places(self.lost)
            ));
        }
        if self.impaired > 0 {
            let left: Vec<String> = self.left.iter().map(Way::to_string).collect();
            let left = if left.is_empty() {
                "some of the ways".to_owned()
            } else {
                left.join(", ")
            };
            told.push(format!(
                "{service}: {} reachable by {left} only",
                places(self.impaired)
            ));
        }
        told.extend(self.unanswered.iter().map(|(way, Answered { at, of })| {
            let at = match at {
                0 => "none".to_owned(),
                at => at.to_string(),
            };
            format!(
                "{service}: {way} gets an answer at {at} of {of} places, for an unknown cause: apps that use it may fail"
            )
        }));
        told
    }
}

fn works((_, report): &Judged) -> bool {
    report.status == EndpointStatus::Accessible
}

fn unanswered(
    working: &[&[Judged]],
    counts: impl Fn(&Endpoint) -> bool,
) -> BTreeMap<Way, Answered> {
    let mut ways: BTreeMap<Way, Answered> = BTreeMap::new();
    let counts = |(endpoint, _): &&Judged| counts(endpoint);
    for judged in working.iter().flat_map(|ways| ways.iter().filter(&counts)) {
        let (endpoint, report) = judged;
        let is_unnamed = matches!(
            report.status,
            EndpointStatus::Inconclusive | EndpointStatus::Down
        );
        if works(judged) || is_unnamed && report.failure.is_some() {
            let answered = ways
                .entry(Way::of(endpoint))
                .or_insert(Answered { at: 0, of: 0 });
            answered.of += 1;
            answered.at += usize::from(works(judged));
        }
    }
    ways.retain(|_, it| it.of - it.at >= PLACES);
    ways
}
