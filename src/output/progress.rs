//! What a run does and waits for, on standard error, for a person at a terminal.

use std::io;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

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

/// Targets whose verdict is shown while others go on.
const MOST_KNOWN: usize = 4;

/// Shows beside another sink what the run does, and clears it before that one writes its last.
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    counts: (usize, usize),
    known: Vec<String>,
    inner: Box<dyn Sink>,
}

impl Progress {
    /// Draws on standard error; where that is no terminal, nothing is drawn.
    pub fn new(inner: Box<dyn Sink>) -> Self {
        Self {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            begun: Instant::now(),
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
        if self.bar.is_finished() || self.begun.elapsed() < DELAY {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(TICK);
        }
        self.bar.set_prefix(doing(self.counts, waiting));
        self.bar.set_message(known(&self.known));
    }
}

/// What is done, how much of it is over, and what is waited for.
fn doing((complete, planned): (usize, usize), waiting: &Waiting) -> String {
    let phase = match waiting.round {
        Round::Ground => "checking this network",
        Round::Resolve => "resolving names",
        Round::Reach => "connecting to endpoints",
        Round::Contrast => "comparing failures with controls",
    };
    let count = |number: usize| HumanCount(number.try_into().unwrap_or(u64::MAX));
    let mut text = format!("{phase} · {} of {}", count(complete), count(planned));
    if waiting.silent > 0 {
        let plural = if waiting.silent == 1 { "" } else { "s" };
        let seconds = waiting.longest.as_secs_f64().ceil();
        text.push_str(&format!(
            "\n  waiting for {} silent connection{plural}, up to {seconds:.0} s more",
            waiting.silent
        ));
    }
    text
}

/// The verdicts that are in.
fn known(verdicts: &[String]) -> String {
    if verdicts.is_empty() {
        return "no verdict yet".to_owned();
    }
    let shown = &verdicts[verdicts.len().saturating_sub(MOST_KNOWN)..];
    let more = verdicts.len() - shown.len();
    let before = if more > 0 {
        format!("{more} more · ")
    } else {
        String::new()
    };
    format!("{before}{}", shown.join(" · "))
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
        self.begun = Instant::now();
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
    ProgressStyle::with_template("{spinner} {elapsed} {prefix}\n  {wide_msg}")
        .expect("the template is a constant")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::human::samples;

    #[test]
    fn it_says_what_is_waited_for_and_for_how_long() {
        let mut waiting = Waiting {
            round: Round::Contrast,
            silent: 36,
            longest: Duration::from_millis(7200),
        };
        assert_eq!(
            doing((1873, 1895), &waiting),
            "comparing failures with controls · 1,873 of 1,895\n  waiting for 36 silent connections, up to 8 s more"
        );
        waiting.silent = 1;
        assert!(doing((1, 2), &waiting).ends_with("1 silent connection, up to 8 s more"));
        waiting.silent = 0;
        waiting.round = Round::Reach;
        assert_eq!(doing((1, 2), &waiting), "connecting to endpoints · 1 of 2");
    }

    #[test]
    fn the_verdicts_that_are_in_are_shown_and_older_ones_are_counted() {
        let verdicts: Vec<String> = samples::blocked().verdicts.iter().map(in_short).collect();
        assert_eq!(
            known(&verdicts),
            "✗ WhatsApp blocked · ✓ Telegram works · ~ FaceTime degraded · ✓ MAX works"
        );
        let many = [verdicts.clone(), verdicts].concat();
        assert!(
            known(&many).starts_with("4 more · ✗ WhatsApp"),
            "{}",
            known(&many)
        );
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
