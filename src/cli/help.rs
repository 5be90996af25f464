//! The longer texts of help and manual pages: examples, exit status, environment, files. One table for both.

use std::fmt::Write as _;

use crate::output::human::layout::wrap;

/// What the help and the manual page of a command say beyond its options.
pub struct Topic {
    /// The command, or `blockprobe` for the program itself.
    pub command: &'static str,
    /// Command lines that work as written, each with what it does.
    pub examples: &'static [Entry],
    /// Each exit status, and when it is used.
    pub exit_status: &'static [Entry],
    /// Variables that change what it does, besides those of its options.
    pub environment: &'static [Entry],
    /// Files that it reads or writes.
    pub files: &'static [Entry],
    /// More to say, as paragraphs.
    pub notes: &'static [&'static str],
}

/// A term and its explanation.
pub type Entry = (&'static str, &'static str);

const DONE_OR_NOT: &[Entry] = &[("0", "done"), ("2", "usage or output error")];

const MEASURED: &[Entry] = &[
    ("0", "measured, whatever was found"),
    (
        "1",
        "a target has a status of --fail-on; this is used before 3",
    ),
    ("2", "usage, definitions or output error"),
    (
        "3",
        "no result: offline, no target could be judged, or --timeout cut the run short before all targets were judged",
    ),
    ("129", "ended by a hangup (HUP); what was measured is saved"),
    ("130", "ended by Ctrl-C (INT); what was measured is saved"),
    ("143", "ended by TERM; what was measured is saved"),
];

const COLOURS: &[Entry] = &[
    ("NO_COLOR", "no colours, where it is set and not empty"),
    (
        "CLICOLOR_FORCE",
        "colours also in a pipe, where it is set and not 0",
    ),
];

const RUN_ENVIRONMENT: &[Entry] = &[
    OPTIONS,
    COLOURS[0],
    COLOURS[1],
    (
        "SSL_CERT_FILE",
        "a PEM file with CA certificates to trust besides the built-in ones, as with --ca-file",
    ),
    PROXIES,
];

const PROXIES: Entry = (
    "HTTPS_PROXY, HTTP_PROXY",
    "the proxy through which --control fetches a URL. Measurements never use a proxy",
);

/// Each option has its own; the manual page lists them.
pub const OPTIONS: Entry = (
    "BLOCKPROBE_...",
    "the value of an option, where the command line has none: BLOCKPROBE_FAIL_ON=blocked is --fail-on blocked",
);

const RUN_FILES: &[Entry] = &[
    (
        "/etc/resolv.conf",
        "where the system's DNS resolvers are read",
    ),
    (
        "probes.toml",
        "the built-in definitions; they are compiled into the program. Another file needs -d",
    ),
];

const RUN_EXAMPLES: &[Entry] = &[
    ("blockprobe", "measure all targets"),
    ("blockprobe whatsapp telegram", "measure these two targets"),
    (
        "blockprobe -o run.ndjson.zst",
        "show the result, and save every observation",
    ),
    (
        "blockprobe -q -f human --fail-on blocked,degraded",
        "for cron and CI: one line per target, exit 1 on trouble",
    ),
    (
        "blockprobe --control free.json",
        "compare with a report from an unfiltered network",
    ),
    (
        "blockprobe -d my.toml",
        "measure the targets in your own file",
    ),
    (
        "blockprobe --lab nxdomain_by_isp_resolver",
        "simulate a blocked network, without using the internet",
    ),
];

/// Every page, the program itself first.
pub const TOPICS: &[Topic] = &[
    Topic {
        command: "blockprobe",
        examples: RUN_EXAMPLES,
        exit_status: MEASURED,
        environment: RUN_ENVIRONMENT,
        files: RUN_FILES,
        notes: &[
            "Data goes to standard output; messages and progress go to standard error.",
            "A target is accessible, degraded, blocked, down or inconclusive. `blockprobe explain` lists the techniques of blocking.",
        ],
    },
    Topic {
        command: "run",
        examples: RUN_EXAMPLES,
        exit_status: MEASURED,
        environment: RUN_ENVIRONMENT,
        files: RUN_FILES,
        notes: &[],
    },
    Topic {
        command: "list",
        examples: &[
            (
                "blockprobe list",
                "all targets, and what is measured of them",
            ),
            ("blockprobe list max", "one target"),
            ("blockprobe list -d my.toml", "the targets in your own file"),
            (
                "blockprobe list -f ndjson",
                "one JSON object per endpoint and check",
            ),
        ],
        exit_status: &[("0", "listed"), ("2", "usage, definitions or output error")],
        environment: COLOURS,
        files: &[],
        notes: &[],
    },
    Topic {
        command: "check",
        examples: &[
            ("blockprobe check my.toml", "check one file"),
            (
                "cat a.toml b.toml | blockprobe check -",
                "check standard input",
            ),
        ],
        exit_status: &[
            ("0", "every file is valid"),
            ("2", "a file is not valid or cannot be read"),
        ],
        environment: &[],
        files: &[],
        notes: &["Every mistake is shown with file, line, column and a hint."],
    },
    Topic {
        command: "analyze",
        examples: &[
            ("blockprobe analyze report.json", "judge one report again"),
            (
                "blockprobe analyze -f json report.json",
                "the same as a JSON array of reports",
            ),
            (
                "blockprobe analyze *.ndjson.zst",
                "several reports, compressed or not",
            ),
            (
                "ssh vps blockprobe -f ndjson | blockprobe analyze -",
                "measure on another machine, and read the result here",
            ),
            (
                "blockprobe analyze --summary *.ndjson.zst",
                "one table: day and vantage by target",
            ),
            (
                "blockprobe analyze --control free.json report.json",
                "compare with a report from an unfiltered network",
            ),
        ],
        exit_status: &[
            ("0", "judged, whatever was found"),
            (
                "1",
                "a target has a status of --fail-on; this is used before 3",
            ),
            ("2", "usage or output error, or a report cannot be read"),
            (
                "3",
                "no result: the network was offline, or no target could be judged",
            ),
        ],
        environment: &[OPTIONS, COLOURS[0], COLOURS[1], PROXIES],
        files: &[],
        notes: &[
            "A killed run can be read up to its last complete line and is marked `interrupted`.",
        ],
    },
    Topic {
        command: "selftest",
        examples: &[
            ("blockprobe selftest", "simulate everything"),
            (
                "blockprobe selftest open offline",
                "simulate these two scenarios",
            ),
            ("blockprobe selftest --list", "show all scenarios"),
        ],
        exit_status: &[
            ("0", "every scenario came out as expected"),
            ("1", "a scenario came out differently"),
            ("2", "usage or output error"),
        ],
        environment: &[],
        files: &[],
        notes: &[
            "Nothing is sent to the internet. Servers and censors run on 127.0.0.0/8 of this machine.",
        ],
    },
    Topic {
        command: "explain",
        examples: &[
            ("blockprobe explain", "list all techniques"),
            ("blockprobe explain domain_name/nxdomain", "explain one"),
            (
                "blockprobe explain server_name",
                "explain what looks at the server name",
            ),
            ("blockprobe explain reset", "explain what cuts connections"),
        ],
        exit_status: &[
            ("0", "explained"),
            ("2", "unknown technique, usage or output error"),
        ],
        environment: COLOURS,
        files: &[],
        notes: &[],
    },
    Topic {
        command: "schema",
        examples: &[
            (
                "blockprobe schema report > report.schema.json",
                "save the schema of reports",
            ),
            (
                "blockprobe schema definitions",
                "show the schema of definitions files",
            ),
        ],
        exit_status: DONE_OR_NOT,
        environment: &[],
        files: &[],
        notes: &[],
    },
    Topic {
        command: "completions",
        examples: &[
            (
                "source <(blockprobe completions bash)",
                "bash: only in this shell",
            ),
            (
                "blockprobe completions bash > ~/.local/share/bash-completion/completions/blockprobe",
                "bash: for good (needs the package bash-completion)",
            ),
            (
                "echo 'source <(blockprobe completions zsh)' >> ~/.zshrc",
                "zsh: for good; the line must come after `compinit`",
            ),
            (
                "blockprobe completions fish > ~/.config/fish/completions/blockprobe.fish",
                "fish: for good",
            ),
        ],
        exit_status: DONE_OR_NOT,
        environment: &[],
        files: &[],
        notes: &[
            "Create the directory first where it is missing (mkdir -p). Write the script again after an update.",
            "The script asks `blockprobe` itself for words, so `blockprobe` must be in PATH. It completes commands, options, targets, scenarios, statuses and techniques.",
        ],
    },
    Topic {
        command: "man",
        examples: &[
            ("blockprobe man | man -l -", "read the page of blockprobe"),
            (
                "blockprobe man run | man -l -",
                "read the page of one command",
            ),
            (
                "blockprobe man --out ~/.local/share/man/man1",
                "install every page for yourself; then `man blockprobe-run` works",
            ),
        ],
        exit_status: DONE_OR_NOT,
        environment: &[],
        files: &[],
        notes: &[],
    },
];

/// The page of a command; that of the program for a word that has none.
pub fn topic(command: &str) -> &'static Topic {
    let found = TOPICS.iter().find(|topic| topic.command == command);
    found.unwrap_or(&TOPICS[0])
}

/// What stands under `-h`: examples, and where the rest is.
pub fn short(command: &str) -> String {
    let mut text = String::new();
    examples(&mut text, topic(command));
    let more = match command {
        "blockprobe" => "--help".to_owned(),
        command => format!("{command} --help"),
    };
    let _ = write!(text, "\nMore, with exit statuses: blockprobe {more}");
    text
}

/// What stands under `--help`: all but the files, which the manual page has.
pub fn long(command: &str) -> String {
    let topic = topic(command);
    let mut text = String::new();
    examples(&mut text, topic);
    entries(&mut text, "\nExit status", topic.exit_status);
    entries(&mut text, "\nEnvironment", topic.environment);
    for note in topic.notes {
        let _ = writeln!(text, "\n{note}");
    }
    text.trim_end().to_owned()
}

/// Lines of help are no wider than a small terminal.
const COLUMNS: usize = 80;

/// Commands that are wider than this have their explanation on the next line.
const WIDE: usize = 46;

fn examples(text: &mut String, topic: &Topic) {
    let width = topic.examples.iter().map(|(command, _)| command.len());
    let width = width.filter(|width| *width <= WIDE).max().unwrap_or(0);
    text.push_str("Examples:\n");
    for (command, about) in topic.examples {
        if command.len() > WIDE {
            let _ = writeln!(text, "  {command}\n  {:width$}  {about}", "");
        } else {
            let _ = writeln!(text, "  {command:width$}  {about}");
        }
    }
}

fn entries(text: &mut String, heading: &str, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let width = entries.iter().map(|(term, _)| term.len()).max();
    let width = width.unwrap_or(0);
    let _ = writeln!(text, "{heading}:");
    for (term, meaning) in entries {
        for (at, line) in wrap(meaning, COLUMNS.saturating_sub(width + 4))
            .iter()
            .enumerate()
        {
            let term = if at == 0 { term } else { "" };
            let _ = writeln!(text, "  {term:width$}  {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{self, Arguments};

    #[test]
    fn every_command_has_a_page_of_its_own() {
        for command in arguments::command().get_subcommands() {
            let name = command.get_name();
            assert_eq!(topic(name).command, name, "help.rs has no page of {name}");
        }
    }

    #[test]
    fn every_example_is_a_command_line_that_is_accepted() {
        for (example, _) in TOPICS.iter().flat_map(|topic| topic.examples) {
            let commands = example.split(['|', '>', '(', ')']).map(str::trim);
            let ours = commands.filter_map(|command| Some(&command[command.find("blockprobe")?..]));
            // A file's name after `>` is no command.
            for command in
                ours.filter(|command| command.split('/').count() < 3 || command.contains(' '))
            {
                let parsed = Arguments::try_parse_from(command.split(' '));
                assert!(parsed.is_ok(), "{command}: {parsed:?}");
            }
        }
    }

    #[test]
    fn the_long_help_has_every_exit_status_and_the_short_one_none() {
        let command = arguments::command;
        let long = command().render_long_help().to_string();
        for status in ["  0 ", "  1 ", "  2 ", "  3 ", "  129", "  130", "  143"] {
            assert!(long.contains(status), "{status:?} is not in {long}");
        }
        let short = command().render_help().to_string();
        assert!(!short.contains("130"), "{short}");
        assert!(short.contains("Examples:"), "{short}");
    }
}
