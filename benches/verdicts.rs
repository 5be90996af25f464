//! Two versions of the rules, compared: prints a digest for each report of a folder, for its mutants and for its pairs.
//!
//! ```sh
//! blockprobe selftest --save reports
//! cargo bench --bench verdicts -- reports > before.txt    # at one commit
//! cargo bench --bench verdicts -- reports > after.txt     # at the other
//! diff before.txt after.txt                               # nothing: every case is judged alike
//! ```
//!
//! Each line has the digest of everything but sentences, the digest of everything, and the case.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::{env, fs, thread};

use blockprobe::cli::saved;
use blockprobe::model::report::Report;

#[path = "../tests/verdicts/cases.rs"]
mod cases;

/// Mutants of each kind: some 200 of each report.
const MUTANTS: usize = 45;
/// Other reports that each report is judged beside.
const PAIRS: usize = 40;

fn main() -> ExitCode {
    let folder = env::args().skip(1).find(|it| !it.starts_with("--"));
    let Some(folder) = folder else {
        eprintln!("usage: cargo bench --bench verdicts -- FOLDER");
        return ExitCode::from(2);
    };
    let reports = match reports(&folder) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let next = AtomicUsize::new(0);
    let (sender, judged) = mpsc::channel();
    let mut tables: Vec<(usize, Vec<cases::Judged>)> = thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (sender, next, reports) = (sender.clone(), &next, &reports);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((name, report)) = reports.get(at) else {
                        break;
                    };
                    let _ = sender.send((at, cases::of_report(name, report, MUTANTS)));
                }
            });
        }
        drop(sender);
        judged.iter().collect()
    });
    tables.sort_by_key(|(at, _)| *at);
    let pairs = cases::of_pairs(&reports, PAIRS);
    let mut out = io::stdout().lock();
    for judged in tables.iter().flat_map(|(_, it)| it).chain(&pairs) {
        if writeln!(out, "{}", judged.line()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn reports(folder: &str) -> io::Result<Vec<(String, Report)>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|it| Ok(it?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    let mut reports = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let read = saved::read(&path.to_string_lossy());
        let read = read.map_err(|trouble| io::Error::other(trouble.to_string()))?;
        for (at, report) in read.into_iter().enumerate() {
            reports.push((format!("{name}/{at}"), report));
        }
    }
    Ok(reports)
}
