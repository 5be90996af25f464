//! The command line: arguments, exit status, one file per subcommand.

use std::io::Write;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::arguments::{Arguments, Command};
use crate::cli::trouble::Trouble;

pub mod analyze;
pub mod arguments;
pub mod check;
pub mod closed;
pub mod completions;
pub mod environment;
pub mod explain;
pub mod fetch;
pub mod help;
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
pub mod version;

/// Usage, definitions or output error.
pub const TROUBLE: u8 = 2;

/// Parses the arguments, runs the subcommand, and says what is wrong on standard error.
pub fn main() -> ExitCode {
    match completions::answer() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return refuse(&error),
    }
    let matches = arguments::command().try_get_matches();
    let arguments = match matches.and_then(|it| Arguments::from_arg_matches(&it)) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    arguments.run.color.unwrap_or_default().apply();
    let ended = match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::List(arguments)) => list::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Analyze(arguments)) => analyze::run(&arguments),
        Some(Command::Selftest(arguments)) => selftest::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Schema(arguments)) => schema::run(&arguments),
        Some(Command::Completions(arguments)) => completions::run(&arguments),
        Some(Command::Man(arguments)) => manual::man(&arguments),
    };
    match ended {
        Ok(status) => ExitCode::from(status),
        Err(trouble) => tell_trouble(&trouble),
    }
}

/// Help goes to standard output, everything else to standard error with what to do next.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    anstream::eprint!("{}", in_our_words(error));
    if let Some(hint) = environment::hint(error) {
        anstream::eprintln!("{hint}");
    }
    ExitCode::from(TROUBLE)
}

/// The parser's message in the manner of our own: `hint:`, the nearest command, and no usage that says nothing of the error.
fn in_our_words(error: &clap::Error) -> String {
    let text = error.render().ansi().to_string().replace("tip:", "hint:");
    let mut paragraphs: Vec<String> = text
        .trim_end()
        .split("\n\n")
        .map(|paragraph| match paragraph.strip_prefix("  ") {
            Some(hint) if hint.contains("hint:") => hint.to_owned(),
            _ => paragraph.to_owned(),
        })
        .collect();
    if matches!(
        error.kind(),
        ErrorKind::ArgumentConflict | ErrorKind::InvalidSubcommand
    ) {
        paragraphs.retain(|paragraph| !paragraph.contains("Usage:"));
    }
    let wrong = error.get(ContextKind::InvalidSubcommand);
    if let (false, Some(ContextValue::String(wrong))) = (text.contains("hint:"), wrong) {
        let program = arguments::command();
        let commands = program.get_subcommands().map(clap::Command::get_name);
        let suggestion = pick::suggestion(&pick::nearest(wrong, commands));
        paragraphs.insert(
            1,
            suggestion.map_or_else(String::new, |words| format!("hint: {words}")),
        );
        paragraphs.retain(|paragraph| !paragraph.is_empty());
    }
    paragraphs.join("\n\n") + "\n"
}

fn tell_trouble(trouble: &Trouble) -> ExitCode {
    if trouble.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    // A terminal that is gone is no reason to fail otherwise.
    let _ = writeln!(anstream::stderr(), "{trouble}");
    ExitCode::from(TROUBLE)
}
