//! What the command says and offers: suggestions, completion, manual pages, explanations, definitions from anywhere.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{blockprobe, code, output, stderr, stdout};

const TARGET: &str = r#"
[[target]]
id = "mine"
name = "Mine"
[[target.service]]
id = "web"
essential = true
[[target.service.endpoint]]
protocol = "https"
hosts = ["mine.example"]
"#;

/// Runs it with that text on standard input.
fn fed(arguments: &[&str], text: &str) -> Output {
    let mut child = blockprobe(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn a_misspelt_command_is_answered_with_the_command() {
    for arguments in [&["analyse", "x.json"][..], &["help", "analyse"]] {
        let refused = output(arguments);
        assert_eq!(code(&refused), 2, "{arguments:?}");
        let told = stderr(&refused);
        assert!(told.starts_with("error: "), "{told}");
        assert!(told.contains("\nhint: did you mean "), "{told}");
        assert!(told.contains("`analyze`?"), "{told}");
        assert!(!told.contains("Usage:"), "{told}");
    }
    let twice = stderr(&output(&["run", "run"]));
    assert!(
        twice.contains("`run` is a command, not a target"),
        "{twice}"
    );
}

#[test]
fn an_unknown_scenario_does_not_bring_up_a_wall_of_names() {
    for arguments in [
        &["--lab", "opne"][..],
        &["selftest", "opne"],
        &["selftest", "nosuch"],
    ] {
        let told = stderr(&output(arguments));
        assert!(told.contains("blockprobe selftest --list"), "{told}");
        assert!(told.len() < 300, "{told}");
    }
}

#[test]
fn options_that_exclude_each_other_are_refused_without_unrelated_usage() {
    let line = "--lab open --timeout 3 --resolver 192.0.2.1";
    let told = stderr(&output(&line.split(' ').collect::<Vec<_>>()));
    assert!(told.contains("--resolver"), "{told}");
    assert!(
        !told.contains("Usage") && !told.contains("--timeout"),
        "{told}"
    );
}

#[test]
fn a_status_that_is_misspelt_gets_the_right_one() {
    let told = stderr(&output(&["--lab", "open", "--fail-on", "blokced"]));
    assert!(
        told.contains("hint: a similar value exists: 'blocked'"),
        "{told}"
    );
}

#[test]
fn targets_may_be_joined_by_commas() {
    let told = stdout(&output(&["list", "whatsapp,max"]));
    assert!(told.contains("WhatsApp") && told.contains("MAX"), "{told}");
    assert!(!told.contains("Telegram"), "{told}");
}

#[test]
fn a_plan_as_lines_has_the_endpoints_and_checks_of_the_document() {
    let document: Value = serde_json::from_slice(&output(&["list", "-f", "json"]).stdout).unwrap();
    let lines = super::lines(&stdout(&output(&["list", "-f", "ndjson"])));
    for (kind, field) in [("endpoint", "endpoints"), ("check", "checks")] {
        let mut of_kind = lines.iter().filter(|line| line["type"] == kind);
        for expected in document[field].as_array().unwrap() {
            let mut line = of_kind.next().expect("as many").clone();
            line.as_object_mut().unwrap().remove("type");
            assert_eq!(&line, expected);
        }
        assert_eq!(of_kind.count(), 0, "{kind}");
    }
}

#[test]
fn definitions_come_from_standard_input_once() {
    let valid = fed(&["check", "-"], TARGET);
    assert_eq!(code(&valid), 0, "{}", stderr(&valid));
    assert!(stdout(&valid).starts_with("<stdin>: valid (1 target, 1 service, 1 endpoint, "));
    let wrong = fed(&["check", "-"], "[[target]]\nid = 7\n");
    assert!(
        stderr(&wrong).contains("\n  --> <stdin>:2:6\n"),
        "{}",
        stderr(&wrong)
    );
    let listed = fed(&["list", "-d", "-"], TARGET);
    assert!(
        stdout(&listed).contains("https://mine.example"),
        "{}",
        stdout(&listed)
    );
    for arguments in [&["check", "-", "-"][..], &["list", "-d", "-", "-d", "-"]] {
        let twice = fed(arguments, TARGET);
        assert_eq!(code(&twice), 2);
        assert!(
            stderr(&twice).contains("is given twice"),
            "{}",
            stderr(&twice)
        );
    }
}

#[test]
fn several_definitions_are_measured_together_and_must_not_disagree() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mine = write("mine.toml", TARGET);
    let yours = write("yours.toml", &TARGET.replace("mine", "yours"));
    let again = write("again.toml", TARGET);
    let both = stdout(&output(&["list", "-d", &mine, "-d", &yours]));
    assert!(
        both.contains("mine.example") && both.contains("yours.example"),
        "{both}"
    );
    let refused = output(&["list", "-d", &mine, "-d", &again]);
    assert_eq!(code(&refused), 2);
    let told = stderr(&refused);
    assert!(told.contains("error: target `mine` is in "), "{told}");
    assert!(
        told.contains("mine.toml") && told.contains("again.toml"),
        "{told}"
    );
}

#[test]
fn techniques_are_explained_and_listed() {
    let one = stdout(&output(&["explain", "domain_name/nxdomain"]));
    assert!(one.starts_with("domain_name/nxdomain\n"), "{one}");
    assert!(one.contains("\nWhat else it could be\n"), "{one}");
    let all = stdout(&output(&["explain"]));
    assert!(all.lines().count() > 40, "{all}");
    let unknown = output(&["explain", "server_name/rest"]);
    assert_eq!(code(&unknown), 2);
    assert!(
        stderr(&unknown).contains("`server_name/reset`"),
        "{}",
        stderr(&unknown)
    );
}

/// What bash offers after this line, by the script that the program prints.
fn offered_by_bash(line: &str) -> Vec<String> {
    let script = r#"
        source <(blockprobe completions bash)
        COMP_WORDS=($1); [[ "$1" == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _clap_complete_blockprobe blockprobe "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_blockprobe"));
    let folder = program.parent().unwrap().to_str().unwrap();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let told = Command::new("bash")
        .args(["--norc", "-c", script, "bash", line])
        .env("PATH", path)
        .output()
        .expect("bash is there");
    stdout(&told)
        .lines()
        .map(|word| word.trim().to_owned())
        .collect()
}

#[test]
fn bash_completes_targets_scenarios_statuses_and_techniques() {
    for (line, expected) in [
        ("blockprobe te", &["telegram"][..]),
        ("blockprobe run whatsapp te", &["telegram"]),
        ("blockprobe list ma", &["max"]),
        ("blockprobe --lab rus", &["russia_2026"]),
        ("blockprobe selftest rus", &["russia_2026"]),
        (
            "blockprobe --fail-on ",
            &["accessible", "degraded", "blocked", "down", "inconclusive"],
        ),
        ("blockprobe --fail-on blocked,de", &["blocked,degraded"]),
        (
            "blockprobe explain domain_name/nx",
            &["domain_name/nxdomain"],
        ),
        ("blockprobe man sel", &["selftest"]),
    ] {
        assert_eq!(offered_by_bash(line), expected, "{line}");
    }
}

#[test]
fn fish_and_zsh_are_answered_too() {
    let ask = |shell: &str, words: &[&str]| {
        let mut command = blockprobe(&[&["--"], words].concat());
        let last = words.len() - 1;
        command
            .env("BLOCKPROBE_COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", last.to_string());
        stdout(&command.output().unwrap())
    };
    for shell in ["fish", "zsh"] {
        let told = ask(shell, &["blockprobe", "explain", "domain_name/nx"]);
        assert!(told.starts_with("domain_name/nxdomain"), "{shell}: {told}");
        let script = stdout(&output(&["completions", shell]));
        assert!(script.contains("BLOCKPROBE_COMPLETE="), "{script}");
        assert!(script.len() < 5000, "{script}");
    }
}

#[test]
fn every_command_has_a_manual_page_with_the_sections_people_look_for() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("man1");
    let written = output(&["man", "--out", folder.to_str().unwrap()]);
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    let help = stdout(&output(&["--help"]));
    for command in [
        "run",
        "list",
        "check",
        "analyze",
        "selftest",
        "explain",
        "schema",
        "completions",
        "man",
    ] {
        assert!(help.contains(command));
        let page = fs::read_to_string(folder.join(format!("blockprobe-{command}.1"))).unwrap();
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            assert!(
                page.contains(&format!("\n.SH {section}\n"))
                    || page.contains(&format!("\n.SH \"{section}\"\n")),
                "{section} is not in the page of {command}: {page}"
            );
        }
        assert_eq!(page, stdout(&output(&["man", command])));
    }
    let page = fs::read_to_string(folder.join("blockprobe.1")).unwrap();
    for part in [
        ".SH ENVIRONMENT",
        ".SH FILES",
        "NO_COLOR",
        "SSL_CERT_FILE",
        "\n\\fB143\\fR\n",
        "\\fBblockprobe\\-run\\fR(1)",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(code(&output(&["man", "rum"])), 2);
}
