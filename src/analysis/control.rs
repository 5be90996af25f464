//! What another vantage saw (`--control`), asked in the words of the rules.
//!
//! Its report is judged again like any other, so that both are judged by the same rules. It speaks only where its own line
//! was open and where it is not too far away in time: what failed or worked long ago says nothing of now.

pub mod compared;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;

use crate::analysis::again::{Judge, Subjects};
use crate::analysis::control::compared::Compared;
use crate::analysis::evidence::{Evidence, Honest, Honesty, endpoints, is_proof};
use crate::analysis::ground::Ground;
use crate::model::catalog::{Catalog, Endpoint, Target};
use crate::model::check::{Ask, GROUND, Role};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::report::{
    Confidence, EndpointReport, EndpointStatus, Regime, Report, TechniqueReport, Verdict,
};
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Trigger};

/// After a day a service that is down by now is told from a blocked one by nothing.
const OLDEST_S: u64 = 86_400;

/// Another vantage's report of the same targets, judged.
#[derive(Clone, Debug)]
pub struct OtherVantage {
    label: Option<String>,
    name: String,
    /// Seconds from its run to ours; negative if it looked after us.
    before_s: i64,
    is_itself: bool,
    seen: Arc<Seen>,
}

/// What it saw.
#[derive(Debug)]
struct Seen {
    /// Its resolver answered for nobody: names that fail there say nothing.
    is_unresolved: bool,
    catalog: Catalog,
    ground: Ground,
    targets: BTreeMap<String, SeenTarget>,
}

/// What it saw of one target, indexed once: rules ask for each endpoint, name and address.
#[derive(Debug, Default)]
struct SeenTarget {
    verdict: Option<Verdict>,
    /// Where in the verdict each endpoint is: its service and its place there.
    endpoints: BTreeMap<String, (usize, usize)>,
    observations: Vec<Observation>,
    /// Which of them connected to an address.
    connections: BTreeMap<SocketAddr, Vec<usize>>,
    /// Endpoints that were connected to: whether each time in vain.
    in_vain: BTreeMap<String, bool>,
    /// What honest resolvers say of each host.
    names: BTreeMap<String, Name>,
}

/// What honest resolvers say of one host.
#[derive(Debug)]
struct Name {
    honest: Option<Honest>,
    addresses: BTreeSet<IpAddr>,
}

impl SeenTarget {
    fn of(
        catalog: &Catalog,
        target: &Target,
        ground: &Ground,
        observations: Vec<Observation>,
        verdict: Option<Verdict>,
    ) -> Self {
        let mut seen = Self::default();
        let evidence = Evidence::new(catalog, target, ground, &observations);
        for endpoint in endpoints(target) {
            if let Some(vain) = is_in_vain(&evidence, endpoint) {
                seen.in_vain.insert(endpoint.id.clone(), vain);
            }
        }
        for host in evidence.hosts() {
            let name = Name {
                honest: evidence.honest(host),
                addresses: told_addresses(&evidence, host),
            };
            seen.names.insert(host.to_owned(), name);
        }
        for (at, observation) in observations.iter().enumerate() {
            if let Ask::Climb(climb) = &observation.check.ask {
                seen.connections.entry(climb.address).or_default().push(at);
            }
        }
        let services = verdict.iter().flat_map(|it| it.services.iter().enumerate());
        for (of, service) in services {
            for (at, endpoint) in service.endpoints.iter().enumerate() {
                let known = seen.endpoints.entry(endpoint.endpoint.clone());
                known.or_insert((of, at));
            }
        }
        Self {
            verdict,
            observations,
            ..seen
        }
    }

    fn endpoint(&self, id: &str) -> Option<&EndpointReport> {
        let (service, at) = self.endpoints.get(id)?;
        self.verdict
            .as_ref()?
            .services
            .get(*service)?
            .endpoints
            .get(*at)
    }

    /// Every observation of connecting to that address.
    fn connections(&self, address: SocketAddr) -> impl Iterator<Item = &Observation> {
        let places = self.connections.get(&address).into_iter().flatten();
        places.map(|at| &self.observations[*at])
    }

    /// Those of one of the target's own endpoints.
    fn own(&self, endpoint: &str, address: SocketAddr) -> impl Iterator<Item = &Observation> {
        self.connections(address).filter(move |observation| {
            observation.check.role == Role::Target
                && observation.check.endpoints.iter().any(|id| id == endpoint)
        })
    }
}

/// The addresses that public resolvers say where nothing else answers in their place.
fn told_addresses(evidence: &Evidence, host: &str) -> BTreeSet<IpAddr> {
    let answers = evidence
        .resolution(host)
        .into_iter()
        .flat_map(|it| &it.answers);
    answers
        .filter(|answer| answer.is_public() && !evidence.is_hijacked(answer))
        .flat_map(Answer::addresses)
        .collect()
}

impl OtherVantage {
    /// Judges the other report; `run` and `started_at` are those of the run that is settled by it.
    ///
    /// # Errors
    /// Where the report does not tell when its run began.
    pub fn new(report: Report, run: &str, started_at: Timestamp) -> Result<Self, jiff::Error> {
        let theirs: Timestamp = report.run.started_at.parse()?;
        let mut observations = Subjects::of(report.observations);
        let judge = Judge::new(report.measured, theirs, None);
        let ground = judge.ground(observations.about(GROUND));
        let label = report.vantage.label.as_deref();
        let name = label.map_or_else(
            || "the control vantage".to_owned(),
            |label| format!("the control vantage ({label})"),
        );
        let mut targets = BTreeMap::new();
        for target in &judge.catalog.targets {
            let own = observations.take(&target.id);
            let verdict = judge.target(&target.id, &ground, &own);
            let seen = SeenTarget::of(&judge.catalog, target, &ground, own, verdict);
            // The first of two targets of one name is the one that was judged.
            targets.entry(target.id.clone()).or_insert(seen);
        }
        // Servers tell the time: a clock that runs ahead must not make an old report a fresh one.
        let apart = started_at.as_second().saturating_sub(theirs.as_second());
        Ok(Self {
            label: report.vantage.label,
            name,
            before_s: apart.saturating_add(ground.clock_error_s),
            is_itself: report.run.id == run,
            seen: Arc::new(Seen {
                is_unresolved: ground.answers_nobody(&judge.catalog),
                catalog: judge.into_catalog(),
                ground,
                targets,
            }),
        })
    }

    /// The same, as far away in time as it is by a clock that was so many seconds ahead in our own run.
    #[must_use]
    pub fn by_clock(&self, ahead_s: i64) -> Self {
        Self {
            before_s: self.before_s.saturating_sub(ahead_s),
            ..self.clone()
        }
    }

    /// What to call it in a sentence.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it says anything of this run.
    pub fn speaks(&self) -> bool {
        self.seen.ground.regime == Regime::Open
            && !self.seen.ground.families.is_empty()
            && self.before_s.unsigned_abs() <= OLDEST_S
            && !self.is_itself
    }

    const fn side(&self) -> &'static str {
        if self.before_s < 0 { "after" } else { "before" }
    }

    /// `3 hours before this run`.
    pub fn when(&self) -> String {
        let side = self.side();
        let minutes = self.before_s.unsigned_abs() / 60;
        let (count, unit) = match minutes {
            0 => return "within a minute of this run".to_owned(),
            1..=119 => (minutes, "minute"),
            120..=2879 => (minutes / 60, "hour"),
            _ => (minutes / 1440, "day"),
        };
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{plural} {side} this run")
    }

    /// What the user reads of it in the notes of a run that measures this catalog.
    pub fn note(&self, ours: &Catalog) -> String {
        if self.is_itself {
            "The control report is not used: it is a report of this same run".to_owned()
        } else if self.seen.ground.regime != Regime::Open {
            let regime = self.seen.ground.regime.word();
            format!("The control report is not used: its own network was not open ({regime})")
        } else if self.seen.ground.families.is_empty() {
            "The control report is not used: it reached no control server".to_owned()
        } else if self.before_s.unsigned_abs() > OLDEST_S {
            let side = self.side();
            format!(
                "The control report is not used: it was measured more than a day {side} this run"
            )
        } else {
            let seen = self.seen.targets.values();
            let verdicts = seen.filter_map(|it| it.verdict.as_ref());
            Compared::new(ours, &self.seen.catalog, verdicts).note(self)
        }
    }

    /// Whether that very endpoint works there.
    pub fn works(&self, target: &str, endpoint: &str) -> bool {
        self.endpoint(target, endpoint)
            .is_some_and(|endpoint| endpoint.status == EndpointStatus::Accessible)
    }

    /// Why that endpoint fails there, if it does and nobody there is known to block it. That a whole range is dead there is
    /// blamed on somebody only for want of another vantage, which we are: it counts as a failure. A name that is not resolved
    /// there says nothing of an endpoint that was connected to here, and nothing at all where none is resolved.
    pub fn failure(&self, target: &str, endpoint: &str, connected_to: bool) -> Option<&Failure> {
        let seen = self.seen.targets.get(target)?;
        let verdict = seen.verdict.as_ref()?;
        let is_blamed = |id: &String| {
            let mut techniques = verdict.techniques.iter();
            techniques.any(|technique| technique.id == *id && !is_for_want_of_us(technique))
        };
        seen.endpoint(endpoint)
            .filter(|endpoint| {
                matches!(
                    endpoint.status,
                    EndpointStatus::Inconclusive | EndpointStatus::Blocked
                )
            })
            .filter(|endpoint| !endpoint.techniques.iter().any(is_blamed))
            .and_then(|endpoint| endpoint.failure.as_ref())
            // A name that nobody knows is retired, or stale in the definitions: nothing is down.
            .filter(|failure| is_of_the_way(failure) && **failure != Failure::DnsNxdomain)
            .filter(|_| {
                let in_vain = seen.in_vain.get(endpoint).copied();
                in_vain.unwrap_or(!connected_to && !self.seen.is_unresolved)
            })
    }

    /// Whether no connection to that address stood there, and one was tried.
    pub fn fails_at(&self, target: &str, address: SocketAddr) -> bool {
        let mut tried = false;
        let mut connections = self
            .seen
            .targets
            .get(target)
            .into_iter()
            .flat_map(|it| it.connections(address));
        let stood = connections.any(|observation| {
            let connection = observation.step(Operation::TcpConnect);
            let failure = connection.and_then(|step| step.failure.as_ref());
            tried |= failure.is_some_and(is_of_the_way);
            connection.is_some_and(|step| step.failure.is_none())
        });
        tried && !stood && self.seen.ground.has_family(address.is_ipv6())
    }

    /// Whether a climb of that endpoint got past that step there, at this address.
    pub fn reached(
        &self,
        target: &str,
        endpoint: &str,
        address: SocketAddr,
        operation: Operation,
    ) -> bool {
        let seen = self.seen.targets.get(target);
        seen.is_some_and(|it| it.own(endpoint, address).any(|it| it.reached(operation)))
    }

    /// Whether a server at that address proved there, by TLS, to be who it is asked to be.
    pub fn proved(&self, target: &str, endpoint: &str, address: SocketAddr) -> bool {
        let seen = self.seen.targets.get(target);
        seen.is_some_and(|it| it.own(endpoint, address).any(is_proof))
    }

    /// The honest answer about a name there, unless one operator alone and in clear tells it.
    pub fn knows(&self, target: &str, host: &str) -> Option<Honest> {
        let honest = self.name_of(target, host)?.honest.clone();
        honest.filter(|honest| honest.honesty > Honesty::Single)
    }

    /// The addresses that honest resolvers tell there.
    pub fn addresses(&self, target: &str, host: &str) -> BTreeSet<IpAddr> {
        let name = self.name_of(target, host);
        name.map(|it| it.addresses.clone()).unwrap_or_default()
    }

    fn name_of(&self, target: &str, host: &str) -> Option<&Name> {
        self.seen.targets.get(target)?.names.get(host)
    }

    fn endpoint(&self, target: &str, endpoint: &str) -> Option<&EndpointReport> {
        self.seen.targets.get(target)?.endpoint(endpoint)
    }
}

/// Whether nothing came of connecting to an endpoint, at whatever address; `None` where that was not tried.
fn is_in_vain(evidence: &Evidence, endpoint: &Endpoint) -> Option<bool> {
    let climbs = evidence.climbs(endpoint);
    let mut met = climbs
        .iter()
        .map(|(_, it)| it)
        .filter(|it| !it.is_not_run());
    let mut fails = met.clone();
    met.clone().next()?;
    let fails = fails.any(|it| it.failure().is_some_and(is_of_the_way));
    Some(fails && !met.any(|it| it.is_success()))
}

/// Whether a technique was named with the doubt that only another vantage can take: dead addresses or ports, and what a server may do
/// to its own clients.
fn is_for_want_of_us(technique: &TechniqueReport) -> bool {
    let is_dead = matches!(technique.trigger, Trigger::Address | Trigger::AddressPort)
        && matches!(
            technique.interference,
            Interference::Drop | Interference::Refuse
        );
    technique.confidence < Confidence::Confirmed
        && (is_dead || may_be_the_servers_own(technique.trigger))
}

/// Whether a server can look like this of its own will, at its own addresses.
pub const fn may_be_the_servers_own(trigger: Trigger) -> bool {
    matches!(
        trigger,
        Trigger::ServerNameAtAddress
            | Trigger::QuicServerName
            | Trigger::TlsFingerprint
            | Trigger::HttpHost
            | Trigger::Protocol
    )
}

/// Whether a failure is of the way or of the server: not of the machine that measured, nor of a run that was cut short.
pub fn is_of_the_way(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::Interrupted
            | Failure::NetworkDown
            | Failure::NetworkUnreachable
            | Failure::PermissionDenied
            | Failure::AddressNotAvailable
            | Failure::AddressFamilyNotSupported
            | Failure::NoProtocolOption
            | Failure::MessageSize
            | Failure::NoBufferSpace
            | Failure::InvalidArgument
    )
}
