//! The rules say today what they said yesterday: saved reports and their mutants are judged, and their digests compared.
//!
//! A change of the rules changes digests on purpose. `BLOCKPROBE_UPDATE=1 cargo test --test verdicts` then writes them
//! again, and the commit says what differs. `benches/verdicts.rs` does the same for a large folder of reports.

use std::fs;
use std::path::{Path, PathBuf};

use blockprobe::cli::saved;
use blockprobe::model::report::Report;

#[path = "verdicts/cases.rs"]
mod cases;

/// Mutants of each kind, of each report.
const MUTANTS: usize = 6;
/// Other reports that each report is judged beside.
const PAIRS: usize = 4;

#[test]
fn saved_reports_are_judged_as_before() {
    let reports = reports();
    assert!(reports.len() >= 10, "the corpus is here");
    let mut judged: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = reports
            .iter()
            .map(|(name, report)| scope.spawn(|| cases::of_report(name, report, MUTANTS)))
            .collect();
        let judged = workers
            .into_iter()
            .flat_map(|it| it.join().expect("no panic"));
        judged.map(|it| it.line()).collect()
    });
    let pairs = cases::of_pairs(&reports, PAIRS);
    judged.extend(pairs.iter().map(cases::Judged::line));
    let told = judged.join("\n") + "\n";
    let path = folder().join("digests.txt");
    if std::env::var_os("BLOCKPROBE_UPDATE").is_some() {
        fs::write(&path, &told).unwrap();
    }
    let before = fs::read_to_string(&path).unwrap();
    let differ: Vec<&String> = judged
        .iter()
        .filter(|line| !before.lines().any(|it| it == line.as_str()))
        .collect();
    assert!(
        differ.is_empty() && before == told,
        "{} of {} cases are judged otherwise: {:#?}",
        differ.len(),
        judged.len(),
        &differ[..differ.len().min(20)]
    );
}

/// The reports in git, by name.
fn reports() -> Vec<(String, Report)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "zst"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let mut reports = saved::read(path.to_str().unwrap()).expect("a report");
            let name = path.file_name().unwrap().to_string_lossy();
            let name = name.trim_end_matches(".json.zst").to_owned();
            (name, reports.pop().expect("one report"))
        })
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts")
}
