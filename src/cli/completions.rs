//! `blockprobe completions`, and the words that the shell's script then asks for at each press of the tab key.

use std::env;

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::env::{CompleteEnv, Shells};

use crate::catalog;
use crate::cli::arguments::{self, CompletionsArguments};
use crate::cli::trouble::Trouble;
use crate::cli::{explain, tell};
use crate::lab;

const NAME: &str = env!("CARGO_PKG_NAME");

/// The script sets this variable to the name of the shell.
const VARIABLE: &str = "BLOCKPROBE_COMPLETE";

/// Prints the script that registers the completion; the exit status.
///
/// # Errors
/// Of output.
pub fn run(arguments: &CompletionsArguments) -> Result<u8, Trouble> {
    let shell = arguments.shell.to_string();
    let mut script = Vec::new();
    // Every shell of the argument is one that the library knows.
    if let Some(completer) = Shells::builtins().completer(&shell) {
        completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    }
    tell::print(&script)?;
    Ok(0)
}

/// Answers a shell's script that asks for words, and says whether that was so.
///
/// # Errors
/// An unknown shell, or output.
pub fn answer() -> Result<bool, clap::Error> {
    let here = env::current_dir().ok();
    CompleteEnv::with_factory(|| with_values(arguments::command()))
        .var(VARIABLE)
        .try_complete(env::args_os(), here.as_deref())
}

/// The same command line with the words that a person may want to complete. It is read only for them: other words (targets
/// of an own file) are no error in a real one.
fn with_values(command: Command) -> Command {
    let targets: Vec<String> = catalog::embedded()
        .targets
        .into_iter()
        .map(|target| target.id)
        .collect();
    let scenarios: Vec<&str> = lab::scenarios().iter().map(|it| it.name).collect();
    let techniques: Vec<&str> = explain::ids().collect();
    let commands: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let targets = || PossibleValuesParser::new(targets.clone());
    let scenarios = || PossibleValuesParser::new(scenarios.clone());
    let run = |command: Command| {
        command
            .mut_arg("targets", |arg| arg.value_parser(targets()))
            .mut_arg("lab", |arg| arg.value_parser(scenarios()))
    };
    run(command)
        .mut_subcommand("run", run)
        .mut_subcommand("list", |command| {
            command.mut_arg("targets", |arg| arg.value_parser(targets()))
        })
        .mut_subcommand("selftest", |command| {
            command.mut_arg("scenarios", |arg| arg.value_parser(scenarios()))
        })
        .mut_subcommand("explain", |command| {
            command.mut_arg("technique", |arg| {
                arg.value_parser(PossibleValuesParser::new(techniques))
            })
        })
        .mut_subcommand("man", |command| {
            command.mut_arg("command", |arg| {
                arg.value_parser(PossibleValuesParser::new(commands))
            })
        })
}
