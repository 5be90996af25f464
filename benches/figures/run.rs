//! Wall time of a whole run, at a distance of 100 ms: on an open line, with every target silent, and with everybody silent.

use std::io;
use std::time::{Duration, Instant};

use blockprobe::model::catalog::{Catalog, Transport};
use blockprobe::model::check::Ask;
use blockprobe::model::line::Line;
use blockprobe::model::observation::{Observation, Operation};
use blockprobe::model::report::{Measured, Origin, Run, Status, Vantage, Verdict};
use blockprobe::output::Sink;
use blockprobe::session::{self, Outcome, Setup};
use tokio_util::sync::CancellationToken;

use crate::distance::{self, Distant, Silence};
use crate::table::{self, Figures};

/// The default of `--concurrency`.
pub const CONCURRENCY: usize = 1024;
/// Half a round trip.
pub const HALF: Duration = Duration::from_millis(50);

/// Prints the table.
pub fn print() {
    table::title("run: a whole run, all targets");
    let near = timed(None, Silence::Nobody, 5);
    told("open, no distance", &near, "");
    let far = timed(Some(HALF), Silence::Nobody, 5);
    told(
        "open, round trip 100 ms",
        &far,
        "budget 1.30 s (8 round trips + 0.5 s)",
    );
    let trips = trips(&far.observations);
    table::note(&format!(
        "round trip seen by UDP queries: {:.1} ms in the middle",
        trips.median * 1e3
    ));
    let silent = timed(Some(HALF), Silence::Targets, 3);
    told(
        "every target silent, round trip 100 ms",
        &silent,
        "budget 15 s",
    );
    let dead = timed(Some(HALF), Silence::Everybody, 3);
    told(
        "everybody silent, resolvers and controls too",
        &dead,
        "budget 10 s (offline)",
    );
}

/// Several runs of one kind, and what the last one saw.
struct Timed {
    seconds: Figures,
    observations: Vec<Observation>,
    outcome: Outcome,
}

fn timed(half: Option<Duration>, silence: Silence, runs: usize) -> Timed {
    let lab = distance::open(half, silence);
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..runs {
        let mut sink = Kept::default();
        let begun = Instant::now();
        let outcome = run(&lab, &mut sink);
        seconds.push(begun.elapsed().as_secs_f64());
        last = Some((sink.0, outcome));
    }
    let (observations, outcome) = last.expect("at least one run");
    Timed {
        seconds: Figures::of(seconds),
        observations,
        outcome,
    }
}

fn told(what: &str, timed: &Timed, budget: &str) {
    table::row(what, &timed.seconds, "s", budget);
    let statuses = timed.outcome.verdicts.iter().map(|it| it.status);
    let accessible = statuses.filter(|it| *it == Status::Accessible).count();
    table::note(&format!(
        "  {} observations, regime {:?}, {accessible} of {} targets accessible",
        timed.observations.len(),
        timed.outcome.regime,
        timed.outcome.verdicts.len(),
    ));
    let mut longest: Vec<&Observation> = timed.observations.iter().collect();
    longest.sort_by(|one, other| end(other).total_cmp(&end(one)));
    if let Some(last) = longest.first() {
        table::note(&format!(
            "  the last to end, {:.2} s: {}",
            end(last),
            last.check.id
        ));
    }
}

/// One run of the product on this thread.
pub fn run(lab: &Distant, sink: &mut dyn Sink) -> Outcome {
    of(lab.catalog.clone(), lab.line.clone(), sink)
}

/// One run of the product with this catalog and line.
pub fn of(catalog: Catalog, line: Line, sink: &mut dyn Sink) -> Outcome {
    let setup = Setup {
        catalog,
        line,
        origin: Origin::default(),
        control: None,
        timeout: None,
        concurrency: CONCURRENCY,
        cancel: CancellationToken::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(session::run(&setup, sink))
        .expect("the sink takes everything")
}

/// How long a plain query waited for its first reply, in seconds.
fn trips(observations: &[Observation]) -> Figures {
    let mut trips = Vec::new();
    for observation in observations {
        let Ask::Query { resolver, .. } = &observation.check.ask else {
            continue;
        };
        let is_plain = resolver.contains(&format!("/{}/", Transport::Udp.word()));
        let step = observation.step(Operation::Resolve);
        let reply = step.and_then(|step| Some((step, step.dns.as_ref()?.replies.first()?)));
        if let (true, Some((step, reply))) = (is_plain, reply) {
            trips.push(reply.t - step.t0);
        }
    }
    Figures::of(trips)
}

fn end(observation: &Observation) -> f64 {
    observation.steps.last().map_or(0.0, |step| step.t)
}

/// Keeps the observations.
#[derive(Default)]
pub struct Kept(pub Vec<Observation>);

impl Sink for Kept {
    fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.0.push(observation.clone());
        Ok(())
    }

    fn verdict(&mut self, _: &Verdict) -> io::Result<()> {
        Ok(())
    }

    fn finished(&mut self, _: &Run, _: &Vantage) -> io::Result<()> {
        Ok(())
    }
}
