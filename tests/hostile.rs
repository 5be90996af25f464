//! Servers and resolvers that mean harm, met by the whole command: it ends within its limits and its memory, and what it
//! writes is whole, valid and fit for a terminal.

use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blockprobe::lab::scenarios::HOSTILE;
use blockprobe::measure::limits::Limits;
use blockprobe::output::schema;
use serde_json::Value;

/// What a hostile internet may cost beyond an open one, lab and product in one process. A debug build is larger than the one
/// whose budget of 40 MB `cargo bench --bench figures -- memory` measures, so an open run is what it is held against.
const MORE_KIB: u64 = 24 << 10;

/// Between two looks at a child's peak.
const LOOK: Duration = Duration::from_millis(20);

/// Runs at once.
const AT_ONCE: usize = 3;

/// A machine with other work on it is late, and a build for tests inflates slowly: one check was seen to end 6 s after its time. What
/// hangs is later than this.
const LATE: Duration = Duration::from_secs(15);

#[test]
fn every_hostile_server_is_survived_within_the_limits() {
    let waiting: Mutex<Vec<&str>> = Mutex::new(HOSTILE.iter().map(|it| it.name).collect());
    let (_, open) = play("open");
    let validator = jsonschema::validator_for(&schema::report().to_value()).expect("a schema");
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(name) = take(&waiting) {
                    let (output, peak) = play(name);
                    assert!(
                        peak < open + MORE_KIB,
                        "{name}: {peak} KiB, open {open} KiB"
                    );
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
}

fn take<'a>(waiting: &Mutex<Vec<&'a str>>) -> Option<&'a str> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// Plays it in a process of its own; what that wrote, and its peak in KiB.
fn play(name: &str) -> (Output, u64) {
    let child = Command::new(env!("CARGO_BIN_EXE_blockprobe"))
        .args(["run", "--lab", name, "-f", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let path = format!("/proc/{}/status", child.id());
    // `ru_maxrss` of a child counts what its parent held; this does not.
    let watching = std::thread::spawn(move || {
        let mut peak = 0;
        while let Some(now) = high_water(&path) {
            peak = now;
            std::thread::sleep(LOOK);
        }
        peak
    });
    let output = child.wait_with_output().expect("it ends");
    (output, watching.join().expect("a number"))
}

/// Peak resident memory of a process that lives, in KiB.
fn high_water(path: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
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
