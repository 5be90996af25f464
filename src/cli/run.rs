//! `blockprobe run`: measure now.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::cli::arguments::RunArguments;
use crate::cli::fetch::Means;
use crate::cli::reader::Reader;
use crate::cli::signals;
use crate::cli::trouble::Trouble;
use crate::cli::{TROUBLE, pick, saved, tell};
use crate::lab;
use crate::measure::files;
use crate::measure::limits::Limits;
use crate::measure::network::{self, Options};
use crate::model::catalog::Catalog;
use crate::model::line::Line;
use crate::model::report::{Origin, Regime, Status, Vantage};
use crate::output::words;
use crate::session::{self, Outcome, Setup, rehearsal};

/// Measures and tells; the exit status.
///
/// # Errors
/// Of usage, definitions and output, before anything is measured where that is possible.
pub fn run(arguments: &RunArguments) -> Result<u8, Trouble> {
    arguments.color.unwrap_or_default().apply();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(format!("cannot start: {error}")))?;
    let status = runtime.block_on(measure(arguments));
    // The system's resolver is asked on threads that may hang for long: nobody waits for them.
    runtime.shutdown_background();
    status
}

async fn measure(arguments: &RunArguments) -> Result<u8, Trouble> {
    let places = tell::places(
        arguments.format,
        &arguments.output,
        io::stdout().is_terminal(),
    )?;
    let cancel = CancellationToken::new();
    if arguments.lab.is_none() {
        enough_files(Limits::default().descriptors_least)?;
    }
    // The servers of a lab live as long as this.
    let site = match &arguments.lab {
        Some(name) => Some(open_lab(name, &arguments.definitions).await?),
        None => None,
    };
    let (mut catalog, mut line) = match &site {
        Some(site) => (site.catalog.clone(), site.line.clone()),
        None => the_network(arguments)?,
    };
    line.ipv4 &= !arguments.ipv6_only;
    line.ipv6 &= !arguments.ipv4_only;
    pick::targets(&mut catalog, &arguments.targets)?;
    let interrupted = signals::watch(cancel.clone())
        .map_err(|error| Trouble::new(format!("cannot watch for signals: {error}")))?;
    let began = Instant::now();
    let control = match &arguments.control {
        Some(source) => {
            let means = Means::of(&catalog, &line);
            let reading = saved::control(source, &means);
            let reading = in_time(reading, arguments.timeout, &cancel).await?;
            let Some(control) = reading else {
                return Ok(interrupted.status().unwrap_or(TROUBLE));
            };
            line.notes.extend(control.note);
            Some(Arc::new(control.report))
        }
        None => None,
    };
    let mut sink = Reader::new(tell::sink(arguments, &places, &line.own)?, cancel.clone());
    let left = sink.left();
    let setup = Setup {
        catalog,
        line,
        origin: Origin {
            label: arguments.label.clone(),
            asn: arguments.asn.clone(),
            country: arguments.country.clone(),
            tags: arguments.tag.iter().cloned().collect(),
        },
        control,
        // Reading the control took a part of it.
        timeout: arguments
            .timeout
            .map(|it| it.saturating_sub(began.elapsed())),
        concurrency: arguments.concurrency,
        cancel,
    };
    let outcome = session::run(&setup, &mut sink).await?;
    if arguments.quiet {
        remark(&outcome, began.elapsed().as_secs_f64());
    } else {
        tell::saved(&places);
    }
    let statuses: Vec<Status> = outcome
        .verdicts
        .iter()
        .map(|verdict| verdict.status)
        .collect();
    Ok(exit_status(&Ending {
        signal: interrupted.status(),
        cut_short: outcome.interrupted,
        unread: left.load(Ordering::Relaxed),
        regime: outcome.regime,
        statuses: &statuses,
        fail_on: &arguments.fail_on,
    }))
}

/// What the future gives; `None` where a signal came first.
///
/// # Errors
/// The future's own, and where the time of the whole run was over before.
async fn in_time<T>(
    future: impl Future<Output = Result<T, Trouble>>,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
) -> Result<Option<T>, Trouble> {
    tokio::select! {
        done = future => done.map(Some),
        () = cancel.cancelled() => Ok(None),
        () = session::sleep_or_forever(timeout) => Err(Trouble::new(
            "the control report was not read within --timeout",
        )
        .hint("nothing was measured; give more time, or the report as a file")),
    }
}

/// What `-q` leaves out of the result and a person has to know all the same: on standard error.
fn remark(outcome: &Outcome, seconds: f64) {
    if let Some(problem) = problem(&outcome.vantage) {
        tell::aside(&problem);
    }
    if outcome.interrupted {
        tell::aside(&format!("cut short after {seconds:.1} s"));
    }
}

/// What is wrong with the network or the machine, if anything is.
pub fn problem(vantage: &Vantage) -> Option<String> {
    let regime = || (vantage.regime != Regime::Open).then(|| words::regime(vantage.regime));
    vantage
        .problem
        .clone()
        .or_else(|| regime().map(str::to_owned))
}

/// Refuses to begin where this machine allows fewer open files: nothing can be measured rightly then.
///
/// # Errors
/// Says how many are needed, and how to allow them.
pub fn enough_files(needed: u64) -> Result<(), Trouble> {
    files::need(needed).map_err(|few| Trouble::new(few).hint(few.hint()))
}

async fn open_lab(name: &str, definitions: &[PathBuf]) -> Result<lab::Site, Trouble> {
    let scenario = pick::scenario(name)?;
    let catalog = pick::catalog(definitions)?;
    enough_files(rehearsal::descriptors(scenario, &catalog))?;
    lab::open(scenario, &catalog).await.map_err(|error| {
        Trouble::new(format!("cannot open the lab: {error}"))
            .hint("it needs the addresses 127.0.0.0/8")
    })
}

/// The definitions and this machine's network; the system's resolvers come first.
fn the_network(arguments: &RunArguments) -> Result<(Catalog, Line), Trouble> {
    let mut catalog = pick::catalog(&arguments.definitions)?;
    let (line, resolvers) = network::line(&Options {
        ipv4_only: arguments.ipv4_only,
        ipv6_only: arguments.ipv6_only,
        resolver: arguments.resolver,
        ca_files: arguments.ca_file.clone(),
    })
    .map_err(|error| Trouble::new(&error))?;
    catalog.resolvers.splice(0..0, resolvers);
    Ok((catalog, line))
}

/// How a run ended.
pub struct Ending<'a> {
    /// The status that says which signal ended it.
    pub signal: Option<u8>,
    /// Not everything planned was measured.
    pub cut_short: bool,
    /// The reader of standard output left before the run was over, so it was cut short for nobody.
    pub unread: bool,
    /// State of the line.
    pub regime: Regime,
    /// Of every target.
    pub statuses: &'a [Status],
    /// What the user asked to be told by the exit status.
    pub fail_on: &'a [Status],
}

/// The exit status, by the contract.
pub fn exit_status(ending: &Ending<'_>) -> u8 {
    let is_found = |status: &Status| ending.fail_on.contains(status);
    let says_nothing = |status: &Status| *status == Status::Inconclusive;
    let is_undecided = ending.cut_short && ending.statuses.iter().any(says_nothing);
    if let Some(signal) = ending.signal {
        signal
    } else if ending.unread {
        0
    } else if ending.statuses.iter().any(is_found) {
        1
    } else if ending.regime == Regime::Offline
        || is_undecided
        || ending.statuses.iter().all(says_nothing)
    {
        3
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_follows_the_contract() {
        use Status::{Accessible, Blocked, Degraded, Inconclusive};
        let ending = |statuses: &'static [Status], fail_on: &'static [Status]| Ending {
            signal: None,
            cut_short: false,
            unread: false,
            regime: Regime::Open,
            statuses,
            fail_on,
        };
        let all_blocked = ending(&[Blocked, Blocked], &[]);
        assert_eq!(exit_status(&all_blocked), 0, "measured, whatever was found");
        assert_eq!(
            exit_status(&ending(&[Accessible, Blocked], &[Degraded, Blocked])),
            1
        );
        assert_eq!(exit_status(&ending(&[Accessible, Blocked], &[Degraded])), 0);
        assert_eq!(exit_status(&ending(&[Inconclusive, Inconclusive], &[])), 3);
        assert_eq!(exit_status(&ending(&[Inconclusive, Accessible], &[])), 0);
        assert_eq!(exit_status(&ending(&[Inconclusive], &[Inconclusive])), 1);
        let offline = Ending {
            regime: Regime::Offline,
            ..ending(&[Accessible], &[])
        };
        assert_eq!(exit_status(&offline), 3);
        let cut_short = |statuses, fail_on| {
            exit_status(&Ending {
                cut_short: true,
                ..ending(statuses, fail_on)
            })
        };
        assert_eq!(cut_short(&[Inconclusive, Accessible], &[]), 3);
        assert_eq!(cut_short(&[Inconclusive, Blocked], &[Blocked]), 1);
        assert_eq!(cut_short(&[Blocked, Accessible], &[]), 0, "all are decided");
        for signal in [130, 143, 129] {
            let ended = Ending {
                signal: Some(signal),
                ..ending(&[Blocked], &[Blocked])
            };
            assert_eq!(exit_status(&ended), signal);
        }
        let unread = Ending {
            unread: true,
            ..ending(&[Inconclusive], &[])
        };
        assert_eq!(exit_status(&unread), 0);
    }
}
