//! `blockprobe man`: a manual page for the program and for each command.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::cli::arguments::{self, ManArguments};
use crate::cli::help::{self, Entry, Topic};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, tell, version};

const NAME: &str = env!("CARGO_PKG_NAME");

/// Prints a manual page, or writes every page into a directory; the exit status.
///
/// # Errors
/// Of an unknown command and of output.
pub fn man(arguments: &ManArguments) -> Result<u8, Trouble> {
    if let Some(directory) = &arguments.out {
        write_all(directory).map_err(|error| {
            Trouble::new(format!("cannot write to {}: {error}", directory.display()))
                .hint("give --out a directory that you may write to")
        })?;
        return Ok(0);
    }
    let program = program();
    let page = match arguments.command.as_deref() {
        None | Some(NAME) => page(&program, help::topic(NAME), &program)?,
        Some(name) => {
            let commands = || program.get_subcommands().map(Command::get_name);
            let Some(command) = program.find_subcommand(name) else {
                let all = format!(
                    "the commands are {}",
                    commands().collect::<Vec<_>>().join(", ")
                );
                return Err(pick::unknown("command", name, commands(), &all));
            };
            page(command, help::topic(name), &program)?
        }
    };
    tell::print(&page)?;
    Ok(0)
}

fn write_all(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let program = program();
    let page_of_program = page(&program, help::topic(NAME), &program)?;
    fs::write(directory.join(format!("{NAME}.1")), page_of_program)?;
    for command in program.get_subcommands() {
        let name = command.get_name();
        let text = page(command, help::topic(name), &program)?;
        fs::write(directory.join(format!("{NAME}-{name}.1")), text)?;
    }
    Ok(())
}

/// The program with everything that pages need worked out.
fn program() -> Command {
    let mut command = arguments::command()
        .disable_help_subcommand(true)
        .subcommand_help_heading("COMMANDS");
    command.build();
    command
}

/// One page in roff.
fn page(command: &Command, topic: &Topic, program: &Command) -> io::Result<Vec<u8>> {
    let is_program = topic.command == NAME;
    let title = if is_program {
        NAME.to_owned()
    } else {
        format!("{NAME}-{}", topic.command)
    };
    let environment = environment(command, topic);
    let files: Vec<(String, String)> = owned(topic.files);
    let exit_status = owned(topic.exit_status);
    let man = Man::new(command.clone().display_name(title.clone()));
    let mut bytes = Vec::new();
    head(&mut bytes, &title)?;
    man.render_name_section(&mut bytes)?;
    synopsis(&mut bytes, is_program, topic.command, command)?;
    man.render_description_section(&mut bytes)?;
    paragraphs(&mut bytes, topic.notes)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    bytes.extend(without_empty_breaks(&options));
    if is_program {
        man.render_subcommands_section(&mut bytes)?;
    }
    terms(&mut bytes, "EXIT STATUS", &exit_status)?;
    terms(&mut bytes, "ENVIRONMENT", &environment)?;
    terms(&mut bytes, "FILES", &files)?;
    examples(&mut bytes, topic.examples)?;
    see_also(&mut bytes, &title, program)?;
    Ok(bytes)
}

fn owned(entries: &[Entry]) -> Vec<(String, String)> {
    let owned = |(term, meaning): &Entry| ((*term).to_owned(), sentence(meaning));
    entries.iter().map(owned).collect()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

/// The variables of the command's own options first.
fn environment(command: &Command, topic: &Topic) -> Vec<(String, String)> {
    let option = |arg: &clap::Arg| {
        let variable = arg.get_env()?.to_str()?.to_owned();
        let option = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, short) => format!("-{}", short?),
        };
        Some((variable, format!("The same as {option}.")))
    };
    let mut all: Vec<_> = command.get_arguments().filter_map(option).collect();
    let mut others = owned(topic.environment);
    if !all.is_empty() {
        others.retain(|(variable, _)| variable != help::OPTIONS.0);
    }
    all.extend(others);
    all
}

fn head(out: &mut Vec<u8>, title: &str) -> io::Result<()> {
    let title = title.to_uppercase();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::default();
    roff.control(
        "TH",
        [&title, "1", version::date(), &source, "User Commands"],
    );
    roff.to_writer(out)
}

/// The library breaks the line before and after an empty one, and formatters warn of that.
fn without_empty_breaks(roff: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(roff);
    text.replace("\n.br\n\n.br\n", "\n\n").into_bytes()
}

/// The ways to write the command, with the names of its operands.
fn synopsis(out: &mut Vec<u8>, is_program: bool, name: &str, command: &Command) -> io::Result<()> {
    let mut operands = String::new();
    for arg in command.get_positionals() {
        let value = arg
            .get_value_names()
            .map_or_else(String::new, |names| names.join(" "));
        let many = arg
            .get_num_args()
            .is_some_and(|range| range.max_values() > 1)
            || matches!(arg.get_action(), clap::ArgAction::Append);
        let value = if many { format!("{value}...") } else { value };
        operands.push(' ');
        operands += &if arg.is_required_set() {
            value
        } else {
            ["[", &value, "]"].concat()
        };
    }
    let mut roff = Roff::default();
    roff.control("SH", ["SYNOPSIS"]);
    if is_program {
        roff.text([bold(NAME), roman(" [run] [OPTION...]"), roman(operands)]);
        roff.control("br", []);
        roff.text([bold(NAME), roman(" COMMAND [OPTION...] [ARGUMENT...]")]);
    } else {
        roff.text([
            bold(format!("{NAME} {name}")),
            roman(" [OPTION...]"),
            roman(operands),
        ]);
    }
    roff.to_writer(out)
}

fn paragraphs(out: &mut Vec<u8>, notes: &[&str]) -> io::Result<()> {
    let mut roff = Roff::default();
    for note in notes {
        roff.control("PP", []);
        roff.text([roman(*note)]);
    }
    roff.to_writer(out)
}

fn terms(out: &mut Vec<u8>, heading: &str, entries: &[(String, String)]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut roff = Roff::default();
    roff.control("SH", [heading]);
    for (term, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(meaning)]);
    }
    roff.to_writer(out)
}

/// Each command stands on a line of its own, as it is typed.
fn examples(out: &mut Vec<u8>, examples: &[Entry]) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", ["EXAMPLES"]);
    for (at, (command, about)) in examples.iter().enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(format!("{}:", sentence(about).trim_end_matches('.')))]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([bold(*command)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
    roff.to_writer(out)
}

fn see_also(out: &mut Vec<u8>, title: &str, program: &Command) -> io::Result<()> {
    let mut pages = vec![NAME.to_owned()];
    let commands = program.get_subcommands();
    pages.extend(commands.map(|command| format!("{NAME}-{}", command.get_name())));
    pages.retain(|page| page != title);
    let mut text: Vec<Inline> = Vec::new();
    for page in pages {
        if !text.is_empty() {
            text.push(roman(", "));
        }
        text.extend([bold(page), roman("(1)")]);
    }
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]);
    // Names of pages are not divided at the end of a line.
    roff.control("nh", []);
    roff.text(text);
    roff.to_writer(out)?;
    out.flush()
}
