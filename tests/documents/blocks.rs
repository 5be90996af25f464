//! Every block of code that needs no network is run, and every example of the help texts.

use std::fs;
use std::path::Path;

use blockprobe::catalog::load;
use serde_json::Value;

use crate::needs;
use crate::place::Place;
use crate::text::{blocks, documents};

/// What a block that is not run may begin its lines with. So the mark hides no command of ours.
const FOREIGN: &[&str] = &[
    "#",
    "cargo ",
    "tests/run",
    "sudo ",
    "rustup ",
    "scp ",
    "rsync ",
    "systemctl ",
];

#[test]
fn every_block_of_code_runs() {
    if !needs::programs(&["bash", "jq", "zstd"]) {
        return;
    }
    for document in documents() {
        let place = Place::new();
        crate::cookbook::save_reports(&place, 1);
        for block in blocks(&document) {
            match block.language.as_str() {
                "sh" if block.is_not_run => {
                    for line in block.text.lines() {
                        let is_foreign = FOREIGN.iter().any(|word| line.starts_with(word));
                        assert!(is_foreign, "{document}: this could be run: {line}");
                    }
                }
                "sh" => drop(place.succeed(&block.text)),
                "toml" => check(&document, &place, &block.text),
                "json" => drop(serde_json::from_str::<Value>(&block.text).expect(&document)),
                // Tested beside this: `archive`, `cookbook`.
                "cron" | "sql" | "python" | "ini" | "text" => {}
                language => panic!("{document}: nothing tests a block of {language:?}"),
            }
        }
    }
}

/// Definitions are valid. Those whose first line names a file are written there, for the commands that follow.
fn check(document: &str, place: &Place, text: &str) {
    load("example.toml", text.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    let first = text.lines().next().unwrap_or_default();
    if let Some(name) = first
        .strip_prefix("# ")
        .filter(|it| Path::new(it).extension().is_some_and(|it| it == "toml"))
    {
        fs::write(place.work().join(name), text).unwrap();
    }
}

#[test]
fn every_example_of_the_help_texts_runs() {
    if !needs::programs(&["bash", "man"]) {
        return;
    }
    let place = Place::new();
    place.succeed("blockprobe -q -f json -o free.json; for name in report.json a.json b.json run.json; do cp free.json $name; done; zstd -q free.json -o free.ndjson.zst");
    fs::write(place.work().join("my.toml"), EXAMPLE).unwrap();
    for file in ["signal.toml", "own.toml", "a.toml", "b.toml"] {
        fs::write(place.work().join(file), EXAMPLE).unwrap();
    }
    let another = EXAMPLE.replace("signal", "wire").replace("Signal", "Wire");
    fs::write(place.work().join("b.toml"), another).unwrap();
    for command in [
        "",
        "run",
        "list",
        "check",
        "analyze",
        "explain",
        "schema",
        "completions",
        "man",
        "selftest",
    ] {
        let help = place.succeed(&format!("blockprobe {command} --help"));
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command}: {help}");
        for example in examples {
            play(&place, &example);
        }
    }
}

const EXAMPLE: &str = "[[target]]\nid = \"signal\"\nname = \"Signal\"\n[[target.service]]\nid = \"chat\"\nessential = true\n\
                       [[target.service.endpoint]]\nprotocol = \"tls\"\nhosts = [\"chat.signal.org\"]\n";

/// Runs an example, but for those that need another machine or take long.
fn play(place: &Place, example: &str) {
    let is_elsewhere = ["ssh ", "https://", "curl "]
        .iter()
        .any(|it| example.contains(it));
    // The whole selftest is a step of its own in CI.
    if is_elsewhere
        || example == "blockprobe selftest"
        || example.starts_with("blockprobe selftest -")
    {
        return;
    }
    let output = place.shell(&format!("mkdir -p ~/.local/share/bash-completion/completions ~/.config/fish/completions ~/.local/share/man/man1; {example}"), &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    // 1: `--fail-on` found something, which an example may show.
    let code = output.status.code().unwrap_or(-1);
    assert!([0, 1].contains(&code), "{example}: {code}\n{said}");
}

/// The commands under `Examples:`: two spaces before, two or more behind.
fn examples(help: &str) -> Vec<String> {
    let after = help.split("Examples:\n").nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| line.starts_with("  "));
    lines
        .filter(|line| !line.starts_with("   "))
        .map(|line| {
            line.trim_start()
                .split("  ")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|it| it.contains("blockprobe "))
        .collect()
}
