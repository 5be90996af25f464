//! The line itself: its regime, what works on it, and what its resolvers do to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::analysis::chance::{self, Handshakes, Questions, Silence, Trains};
use crate::analysis::control::OtherVantage;
use crate::analysis::everybody::Everybody;
use crate::analysis::everything;
use crate::analysis::evidence::{
    attempts, contradicting, doubling, is_answer_amid, is_losing, is_proof, is_silent_quic,
    is_unsteady,
};
use crate::analysis::resolvers;
use crate::model::catalog::{Catalog, Control, Protocol, Region, ResolverRole, Transport};
use crate::model::check::{Ask, Role};
use crate::model::failure::Failure;
use crate::model::line::is_of_the_web;
use crate::model::observation::{DnsFacts, Observation, Operation};
use crate::model::report::{Regime, ResolverReport, Status, TechniqueReport};
use crate::model::resolution::Resolution;
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
    /// By its id: how long a decoy was silent for control names at least, seconds, while others answered over UDP.
    decoys: BTreeMap<String, f64>,
    other: Option<Arc<OtherVantage>>,
}

impl Ground {
    /// Judges the line by the ground's observations. `started_at` is the vantage's clock at second 0 of the run.
    pub fn new(
        catalog: &Catalog,
        notes: &[String],
        started_at: Timestamp,
        observations: &[Observation],
    ) -> Self {
        let answering = answering(observations);
        let states: Vec<(&Control, State)> = catalog
            .controls
            .iter()
            .map(|control| (control, state(control, observations)))
            .collect();
        let hijacked = resolvers::hijacked(catalog, observations);
        let families = families(catalog, observations);
        let mut ground = Self {
            regime: Regime::Open,
            resolvers: resolvers::report(catalog, observations, &hijacked, &families),
            families,
            quic: quic(catalog, &states, observations),
            techniques: Vec::new(),
            everybody: Everybody::of(catalog, observations),
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
            decoys: decoys(catalog, observations),
            other: None,
        };
        ground.regime = regime(catalog, &states, observations);
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
        let everybody = &ground.everybody;
        for resolver in &mut ground.resolvers {
            let is_everybodys = |it: &TechniqueReport| everybody.meets(it.interference);
            if resolver.techniques.iter().any(is_everybodys) {
                resolver.techniques.retain(|it| !is_everybodys(it));
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
                "many connection attempts: silence"
            } else {
                "one connection attempt in five: the silence of resolvers and of QUIC"
            };
            ground
                .notes
                .push(format!("This line loses {what} says nothing on it"));
        }
        ground.note(catalog, &states, started_at, observations);
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
    pub fn beside(mut self, other: Arc<OtherVantage>) -> Self {
        self.notes.push(other.note());
        self.other = Some(other);
        self
    }

    /// The other vantage, if there is one and it says anything of this run.
    pub fn other(&self) -> Option<&OtherVantage> {
        self.other.as_deref().filter(|other| other.speaks())
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
        started_at: Timestamp,
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
                "Controls that did not answer as they should: {}",
                failing.join(", ")
            ));
        }
        if self.regime == Regime::Open && matches!(self.quic, Quic::Silent { .. }) {
            self.notes.push(
                "QUIC does not pass on this line: every control over it is silent, and answers over TCP, as behind \
                 many firewalls"
                    .to_owned(),
            );
        }
        if self.regime == Regime::Open && self.is_narrow {
            self.notes.push(
                "What is said in TLS is acknowledged and no answer comes, while small answers do: large packets may not pass \
                 on this line (MTU)"
                    .to_owned(),
            );
        }
        let untold = states.iter().all(|(_, state)| *state == State::NotMeasured);
        if untold && self.regime == Regime::Open {
            self.notes
                .push("No control was reached: the state of the line is not known".to_owned());
        }
        if self.regime == Regime::Offline && !self.answering.is_empty() {
            self.notes
                .push("Names are resolved, but nothing else passes".to_owned());
        }
        if let Some(seconds) = clock_error(started_at, observations)
            && seconds.unsigned_abs() > MAX_CLOCK_ERROR_S
        {
            self.notes.push(format!(
                "The clock of this machine is wrong by about {} minutes: certificates may look expired",
                seconds / 60
            ));
        }
        if fake_addresses(observations) {
            self.notes.push(
                "The system's resolver answers from 198.18.0.0/15: a local bypass program (fake-IP mode) is running"
                    .to_owned(),
            );
        }
        if !self.answers_system(catalog) && self.regime == Regime::Open {
            self.notes
                .push("The system's resolver does not answer for control names either".to_owned());
        }
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

fn most_work(states: &[(&Control, State)]) -> bool {
    let count = |wanted: State| {
        let over_tcp = states
            .iter()
            .filter(|(control, _)| !control.endpoint.protocol.is_udp());
        over_tcp.filter(|(_, state)| *state == wanted).count()
    };
    count(State::Works) > count(State::Silent)
}

/// Whether every control on a port that the web does not use stayed silent: firewalls of companies and hotels.
fn shuts_odd_ports(states: &[(&Control, State)]) -> bool {
    let mut odd = states
        .iter()
        .filter(|(control, _)| {
            let endpoint = &control.endpoint;
            !endpoint.protocol.is_udp() && !is_of_the_web(endpoint.port)
        })
        .peekable();
    odd.peek().is_some() && odd.all(|(_, state)| *state == State::Silent)
}

/// State of the whole line, by what its controls showed.
fn regime(catalog: &Catalog, states: &[(&Control, State)], observations: &[Observation]) -> Regime {
    // What is spoken over UDP is shut on many honest networks: it is there for contrast and says nothing of the line.
    let is_halted = answers_stay_out(states, observations);
    let states: Vec<(&Control, State)> = states
        .iter()
        .copied()
        .filter(|(control, _)| !control.endpoint.protocol.is_udp())
        .filter(|(control, _)| !is_halted || !is_heard_only(control, observations))
        .collect();
    let operators = |wanted: State, region: Option<Region>| -> BTreeSet<&str> {
        states
            .iter()
            .filter(|(control, state)| {
                *state == wanted && region.is_none_or(|region| control.region == region)
            })
            .map(|(control, _)| control.operator.as_str())
            .collect()
    };
    let of_web = |wanted: State, protocol: Option<Protocol>| -> BTreeSet<&str> {
        states
            .iter()
            .filter(|(control, state)| {
                let spoken = control.endpoint.protocol;
                *state == wanted
                    && spoken != Protocol::Tcp
                    && protocol.is_none_or(|it| it == spoken)
            })
            .map(|(control, _)| control.operator.as_str())
            .collect()
    };
    // In clear somebody else answers for everybody: a portal, whether or not it lets TLS through. More impostors than
    // honest controls: a portal with a walled garden.
    let in_clear = of_web(State::SomebodyElse, Some(Protocol::Http));
    let taken_over = in_clear.len() >= 3 && of_web(State::Works, Some(Protocol::Http)).is_empty();
    let talking = of_web(State::Works, None);
    let impostors = of_web(State::SomebodyElse, None).len();
    let portal = if talking.is_empty() {
        impostors >= 2 || one_address_for_everybody(catalog, observations)
    } else {
        impostors >= 3 && impostors > talking.len()
    };
    if taken_over || portal {
        return Regime::CaptivePortal;
    }
    // A foreign resolver that proved itself by TLS is as good a sign of the world outside as a control.
    if foreign_resolver_answers(catalog, observations) {
        return Regime::Open;
    }
    if operators(State::Works, None).is_empty() {
        // Cut short before any control could answer: a line of which nothing failed is not known to be offline.
        let untold = states.iter().all(|(_, state)| *state == State::NotMeasured);
        let failed = observations.iter().any(|observation| {
            observation
                .failure()
                .is_some_and(|failure| *failure != Failure::Interrupted)
        });
        let resolves = !answering(observations).is_empty();
        return if untold && (resolves || !failed) {
            Regime::Open
        } else {
            Regime::Offline
        };
    }
    let silent: BTreeSet<&str> = operators(State::Silent, None)
        .difference(&talking)
        .copied()
        .collect();
    let foreign_silent = operators(State::Silent, Some(Region::Foreign)).len();
    let foreign_talks = states.iter().any(|(control, state)| {
        *state == State::Works
            && control.region == Region::Foreign
            && control.endpoint.protocol != Protocol::Tcp
    });
    let domestic_works = operators(State::Works, Some(Region::Domestic)).len();
    let foreign_connects = catalog
        .controls
        .iter()
        .filter(|control| control.region == Region::Foreign)
        .any(|control| {
            observations.iter().any(|observation| {
                observation.check.endpoints.contains(&control.endpoint.id)
                    && observation.reached(Operation::TcpConnect)
            })
        });
    let border = !foreign_talks && foreign_silent >= 3 && domestic_works >= 2;
    let most_are_silent = silent.len() >= 3 && silent.len() > talking.len();
    match (border, most_are_silent) {
        (true, _) if !foreign_connects => Regime::DomesticOnly,
        (true, _) | (false, true) => Regime::AllowList,
        (false, false) => Regime::Open,
    }
}

/// Whether TLS is answered nowhere, while small answers come and what is said in TLS is acknowledged somewhere: lines do so that
/// large packets do not pass. A list of what may pass has something in it, and swallows what is said to others.
fn answers_stay_out(states: &[(&Control, State)], observations: &[Observation]) -> bool {
    let mut over_tls = states.iter().filter(|(control, _)| {
        control.endpoint.protocol.is_tls() && !control.endpoint.protocol.is_udp()
    });
    let mut is_heard = false;
    let none_works = over_tls.all(|(control, state)| {
        is_heard |= is_heard_only(control, observations);
        *state != State::Works
    });
    none_works && is_heard
}

/// Whether all that was said to a control over TCP was acknowledged, and not a byte of an answer came.
fn is_heard_only(control: &Control, observations: &[Observation]) -> bool {
    let mut own = observations
        .iter()
        .filter(|it| it.check.endpoints.contains(&control.endpoint.id))
        .filter_map(|it| it.steps.last())
        .filter(|step| step.operation != Operation::Resolve)
        .peekable();
    own.peek().is_some()
        && own.all(|step| {
            let is_late = matches!(
                step.failure,
                Some(Failure::GenericTimeout | Failure::TimedOut)
            );
            let tcp = step.tcp.as_deref();
            is_late
                && tcp.is_some_and(|tcp| {
                    tcp.bytes_acked.is_some_and(|it| it > 0)
                        && tcp.unacked == Some(0)
                        && tcp.bytes_received == Some(0)
                })
        })
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

/// Whether a resolver outside the country answered over HTTPS, on the port that the controls use: lists of what may pass
/// look at that one and often leave others alone.
fn foreign_resolver_answers(catalog: &Catalog, observations: &[Observation]) -> bool {
    observations.iter().any(|observation| {
        let Ask::Query { resolver, .. } = &observation.check.ask else {
            return false;
        };
        observation.is_success()
            && catalog.resolvers.iter().any(|known| {
                known.id == *resolver
                    && known.region == Region::Foreign
                    && known.transport == Transport::Doh
            })
    })
}

/// Facts 2.8: certificates and MTProto tolerate some minutes.
const MAX_CLOCK_ERROR_S: u64 = 300;

/// What a control showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It answered as it should, at one address at least.
    Works,
    /// Something answered that is not the control.
    SomebodyElse,
    /// Nothing answered.
    Silent,
    /// It was not measured.
    NotMeasured,
}

fn state(control: &Control, observations: &[Observation]) -> State {
    let mut best = State::NotMeasured;
    for observation in observations {
        if !observation.check.endpoints.contains(&control.endpoint.id) {
            continue;
        }
        match state_of(control, observation) {
            State::Works => return State::Works,
            State::SomebodyElse => best = State::SomebodyElse,
            State::Silent if best == State::NotMeasured => best = State::Silent,
            _ => {}
        }
    }
    if best == State::NotMeasured && was_asked(control, observations) {
        return State::Silent;
    }
    best
}

/// Whether the control's name was asked for and nobody gave an address: then the missing climb is itself a sign. With an
/// address and no climb, the run ended in between.
fn was_asked(control: &Control, observations: &[Observation]) -> bool {
    let mut asked = observations.iter().filter(|observation| {
        !observation.is_not_run()
            && observation.failure() != Some(&Failure::Interrupted)
            && match &observation.check.ask {
                Ask::Lookup { name } | Ask::Query { name, .. } => {
                    Some(name.as_str()) == control.endpoint.host.as_deref()
                }
                Ask::Climb(_) => false,
            }
    });
    let mut any = false;
    asked.all(|observation| {
        any = true;
        !observation.is_success()
    }) && any
}

fn state_of(control: &Control, observation: &Observation) -> State {
    if observation.is_not_run() || observation.failure() == Some(&Failure::Interrupted) {
        return State::NotMeasured;
    }
    let http = observation
        .step(Operation::HttpRoundTrip)
        .and_then(|step| step.http.as_deref());
    // An answer that broke off is nobody's yet.
    if let Some(http) = http.filter(|_| observation.failure().is_none()) {
        // A proven server may answer what it likes; in clear the whole answer must be the expected one.
        let honest = is_proof(observation) || control.endpoint.expect.is_met(http);
        // A box that sends everybody in clear to the same host's TLS is no portal, and no sign of the control either.
        let own = control.endpoint.host.as_deref();
        let is_upgrade = http.redirect_host().as_deref() == own
            && http
                .header("location")
                .is_some_and(|to| to.starts_with("https://"));
        if !honest && is_upgrade {
            return State::NotMeasured;
        }
        return if honest {
            State::Works
        } else {
            State::SomebodyElse
        };
    }
    let tls = observation
        .step(Operation::TlsHandshake)
        .and_then(|step| step.tls.as_deref());
    // The control's own certificate out of its time: its operator's fault or this machine's clock, and no word on the line.
    if observation.failure() == Some(&Failure::SslInvalidCertificate) {
        return State::NotMeasured;
    }
    // A handshake that ran out of time after the chain says nothing of whose chain it is.
    let is_unfinished = matches!(
        observation.failure(),
        None | Some(Failure::GenericTimeout | Failure::TimedOut)
    );
    if tls.is_some_and(|tls| !tls.chain.is_empty() || tls.clear_text.is_some()) && !is_unfinished {
        return State::SomebodyElse;
    }
    if observation.is_success()
        && !matches!(control.endpoint.protocol, Protocol::Http | Protocol::Https)
    {
        return State::Works;
    }
    State::Silent
}

/// Whether the ordinary path gives the controls of several operators one and the same address: a portal by DNS.
fn one_address_for_everybody(catalog: &Catalog, observations: &[Observation]) -> bool {
    let mut by_address: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for control in &catalog.controls {
        let Some(host) = control.endpoint.host.as_deref() else {
            continue;
        };
        let resolution = Resolution::of(catalog, host, observations.iter());
        for answer in resolution
            .answers
            .iter()
            .filter(|answer| answer.is_system())
        {
            for address in answer.dns().map(DnsFacts::addresses).unwrap_or_default() {
                by_address
                    .entry(address)
                    .or_default()
                    .insert(&control.operator);
            }
        }
    }
    by_address.values().any(|operators| operators.len() >= 3)
}

fn answering(observations: &[Observation]) -> BTreeSet<Option<String>> {
    observations
        .iter()
        .filter(|observation| observation.check.role == Role::Control && observation.is_success())
        .filter_map(|observation| match &observation.check.ask {
            Ask::Lookup { .. } => Some(None),
            Ask::Query { resolver, .. } => Some(Some(resolver.clone())),
            Ask::Climb(_) => None,
        })
        .collect()
}

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

/// Decoys that every control name left silent, while an answer of somebody else came over UDP.
fn decoys(catalog: &Catalog, observations: &[Observation]) -> BTreeMap<String, f64> {
    let asked = |observation: &Observation| {
        let Ask::Query { resolver, .. } = &observation.check.ask else {
            return None;
        };
        let known = catalog.resolvers.iter().find(|it| it.id == *resolver)?;
        (known.transport == Transport::Udp && !observation.is_not_run()).then_some(known)
    };
    let others: Vec<&Observation> = observations
        .iter()
        .filter(|it| asked(it).is_some_and(|known| known.role != ResolverRole::Decoy))
        .filter(|it| it.is_success())
        .collect();
    let mut silent: BTreeMap<String, f64> = BTreeMap::new();
    let mut doubtful = BTreeSet::new();
    for observation in observations {
        let decoy = asked(observation).filter(|known| known.role == ResolverRole::Decoy);
        let step = observation.step(Operation::Resolve);
        let (Some(decoy), Some(step)) = (decoy, step) else {
            continue;
        };
        let is_silent = step.failure == Some(Failure::GenericTimeout);
        if !is_silent
            || !others
                .iter()
                .any(|other| is_answer_amid(other, observation))
        {
            doubtful.insert(decoy.id.clone());
        }
        let least = silent.entry(decoy.id.clone()).or_insert(f64::INFINITY);
        *least = least.min(step.t - step.t0);
    }
    silent.retain(|id, _| !doubtful.contains(id));
    silent
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
