//! What is written where: several files at once, packed, locked, through links, and never lost.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::ending::{hearing, signal};
use super::{SLOW, blockprobe, code, lines, output, stderr, stdout};

fn told(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits until this holds, while the run goes on.
fn meanwhile(child: &mut std::process::Child, mut holds: impl FnMut() -> bool) {
    while !holds() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::yield_now();
    }
}

#[test]
fn two_runs_into_one_file_leave_it_readable() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["two.ndjson", "two.json", "two.ndjson.zst"] {
        let path = directory.path().join(name);
        let start = || {
            blockprobe(&["--lab", "open", "-o", told(&path)])
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let runs = [start(), start()].map(|run| run.wait_with_output().unwrap());
        let refused = runs.iter().filter(|run| code(run) == 2);
        for run in refused {
            assert!(
                stderr(run).contains("another run writes to it"),
                "{}",
                stderr(run)
            );
        }
        assert!(runs.iter().any(|run| code(run) == 0));
        let read = output(&["analyze", told(&path), "-f", "json"]);
        assert_eq!(code(&read), 0, "{}", stderr(&read));
        let reports: Vec<Value> = serde_json::from_str(&stdout(&read)).unwrap();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0]["run"]["interrupted"], false);
    }
    assert_eq!(names(directory.path()).len(), 3);
}

#[test]
fn killed_runs_keep_their_label_and_mixed_lines_are_joined_by_run() {
    let directory = tempfile::tempdir().unwrap();
    let killed = |label: &str| -> Vec<String> {
        let path = directory.path().join(format!("{label}.ndjson"));
        let mut child = blockprobe(&[
            "--lab",
            SLOW,
            "-o",
            told(&path),
            "--label",
            label,
            "--asn",
            "64500",
            "--country",
            "de",
            "--tag",
            "line=home",
        ])
        .spawn()
        .unwrap();
        let text = || fs::read_to_string(&path).unwrap_or_default();
        meanwhile(&mut child, || text().lines().count() > 20);
        child.kill().unwrap();
        child.wait().unwrap();
        let text = text();
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(str::to_owned)
            .collect()
    };
    let (one, two) = (killed("one"), killed("two"));
    let run_id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["run_id"].clone();
    for run in [&one, &two] {
        assert!(run[0].contains("\"label\":"));
        assert!(run.iter().all(|line| run_id(line) == run_id(&run[0])));
    }
    assert_ne!(run_id(&one[0]), run_id(&two[0]));
    let observations = |run: &[String]| {
        run.iter()
            .filter(|it| it.contains("\"type\":\"observation\""))
            .count()
    };
    // One line of each in turn.
    let mixed: String = (0..one.len().max(two.len()))
        .flat_map(|at| [one.get(at), two.get(at)])
        .flatten()
        .cloned()
        .collect();
    let path = directory.path().join("mixed.ndjson");
    fs::write(&path, mixed).unwrap();
    let read = output(&["analyze", told(&path), "-f", "json"]);
    let reports: Vec<Value> = serde_json::from_str(&stdout(&read)).unwrap();
    assert_eq!(reports.len(), 2, "{}", stderr(&read));
    for (report, (label, run)) in reports.iter().zip([("one", &one), ("two", &two)]) {
        assert_eq!(report["vantage"]["label"], label);
        assert_eq!(report["vantage"]["asn"], "AS64500");
        assert_eq!(report["vantage"]["country"], "DE");
        assert_eq!(report["vantage"]["tags"]["line"], "home");
        assert_eq!(report["run"]["interrupted"], true);
        assert_eq!(
            report["observations"].as_array().unwrap().len(),
            observations(run)
        );
    }
}

#[test]
fn a_stream_of_an_older_version_is_read_as_before() {
    let stream = stdout(&output(&["--lab", "open", "--label", "here"]));
    let older: String = lines(&stream)
        .into_iter()
        .map(|mut line| {
            let is_verdict = line["type"] == "verdict";
            let fields = line.as_object_mut().unwrap();
            for field in [
                "run_id",
                "started_at",
                "label",
                "tags",
                "asn",
                "country",
                "definitions",
            ] {
                fields.remove(field);
            }
            if is_verdict {
                fields.remove("software");
            }
            line.to_string() + "\n"
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let judged = |text: &str| {
        let path = directory.path().join("x.ndjson");
        fs::write(&path, text).unwrap();
        let judged = output(&["analyze", told(&path), "-f", "json"]);
        assert_eq!(code(&judged), 0, "{}", stderr(&judged));
        stdout(&judged)
    };
    assert!(judged(&stream) == judged(&older));
    assert_eq!(judged(&older.repeat(2)).matches("\"format\"").count(), 2);
}

#[test]
fn one_run_fills_several_files_and_each_is_packed_as_its_name_says() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let files = [
        "a.json",
        "b.NDJSON.ZST",
        "c.jsonl.gz",
        "d.csv.gz",
        "e.txt.zst",
    ];
    let mut arguments = vec!["max", "--lab", "open", "-o", "-"];
    let paths = files.map(place);
    for path in &paths {
        arguments.extend(["-o", told(path)]);
    }
    let run = output(&arguments);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let stream = lines(&stdout(&run));
    let unpacked = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let mut text = String::new();
        if told(path).to_lowercase().ends_with(".zst") {
            ruzstd::decoding::StreamingDecoder::new(&bytes[..])
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
        } else {
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut text)
                .unwrap();
        }
        text
    };
    for packed in [&paths[1], &paths[2]] {
        assert_eq!(lines(&unpacked(packed)), stream);
    }
    assert!(unpacked(&paths[3]).starts_with("run_id,started_at,day,"));
    assert!(unpacked(&paths[4]).contains("MAX"));
    let document: Value = serde_json::from_slice(&fs::read(&paths[0]).unwrap()).unwrap();
    assert_eq!(document["run"]["id"], stream[0]["run_id"]);
    assert_eq!(names(directory.path()).len(), files.len());
}

#[test]
fn a_link_is_followed_and_a_hangup_keeps_what_was_measured() {
    let directory = tempfile::tempdir().unwrap();
    let (link, target) = (
        directory.path().join("latest.json"),
        directory.path().join("report.json"),
    );
    symlink("report.json", &link).unwrap();
    let mut child = hearing(&["--lab", SLOW, "-o", told(&link)])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    meanwhile(&mut child, || names(directory.path()).len() > 1);
    // The watch for signals stands before the file is opened.
    signal(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let report: Value = serde_json::from_slice(&fs::read(&target).unwrap()).unwrap();
    assert_eq!(report["run"]["interrupted"], true);
    assert_eq!(
        fs::metadata(&target).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names(directory.path()), ["latest.json", "report.json"]);
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    let mut child = blockprobe(&["--lab", SLOW, "-o", told(&path)])
        .spawn()
        .unwrap();
    meanwhile(&mut child, || names(directory.path()).len() == 1);
    let second = output(&["max", "--lab", "open", "-o", told(&path)]);
    assert_eq!(code(&second), 2, "the first is still at work");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(directory.path()).len(), 1);
    let third = output(&["max", "--lab", "open", "-o", told(&path)]);
    assert_eq!(code(&third), 0, "{}", stderr(&third));
    assert_eq!(names(directory.path()), ["x.json"]);
}

#[test]
fn a_file_that_cannot_take_its_place_is_kept_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    let mut child = blockprobe(&["--lab", SLOW, "--timeout", "1", "-o", told(&path)])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    meanwhile(&mut child, || names(directory.path()).len() == 1);
    fs::create_dir(&path).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(code(&ended), 2);
    let names = names(directory.path());
    let kept = names
        .iter()
        .find(|name| *name != "x.json")
        .expect("a report");
    assert!(names.len() == 2 && !kept.starts_with('.'), "{names:?}");
    assert!(stderr(&ended).contains(kept), "{}", stderr(&ended));
    let bytes = fs::read(directory.path().join(kept)).unwrap();
    serde_json::from_slice::<Value>(&bytes).expect("a whole report");
}

#[test]
fn a_mount_point_is_written_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount --bind under over.json && exec \"$0\" max --lab open -o over.json";
    for name in ["under", "over.json"] {
        fs::write(directory.path().join(name), "old").unwrap();
    }
    let possible = Command::new("unshare")
        .args(["-rm", "true"])
        .output()
        .is_ok_and(|tried| tried.status.success());
    if !possible {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has to allow mount namespaces"
        );
        eprintln!("skipped: a mount namespace is not allowed here");
        return;
    }
    let run = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_blockprobe")])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let report: Value =
        serde_json::from_slice(&fs::read(directory.path().join("under")).unwrap()).unwrap();
    assert_eq!(report["verdicts"][0]["target"], "max");
    assert_eq!(names(directory.path()), ["over.json", "under"]);
}

#[test]
fn a_full_disk_loses_no_report_and_the_error_says_which_file_and_where_it_is_now() {
    let directory = tempfile::tempdir().unwrap();
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for (file, named) in [
        (Some("/dev/full"), "/dev/full: "),
        (None, "standard output: "),
    ] {
        let mut command = blockprobe(&["max", "--lab", "open", "-f", "json"]);
        command.current_dir(directory.path()).stderr(Stdio::piped());
        if let Some(file) = file {
            command.args(["-o", file]);
        } else {
            command.stdout(full());
        }
        let run = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(code(&run), 2);
        let said = stderr(&run);
        assert!(said.contains(named), "{said}");
        let names = names(directory.path());
        assert!(
            names.len() == 1 && said.contains(&names[0]),
            "{names:?}: {said}"
        );
        let path = directory.path().join(&names[0]);
        let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(report["verdicts"][0]["target"], "max");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_closed_standard_output_is_an_error_before_anything_is_measured() {
    for arguments in ["--lab open", "--lab open -f json", "list", "schema report"] {
        let script = format!("exec \"$0\" {arguments} >&-");
        let run = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_blockprobe")])
            .output()
            .unwrap();
        assert_eq!(code(&run), 2, "{arguments}");
        assert!(
            stderr(&run).contains("standard output is closed"),
            "{}",
            stderr(&run)
        );
    }
    // What is thrown away on purpose is another thing.
    let run = blockprobe(&["list"])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(run.code(), Some(0));
}

#[test]
fn a_quiet_stream_is_short_and_keeps_its_verdicts() {
    let censored = ["--lab", "nxdomain_by_isp_resolver"];
    let run = output(&[&censored[..], &["-q"]].concat());
    let stream = lines(&stdout(&run));
    let kinds: Vec<_> = stream
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "started", "verdict", "verdict", "verdict", "verdict", "finished"
        ]
    );
    let mut again = blockprobe(&["analyze", "-", "-f", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    again.stdin.take().unwrap().write_all(&run.stdout).unwrap();
    let again = again.wait_with_output().unwrap();
    assert_eq!(stdout(&again), stdout(&run));
    assert!(stdout(&again).contains("\"status\":\"blocked\""));
}

#[test]
fn quiet_says_on_standard_error_why_nothing_was_measured() {
    let run = output(&["--lab", "offline", "-q", "-f", "human"]);
    assert_eq!((code(&run), stdout(&run).lines().count()), (3, 4));
    assert!(!stderr(&run).trim().is_empty());
    let run = output(&["--lab", "open", "-q", "-f", "human", "--timeout", "0.05"]);
    assert_eq!(code(&run), 3);
    assert!(
        stderr(&run).contains("cut short after 0."),
        "{}",
        stderr(&run)
    );
    let run = output(&["--lab", "open", "-q", "-f", "human"]);
    assert_eq!(stderr(&run), "");
}

#[test]
fn the_environment_gives_options_and_is_blamed_for_them() {
    let run = blockprobe(&["max"])
        .envs([
            ("BLOCKPROBE_LAB", "open"),
            ("BLOCKPROBE_FORMAT", "csv"),
            ("BLOCKPROBE_LABEL", "from-here"),
            ("BLOCKPROBE_QUIET", "1"),
        ])
        .output()
        .unwrap();
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    assert!(stdout(&run).contains(",from-here,"), "{}", stdout(&run));
    for (arguments, variable, value) in [
        (&["--lab", "open"][..], "BLOCKPROBE_TIMEOUT", "soon"),
        (&["--lab", "open"], "BLOCKPROBE_COUNTRY", "Germany"),
        (&["analyze", "x"], "BLOCKPROBE_FAIL_ON", "broken"),
        (&["--lab", "open"], "BLOCKPROBE_RESOLVER", "192.0.2.1"),
    ] {
        let refused = blockprobe(arguments).env(variable, value).output().unwrap();
        assert_eq!(code(&refused), 2, "{variable}");
        assert!(stderr(&refused).contains(variable), "{}", stderr(&refused));
    }
    let own = blockprobe(&["--timeout", "soon"])
        .env("BLOCKPROBE_TIMEOUT", "1")
        .output()
        .unwrap();
    assert!(
        !stderr(&own).contains("BLOCKPROBE_TIMEOUT"),
        "{}",
        stderr(&own)
    );
}

#[test]
fn several_reports_make_one_table_and_flat_rows() {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (scenario, label) in [("nxdomain_by_isp_resolver", "moscow"), ("open", "berlin")] {
        let path = directory.path().join(format!("{label}.json"));
        let run = output(&["--lab", scenario, "--label", label, "-o", told(&path)]);
        assert_eq!(code(&run), 0, "{}", stderr(&run));
        paths.push(told(&path).to_owned());
    }
    let both = |more: &[&str]| {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let judged = output(&[&["analyze"], &paths[..], more].concat());
        assert_eq!(code(&judged), 0, "{}", stderr(&judged));
        stdout(&judged)
    };
    let table = both(&["--summary"]);
    assert_eq!(
        table.lines().filter(|line| line.starts_with("20")).count(),
        2,
        "{table}"
    );
    assert!(
        table.contains("✗ blocked") && table.contains("nxdomain"),
        "{table}"
    );
    assert!(table.find("berlin") < table.find("moscow"), "{table}");
    assert_eq!(both(&["--summary", "-f", "csv"]).lines().count(), 1 + 8);
    let rows = both(&["-f", "csv"]);
    assert_eq!(rows.matches("run_id").count(), 1, "one header");
    assert!(rows.contains(",moscow,") && rows.contains(",berlin,"));
    // A person reads them in the order of time, whatever the order of the files.
    let human = both(&["-f", "human"]);
    assert!(
        human.find("· moscow ·") < human.find("· berlin ·"),
        "{human}"
    );
}

#[test]
fn on_a_terminal_a_person_sees_the_result_that_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = blockprobe(&["max", "--lab", "open", "-o", told(&path)])
        .stdout(Stdio::from(terminal.slave.try_clone().unwrap()))
        .stderr(Stdio::from(terminal.slave))
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    // The terminal ends in an error when its last writer is gone.
    let _ = fs::File::from(terminal.master).read_to_end(&mut seen);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let seen = String::from_utf8_lossy(&seen);
    assert!(seen.contains("all 9 services"), "{seen}");
    let saved = format!("saved {} (", told(&path));
    assert!(seen.contains(&saved), "{seen}");
    assert!(fs::metadata(&path).unwrap().len() > 0);
}

#[test]
fn a_terminal_that_hangs_up_costs_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let terminal = nix::pty::openpty(None, None).unwrap();
    // The run must not hold the other end of its own terminal.
    let flag = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    nix::fcntl::fcntl(&terminal.master, flag).unwrap();
    let mut child = hearing(&["--lab", SLOW, "-o", told(&path)])
        .stdout(Stdio::from(terminal.slave.try_clone().unwrap()))
        .stderr(Stdio::from(terminal.slave))
        .spawn()
        .unwrap();
    meanwhile(&mut child, || names(directory.path()).len() == 1);
    drop(terminal.master);
    signal(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(129));
    let report: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(report["run"]["interrupted"], true);
    assert_eq!(names(directory.path()), ["run.json"]);
}
