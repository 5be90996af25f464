//! What a person reads in five seconds: one row a target, then a sentence each, then (with `-v`) the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::model::observation::Observation;
use crate::model::report::{
    Confidence, Measured, Origin, Regime, Report, Run, Status, Vantage, Verdict,
};
use crate::output::Sink;
use crate::output::destination::Destination;
use crate::output::human::layout::Page;
use crate::output::terminal::escape;
use crate::output::words;

pub mod detail;
pub mod layout;
pub mod table;

#[cfg(test)]
pub mod samples;

/// Columns that a target's name may take.
const LONGEST_NAME: usize = 16;

/// The longest status with its confidence, `~ degraded, confirmed`, and a gap.
const STATUS_WIDTH: usize = 24;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// One line a target.
    Quiet,
    /// Verdicts.
    #[default]
    Plain,
    /// Verdicts and what they rest on.
    Verbose,
}

/// How it is told.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Columns.
    pub width: usize,
    /// With colours.
    pub colour: bool,
    /// How much.
    pub detail: Detail,
}

/// All that there is to tell.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// When, how long.
    pub run: &'a Run,
    /// Where.
    pub vantage: &'a Vantage,
    /// What we say.
    pub verdicts: &'a [Verdict],
    /// What was seen, if it is wanted.
    pub observations: &'a [Observation],
    /// How much was seen.
    pub measured: usize,
}

/// Gathers the run and tells it when it is over.
pub struct Human {
    destination: Destination,
    manner: Manner,
    verdicts: Vec<Verdict>,
    observations: Vec<Observation>,
    measured: usize,
}

impl Human {
    /// Writes to that destination.
    pub const fn new(destination: Destination, manner: Manner) -> Self {
        Self {
            destination,
            manner,
            verdicts: Vec::new(),
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
        if self.manner.detail == Detail::Verbose {
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
    let run = report.observations.iter().filter(|it| !it.is_not_run());
    let told = Told {
        run: &report.run,
        vantage: &report.vantage,
        verdicts: &report.verdicts,
        observations: &report.observations,
        measured: run.count(),
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
        quiet(&mut page, told.verdicts);
        return page.into_text();
    }
    head(&mut page, told);
    table::verdicts(&mut page, told.verdicts);
    sentences(&mut page, told);
    resolvers(&mut page, told.vantage);
    notes(&mut page, told.vantage);
    if manner.detail == Detail::Verbose {
        detail::verdicts(&mut page, told.verdicts);
        detail::evidence(&mut page, told);
    }
    foot(&mut page, told, manner.detail);
    page.into_text()
}

/// Names stand in a column of their own, from the first line to the last.
fn gutter(verdicts: &[Verdict]) -> usize {
    verdicts
        .iter()
        .map(|verdict| layout::width(&name(verdict)))
        .chain(["Resolvers".len()])
        .max()
        .unwrap_or_default()
        .min(LONGEST_NAME)
        + 2
}

fn name(verdict: &Verdict) -> String {
    crate::output::terminal::escape_short(&verdict.name, LONGEST_NAME)
}

fn quiet(page: &mut Page, verdicts: &[Verdict]) {
    for verdict in verdicts {
        let mut status = page.status(verdict.status);
        if tells_confidence(verdict) {
            status.push_str(", ");
            status.push_str(verdict.confidence.word());
        }
        let techniques: Vec<_> = verdict
            .techniques
            .iter()
            .map(|technique| escape(&technique.id))
            .collect();
        let line = format!(
            "{}{}{}",
            page.padded(&name(verdict)),
            layout::pad(&status, STATUS_WIDTH),
            techniques.join(" ")
        );
        page.line(&line);
    }
}

/// Where confidence says something: what works for certain is seen, that it cannot be told is no matter of degree.
fn tells_confidence(verdict: &Verdict) -> bool {
    match verdict.status {
        Status::Degraded | Status::Blocked | Status::Down => true,
        Status::Accessible => verdict.confidence < Confidence::Confirmed,
        Status::Inconclusive => false,
    }
}

fn head(page: &mut Page, told: &Told<'_>) {
    page.blank();
    if let Some(label) = &told.vantage.label {
        let label = page.bold(&escape(label));
        page.entry("Vantage", &label);
    }
    let open = told.vantage.regime == Regime::Open;
    let regime = words::regime(told.vantage.regime);
    let families = &told.vantage.address_families;
    let line = if open && families.is_empty() {
        "not known: no control was reached before the end".to_owned()
    } else {
        format!("{regime} · {}", works(families))
    };
    let line = if open { line } else { page.warning(&line) };
    page.entry("Line", &line);
    if told.run.interrupted {
        let warning = page.warning("what follows rests on the part of the run that was measured");
        page.entry("Cut short", &warning);
    }
    page.blank();
}

fn works(working: &[String]) -> String {
    let has = |family: &str| working.iter().any(|working| working == family);
    match (has("ipv4"), has("ipv6")) {
        (true, true) => "IPv4 and IPv6 work",
        (true, false) => "IPv4 works, IPv6 does not",
        (false, true) => "IPv6 works, IPv4 does not",
        (false, false) => "neither IPv4 nor IPv6 works",
    }
    .to_owned()
}

fn sentences(page: &mut Page, told: &Told<'_>) {
    // Under such a regime all targets have one sentence, and the line has told it.
    if told.vantage.regime != Regime::Open {
        return;
    }
    page.blank();
    let mut given = BTreeSet::new();
    for verdict in told.verdicts {
        // The name stands in the gutter already: it begins the sentence.
        let summary = verdict
            .summary
            .strip_prefix(&verdict.name)
            .and_then(|rest| rest.strip_prefix(' '))
            .map_or_else(
                || page.sentence(&verdict.summary),
                |rest| escape(rest).into_owned(),
            );
        page.entry(&name(verdict), &summary);
        // What several targets share is told once.
        if let Some(reason) = &verdict.reason
            && *reason != verdict.summary
            && given.insert(reason.clone())
        {
            let reason = page.sentence(reason);
            page.entry("", &reason);
        }
        for (doubt, ids) in doubts(verdict) {
            // Beside others it is said whose it is: the verdict may rest on another.
            let label = if verdict.techniques.len() > 1 {
                format!("Doubt left of {}", ids.join(", "))
            } else {
                "Doubt left".to_owned()
            };
            page.labelled(&escape(&label), doubt);
        }
    }
}

/// Several techniques often share one innocent explanation: each with the techniques that it is left of.
fn doubts(verdict: &Verdict) -> BTreeMap<&str, Vec<&str>> {
    let mut doubts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for technique in &verdict.techniques {
        if let Some(doubt) = technique.doubt.as_deref() {
            doubts.entry(doubt).or_default().push(&technique.id);
        }
    }
    doubts
}

fn resolvers(page: &mut Page, vantage: &Vantage) {
    let wrong: Vec<_> = vantage
        .resolvers
        .iter()
        .filter(|resolver| {
            // On a line that is not open nothing answers as it should, resolvers included.
            let is_failing =
                resolver.status != Status::Accessible && vantage.regime == Regime::Open;
            is_failing || !resolver.techniques.is_empty()
        })
        .collect();
    if wrong.is_empty() {
        return;
    }
    page.blank();
    let mut label = "Resolvers";
    for resolver in wrong {
        let mut text = format!(
            "{} ({} {}): {}",
            escape(&resolver.name),
            resolver.transport.word(),
            escape(&resolver.address),
            page.status(resolver.status),
        );
        for technique in &resolver.techniques {
            text.push_str(", ");
            text.push_str(&words::technique(technique.technique()));
            text.push_str(&page.dim(&format!(" ({})", technique.confidence.word())));
        }
        page.entry(std::mem::take(&mut label), &text);
    }
}

fn notes(page: &mut Page, vantage: &Vantage) {
    if vantage.notes.is_empty() {
        return;
    }
    page.blank();
    let mut label = "Notes";
    for note in &vantage.notes {
        page.entry(std::mem::take(&mut label), &escape(note));
    }
}

fn foot(page: &mut Page, told: &Told<'_>, detail: Detail) {
    page.blank();
    let plural = if told.measured == 1 { "" } else { "s" };
    let more = match detail {
        Detail::Verbose => "everything that was seen: -f json",
        _ => "evidence: -v",
    };
    let foot = format!(
        "{} measurement{plural} in {:.1} s · {more}",
        told.measured, told.run.duration_s
    );
    let foot = page.dim(&foot);
    page.indented(0, &foot);
}

#[cfg(test)]
mod tests;
