//! What a person reads in five seconds: one block a target, the worst first; with `-v` the contrasts, with `-vv` every step.

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{
    Confidence, Measured, Origin, Regime, Report, Run, Status, Vantage, Verdict,
};
use crate::output::Sink;
use crate::output::destination::Destination;
use crate::output::human::block::Said;
use crate::output::human::evidence::Known;
use crate::output::human::facts::Facts;
use crate::output::human::layout::Page;
use crate::output::terminal::escape;

pub mod block;
pub mod contrast;
pub mod detail;
pub mod evidence;
pub mod facts;
pub mod fold;
pub mod head;
pub mod layout;
pub mod rows;
pub mod seen;

#[cfg(test)]
pub mod samples;

/// Columns that a target's name may take.
const LONGEST_NAME: usize = 16;

/// A mark and the space after it.
const MARK: usize = 2;

/// The longest status with its confidence, `~ degraded, confirmed`, and a gap.
const STATUS_WIDTH: usize = 24;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// One line a target.
    Quiet,
    /// Verdicts.
    #[default]
    Plain,
    /// Verdicts and their contrasts, endpoints folded.
    Verbose,
    /// Every endpoint and every step too.
    Everything,
}

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Columns.
    pub width: usize,
    /// With colours.
    pub colour: bool,
    /// How much.
    pub detail: Detail,
}

/// All that there is to show.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// When, how long.
    pub run: &'a Run,
    /// Where.
    pub vantage: &'a Vantage,
    /// What is concluded.
    pub verdicts: &'a [Verdict],
    /// What was seen, in short.
    pub facts: &'a Facts,
    /// What was seen, if every step is wanted.
    pub observations: &'a [Observation],
    /// How many checks were run.
    pub measured: usize,
}

/// Gathers the run and shows it when it is over.
pub struct Human {
    destination: Destination,
    manner: Manner,
    verdicts: Vec<Verdict>,
    facts: Facts,
    observations: Vec<Observation>,
    measured: usize,
}

impl Human {
    /// Writes to that destination.
    pub fn new(destination: Destination, manner: Manner) -> Self {
        Self {
            destination,
            manner,
            verdicts: Vec::new(),
            facts: Facts::default(),
            observations: Vec::new(),
            measured: 0,
        }
    }
}

impl Sink for Human {
    fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.measured += usize::from(!observation.is_not_run());
        if self.manner.detail > Detail::Quiet {
            self.facts.note(observation);
        }
        if self.manner.detail == Detail::Everything {
            self.observations.push(observation.clone());
        }
        Ok(())
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.verdicts.push(verdict.clone());
        Ok(())
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        put_in_order(&mut self.verdicts);
        let text = render(
            &Told {
                run,
                vantage,
                verdicts: &self.verdicts,
                facts: &self.facts,
                observations: &self.observations,
                measured: self.measured,
            },
            self.manner,
        );
        self.destination.write(text.into_bytes())?;
        self.destination.finish()
    }
}

/// Targets are judged in the order in which they come in; a person looks for trouble first.
fn put_in_order(verdicts: &mut [Verdict]) {
    verdicts.sort_by(|left, right| order(left).cmp(&order(right)));
}

/// The whole text of a report that was saved.
pub fn render_report(report: &mut Report, manner: Manner) -> String {
    put_in_order(&mut report.verdicts);
    let facts = Facts::of(&report.observations);
    let told = Told {
        run: &report.run,
        vantage: &report.vantage,
        verdicts: &report.verdicts,
        facts: &facts,
        observations: &report.observations,
        measured: facts.count(),
    };
    render(&told, manner)
}

/// Trouble first, then by name.
fn order(verdict: &Verdict) -> (usize, &str) {
    let rank = match verdict.status {
        Status::Blocked => 0,
        Status::Degraded => 1,
        Status::Down => 2,
        Status::Inconclusive => 3,
        Status::Accessible => 4,
    };
    (rank, &verdict.name)
}

/// The whole text.
pub fn render(told: &Told<'_>, manner: Manner) -> String {
    let mut page = Page::new(manner, gutter(told.verdicts));
    if manner.detail == Detail::Quiet {
        quiet(&mut page, told.verdicts, manner.width);
        return page.into_text();
    }
    let known = Known::of(told.facts);
    head::top(&mut page, told, &known);
    let is_open = told.vantage.regime == Regime::Open;
    if !is_open {
        head::no_verdicts(&mut page, told.verdicts);
    }
    let mut said = Said::new();
    for verdict in told.verdicts {
        match manner.detail {
            Detail::Quiet | Detail::Plain if !is_open => {}
            Detail::Quiet | Detail::Plain => block::verdict(&mut page, verdict, &known, &mut said),
            Detail::Verbose | Detail::Everything => {
                in_detail(&mut page, verdict, &known, &mut said);
            }
        }
    }
    head::resolvers(&mut page, told.vantage);
    head::notes(&mut page, told.vantage);
    if manner.detail == Detail::Everything {
        detail::evidence(&mut page, told);
    }
    head::foot(&mut page, told);
    page.into_text()
}

/// A target with its services and contrasts.
fn in_detail(page: &mut Page, verdict: &Verdict, known: &Known<'_>, said: &mut Said) {
    block::head(page, verdict, &[]);
    if page.detail() == Detail::Everything {
        detail::services(page, &verdict.services);
    } else {
        rows::services(page, &verdict.services);
    }
    block::why(page, verdict, said);
    for technique in &verdict.techniques {
        page.blank();
        contrast::technique(page, technique, Some(verdict), known);
    }
    page.blank();
}

/// Names stand in a column of their own, from the first line to the last.
fn gutter(verdicts: &[Verdict]) -> usize {
    let names = verdicts
        .iter()
        .map(|verdict| layout::width(&name(verdict)))
        .max()
        .unwrap_or_default()
        .min(LONGEST_NAME);
    // Beside names stands a mark, beside labels none.
    (MARK + names).max("Resolvers".len()) + 2
}

fn name(verdict: &Verdict) -> String {
    crate::output::terminal::escape_short(&verdict.name, LONGEST_NAME)
}

/// One line a target, which the terminal never has to break: techniques that do not fit are counted.
fn quiet(page: &mut Page, verdicts: &[Verdict], columns: usize) {
    for verdict in verdicts {
        let mut status = page.contract(verdict.status);
        if tells_confidence(verdict) {
            status.push_str(", ");
            status.push_str(verdict.confidence.word());
        }
        let start = format!(
            "{}{}",
            page.padded(&name(verdict)),
            layout::pad(&status, STATUS_WIDTH)
        );
        let room = columns.saturating_sub(layout::width(&start));
        page.line(&format!("{start}{}", ids(verdict, room)));
    }
}

/// As many ids as there is room for.
fn ids(verdict: &Verdict, room: usize) -> String {
    let ids: Vec<_> = verdict
        .techniques
        .iter()
        .map(|technique| escape(&technique.id))
        .collect();
    let mut text = ids.join(" ");
    let mut shown = ids.len();
    while shown > 0 && layout::width(&text) > room {
        shown -= 1;
        let more = format!("+{}", ids.len() - shown);
        text = [&ids[..shown], &[more.into()]].concat().join(" ");
    }
    text
}

/// Where confidence says something: what works for certain is seen, that it cannot be told is no matter of degree.
fn tells_confidence(verdict: &Verdict) -> bool {
    match verdict.status {
        Status::Degraded | Status::Blocked | Status::Down => true,
        Status::Accessible => verdict.confidence < Confidence::Confirmed,
        Status::Inconclusive => false,
    }
}

#[cfg(test)]
mod tests;
