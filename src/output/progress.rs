//! What a run does and waits for, on standard error, for a person at a terminal.

use std::io;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthStr;

use crate::model::check::Round;
use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Status, Vantage, Verdict};
use crate::output::terminal::escape_short;
use crate::output::{Sink, Waiting, words};

/// Ten pictures a second look alive and cost nothing.
const TICK: Duration = Duration::from_millis(100);

/// Nothing is drawn before: of a run that ends at once, or whose reader leaves at once, nothing stays on the terminal.
const DELAY: Duration = Duration::from_millis(400);

/// Columns of a target's name.
const LONGEST_NAME: usize = 16;

/// Columns for the spinner, the time and what a terminal echoes.
const MARGIN: usize = 10;

/// Shows beside another sink what the run does, and clears it before that one writes its last.
pub struct Progress {
    bar: ProgressBar,
    counts: (usize, usize),
    known: Vec<String>,
    inner: Box<dyn Sink>,
}

impl Progress {
    /// Draws on standard error; where that is no terminal, nothing is drawn.
    pub fn new(inner: Box<dyn Sink>) -> Self {
        Self {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            counts: (0, 0),
            known: Vec::new(),
            inner,
        }
    }

    /// A failure of the other sink ends the run: nothing may stay on the terminal.
    fn watched(&mut self, written: io::Result<()>) -> io::Result<()> {
        if written.is_err() {
            self.bar.finish_and_clear();
        }
        written
    }

    fn show(&self, waiting: &Waiting) {
        if self.bar.is_finished() || self.bar.elapsed() < DELAY {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(TICK);
        }
        let columns = columns().saturating_sub(MARGIN);
        let parts = parts(self.counts, waiting, &self.known);
        self.bar.set_message(within(&parts, columns));
    }
}

/// Columns of the terminal, or few where it does not say.
fn columns() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0))
}

/// What fits into one line: a line that the terminal breaks, or more than one, could not be cleared once something else
/// was written.
fn within(parts: &[String], columns: usize) -> String {
    let mut text = String::new();
    for part in parts {
        let gap = if text.is_empty() { "" } else { " · " };
        let longer = format!("{text}{gap}{part}");
        if text.is_empty() || longer.width() <= columns {
            text = longer;
        }
    }
    escape_short(&text, columns)
}

/// What is waited for, the verdicts that are in, what is done and how much of it is over: what matters most comes first.
fn parts((complete, planned): (usize, usize), waiting: &Waiting, known: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    if waiting.silent > 0 {
        let plural = if waiting.silent == 1 { "" } else { "s" };
        let seconds = waiting.longest.as_secs_f64().ceil();
        parts.push(format!(
            "waiting for {} silent connection{plural}, up to {seconds:.0} s more",
            waiting.silent
        ));
    }
    parts.push(
        match waiting.round {
            Round::Ground => "checking this network",
            Round::Resolve => "resolving names",
            Round::Reach => "connecting to endpoints",
            Round::Contrast => "comparing failures with controls",
        }
        .to_owned(),
    );
    // The latest first, if not all of them fit.
    parts.splice(1..1, known.iter().rev().cloned());
    let count = |number: usize| HumanCount(number.try_into().unwrap_or(u64::MAX));
    parts.push(format!("{} of {}", count(complete), count(planned)));
    parts
}

fn in_short(verdict: &Verdict) -> String {
    let name = escape_short(&verdict.name, LONGEST_NAME);
    let status = match verdict.status {
        Status::Inconclusive => "undetermined",
        status => words::status(status),
    };
    format!("{} {name} {status}", words::symbol(verdict.status))
}

impl Sink for Progress {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        self.bar.reset_elapsed();
        self.bar.set_style(style());
        let written = self.inner.started(run, origin, measured);
        self.watched(written)
    }

    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()> {
        self.counts = (complete, planned);
        let written = self.inner.progress(complete, planned);
        self.watched(written)
    }

    fn waiting(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.show(waiting);
        let written = self.inner.waiting(waiting);
        self.watched(written)
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        let written = self.inner.observation(observation);
        self.watched(written)
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.known.push(in_short(verdict));
        let written = self.inner.verdict(verdict);
        self.watched(written)
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
    ProgressStyle::with_template("{spinner} {elapsed} {msg}")
        .expect("the template is a constant")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::human::samples;

    #[test]
    fn it_says_what_is_waited_for_and_what_is_known() {
        let mut waiting = Waiting {
            round: Round::Contrast,
            silent: 36,
            longest: Duration::from_millis(7200),
        };
        let known: Vec<String> = samples::blocked().verdicts.iter().map(in_short).collect();
        let line = |waiting: &Waiting, known: &[String], columns| {
            within(&parts((1873, 1895), waiting, known), columns)
        };
        assert_eq!(
            line(&waiting, &known[..1], 140),
            "waiting for 36 silent connections, up to 8 s more · ✗ WhatsApp blocked · \
             comparing failures with controls · 1,873 of 1,895"
        );
        assert_eq!(
            line(&waiting, &known, 70),
            "waiting for 36 silent connections, up to 8 s more · ✓ MAX works"
        );
        waiting.silent = 1;
        assert_eq!(
            line(&waiting, &[], 55),
            "waiting for 1 silent connection, up to 8 s more"
        );
        waiting.silent = 0;
        waiting.round = Round::Reach;
        assert_eq!(
            line(&waiting, &[], 80),
            "connecting to endpoints · 1,873 of 1,895"
        );
    }

    #[test]
    fn progress_takes_one_line_whatever_the_targets_are_called() {
        let mut report = samples::blocked();
        report.verdicts[0].name = "测试\n\x1b[2J".repeat(9);
        let known: Vec<String> = report.verdicts.iter().map(in_short).collect();
        let waiting = Waiting {
            round: Round::Reach,
            silent: 2,
            longest: Duration::ZERO,
        };
        for columns in [10, 40, 80, 200] {
            let shown = within(&parts((1, 2), &waiting, &known), columns);
            assert!(shown.width() <= columns, "{columns}: {shown}");
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn nothing_stays_on_the_terminal_when_the_reader_is_gone() {
        struct Gone;
        impl Sink for Gone {
            fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
                Ok(())
            }
            fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
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
        let mut progress = Progress::new(Box::new(Gone));
        assert!(!progress.bar.is_finished());
        assert!(progress.progress(1, 2).is_err());
        assert!(progress.bar.is_finished());
    }
}
