//! The journey of one run: plan, measure, judge, tell.
//!
//! The ground and every target travel side by side; each target is judged and told as soon as its own last round and the
//! ground are done, and its observations are told as they complete. Only what is still in flight is held in memory.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::analysis::again::{self, Judge};
use crate::analysis::control::OtherVantage;
use crate::analysis::ground::Ground;
use crate::measure::{Engine, Event};
use crate::model::catalog::{Catalog, Endpoint, Target};
use crate::model::check::{Check, GROUND, Role, Round};
use crate::model::line::Line;
use crate::model::observation::Observation;
use crate::model::report::{Measured, Regime, Report, Run, Vantage, Verdict};
use crate::output::Sink;
use crate::output::scrub::Scrubber;
use crate::plan::resolve::Subject;
use crate::plan::{Patience, Seen, contrast, ground, reach, resolve};

/// Targets that travel at the same time: enough to fill the line, few enough to bound memory.
const TARGETS_IN_FLIGHT: usize = 8;
/// An ordinary answer takes far less. After this the plan goes on with what other resolvers say.
const OVERDUE: Duration = Duration::from_millis(1500);

/// What a run needs.
pub struct Setup {
    /// What is measured.
    pub catalog: Catalog,
    /// Where we stand.
    pub line: Line,
    /// What the user calls the vantage.
    pub label: Option<String>,
    /// Another vantage's report of the same targets.
    pub control: Option<Report>,
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
    sink.started(&run, &measured)?;
    let other = setup
        .control
        .clone()
        .map(|control| OtherVantage::new(control, &run.id, started_at));
    let other = other.transpose().map_err(io::Error::other)?;
    let judge = Judge::new(measured, started_at, other);
    let mut journeys = Journeys::new(setup, scrubber, judge);
    let deadline = sleep_or_forever(setup.timeout);
    tokio::pin!(deadline);
    let mut overdue = tokio::time::interval(OVERDUE);
    overdue.tick().await;
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
            count = journeys.events.recv_many(&mut events, 256) => debug_assert!(count > 0, "the engine outlives the journeys"),
            _ = overdue.tick() => journeys.grow_impatient(),
            () = &mut deadline, if !cancel.is_cancelled() => cancel.cancel(),
        }
        for event in events.drain(..) {
            if let Some(observation) = journeys.note(event) {
                sink.observation(&observation)?;
            }
        }
        sink.progress(journeys.complete, journeys.started)?;
        journeys.stopped |= cancel.is_cancelled();
    }
    run.duration_s = engine.elapsed();
    run.interrupted = journeys.stopped;
    let vantage = journeys.vantage();
    sink.finished(&run, &vantage)?;
    Ok(Outcome {
        interrupted: run.interrupted,
        regime: vantage.regime,
        verdicts,
        vantage,
    })
}

async fn sleep_or_forever(timeout: Option<Duration>) {
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
    controls: Option<Vec<SocketAddr>>,
    waiting: VecDeque<&'a Target>,
    targets: Vec<Journey<'a>>,
    events: mpsc::UnboundedReceiver<Event>,
    sender: mpsc::UnboundedSender<Event>,
    started: usize,
    complete: usize,
    stopped: bool,
}

/// One subject on its way through the rounds.
struct Journey<'a> {
    target: Option<&'a Target>,
    seen: Seen,
    started: BTreeSet<String>,
    in_flight: usize,
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
            waiting: setup.catalog.targets.iter().collect(),
            targets: Vec::new(),
            events,
            sender,
            started: 0,
            complete: 0,
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
            for check in journey.plan(self.setup, self.controls.as_deref()) {
                if journey.started.insert(check.id.clone()) {
                    self.started += 1;
                    journey.in_flight += 1;
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
            self.complete += 1;
        }
        let told = complete.then(|| observation.clone());
        journey.seen.note(observation, complete);
        told
    }

    fn grow_impatient(&mut self) {
        for journey in std::iter::once(&mut self.ground).chain(&mut self.targets) {
            if journey.patience == Patience::Waiting {
                journey.patience = Patience::Overdue;
                journey.stale = true;
            }
        }
    }

    /// Judges the ground once it is done; the targets then know which controls may serve their contrasts.
    fn judge_ground(&mut self) -> io::Result<bool> {
        if self.judged_ground.is_some() || !self.ground.is_done(self.stopped) {
            return Ok(false);
        }
        let seen = std::mem::take(&mut self.ground.seen);
        let controls = ground::working_controls(&self.setup.catalog, &seen);
        let judged = self.judge.ground(&scrubbed(&self.scrubber, seen)?);
        // Where the line itself fails nothing will be blamed on a target, so nothing is contrasted.
        self.controls = (judged.regime == Regime::Open).then_some(controls);
        self.judged_ground = Some(judged);
        for journey in &mut self.targets {
            journey.stale = true;
        }
        Ok(true)
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
                let observations = scrubbed(&self.scrubber, journey.seen)?;
                verdicts.extend(self.judge.target(&target.id, ground, &observations));
            }
        }
        Ok((!verdicts.is_empty()).then_some(verdicts))
    }

    fn vantage(&self) -> Vantage {
        let ground = self.judged_ground.clone();
        let ground = ground.unwrap_or_else(|| self.judge.ground(&[]));
        again::vantage(self.setup.label.clone(), ground)
    }
}

/// Everything that was seen, as it is written.
fn scrubbed(scrubber: &Scrubber, seen: Seen) -> io::Result<Vec<Observation>> {
    let observations = seen.into_observations().into_iter();
    observations
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

    fn is_done(&self, stopped: bool) -> bool {
        self.in_flight == 0 && (stopped || !self.stale)
    }

    /// Everything the rounds call for, given what was seen so far.
    fn plan(&self, setup: &Setup, controls: Option<&[SocketAddr]>) -> Vec<Check> {
        let Setup { catalog, line, .. } = setup;
        let Some(target) = self.target else {
            return ground::checks(catalog, line, &self.seen, self.patience);
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
