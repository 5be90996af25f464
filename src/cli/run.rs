//! `blockprobe run`: measure now.

use std::path::Path;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use crate::cli::arguments::RunArguments;
use crate::cli::reader::Reader;
use crate::cli::signals::{self, INTERRUPTED};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, saved, tell};
use crate::lab;
use crate::measure::files;
use crate::measure::limits::Limits;
use crate::measure::network::{self, Options};
use crate::model::catalog::Catalog;
use crate::model::line::Line;
use crate::model::report::{Origin, Regime, Status};
use crate::session::{self, Setup, rehearsal};

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
    let cancel = CancellationToken::new();
    if arguments.lab.is_none() {
        enough_files(Limits::default().descriptors_least)?;
    }
    // The servers of a lab live as long as this.
    let site = match &arguments.lab {
        Some(name) => Some(open_lab(name, arguments.definitions.as_deref()).await?),
        None => None,
    };
    let (mut catalog, mut line) = match &site {
        Some(site) => (site.catalog.clone(), site.line.clone()),
        None => the_network(arguments)?,
    };
    line.ipv4 &= !arguments.ipv6_only;
    line.ipv6 &= !arguments.ipv4_only;
    pick::targets(&mut catalog, &arguments.targets)?;
    let control = match &arguments.control {
        Some(source) => Some(saved::control(source).await?),
        None => None,
    };
    let interrupted = signals::watch(cancel.clone())
        .map_err(|error| Trouble::new(format!("cannot watch for signals: {error}")))?;
    let mut sink = Reader::new(tell::sink(arguments, &line.own)?, cancel.clone());
    let left = sink.left();
    let setup = Setup {
        catalog,
        line,
        origin: Origin {
            label: arguments.label.clone(),
            ..Origin::default()
        },
        control,
        timeout: arguments.timeout,
        concurrency: arguments.concurrency,
        cancel,
    };
    let outcome = session::run(&setup, &mut sink).await?;
    let statuses: Vec<Status> = outcome
        .verdicts
        .iter()
        .map(|verdict| verdict.status)
        .collect();
    Ok(exit_status(&Ending {
        interrupted: interrupted.load(Ordering::Relaxed),
        unread: left.load(Ordering::Relaxed),
        regime: outcome.regime,
        statuses: &statuses,
        fail_on: &arguments.fail_on,
    }))
}

/// Refuses to begin where this machine allows fewer open files: nothing can be measured rightly then.
///
/// # Errors
/// Says how many are needed, and how to allow them.
pub fn enough_files(needed: u64) -> Result<(), Trouble> {
    files::need(needed).map_err(|few| Trouble::new(few).hint(few.hint()))
}

async fn open_lab(name: &str, definitions: Option<&Path>) -> Result<lab::Site, Trouble> {
    let Some(scenario) = lab::find(name) else {
        let known: Vec<String> = lab::scenarios()
            .iter()
            .map(|scenario| scenario.name.to_owned())
            .collect();
        return Err(pick::unknown("scenario", name, &known));
    };
    let catalog = pick::catalog(definitions)?;
    enough_files(rehearsal::descriptors(scenario, &catalog))?;
    lab::open(scenario, &catalog).await.map_err(|error| {
        Trouble::new(format!("cannot open the lab: {error}"))
            .hint("it needs the addresses 127.0.0.0/8")
    })
}

/// The definitions and this machine's network; the system's resolvers come first.
fn the_network(arguments: &RunArguments) -> Result<(Catalog, Line), Trouble> {
    let mut catalog = pick::catalog(arguments.definitions.as_deref())?;
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
    /// By a signal.
    pub interrupted: bool,
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
    if ending.interrupted {
        INTERRUPTED
    } else if ending.unread {
        0
    } else if ending.statuses.iter().any(is_found) {
        1
    } else if ending.regime == Regime::Offline || ending.statuses.iter().all(says_nothing) {
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
            interrupted: false,
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
        let interrupted = Ending {
            interrupted: true,
            ..ending(&[Blocked], &[Blocked])
        };
        assert_eq!(exit_status(&interrupted), 130);
        let unread = Ending {
            unread: true,
            ..ending(&[Inconclusive], &[])
        };
        assert_eq!(exit_status(&unread), 0);
    }
}
