//! Servers and resolvers that mean harm, met by the whole command: it ends within its limits and its memory, and what it
//! writes is whole, valid and fit for a terminal.

use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blockprobe::lab::scenarios::HOSTILE;
use blockprobe::measure::limits::Limits;
use blockprobe::output::schema;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

/// Peak of the process, the lab inside: the product's budget of 40 MB, and what the lab's own servers hold.
const MOST_KIB: i64 = (40 + 24) << 10;

/// Runs at once.
const AT_ONCE: usize = 3;

/// A machine with other work on it is late.
const LATE: Duration = Duration::from_secs(5);

#[test]
fn every_hostile_server_is_survived_within_the_limits() {
    let waiting: Mutex<Vec<&str>> = Mutex::new(HOSTILE.iter().map(|it| it.name).collect());
    let validator = jsonschema::validator_for(&schema::report().to_value()).expect("a schema");
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(name) = take(&waiting) {
                    let output = play(name);
                    let report = read(name, &output);
                    let wrong: Vec<String> = validator
                        .iter_errors(&report)
                        .map(|it| it.to_string())
                        .collect();
                    assert!(wrong.is_empty(), "{name}: {wrong:?}");
                    assert_within_limits(name, &report);
                    assert_nobody_is_accused(name, &report);
                }
            });
        }
    });
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("the kernel counts")
        .max_rss();
    println!("peak of the largest child: {peak} KiB");
    assert!(peak < MOST_KIB, "{peak} KiB");
}

fn take<'a>(waiting: &Mutex<Vec<&'a str>>) -> Option<&'a str> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn play(name: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_blockprobe"))
        .args(["run", "--lab", name, "-f", "json"])
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

/// The report, which is fit for any terminal; the exit status is that of a run, whatever was found.
fn read(name: &str, output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 3)), "{name}: {code:?}, {told}");
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    let raw = text.chars().find(|it| it.is_control() && *it != '\n');
    assert_eq!(raw, None, "{name}: a raw control character in the report");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// No check goes on for longer than a check may, and a run is a chain of few checks.
fn assert_within_limits(name: &str, report: &Value) {
    let limits = Limits::default();
    let longest = (limits.check + LATE).as_secs_f64();
    for observation in report["observations"].as_array().expect("a list") {
        let steps = observation["steps"].as_array().expect("a list");
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
            continue;
        };
        let took = seconds(&last["t"]) - seconds(&first["t0"]);
        assert!(took < longest, "{name}: {took} s for {}", observation["id"]);
    }
    let run = seconds(&report["run"]["duration_s"]);
    // Names, then servers, then two rounds of contrasts.
    let whole = 4.0 * limits.check.as_secs_f64();
    assert!(run < whole, "{name}: {run} s");
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("seconds")
}

fn assert_nobody_is_accused(name: &str, report: &Value) {
    for verdict in report["verdicts"].as_array().expect("a list") {
        let status = &verdict["status"];
        assert_ne!(status, "blocked", "{name}: {verdict}");
    }
}
