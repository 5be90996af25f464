//! The last lines of `cargo test`: which tests were skipped, and for want of what.
//!
//! Cargo runs the test targets by name, this one last.

#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::parent_id;

fn main() {
    let file = needs::skipped(parent_id());
    let lines = fs::read_to_string(&file).unwrap_or_default();
    // There is none where nothing was skipped.
    let _ = fs::remove_file(&file);
    needs::forget_dead_runs();
    if lines.is_empty() {
        return;
    }
    println!("\nSkipped, because something is not installed here:");
    for (suite, (tests, wants)) in summary(&lines) {
        let tests = tests.len();
        let noun = if tests == 1 { "test" } else { "tests" };
        let wants = wants.into_iter().collect::<Vec<_>>().join(", ");
        println!("  {suite}: {tests} {noun}, for want of {wants}");
    }
    println!("To install it all and test everything: tests/run\n");
}

/// By suite: which tests were skipped, and what they miss.
fn summary(lines: &str) -> BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> {
    let mut suites: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for line in lines.lines() {
        let mut parts = line.splitn(3, '\t');
        let [Some(suite), Some(test), Some(want)] = [parts.next(), parts.next(), parts.next()]
        else {
            continue;
        };
        let (tests, wants) = suites.entry(suite).or_default();
        tests.insert(test);
        wants.extend(want.split(" and "));
    }
    suites
}
