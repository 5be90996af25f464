//! Runs that end before their time: killed, interrupted, out of time. What was measured is whole and valid.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{SLOW, blockprobe, code, lines, output};

#[test]
fn a_killed_run_leaves_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.ndjson");
    let mut child = blockprobe(&["--lab", SLOW, "-o", path.to_str().unwrap()])
        .spawn()
        .unwrap();
    while !has_lines(&path, 3) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let left = lines(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(left[0]["type"], "started");
}

fn has_lines(path: &Path, count: usize) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().count() >= count)
}

#[test]
fn an_interrupted_run_keeps_what_was_measured() {
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let (child, mut reader, mut text) = under_way(&["--lab", SLOW, "-f", "ndjson"]);
        signal(&child, name);
        reader.read_to_string(&mut text).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{name}");
        let lines = lines(&text);
        let last = lines.last().unwrap();
        assert_eq!(last["type"], "finished");
        assert_eq!(last["run"]["interrupted"], true);
        assert_eq!(
            lines
                .iter()
                .filter(|line| line["type"] == "verdict")
                .count(),
            4
        );
    }
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let (mut child, reader, _) = under_way(&["--lab", SLOW, "-f", "ndjson"]);
    signal(&child, "INT");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("interrupted"), "{line}");
    // The run may be over by now, which is the same status.
    let _ = kill(&child, "INT").output();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(reader);
}

#[test]
fn a_run_whose_time_is_up_is_interrupted_and_exits_with_three() {
    let began = Instant::now();
    let run = output(&["--lab", SLOW, "-f", "json", "--timeout", "0.05"]);
    assert!(began.elapsed() < Duration::from_secs(10));
    let report: Value = serde_json::from_slice(&run.stdout).expect("a whole document");
    assert_eq!(report["run"]["interrupted"], true);
    assert_eq!(code(&run), 3);
}

/// The command as a terminal starts it: a test under `nohup` would hand on that a hangup is ignored.
pub fn hearing(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command
        .arg("--default-signal=HUP")
        .arg(env!("CARGO_BIN_EXE_blockprobe"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

pub fn signal(child: &Child, name: &str) {
    let sent = kill(child, name)
        .status()
        .expect("every system has a shell");
    assert!(sent.success());
}

/// By the shell's own `kill`: the program is not on every machine.
fn kill(child: &Child, name: &str) -> Command {
    let mut command = Command::new("sh");
    let id = child.id().to_string();
    command.args(["-c", "kill -s \"$0\" \"$1\"", name, &id]);
    command
}

/// A run that has written its first line: it is under way.
fn under_way(arguments: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = hearing(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    reader.read_line(&mut first).expect("a line");
    assert!(first.contains("\"started\""), "{first}");
    (child, reader, first)
}
