//! `blockprobe selftest` and the lab as their users meet them: formats, limits, and a scenario that comes out wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{blockprobe, code, output, stderr, stdout};

/// The command with a limit of open files, hard and soft.
fn with_files(limit: u32, arguments: &[&str]) -> Output {
    let script = format!(r#"ulimit -n {limit} && exec "$0" "$@""#);
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_blockprobe")])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_lab_refuses_a_low_limit_of_open_files_before_it_plays() {
    for arguments in [
        &["--lab", "open", "-f", "json"][..],
        &["selftest", "open"],
        &["selftest", "open", "-f", "json"],
    ] {
        let refused = with_files(1024, arguments);
        assert_eq!(code(&refused), 2, "{arguments:?}");
        assert!(stdout(&refused).is_empty(), "{}", stdout(&refused));
        assert_eq!(
            stderr(&refused),
            "error: needs 4096 open files, the limit is 1024 (hard)\nhint: raise it: ulimit -n 4096\n"
        );
    }
    let played = with_files(4096, &["max", "--lab", "open", "-f", "json"]);
    assert_eq!(code(&played), 0, "{}", stderr(&played));
}

#[test]
fn a_run_that_may_open_too_few_files_says_so_and_nothing_of_the_network() {
    for limit in [16, 24, 63] {
        let refused = with_files(limit, &["max", "-f", "json"]);
        assert_eq!(code(&refused), 2);
        assert!(stdout(&refused).is_empty());
        let expected = format!("needs 64 open files, the limit is {limit} (hard)");
        assert!(stderr(&refused).contains(&expected), "{}", stderr(&refused));
    }
}

#[test]
fn a_scenario_that_comes_out_right_is_one_line_and_a_count() {
    let run = output(&["selftest", "open", "--jobs", "1"]);
    assert_eq!(code(&run), 0, "{}", stdout(&run));
    let told = stdout(&run);
    assert!(told.starts_with("✓ ok"), "{told}");
    assert!(told.ends_with("\n1 passed, 0 failed\n"), "{told}");
    let quiet = output(&["selftest", "open", "-q"]);
    assert_eq!(stdout(&quiet), "\n1 passed, 0 failed\n");
}

#[test]
fn a_scenario_that_comes_out_wrong_is_played_again_before_it_is_called_wrong() {
    // A file where the report is to go: the scenario cannot be played, now and later.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("open.json")).unwrap();
    let folder = folder.path().to_str().unwrap();
    let run = output(&["selftest", "open", "pihole", "--save", folder]);
    assert_eq!(code(&run), 1);
    let told = stdout(&run);
    let at = |words: &str| {
        told.find(words)
            .unwrap_or_else(|| panic!("{words}: {told}"))
    };
    assert!(at("↻ again   open") < at("✓ ok      pihole"), "{told}");
    assert!(at("✓ ok      pihole") < at("✗ failed  open"), "{told}");
    assert!(told.contains("could not be played"), "{told}");
    assert!(told.ends_with("\n1 passed, 1 failed\n"), "{told}");
}

#[test]
fn programs_read_a_document_and_people_read_beside_it() {
    let run = output(&["selftest", "open", "pihole", "-f", "json"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    let document: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(
        (&document["passed"], &document["failed"]),
        (&2.into(), &0.into())
    );
    assert_eq!(document["scenarios"][1]["scenario"], "pihole");
    assert!(
        stderr(&run).contains("✓ ok      pihole"),
        "{}",
        stderr(&run)
    );
    let quiet = output(&["selftest", "open", "-q", "-f", "junit"]);
    assert!(stdout(&quiet).starts_with("<?xml"), "{}", stdout(&quiet));
    assert_eq!(stderr(&quiet), "\n1 passed, 0 failed\n");
}

#[test]
fn the_suffix_of_the_file_says_its_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, begins) in [("a.json", "{"), ("a.XML", "<?xml"), ("a.txt", "✓ ok")] {
        let run = output(&["selftest", "open", "-o", path(name).to_str().unwrap()]);
        assert_eq!(code(&run), 0, "{}", stderr(&run));
        assert!(stdout(&run).ends_with("1 passed, 0 failed\n"));
        let saved = fs::read_to_string(path(name)).unwrap();
        assert!(saved.starts_with(begins), "{saved}");
    }
    let unknown = path("a.pdf");
    let refused = output(&["selftest", "open", "-o", unknown.to_str().unwrap()]);
    assert_eq!(code(&refused), 2);
    assert!(stdout(&refused).is_empty() && !unknown.exists());
}

#[test]
fn the_number_of_jobs_is_said_by_a_flag_or_by_the_environment() {
    let jobs = |command: &mut Command| -> Value {
        let run = command.output().unwrap();
        let document: Value = serde_json::from_slice(&run.stdout).unwrap();
        document["jobs"].clone()
    };
    let json = ["selftest", "open", "-q", "-f", "json"];
    assert_eq!(jobs(blockprobe(&json).env("BLOCKPROBE_JOBS", "3")), 3);
    assert_eq!(jobs(blockprobe(&json).args(["--jobs", "5"])), 5);
    for wrong in ["0", "many", "1000"] {
        assert_eq!(code(&output(&["selftest", "open", "--jobs", wrong])), 2);
    }
}

/// What PyPI's `junitparser` says of a file: tests, failures, and each case's name and failure.
const SCRIPT: &str = "
import sys
from junitparser import JUnitXml
xml = JUnitXml.fromfile(sys.argv[1])
print(xml.tests, xml.failures)
for suite in xml:
    for case in suite:
        print(case.name, [(it.message, it.text) for it in case.result])
";

#[test]
fn a_build_servers_library_reads_our_junit() {
    let Some(packages) = junitparser() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("open.json")).unwrap();
    let file = folder.path().join("selftest.xml");
    let (save, xml) = (folder.path().to_str().unwrap(), file.to_str().unwrap());
    let run = output(&["selftest", "open", "pihole", "--save", save, "-o", xml]);
    assert_eq!(code(&run), 1);
    let read = Command::new("python3")
        .args(["-c", SCRIPT, xml])
        .env("PYTHONPATH", packages)
        .output()
        .unwrap();
    let told = String::from_utf8(read.stdout).unwrap();
    assert!(
        read.status.success(),
        "{told} {}",
        String::from_utf8_lossy(&read.stderr)
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines[0], lines[2]), ("2 1", "pihole []"));
    assert!(
        lines[1].starts_with("open [('could not be played:"),
        "{told}"
    );
}

/// Where `junitparser` is installed. Without it the test is skipped aloud, and fails in CI.
fn junitparser() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign/python");
    let found = Command::new("python3")
        .args(["-c", "import junitparser"])
        .env("PYTHONPATH", &folder)
        .stderr(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    let trouble = "Python's junitparser is not installed\n\
        hint: python3 -m pip install --target target/foreign/python junitparser==5.0.3";
    assert!(std::env::var_os("CI").is_none(), "{trouble}");
    eprintln!("SKIPPED: {trouble}");
    None
}
