//! The declaration of the command line. Its longer texts (examples, exit status) are in `help.rs`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::builder::styling::Styles;
use clap::builder::{BoolishValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};

use crate::cli::{help, version};
use crate::model::report::Status;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().dimmed());

/// Headings of the help, in the order of the fields below.
const WHAT: &str = "What to measure";
const HOW: &str = "How to measure";
const OUTPUT: &str = "Output";

/// Is this messenger blocked here, how is it blocked, and how sure are we?
///
/// blockprobe connects to the servers of messengers, and to control servers. It compares what happens, and reports what is
/// blocked, by which technique, and what else could explain it. It never logs in. A run makes some hundreds of connections
/// to services that may be blocked here: your network operator can see them.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = version::long(),
    styles = STYLES,
    args_conflicts_with_subcommands = true,
    after_help = help::short("blockprobe"),
    after_long_help = help::long("blockprobe"),
    max_term_width = 100
)]
pub struct Arguments {
    /// What to do; `run` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`, for when the word is left out.
    #[command(flatten)]
    pub run: RunArguments,
}

/// One for each file of this room.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure now. This is the default command
    #[command(after_help = help::short("run"), after_long_help = help::long("run"))]
    Run(Box<RunArguments>),
    /// Show what a run measures, without sending anything
    #[command(after_help = help::short("list"), after_long_help = help::long("list"))]
    List(ListArguments),
    /// Check definitions files for mistakes
    #[command(after_help = help::short("check"), after_long_help = help::long("check"))]
    Check(CheckArguments),
    /// Judge saved reports again, without using the network
    ///
    /// The verdicts are computed anew from the observations in the report, by the rules of this version.
    #[command(after_help = help::short("analyze"), after_long_help = help::long("analyze"))]
    Analyze(AnalyzeArguments),
    /// Simulate all known kinds of blocking on this machine and check that each is detected
    #[command(after_help = help::short("selftest"), after_long_help = help::long("selftest"))]
    Selftest(SelftestArguments),
    /// Explain a blocking technique: how it is measured, and what else it could be
    #[command(after_help = help::short("explain"), after_long_help = help::long("explain"))]
    Explain(ExplainArguments),
    /// Print the JSON Schema of reports or of definitions
    #[command(after_help = help::short("schema"), after_long_help = help::long("schema"))]
    Schema(SchemaArguments),
    /// Print a completion script for a shell
    #[command(after_help = help::short("completions"), after_long_help = help::long("completions"))]
    Completions(CompletionsArguments),
    /// Print a manual page, or write all of them
    #[command(after_help = help::short("man"), after_long_help = help::long("man"))]
    Man(ManArguments),
}

/// `blockprobe run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArguments {
    /// Targets to measure, separated by spaces or commas [default: all]
    ///
    /// `blockprobe list` shows which there are.
    #[arg(value_name = "TARGET", value_delimiter = ',')]
    pub targets: Vec<String>,
    /// Use the targets in this TOML file instead of the built-in ones (repeatable; `-` is standard input)
    ///
    /// The targets of all files are measured. Controls and resolvers come from the first file that has them, otherwise
    /// from the built-in definitions. docs/definitions.md explains the format.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = WHAT, env = "BLOCKPROBE_DEFINITIONS", hide_env_values = true)]
    pub definitions: Vec<PathBuf>,
    /// Simulate a network on this machine instead of measuring the real one
    ///
    /// Nothing is sent to the internet. `blockprobe selftest --list` shows the scenarios.
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["resolver", "ca_file"], help_heading = WHAT, env = "BLOCKPROBE_LAB", hide_env_values = true)]
    pub lab: Option<String>,
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6_only", help_heading = WHAT, env = "BLOCKPROBE_IPV4_ONLY", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub ipv4_only: bool,
    /// Use IPv6 only
    #[arg(short = '6', help_heading = WHAT, env = "BLOCKPROBE_IPV6_ONLY", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub ipv6_only: bool,
    /// Compare with a report from an unfiltered network
    ///
    /// This separates "server down" from "blocked", and regional DNS answers from forged ones. The report may be
    /// compressed with gzip or zstd.
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath, help_heading = HOW, env = "BLOCKPROBE_CONTROL", hide_env_values = true)]
    pub control: Option<String>,
    /// Ask this DNS resolver instead of the system's: 192.0.2.1 or 192.0.2.1:53
    #[arg(long, value_name = "ADDRESS", value_parser = resolver_address, help_heading = HOW, env = "BLOCKPROBE_RESOLVER", hide_env_values = true)]
    pub resolver: Option<SocketAddr>,
    /// Also trust the CA certificates in this PEM file (repeatable). SSL_CERT_FILE works too
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath, help_heading = HOW, env = "BLOCKPROBE_CA_FILE", hide_env_values = true)]
    pub ca_file: Vec<PathBuf>,
    /// Stop the run after SECONDS and report what was measured so far
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = HOW, env = "BLOCKPROBE_TIMEOUT", hide_env_values = true)]
    pub timeout: Option<Duration>,
    /// Run at most N checks at the same time
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = concurrency, help_heading = HOW, env = "BLOCKPROBE_CONCURRENCY", hide_env_values = true)]
    pub concurrency: usize,
    /// Output format [default: human on a terminal, ndjson in a pipe]
    #[arg(short, long, value_name = "FORMAT", help_heading = OUTPUT, env = "BLOCKPROBE_FORMAT", hide_env_values = true)]
    pub format: Option<Format>,
    /// Save to this file, also while the terminal shows the result (repeatable; `-` is standard output)
    ///
    /// The suffix decides the format where -f is not given: .json, .ndjson, .jsonl, .csv or .txt, each with .gz or .zst.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT, env = "BLOCKPROBE_OUTPUT", hide_env_values = true)]
    pub output: Vec<PathBuf>,
    /// Quiet: no progress bar; text output is one line per target
    #[arg(short, long, conflicts_with = "verbose", help_heading = OUTPUT, env = "BLOCKPROBE_QUIET", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Also show evidence in text output; -vv: every endpoint and step
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT, env = "BLOCKPROBE_VERBOSE", hide_env_values = true, value_parser = verbosity)]
    pub verbose: u8,
    /// Name of this vantage point in the report
    #[arg(long, value_name = "TEXT", help_heading = OUTPUT, env = "BLOCKPROBE_LABEL", hide_env_values = true)]
    pub label: Option<String>,
    /// Autonomous system of this network, for the report: AS64500
    #[arg(long, value_name = "ASN", value_parser = asn, help_heading = OUTPUT, env = "BLOCKPROBE_ASN", hide_env_values = true)]
    pub asn: Option<String>,
    /// Country of this network, for the report: two letters
    #[arg(long, value_name = "CODE", value_parser = country, help_heading = OUTPUT, env = "BLOCKPROBE_COUNTRY", hide_env_values = true)]
    pub country: Option<String>,
    /// Anything else about this vantage point, for the report (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag, help_heading = OUTPUT, env = "BLOCKPROBE_TAG", hide_env_values = true)]
    pub tag: Vec<(String, String)>,
    /// Exit with 1 if a target has one of these statuses, separated by commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status(), help_heading = OUTPUT, env = "BLOCKPROBE_FAIL_ON", hide_env_values = true)]
    pub fail_on: Vec<Status>,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = OUTPUT, env = "BLOCKPROBE_COLOR", hide_env_values = true)]
    pub color: Option<Color>,
}

/// `blockprobe list`.
#[derive(Args, Clone, Debug, Default)]
pub struct ListArguments {
    /// Targets to list, separated by spaces or commas [default: all]
    #[arg(value_name = "TARGET", value_delimiter = ',')]
    pub targets: Vec<String>,
    /// Use the targets in this TOML file instead of the built-in ones (repeatable; `-` is standard input)
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, env = "BLOCKPROBE_DEFINITIONS")]
    pub definitions: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "human")]
    pub format: ListFormat,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN", env = "BLOCKPROBE_COLOR")]
    pub color: Option<Color>,
}

/// `blockprobe check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Definitions files to check; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `blockprobe analyze`.
#[derive(Args, Clone, Debug, Default)]
pub struct AnalyzeArguments {
    /// Reports to judge: JSON or NDJSON, also compressed with gzip or zstd; `-` is standard input
    #[arg(value_name = "REPORT", required = true, value_hint = ValueHint::FilePath)]
    pub reports: Vec<String>,
    /// Compare with a report from an unfiltered network
    ///
    /// This separates "server down" from "blocked", and regional DNS answers from forged ones.
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath, env = "BLOCKPROBE_CONTROL", hide_env_values = true)]
    pub control: Option<String>,
    /// Output format [default: human on a terminal, ndjson in a pipe]
    #[arg(short, long, value_name = "FORMAT", help_heading = OUTPUT, env = "BLOCKPROBE_FORMAT", hide_env_values = true)]
    pub format: Option<Format>,
    /// Save to this file, also while the terminal shows the result (repeatable; `-` is standard output)
    ///
    /// The suffix decides the format where -f is not given: .json, .ndjson, .jsonl, .csv or .txt, each with .gz or .zst.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT, env = "BLOCKPROBE_OUTPUT", hide_env_values = true)]
    pub output: Vec<PathBuf>,
    /// Exit with 1 if a target has one of these statuses, separated by commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status(), help_heading = OUTPUT, env = "BLOCKPROBE_FAIL_ON", hide_env_values = true)]
    pub fail_on: Vec<Status>,
    /// One table of all reports: a row for each day and vantage, a column for each target
    #[arg(long, help_heading = OUTPUT)]
    pub summary: bool,
    /// Quiet: text output is one line per target
    #[arg(short, long, conflicts_with = "verbose", help_heading = OUTPUT, env = "BLOCKPROBE_QUIET", hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Also show evidence in text output; -vv: every endpoint and step
    #[arg(short, long, action = ArgAction::Count, help_heading = OUTPUT, env = "BLOCKPROBE_VERBOSE", hide_env_values = true, value_parser = verbosity)]
    pub verbose: u8,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = OUTPUT, env = "BLOCKPROBE_COLOR", hide_env_values = true)]
    pub color: Option<Color>,
}

/// `blockprobe selftest`.
#[derive(Args, Clone, Debug)]
pub struct SelftestArguments {
    /// Scenarios to simulate, separated by spaces or commas [default: all]
    #[arg(value_name = "SCENARIO", value_delimiter = ',')]
    pub scenarios: Vec<String>,
    /// Show the scenarios and stop
    #[arg(long, conflicts_with = "scenarios")]
    pub list: bool,
    /// Play N scenarios at a time [default: by the number of cores, fewer where the machine is busy]
    #[arg(short, long, value_name = "N", env = "BLOCKPROBE_JOBS", hide_env_values = true, value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Output format [default: human]
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "list")]
    pub format: Option<SelftestFormat>,
    /// Also write the result to this file; its suffix decides the format: .json, .xml (JUnit), .txt
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "list")]
    pub output: Option<PathBuf>,
    /// Show only scenarios that came out wrong at first, and the counts
    #[arg(short, long, conflicts_with = "list")]
    pub quiet: bool,
    /// Save one report per scenario in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "list")]
    pub save: Option<PathBuf>,
    /// Play the scenarios that standard input names, for the process that started this one
    #[arg(long, hide = true, conflicts_with_all = ["list", "scenarios"])]
    pub child: bool,
}

/// `blockprobe explain`.
#[derive(Args, Clone, Debug)]
pub struct ExplainArguments {
    /// A technique (domain_name/nxdomain), or one half of it (domain_name, nxdomain) [default: list all]
    #[arg(value_name = "TECHNIQUE")]
    pub technique: Option<String>,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN", env = "BLOCKPROBE_COLOR")]
    pub color: Option<Color>,
}

/// `blockprobe schema`.
#[derive(Args, Clone, Debug)]
pub struct SchemaArguments {
    /// Which schema
    #[arg(value_name = "WHAT")]
    pub what: SchemaOf,
}

/// `blockprobe completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArguments {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `blockprobe man`.
#[derive(Args, Clone, Debug)]
pub struct ManArguments {
    /// The command whose page is printed [default: blockprobe itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Option<String>,
    /// Write every page into this directory: blockprobe.1, blockprobe-run.1, ...
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// The whole declaration. Variables of the environment are listed in one place of the help, not beside each option.
pub fn command() -> clap::Command {
    let hidden = |command: clap::Command| command.mut_args(|arg| arg.hide_env(true));
    hidden(Arguments::command()).mut_subcommands(hidden)
}

/// Output formats of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    Human,
    /// One JSON document, written at the end
    Json,
    /// One JSON object per line, written as results arrive
    Ndjson,
    /// One row for each target and technique
    Csv,
}

/// Output formats of a selftest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SelftestFormat {
    /// Text for people
    Human,
    /// One JSON document, written at the end
    Json,
    /// JUnit XML, for build servers
    Junit,
}

/// Output formats of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Text for people
    #[default]
    Human,
    /// One JSON document
    Json,
    /// One JSON object per line and endpoint
    Ndjson,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Reports: what `run -f json` writes. One line of `-f ndjson` is `#/$defs/Line`
    Report,
    /// Definitions files: what `--definitions` reads
    Definitions,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always, also in a pipe
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

/// How often `-v` is meant, where the environment says it: a number, or a word as for other flags.
fn verbosity(text: &str) -> Result<u8, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "t" => Ok(1),
        "" | "false" | "no" | "off" | "n" | "f" => Ok(0),
        number => number
            .parse()
            .map_err(|_| "neither a number (0, 1, 2) nor yes or no".to_owned()),
    }
}

fn concurrency(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|checks| (1..=8192).contains(checks))
        .ok_or_else(|| "a number from 1 to 8192 is needed".to_owned())
}

/// `AS64500` or `64500`, as reports have it.
fn asn(text: &str) -> Result<String, String> {
    let prefix = text.get(..2).filter(|it| it.eq_ignore_ascii_case("as"));
    let number = prefix.map_or(text, |_| &text[2..]);
    number
        .parse::<u32>()
        .ok()
        .filter(|it| *it > 0 && number.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|number| format!("AS{number}"))
        .ok_or_else(|| "the number of an autonomous system is needed: AS64500".to_owned())
}

/// Two letters, in capitals.
fn country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| "the two letters of a country are needed: DE".to_owned())
}

/// A key that can be a column, and any value.
fn tag(text: &str) -> Result<(String, String), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty() && key.len() <= 64 && key.bytes().all(is_plain))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| {
            "KEY=VALUE is needed, the key of letters, digits, `_`, `-` and `.`".to_owned()
        })
}

fn jobs(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|jobs| (1..=256).contains(jobs))
        .ok_or_else(|| "a number from 1 to 256 is needed".to_owned())
}

/// A status by its word; the words are offered by completion and in the message where none fits.
fn status() -> impl TypedValueParser<Value = Status> {
    let words = Status::ALL.iter().map(|status| status.word());
    PossibleValuesParser::new(words).map(|text| {
        let mut all = Status::ALL.iter().copied();
        all.find(|status| status.word() == text)
            .unwrap_or(Status::Inconclusive)
    })
}

#[cfg(test)]
mod tests {
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
    fn verbosity_is_counted_and_the_environment_may_say_it_in_words() {
        assert_eq!(run_of("blockprobe").verbose, 0);
        assert_eq!(run_of("blockprobe -v").verbose, 1);
        assert_eq!(run_of("blockprobe -vv").verbose, 2);
        let said = ["true", "no", "2", "maybe"].map(verbosity);
        assert_eq!(said.map(Result::ok), [Some(1), Some(0), Some(2), None]);
    }

    #[test]
    fn the_declaration_is_sound() {
        command().debug_assert();
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
    fn what_is_said_of_a_vantage_has_one_spelling() {
        assert_eq!(asn("64500"), Ok("AS64500".to_owned()));
        assert_eq!(asn("as64500"), Ok("AS64500".to_owned()));
        for text in ["", "AS", "0", "+5", "AS-1", "4294967296", "ASé"] {
            assert!(asn(text).is_err(), "{text}");
        }
        assert_eq!(country("de"), Ok("DE".to_owned()));
        for text in ["", "d", "deu", "d1", "é"] {
            assert!(country(text).is_err(), "{text}");
        }
        let parsed = tag("line=home=1");
        assert_eq!(parsed, Ok(("line".to_owned(), "home=1".to_owned())));
        for text in ["", "line", "=x", "a b=c"] {
            assert!(tag(text).is_err(), "{text}");
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
