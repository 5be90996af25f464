//! Saved reports: found in a file, a pipe or at an address, unpacked, and read; every error says where and what to do.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use jiff::Timestamp;
use serde::Deserialize;

use crate::cli::fetch::{self, Means};
use crate::cli::trouble::Trouble;
use crate::model::observation::Observation;
use crate::model::report::{
    FORMAT, Line, Measured, Provenance, Regime, Report, Run, Vantage, Verdict,
};
use crate::output::terminal::redact_url;

/// A run of four messengers writes some two megabytes; far beyond that it is no report of ours, or a bomb.
const MOST_BYTES: u64 = 256 << 20;
/// Over the network a report comes from somebody else, who may wish us ill: in memory it is some times as large as its text.
const MOST_FETCHED: usize = 16 << 20;
/// Bytes of text for each value in it, at least, beyond the first megabyte. A value takes up to 80 bytes of memory, and a
/// report of ours has some 20 bytes of text for each: so memory stays below ten times the text, whatever a file holds.
const BYTES_A_VALUE: usize = 8;
/// Text below this may hold anything: its memory is no matter.
const SMALL: usize = 1 << 20;

/// Powers of two of memory for what zstd refers back to: 32 MiB. More than `zstd --ultra` takes would be made to swell us.
const MOST_WINDOW_LOG: u32 = 25;

/// What standard input is called on the command line.
pub const STDIN: &str = "-";

/// Every report of one file, or of standard input.
///
/// # Errors
/// Where it cannot be read, or is no report of this format.
pub fn read(source: &str) -> Result<Vec<Report>, Trouble> {
    let mut bytes = Vec::new();
    let taken = if source == STDIN {
        io::stdin()
            .lock()
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(source).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    taken.map_err(|error| {
        Trouble::new(format!("cannot read {}: {error}", called(source)))
            .hint("give the file of a report, written with `-f json` or `-f ndjson`, or `-` for standard input")
    })?;
    parse(&called(source), &bytes, MOST_BYTES)
}

/// Another vantage's report, and how it was had where that is worth a note.
#[derive(Debug)]
pub struct Control {
    /// The report.
    pub report: Report,
    /// A sentence about the way by which it was fetched.
    pub note: Option<String>,
}

/// The one report of a file, of standard input or of an address, to compare others with. Reading and parsing happen on a
/// thread of their own: the caller may stop waiting at any time.
///
/// # Errors
/// Where it cannot be read or fetched, is no report, is more than one, or does not say when its run began.
pub async fn control(source: &str, means: &Means) -> Result<Control, Trouble> {
    let (fetched, note) = if fetch::is_url(source)? {
        let fetched = fetch::fetch(source, MOST_FETCHED, means).await?;
        if fetched.bytes.len() > MOST_FETCHED {
            let most = MOST_FETCHED >> 20;
            return Err(Trouble::new(format!(
                "{} is larger than {most} MiB",
                fetch::shown(source)
            ))
            .hint("a control report has a few: give the address of one report"));
        }
        (Some(fetched.bytes), fetched.note)
    } else {
        (None, None)
    };
    let name = source.to_owned();
    let reading = tokio::task::spawn_blocking(move || match fetched {
        Some(bytes) => parse(&fetch::shown(&name), &bytes, MOST_FETCHED as u64),
        None => read(&name),
    });
    let mut reports = reading.await.expect("reading a report does not panic")?;
    match (reports.pop(), reports.len()) {
        (Some(report), 0) => match report.run.started_at.parse::<Timestamp>() {
            Ok(_) => Ok(Control { report, note }),
            Err(error) => Err(undated(&fetch::shown(source), &error)),
        },
        (_, more) => Err(Trouble::new(format!(
            "{} holds {} reports, and one is needed as control",
            fetch::shown(&called(source)),
            more + 1
        ))
        .hint("give the latest of them alone")),
    }
}

/// What is told of a report that does not tell when its run began.
pub fn undated(source: &str, error: &jiff::Error) -> Trouble {
    Trouble::new(format!(
        "{}: the run does not tell when it began: {error}",
        called(source)
    ))
    .hint("`run.started_at` has to be as the run wrote it")
}

fn called(source: &str) -> String {
    if source == STDIN {
        "standard input".to_owned()
    } else {
        redact_url(source)
    }
}

/// Every report in these bytes, unpacked first where they are packed. `name` is what errors call them; unpacked they are `most` bytes.
///
/// # Errors
/// Where the bytes hold no report of this format, with line and column.
pub fn parse(name: &str, bytes: &[u8], most: u64) -> Result<Vec<Report>, Trouble> {
    let unpacked = unpacked(name, bytes, most)?;
    let bytes = unpacked.as_deref().unwrap_or(bytes);
    if bytes.len() as u64 > most {
        return Err(too_large(name, most));
    }
    if is_crowded(bytes) {
        return Err(Trouble::new(format!(
            "{name} holds too many values for its size: reading it would take very much memory"
        ))
        .hint(WHAT_TO_GIVE));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.trim_ascii_start();
    if bytes.is_empty() {
        return Err(Trouble::new(format!("{name} is empty")).hint(WHAT_TO_GIVE));
    }
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes);
    if serde_json::from_slice::<Head>(first).is_ok_and(|head| head.kind.is_some()) {
        return stream(name, bytes);
    }
    if bytes[0] == b'[' {
        let reports: Vec<Report> =
            serde_json::from_slice(bytes).map_err(|error| unreadable(name, &error))?;
        if reports.is_empty() {
            return Err(Trouble::new(format!("{name} holds no report")).hint(WHAT_TO_GIVE));
        }
        return reports
            .into_iter()
            .map(|report| known(name, report))
            .collect();
    }
    // Another format has another shape: it is told before what is missing of this one.
    let head: Head = serde_json::from_slice(bytes).map_err(|error| unreadable(name, &error))?;
    check_format(name, head.format.as_deref())?;
    let report = serde_json::from_slice(bytes).map_err(|error| unreadable(name, &error))?;
    Ok(vec![known(name, report)?])
}

const WHAT_TO_GIVE: &str = "a report is what `blockprobe -f json` or `-f ndjson` writes";

/// What every report and every line of one tells first.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// gzip (RFC 1952) or zstd (RFC 8878), told by their magic numbers; `None` where the bytes are neither.
fn unpacked(name: &str, bytes: &[u8], most: u64) -> Result<Option<Vec<u8>>, Trouble> {
    let broken = |kind: &str| {
        Trouble::new(format!("{name}: broken {kind}"))
            .hint("the file was cut or damaged on its way: copy it again")
    };
    let mut unpacked = Vec::new();
    if bytes.starts_with(b"\x1f\x8b") {
        let mut decoder = flate2::read::MultiGzDecoder::new(bytes).take(most + 1);
        match decoder.read_to_end(&mut unpacked) {
            // A run that was killed leaves whole lines in what came before.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !unpacked.is_empty() => {}
            read => drop(read.map_err(|_| broken("gzip"))?),
        }
    } else if is_zstd(bytes) {
        let decoder = zstd::Decoder::with_buffer(bytes).and_then(|mut decoder| {
            decoder.window_log_max(MOST_WINDOW_LOG)?;
            Ok(decoder)
        });
        let mut decoder = decoder.map_err(|_| broken("zstd"))?.take(most + 1);
        match decoder.read_to_end(&mut unpacked) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !unpacked.is_empty() => {}
            read => drop(read.map_err(|_| broken("zstd"))?),
        }
    } else {
        return Ok(None);
    }
    if unpacked.len() as u64 > most {
        return Err(too_large(name, most));
    }
    Ok(Some(unpacked))
}

/// A frame of zstd (RFC 8878 3.1), or one to be skipped, as parallel packers write it first.
fn is_zstd(bytes: &[u8]) -> bool {
    let magic = bytes.first_chunk().map(|first| u32::from_le_bytes(*first));
    magic.is_some_and(|it| it == 0xfd2f_b528 || (0x184d_2a50..=0x184d_2a5f).contains(&it))
}

/// Whether the text has more values than a report of its size can have: each costs memory.
fn is_crowded(text: &[u8]) -> bool {
    let values = text
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count();
    text.len() > SMALL && values > text.len() / BYTES_A_VALUE
}

fn too_large(name: &str, most: u64) -> Trouble {
    Trouble::new(format!("{name} is larger than {} MiB", most >> 20))
        .hint("a report has a few: is this one?")
}

/// The lines of one run or of several: one after the other, or mixed where every line says whose it is. The last line may
/// be cut: a run may be killed at any moment.
fn stream(name: &str, bytes: &[u8]) -> Result<Vec<Report>, Trouble> {
    let mut runs: Vec<Unfinished> = Vec::new();
    // Where in `runs` those stand whose last line has not come yet.
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut latest = String::new();
    for (number, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let is_cut = text.last() != Some(&b'\n');
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(error) if is_cut && error.is_eof() => break,
            Err(error) => return Err(unreadable_line(name, number + 1, text, &error)),
        };
        // Lines of older versions do not say whose they are: they follow their `started`.
        let id = match line.run_id() {
            "" => latest.clone(),
            id => id.to_owned(),
        };
        if let Line::Started {
            provenance,
            format,
            run,
            measured,
        } = line
        {
            check_format(name, Some(&format))?;
            open.insert(id.clone(), runs.len());
            latest = id;
            runs.push(Unfinished::new(format, *provenance, run, *measured));
            continue;
        }
        let Some(unfinished) = open.get(&id).and_then(|at| runs.get_mut(*at)) else {
            let message = "this is not the first line of a run";
            return Err(Trouble::at(name, number + 1, 1, message)
                .hint("the file must start with the line `started`: it says what was measured"));
        };
        match line {
            Line::Started { .. } => {}
            Line::Observation { observation, .. } => unfinished.observations.push(*observation),
            Line::Verdict { verdict, .. } => unfinished.verdicts.push(*verdict),
            Line::Finished { run, vantage, .. } => {
                unfinished.end = Some((run, *vantage));
                open.remove(&id);
            }
        }
    }
    Ok(runs.into_iter().map(Unfinished::into_report).collect())
}

/// A stream on its way.
struct Unfinished {
    format: String,
    provenance: Provenance,
    run: Run,
    measured: Measured,
    observations: Vec<Observation>,
    verdicts: Vec<Verdict>,
    end: Option<(Run, Vantage)>,
}

impl Unfinished {
    const fn new(format: String, provenance: Provenance, run: Run, measured: Measured) -> Self {
        Self {
            format,
            provenance,
            run,
            measured,
            observations: Vec::new(),
            verdicts: Vec::new(),
            end: None,
        }
    }

    fn into_report(mut self) -> Report {
        let (run, vantage) = match self.end.take() {
            Some(end) => end,
            None => self.cut_short(),
        };
        Report {
            format: self.format,
            software: self.provenance.software,
            run,
            vantage,
            verdicts: self.verdicts,
            measured: self.measured,
            observations: self.observations,
        }
    }

    /// The run was killed: it lasted at least until its last observation.
    fn cut_short(&self) -> (Run, Vantage) {
        let steps = self
            .observations
            .iter()
            .flat_map(|observation| &observation.steps);
        let run = Run {
            duration_s: steps.map(|step| step.t).fold(self.run.duration_s, f64::max),
            interrupted: true,
            ..self.run.clone()
        };
        let origin = self.provenance.origin();
        let vantage = Vantage {
            label: origin.label,
            regime: Regime::Offline,
            address_families: Vec::new(),
            asn: origin.asn,
            country: origin.country,
            tags: origin.tags,
            problem: None,
            resolvers: Vec::new(),
            techniques: Vec::new(),
            notes: Vec::new(),
        };
        (run, vantage)
    }
}

fn known(name: &str, report: Report) -> Result<Report, Trouble> {
    check_format(name, Some(&report.format))?;
    Ok(report)
}

fn check_format(name: &str, format: Option<&str>) -> Result<(), Trouble> {
    match format {
        Some(FORMAT) => Ok(()),
        Some(other) => Err(Trouble::new(format!(
            "{name} is written as {other}, and this version reads {FORMAT}"
        ))
        .hint("judge it with the version that wrote it, or measure again")),
        None => Err(Trouble::new(format!("{name} is no report of blockprobe")).hint(WHAT_TO_GIVE)),
    }
}

fn unreadable(name: &str, error: &serde_json::Error) -> Trouble {
    told(name, error.line(), error.column(), error)
}

/// The place in the file, not in the line.
fn unreadable_line(name: &str, number: usize, text: &[u8], error: &serde_json::Error) -> Trouble {
    if let Ok(Head {
        format: Some(format),
        ..
    }) = serde_json::from_slice(text)
        && let Err(trouble) = check_format(name, Some(&format))
    {
        return trouble;
    }
    told(name, number, error.column(), error)
}

fn told(name: &str, line: usize, column: usize, error: &serde_json::Error) -> Trouble {
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or(&words);
    let (what, hint) = if error.is_data() {
        (
            "not a report of this version",
            "an older or newer version may have written it, or somebody changed it: measure again with this one",
        )
    } else if error.is_eof() {
        (
            "the report is cut",
            "copy it again. An ndjson file can be read up to the place where it is cut",
        )
    } else {
        ("not JSON", WHAT_TO_GIVE)
    };
    Trouble::at(name, line, column, format!("{what}: {words}")).hint(hint)
}
