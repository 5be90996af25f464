//! The cookbook's answers, by the real programs, from reports of the lab.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::needs;
use crate::place::Place;
use crate::text::blocks_of;

const COOKBOOK: &str = "docs/cookbook.md";
const DAYS: usize = 5;
const LABELS: [&str; 3] = ["moscow-1", "kazan-2", "free"];
/// What the lab's reports hold, for each day and vantage but the free one.
const EXPECTED: [(&str, &str); 1] = [("telegram", "address/drop")];

/// A small run of the lab, saved with other days and labels: `runs` for each day and vantage.
pub fn save_reports(place: &Place, runs: usize) {
    place.succeed("mkdir -p reports");
    let run = |scenario: &str| {
        let output = place.shell(
            "blockprobe -q -f ndjson telegram max --label LABEL",
            &[("SCENARIO", scenario)],
        );
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let [blocked, open] = ["data_centres_dropped", "open"].map(run);
    for (number, label) in LABELS.iter().enumerate() {
        let text = if *label == "free" { &open } else { &blocked };
        for day in 1..=DAYS {
            for hour in 0..runs {
                let text = redated(text, label, number, day, hour);
                let name = format!("{label}-{day}-{hour}.ndjson");
                fs::write(place.work().join("reports").join(name), text).unwrap();
            }
        }
    }
    place.succeed("zstd -q --rm reports/*.ndjson");
}

/// The same run on another day, elsewhere.
fn redated(text: &str, label: &str, number: usize, day: usize, hour: usize) -> String {
    let first = text.lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    let (id, at) = (&first["run_id"], &first["started_at"]);
    let (id, at) = (id.as_str().unwrap(), at.as_str().unwrap());
    let new_id = format!("{}{number:04}{day:04}{hour:04}", &id[..id.len() - 12]);
    text.replace("LABEL", label)
        .replace(id, &new_id)
        .replace(at, &format!("2026-11-{day:02}T{hour:02}:17:03Z"))
}

/// Day, vantage, target, technique and number of runs, as every answer must have them.
fn expected(runs: usize) -> BTreeSet<[String; 5]> {
    let mut rows = BTreeSet::new();
    for day in 1..=DAYS {
        for label in &LABELS[..2] {
            for (target, technique) in EXPECTED {
                let row = [
                    &format!("2026-11-{day:02}"),
                    *label,
                    target,
                    technique,
                    &runs.to_string(),
                ];
                rows.insert(row.map(str::to_owned));
            }
        }
    }
    rows
}

/// The words of each row, the first of some kept where a table leaves out what repeats.
fn rows(told: &str, order: [usize; 5]) -> BTreeSet<[String; 5]> {
    let mut rows = BTreeSet::new();
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), 5, "{told}");
        rows.insert(order.map(|at| words[at].to_owned()));
    }
    rows
}

#[test]
fn jq_knows_day_vantage_target_and_technique() {
    if !needs::programs(&["bash", "jq", "zstd"]) {
        return;
    }
    let place = Place::new();
    save_reports(&place, 2);
    let blocks = blocks_of(COOKBOOK, "sh");
    let block = blocks
        .iter()
        .find(|it| it.text.contains("blocked") && it.text.contains("jq"));
    let told = place.succeed(&block.expect("a command").text);
    assert_eq!(rows(&told, [1, 2, 3, 4, 0]), expected(2));
}

#[test]
fn duckdb_knows_them_in_one_statement_without_joins() {
    if !needs::programs(&["bash", "zstd"]) || !needs::python("duckdb") {
        return;
    }
    let place = Place::new();
    save_reports(&place, 2);
    let sql = &blocks_of(COOKBOOK, "sql")[0].text;
    assert_eq!(sql.matches(';').count(), 1);
    assert!(!sql.to_lowercase().contains("join"));
    let program = "import duckdb, sys\nfor row in duckdb.sql(sys.argv[1]).fetchall(): print(*row)";
    let told = python(&place, program, &[sql]);
    assert_eq!(rows(&told, [0, 1, 2, 3, 4]), expected(2));
}

#[test]
fn pandas_knows_them() {
    if !needs::programs(&["bash", "zstd"])
        || !needs::python("pandas")
        || !needs::python("zstandard")
    {
        return;
    }
    let place = Place::new();
    save_reports(&place, 2);
    let block = &blocks_of(COOKBOOK, "python")[0].text;
    // The same table, with what repeats.
    let program = block.replace(
        ".to_string())",
        ".reset_index().to_string(index=False, header=False))",
    );
    assert_ne!(&program, block);
    let told = python(&place, &program, &[]);
    assert_eq!(rows(&told, [0, 1, 2, 3, 4]), expected(2));
}

fn python(place: &Place, program: &str, arguments: &[&str]) -> String {
    let output = Command::new("python3")
        .args(["-c", program])
        .args(arguments)
        .env("PYTHONPATH", needs::packages())
        .current_dir(place.work())
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}
