//! Several sinks at once. One that fails does not end the others.

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Vantage, Verdict};
use crate::output::{Sink, Waiting};

/// Passes everything on to each of its sinks.
pub struct Tee {
    sinks: Vec<Box<dyn Sink>>,
    /// What failed so far.
    failed: Vec<io::Error>,
}

impl Tee {
    /// Passes on to these.
    pub const fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self {
            sinks,
            failed: Vec::new(),
        }
    }

    /// A sink that fails hears nothing more. Only where no other is left, the run hears of it at once.
    fn each(&mut self, mut pass: impl FnMut(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        let failed = &mut self.failed;
        self.sinks.retain_mut(|sink| match pass(sink.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                failed.push(error);
                false
            }
        });
        if self.sinks.is_empty() {
            self.failures()
        } else {
            Ok(())
        }
    }

    /// A reader that left is the failure only where nothing else failed.
    fn failures(&mut self) -> io::Result<()> {
        let failed = std::mem::take(&mut self.failed);
        let (left, mut failed): (Vec<_>, Vec<_>) = failed
            .into_iter()
            .partition(|error| error.kind() == io::ErrorKind::BrokenPipe);
        match (failed.len(), left.into_iter().next()) {
            (0, None) => Ok(()),
            (0, Some(left)) => Err(left),
            (1, _) => Err(failed.remove(0)),
            _ => {
                let words: Vec<_> = failed.iter().map(ToString::to_string).collect();
                Err(io::Error::other(words.join("; ")))
            }
        }
    }
}

impl Sink for Tee {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        self.each(|sink| sink.started(run, origin, measured))
    }

    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()> {
        self.each(|sink| sink.progress(complete, planned))
    }

    fn waiting(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.each(|sink| sink.waiting(waiting))
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.each(|sink| sink.observation(observation))
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.each(|sink| sink.verdict(verdict))
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.each(|sink| sink.finished(run, vantage))?;
        // Files that were saved stand. A reader that left beside them is no failure of the run.
        self.failed
            .retain(|error| error.kind() != io::ErrorKind::BrokenPipe);
        self.failures()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::output::human::samples;

    /// Counts what it hears, and fails from some point on.
    struct Counting {
        heard: Arc<AtomicUsize>,
        most: usize,
        kind: io::ErrorKind,
    }

    impl Counting {
        fn hear(&self) -> io::Result<()> {
            if self.heard.fetch_add(1, Ordering::Relaxed) >= self.most {
                return Err(self.kind.into());
            }
            Ok(())
        }
    }

    impl Sink for Counting {
        fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
            self.hear()
        }
        fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
            self.hear()
        }
        fn observation(&mut self, _: &Observation) -> io::Result<()> {
            self.hear()
        }
        fn verdict(&mut self, _: &Verdict) -> io::Result<()> {
            self.hear()
        }
        fn finished(&mut self, _: &Run, _: &Vantage) -> io::Result<()> {
            self.hear()
        }
    }

    /// What comes of the run, and what each sink heard; each fails after so many calls.
    fn played(sinks: &[(usize, io::ErrorKind)]) -> (io::Result<()>, Vec<usize>) {
        let heard: Vec<Arc<AtomicUsize>> = sinks.iter().map(|_| Arc::default()).collect();
        let counting = sinks.iter().zip(&heard).map(|(&(most, kind), heard)| {
            Box::new(Counting {
                heard: Arc::clone(heard),
                most,
                kind,
            }) as Box<dyn Sink>
        });
        let mut tee = Tee::new(counting.collect());
        let ended = samples::play(&samples::blocked(), &mut tee);
        let heard = heard.iter().map(|heard| heard.load(Ordering::Relaxed));
        (ended, heard.collect())
    }

    #[test]
    fn a_sink_that_fails_leaves_the_others_the_whole_run_and_is_reported_at_the_end() {
        use io::ErrorKind::{BrokenPipe, StorageFull};
        let (ended, heard) = played(&[(usize::MAX, StorageFull), (2, StorageFull)]);
        assert_eq!(ended.unwrap_err().kind(), StorageFull);
        assert_eq!(heard[1], 3);
        assert!(heard[0] > 6, "{heard:?}");
        let (ended, with_reader) = played(&[(usize::MAX, BrokenPipe), (2, BrokenPipe)]);
        ended.unwrap();
        assert_eq!(with_reader[0], heard[0]);
    }

    #[test]
    fn where_no_sink_is_left_the_run_ends() {
        use io::ErrorKind::{BrokenPipe, StorageFull};
        let (ended, heard) = played(&[(2, BrokenPipe), (3, BrokenPipe)]);
        assert_eq!(ended.unwrap_err().kind(), BrokenPipe);
        assert_eq!(heard, [3, 4]);
        let (ended, _) = played(&[(2, StorageFull), (3, BrokenPipe)]);
        assert_eq!(ended.unwrap_err().kind(), StorageFull);
    }
}
