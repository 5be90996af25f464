//! `blockprobe analyze`: judge saved reports again, without a network.

use std::io::{self, IsTerminal};

use crate::analysis::again;
use crate::catalog;
use crate::cli::arguments::{AnalyzeArguments, Format};
use crate::cli::fetch::Means;
use crate::cli::run::{Ending, exit_status, problem};
use crate::cli::saved::{self, STDIN};
use crate::cli::tell::Place;
use crate::cli::trouble::Trouble;
use crate::cli::{TROUBLE, tell};
use crate::model::line::Line;
use crate::model::report::{Regime, Report, Status};
use crate::output::destination::Destination;
use crate::output::human::{self, Manner};
use crate::output::summary::Summary;
use crate::output::terminal::escape;
use crate::output::{csv, json, ndjson, software, words};

/// Judges every report, also after one that cannot be read; the exit status.
///
/// # Errors
/// Of usage and output; what is wrong with one report is told on standard error and in the exit status.
pub fn run(arguments: &AnalyzeArguments) -> Result<u8, Trouble> {
    arguments.color.unwrap_or_default().apply();
    let sources = arguments.reports.iter().chain(&arguments.control);
    if sources.filter(|source| *source == STDIN).count() > 1 {
        return Err(Trouble::new("standard input can be read only once")
            .hint("save one of the reports to a file first"));
    }
    let on_terminal = io::stdout().is_terminal();
    let mut places = tell::places(arguments.format, &arguments.output, on_terminal)?;
    if arguments.summary && arguments.format.is_none() {
        // A table is for people, in a pipe too.
        for place in places.iter_mut().filter(|place| place.path.is_none()) {
            place.format = Format::Human;
        }
    }
    let control = arguments.control.as_deref().map(control).transpose()?;
    let mut tellers: Vec<Teller> = places
        .iter()
        .map(|place| Teller::new(arguments, place))
        .collect();
    let mut unreadable = false;
    let mut regimes = Vec::new();
    let mut statuses: Vec<Status> = Vec::new();
    for source in &arguments.reports {
        let judged =
            saved::read(source).and_then(|reports| judge(source, reports, control.as_ref()));
        let reports = match judged {
            Ok(reports) => reports,
            Err(trouble) => {
                anstream::eprintln!("{trouble}");
                unreadable = true;
                continue;
            }
        };
        for report in reports {
            regimes.push(report.vantage.regime);
            statuses.extend(report.verdicts.iter().map(|verdict| verdict.status));
            if arguments.quiet
                && let Some(problem) = problem(&report.vantage)
            {
                tell::aside(&format!("{source}: {problem}"));
            }
            for teller in &mut tellers {
                teller.tell(source, &report)?;
            }
        }
    }
    for teller in tellers {
        teller.finish()?;
    }
    if !arguments.quiet && !regimes.is_empty() {
        tell::saved(&places);
    }
    if unreadable {
        return Ok(TROUBLE);
    }
    let is_offline = regimes.iter().all(|regime| *regime == Regime::Offline);
    Ok(exit_status(&Ending {
        signal: None,
        cut_short: false,
        unread: false,
        regime: if is_offline {
            Regime::Offline
        } else {
            Regime::Open
        },
        statuses: &statuses,
        fail_on: &arguments.fail_on,
    }))
}

fn control(source: &str) -> Result<Report, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(format!("cannot start: {error}")))?;
    // No run is made, so its requests have the built-in definitions' resolvers.
    let line = Line {
        ipv4: true,
        ipv6: true,
        ..Line::default()
    };
    let means = Means::of(&catalog::embedded(), &line);
    let control = runtime.block_on(saved::control(source, &means))?;
    if let Some(note) = control.note {
        tell::aside(&note);
    }
    Ok(control.report)
}

fn judge(
    source: &str,
    mut reports: Vec<Report>,
    control: Option<&Report>,
) -> Result<Vec<Report>, Trouble> {
    for report in &mut reports {
        // A quiet stream holds verdicts and no observations: there is nothing to judge them by.
        if report.observations.is_empty() && !report.verdicts.is_empty() {
            continue;
        }
        again::judge_report(report, control.cloned())
            .map_err(|error| saved::undated(source, &error))?;
        report.software = software();
    }
    Ok(reports)
}

/// Tells one report after the other, to one place.
struct Teller<'a> {
    place: &'a Place,
    manner: Manner,
    quiet: bool,
    /// Opened for the first report: what is in the file already is not lost to one that cannot be read.
    destination: Option<Destination>,
    /// What a person reads waits for the last report: it is in the order of time.
    texts: Vec<(String, String, String)>,
    summary: Option<Summary>,
    told: usize,
}

impl<'a> Teller<'a> {
    fn new(arguments: &AnalyzeArguments, place: &'a Place) -> Self {
        Self {
            place,
            manner: tell::manner_of(
                (arguments.quiet, arguments.verbose),
                arguments.color,
                place.path.is_some(),
            ),
            quiet: arguments.quiet,
            destination: None,
            texts: Vec::new(),
            summary: arguments.summary.then(Summary::default),
            told: 0,
        }
    }

    fn tell(&mut self, source: &str, report: &Report) -> Result<(), Trouble> {
        if self.destination.is_none() {
            self.destination = Some(self.place.open_whole()?);
        }
        self.told += 1;
        if let Some(summary) = &mut self.summary {
            summary.add(report);
            return Ok(());
        }
        let mut report = report.clone();
        let bytes = match self.place.format {
            Format::Ndjson => ndjson::whole(report, self.quiet)?,
            Format::Json => {
                json::put_in_order(&mut report);
                let document = json::to_bytes(&report)?;
                [self.before(), document.trim_ascii_end()].concat()
            }
            Format::Csv => {
                let Report {
                    run,
                    vantage,
                    software,
                    verdicts,
                    ..
                } = &report;
                let mut bytes = match self.told {
                    1 => csv::record(csv::COLUMNS)?,
                    _ => Vec::new(),
                };
                bytes.extend(csv::rows(run, vantage, software, verdicts)?);
                bytes
            }
            Format::Human => {
                let heading = heading(source, &report);
                let began = report.run.started_at.clone();
                let text = human::render_report(&mut report, self.manner);
                self.texts.push((began, heading, text));
                return Ok(());
            }
        };
        self.write(bytes)
    }

    /// What stands before an element of the array.
    fn before(&self) -> &'static [u8] {
        if self.told == 1 { b"[\n" } else { b",\n" }
    }

    fn write(&mut self, bytes: Vec<u8>) -> Result<(), Trouble> {
        match &mut self.destination {
            Some(destination) => unless_left(destination.write(bytes)),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Trouble> {
        let last = match (self.summary.take(), self.place.format) {
            (Some(summary), format) => summarized(&summary, format, self.manner)?,
            (None, Format::Json) => b"\n]\n".to_vec(),
            (None, Format::Human) => self.in_order_of_time().into_bytes(),
            (None, Format::Ndjson | Format::Csv) => Vec::new(),
        };
        self.write(last)?;
        self.destination
            .map_or(Ok(()), |mut destination| unless_left(destination.finish()))
    }

    fn in_order_of_time(&mut self) -> String {
        self.texts.sort_by(|one, other| one.0.cmp(&other.0));
        match &self.texts[..] {
            [(_, _, text)] => text.clone(),
            texts => {
                let texts: Vec<_> = texts
                    .iter()
                    .map(|(_, heading, text)| format!("{heading}{text}"))
                    .collect();
                texts.join("\n")
            }
        }
    }
}

fn summarized(summary: &Summary, format: Format, manner: Manner) -> io::Result<Vec<u8>> {
    match format {
        Format::Human => Ok(summary.render(manner).into_bytes()),
        Format::Csv => summary.to_csv(),
        Format::Json => json::to_bytes(&summary.cells().collect::<Vec<_>>()),
        Format::Ndjson => {
            let mut bytes = Vec::new();
            for cell in summary.cells() {
                serde_json::to_writer(&mut bytes, cell)?;
                bytes.push(b'\n');
            }
            Ok(bytes)
        }
    }
}

/// The reader of standard output may leave: what was found is in the exit status still.
fn unless_left(written: io::Result<()>) -> Result<(), Trouble> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Whose report it is, and when it was measured.
fn heading(source: &str, report: &Report) -> String {
    let label = report.vantage.label.as_deref();
    let label = label.map_or_else(String::new, |label| format!(" · {}", escape(label)));
    format!(
        "== {}{label} · {}\n",
        escape(source),
        escape(&words::to_the_second(&report.run.started_at))
    )
}
