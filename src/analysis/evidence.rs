//! Observations, asked in the words of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::chance::{
    self, Handshakes, Questions, Silence, Trains, attempts, is_losing, is_unsteady,
};
use crate::analysis::connections::Connections;
use crate::analysis::ground::Ground;
use crate::analysis::replies::{contradicting, doubling, has_two_versions};
use crate::model::catalog::{Catalog, Endpoint, Resolver, Target};
use crate::model::check::{Ask, Climb, RecordType, Role, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{DnsFacts, Observation, Operation};
use crate::model::resolution::{Answer, Ordinary, Resolution};

/// What is known about one target.
pub struct Evidence<'a> {
    /// What was planned from.
    pub catalog: &'a Catalog,
    /// Who is judged.
    pub target: &'a Target,
    /// The line, already judged.
    pub ground: &'a Ground,
    /// The target's own observations.
    pub observations: &'a [Observation],
    resolutions: BTreeMap<&'a str, Resolution<'a>>,
    /// By the id of the failed check; those that were not run are left out.
    contrasts: BTreeMap<&'a str, Vec<Contrasted<'a>>>,
    climbs: Climbs<'a>,
    /// Trials of each question about the target's names.
    trials: BTreeMap<Question<'a>, Vec<&'a Observation>>,
    /// Control names that were asked in between, by resolver; the empty id is the system's own view.
    controls: BTreeMap<&'a str, Vec<&'a Observation>>,
    /// Resolvers with contradicting replies, and those with more replies than questions, to control names.
    contradicting: BTreeSet<&'a str>,
    doubling: BTreeSet<&'a str>,
    /// All connections that were tried, read.
    pub connections: Connections<'a>,
}

/// A climb in which one thing was changed, and which.
type Contrasted<'a> = (Variation, &'a Climb, &'a Observation);

/// How well the honest answer about a name is known, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Honesty {
    /// One operator says so, in clear.
    Single,
    /// Two operators or more say so, in clear.
    Agreed,
    /// A resolver says so over a protected transport.
    Protected,
    /// A server at that address proved by TLS to be the host.
    Proven,
}

/// The honest answer about a name, for contrast.
#[derive(Clone, Debug)]
pub struct Honest {
    /// How well it is known.
    pub honesty: Honesty,
    /// Observations that tell it (at most four).
    pub evidence: Vec<String>,
    /// Names of the resolvers that tell it.
    pub tellers: Vec<String>,
}

impl<'a> Evidence<'a> {
    /// Reads the observations of one target.
    pub fn new(
        catalog: &'a Catalog,
        target: &'a Target,
        ground: &'a Ground,
        observations: &'a [Observation],
    ) -> Self {
        let hosts = endpoints(target).filter_map(|endpoint| endpoint.host.as_deref());
        let resolutions = Resolution::of_all(catalog, hosts, observations);
        let mut evidence = Self {
            catalog,
            target,
            ground,
            observations,
            resolutions,
            contrasts: contrasts(observations),
            climbs: Climbs::of(observations),
            trials: trials(observations),
            controls: controls(observations),
            contradicting: contradicting(observations).collect(),
            doubling: doubling(observations).collect(),
            connections: Connections::default(),
        };
        evidence.connections = Connections::of(&evidence);
        evidence
    }

    /// The target's hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.resolutions.keys().copied()
    }

    /// Whether this line loses so many connection attempts that silence says nothing: of the connections that stood, two in
    /// five needed to be asked for again. Rate limits of routers and very bad lines do that.
    pub fn is_line_losing(&self) -> bool {
        is_losing(attempts(self.observations.iter()), self.ground.attempts)
    }

    /// Whether it is so unsteady that silence of one transport says nothing: one in five needed to be asked for again.
    pub fn is_line_unsteady(&self) -> bool {
        is_unsteady(attempts(self.observations.iter()), self.ground.attempts)
    }

    /// Whether silence in these trials of one name at this resolver can be chance, on this line and with this resolver.
    pub fn silence_of_a_name(&self, resolver: &Resolver, trials: &[&Observation]) -> Silence {
        let count = |is_counted: &dyn Fn(&Resolver) -> bool| {
            Questions::of(self.catalog, self.observations.iter(), is_counted)
        };
        let by_all = self.ground.questions(None) + count(&|_| true);
        let by_it = self.ground.questions(Some(&resolver.id)) + count(&|it| it.id == resolver.id);
        let hosts: BTreeSet<&str> = self
            .catalog
            .targets
            .iter()
            .flat_map(endpoints)
            .filter_map(|endpoint| endpoint.host.as_deref())
            .collect();
        chance::judge(by_it.loss_within(by_all), trials, hosts.len())
    }

    /// Whether it can be chance that nothing these trials sent over UDP was answered, on this line.
    pub fn silence_over_udp(&self, trials: &[&Observation]) -> Silence {
        let questions = Questions::of(self.catalog, self.observations.iter(), |_| true);
        let questions = self.ground.questions(None) + questions;
        let trains = self.ground.trains + Trains::of(self.observations.iter());
        let over_udp = self.catalog.targets.iter().flat_map(endpoints);
        let asked = over_udp.filter(|it| it.protocol.is_udp()).count();
        let is_quic = |it: &&Observation| it.step(Operation::QuicHandshake).is_some();
        let large = if trials.iter().any(is_quic) {
            (self.ground.handshakes + Handshakes::of(self.observations.iter())).loss()
        } else {
            0.0
        };
        let loss = questions.loss().max(trains.loss()).max(large);
        chance::judge(loss, trials, asked)
    }

    /// Everything that was asked about a host.
    pub fn resolution(&self, host: &str) -> Option<&Resolution<'a>> {
        self.resolutions.get(host)
    }

    /// What applications here get for a host, once the run is over.
    pub fn ordinary(&self, host: &str) -> Ordinary {
        self.resolution(host)
            .map_or(Ordinary::NotMeasured, |resolution| resolution.ordinary(0))
    }

    /// The climbs that speak for an endpoint: its own, and for protocols that carry no name those of others at the same
    /// address, port and protocol.
    pub fn climbs(&self, endpoint: &Endpoint) -> Vec<(&'a Climb, &'a Observation)> {
        let known: BTreeSet<IpAddr> = endpoint
            .host
            .as_deref()
            .and_then(|host| self.resolution(host))
            .into_iter()
            .flat_map(|resolution| resolution.answers.iter().flat_map(Answer::addresses))
            .collect();
        let named = endpoint.protocol.has_server_name()
            || endpoint.protocol == crate::model::catalog::Protocol::Http;
        let mut places: BTreeSet<usize> = self.climbs.by_endpoint(&endpoint.id).collect();
        if !named {
            let at_known = known.iter().flat_map(|address| {
                self.climbs
                    .by_place(SocketAddr::new(*address, endpoint.port))
            });
            places.extend(at_known.filter(|at| {
                let (climb, _) = self.climbs.all[*at];
                climb.protocol == endpoint.protocol && climb.custom == endpoint.custom
            }));
        }
        places.into_iter().map(|at| self.climbs.all[at]).collect()
    }

    /// Every climb of the target's own endpoints, repetitions included; contrasts are something else's.
    pub fn all_climbs(&self) -> impl Iterator<Item = (&'a Climb, &'a Observation)> + '_ {
        self.climbs.all.iter().copied()
    }

    /// Everything that was tried as a contrast of one failed check.
    pub fn all_contrasts(&self, of: &str) -> impl Iterator<Item = &'a Observation> + '_ {
        let of = self.contrasts.get(of).into_iter().flatten();
        of.map(|(_, _, observation)| *observation)
    }

    /// Contrasts of one failed check in which that thing was changed; those that were not run are left out.
    pub fn contrasts(&self, of: &str, varies: Variation) -> Vec<(&'a Climb, &'a Observation)> {
        let of = self.contrasts.get(of).into_iter().flatten();
        of.filter(|(varied, ..)| *varied == varies)
            .map(|(_, climb, observation)| (*climb, *observation))
            .collect()
    }

    /// Whether a server at that address proved by TLS to be that host.
    pub fn proof(&self, host: &str, address: IpAddr) -> Option<&'a Observation> {
        self.climbs
            .by_host(host, address)
            .into_iter()
            .find(|observation| is_proof(observation))
    }

    /// Whether climbs of that host at that address ended with somebody else answering: another certificate, or clear
    /// text where TLS was due. Silence and refusal are no such sign.
    pub fn impostor(&self, host: &str, address: IpAddr) -> Option<&'a Observation> {
        if self.proof(host, address).is_some() {
            return None;
        }
        self.climbs
            .by_host(host, address)
            .into_iter()
            .find(|observation| is_somebody_else(observation))
    }

    /// The honest answer about a host by those who may serve as contrast.
    pub fn honest(&self, host: &str) -> Option<Honest> {
        let resolution = self.resolution(host)?;
        let tellers: Vec<&Answer> = resolution
            .answers
            .iter()
            .filter(|answer| answer.is_public() && !self.is_hijacked(answer))
            .filter(|answer| !answer.addresses().is_empty() && !has_two_versions(answer))
            .collect();
        let first = tellers.first()?;
        let operators: BTreeSet<&str> = tellers
            .iter()
            .filter_map(|answer| answer.resolver)
            .map(|resolver| resolver.operator.as_str())
            .collect();
        let mut evidence: Vec<String> = Vec::new();
        let mut honesty = if operators.len() > 1 {
            Honesty::Agreed
        } else {
            Honesty::Single
        };
        if let Some(protected) = tellers.iter().find(|answer| answer.is_authenticated()) {
            honesty = Honesty::Protected;
            evidence.push(protected.observation.id.clone());
        }
        let proof = tellers
            .iter()
            .flat_map(|answer| answer.addresses())
            .find_map(|address| self.proof(host, address));
        if let Some(proof) = proof {
            honesty = Honesty::Proven;
            evidence.push(proof.id.clone());
        }
        evidence.push(first.observation.id.clone());
        evidence.extend(
            tellers
                .iter()
                .skip(1)
                .take(1)
                .map(|answer| answer.observation.id.clone()),
        );
        evidence.dedup();
        let mut names: Vec<String> = tellers
            .iter()
            .filter_map(|answer| answer.resolver)
            .map(|resolver| format!("{} ({})", resolver.name, resolver.transport.word()))
            .collect();
        names.dedup();
        names.truncate(4);
        Some(Honest {
            honesty,
            evidence,
            tellers: names,
        })
    }

    /// Whether the resolver (or the system's own view) answered a control name, in the ground or in between.
    pub fn answers_controls(&self, resolver: Option<&Resolver>) -> bool {
        let id = resolver.map(|resolver| resolver.id.as_str());
        self.ground.answers_controls(id)
            || self
                .controls_at(id)
                .iter()
                .any(|observation| observation.is_success())
    }

    /// Whether a control name asked in between, of the same resolver, failed too: then the line or the resolver failed
    /// for a while, for everybody.
    pub fn fails_controls(&self, resolver: Option<&Resolver>) -> bool {
        self.controls_between(resolver)
            .any(|observation| observation.failure().is_some())
    }

    /// The same, against what a resolver said of a name itself: nothing imitates that, so a control question that was merely
    /// lost says nothing, as long as another in between was answered.
    pub fn fails_controls_otherwise_than_by_loss(&self, resolver: Option<&Resolver>) -> bool {
        let is_lost = |it: &Observation| it.failure() == Some(&Failure::GenericTimeout);
        let mut heard = self
            .controls_between(resolver)
            .filter(|observation| !is_lost(observation))
            .peekable();
        if heard.peek().is_none() {
            return self.fails_controls(resolver);
        }
        heard.any(|observation| observation.failure().is_some())
    }

    fn controls_between(&self, resolver: Option<&Resolver>) -> impl Iterator<Item = &Observation> {
        let id = resolver.map(|resolver| resolver.id.as_str());
        let asked = self.controls_at(id).iter().copied();
        asked.filter(|observation| !observation.is_not_run() && !is_interrupted(observation))
    }

    fn controls_at(&self, resolver: Option<&str>) -> &[&'a Observation] {
        let asked = self.controls.get(resolver.unwrap_or_default());
        asked.map_or(&[], Vec::as_slice)
    }

    /// Whether control names got contradicting replies of that resolver too, a false one and an honest one: then both come of
    /// the line or the resolver, whatever is asked.
    pub fn contradicts_controls(&self, resolver: &Resolver) -> bool {
        self.ground.contradicts_controls(&resolver.id)
            || self.contradicting.contains(resolver.id.as_str())
    }

    /// Whether more replies than questions about control names came from that resolver: the line doubles what passes.
    pub fn doubles_controls(&self, resolver: &Resolver) -> bool {
        self.ground.doubles_controls(&resolver.id) || self.doubling.contains(resolver.id.as_str())
    }

    /// Whether this is the system's own view of a name of which its resolver was asked directly too: the resolver then speaks
    /// for itself. What only the view says comes from this machine's own files or is the C library's reading of an answer.
    pub fn is_spoken_for(&self, host: &str, answer: &Answer) -> bool {
        answer.resolver.is_none()
            && self.resolution(host).is_some_and(|resolution| {
                resolution.answers.iter().any(|it| {
                    it.is_system() && it.resolver.is_some() && !it.observation.is_not_run()
                })
            })
    }

    /// Whether this system's own lookups resolve the name, to no address of which it is known that somebody else is there.
    pub fn resolves_here(&self, host: &str) -> bool {
        let is_foreign = |address: &IpAddr| {
            let mut pages = self.catalog.block_pages.iter();
            pages.any(|page| page.addresses.contains(address))
                || self.impostor(host, *address).is_some()
        };
        let answers = self.resolution(host).map(|it| it.answers.iter());
        answers
            .into_iter()
            .flatten()
            .filter(|answer| answer.resolver.is_none() && answer.observation.is_success())
            .map(Answer::addresses)
            .any(|told| !told.is_empty() && !told.iter().any(is_foreign))
    }

    /// Every trial of the same question at the same resolver, the first included; those that were not run left out.
    pub fn trials(&self, answer: &Answer) -> Vec<&'a Observation> {
        let asked = question(&answer.observation.check.ask);
        let trials = asked.and_then(|it| self.trials.get(&it));
        trials.cloned().unwrap_or_default()
    }

    /// Whether an answer of the ordinary path about a host may be forged on the way: its own query, or another for the same
    /// name, got two versions. The system's own view passes on the first alone, so it never shows the race itself.
    pub fn is_raced(&self, host: &str) -> bool {
        self.resolution(host).is_some_and(|resolution| {
            let mut ordinary = resolution.answers.iter().filter(|it| it.is_system());
            ordinary.any(has_two_versions)
        })
    }

    /// Addresses told by public resolvers at whose place nobody else answers.
    pub fn honest_addresses(&self, host: &str) -> Vec<IpAddr> {
        let Some(resolution) = self.resolution(host) else {
            return Vec::new();
        };
        let answers = resolution.answers.iter();
        answers
            .filter(|answer| answer.is_public() && !self.is_hijacked(answer))
            .flat_map(Answer::addresses)
            .collect()
    }

    /// Whether somebody else answers in that resolver's place.
    pub fn is_hijacked(&self, answer: &Answer) -> bool {
        answer
            .resolver
            .is_some_and(|resolver| self.ground.is_hijacked(&resolver.id))
    }
}

/// Climbs of the target's own endpoints, in the order in which they began, and where to find them.
#[derive(Default)]
struct Climbs<'a> {
    all: Vec<(&'a Climb, &'a Observation)>,
    endpoints: BTreeMap<&'a str, Vec<usize>>,
    places: BTreeMap<SocketAddr, Vec<usize>>,
    hosts: BTreeMap<(&'a str, IpAddr), Vec<usize>>,
}

impl<'a> Climbs<'a> {
    fn of(observations: &'a [Observation]) -> Self {
        let mut climbs = Self::default();
        for observation in observations {
            let Ask::Climb(climb) = &observation.check.ask else {
                continue;
            };
            if observation.check.role != Role::Target {
                continue;
            }
            let at = climbs.all.len();
            climbs.all.push((climb, observation));
            for id in &observation.check.endpoints {
                climbs.endpoints.entry(id).or_default().push(at);
            }
            climbs.places.entry(climb.address).or_default().push(at);
            if let Some(host) = &climb.host {
                let host = (host.as_str(), climb.address.ip());
                climbs.hosts.entry(host).or_default().push(at);
            }
        }
        climbs
    }

    fn by_endpoint(&self, id: &str) -> impl Iterator<Item = usize> + '_ {
        self.endpoints.get(id).into_iter().flatten().copied()
    }

    fn by_place(&self, address: SocketAddr) -> impl Iterator<Item = usize> + '_ {
        self.places.get(&address).into_iter().flatten().copied()
    }

    fn by_host(&self, host: &str, address: IpAddr) -> Vec<&'a Observation> {
        let places = self.hosts.get(&(host, address)).into_iter().flatten();
        places.map(|at| self.all[*at].1).collect()
    }
}

/// Resolver (`None`: the system's own view), name, record, and whether it was asked in class CH.
type Question<'a> = (Option<&'a str>, &'a str, Option<RecordType>, bool);

/// What was asked of a resolver; `None` where it was something else.
fn question(ask: &Ask) -> Option<Question<'_>> {
    match ask {
        Ask::Lookup { name } => Some((None, name, None, false)),
        Ask::Query {
            resolver,
            name,
            record,
            chaos,
        } => Some((Some(resolver), name, Some(*record), *chaos)),
        Ask::Climb(_) => None,
    }
}

/// Every trial of each question about the target's names; those that were not run are left out.
fn trials(observations: &[Observation]) -> BTreeMap<Question<'_>, Vec<&Observation>> {
    let mut trials: BTreeMap<Question, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        if observation.check.role == Role::Target
            && let Some(question) = question(&observation.check.ask)
            && !observation.is_not_run()
            && !is_interrupted(observation)
        {
            trials.entry(question).or_default().push(observation);
        }
    }
    trials
}

/// Control names that were asked, by resolver.
fn controls(observations: &[Observation]) -> BTreeMap<&str, Vec<&Observation>> {
    let mut controls: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        if observation.check.role == Role::Control
            && let Some((resolver, ..)) = question(&observation.check.ask)
        {
            controls
                .entry(resolver.unwrap_or_default())
                .or_default()
                .push(observation);
        }
    }
    controls
}

/// Contrasts that were run, by what they are contrasts of.
fn contrasts(observations: &[Observation]) -> BTreeMap<&str, Vec<Contrasted<'_>>> {
    let mut contrasts: BTreeMap<&str, Vec<Contrasted>> = BTreeMap::new();
    for observation in observations {
        if let (Some(contrast), Ask::Climb(climb)) =
            (&observation.check.contrast, &observation.check.ask)
            && !observation.is_not_run()
            && !is_interrupted(observation)
        {
            let of = contrasts.entry(&contrast.of).or_default();
            of.push((contrast.varies, climb, observation));
        }
    }
    contrasts
}

/// All endpoints of a target.
pub fn endpoints(target: &Target) -> impl Iterator<Item = &Endpoint> {
    target
        .services
        .iter()
        .flat_map(|service| &service.endpoints)
}

/// Whether the observation holds a handshake, TLS's or QUIC's, in which the peer proved its name.
pub fn is_proof(observation: &Observation) -> bool {
    [Operation::TlsHandshake, Operation::QuicHandshake]
        .iter()
        .filter_map(|operation| observation.step(*operation))
        .filter(|step| step.failure.is_none())
        .filter_map(|step| step.tls.as_deref())
        .any(crate::model::observation::TlsFacts::is_proof)
}

/// Whether nothing at all came back over QUIC, not even an ICMP error.
pub fn is_silent_quic(observation: &Observation) -> bool {
    observation
        .step(Operation::QuicHandshake)
        .is_some_and(|step| {
            step.failure == Some(Failure::GenericTimeout)
                && step
                    .quic
                    .as_deref()
                    .is_some_and(|quic| quic.received == 0 && quic.icmp.is_empty())
        })
}

/// Whether somebody else than the host answered in the TLS step.
fn is_somebody_else(observation: &Observation) -> bool {
    let Some(step) = observation.step(Operation::TlsHandshake) else {
        return false;
    };
    let Some(tls) = step.tls.as_deref() else {
        return false;
    };
    let wrong_chain =
        !tls.chain.is_empty() && (tls.trusted_by.is_none() || tls.name_matches == Some(false));
    step.failure.is_some() && (wrong_chain || tls.clear_text.is_some())
}

/// Whether the run ended while this was being observed.
pub fn is_interrupted(observation: &Observation) -> bool {
    observation.failure() == Some(&Failure::Interrupted)
}

/// Whether something passed while the other was silent: then it was not the line that was cut just then.
pub fn is_amid(passed: &Observation, silent: &Observation) -> bool {
    let span = |it: &Observation| Some((it.steps.first()?.t0, it.steps.last()?.t));
    let (Some((began, ended)), Some((_, heard))) = (span(silent), span(passed)) else {
        return false;
    };
    began <= heard && heard <= ended
}

/// The same of an answer over DNS, for which one listens on when it has come.
pub fn is_answer_amid(answered: &Observation, silent: &Observation) -> bool {
    let asked = |it: &Observation| it.step(Operation::Resolve).map(|step| (step.t0, step.t));
    let (Some((began, ended)), Some(step)) = (asked(silent), answered.step(Operation::Resolve))
    else {
        return false;
    };
    let heard = step.dns.as_deref().and_then(DnsFacts::accepted);
    heard.is_some_and(|heard| (began..=ended).contains(&heard.t))
}
