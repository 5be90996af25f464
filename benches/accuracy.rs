//! How often the product is right: every scenario of the lab many times, and the confusion between what was and what was said.
//!
//! `cargo bench --bench accuracy` plays every negative scenario 100 times, every positive one 50 times and an open line with
//! 5 and 15 % loss 200 times each. `-- 3` (or any number) plays everything that often, `-- 3 NAME...` only those scenarios.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use blockprobe::catalog;
use blockprobe::lab::fault::Fault;
use blockprobe::lab::scenarios::{ExpectedTarget, Scenario};
use blockprobe::lab::{self};
use blockprobe::model::report::{Status, Verdict};
use blockprobe::output::Silent;
use blockprobe::session::{self, Setup};
use tokio_util::sync::CancellationToken;

/// How often each is played.
const NEGATIVE: u64 = 100;
const POSITIVE: u64 = 50;
const LOSSY: u64 = 200;
/// Scenarios played at once: they mostly wait.
const AT_ONCE: usize = 24;
/// Far beyond what any scenario takes.
const PATIENCE: Duration = Duration::from_secs(60);
const CONCURRENCY: usize = 1024;
/// Of a hundred techniques that are there so many must be named.
const NAMED_PERCENT: u64 = 99;

fn main() -> ExitCode {
    // Cargo adds flags of its own, such as `--bench`.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|it| !it.starts_with('-'))
        .collect();
    let times = words.first().and_then(|it| it.parse().ok());
    let names = words
        .get(usize::from(times.is_some())..)
        .unwrap_or_default();
    let began = Instant::now();
    let tally = play_all(plays(times, names));
    tally.print();
    println!("\n{:.0} s", began.elapsed().as_secs_f64());
    if tally.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every play of every scenario. Seeds make the plays of a lossy line differ, and are the same every time.
fn plays(times: Option<u64>, names: &[&str]) -> Vec<Scenario> {
    let mut plays = Vec::new();
    let is_wanted = |name: &str| names.is_empty() || names.contains(&name);
    for scenario in lab::scenarios().iter().filter(|it| is_wanted(it.name)) {
        let usual = if scenario.is_negative() {
            NEGATIVE
        } else {
            POSITIVE
        };
        for seed in 0..times.unwrap_or(usual) {
            plays.push((seed, seeded(scenario, seed)));
        }
    }
    for (name, percent) in [("open with 5 % loss", 5), ("open with 15 % loss", 15)] {
        let open = lab::find("open").expect("the lab has this scenario");
        if !names.is_empty() {
            continue;
        }
        for seed in 0..times.unwrap_or(LOSSY) {
            let faults = leak(vec![Fault::Loss(percent, 1000 + seed)]);
            plays.push((
                seed,
                Scenario {
                    name,
                    faults,
                    ..*open
                },
            ));
        }
    }
    // The scenarios with the most descriptors do not all stand at once.
    plays.sort_by_key(|(seed, _)| *seed);
    plays.into_iter().map(|(_, scenario)| scenario).collect()
}

/// The same scenario with another seed, where one matters.
fn seeded(scenario: &Scenario, seed: u64) -> Scenario {
    let is_lossy = |fault: &Fault| matches!(fault, Fault::Loss(..));
    if !scenario.faults.iter().any(is_lossy) {
        return *scenario;
    }
    let faults = scenario.faults.iter().map(|fault| match *fault {
        Fault::Loss(percent, first) => Fault::Loss(percent, first * 1000 + seed),
        other => other,
    });
    Scenario {
        faults: leak(faults.collect()),
        ..*scenario
    }
}

/// The table of scenarios is static, and so is what stands beside it; the process is short-lived.
fn leak(faults: Vec<Fault>) -> &'static [Fault] {
    Box::leak(faults.into_boxed_slice())
}

fn play_all(plays: Vec<Scenario>) -> Tally {
    let total = plays.len();
    let waiting = Mutex::new(plays.into_iter().rev().collect::<Vec<_>>());
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(scenario) = next(&waiting) {
                    let outcome = play(&scenario);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.note(&scenario, outcome);
                    if tally.played % 100 == 0 {
                        eprintln!("{} of {total}", tally.played);
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next(waiting: &Mutex<Vec<Scenario>>) -> Option<Scenario> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn play(scenario: &Scenario) -> std::io::Result<Vec<Verdict>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let verdicts = runtime.block_on(async {
        let site = lab::open(scenario, &catalog::embedded()).await?;
        let setup = Setup {
            catalog: site.catalog.clone(),
            line: site.line.clone(),
            label: None,
            control: None,
            timeout: Some(PATIENCE),
            concurrency: CONCURRENCY,
            cancel: CancellationToken::new(),
        };
        let outcome = session::run(&setup, &mut Silent).await?;
        Ok(outcome.verdicts)
    });
    runtime.shutdown_background();
    verdicts
}

/// What was, beside what was said.
#[derive(Default)]
struct Tally {
    played: u64,
    broken: u64,
    /// By what was expected and what was said: how many targets.
    confusion: BTreeMap<(&'static str, &'static str), u64>,
    /// Techniques that are there, and those of them that were named.
    there: u64,
    named: u64,
    /// Accusations of somebody whom nothing was done to, by scenario.
    false_alarms: BTreeMap<String, u64>,
    /// What was missed, by scenario.
    missed: BTreeMap<String, u64>,
}

impl Tally {
    fn note(&mut self, scenario: &Scenario, outcome: std::io::Result<Vec<Verdict>>) {
        self.played += 1;
        let verdicts = match outcome {
            Ok(verdicts) => verdicts,
            Err(error) => {
                eprintln!("{} broke off: {error}", scenario.name);
                self.broken += 1;
                return;
            }
        };
        for expected in scenario.expected.targets {
            let Some(verdict) = verdicts.iter().find(|it| it.target == expected.target) else {
                self.broken += 1;
                continue;
            };
            self.compare(scenario, expected, verdict);
        }
    }

    fn compare(&mut self, scenario: &Scenario, expected: &ExpectedTarget, verdict: &Verdict) {
        let said = verdict.status.word();
        let was = expected.status.map_or("nobody accused", Status::word);
        *self.confusion.entry((was, said)).or_default() += 1;
        let place = |what: &str| format!("{}: {} {what}", scenario.name, expected.target);
        if verdict.status == Status::Blocked && expected.status != Some(Status::Blocked) {
            *self
                .false_alarms
                .entry(place("called blocked"))
                .or_default() += 1;
        }
        for technique in &verdict.techniques {
            if !expected.techniques.contains(&technique.id.as_str()) {
                *self.false_alarms.entry(place(&technique.id)).or_default() += 1;
            }
        }
        for id in expected.techniques {
            self.there += 1;
            if verdict.techniques.iter().any(|it| it.id == *id) {
                self.named += 1;
            } else {
                *self.missed.entry(place(id)).or_default() += 1;
            }
        }
    }

    fn print(&self) {
        println!(
            "{} runs, {} targets judged",
            self.played,
            self.confusion.values().sum::<u64>()
        );
        let said = ["accessible", "degraded", "blocked", "down", "inconclusive"];
        println!("\n| what was | {} |", said.join(" | "));
        println!("|---|{}", "---|".repeat(said.len()));
        let rows: std::collections::BTreeSet<_> =
            self.confusion.keys().map(|(was, _)| *was).collect();
        for was in rows {
            let count = |said: &&str| {
                let count = self.confusion.get(&(was, *said)).copied();
                count.map_or("·".to_owned(), |it| it.to_string())
            };
            let counts: Vec<String> = said.iter().map(count).collect();
            println!("| {was} | {} |", counts.join(" | "));
        }
        println!("\n{} of {} techniques named", self.named, self.there);
        told("False alarms", &self.false_alarms);
        told("Missed", &self.missed);
        if self.broken > 0 {
            println!("{} runs broke off", self.broken);
        }
    }

    /// Nobody accused falsely, and nearly every technique named.
    fn holds(&self) -> bool {
        self.broken == 0
            && self.false_alarms.is_empty()
            && self.named * 100 >= self.there * NAMED_PERCENT
    }
}

fn told(what: &str, places: &BTreeMap<String, u64>) {
    let total: u64 = places.values().sum();
    println!("{what}: {total}");
    for (place, count) in places {
        println!("  {count:>4} {place}");
    }
}
