//! The little of each observation that the screen needs, and where to find it: a run of any size stays small in memory.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::check::{Ask, Climb, Payload, Role, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation, Step};
use crate::output::words;

/// One observation in short.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its target, or the ground.
    pub subject: String,
    /// Whether it asks a control.
    pub is_control: bool,
    /// Endpoints that it speaks for.
    pub endpoints: Vec<String>,
    /// What differs from the check that failed; `None` for the target's own attempts, repeated ones included.
    pub varies: Option<Variation>,
    /// What was asked.
    pub asked: Asked,
    /// What tells two outcomes apart.
    pub shape: Shape,
    /// Whether something came back that proves a peer.
    pub is_answered: bool,
    /// The outcome in words, without times.
    pub outcome: String,
    /// Seconds that the last step took.
    pub took: f64,
}

/// What was asked.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A name at a resolver.
    Name {
        /// The resolver's id, or `None` for the system's own lookup.
        resolver: Option<String>,
        /// The name.
        name: String,
    },
    /// A connection.
    Place(Box<Place>),
}

/// Where a connection went.
#[derive(Clone, Debug)]
pub struct Place {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
    /// Word of the protocol.
    pub protocol: &'static str,
    /// Host name that was in it.
    pub name: Option<String>,
    /// Random bytes in place of the protocol's own.
    pub is_random: bool,
    /// TTL, if limited.
    pub hops: Option<u8>,
}

/// Two observations with one shape ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The last step.
    pub last: Option<Operation>,
    /// Its failure.
    pub failure: Option<Failure>,
    /// A TLS alert, which is no certificate.
    pub alert: Option<u8>,
    /// Status of an HTTP answer.
    pub status: Option<u16>,
}

impl Fact {
    /// An observation in short; `None` where nothing was sent.
    pub fn of(observation: &Observation) -> Option<Self> {
        let last = observation.steps.last()?;
        let check = &observation.check;
        let varies = check.contrast.as_ref().map(|contrast| contrast.varies);
        Some(Self {
            subject: check.subject.clone(),
            is_control: check.role != Role::Target,
            endpoints: check.endpoints.clone(),
            varies: varies.filter(|varies| *varies != Variation::Nothing),
            asked: Asked::of(&check.ask),
            shape: Shape {
                last: Some(last.operation),
                failure: last.failure.clone(),
                alert: last.tls.as_ref().and_then(|tls| tls.alert),
                status: last.http.as_ref().map(|http| http.status),
            },
            is_answered: is_answered(last),
            outcome: outcome(last),
            took: last.t - last.t0,
        })
    }

    /// Whether it is one of the target's own attempts, with nothing changed.
    pub const fn is_own(&self) -> bool {
        !self.is_control && self.varies.is_none()
    }
}

impl Asked {
    fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Lookup { name } => Self::Name {
                resolver: None,
                name: name.clone(),
            },
            Ask::Query { resolver, name, .. } => Self::Name {
                resolver: Some(resolver.clone()),
                name: name.clone(),
            },
            Ask::Climb(climb) => Self::Place(Box::new(Place::of(climb))),
        }
    }
}

impl Place {
    fn of(climb: &Climb) -> Self {
        let name = climb.server_name.as_ref().or(climb.host.as_ref());
        Self {
            ip: climb.address.ip(),
            port: climb.address.port(),
            protocol: climb.protocol.word(),
            name: name.cloned(),
            is_random: climb.payload == Payload::Random,
            hops: climb.hops,
        }
    }
}

/// A certificate that is not trusted or for another name is an answer too; a forged one has the shape of what failed.
fn is_answered(last: &Step) -> bool {
    let certificate = last.tls.as_ref().is_some_and(|tls| !tls.chain.is_empty());
    last.failure.is_none() || certificate
}

fn outcome(last: &Step) -> String {
    let answers = last.dns.as_deref().map(addresses).unwrap_or_default();
    let title = last.http.as_ref().and_then(|http| http.title.as_deref());
    match (&last.failure, last.operation) {
        (None, Operation::Resolve) if answers.is_empty() => "an answer without address".to_owned(),
        (None, Operation::Resolve) => answers,
        (None, Operation::TcpConnect) => "connected".to_owned(),
        (None, Operation::QuicHandshake) if lists_versions(last) => "list of versions".to_owned(),
        (None, Operation::TlsHandshake | Operation::QuicHandshake) => {
            "handshake complete".to_owned()
        }
        (None, Operation::HttpRoundTrip) => {
            let status = last.http.as_ref().map_or(0, |http| http.status);
            let title = title.map_or_else(String::new, |title| format!(" “{title}”"));
            format!("HTTP {status}{title}")
        }
        (None, Operation::Exchange) => "answered".to_owned(),
        (Some(Failure::SslInvalidHostname), _) if has_alert(last) => {
            format!("TLS alert {}", alert(last))
        }
        (Some(Failure::SslInvalidHostname), _) => "certificate of another name".to_owned(),
        (Some(failure @ Failure::DnsBogon), _) => {
            format!("{} {answers}", words::brief(failure))
        }
        (Some(failure), _) => words::brief(failure).into_owned(),
    }
}

fn lists_versions(last: &Step) -> bool {
    let quic = last.quic.as_ref();
    quic.is_some_and(|quic| !quic.versions.is_empty())
}

fn has_alert(last: &Step) -> bool {
    last.tls.as_ref().is_some_and(|tls| tls.alert.is_some())
}

fn alert(last: &Step) -> u8 {
    last.tls.as_ref().and_then(|tls| tls.alert).unwrap_or(0)
}

/// The first two addresses of an answer.
fn addresses(dns: &DnsFacts) -> String {
    let mut addresses = dns.addresses();
    let more = addresses.len() > 2;
    addresses.truncate(2);
    let mut text = addresses.join(", ");
    if more {
        text.push_str(" …");
    }
    text
}

/// Every fact of a run.
#[derive(Debug, Default)]
pub struct Facts {
    all: Vec<Fact>,
    by_id: HashMap<String, usize>,
}

impl Facts {
    /// Takes in an observation.
    pub fn note(&mut self, observation: &Observation) {
        if let Some(fact) = Fact::of(observation) {
            self.by_id.insert(observation.id.clone(), self.all.len());
            self.all.push(fact);
        }
    }

    /// Those of a saved report.
    pub fn of(observations: &[Observation]) -> Self {
        let mut facts = Self::default();
        for observation in observations {
            facts.note(observation);
        }
        facts
    }

    /// How many checks were run.
    pub const fn count(&self) -> usize {
        self.all.len()
    }

    /// Those that a technique cites, in its order.
    pub fn cited<'a>(&'a self, evidence: &[String]) -> Vec<&'a Fact> {
        let places = evidence.iter().filter_map(|id| self.by_id.get(id));
        places.filter_map(|at| self.all.get(*at)).collect()
    }

    /// Where each endpoint's and each name's own attempts are found.
    pub fn index(&self) -> Index<'_> {
        let mut index = Index::default();
        for fact in self.all.iter().filter(|fact| fact.is_own()) {
            for endpoint in &fact.endpoints {
                index.endpoints.entry(endpoint).or_default().push(fact);
            }
            if let Asked::Name { name, .. } = &fact.asked {
                index.names.entry(name).or_default().push(fact);
            }
        }
        index
    }
}

/// Own attempts of every target.
#[derive(Default)]
pub struct Index<'a> {
    endpoints: HashMap<&'a str, Vec<&'a Fact>>,
    names: HashMap<&'a str, Vec<&'a Fact>>,
}

impl<'a> Index<'a> {
    /// Attempts at this endpoint.
    pub fn endpoint(&self, id: &str) -> &[&'a Fact] {
        self.endpoints.get(id).map_or(&[], Vec::as_slice)
    }

    /// Queries for this name.
    pub fn name(&self, name: &str) -> &[&'a Fact] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }
}
