//! A sink whose reader may go away: the run then ends, and that is no error.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Vantage, Verdict};
use crate::output::{Sink, Waiting};

/// Ends the run when nobody reads any more.
pub struct Reader {
    inner: Box<dyn Sink>,
    cancel: CancellationToken,
    left: Arc<AtomicBool>,
}

impl Reader {
    /// `cancel` is the run's.
    pub fn new(inner: Box<dyn Sink>, cancel: CancellationToken) -> Self {
        Self {
            inner,
            cancel,
            left: Arc::default(),
        }
    }

    /// Becomes true when the reader has left before the run was over.
    pub fn left(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.left)
    }

    fn during(&mut self, tell: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        if self.left.load(Ordering::Relaxed) {
            return Ok(());
        }
        match tell(self.inner.as_mut()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.left.store(true, Ordering::Relaxed);
                self.cancel.cancel();
                Ok(())
            }
            told => told,
        }
    }
}

impl Sink for Reader {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        self.during(|inner| inner.started(run, origin, measured))
    }

    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()> {
        self.during(|inner| inner.progress(complete, planned))
    }

    fn waiting(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.during(|inner| inner.waiting(waiting))
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.during(|inner| inner.observation(observation))
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.during(|inner| inner.verdict(verdict))
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        // The run is over and its outcome stands, whether the last words are read or not.
        if self.left.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.inner.finished(run, vantage) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            told => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::Regime;

    /// Fails every time it is told something.
    struct Gone(io::ErrorKind);

    impl Sink for Gone {
        fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
            Err(self.0.into())
        }
        fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
            Err(self.0.into())
        }
        fn observation(&mut self, _: &Observation) -> io::Result<()> {
            Err(self.0.into())
        }
        fn verdict(&mut self, _: &Verdict) -> io::Result<()> {
            Err(self.0.into())
        }
        fn finished(&mut self, _: &Run, _: &Vantage) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn tell_the_end(sink: &mut dyn Sink) -> io::Result<()> {
        let run = Run {
            id: String::new(),
            started_at: String::new(),
            duration_s: 0.0,
            interrupted: false,
            definitions: crate::model::catalog::Definitions::default(),
        };
        let vantage = Vantage {
            label: None,
            regime: Regime::Open,
            address_families: Vec::new(),
            asn: None,
            country: None,
            tags: std::collections::BTreeMap::new(),
            problem: None,
            resolvers: Vec::new(),
            techniques: Vec::new(),
            notes: Vec::new(),
        };
        sink.finished(&run, &vantage)
    }

    #[test]
    fn a_reader_that_leaves_in_mid_run_ends_it() {
        let cancel = CancellationToken::new();
        let mut sink = Reader::new(Box::new(Gone(io::ErrorKind::BrokenPipe)), cancel.clone());
        let left = sink.left();
        sink.progress(1, 2).unwrap();
        assert!(cancel.is_cancelled() && left.load(Ordering::Relaxed));
        tell_the_end(&mut sink).unwrap();
    }

    #[test]
    fn a_reader_that_leaves_at_the_end_changes_nothing() {
        let cancel = CancellationToken::new();
        let mut sink = Reader::new(Box::new(Gone(io::ErrorKind::BrokenPipe)), cancel.clone());
        let left = sink.left();
        tell_the_end(&mut sink).unwrap();
        assert!(!cancel.is_cancelled() && !left.load(Ordering::Relaxed));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let cancel = CancellationToken::new();
        let mut sink = Reader::new(Box::new(Gone(io::ErrorKind::StorageFull)), cancel);
        assert!(sink.progress(1, 2).is_err());
        assert!(tell_the_end(&mut sink).is_err());
    }
}
