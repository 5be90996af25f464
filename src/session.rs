//! The journey of one run: plan, measure, judge, tell.
//!
//! The ground and every target travel side by side; each target is judged and told as soon as its own last round and the
//! ground are done, and its observations are told as they complete. Only what is still in flight is held in memory.

pub mod rehearsal;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::analysis::again::{self, Judge};
use crate::analysis::control::OtherVantage;
use crate::analysis::ground::Ground;
use crate::measure::{Engine, Event};
use crate::model::catalog::{Catalog, Endpoint, Target};
use crate::model::check::{Check, GROUND, Role, Round};
use crate::model::line::Line;
use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Regime, Report, Run, Vantage, Verdict};
use crate::output::scrub::Scrubber;
use crate::output::{Sink, Waiting};
use crate::plan::contrast::Controls;
use crate::plan::resolve::Subject;
use crate::plan::{Patience, Seen, contrast, ground, reach, resolve};

/// Targets that travel at the same time: enough to fill the line, few enough to bound memory.
const TARGETS_IN_FLIGHT: usize = 8;
/// An ordinary answer takes far less. After this the plan goes on with what other resolvers say.
const OVERDUE: Duration = Duration::from_millis(1500);

/// So often a person sees what is waited for.
const GLANCE: Duration = Duration::from_millis(250);

/// What comes in together is planned from together: the plan looks at everything that was seen.
const GATHER: Duration = Duration::from_millis(1);

/// What a run needs.
pub struct Setup {
    /// What is measured.
    pub catalog: Catalog,
    /// Where we stand.
    pub line: Line,
    /// What the user says of this vantage.
    pub origin: Origin,
    /// Another vantage's report of the same targets.
    pub control: Option<Arc<Report>>,
    /// For the whole run.
    pub timeout: Option<Duration>,
    /// Checks at once.
    pub concurrency: usize,
    /// Ends the run early and keeps what was measured.
    pub cancel: CancellationToken,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Ended before everything planned was measured.
    pub interrupted: bool,
    /// State of the line.
    pub regime: Regime,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// Where we stand.
    pub vantage: Vantage,
}

/// Measures, judges and tells. Fails only if the sink does.
pub async fn run(setup: &Setup, sink: &mut dyn Sink) -> io::Result<Outcome> {
    let started_at = Timestamp::now();
    let cancel = setup.cancel.child_token();
    let engine = Engine::new(
        &setup.catalog,
        &setup.line,
        setup.concurrency,
        cancel.clone(),
    );
    let mut run = Run {
        id: uuid::Uuid::now_v7().to_string(),
        started_at: started_at.to_string(),
        duration_s: 0.0,
        interrupted: false,
        definitions: setup.catalog.definitions.clone(),
    };
    let scrubber = Scrubber::new(&setup.line.own);
    let measured = Measured::of(&setup.catalog, &setup.line.notes);
    let measured = scrubber.clean(&measured)?.into_owned();
    sink.started(&run, &setup.origin, &measured)?;
    let judge = Judge::new(measured, started_at, None);
    let mut journeys = Journeys::new(setup, scrubber, judge);
    let mut witness = setup
        .control
        .clone()
        .map(|control| judged_apart(control, &run.id, started_at));
    journeys.awaits_witness = witness.is_some();
    let deadline = sleep_or_forever(setup.timeout);
    tokio::pin!(deadline);
    let mut overdue = tokio::time::interval(OVERDUE);
    overdue.tick().await;
    let mut glance = tokio::time::interval(GLANCE);
    let mut verdicts = Vec::new();
    let mut events = Vec::new();
    while !journeys.are_over() {
        journeys.advance(&engine);
        if journeys.judge_ground()? {
            continue;
        }
        if let Some(judged) = journeys.judge()? {
            for verdict in judged {
                sink.verdict(&verdict)?;
                verdicts.push(verdict);
            }
            continue;
        }
        tokio::select! {
            count = journeys.events.recv_many(&mut events, 256) => {
                debug_assert!(count > 0, "the engine outlives the journeys");
                tokio::time::sleep(GATHER).await;
                events.extend(std::iter::from_fn(|| journeys.events.try_recv().ok()));
            }
            _ = overdue.tick() => journeys.grow_impatient(),
            _ = glance.tick() => sink.waiting(&journeys.waiting(&engine))?,
            other = arrival(&mut witness) => {
                witness = None;
                journeys.hear(other.map_err(io::Error::other)?);
            }
            () = &mut deadline, if !cancel.is_cancelled() => cancel.cancel(),
            () = cancel.cancelled(), if !journeys.stopped => {}
        }
        for event in events.drain(..) {
            if let Some(observation) = journeys.note(event) {
                sink.observation(&observation)?;
            }
        }
        sink.progress(journeys.complete, journeys.started)?;
        journeys.stopped |= cancel.is_cancelled();
        if journeys.stopped && witness.take().is_some() {
            journeys.go_without_witness();
        }
    }
    run.duration_s = engine.elapsed();
    run.interrupted = journeys.stopped;
    let vantage = journeys.vantage(&verdicts);
    sink.finished(&run, &vantage)?;
    Ok(Outcome {
        interrupted: run.interrupted,
        regime: vantage.regime,
        verdicts,
        vantage,
    })
}

/// Another vantage's report, judged on a thread of its own: it may be large, or made to be slow, and timers go on meanwhile.
fn judged_apart(control: Arc<Report>, run: &str, started_at: Timestamp) -> Witness {
    let (sender, receiver) = oneshot::channel();
    let run = run.to_owned();
    std::thread::spawn(move || {
        let _ = sender.send(OtherVantage::new(
            Arc::unwrap_or_clone(control),
            &run,
            started_at,
        ));
    });
    receiver
}

/// What another vantage saw, once it is judged.
type Witness = oneshot::Receiver<Result<OtherVantage, jiff::Error>>;

async fn arrival(witness: &mut Option<Witness>) -> Result<OtherVantage, jiff::Error> {
    match witness {
        Some(witness) => witness
            .await
            .expect("judging another vantage's report does not panic"),
        None => std::future::pending().await,
    }
}

/// Waits for so long; for ever where nothing is said.
pub async fn sleep_or_forever(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The ground and the targets in flight.
struct Journeys<'a> {
    setup: &'a Setup,
    /// What is judged is what is written: a saved report then leads to the same verdicts.
    scrubber: Scrubber,
    judge: Judge,
    ground: Journey<'a>,
    judged_ground: Option<Ground>,
    controls: Option<Controls>,
    /// All of the ground but its contrasts is seen.
    is_surveyed: bool,
    /// Another vantage's report is not judged yet: nothing is judged for good before.
    awaits_witness: bool,
    /// What targets' servers say of this vantage.
    remarks: BTreeSet<String>,
    waiting: VecDeque<&'a Target>,
    targets: Vec<Journey<'a>>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
    started: usize,
    complete: usize,
    /// Checks in flight of each round.
    rounds: BTreeMap<Round, usize>,
    stopped: bool,
}

/// One subject on its way through the rounds.
struct Journey<'a> {
    target: Option<&'a Target>,
    seen: Seen,
    started: BTreeSet<String>,
    in_flight: usize,
    contrasts_in_flight: usize,
    patience: Patience,
    /// Something was seen since the plan was last asked.
    stale: bool,
}

impl<'a> Journeys<'a> {
    fn new(setup: &'a Setup, scrubber: Scrubber, judge: Judge) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        Self {
            setup,
            scrubber,
            judge,
            ground: Journey::new(None),
            judged_ground: None,
            controls: None,
            is_surveyed: false,
            awaits_witness: false,
            remarks: BTreeSet::new(),
            waiting: setup.catalog.targets.iter().collect(),
            targets: Vec::new(),
            events,
            sender,
            started: 0,
            complete: 0,
            rounds: BTreeMap::new(),
            stopped: false,
        }
    }

    fn are_over(&self) -> bool {
        self.judged_ground.is_some() && self.waiting.is_empty() && self.targets.is_empty()
    }

    /// Starts whatever the plan calls for and was not started yet.
    fn advance(&mut self, engine: &Engine) {
        while self.targets.len() < TARGETS_IN_FLIGHT
            && let Some(target) = self.waiting.pop_front()
        {
            self.targets.push(Journey::new(Some(target)));
        }
        for journey in std::iter::once(&mut self.ground).chain(&mut self.targets) {
            if !journey.stale || self.stopped {
                continue;
            }
            journey.stale = false;
            for check in journey.plan(self.setup, self.controls.as_ref()) {
                if journey.started.insert(check.id.clone()) {
                    self.started += 1;
                    journey.in_flight += 1;
                    *self.rounds.entry(check.round).or_default() += 1;
                    journey.contrasts_in_flight += usize::from(check.round == Round::Contrast);
                    engine.start(format!("o{}", self.started), check, &self.sender);
                }
            }
        }
    }

    /// Takes in an event; gives back the observation if it is complete.
    fn note(&mut self, event: Event) -> Option<Observation> {
        let (observation, complete) = match event {
            Event::Answered(observation) => (*observation, false),
            Event::Complete(observation) => (*observation, true),
        };
        let journey = std::iter::once(&mut self.ground)
            .chain(&mut self.targets)
            .find(|journey| journey.is_of(&observation.check.subject))?;
        journey.stale = true;
        if complete {
            journey.in_flight -= 1;
            let is_contrast = observation.check.round == Round::Contrast;
            journey.contrasts_in_flight -= usize::from(is_contrast);
            self.complete += 1;
            if let Some(count) = self.rounds.get_mut(&observation.check.round) {
                *count -= 1;
            }
        }
        let told = complete.then(|| observation.clone());
        journey.seen.note(observation, complete);
        told
    }

    fn waiting(&self, engine: &Engine) -> Waiting {
        let silence = engine.silence();
        let mut rounds = self.rounds.iter().filter(|(_, count)| **count > 0);
        Waiting {
            round: rounds
                .next_back()
                .map_or(Round::Ground, |(round, _)| *round),
            silent: silence.checks,
            longest: silence.longest,
        }
    }

    fn hear(&mut self, other: OtherVantage) {
        self.judge.hear(other);
        self.awaits_witness = false;
    }

    /// The run ended first: it is judged by what this vantage saw alone.
    fn go_without_witness(&mut self) {
        self.awaits_witness = false;
        self.remarks.insert(
            "The run ended before the control report was judged: nothing was compared with it"
                .to_owned(),
        );
    }

    fn grow_impatient(&mut self) {
        for journey in std::iter::once(&mut self.ground).chain(&mut self.targets) {
            if journey.patience == Patience::Waiting {
                journey.patience = Patience::Overdue;
                journey.stale = true;
            }
        }
    }

    /// Judges the ground once it is done. As soon as all but its own contrasts is seen, it is known which controls may serve
    /// in contrasts, the targets' and its own.
    fn judge_ground(&mut self) -> io::Result<bool> {
        if self.judged_ground.is_some() {
            return Ok(false);
        }
        if !self.is_surveyed && self.ground.is_surveyed() {
            self.is_surveyed = true;
            let regime = self.ground_so_far()?.regime;
            // Where the line itself fails nothing will be blamed on anybody, so nothing is contrasted.
            if regime == Regime::Open {
                let seen = &self.ground.seen;
                self.controls = Some(ground::working_controls(&self.setup.catalog, seen));
                for journey in std::iter::once(&mut self.ground).chain(&mut self.targets) {
                    journey.stale = true;
                }
                return Ok(true);
            }
        }
        if self.awaits_witness || !self.ground.is_done(self.stopped) {
            return Ok(false);
        }
        self.judged_ground = Some(self.ground_so_far()?);
        let seen = std::mem::take(&mut self.ground.seen).into_observations();
        let told = again::remarks(&self.setup.catalog, GROUND, &seen);
        self.remarks.extend(told);
        Ok(true)
    }

    fn ground_so_far(&self) -> io::Result<Ground> {
        let seen = self.ground.seen.to_observations();
        Ok(self.judge.ground(&scrubbed(&self.scrubber, seen)?))
    }

    /// Judges the targets that wait for nothing more.
    fn judge(&mut self) -> io::Result<Option<Vec<Verdict>>> {
        let Some(ground) = self.judged_ground.as_ref() else {
            return Ok(None);
        };
        let (mut done, going): (Vec<_>, Vec<_>) = std::mem::take(&mut self.targets)
            .into_iter()
            .partition(|journey| journey.is_done(self.stopped));
        self.targets = going;
        if self.stopped {
            // What was never begun is told too: every target has its verdict.
            let unbegun = std::mem::take(&mut self.waiting).into_iter();
            done.extend(unbegun.map(|target| Journey::new(Some(target))));
        }
        let mut verdicts = Vec::new();
        for journey in done {
            if let Some(target) = journey.target {
                let observations = scrubbed(&self.scrubber, journey.seen.into_observations())?;
                let told = again::remarks(&self.setup.catalog, &target.id, &observations);
                self.remarks.extend(told);
                verdicts.extend(self.judge.target(&target.id, ground, &observations));
            }
        }
        Ok((!verdicts.is_empty()).then_some(verdicts))
    }

    fn vantage(&self, verdicts: &[Verdict]) -> Vantage {
        let ground = self.judged_ground.clone();
        let ground = ground.unwrap_or_else(|| self.judge.ground(&[]));
        let origin = self.setup.origin.clone();
        let remarks = self.remarks.clone();
        again::vantage(&self.setup.catalog, origin, ground, remarks, verdicts)
    }
}

/// Everything that was seen, as it is written.
fn scrubbed(scrubber: &Scrubber, seen: Vec<Observation>) -> io::Result<Vec<Observation>> {
    seen.into_iter()
        .map(|observation| match scrubber.clean(&observation)? {
            Cow::Owned(clean) => Ok(clean),
            Cow::Borrowed(_) => Ok(observation),
        })
        .collect()
}

impl<'a> Journey<'a> {
    fn new(target: Option<&'a Target>) -> Self {
        Self {
            target,
            seen: Seen::default(),
            started: BTreeSet::new(),
            in_flight: 0,
            contrasts_in_flight: 0,
            patience: Patience::Waiting,
            stale: true,
        }
    }

    fn is_of(&self, subject: &str) -> bool {
        match self.target {
            Some(target) => target.id == subject,
            None => subject == GROUND,
        }
    }

    fn is_surveyed(&self) -> bool {
        self.in_flight == self.contrasts_in_flight && !self.stale
    }

    fn is_done(&self, stopped: bool) -> bool {
        self.in_flight == 0 && (stopped || !self.stale)
    }

    /// Everything the rounds call for, given what was seen so far.
    fn plan(&self, setup: &Setup, controls: Option<&Controls>) -> Vec<Check> {
        let Setup { catalog, line, .. } = setup;
        let Some(target) = self.target else {
            return ground::checks(catalog, line, &self.seen, self.patience, controls);
        };
        let subject = |round: Round| Subject {
            id: &target.id,
            role: Role::Target,
            round,
        };
        let endpoints = || -> Box<dyn Iterator<Item = &Endpoint>> {
            Box::new(
                target
                    .services
                    .iter()
                    .flat_map(|service| &service.endpoints),
            )
        };
        let mut checks = Vec::new();
        if self.started.is_empty() {
            checks.extend(resolve::checks(
                catalog,
                line,
                subject(Round::Resolve),
                endpoints(),
            ));
        }
        let reach = reach::checks(
            catalog,
            line,
            subject(Round::Reach),
            endpoints(),
            &self.seen,
            self.patience,
        );
        checks.extend(reach);
        checks.extend(contrast::checks(
            catalog,
            line,
            subject(Round::Contrast),
            endpoints,
            &self.seen,
            controls,
        ));
        checks
    }
}
