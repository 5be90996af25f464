//! Chooses the sinks: which formats, where to, in what manner.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::cli::arguments::{Color, Format, RunArguments};
use crate::cli::closed;
use crate::cli::trouble::Trouble;
use crate::output::Sink;
use crate::output::csv::Csv;
use crate::output::destination::{Destination, Packing};
use crate::output::human::{Detail, Human, Manner};
use crate::output::json::Json;
use crate::output::ndjson::Ndjson;
use crate::output::progress::Progress;
use crate::output::scrub::Scrubbed;
use crate::output::tee::Tee;

/// Columns where nothing says how many there are.
const WIDTH: usize = 100;

/// What standard output is called on the command line.
const STDOUT: &str = "-";

/// One place that a result goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `None` is standard output.
    pub path: Option<PathBuf>,
    /// In which format.
    pub format: Format,
    /// How the file is packed.
    pub packing: Packing,
}

impl Place {
    const fn stdout(format: Format) -> Self {
        Self {
            path: None,
            format,
            packing: Packing::Plain,
        }
    }

    /// A file of lines grows as they come; all else appears whole.
    ///
    /// # Errors
    /// Where the file cannot be written, now rather than after the run.
    fn open(&self) -> Result<Destination, Trouble> {
        match (&self.path, self.format) {
            (Some(path), Format::Ndjson) => opened(path, Destination::lines(path, self.packing)),
            (None, Format::Ndjson) if !closed::stdout() => Ok(Destination::stdout()),
            _ => self.open_whole(),
        }
    }

    /// Standard output, or a file that appears whole whatever its format.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open_whole(&self) -> Result<Destination, Trouble> {
        match &self.path {
            Some(path) => opened(path, Destination::whole(path, self.packing)),
            None if closed::stdout() => Err(closed_output()),
            None => Ok(Destination::stdout_whole()),
        }
    }
}

/// Where the result goes, by `-f` and `-o`. On a terminal a person sees it also where `-o` saves it.
///
/// # Errors
/// Where a file's name says no format and `-f` neither.
pub fn places(
    said: Option<Format>,
    outputs: &[PathBuf],
    on_terminal: bool,
) -> Result<Vec<Place>, Trouble> {
    let ordinary = if on_terminal {
        Format::Human
    } else {
        Format::Ndjson
    };
    let mut places = Vec::new();
    for path in outputs {
        let place = if path.as_os_str() == STDOUT {
            Place::stdout(said.unwrap_or(ordinary))
        } else {
            by_name(said, path)?
        };
        if places.contains(&place) {
            return Err(
                Trouble::new(format!("-o {} is given twice", path.display()))
                    .hint("give each place once"),
            );
        }
        places.push(place);
    }
    if places.is_empty() {
        places.push(Place::stdout(said.unwrap_or(ordinary)));
    } else if on_terminal && places.iter().all(|place| place.path.is_some()) {
        places.push(Place::stdout(Format::Human));
    }
    Ok(places)
}

/// `-f` decides on the format, or else the name; the name decides on the packing.
fn by_name(said: Option<Format>, path: &Path) -> Result<Place, Trouble> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let (plain, packing) = if let Some(plain) = name.strip_suffix(".gz") {
        (plain, Packing::Gzip)
    } else if let Some(plain) = name.strip_suffix(".zst") {
        (plain, Packing::Zstd)
    } else {
        (name.as_str(), Packing::Plain)
    };
    let format = said.or_else(|| match plain.rsplit_once('.')?.1 {
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "csv" => Some(Format::Csv),
        "txt" => Some(Format::Human),
        _ => None,
    });
    let format = format.ok_or_else(|| {
        Trouble::new(format!("the name {} does not say a format", path.display())).hint(
            "end it in .json, .ndjson, .jsonl, .csv or .txt, each with .gz or .zst if you like, or give the format with -f",
        )
    })?;
    Ok(Place {
        path: Some(path.to_owned()),
        format,
        packing,
    })
}

/// The sink of a run; everything that it hears is scrubbed of `own` first.
///
/// # Errors
/// Where a file cannot be written, now rather than after the run.
pub fn sink(
    arguments: &RunArguments,
    places: &[Place],
    own: &[IpNet],
) -> Result<Box<dyn Sink>, Trouble> {
    let mut sinks = places
        .iter()
        .map(|place| one(arguments, place))
        .collect::<Result<Vec<_>, _>>()?;
    let told = match sinks.len() {
        1 => sinks.remove(0),
        _ => Box::new(Tee::new(sinks)),
    };
    // Lines that appear on the same terminal are progress enough, and a bar would be torn by them: what reads them from a
    // pipe usually writes there too.
    let stdout = io::stdout();
    let lines_on_terminal = (stdout.is_terminal() || is_pipe(&stdout))
        && places
            .iter()
            .any(|place| place.path.is_none() && place.format == Format::Ndjson);
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

fn one(arguments: &RunArguments, place: &Place) -> Result<Box<dyn Sink>, Trouble> {
    let destination = place.open()?;
    Ok(match place.format {
        Format::Human => Box::new(Human::new(
            destination,
            manner_of(
                (arguments.quiet, arguments.verbose),
                arguments.color,
                place.path.is_some(),
            ),
        )),
        Format::Json => Box::new(Json::new(destination)),
        Format::Ndjson => Box::new(Ndjson::new(destination, arguments.quiet)),
        Format::Csv => Box::new(Csv::new(destination)),
    })
}

/// `saved FILE (2.5 MB)` for each file, to a person at a terminal.
pub fn saved(places: &[Place]) {
    if !io::stderr().is_terminal() {
        return;
    }
    for path in places.iter().filter_map(|place| place.path.as_deref()) {
        if let Some(found) = fs::metadata(path).ok().filter(fs::Metadata::is_file) {
            let size = size(found.len());
            aside(&format!("saved {} ({size})", path.display()));
        }
    }
}

/// One line on standard error. A terminal that is gone is no failure.
pub fn aside(line: &str) {
    let line = crate::output::terminal::escape(line);
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// `2.5 MB`, in powers of ten as disks are sold.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
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
    if closed::stdout() {
        return Err(closed_output());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

fn closed_output() -> Trouble {
    Trouble::new("standard output is closed").hint("give a file with -o, or open standard output")
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

fn opened(path: &Path, opened: io::Result<Destination>) -> Result<Destination, Trouble> {
    opened.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::ResourceBusy => "wait until that run ends, or give -o another file",
            _ => "nothing was measured yet; give -o a file in a directory that exists and that you may write to",
        };
        Trouble::new(format!("cannot write {}: {error}", path.display())).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_flag_then_the_name_then_the_terminal() {
        use Packing::{Gzip, Plain, Zstd};
        for (said, name, expected) in [
            (
                Some(Format::Human),
                "x.ndjson",
                Some((Format::Human, Plain)),
            ),
            (Some(Format::Csv), "report", Some((Format::Csv, Plain))),
            (Some(Format::Csv), "report.ZST", Some((Format::Csv, Zstd))),
            (None, "x.json", Some((Format::Json, Plain))),
            (None, "a.b/x.NDJSON.GZ", Some((Format::Ndjson, Gzip))),
            (None, "x.jsonl.zst", Some((Format::Ndjson, Zstd))),
            (None, "x.csv", Some((Format::Csv, Plain))),
            (None, "x.Txt.gz", Some((Format::Human, Gzip))),
            (None, "report", None),
            (None, "report.gz", None),
            (None, "x.jsn", None),
            (None, "x.json.xz", None),
            (None, "x.json/", Some((Format::Json, Plain))),
        ] {
            let found = by_name(said, Path::new(name)).ok();
            let found = found.map(|place| (place.format, place.packing));
            assert_eq!(found, expected, "{said:?} {name:?}");
        }
        for (said, terminal, expected) in [
            (None, true, Format::Human),
            (None, false, Format::Ndjson),
            (Some(Format::Json), true, Format::Json),
        ] {
            for outputs in [vec![], vec![PathBuf::from("-")]] {
                let places = places(said, &outputs, terminal).unwrap();
                assert_eq!(places, [Place::stdout(expected)]);
            }
        }
    }

    #[test]
    fn on_a_terminal_a_person_sees_what_is_saved() {
        let outputs = [PathBuf::from("x.json"), PathBuf::from("x.csv")];
        let on = |terminal| places(None, &outputs, terminal).unwrap();
        assert_eq!(on(false).len(), 2);
        assert_eq!(on(true)[2], Place::stdout(Format::Human));
        let twice = [PathBuf::from("-"), PathBuf::from("-")];
        assert!(places(None, &twice, false).is_err());
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (2_549_000, "2.5 MB"),
            (u64::MAX, "1844674407.3 GB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
