//! Runs checks and yields observations: the only room that talks to the measured network.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::measure::checks::Context;
use crate::measure::checks::dns::doh::Connections;
use crate::measure::limits::Limits;
use crate::measure::places::Places;
use crate::measure::trace::{Clock, Stopped, Trace};
use crate::measure::trust::Trust;
use crate::model::catalog::{Catalog, Resolver};
use crate::model::check::{Ask, Check};
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::model::observation::{Observation, Operation, Step};
use crate::wire::own::Own;

pub mod bogon;
pub mod certificate;
pub mod checks;
pub mod classify;
pub mod datagram;
pub mod files;
pub mod limits;
pub mod network;
pub mod page;
pub mod places;
pub mod socket;
pub mod tee;
pub mod trace;
pub mod trust;

/// Descriptors one check uses at most: a socket, the second descriptor of it, and those of a repetition over TCP.
const DESCRIPTORS_PER_CHECK: u64 = 3;
/// And where the servers are in this process too, as those of the lab are.
const DESCRIPTORS_AT_BOTH_ENDS: u64 = 4;

/// A step without an outcome for so long counts as silent: ordinary answers take far less.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// What the engine waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Checks to which nothing comes back.
    pub checks: usize,
    /// How long the last of them may still take.
    pub longest: Duration,
}

/// What the engine tells while checks run.
#[derive(Clone, Debug)]
pub enum Event {
    /// A DNS check has its first acceptable answer and goes on listening; at most once, before `Complete`.
    Answered(Box<Observation>),
    /// A check is over; exactly once for every check that was started.
    Complete(Box<Observation>),
}

/// Runs checks. Cheap to clone; all clones share places, connections and the clock.
#[derive(Clone)]
pub struct Engine(Arc<Room>);

/// What all checks of one run share.
pub struct Room {
    /// How long and how many.
    pub limits: Limits,
    /// What may be used of this machine's network.
    pub line: Line,
    /// The vantage's own addresses, which no report may tell.
    pub own: Arc<Own>,
    /// Who may vouch for a chain.
    pub trust: Arc<Trust>,
    /// Resolvers by id.
    pub resolvers: HashMap<String, Resolver>,
    /// Places of connections.
    pub climbs: Places,
    /// Places of UDP queries.
    pub queries: Places,
    /// Lookups that wait for their answer.
    pub lookups: Arc<Semaphore>,
    /// Threads in `getaddrinfo`, those given up on included.
    pub lookup_threads: Arc<Semaphore>,
    /// Connections to DoH resolvers.
    pub doh: Connections,
    open: Semaphore,
    /// Checks in flight, by id of their observation.
    flights: Mutex<HashMap<String, Trace>>,
    clock: Clock,
    cancel: CancellationToken,
}

impl Engine {
    /// An engine for one run; `concurrency` is how many connections and queries talk at once.
    pub fn new(
        catalog: &Catalog,
        line: &Line,
        concurrency: usize,
        cancel: CancellationToken,
    ) -> Self {
        Self::with_limits(catalog, line, concurrency, cancel, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(
        catalog: &Catalog,
        line: &Line,
        concurrency: usize,
        cancel: CancellationToken,
        limits: Limits,
    ) -> Self {
        let run = Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        let descriptors = files::raise(limits.descriptors).saturating_sub(files::open());
        // Where little is allowed, little is spared: a quarter, so that the rest still measures side by side.
        let spare = limits.descriptors_spare.min(descriptors / 4);
        let each = match line.playground.as_slice() {
            [] => DESCRIPTORS_PER_CHECK,
            _ => DESCRIPTORS_AT_BOTH_ENDS,
        };
        let checks = descriptors.saturating_sub(spare) / each;
        let resolvers = catalog.resolvers.iter();
        Self(Arc::new(Room {
            line: line.clone(),
            own: Arc::new(Own::new(&line.own)),
            trust: Arc::new(Trust::new(catalog, line)),
            resolvers: resolvers
                .map(|resolver| (resolver.id.clone(), resolver.clone()))
                .collect(),
            climbs: Places::new(limits.places_per_address, Arc::clone(&run)),
            queries: Places::new(limits.queries_per_resolver, run),
            lookups: Arc::new(Semaphore::new(limits.lookups)),
            lookup_threads: Arc::new(Semaphore::new(limits.lookup_threads)),
            doh: Connections::default(),
            open: Semaphore::new(usize::try_from(checks).unwrap_or(1).max(1)),
            flights: Mutex::default(),
            clock: Clock::start(),
            cancel,
            limits,
        }))
    }

    /// Starts a check; `id` becomes its observation's. Needs a tokio runtime.
    pub fn start(&self, id: String, check: Check, events: &mpsc::UnboundedSender<Event>) {
        let room = Arc::clone(&self.0);
        let events = events.clone();
        tokio::spawn(async move { room.run(id, check, events).await });
    }

    /// What is waited for now.
    pub fn silence(&self) -> Silence {
        let flights = self.0.flights.lock();
        let flights = flights.unwrap_or_else(PoisonError::into_inner);
        let mut silence = Silence::default();
        for left in flights
            .values()
            .filter_map(|trace| trace.silence(SILENT_AFTER))
        {
            silence.checks += 1;
            silence.longest = silence.longest.max(left);
        }
        silence
    }

    /// Seconds since the engine was made.
    pub fn elapsed(&self) -> f64 {
        self.0.clock.elapsed()
    }
}

/// How a check ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Done,
    Interrupted,
    Panicked,
}

impl Room {
    async fn run(self: Arc<Self>, id: String, check: Check, events: mpsc::UnboundedSender<Event>) {
        let trace = Trace::new(self.clock, self.limits.check);
        self.fly(&id, Some(trace.clone()));
        let context = Context {
            room: Arc::clone(&self),
            trace: trace.clone(),
            id,
            check,
            is_answered: AtomicBool::new(false),
            events,
        };
        let ending = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Ending::Interrupted,
            ending = unpanicked(self.admitted(&context)) => ending,
        };
        let observation = context.observation(observed(&trace, &context.check, &ending));
        self.fly(&context.id, None);
        // A receiver that is gone has its reasons: the run is over.
        let _ = context.events.send(Event::Complete(Box::new(observation)));
    }

    /// Notes that a check is in flight, or no longer.
    fn fly(&self, id: &str, trace: Option<Trace>) {
        let flights = self.flights.lock();
        let mut flights = flights.unwrap_or_else(PoisonError::into_inner);
        match trace {
            Some(trace) => flights.insert(id.to_owned(), trace),
            None => flights.remove(id),
        };
    }

    /// Runs the check as soon as there are descriptors for it. Where there are none although they were counted (others take
    /// them too), it begins again until there are some, and gives up in the end.
    async fn admitted(&self, context: &Context) -> Result<(), Stopped> {
        let began = Instant::now();
        loop {
            let open = self.open.acquire().await;
            let ended = checks::run(context).await;
            drop(open);
            let is_over = began.elapsed() >= self.limits.descriptors_wait;
            if !context.trace.is_out_of_files() || is_over {
                return ended;
            }
            tokio::time::sleep(self.limits.descriptors_pause).await;
            context.trace.start_over();
        }
    }
}

/// The steps and the reason for having stopped, after the ending.
fn observed(trace: &Trace, check: &Check, ending: &Ending) -> (Vec<Step>, Option<String>) {
    if *ending == Ending::Interrupted {
        trace.interrupt(Failure::Interrupted);
    }
    let (steps, mut not_run) = trace.take();
    match ending {
        Ending::Done => {}
        Ending::Panicked => not_run = Some("internal error".to_owned()),
        Ending::Interrupted if steps.is_empty() => {
            not_run = Some("interrupted before it began".to_owned());
        }
        Ending::Interrupted => {
            let last = steps.last();
            let is_cut = last.is_some_and(|step| step.failure == Some(Failure::Interrupted));
            // An answer was in and only the listening was cut short: nothing is missing from the climb.
            let is_whole = last.is_some_and(|step| step.operation == Operation::Resolve)
                && !matches!(check.ask, Ask::Climb(_));
            if is_cut || !is_whole {
                not_run.get_or_insert_with(|| "interrupted".to_owned());
            }
        }
    }
    (steps, not_run)
}

/// A bug of ours in one check must not cost the run.
async fn unpanicked(check: impl Future<Output = Result<(), Stopped>>) -> Ending {
    let mut check = pin!(check);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => Poll::Ready(Ending::Done),
            Err(_) => Poll::Ready(Ending::Panicked),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_check_is_an_ending_like_others() {
        let broken = async { panic!("a bug of ours") };
        assert_eq!(unpanicked(broken).await, Ending::Panicked);
        assert_eq!(unpanicked(async { Ok(()) }).await, Ending::Done);
    }
}
