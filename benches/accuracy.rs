//! How often the product is right: every scenario of the lab many times, and the confusion between what was and what was said.
//!
//! `cargo bench --bench accuracy` plays every negative scenario 100 times, every positive one 50 times and an open line with
//! 5 and 15 % loss 200 times each. `-- 3` (or any number) plays everything that often, `-- 3 NAME...` only those scenarios.
//! The reports of runs that came out wrong are kept in `target/tmp/accuracy`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use blockprobe::lab::fault::{Cut, Fault};
use blockprobe::lab::scenarios::{ExpectedTarget, Scenario};
use blockprobe::lab::{self};
use blockprobe::model::report::{Report, ResolverReport, Status, Verdict};
use blockprobe::session::rehearsal;

/// First word of a process that plays one scenario.
const CHILD: &str = "play";
/// How often each is played.
const NEGATIVE: u64 = 100;
const POSITIVE: u64 = 50;
const LOSSY: u64 = 200;
/// Scenarios played at once: they mostly wait.
const AT_ONCE: usize = 24;
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
    if let [CHILD, name, seed, report] = *words {
        return play_here(name, seed, Path::new(report));
    }
    let times = words.first().and_then(|it| it.parse().ok());
    let names = words
        .get(usize::from(times.is_some())..)
        .unwrap_or_default();
    if let Err(error) = fs::create_dir_all(directory()) {
        eprintln!("cannot make {}: {error}", directory().display());
        return ExitCode::FAILURE;
    }
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

/// What is played: every scenario of the lab, and an open line that loses datagrams, with how often each.
fn repertoire() -> Vec<(Scenario, u64)> {
    let usual = |it: &Scenario| if it.is_negative() { NEGATIVE } else { POSITIVE };
    let mut all: Vec<(Scenario, u64)> =
        lab::scenarios().iter().map(|it| (*it, usual(it))).collect();
    let open = *lab::find("open").expect("the lab has this scenario");
    let lossy = |name, faults| Scenario {
        name,
        faults,
        ..open
    };
    all.push((lossy("open_losing_5", &[Fault::Loss(5, 1)]), LOSSY));
    all.push((lossy("open_losing_15", &[Fault::Loss(15, 1)]), LOSSY));
    all
}

/// Every play of every scenario that is wanted, each with a seed. The seeds are the same every time.
fn plays(times: Option<u64>, names: &[&str]) -> Vec<(Scenario, u64)> {
    let mut plays = Vec::new();
    for (scenario, usual) in repertoire() {
        if names.is_empty() || names.contains(&scenario.name) {
            plays.extend((0..times.unwrap_or(usual)).map(|seed| (scenario, seed)));
        }
    }
    // What comes out wrong shows in every tenth of the way, not at its end.
    plays.sort_by_key(|(_, seed)| *seed);
    plays
}

/// The same scenario with another seed, where one matters: other datagrams are lost, or the line is cut at other times.
#[expect(clippy::cast_possible_truncation, reason = "seeds are small")]
fn seeded(scenario: &Scenario, seed: u64) -> Scenario {
    let is_chancy = |fault: &Fault| {
        matches!(
            fault,
            Fault::Loss(..) | Fault::Cut(_) | Fault::RoadsDown(..) | Fault::Strays(..)
        )
    };
    if !scenario.faults.iter().any(is_chancy) {
        return *scenario;
    }
    let faults = scenario.faults.iter().map(|fault| match *fault {
        Fault::Loss(percent, first) => Fault::Loss(percent, first * 1000 + seed),
        Fault::RoadsDown(percent, first) => Fault::RoadsDown(percent, first * 1000 + seed),
        Fault::Strays(how, percent, first) => Fault::Strays(how, percent, first * 1000 + seed),
        // Half to one and a half times as often, half to twice as long.
        Fault::Cut(cut) if cut.again => Fault::Cut(Cut {
            after: cut.after * (50 + seed * 37 % 100) as usize / 100,
            lasting: cut.lasting * (50 + seed * 61 % 150) / 100,
            ..cut
        }),
        Fault::Cut(cut) => Fault::Cut(Cut {
            after: cut.after + (seed * 7) as usize % cut.after,
            ..cut
        }),
        other => other,
    });
    Scenario {
        // The table of scenarios is static, and the process plays only one.
        faults: Vec::leak(faults.collect()),
        ..*scenario
    }
}

fn play_all(plays: Vec<(Scenario, u64)>) -> Tally {
    let total = plays.len();
    let waiting = Mutex::new(plays.into_iter().enumerate());
    let tally = Mutex::new(Tally::default());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((number, (scenario, seed))) = next() {
                    play(&scenario, seed, &tally);
                    if number % 100 == 99 {
                        eprintln!("{} of {total}", number + 1);
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Plays one and notes how it came out; the report of one that came out wrong is kept.
fn play(scenario: &Scenario, seed: u64, tally: &Mutex<Tally>) {
    let report = directory().join(format!("{}-{seed}.json", scenario.name));
    let outcome = play_apart(scenario.name, seed, &report);
    let is_right = {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.note(scenario, outcome)
    };
    if is_right {
        let _ = fs::remove_file(&report);
    } else {
        eprintln!("came out wrong: {}", report.display());
    }
}

/// In a process of its own: all of them in one would need more descriptors than many machines give to a process.
fn play_apart(name: &str, seed: u64, report: &Path) -> io::Result<Report> {
    let child = Command::new(std::env::current_exe()?)
        .args([CHILD, name, &seed.to_string()])
        .arg(report)
        .output()?;
    if !child.status.success() {
        let said = String::from_utf8_lossy(&child.stderr);
        return Err(io::Error::other(said.into_owned()));
    }
    Ok(serde_json::from_slice(&fs::read(report)?)?)
}

/// The other side of it.
fn play_here(name: &str, seed: &str, report: &Path) -> ExitCode {
    let repertoire = repertoire();
    let scenario = repertoire.iter().find(|(it, _)| it.name == name);
    let (Some((scenario, _)), Ok(seed)) = (scenario, seed.parse()) else {
        eprintln!("{name}, {seed}: no such scenario, or no number");
        return ExitCode::FAILURE;
    };
    match rehearsal::play(&seeded(scenario, seed), Some(report)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Where reports of runs that came out wrong are kept.
fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("accuracy")
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
    /// Other statuses than there should be, none of them a false accusation.
    other_status: BTreeMap<String, u64>,
    /// Verdicts that are surer than they may be, by scenario: a doubt was not told.
    too_sure: BTreeMap<String, u64>,
    /// Verdicts that are less sure than they could be.
    less_sure: BTreeMap<String, u64>,
}

impl Tally {
    /// Whether it came out right.
    fn note(&mut self, scenario: &Scenario, outcome: io::Result<Report>) -> bool {
        self.played += 1;
        let report = match outcome {
            Ok(report) => report,
            Err(error) => {
                eprintln!("{} broke off: {error}", scenario.name);
                self.broken += 1;
                return false;
            }
        };
        let mut is_right = self.compare_resolvers(scenario, &report.vantage.resolvers);
        let verdicts = report.verdicts;
        for expected in scenario.expected.targets {
            let Some(verdict) = verdicts.iter().find(|it| it.target == expected.target) else {
                self.broken += 1;
                is_right = false;
                continue;
            };
            is_right &= self.compare(scenario, expected, verdict);
        }
        is_right
    }

    /// What is said of resolvers that was not done to them.
    fn compare_resolvers(&mut self, scenario: &Scenario, resolvers: &[ResolverReport]) -> bool {
        let expected = scenario.expected.resolver_techniques;
        let mut is_right = true;
        for resolver in resolvers {
            let said = resolver.techniques.iter().map(|it| it.id.as_str());
            for id in said.filter(|id| !expected.contains(&(resolver.name.as_str(), id))) {
                is_right = false;
                let place = format!("{}: resolver {} {id}", scenario.name, resolver.name);
                *self.false_alarms.entry(place).or_default() += 1;
            }
        }
        is_right
    }

    fn compare(
        &mut self,
        scenario: &Scenario,
        expected: &ExpectedTarget,
        verdict: &Verdict,
    ) -> bool {
        let mut is_right = true;
        let said = verdict.status.word();
        let was = expected.status.map_or("nobody accused", Status::word);
        *self.confusion.entry((was, said)).or_default() += 1;
        let place = |what: &str| format!("{}: {} {what}", scenario.name, expected.target);
        if verdict.status == Status::Blocked && expected.status != Some(Status::Blocked) {
            is_right = false;
            let alarms = &mut self.false_alarms;
            *alarms.entry(place("called blocked")).or_default() += 1;
        } else if expected.status.is_some_and(|it| it != verdict.status) {
            is_right = false;
            let what = place(&format!("{said} instead of {was}"));
            *self.other_status.entry(what).or_default() += 1;
        }
        if let Some(confidence) = expected.confidence
            && confidence != verdict.confidence
        {
            is_right = false;
            let (said, wanted) = (verdict.confidence.word(), confidence.word());
            let counts = if verdict.confidence > confidence {
                &mut self.too_sure
            } else {
                &mut self.less_sure
            };
            let what = place(&format!("{said} instead of {wanted}"));
            *counts.entry(what).or_default() += 1;
        }
        for technique in &verdict.techniques {
            if !expected.techniques.contains(&technique.id.as_str()) {
                is_right = false;
                *self.false_alarms.entry(place(&technique.id)).or_default() += 1;
            }
        }
        for id in expected.techniques {
            self.there += 1;
            if verdict.techniques.iter().any(|it| it.id == *id) {
                self.named += 1;
            } else {
                is_right = false;
                *self.missed.entry(place(id)).or_default() += 1;
            }
        }
        is_right
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
        told("Another status", &self.other_status);
        told("Too sure", &self.too_sure);
        told("Less sure than it could be", &self.less_sure);
        if self.broken > 0 {
            println!("{} runs broke off", self.broken);
        }
    }

    /// Nobody accused falsely, no doubt withheld, and nearly every technique named.
    fn holds(&self) -> bool {
        self.broken == 0
            && self.false_alarms.is_empty()
            && self.too_sure.is_empty()
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
