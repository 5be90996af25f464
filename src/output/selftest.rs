//! What a selftest came to: for people line by line, for programs as one document.

pub mod junit;

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::report::Software;
use crate::output::software;

/// Columns of a scenario's name.
const NAME: usize = 30;

/// How a scenario came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As expected.
    Ok,
    /// As expected when it was played once more, alone: the machine was busy.
    OkAlone,
    /// Otherwise, twice.
    Failed,
}

/// One scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Play {
    /// Its name, as `--lab` takes it.
    pub scenario: String,
    /// What happens in it.
    pub about: String,
    /// How it came out in the end.
    pub ending: Ending,
    /// Seconds of the play that counts.
    pub took_s: f64,
    /// What came out otherwise than expected, in sentences: in the end, or, of `ok_alone`, at first.
    pub differences: Vec<String>,
}

/// All of them.
#[derive(Clone, Debug, Serialize)]
pub struct Selftest {
    /// What was tested.
    pub software: Software,
    /// When it began, in UTC.
    pub started_at: String,
    /// Seconds.
    pub duration_s: f64,
    /// Scenarios played at once, at most.
    pub jobs: usize,
    /// Scenarios that came out as expected, those that had to be played alone among them.
    pub passed: usize,
    /// Of these, scenarios that did so only when they were played once more, alone.
    pub passed_alone: usize,
    /// Scenarios that came out otherwise.
    pub failed: usize,
    /// Each scenario, in the order of the table.
    pub scenarios: Vec<Play>,
}

impl Selftest {
    /// Counts the plays.
    pub fn new(started_at: String, duration_s: f64, jobs: usize, scenarios: Vec<Play>) -> Self {
        let count = |wanted| scenarios.iter().filter(|it| it.ending == wanted).count();
        let passed_alone = count(Ending::OkAlone);
        Self {
            software: software(),
            started_at,
            duration_s,
            jobs,
            passed: count(Ending::Ok) + passed_alone,
            passed_alone,
            failed: count(Ending::Failed),
            scenarios,
        }
    }

    /// The document that `-f json` writes.
    ///
    /// # Errors
    /// As writing JSON fails.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// All lines for people.
    pub fn to_text(&self) -> String {
        self.scenarios.iter().map(line).collect::<String>() + &self.counts()
    }

    /// The last line for people: the counts.
    pub fn counts(&self) -> String {
        let Self {
            passed,
            passed_alone,
            failed,
            ..
        } = self;
        let alone = match passed_alone {
            0 => String::new(),
            count => format!(" ({count} when played alone: the machine was busy)"),
        };
        format!("\n{passed} passed{alone}, {failed} failed\n")
    }
}

/// Lines for people: how a scenario came out.
pub fn line(play: &Play) -> String {
    let (mark, note) = match play.ending {
        Ending::Ok => ("✓ ok    ", ""),
        Ending::OkAlone => ("✓ ok    ", "  (the machine was busy)"),
        Ending::Failed => ("✗ failed", ""),
    };
    let Play {
        scenario, took_s, ..
    } = play;
    let mut text = format!("{mark}  {scenario:<NAME$} {took_s:>5.1} s{note}\n");
    if play.ending == Ending::Failed {
        text += &indented(&play.differences);
    }
    text
}

/// Lines for people: a scenario came out wrong for the first time.
pub fn first_time(scenario: &str, took_s: f64, differences: &[String]) -> String {
    let line =
        format!("↻ again   {scenario:<NAME$} {took_s:>5.1} s  (once more, alone, at the end)\n");
    line + &indented(differences)
}

fn indented(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "          {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn three() -> Selftest {
        let play = |scenario: &str, ending, differences: &[&str]| Play {
            scenario: scenario.to_owned(),
            about: "What <happens> & more".to_owned(),
            ending,
            took_s: 1.25,
            differences: differences.iter().map(ToString::to_string).collect(),
        };
        let plays = vec![
            play("open", Ending::Ok, &[]),
            play("pihole", Ending::OkAlone, &["max: expected a, got b"]),
            play(
                "offline",
                Ending::Failed,
                &["regime: expected \"a\" & <b>, got c", "x\u{1b}y"],
            ),
        ];
        Selftest::new("2026-12-01T00:00:00Z".to_owned(), 4.5, 8, plays)
    }

    #[test]
    fn a_scenario_that_came_out_right_alone_is_counted_and_says_why() {
        let all = three();
        assert_eq!((all.passed, all.passed_alone, all.failed), (2, 1, 1));
        assert_eq!(
            all.counts(),
            "\n2 passed (1 when played alone: the machine was busy), 1 failed\n"
        );
        assert_eq!(
            line(&all.scenarios[1]),
            "✓ ok      pihole                           1.2 s  (the machine was busy)\n"
        );
        let failed = line(&all.scenarios[2]);
        assert!(failed.contains("\n          regime: expected"), "{failed}");
    }

    #[test]
    fn the_document_holds_every_scenario_and_its_ending() {
        let document: serde_json::Value =
            serde_json::from_str(&three().to_json().unwrap()).unwrap();
        let endings: Vec<_> = document["scenarios"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["ending"].as_str().unwrap())
            .collect();
        assert_eq!(endings, ["ok", "ok_alone", "failed"]);
        assert_eq!(document["jobs"], 8);
        assert_eq!(document["software"]["name"], "blockprobe");
    }
}
