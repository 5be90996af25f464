//! How far the run is, on standard error, for somebody who waits at a terminal.

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Vantage, Verdict};
use crate::output::Sink;

/// Ten pictures a second look alive and cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// Shows a line of progress beside another sink, and clears it before that one tells its last.
pub struct Progress {
    bar: ProgressBar,
    inner: Box<dyn Sink>,
}

impl Progress {
    /// Draws on standard error; where that is no terminal, nothing is drawn.
    pub fn new(inner: Box<dyn Sink>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar, inner }
    }
}

impl Sink for Progress {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        self.bar.set_style(style());
        self.bar.enable_steady_tick(TICK);
        self.inner.started(run, origin, measured)
    }

    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()> {
        // Planned grows with every round: a bar that fell back would look like a fault, so the length only rises.
        let planned = u64::try_from(planned).unwrap_or(u64::MAX);
        if self.bar.length().is_none_or(|length| length < planned) {
            self.bar.set_length(planned);
        }
        self.bar
            .set_position(u64::try_from(complete).unwrap_or(u64::MAX));
        self.inner
            .progress(complete, planned.try_into().unwrap_or(usize::MAX))
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.inner.observation(observation)
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.inner.verdict(verdict)
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.bar.finish_and_clear();
        self.inner.finished(run, vantage)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} measuring  {bar:30}  {pos}/{len}  {elapsed}")
        .expect("the template is a constant")
        .progress_chars("━━─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
