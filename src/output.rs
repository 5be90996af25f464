//! Tells what was found, one file per format; every sink hears of a run in the same order.

use std::io;
use std::time::Duration;

use crate::model::check::Round;
use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Software, Vantage, Verdict};

pub mod csv;
pub mod destination;
pub mod human;
pub mod json;
pub mod list;
pub mod ndjson;
pub mod progress;
pub mod schema;
pub mod scrub;
pub mod selftest;
pub mod summary;
pub mod tee;
pub mod terminal;
pub mod words;

/// What a run does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The furthest round of which something is in flight.
    pub round: Round,
    /// Checks to which nothing comes back.
    pub silent: usize,
    /// How long the last of them may still take.
    pub longest: Duration,
}

/// What listens to a run. Called in this order: `started`, then any of the middle three, then `finished`, once.
///
/// Every method fails only as the writing fails: `BrokenPipe` where the reader went away, which is no error of a run.
pub trait Sink: Send {
    /// The run begins; its duration is 0 so far.
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()>;

    /// So many of so many planned checks are complete; both may grow.
    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()>;

    /// What the run waits for, several times a second; only a person who waits too needs it.
    fn waiting(&mut self, _: &Waiting) -> io::Result<()> {
        Ok(())
    }

    /// One check is complete.
    fn observation(&mut self, observation: &Observation) -> io::Result<()>;

    /// One target is judged.
    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()>;

    /// The run is over, also when it was interrupted.
    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()>;
}

/// Hears everything and tells nothing: for runs that only their outcome is wanted of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Sink for Silent {
    fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, _: &Observation) -> io::Result<()> {
        Ok(())
    }

    fn verdict(&mut self, _: &Verdict) -> io::Result<()> {
        Ok(())
    }

    fn finished(&mut self, _: &Run, _: &Vantage) -> io::Result<()> {
        Ok(())
    }
}

/// The name and version that reports carry.
pub fn software() -> Software {
    Software {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
