//! One step is timed, bounded and classified here; the trace outlives the check, so that no step done is ever lost.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::measure::files;
use crate::model::failure::Failure;
use crate::model::observation::{OUT_OF_FILES, Operation, Step};

/// A step failed, and the trace holds how: nothing is left to do but to end the climb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Seconds since the run began.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start, to the microsecond.
    pub fn elapsed(self) -> f64 {
        (self.0.elapsed().as_secs_f64() * 1e6).round() / 1e6
    }
}

/// Adds the facts that are known at the end of a step, however it ends.
type Sampler = Box<dyn Fn(&mut Step) + Send>;

#[derive(Default)]
struct Record {
    steps: Vec<Step>,
    running: Option<Running>,
    samplers: Vec<Sampler>,
    deadline: Option<Instant>,
    not_run: Option<String>,
}

struct Running {
    operation: Operation,
    t0: f64,
    /// When it is given up.
    until: Instant,
    /// What the step's outcome is already known to be, although it goes on.
    settled: Option<Result<(), Failure>>,
}

/// The steps of one check, in a cell shared with the engine.
#[derive(Clone)]
pub struct Trace {
    clock: Clock,
    ceiling: Duration,
    record: Arc<Mutex<Record>>,
}

impl Trace {
    /// A trace without steps, whose steps end at the latest `ceiling` after the first of them began.
    pub fn new(clock: Clock, ceiling: Duration) -> Self {
        Self {
            clock,
            ceiling,
            record: Arc::default(),
        }
    }

    /// Seconds since the run began.
    pub fn elapsed(&self) -> f64 {
        self.clock.elapsed()
    }

    /// Notes the time, runs the future for at most `limit`, notes the time again and classifies the outcome.
    pub async fn step<T, E: Into<Failure>>(
        &self,
        operation: Operation,
        limit: Duration,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stopped> {
        let limit = self.begin(operation, limit);
        let outcome = match tokio::time::timeout(limit, future).await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(_) => Err(Failure::GenericTimeout),
        };
        match outcome {
            Ok(value) => {
                self.end(None);
                Ok(value)
            }
            Err(failure) => {
                self.end(Some(failure));
                Err(Stopped)
            }
        }
    }

    /// Registers what adds facts at the end of every step from now on.
    pub fn sample(&self, sampler: impl Fn(&mut Step) + Send + 'static) {
        self.lock().samplers.push(Box::new(sampler));
    }

    /// Adds steps that another check made on this one's behalf (a connection that is shared and failed).
    pub fn adopt(&self, steps: Vec<Step>) {
        self.lock().steps.extend(steps);
    }

    /// Says why the climb ends here without a failure.
    pub fn not_run(&self, reason: impl Into<String>) {
        self.lock().not_run = Some(reason.into());
    }

    /// The running step's outcome is known though it goes on: an interruption no longer changes it.
    pub fn settle(&self, outcome: Result<(), Failure>) {
        if let Some(running) = &mut self.lock().running {
            running.settled = Some(outcome);
        }
    }

    /// The steps so far; a running one that is settled is shown as if it ended now.
    pub fn snapshot(&self) -> Vec<Step> {
        let record = self.lock();
        let mut steps = record.steps.clone();
        if let Some(Running {
            operation,
            t0,
            settled: Some(outcome),
            ..
        }) = &record.running
        {
            steps.push(record.close(*operation, *t0, self.elapsed(), outcome.clone().err()));
        }
        steps
    }

    /// How long the running step may still take, if it has been without an outcome for longer than `patience`.
    pub fn silence(&self, patience: Duration) -> Option<Duration> {
        let record = self.lock();
        let running = record.running.as_ref()?;
        let is_silent =
            running.settled.is_none() && self.elapsed() - running.t0 > patience.as_secs_f64();
        is_silent.then(|| running.until.saturating_duration_since(Instant::now()))
    }

    /// The steps that are over.
    pub fn finished(&self) -> Vec<Step> {
        self.lock().steps.clone()
    }

    /// Ends a running step: with its settled outcome, else with this failure.
    pub fn interrupt(&self, failure: Failure) {
        if self.lock().running.is_some() {
            self.end(Some(failure));
        }
    }

    /// Whether the check stopped because this machine had no open files left.
    pub fn is_out_of_files(&self) -> bool {
        self.lock().not_run.as_deref() == Some(OUT_OF_FILES)
    }

    /// Forgets everything, for a check that begins again.
    pub fn start_over(&self) {
        *self.lock() = Record::default();
    }

    /// Takes the steps and the reason for having stopped, and lets go of everything that was sampled.
    pub fn take(&self) -> (Vec<Step>, Option<String>) {
        let mut record = self.lock();
        record.samplers.clear();
        record.running = None;
        (std::mem::take(&mut record.steps), record.not_run.take())
    }

    /// Notes the start and says how long the step may take: the first one starts the clock of the whole check.
    fn begin(&self, operation: Operation, limit: Duration) -> Duration {
        let now = Instant::now();
        let t0 = self.elapsed();
        let mut record = self.lock();
        let deadline = *record.deadline.get_or_insert(now + self.ceiling);
        let limit = limit.min(deadline.saturating_duration_since(now));
        record.running = Some(Running {
            operation,
            t0,
            until: now + limit,
            settled: None,
        });
        limit
    }

    fn end(&self, failure: Option<Failure>) {
        let now = self.elapsed();
        let mut record = self.lock();
        if let Some(running) = record.running.take() {
            let failure = match (running.settled, failure) {
                (Some(settled), Some(Failure::Interrupted | Failure::GenericTimeout)) => {
                    settled.err()
                }
                (_, failure) => failure,
            };
            if failure.as_ref() == Some(&files::failure()) {
                record.not_run = Some(OUT_OF_FILES.to_owned());
                return;
            }
            let step = record.close(running.operation, running.t0, now, failure);
            record.steps.push(step);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A panic of ours in a sampler must not cost the steps already done.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn close(&self, operation: Operation, t0: f64, t: f64, failure: Option<Failure>) -> Step {
        let mut step = Step {
            operation,
            t0,
            t,
            failure,
            dns: None,
            tcp: None,
            tls: None,
            quic: None,
            http: None,
            exchange: None,
        };
        for sampler in &self.samplers {
            sampler(&mut step);
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn works() -> impl Future<Output = Result<u8, Failure>> {
        ready(Ok(1))
    }

    #[tokio::test]
    async fn a_step_without_an_outcome_is_silent_until_it_is_given_up() {
        let trace = Trace::new(Clock::start(), LONG);
        assert_eq!(trace.silence(Duration::ZERO), None, "nothing runs");
        let limit = Duration::from_secs(5);
        let mut step = Box::pin(trace.step(
            Operation::TcpConnect,
            limit,
            pending::<Result<(), Failure>>(),
        ));
        let mut context = Context::from_waker(Waker::noop());
        assert!(step.as_mut().poll(&mut context).is_pending());
        let left = trace.silence(Duration::ZERO).expect("it runs");
        assert!(left <= limit && left > limit / 2, "{left:?}");
        assert_eq!(trace.silence(LONG), None, "that is no silence yet");
        trace.settle(Ok(()));
        assert_eq!(trace.silence(Duration::ZERO), None, "its outcome is known");
    }

    #[tokio::test]
    async fn a_step_that_takes_too_long_is_a_timeout() {
        let trace = Trace::new(Clock::start(), LONG);
        let limit = Duration::from_millis(5);
        let outcome = trace
            .step(
                Operation::TcpConnect,
                limit,
                pending::<Result<(), Failure>>(),
            )
            .await;
        assert_eq!(outcome, Err(Stopped));
        let (steps, _) = trace.take();
        assert_eq!(steps[0].failure, Some(Failure::GenericTimeout));
        assert!(steps[0].t - steps[0].t0 >= 0.005);
    }

    #[tokio::test]
    async fn the_whole_check_has_a_ceiling() {
        let trace = Trace::new(Clock::start(), Duration::from_millis(5));
        let silent = pending::<Result<(), Failure>>();
        trace
            .step(Operation::TcpConnect, LONG, silent)
            .await
            .unwrap_err();
        assert_eq!(trace.take().0[0].failure, Some(Failure::GenericTimeout));
    }

    #[tokio::test]
    async fn an_interruption_keeps_the_steps_done() {
        let trace = Trace::new(Clock::start(), LONG);
        trace
            .step(Operation::TcpConnect, LONG, works())
            .await
            .unwrap();
        let limit = Duration::from_millis(5);
        let second = trace.step(
            Operation::TlsHandshake,
            LONG,
            pending::<Result<(), Failure>>(),
        );
        assert!(tokio::time::timeout(limit, second).await.is_err());
        trace.interrupt(Failure::Interrupted);
        let (steps, _) = trace.take();
        let failures: Vec<_> = steps.iter().map(|step| step.failure.clone()).collect();
        assert_eq!(failures, [None, Some(Failure::Interrupted)]);
    }

    #[tokio::test]
    async fn a_settled_step_keeps_its_outcome_when_interrupted() {
        let trace = Trace::new(Clock::start(), LONG);
        let limit = Duration::from_millis(5);
        let step = trace.step(Operation::Resolve, LONG, async {
            trace.settle(Err(Failure::DnsNxdomain));
            pending::<Result<(), Failure>>().await
        });
        assert!(tokio::time::timeout(limit, step).await.is_err());
        assert_eq!(trace.snapshot()[0].failure, Some(Failure::DnsNxdomain));
        trace.interrupt(Failure::Interrupted);
        assert_eq!(trace.take().0[0].failure, Some(Failure::DnsNxdomain));
    }

    #[tokio::test]
    async fn a_step_without_files_is_no_step_and_can_begin_again() {
        let trace = Trace::new(Clock::start(), LONG);
        let none_left = async { Err::<(), _>(std::io::Error::from_raw_os_error(libc::EMFILE)) };
        trace
            .step(Operation::TcpConnect, LONG, none_left)
            .await
            .unwrap_err();
        assert!(trace.is_out_of_files());
        trace.start_over();
        assert!(!trace.is_out_of_files());
        let none_left = async { Err::<(), _>(std::io::Error::from_raw_os_error(libc::ENFILE)) };
        trace
            .step(Operation::Resolve, LONG, none_left)
            .await
            .unwrap_err();
        assert_eq!(trace.take(), (vec![], Some(OUT_OF_FILES.to_owned())));
    }

    #[tokio::test]
    async fn facts_are_sampled_however_a_step_ends() {
        let trace = Trace::new(Clock::start(), LONG);
        trace.sample(|step| step.tcp = Some(Box::default()));
        trace
            .step(Operation::TcpConnect, LONG, works())
            .await
            .unwrap();
        let failing = async { Err::<(), _>(Failure::Eof) };
        trace
            .step(Operation::TlsHandshake, LONG, failing)
            .await
            .unwrap_err();
        assert!(trace.take().0.iter().all(|step| step.tcp.is_some()));
    }
}
