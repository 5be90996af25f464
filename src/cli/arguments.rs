//! What may be said on the command line. Help is read by people in a hurry: short, with examples.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::model::report::Status;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().dimmed());

const EXAMPLES: &str = "\
Examples:
  blockprobe                                   measure everything
  blockprobe whatsapp telegram                 these two only
  blockprobe -f ndjson -o run.ndjson           every observation, as it comes
  blockprobe -q --fail-on blocked,degraded     for cron: exit 1 if one is in trouble
  blockprobe --control free.json               another vantage's report tells down from blocked
  blockprobe --lab nxdomain_by_isp_resolver    see a censor at work, without a network

Exit status:
  0    measured, whatever was found
  1    a status of --fail-on was found
  2    wrong usage, definitions or output
  3    could not measure: offline, or nothing conclusive
  130  interrupted";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  blockprobe analyze report.json                      the same observations, judged by this version
  blockprobe analyze -f json report.json | jq .       as a document
  blockprobe analyze *.ndjson.zst                     several at once, compressed or not
  ssh vps blockprobe -f ndjson | blockprobe analyze - what another machine sees, told here
  blockprobe analyze --control free.json report.json  another vantage's report tells down from blocked

Exit status: as of `run`, and 2 where a report cannot be read";

const SELFTEST_EXAMPLES: &str = "\
Examples:
  blockprobe selftest                          every scenario
  blockprobe selftest open russia_2026         these two
  blockprobe selftest -q -o selftest.xml       for CI: JUnit in a file, failures on the screen
  blockprobe selftest --jobs 4                 four at once, on a busy machine

A scenario that came out wrong is played once more, alone, before it is called wrong.

Exit status:
  0    every scenario came out as expected
  1    one did not, also when it was played alone
  2    wrong usage or output, or too few open files allowed
  130  interrupted";

/// Is this messenger blocked here, how is it blocked, and how sure are we?
#[derive(Debug, Parser)]
#[command(
    version,
    styles = STYLES,
    args_conflicts_with_subcommands = true,
    after_help = EXAMPLES,
    max_term_width = 100
)]
pub struct Arguments {
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`, for when the word is left out.
    #[command(flatten)]
    pub run: RunArguments,
}

/// One for each file of this room.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure now; the same without the word `run`
    #[command(after_help = EXAMPLES)]
    Run(Box<RunArguments>),
    /// Show what would be measured, without sending a packet
    List(ListArguments),
    /// Validate definitions, and point at the wrong line and column
    Check(CheckArguments),
    /// Judge saved reports again, without a network
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze(AnalyzeArguments),
    /// Play every censor of the lab on this machine, and see each one named
    #[command(after_help = SELFTEST_EXAMPLES)]
    Selftest(SelftestArguments),
    /// Print the JSON Schema of the report or of the definitions
    Schema(SchemaArguments),
    /// Print a completion script for a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    Man,
}

/// `blockprobe run`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args, Clone, Debug, Default)]
pub struct RunArguments {
    /// What to measure; everything in the definitions by default
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Measure what this TOML file says instead of the built-in definitions
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub definitions: Option<PathBuf>,
    /// How to tell it [default: human on a terminal, ndjson in a pipe]
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Write to this file; its name may tell the format (.json, .ndjson, .txt)
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Let another vantage's report tell down from blocked, and geography from lies; gzip and zstd are read too
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
    pub control: Option<String>,
    /// Ask this resolver instead of the system's own: 1.2.3.4, 1.2.3.4:53
    #[arg(long, value_name = "ADDR", value_parser = resolver_address)]
    pub resolver: Option<SocketAddr>,
    /// Trust these roots too, like those of SSL_CERT_FILE; may be repeated
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub ca_file: Vec<PathBuf>,
    /// Use IPv4 alone
    #[arg(short = '4', conflicts_with = "ipv6_only")]
    pub ipv4_only: bool,
    /// Use IPv6 alone
    #[arg(short = '6')]
    pub ipv6_only: bool,
    /// End the whole run after so long, and tell what was measured until then
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Checks at once
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = concurrency)]
    pub concurrency: usize,
    /// What to call this vantage point in the report
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Exit with 1 if a target is one of these: accessible, degraded, blocked, down, inconclusive
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    pub fail_on: Vec<Status>,
    /// Measure a scenario of the lab on this machine instead of the network; `selftest --list` tells their names
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["resolver", "ca_file"])]
    pub lab: Option<String>,
    /// No progress; for people, one line a target
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// For people, endpoints and evidence too
    #[arg(short, long)]
    pub verbose: bool,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub color: Option<Color>,
}

/// `blockprobe list`.
#[derive(Args, Clone, Debug, Default)]
pub struct ListArguments {
    /// What to list; everything by default
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// List what this TOML file says instead of the built-in definitions
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub definitions: Option<PathBuf>,
    /// How to tell it
    #[arg(short, long, value_name = "FORMAT", default_value = "human")]
    pub format: ListFormat,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub color: Option<Color>,
}

/// `blockprobe check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Definitions to validate
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `blockprobe analyze`.
#[derive(Args, Clone, Debug, Default)]
pub struct AnalyzeArguments {
    /// Reports to judge: json or ndjson, gzip and zstd too; `-` is standard input
    #[arg(value_name = "REPORT", required = true, value_hint = ValueHint::FilePath)]
    pub reports: Vec<String>,
    /// Let another vantage's report tell down from blocked, and geography from lies
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
    pub control: Option<String>,
    /// How to tell it [default: human on a terminal, ndjson in a pipe]
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Write to this file; its name may tell the format (.json, .ndjson, .txt)
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Exit with 1 if a target is one of these: accessible, degraded, blocked, down, inconclusive
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    pub fail_on: Vec<Status>,
    /// For people, one line a target
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// For people, endpoints and evidence too
    #[arg(short, long)]
    pub verbose: bool,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub color: Option<Color>,
}

/// `blockprobe selftest`.
#[derive(Args, Clone, Debug)]
pub struct SelftestArguments {
    /// Scenarios to play; all by default
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Only tell which scenarios there are
    #[arg(long, conflicts_with = "scenarios")]
    pub list: bool,
    /// Play so many scenarios at once; by default fewer where the machine is busy
    #[arg(short, long, value_name = "N", env = "BLOCKPROBE_JOBS", hide_env_values = true, value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Output format [default: human]
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "list")]
    pub format: Option<SelftestFormat>,
    /// Write the result to this file too; its suffix is its format: .json, .xml (JUnit), .txt
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "list")]
    pub output: Option<PathBuf>,
    /// Show only scenarios that came out wrong at first, and the counts
    #[arg(short, long, conflicts_with = "list")]
    pub quiet: bool,
    /// Save what was seen: one report for each scenario, in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "list")]
    pub save: Option<PathBuf>,
    /// Play the scenarios that are named on standard input, for the process that began this one
    #[arg(long, hide = true, conflicts_with_all = ["list", "scenarios"])]
    pub child: bool,
}

/// `blockprobe schema`.
#[derive(Args, Clone, Debug)]
pub struct SchemaArguments {
    /// Of what
    #[arg(value_name = "WHAT")]
    pub what: SchemaOf,
}

/// `blockprobe completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// How a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// One document, at the end
    Json,
    /// One object a line, as it comes
    Ndjson,
}

/// How the result of a selftest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SelftestFormat {
    /// For people
    Human,
    /// One document, at the end
    Json,
    /// JUnit XML, for build servers
    Junit,
}

/// How a plan is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Human,
    /// One document
    Json,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// What `run -f json` writes; a line of `-f ndjson` is `#/$defs/Line`
    Report,
    /// What `--definitions` reads
    Definitions,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Also into a pipe
    Always,
    /// Never
    Never,
}

impl Color {
    /// Decides it for everything that is printed from now on.
    pub fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// An address, port 53 unless another is given.
fn resolver_address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|address| (address, 53).into()))
        .map_err(|_| "an IP address is needed, with or without a port: 1.2.3.4:53".to_owned())
}

/// More than nothing, at most a day.
fn seconds(text: &str) -> Result<Duration, String> {
    const DAY: f64 = 86_400.0;
    text.parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= DAY)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "seconds are needed, more than 0 and at most 86400: 30, 2.5".to_owned())
}

fn concurrency(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|checks| (1..=8192).contains(checks))
        .ok_or_else(|| "a number from 1 to 8192 is needed".to_owned())
}

fn jobs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|jobs| (1..=256).contains(jobs))
        .ok_or_else(|| "a number from 1 to 256 is needed".to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    Status::ALL
        .iter()
        .copied()
        .find(|status| status.word() == text)
        .ok_or_else(|| {
            let words: Vec<_> = Status::ALL.iter().map(|status| status.word()).collect();
            format!("one of {} is needed", words.join(", "))
        })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run_of(line: &str) -> RunArguments {
        let arguments = Arguments::try_parse_from(line.split(' ')).expect("a good line");
        match arguments.command {
            Some(Command::Run(run)) => *run,
            None => arguments.run,
            other => panic!("another subcommand: {other:?}"),
        }
    }

    #[test]
    fn the_declaration_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_word_run_may_be_left_out() {
        for line in [
            "blockprobe whatsapp max --lab open -f json --fail-on blocked,down -4 --timeout 2.5",
            "blockprobe run whatsapp max --lab open -f json --fail-on blocked,down -4 --timeout 2.5",
        ] {
            let run = run_of(line);
            assert_eq!(run.targets, ["whatsapp", "max"]);
            assert_eq!(run.lab.as_deref(), Some("open"));
            assert_eq!(run.format, Some(Format::Json));
            assert_eq!(run.fail_on, [Status::Blocked, Status::Down]);
            assert!(run.ipv4_only);
            assert_eq!(run.timeout, Some(Duration::from_millis(2500)));
            assert_eq!(run.concurrency, 1024);
        }
    }

    #[test]
    fn a_flag_before_a_subcommand_is_not_silently_dropped() {
        assert_eq!(run_of("blockprobe -4 list").targets, ["list"]);
    }

    #[test]
    fn a_resolver_may_have_a_port() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(resolver_address(text), Ok(address.parse().unwrap()));
        }
        assert!(resolver_address("dns.example").is_err());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in ["0", "-1", "nan", "inf", "1e9", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        for text in ["0", "8193", "-1", "many"] {
            assert!(concurrency(text).is_err(), "{text}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "blockprobe -4 -6",
            "blockprobe -q -v",
            "blockprobe --fail-on broken",
            "blockprobe --lab open --resolver 192.0.2.1",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }
}
