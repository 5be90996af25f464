//! Chooses the sink: which format, where to, in what manner.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use ipnet::IpNet;

use crate::cli::arguments::{Color, Format, RunArguments};
use crate::cli::trouble::Trouble;
use crate::output::Sink;
use crate::output::destination::Destination;
use crate::output::human::{Detail, Human, Manner};
use crate::output::json::Json;
use crate::output::ndjson::Ndjson;
use crate::output::progress::Progress;
use crate::output::scrub::Scrubbed;

/// Columns where nobody says how many there are.
const WIDTH: usize = 100;

/// The sink of a run; everything it is told is scrubbed of `own` first.
///
/// # Errors
/// Where the file cannot be written, now rather than after the run.
pub fn sink(arguments: &RunArguments, own: &[IpNet]) -> Result<Box<dyn Sink>, Trouble> {
    let on_terminal = io::stdout().is_terminal();
    let output = arguments.output.as_deref();
    let format = format(arguments.format, output, on_terminal);
    let destination = destination(output, format)?;
    let told: Box<dyn Sink> = match format {
        Format::Human => Box::new(Human::new(
            destination,
            manner_of(
                (arguments.quiet, arguments.verbose),
                arguments.color,
                output.is_some(),
            ),
        )),
        Format::Json => Box::new(Json::new(destination)),
        Format::Ndjson => Box::new(Ndjson::new(destination)),
    };
    // Lines that appear on the same terminal are progress enough, and a bar would be torn by them: what reads them from a
    // pipe usually writes there too.
    let lines_on_terminal = format == Format::Ndjson
        && arguments.output.is_none()
        && (on_terminal || is_pipe(&io::stdout()));
    let told = if arguments.quiet || lines_on_terminal || !io::stderr().is_terminal() {
        told
    } else {
        Box::new(Progress::new(told))
    };
    Ok(Box::new(Scrubbed::new(own, told)))
}

fn is_pipe(stdout: &io::Stdout) -> bool {
    let file = stdout.as_fd().try_clone_to_owned().map(File::from);
    let kind = file.and_then(|file| file.metadata());
    kind.is_ok_and(|kind| kind.file_type().is_fifo())
}

/// How to tell a person on standard output.
pub fn manner(color: Color, detail: Detail) -> Manner {
    color.apply();
    let choice = anstream::AutoStream::choice(&io::stdout());
    Manner {
        width: columns().unwrap_or(if detail == Detail::Quiet {
            // A line that no terminal breaks is left whole.
            usize::MAX
        } else {
            WIDTH
        }),
        colour: choice != anstream::ColorChoice::Never,
        detail,
    }
}

/// Columns of standard output; in a pipe, what `COLUMNS` says, if it is set.
fn columns() -> Option<usize> {
    if let Some((width, _)) = terminal_size::terminal_size_of(io::stdout()) {
        return Some(usize::from(width.0));
    }
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.parse().ok());
    said.filter(|columns| *columns > 0)
}

/// Bytes for standard output; a closed pipe comes back as that `Trouble`.
pub fn print(bytes: &[u8]) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

/// How to tell a person, by the flags: `-q` and `-v`, and whether it goes to a file.
pub fn manner_of((quiet, verbose): (bool, u8), color: Option<Color>, into_file: bool) -> Manner {
    let detail = match (quiet, verbose) {
        (true, _) => Detail::Quiet,
        (_, 0) => Detail::Plain,
        (_, 1) => Detail::Verbose,
        _ => Detail::Everything,
    };
    let color = color.unwrap_or_default();
    let mut manner = manner(color, detail);
    if into_file {
        manner.width = if detail == Detail::Quiet {
            usize::MAX
        } else {
            WIDTH
        };
        manner.colour = color == Color::Always;
    }
    manner
}

/// The format that is meant: by the flag, then by the file's name, then by who reads.
pub fn format(said: Option<Format>, output: Option<&Path>, on_terminal: bool) -> Format {
    let by_name = |path: &Path| match path.extension().and_then(|name| name.to_str()) {
        Some("ndjson" | "jsonl") => Format::Ndjson,
        Some("txt") => Format::Human,
        _ => Format::Json,
    };
    match (said, output) {
        (Some(format), _) => format,
        (None, Some(path)) => by_name(path),
        (None, None) if on_terminal => Format::Human,
        (None, None) => Format::Ndjson,
    }
}

/// Standard output or that file.
///
/// # Errors
/// Where the file cannot be written, now rather than later.
fn destination(output: Option<&Path>, format: Format) -> Result<Destination, Trouble> {
    match (format, output) {
        (Format::Ndjson, Some(path)) => opened(path, Destination::lines(path)),
        (_, output) => whole(output),
    }
}

/// Standard output or that file, which appears whole whatever its format.
///
/// # Errors
/// Where the file cannot be written.
pub fn whole(output: Option<&Path>) -> Result<Destination, Trouble> {
    output.map_or_else(
        || Ok(Destination::stdout()),
        |path| opened(path, Destination::whole(path)),
    )
}

fn opened(path: &Path, opened: io::Result<Destination>) -> Result<Destination, Trouble> {
    opened.map_err(|error| {
        Trouble::new(format!("cannot write {}: {error}", path.display()))
            .hint("nothing was done yet; give -o a file in a directory that exists and is yours")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_flag_then_the_name_then_the_terminal() {
        for (said, name, terminal, expected) in [
            (None, None, true, Format::Human),
            (None, None, false, Format::Ndjson),
            (Some(Format::Json), None, true, Format::Json),
            (Some(Format::Human), Some("x.ndjson"), false, Format::Human),
            (None, Some("x.json"), true, Format::Json),
            (None, Some("x.ndjson"), true, Format::Ndjson),
            (None, Some("x.jsonl"), true, Format::Ndjson),
            (None, Some("x.txt"), false, Format::Human),
            (None, Some("report"), true, Format::Json),
        ] {
            assert_eq!(
                format(said, name.map(Path::new), terminal),
                expected,
                "{said:?} {name:?}"
            );
        }
    }
}
