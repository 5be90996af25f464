//! The command line: arguments, exit status, one file per subcommand.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::arguments::{Arguments, Command};
use crate::cli::trouble::Trouble;

pub mod analyze;
pub mod arguments;
pub mod check;
pub mod closed;
pub mod environment;
pub mod fetch;
pub mod list;
pub mod manual;
pub mod pick;
pub mod reader;
pub mod run;
pub mod saved;
pub mod schema;
pub mod selftest;
pub mod signals;
pub mod tell;
pub mod trouble;

/// Usage, definitions or output error.
pub const TROUBLE: u8 = 2;

/// Parses the arguments, runs the subcommand, and says what is wrong on standard error.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    arguments.run.color.unwrap_or_default().apply();
    let ended = match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::List(arguments)) => list::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Analyze(arguments)) => analyze::run(&arguments),
        Some(Command::Selftest(arguments)) => selftest::run(&arguments),
        Some(Command::Schema(arguments)) => schema::run(&arguments),
        Some(Command::Completions(arguments)) => manual::completions(&arguments),
        Some(Command::Man) => manual::man(),
    };
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(trouble) => tell_trouble(&trouble),
    }
}

/// Help goes to standard output, everything else to standard error with what to do next.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // Every other error of ours ends in a hint, by that name.
    let told = error.render().ansi().to_string().replace("tip:", "hint:");
    anstream::eprint!("{told}");
    if let Some(hint) = environment::hint(error) {
        anstream::eprintln!("{hint}");
    }
    ExitCode::from(TROUBLE)
}

fn tell_trouble(trouble: &Trouble) -> ExitCode {
    if trouble.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    // A terminal that is gone is no reason to fail otherwise.
    let _ = writeln!(anstream::stderr(), "{trouble}");
    ExitCode::from(TROUBLE)
}
