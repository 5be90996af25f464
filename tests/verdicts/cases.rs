//! Reports, and what becomes of them when one thing in them changes: the cases by which two versions of the rules are compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use blockprobe::analysis::again::judge_report;
use blockprobe::model::check::Role;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Observation;
use blockprobe::model::report::Report;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Fields that hold sentences for people.
const SENTENCES: [&str; 7] = [
    "summary", "reason", "doubt", "doubts", "seen", "notes", "problem",
];

/// Failures that take each other's place.
const FAILURES: [Failure; 9] = [
    Failure::GenericTimeout,
    Failure::ConnectionReset,
    Failure::ConnectionRefused,
    Failure::HostUnreachable,
    Failure::Eof,
    Failure::SslUnknownAuthority,
    Failure::DnsNxdomain,
    Failure::DnsServfail,
    Failure::Interrupted,
];

/// How the control's clock differs from the report's own.
const APART: [(&str, i64); 2] = [("an hour", 3600), ("two days", 2 * 86_400)];

/// What one case was judged as: its name, the digest of everything but sentences, and the digest of everything.
pub struct Judged {
    /// Names the report and what was changed in it.
    pub case: String,
    /// SHA-256 in hex, its first 16 digits.
    pub facts: String,
    /// The same with the sentences.
    pub words: String,
}

impl Judged {
    /// One line of a table; `diff` compares two of them.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.facts, self.words, self.case)
    }
}

/// Judges the report, each of its mutants (`most` of each kind, evenly chosen), and the report beside itself at another time.
pub fn of_report(name: &str, report: &Report, most: usize) -> Vec<Judged> {
    let mut judged = vec![judge(name.to_owned(), report, None)];
    for (mutation, mutant) in mutants(report, most) {
        judged.push(judge(format!("{name} {mutation}"), &mutant, None));
    }
    for (apart, seconds) in APART {
        let case = format!("{name} beside itself, {apart} apart");
        judged.push(judge(case, report, Some(later(report, seconds))));
    }
    judged
}

/// Judges each report beside each other one, `most` pairs of each report.
pub fn of_pairs(reports: &[(String, Report)], most: usize) -> Vec<Judged> {
    let mut judged = Vec::new();
    for (at, (name, report)) in reports.iter().enumerate() {
        for step in chosen(reports.len().saturating_sub(1), most) {
            let (other_name, other) = &reports[(at + 1 + step) % reports.len()];
            let case = format!("{name} beside {other_name}");
            judged.push(judge(case, report, Some(at_time_of(other, report))));
        }
    }
    judged
}

fn judge(case: String, report: &Report, control: Option<Report>) -> Judged {
    let mut report = report.clone();
    judge_report(&mut report, control).expect("it says when it began");
    let mut told = serde_json::json!({
        "verdicts": report.verdicts,
        "vantage": report.vantage,
    });
    let words = digest(&told);
    take_sentences(&mut told);
    Judged {
        case,
        facts: digest(&told),
        words,
    }
}

fn digest(value: &Value) -> String {
    let mut hex = String::new();
    for byte in &Sha256::digest(value.to_string())[..8] {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn take_sentences(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !SENTENCES.contains(&key.as_str()));
            fields.values_mut().for_each(take_sentences);
        }
        Value::Array(items) => items.iter_mut().for_each(take_sentences),
        _ => {}
    }
}

/// The same run, so many seconds later, by another id.
fn later(report: &Report, seconds: i64) -> Report {
    let mut later = report.clone();
    let began: Timestamp = report.run.started_at.parse().expect("a time");
    later.run.started_at = (began + SignedDuration::from_secs(seconds)).to_string();
    later.run.id.push_str("-later");
    later
}

/// Another run, as if it had begun a minute after this one.
fn at_time_of(other: &Report, report: &Report) -> Report {
    let mut control = other.clone();
    control.run.started_at = later(report, 60).run.started_at;
    control.run.id = format!("{}-beside", other.run.id);
    control
}

/// Each with its name: one observation less, one control less, no repetitions, another failure, another time.
fn mutants(report: &Report, most: usize) -> Vec<(String, Report)> {
    let with = |change: &dyn Fn(&mut Vec<Observation>)| {
        let mut mutant = report.clone();
        change(&mut mutant.observations);
        mutant
    };
    let seen = &report.observations;
    let mut mutants = Vec::new();
    for at in chosen(seen.len(), most) {
        let name = format!("without {}", seen[at].id);
        mutants.push((name, with(&|seen| drop(seen.remove(at)))));
    }
    let controls: BTreeSet<&String> = seen
        .iter()
        .filter(|it| it.check.role == Role::Control)
        .flat_map(|it| &it.check.endpoints)
        .collect();
    let controls: Vec<&String> = controls.into_iter().collect();
    for at in chosen(controls.len(), most) {
        let control = controls[at];
        let name = format!("without control {control}");
        let change = |seen: &mut Vec<Observation>| {
            seen.retain(|it| !it.check.endpoints.contains(control));
        };
        mutants.push((name, with(&change)));
    }
    let firsts = |seen: &mut Vec<Observation>| seen.retain(|it| it.check.trial == 1);
    mutants.push(("without repetitions".to_owned(), with(&firsts)));
    let failed: Vec<usize> = (0..seen.len())
        .filter(|at| seen[*at].failure().is_some())
        .collect();
    for (turn, at) in chosen(failed.len(), most).into_iter().enumerate() {
        let at = failed[at];
        let failure = &FAILURES[turn % FAILURES.len()];
        let name = format!("{} ends in {}", seen[at].id, failure.word());
        let change = |seen: &mut Vec<Observation>| {
            let last = seen[at].steps.last_mut().expect("it failed at a step");
            last.failure = Some(failure.clone());
        };
        mutants.push((name, with(&change)));
    }
    for at in chosen(failed.len(), most) {
        let at = failed[at];
        let name = format!("{} ends well", seen[at].id);
        let change = |seen: &mut Vec<Observation>| {
            let last = seen[at].steps.last_mut().expect("it failed at a step");
            last.failure = None;
        };
        mutants.push((name, with(&change)));
    }
    for (turn, at) in chosen(seen.len(), most).into_iter().enumerate() {
        let by = [-2.0, -0.5, 0.5, 2.0][turn % 4];
        let name = format!("{} moves by {by} s", seen[at].id);
        let change = |seen: &mut Vec<Observation>| {
            for step in &mut seen[at].steps {
                step.t0 = (step.t0 + by).max(0.0);
                step.t = (step.t + by).max(0.0);
            }
        };
        mutants.push((name, with(&change)));
    }
    mutants
}

/// At most so many of `count` places, evenly spread.
fn chosen(count: usize, most: usize) -> Vec<usize> {
    let take = count.min(most);
    (0..take).map(|turn| turn * count / take).collect()
}
