//! The command as its users meet it: arguments, streams, files, signals, exit status. Everything runs on the lab.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

#[path = "cli/ending.rs"]
mod ending;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/lab.rs"]
mod lab;
#[path = "cli/saved.rs"]
mod saved;
#[path = "cli/selftest.rs"]
mod selftest;
#[path = "cli/words.rs"]
mod words;

/// A scenario in which every target is silent or slow enough for a run to be met in the middle.
const SLOW: &str = "slow_server";

fn blockprobe(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockprobe"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    blockprobe(arguments).output().expect("the command starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// Every line whole, and parsed.
fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'), "the last line is whole");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn a_wrong_flag_is_refused_with_usage() {
    let output = output(&["--no-such-flag"]);
    assert_eq!(code(&output), 2);
    assert!(stdout(&output).is_empty());
    assert!(stderr(&output).contains("--no-such-flag"));
    assert!(stderr(&output).contains("Usage:"));
}

#[test]
fn an_unknown_target_is_answered_with_the_known_ones() {
    for arguments in [&["watsapp", "--lab", "open"][..], &["list", "watsapp"]] {
        let output = output(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        let told = stderr(&output);
        assert!(told.contains("hint: did you mean `whatsapp`?"), "{told}");
        for known in ["telegram", "facetime", "max"] {
            assert!(told.contains(known), "{told}");
        }
    }
}

#[test]
fn an_unknown_scenario_is_answered_with_the_known_ones() {
    for arguments in [&["--lab", "opne"][..], &["selftest", "opne"]] {
        let output = output(arguments);
        assert_eq!(code(&output), 2);
        assert!(
            stderr(&output).contains("did you mean `open`?"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn broken_definitions_are_refused_with_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.toml");
    std::fs::write(&path, "[[target]]\nid = \n").unwrap();
    let file = path.to_str().unwrap();
    for arguments in [&["check", file][..], &["-d", file], &["list", "-d", file]] {
        let output = output(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stdout(&output).is_empty());
        let told = stderr(&output);
        assert!(told.starts_with("error: "), "{told}");
        assert!(told.contains("broken.toml:2:"), "{told}");
    }
}

#[test]
fn definitions_that_do_not_exist_are_refused() {
    let output = output(&["check", "/nonexistent/probes.toml"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("/nonexistent/probes.toml"));
}

#[test]
fn the_definitions_in_the_repository_are_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/probes.toml");
    let output = output(&["check", path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("probes.toml: valid (4 targets, "));
}

#[test]
fn help_names_every_subcommand_and_shows_examples() {
    for flag in ["-h", "--help"] {
        let output = output(&[flag]);
        assert_eq!(code(&output), 0);
        let help = stdout(&output);
        for word in [
            "run",
            "list",
            "check",
            "analyze",
            "selftest",
            "explain",
            "schema",
            "completions",
            "man",
            "Examples:",
        ] {
            assert!(help.contains(word), "{word} in {help}");
        }
        assert!(!help.contains('\x1b'));
    }
}

#[test]
fn the_short_version_is_one_line_and_the_long_one_says_what_it_was_built_from() {
    let short = format!("blockprobe {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&output(&["-V"])), short);
    let long = stdout(&output(&["--version"]));
    assert!(long.starts_with(&short), "{long}");
    for part in ["commit:", "definitions: 20", "target:", "rustc:       1."] {
        assert!(long.contains(part), "{part} is not in {long}");
    }
}

#[test]
fn schemas_are_schemas() {
    for what in ["report", "definitions"] {
        let output = output(&["schema", what]);
        assert_eq!(code(&output), 0);
        let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema");
    }
}

#[test]
fn the_list_names_every_target_without_colours() {
    let told = output(&["list"]);
    assert_eq!(code(&told), 0);
    for name in ["WhatsApp", "Telegram", "FaceTime", "MAX"] {
        assert!(stdout(&told).contains(name), "{name}");
    }
    assert!(!stdout(&told).contains('\x1b'));
    let json: Value = serde_json::from_slice(&output(&["list", "-f", "json"]).stdout).unwrap();
    assert!(
        json["endpoints"]
            .as_array()
            .is_some_and(|endpoints| !endpoints.is_empty())
    );
}

#[test]
fn the_list_of_one_target_names_no_other() {
    let told = stdout(&output(&["list", "max"]));
    assert!(told.contains("MAX") && !told.contains("WhatsApp"), "{told}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [
        &["list"][..],
        &["list", "-f", "json"],
        &["schema", "report"],
        &["man"],
        &["--lab", "open", "-f", "ndjson"],
        &["--lab", "open", "-f", "json"],
        &["--lab", "open", "-f", "human", "-v"],
    ] {
        let mut child = blockprobe(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            output.stderr.is_empty(),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn an_open_run_is_a_valid_report_in_which_everything_works() {
    let run = output(&["run", "--lab", "open", "-f", "json", "--label", "here"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let schema: Value = serde_json::from_slice(&output(&["schema", "report"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(report["format"], "blockprobe-report/1");
    assert_eq!(report["vantage"]["label"], "here");
    assert_eq!(report["vantage"]["regime"], "open");
    assert_eq!(report["run"]["interrupted"], false);
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), 4);
    for verdict in verdicts {
        assert_eq!(verdict["status"], "accessible", "{verdict:#}");
    }
    serde_json::from_value::<blockprobe::model::report::Report>(report).expect("it reads back");
}

#[test]
fn the_word_run_may_be_left_out() {
    let run = output(&["whatsapp", "--lab", "open", "-f", "json"]);
    let report: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(report["verdicts"].as_array().unwrap().len(), 1);
    assert_eq!(report["verdicts"][0]["target"], "whatsapp");
}

#[test]
fn a_pipe_gets_whole_lines_and_the_last_is_finished() {
    let run = output(&["--lab", "open"]);
    assert_eq!(code(&run), 0);
    assert!(run.stderr.is_empty(), "{}", stderr(&run));
    let lines = lines(&stdout(&run));
    assert_eq!(lines[0]["type"], "started");
    assert_eq!(lines.last().unwrap()["type"], "finished");
    let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!(
        (count("started"), count("finished"), count("verdict")),
        (1, 1, 4)
    );
    assert!(count("observation") > 0);
}

#[test]
fn the_stream_and_the_document_say_the_same() {
    let stream = lines(&stdout(&output(&["max", "--lab", "open", "-f", "ndjson"])));
    let document: Value =
        serde_json::from_slice(&output(&["max", "--lab", "open", "-f", "json"]).stdout).unwrap();
    let verdict = stream
        .iter()
        .find(|line| line["type"] == "verdict")
        .unwrap();
    for field in ["target", "status", "confidence", "summary", "techniques"] {
        assert_eq!(verdict[field], document["verdicts"][0][field], "{field}");
    }
}

#[test]
fn a_status_that_must_not_be_found_fails_the_run() {
    let blocked = ["--lab", "nxdomain_by_isp_resolver", "-f", "human", "-q"];
    let with = |more: &[&str]| code(&output(&[&blocked[..], more].concat()));
    assert_eq!(with(&[]), 0, "measured, whatever was found");
    assert_eq!(with(&["--fail-on", "blocked"]), 1);
    assert_eq!(with(&["--fail-on", "degraded,blocked"]), 1);
    assert_eq!(with(&["max", "--fail-on", "blocked"]), 0);
}

#[test]
fn what_cannot_be_measured_exits_three() {
    for scenario in ["offline", "captive_portal"] {
        assert_eq!(
            code(&output(&["--lab", scenario, "-f", "json"])),
            3,
            "{scenario}"
        );
    }
}

#[test]
fn a_file_gets_the_format_of_its_name_and_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    for (name, begin) in [
        ("run.json", "{\n"),
        ("run.ndjson", "{\"type\""),
        ("run.txt", "\n"),
        ("run.csv", "run_id,"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, "OLDER-CONTENT").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let run = output(&["max", "--lab", "open", "-o", path.to_str().unwrap()]);
        assert_eq!(code(&run), 0, "{}", stderr(&run));
        assert!(run.stdout.is_empty());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(begin) || name == "run.txt",
            "{name}: {text}"
        );
        assert!(!text.contains('\x1b') && !text.contains("OLDER"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{name}");
    }
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        4,
        "nothing is left over"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_the_run() {
    for path in ["/nonexistent/report.json", "/", "report", "report.xml.gz"] {
        let run = output(&["--lab", SLOW, "-o", path]);
        assert_eq!(code(&run), 2, "{path}");
        assert!(stderr(&run).contains("hint:"), "{}", stderr(&run));
    }
}

#[test]
fn no_colours_go_into_a_pipe_unless_asked_for() {
    let human = ["max", "--lab", "open", "-f", "human"];
    let plain = output(&human);
    assert!(stdout(&plain).contains("MAX"));
    assert!(!stdout(&plain).contains('\x1b'));
    let coloured = output(&[&human[..], &["--color", "always"]].concat());
    assert!(stdout(&coloured).contains("\x1b["));
    let no_color = blockprobe(&[&human[..], &["--color", "auto"]].concat())
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "")
        .output()
        .unwrap();
    assert!(!stdout(&no_color).contains('\x1b'));
}

#[test]
fn a_pipe_is_as_wide_as_columns_says() {
    let widest = |columns: &str| {
        let run = blockprobe(&["max", "--lab", "open", "-f", "human", "-vv"])
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        let text = stdout(&run);
        assert!(text.contains("MAX"), "{}", stderr(&run));
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    assert!(widest("60") <= 60);
    let wide = widest("120");
    assert!(wide > 60 && wide <= 120, "{wide}");
}

#[test]
fn quiet_tells_one_line_a_target() {
    let run = output(&["--lab", "open", "-f", "human", "-q"]);
    assert_eq!(stdout(&run).lines().count(), 4, "{}", stdout(&run));
}

#[test]
fn a_selftest_of_one_scenario_passes_and_says_so() {
    let run = output(&["selftest", "open"]);
    assert_eq!(code(&run), 0, "{}", stdout(&run));
    assert!(
        stdout(&run).ends_with("1 passed, 0 failed\n"),
        "{}",
        stdout(&run)
    );
    let list = stdout(&output(&["selftest", "--list"]));
    assert!(list.contains("nxdomain_by_isp_resolver"));
}
