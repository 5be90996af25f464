//! `blockprobe analyze`: judge saved reports again, without a network.

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::analysis::again;
use crate::cli::arguments::{AnalyzeArguments, Format};
use crate::cli::run::{Ending, exit_status};
use crate::cli::saved::{self, STDIN};
use crate::cli::trouble::Trouble;
use crate::cli::{TROUBLE, tell};
use crate::model::report::{Regime, Report, Status};
use crate::output::destination::Destination;
use crate::output::human::{self, Manner};
use crate::output::terminal::escape;
use crate::output::{json, ndjson, software, words};

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
    let control = arguments.control.as_deref().map(control).transpose()?;
    let output = arguments.output.as_deref();
    let mut teller = Teller {
        format: tell::format(arguments.format, output, io::stdout().is_terminal()),
        manner: tell::manner_of(
            (arguments.quiet, arguments.verbose),
            arguments.color,
            output.is_some(),
        ),
        output,
        destination: None,
        many: arguments.reports.len() > 1,
        told: 0,
    };
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
        teller.many |= reports.len() > 1;
        for report in reports {
            regimes.push(report.vantage.regime);
            statuses.extend(report.verdicts.iter().map(|verdict| verdict.status));
            teller.tell(source, report)?;
        }
    }
    teller.finish()?;
    if unreadable {
        return Ok(TROUBLE);
    }
    let is_offline = regimes.iter().all(|regime| *regime == Regime::Offline);
    Ok(exit_status(&Ending {
        interrupted: false,
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
    runtime.block_on(saved::control(source))
}

fn judge(
    source: &str,
    mut reports: Vec<Report>,
    control: Option<&Report>,
) -> Result<Vec<Report>, Trouble> {
    for report in &mut reports {
        again::judge_report(report, control.cloned())
            .map_err(|error| saved::undated(source, &error))?;
        report.software = software();
    }
    Ok(reports)
}

/// Tells one report after the other.
struct Teller<'a> {
    format: Format,
    manner: Manner,
    output: Option<&'a Path>,
    /// Opened for the first report: what is in the file already is not lost to one that cannot be read.
    destination: Option<Destination>,
    many: bool,
    told: usize,
}

impl Teller<'_> {
    fn tell(&mut self, source: &str, mut report: Report) -> Result<(), Trouble> {
        let bytes = match self.format {
            Format::Ndjson => ndjson::whole(report)?,
            Format::Json => {
                json::put_in_order(&mut report);
                let document = json::to_bytes(&report)?;
                let before: &[u8] = match (self.many, self.told) {
                    (false, _) => b"",
                    (true, 0) => b"[\n",
                    (true, _) => b",\n",
                };
                [
                    before,
                    document.trim_ascii_end(),
                    if self.many { b"" } else { b"\n" },
                ]
                .concat()
            }
            Format::Human => {
                let mut text = String::new();
                if self.many {
                    text.push_str(if self.told == 0 { "" } else { "\n" });
                    text.push_str(&heading(source, &report));
                }
                text.push_str(&human::render_report(&mut report, self.manner));
                text.into_bytes()
            }
        };
        self.told += 1;
        let destination = match &mut self.destination {
            Some(destination) => destination,
            closed => closed.insert(tell::whole(self.output)?),
        };
        unless_left(destination.write(bytes))
    }

    fn finish(self) -> Result<(), Trouble> {
        let Some(mut destination) = self.destination else {
            return Ok(());
        };
        if self.format == Format::Json && self.many {
            unless_left(destination.write(b"\n]\n".to_vec()))?;
        }
        unless_left(destination.finish())
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
