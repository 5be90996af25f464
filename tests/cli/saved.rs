//! Saved reports on the command line: `analyze`, `--control` and `selftest --save`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::Value;

use super::{blockprobe, code, lines, output, stderr, stdout};

/// A censored run and an open one, measured once for all tests here.
static SAVED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    for (scenario, name) in [
        ("nxdomain_by_isp_resolver", "blocked.json"),
        ("open", "open.ndjson"),
    ] {
        let path = directory.path().join(name);
        let measured = output(&["--lab", scenario, "--label", "here", "-o", told(&path)]);
        assert_eq!(code(&measured), 0, "{}", stderr(&measured));
    }
    directory
});

fn saved(name: &str) -> PathBuf {
    SAVED.path().join(name)
}

fn told(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The one report of an array.
fn only(text: &str) -> Value {
    let mut reports = document(text);
    let reports = reports.as_array_mut().expect("an array");
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

/// A saved document as `analyze` writes it: in an array.
fn in_array(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    format!("[\n{}\n]\n", text.trim_end())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// What `analyze` says of these bytes on standard input.
fn piped(bytes: Vec<u8>, arguments: &[&str]) -> std::process::Output {
    let mut child = blockprobe(&[&["analyze", "-"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&bytes);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn a_saved_document_leads_to_the_very_same_document() {
    let path = saved("blocked.json");
    let again = output(&["analyze", told(&path), "-f", "json"]);
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert!(stdout(&again) == in_array(&path));
}

#[test]
fn a_saved_stream_leads_to_the_very_same_verdicts_in_its_own_order() {
    let path = saved("open.ndjson");
    let again = output(&["analyze", told(&path), "-f", "ndjson"]);
    assert_eq!(code(&again), 0);
    let judged = |text: &str| -> Vec<String> {
        let kept = |line: &&str| !line.starts_with("{\"type\":\"observation\"");
        text.lines().filter(kept).map(str::to_owned).collect()
    };
    assert!(judged(&stdout(&again)) == judged(&fs::read_to_string(&path).unwrap()));
}

#[test]
fn packed_reports_and_standard_input_are_read_too() {
    for name in ["blocked.json", "open.ndjson"] {
        let path = saved(name);
        let bytes = fs::read(&path).unwrap();
        let plain = stdout(&output(&["analyze", told(&path), "-f", "json"]));
        for packed in [
            bytes.clone(),
            gzip(&bytes),
            zstd(&bytes),
            [gzip(&bytes[..1000]), gzip(&bytes[1000..])].concat(),
        ] {
            let again = piped(packed, &["-f", "json"]);
            assert_eq!(code(&again), 0, "{}", stderr(&again));
            assert!(stdout(&again) == plain, "{name}");
        }
    }
}

#[test]
fn whole_lines_of_a_stream_that_was_cut_count_as_an_interrupted_run() {
    let bytes = fs::read(saved("open.ndjson")).unwrap();
    for cut in [bytes.len() / 3, bytes.len() / 2] {
        for packed in [bytes[..cut].to_vec(), gzip(&bytes)[..cut / 20].to_vec()] {
            let again = piped(packed, &["-f", "json"]);
            let report = only(&stdout(&again));
            assert_eq!(report["run"]["interrupted"], true);
            assert_eq!(report["verdicts"].as_array().unwrap().len(), 4);
        }
    }
}

#[test]
fn several_reports_are_told_one_after_the_other() {
    let (one, two) = (saved("blocked.json"), saved("open.ndjson"));
    let both = |format: &str| {
        let output = output(&["analyze", told(&one), told(&two), "-f", format]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let documents = document(&both("json"));
    assert_eq!(documents.as_array().unwrap().len(), 2);
    assert_eq!(documents[0]["verdicts"][3]["status"], "blocked");
    let human = both("human");
    for heading in [
        format!("== {} · here · 20", told(&one)),
        format!("== {} · here · 20", told(&two)),
    ] {
        assert!(human.contains(&heading), "{human}");
    }
    let stream = both("ndjson");
    let ends = lines(&stream)
        .iter()
        .filter(|line| line["type"] == "finished")
        .count();
    assert_eq!(ends, 2);
    // What was told of several is itself read again.
    let again = piped(stream.into_bytes(), &["-f", "json"]);
    assert_eq!(document(&stdout(&again)).as_array().unwrap().len(), 2);
    let again = piped(documents.to_string().into_bytes(), &["-f", "json"]);
    assert!(document(&stdout(&again)) == documents);
}

#[test]
fn what_is_no_report_is_refused_with_its_place_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let bytes = fs::read(saved("blocked.json")).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let stream = fs::read_to_string(saved("open.ndjson")).unwrap();
    let second = stream.find('\n').unwrap() + 1;
    for (given, expected) in [
        (b"".to_vec(), "x is empty"),
        (b"hello".to_vec(), "error: not JSON"),
        (b"{}".to_vec(), "is no report of blockprobe"),
        (b" []\n".to_vec(), "x holds no report"),
        (b"{\"a\":\n oops}".to_vec(), "x:2:2\n"),
        (
            b"{\"format\": \"blockprobe-report/9\"}".to_vec(),
            "blockprobe-report/9",
        ),
        (bytes[..bytes.len() / 2].to_vec(), "the report is cut"),
        (
            text.replace("\"regime\": \"open\"", "\"regime\": \"ajar\"")
                .into_bytes(),
            "unknown variant `ajar`",
        ),
        (
            text.replacen("\"measured\"", "\"mislaid\"", 1).into_bytes(),
            "missing field `measured`",
        ),
        (
            text.replacen("\"started_at\": \"", "\"started_at\": \"x", 1)
                .into_bytes(),
            "when it began",
        ),
        (
            stream.as_bytes()[second..].to_vec(),
            "error: this is not the first line of a run\n",
        ),
        (
            [&stream[..second], "{\"type\": oops\n"]
                .concat()
                .into_bytes(),
            "x:2:10\n",
        ),
        (b"\x1f\x8bhello".to_vec(), "broken gzip"),
        (b"\x28\xb5\x2f\xfdhello".to_vec(), "broken zstd"),
    ] {
        fs::write(&path, given).unwrap();
        let refused = output(&["analyze", told(&path), "-f", "json"]);
        let words = stderr(&refused);
        assert_eq!(code(&refused), 2, "{expected}");
        assert!(words.contains(expected), "{expected}: {words}");
        assert!(words.contains("\nhint: "), "{words}");
        assert!(words.lines().count() <= 3, "{words}");
    }
    for missing in ["/nonexistent/report.json", "/"] {
        let refused = output(&["analyze", missing]);
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains(missing));
    }
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_memory() {
    let nothing = vec![b' '; 1 << 20];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..257 {
        encoder.write_all(&nothing).unwrap();
    }
    let refused = piped(encoder.finish().unwrap(), &[]);
    assert_eq!(code(&refused), 2);
    assert!(
        stderr(&refused).contains("larger than 256 MiB"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_control_that_does_not_tell_when_it_began_is_blamed_itself_and_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let good = saved("blocked.json");
    let text = fs::read_to_string(&good).unwrap();
    let mut report = document(&text);
    // Past the last moment that can be told.
    report["run"]["started_at"] = "9999-12-31T23:59:59Z".into();
    let bad = folder.path().join("bad.json");
    fs::write(&bad, report.to_string()).unwrap();
    for arguments in [
        &["analyze", told(&good), "-f", "json"][..],
        &["max", "--lab", "open", "-f", "json"],
    ] {
        let refused = output(&[arguments, &["--control", told(&bad)]].concat());
        let words = stderr(&refused);
        assert_eq!(code(&refused), 2, "{words}");
        assert!(stdout(&refused).is_empty());
        let expected = format!("{}: the run does not tell when it began", told(&bad));
        assert!(words.contains(&expected), "{words}");
        assert!(!words.contains(told(&good)), "{words}");
    }
}

#[test]
fn one_broken_report_does_not_hide_the_others() {
    let path = saved("blocked.json");
    let judged = output(&["analyze", "/nonexistent", told(&path), "-f", "json"]);
    assert_eq!(code(&judged), 2);
    assert_eq!(document(&stdout(&judged)).as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_read_empties_no_file_and_a_stream_may_be_judged_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let before = fs::read(saved("open.ndjson")).unwrap();
    for name in ["kept.ndjson", "kept.json", "kept.txt"] {
        let path = directory.path().join(name);
        fs::write(&path, &before).unwrap();
        let refused = output(&["analyze", "/nonexistent", "-o", told(&path)]);
        assert_eq!(code(&refused), 2);
        assert!(fs::read(&path).unwrap() == before, "{name}");
    }
    let path = directory.path().join("kept.ndjson");
    let judged = output(&["analyze", told(&path), "-o", told(&path)]);
    assert_eq!(code(&judged), 0, "{}", stderr(&judged));
    let after = fs::read_to_string(&path).unwrap();
    assert_eq!(
        lines(&after).len(),
        lines(&String::from_utf8(before).unwrap()).len()
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn a_reader_that_leaves_does_not_change_what_was_found() {
    let path = saved("blocked.json");
    let arguments = ["analyze", told(&path), "--fail-on", "blocked", "-f", "json"];
    let mut child = blockprobe(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_exit_status_of_analyze_is_that_of_a_run() {
    let (blocked, open) = (saved("blocked.json"), saved("open.ndjson"));
    for (arguments, expected) in [
        (&["-q", told(&blocked), told(&open)][..], 0),
        (&["-q", told(&blocked), "--fail-on", "blocked,down"], 1),
        (&["-q", told(&open), "--fail-on", "blocked,down"], 0),
        (&["-", "-"], 2),
        (&[], 2),
    ] {
        let judged = output(&[&["analyze"], arguments].concat());
        assert_eq!(code(&judged), expected, "{arguments:?}");
    }
    let stream = fs::read_to_string(&open).unwrap();
    let started = stream.lines().next().unwrap().to_owned() + "\n";
    assert_eq!(
        code(&piped(started.into_bytes(), &[])),
        3,
        "nothing was measured"
    );
}

#[test]
fn a_control_is_read_from_a_file_and_fetched_from_an_address() {
    let open = saved("open.ndjson");
    let packed = gzip(&fs::read(&open).unwrap());
    let url = serve("200 OK", packed);
    for control in [told(&open), &url] {
        for arguments in [
            &["analyze", told(&saved("blocked.json")), "-f", "json"][..],
            &["max", "--lab", "open", "-f", "json"],
        ] {
            let judged = output(&[arguments, &["--control", control]].concat());
            assert_eq!(code(&judged), 0, "{}", stderr(&judged));
            let told = document(&stdout(&judged));
            let report = if told.is_array() { &told[0] } else { &told };
            let notes = report["vantage"]["notes"].to_string();
            assert!(notes.contains("the report of vantage `here`"), "{notes}");
        }
    }
}

#[test]
fn a_control_that_cannot_be_had_is_told_before_anything_is_measured() {
    let gone = serve("404 Not Found", Vec::new());
    let unreadable = serve("200 OK", b"<html>".to_vec());
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    let missing = missing.to_str().unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    for (control, expected) in [
        (gone.as_str(), "404"),
        (&unreadable, ":1:1\n"),
        (&closed, "cannot fetch"),
        (missing, "cannot read "),
    ] {
        let refused = output(&["--lab", "open", "--control", control]);
        assert_eq!(code(&refused), 2, "{control}");
        assert!(stdout(&refused).is_empty());
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
    }
}

/// Serves one answer on loopback, as often as it is asked for, as long as the tests run.
fn serve(status: &'static str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/report", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

#[test]
fn a_selftest_saves_what_it_saw() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("new/reports");
    let played = output(&["selftest", "pihole", "offline", "--save", told(&place)]);
    assert_eq!(code(&played), 0, "{}", stdout(&played));
    for (name, expected) in [("pihole", 0), ("offline", 3)] {
        let path = place.join(format!("{name}.json"));
        let again = output(&["analyze", told(&path), "-f", "json"]);
        assert_eq!(code(&again), expected);
        assert!(stdout(&again) == in_array(&path), "{name}");
    }
    let refused = output(&["selftest", "pihole", "--save", "/proc/nowhere"]);
    assert_eq!(code(&refused), 2);
}
