//! The line itself: its regime, what works on it, and what its resolvers do to everybody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::analysis::chance::{
    self, Handshakes, Questions, Silence, Trains, attempts, is_losing, is_unsteady,
};
use crate::analysis::control::OtherVantage;
use crate::analysis::decoys;
use crate::analysis::denials::Denials;
use crate::analysis::everybody::Everybody;
use crate::analysis::everything;
use crate::analysis::evidence::is_silent_quic;
use crate::analysis::problem::Signs;
use crate::analysis::regime;
use crate::analysis::replies::{self, contradicting, doubling};
use crate::analysis::resolvers;
use crate::analysis::states::{State, answers_stay_out, most_work, shuts_odd_ports, state};
use crate::analysis::words;
use crate::model::catalog::{Catalog, Control, Protocol, Resolver, ResolverRole};
use crate::model::check::Ask;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::report::{Regime, ResolverReport, Status, TechniqueReport};
use crate::model::technique::Interference;

/// What every target's judgement rests on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// State of the whole line.
    pub regime: Regime,
    /// `ipv4`, `ipv6`: the families in which something answered.
    pub families: Vec<String>,
    /// Every resolver that was asked.
    pub resolvers: Vec<ResolverReport>,
    /// What is done to the whole line, whatever is asked of it.
    pub techniques: Vec<TechniqueReport>,
    /// What controls met too.
    pub everybody: Everybody,
    /// Connections that stood, and those of them whose SYN was sent again.
    pub attempts: (usize, usize),
    /// Questions over UDP, by the resolver's id.
    questions: BTreeMap<String, Questions>,
    /// Datagrams to controls that answer.
    pub trains: Trains,
    /// QUIC handshakes with controls.
    pub handshakes: Handshakes,
    /// More controls worked than stayed silent, those over UDP aside, which is shut on many honest networks.
    pub most_controls_work: bool,
    /// TLS is answered nowhere, small answers come, and what is said is acknowledged: large packets may not pass.
    pub is_narrow: bool,
    /// A control on a port that the web does not use was tried, and none of those answered.
    pub shuts_odd_ports: bool,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// What the controls over QUIC showed.
    pub quic: Quic,
    /// Ids of resolvers that answered a control name; `None` is the system's own view.
    answering: BTreeSet<Option<String>>,
    /// Ids of resolvers of which control names got a false reply and an honest one.
    contradicting: BTreeSet<String>,
    /// Ids of resolvers that gave more replies than there were questions about control names.
    doubling: BTreeSet<String>,
    hijacked: BTreeSet<String>,
    /// Ids of resolvers that were asked for control names and waited for; `None` for the system's own view.
    asked: BTreeSet<Option<String>>,
    /// What resolvers said of control names.
    pub denials: Denials,
    /// By its id: how long a decoy was silent for control names at least, seconds, while others answered over UDP.
    decoys: BTreeMap<String, f64>,
    other: Option<OtherVantage>,
    /// Signs of a problem of this network or machine.
    pub signs: Signs,
    /// How far the vantage's clock is ahead of the servers', seconds; 0 where that is little or not known.
    pub clock_error_s: i64,
}

impl Ground {
    /// Judges the line by the ground's observations. `started_at` is the vantage's clock at second 0 of the run.
    pub fn new(
        catalog: &Catalog,
        notes: &[String],
        started_at: Timestamp,
        observations: &[Observation],
    ) -> Self {
        let answering = replies::answering(observations);
        let states: Vec<(&Control, State)> = catalog
            .controls
            .iter()
            .map(|control| (control, state(control, observations)))
            .collect();
        let hijacked = resolvers::hijacked(catalog, observations);
        let families = families(catalog, observations);
        let everybody = Everybody::of(catalog, observations);
        let mut ground = Self {
            regime: Regime::Open,
            resolvers: resolvers::report(catalog, observations, &hijacked, &families, &everybody),
            families,
            quic: quic(catalog, &states, observations),
            techniques: Vec::new(),
            everybody,
            attempts: attempts(observations.iter()),
            questions: questions(catalog, observations),
            trains: Trains::of(observations.iter()),
            handshakes: Handshakes::of(observations.iter()),
            is_narrow: answers_stay_out(&states, observations),
            shuts_odd_ports: shuts_odd_ports(&states),
            most_controls_work: most_work(&states),
            notes: notes.to_vec(),
            answering,
            contradicting: contradicting(observations).map(str::to_owned).collect(),
            doubling: doubling(observations).map(str::to_owned).collect(),
            hijacked: hijacked.keys().cloned().collect(),
            asked: asked(observations),
            denials: Denials::of(observations),
            decoys: decoys::silences(catalog, observations),
            other: None,
            signs: Signs::of(&states, observations),
            clock_error_s: clock_error(started_at, observations)
                .filter(|seconds| seconds.unsigned_abs() > MAX_CLOCK_ERROR_S)
                .unwrap_or(0),
        };
        ground.regime = regime::of(catalog, &states, observations);
        ground
            .techniques
            .extend(everything::infer(catalog, ground.regime, observations));
        if ground.regime != Regime::Open {
            // A portal redirects names for everybody: no resolver is singled out.
            for resolver in &mut ground.resolvers {
                resolver.techniques.clear();
                resolver.status = Status::Inconclusive;
            }
        }
        if is_unsteady(ground.attempts, (0, 0)) {
            // The silence of one transport says nothing on such a line, whoever is asked.
            ground.quic = match ground.quic {
                Quic::Silent { .. } => Quic::Untold,
                told => told,
            };
            for resolver in &mut ground.resolvers {
                let drops = |it: &TechniqueReport| it.interference == Interference::Drop;
                if resolver.techniques.iter().any(drops) {
                    resolver.techniques.retain(|it| !drops(it));
                    resolver.status = Status::Inconclusive;
                }
            }
            let what = if is_losing(ground.attempts, (0, 0)) {
                "many connection attempts, so silence"
            } else {
                "about one connection attempt in five, so silence of resolvers and of QUIC"
            };
            ground
                .notes
                .push(format!("This network loses {what} proves nothing here"));
        }
        ground.note(catalog, &states, observations);
        ground
    }

    /// Whether a resolver (or `None`, the system's own view) answered a control name with addresses.
    pub fn answers_controls(&self, resolver: Option<&str>) -> bool {
        self.answering.contains(&resolver.map(str::to_owned))
    }

    /// Whether a control name got a false reply and an honest one of that resolver.
    pub fn contradicts_controls(&self, resolver: &str) -> bool {
        self.contradicting.contains(resolver)
    }

    /// Whether that resolver gave more replies than there were questions about a control name.
    pub fn doubles_controls(&self, resolver: &str) -> bool {
        self.doubling.contains(resolver)
    }

    /// How that resolver answered over UDP before any target was asked about; all of them, if none is given.
    pub fn questions(&self, resolver: Option<&str>) -> Questions {
        let counted = self.questions.iter();
        counted
            .filter(|(id, _)| resolver.is_none_or(|it| it == *id))
            .fold(Questions::default(), |all, (_, questions)| all + *questions)
    }

    /// How long a decoy was silent for control names at least, seconds; `None` where that may have been the line.
    pub fn silence_of_decoy(&self, resolver: &str) -> Option<f64> {
        self.decoys.get(resolver).copied()
    }

    /// Whether somebody else answers at that resolver's address.
    pub fn is_hijacked(&self, resolver: &str) -> bool {
        self.hijacked.contains(resolver)
    }

    /// The same ground, with another vantage's report beside it; the user is told how far that one is used.
    #[must_use]
    pub fn beside(mut self, other: &OtherVantage, catalog: &Catalog) -> Self {
        let other = other.by_clock(self.clock_error_s);
        self.notes.push(other.note(catalog));
        self.other = Some(other);
        self
    }

    /// The other vantage, if there is one and it says anything of this run.
    pub fn other(&self) -> Option<&OtherVantage> {
        self.other.as_ref().filter(|other| other.speaks())
    }

    /// Whether a family works on this line at all.
    pub fn has_family(&self, ipv6: bool) -> bool {
        let word = if ipv6 { "ipv6" } else { "ipv4" };
        self.families.iter().any(|family| family == word)
    }

    fn note(
        &mut self,
        catalog: &Catalog,
        states: &[(&Control, State)],
        observations: &[Observation],
    ) {
        let failing: Vec<&str> = states
            .iter()
            .filter(|(_, state)| matches!(state, State::Silent | State::SomebodyElse))
            .filter(|(control, _)| !matches!(self.quic, Quic::Silent { .. }) || !is_quic(control))
            .map(|(control, _)| control.id.as_str())
            .collect();
        if self.regime == Regime::Open && !failing.is_empty() {
            self.notes.push(format!(
                "Control servers without a correct answer: {}",
                failing.join(", ")
            ));
        }
        if self.regime == Regime::Open && matches!(self.quic, Quic::Silent { .. }) {
            self.notes.push(
                "QUIC does not work on this network. All QUIC control servers are silent, and they answer over TCP. Many firewalls \
                 cause this"
                    .to_owned(),
            );
        }
        if self.regime == Regime::Open && self.is_narrow {
            self.notes.push(
                "Servers acknowledge TLS messages, but no TLS answer arrives; small answers do arrive. This network may lose \
                 large packets (MTU)"
                    .to_owned(),
            );
        }
        if self.regime == Regime::Offline && !self.answering.is_empty() {
            self.notes
                .push("DNS names resolve, but no connection works".to_owned());
        }
        if fake_addresses(observations) {
            self.notes.push(
                "The system's DNS resolver answers with addresses in 198.18.0.0/15. A local bypass program (fake-IP mode) is running"
                    .to_owned(),
            );
        }
        if self.answers_nobody(catalog) && self.regime == Regime::Open {
            self.notes.push(words::NO_CONTROL_NAMES.to_owned());
        }
    }

    /// Whether the ordinary path was asked for control names and resolves none; a run that was cut short may not have heard it yet.
    pub fn answers_nobody(&self, catalog: &Catalog) -> bool {
        let mut resolvers = catalog.resolvers.iter();
        let is_asked = |it: &Option<String>| self.asked.contains(it);
        let is_system =
            |it: &Resolver| it.role == ResolverRole::System && is_asked(&Some(it.id.clone()));
        (is_asked(&None) || resolvers.any(is_system)) && !self.answers_system(catalog)
    }

    /// Whether the ordinary path resolves control names.
    pub fn answers_system(&self, catalog: &Catalog) -> bool {
        self.answers_controls(None)
            || catalog
                .resolvers
                .iter()
                .filter(|resolver| resolver.role == ResolverRole::System)
                .any(|resolver| self.answers_controls(Some(&resolver.id)))
    }
}

fn questions(catalog: &Catalog, observations: &[Observation]) -> BTreeMap<String, Questions> {
    let of = |id: &str| Questions::of(catalog, observations.iter(), |it| it.id == id);
    let resolvers = catalog.resolvers.iter();
    resolvers
        .map(|resolver| (resolver.id.clone(), of(&resolver.id)))
        .collect()
}

fn asked(observations: &[Observation]) -> BTreeSet<Option<String>> {
    let heard = observations
        .iter()
        .filter(|it| !it.is_not_run() && it.failure() != Some(&Failure::Interrupted));
    heard
        .filter_map(|it| match &it.check.ask {
            Ask::Lookup { .. } => Some(None),
            Ask::Query { resolver, .. } => Some(Some(resolver.clone())),
            Ask::Climb(_) => None,
        })
        .collect()
}

fn is_quic(control: &Control) -> bool {
    control.endpoint.protocol == Protocol::Quic
}

/// What the controls over QUIC showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Quic {
    /// At least one works.
    Passes,
    /// Those of two operators or more are silent, which all work over TCP.
    Silent {
        /// Their ports.
        ports: BTreeSet<u16>,
        /// Ids of the observations that show it.
        evidence: Vec<String>,
    },
    /// Nothing that can be built on.
    #[default]
    Untold,
}

fn quic(catalog: &Catalog, states: &[(&Control, State)], observations: &[Observation]) -> Quic {
    let over_quic: Vec<&(&Control, State)> = states.iter().filter(|(it, _)| is_quic(it)).collect();
    if over_quic.iter().any(|(_, state)| *state == State::Works) {
        return Quic::Passes;
    }
    let works_over_tcp = |operator: &str| {
        states.iter().any(|(control, state)| {
            *state == State::Works
                && control.operator == operator
                && !control.endpoint.protocol.is_udp()
        })
    };
    let lost = |control: &Control| -> Option<&Observation> {
        let mut own = observations
            .iter()
            .filter(|it| it.check.endpoints.contains(&control.endpoint.id));
        own.find(|it| is_silent_quic(it))
    };
    let mut operators = BTreeSet::new();
    let mut evidence = Vec::new();
    for (control, state) in &over_quic {
        match lost(control) {
            Some(lost) if *state == State::Silent && works_over_tcp(&control.operator) => {
                operators.insert(control.operator.as_str());
                evidence.push(lost);
            }
            _ => return Quic::Untold,
        }
    }
    let questions = Questions::of(catalog, observations.iter(), |_| true);
    if operators.len() < 2 || chance::judge(questions.loss(), &evidence, 1) == Silence::Chance {
        return Quic::Untold;
    }
    let evidence = evidence.iter().map(|it| it.id.clone()).collect();
    let ports = over_quic.iter().map(|(it, _)| it.endpoint.port).collect();
    Quic::Silent { ports, evidence }
}

/// Facts 2.8: certificates and MTProto tolerate some minutes.
const MAX_CLOCK_ERROR_S: u64 = 300;

/// Families in which something answered. A connection that stands is none while nothing that was asked over it is answered:
/// a road that passes small packets alone lets every one of them stand.
fn families(catalog: &Catalog, observations: &[Observation]) -> Vec<String> {
    let is_ipv6 = |observation: &Observation| match &observation.check.ask {
        Ask::Climb(climb) => Some(climb.address.is_ipv6()),
        Ask::Query { resolver, .. } => {
            let mut resolvers = catalog.resolvers.iter();
            let asked = resolvers.find(|it| it.id == *resolver)?;
            Some(asked.address.is_ipv6())
        }
        Ask::Lookup { .. } => None,
    };
    let works = |ipv6: bool| {
        let of_it = || observations.iter().filter(|it| is_ipv6(it) == Some(ipv6));
        // Plain DNS may be answered by whoever stands next to this machine.
        let mut above = of_it()
            .flat_map(|it| &it.steps)
            .filter(|step| !matches!(step.operation, Operation::Resolve | Operation::TcpConnect))
            .filter(|step| step.failure != Some(Failure::Interrupted))
            .peekable();
        if above.peek().is_none() {
            let mut climbs = of_it().filter(|it| matches!(it.check.ask, Ask::Climb(_)));
            return climbs.any(|it| it.reached(Operation::TcpConnect));
        }
        above.any(|step| {
            let tls = step.tls.as_deref();
            step.failure.is_none() || tls.is_some_and(|tls| tls.received_bytes > 0)
        })
    };
    [(false, "ipv4"), (true, "ipv6")]
        .into_iter()
        .filter(|(ipv6, _)| works(*ipv6))
        .map(|(_, word)| word.to_owned())
        .collect()
}

/// Median difference between the servers' clocks and ours, seconds; `None` with fewer than two servers.
fn clock_error(started_at: Timestamp, observations: &[Observation]) -> Option<i64> {
    let mut errors: Vec<i64> = observations
        .iter()
        .filter_map(|observation| {
            let step = observation.step(Operation::HttpRoundTrip)?;
            let date = step.http.as_deref()?.header("date")?;
            let theirs = jiff::fmt::rfc2822::parse(date)
                .ok()?
                .timestamp()
                .as_second();
            #[expect(clippy::cast_possible_truncation, reason = "a run lasts seconds")]
            let ours = started_at.as_second().checked_add(step.t as i64)?;
            ours.checked_sub(theirs)
        })
        .collect();
    errors.sort_unstable();
    (errors.len() >= 2).then(|| errors[errors.len() / 2])
}

fn fake_addresses(observations: &[Observation]) -> bool {
    observations.iter().any(|observation| {
        observation
            .step(Operation::Resolve)
            .and_then(|step| step.dns.as_deref())
            .is_some_and(|facts| {
                facts
                    .bogons
                    .iter()
                    .any(|bogon| bogon.starts_with("198.18.") || bogon.starts_with("198.19."))
            })
    })
}

/// Whether a resolver can be used from here, for its report.
pub fn usable(answers: bool, hijacked: bool) -> Status {
    match (answers, hijacked) {
        (_, true) => Status::Blocked,
        (true, false) => Status::Accessible,
        (false, false) => Status::Inconclusive,
    }
}
