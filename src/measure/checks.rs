//! One match: what is asked, and who asks it of the network.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::measure::trace::{Stopped, Trace};
use crate::measure::{Event, Room};
use crate::model::check::{Ask, Check};
use crate::model::observation::{Observation, Step};

pub mod climb;
pub mod dns;
pub mod exchange;
pub mod http;
pub mod lookup;
pub mod quic;
pub mod tcp;
pub mod tls;

/// What a running check has at hand.
pub struct Context {
    /// What all checks share.
    pub room: Arc<Room>,
    /// Where its steps go.
    pub trace: Trace,
    /// Id of its observation.
    pub id: String,
    /// What was planned.
    pub check: Check,
    /// Whether `Answered` was told.
    pub is_answered: AtomicBool,
    /// Where events go.
    pub events: mpsc::UnboundedSender<Event>,
}

impl Context {
    /// The observation with these steps, and why it stopped.
    pub fn observation(&self, (steps, not_run): (Vec<Step>, Option<String>)) -> Observation {
        Observation {
            id: self.id.clone(),
            check: self.check.clone(),
            steps,
            not_run,
        }
    }

    /// Tells what is known although the check goes on; later calls say nothing.
    pub fn answered(&self) {
        if self.is_answered.swap(true, Ordering::Relaxed) {
            return;
        }
        let observation = self.observation((self.trace.snapshot(), None));
        let _ = self.events.send(Event::Answered(Box::new(observation)));
    }
}

/// A check under way. Boxed: each kind has its own size, and the largest would be paid for by all.
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Stopped>> + Send + 'a>>;

/// Runs one check; everything it saw is in the trace.
pub fn run(context: &Context) -> Running<'_> {
    match &context.check.ask {
        Ask::Lookup { name } => Box::pin(lookup::run(context, name)),
        Ask::Query {
            resolver,
            name,
            record,
            chaos,
        } => Box::pin(dns::run(context, resolver, name, *record, *chaos)),
        Ask::Climb(climb) => Box::pin(climb::run(context, climb)),
    }
}
