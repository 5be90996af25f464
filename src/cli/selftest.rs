//! `blockprobe selftest`: play every censor of the lab on this machine, and see each one named.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cli::arguments::{Color, SelftestArguments};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, tell};
use crate::lab::scenarios::{Expected, Scenario};
use crate::lab::{self};
use crate::model::report::{Status, TechniqueReport, Vantage, Verdict};
use crate::output::human::Detail;
use crate::output::human::layout::{Page, pad};
use crate::session::{Outcome, rehearsal};

/// Scenarios played at once for each core: they mostly wait.
const AT_ONCE: usize = 16;
/// And no more than these, nor than half of the free memory holds.
const MOST_AT_ONCE: usize = 32;
/// Bytes that one of them takes, its process included.
const MEMORY: u64 = 48 << 20;
/// What one costs a core. They begin so far apart, because nearly all of it falls into the first second, and what starves
/// then misses the answers that it is there to hear.
const COST: Duration = Duration::from_millis(300);

/// Plays the scenarios; exit status 1 if one came out otherwise than expected.
///
/// # Errors
/// Of usage and output.
pub fn run(arguments: &SelftestArguments) -> Result<u8, Trouble> {
    if arguments.list {
        return list();
    }
    if arguments.child {
        return serve(arguments.save.as_deref());
    }
    let scenarios = chosen(&arguments.scenarios)?;
    if let Some(directory) = &arguments.save {
        fs::create_dir_all(directory).map_err(|error| {
            Trouble::new(format!("cannot make {}: {error}", directory.display()))
                .hint("give --save a directory that is yours, or one that is not there yet")
        })?;
    }
    let page = || Page::new(tell::manner(Color::Auto, Detail::Plain), 0);
    let (mut passed, mut failed) = (0, 0);
    for (scenario, played) in scenarios
        .iter()
        .zip(play_all(&scenarios, arguments.save.as_deref()))
    {
        // A scenario whose thread is gone was not played: that is told like any other difference.
        let played = played.recv();
        let Played { differences, took } = played.unwrap_or_else(|_| Played::not("it broke off"));
        let mut page = page();
        let name = pad(scenario.name, 30);
        if differences.is_empty() {
            passed += 1;
            page.line(&format!("✓ ok      {name} {took:>5.1} s"));
        } else {
            failed += 1;
            page.line(&format!("✗ failed  {name} {took:>5.1} s"));
            for difference in &differences {
                page.indented(10, difference);
            }
        }
        tell::print(page.into_text().as_bytes())?;
    }
    tell::print(format!("\n{passed} passed, {failed} failed\n").as_bytes())?;
    Ok(u8::from(failed > 0))
}

fn list() -> Result<u8, Trouble> {
    let mut text = String::new();
    for scenario in lab::scenarios() {
        let _ = writeln!(text, "{}  {}", pad(scenario.name, 30), scenario.about);
    }
    tell::print(text.as_bytes())?;
    Ok(0)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, Trouble> {
    if names.is_empty() {
        return Ok(lab::scenarios().iter().collect());
    }
    names.iter().map(|name| pick::scenario(name)).collect()
}

/// How a scenario came out.
#[derive(Debug, Serialize, Deserialize)]
struct Played {
    /// In sentences; none if it came out as expected.
    differences: Vec<String>,
    /// Seconds.
    took: f64,
}

impl Played {
    fn not(trouble: &str) -> Self {
        Self {
            differences: vec![format!("could not be played: {trouble}")],
            took: 0.0,
        }
    }
}

/// Plays them side by side; the results come in the order of the scenarios.
fn play_all(scenarios: &[&'static Scenario], save: Option<&Path>) -> Vec<mpsc::Receiver<Played>> {
    let mut results = Vec::new();
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        let (sender, receiver) = mpsc::channel();
        let kind = if scenario.is_long() {
            &mut long
        } else {
            &mut short
        };
        kind.push((*scenario, sender));
        results.push(receiver);
    }
    // Nobody is to wait for a long one at the end, nor the cores for work at the beginning.
    let mut short = short.into_iter();
    let mut mixed = VecDeque::new();
    for (at, scenario) in long.into_iter().enumerate() {
        mixed.push_back(scenario);
        if at % 2 == 1 {
            mixed.extend(short.next());
        }
    }
    mixed.extend(short);
    let is_only_one = mixed.len() == 1;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let waiting = Arc::new(Mutex::new(Waiting {
        scenarios: mixed,
        next: Instant::now(),
        apart: COST / u32::try_from(cores).unwrap_or(u32::MAX),
    }));
    let at_once = (cores * AT_ONCE).min(MOST_AT_ONCE).min(in_memory());
    for _ in 0..at_once.min(scenarios.len()) {
        let waiting = Arc::clone(&waiting);
        let save = save.map(Path::to_owned);
        let next = move || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take()
        };
        thread::spawn(move || {
            let mut worker = None;
            while let Some((at, (scenario, sender))) = next() {
                thread::sleep(at.saturating_duration_since(Instant::now()));
                let played = if is_only_one {
                    Ok(play(scenario, save.as_deref()))
                } else {
                    play_apart(&mut worker, scenario, save.as_deref())
                };
                let _ = sender.send(played.unwrap_or_else(|error| {
                    // The next scenario gets a new one.
                    worker = None;
                    Played::not(&error.to_string())
                }));
            }
        });
    }
    results
}

/// Scenarios that nobody plays yet, and when the next may begin.
struct Waiting {
    scenarios: VecDeque<(&'static Scenario, mpsc::Sender<Played>)>,
    next: Instant,
    apart: Duration,
}

impl Waiting {
    fn take(&mut self) -> Option<(Instant, (&'static Scenario, mpsc::Sender<Played>))> {
        let scenario = self.scenarios.pop_front()?;
        let at = self.next.max(Instant::now());
        self.next = at + self.apart;
        Some((at, scenario))
    }
}

/// How many scenarios half of the free memory holds, one at least; any number where that is not told.
fn in_memory() -> usize {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut lines = told.lines();
    let free = lines.find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = free.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let held = kilobytes.map(|it| (it << 10) / 2 / MEMORY);
    held.map_or(usize::MAX, |it| {
        usize::try_from(it.max(1)).unwrap_or(usize::MAX)
    })
}

/// A process that plays one scenario after the other: an internet takes up to two thousand descriptors, and several would
/// go beyond what many machines give to a process.
struct Worker {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn new(save: Option<&Path>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["selftest", "--child"]);
        if let Some(directory) = save {
            command.arg("--save").arg(directory);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        Ok(Self {
            ask: process.stdin.take().ok_or_else(closed)?,
            answers: BufReader::new(process.stdout.take().ok_or_else(closed)?),
            process,
        })
    }

    fn play(&mut self, scenario: &Scenario) -> io::Result<Played> {
        writeln!(self.ask, "{}", scenario.name)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).map_err(|_| io::Error::other("it broke off"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has nothing to do, or cannot be understood any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn play_apart(
    worker: &mut Option<Worker>,
    scenario: &Scenario,
    save: Option<&Path>,
) -> io::Result<Played> {
    let worker = match worker {
        Some(worker) => worker,
        none => none.insert(Worker::new(save)?),
    };
    worker.play(scenario)
}

/// The other side of it: names come in, and how each came out goes back.
fn serve(save: Option<&Path>) -> Result<u8, Trouble> {
    for name in io::stdin().lines() {
        let name = name.map_err(Trouble::new)?;
        let scenario = lab::find(&name).ok_or_else(|| Trouble::new("no such scenario"))?;
        let told = serde_json::to_string(&play(scenario, save)).map_err(Trouble::new)?;
        tell::print(format!("{told}\n").as_bytes())?;
    }
    Ok(0)
}

fn play(scenario: &Scenario, save: Option<&Path>) -> Played {
    let report = save.map(|directory| directory.join(format!("{}.json", scenario.name)));
    let began = Instant::now();
    match rehearsal::play(scenario, report.as_deref()) {
        Ok(outcome) => Played {
            differences: differences(&scenario.expected, &outcome),
            took: began.elapsed().as_secs_f64(),
        },
        Err(error) => Played::not(&error.to_string()),
    }
}

/// Everything that came out otherwise than expected, in sentences.
fn differences(expected: &Expected, outcome: &Outcome) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |of: String, expected: String, got: String| {
        if expected != got {
            differences.push(format!("{of}: expected {expected}, got {got}"));
        }
    };
    if let Some(regime) = expected.regime {
        let (expected, got) = (regime.word(), outcome.regime.word());
        compare("regime".to_owned(), expected.to_owned(), got.to_owned());
    }
    compare(
        "targets".to_owned(),
        joined(
            expected
                .targets
                .iter()
                .map(|target| target.target.to_owned()),
        ),
        joined(
            outcome
                .verdicts
                .iter()
                .map(|verdict| verdict.target.clone()),
        ),
    );
    for target in expected.targets {
        let Some(verdict) = outcome
            .verdicts
            .iter()
            .find(|verdict| verdict.target == target.target)
        else {
            continue;
        };
        let confidence = target
            .confidence
            .map_or("any", |confidence| confidence.word());
        let got = target
            .confidence
            .map_or("any", |_| verdict.confidence.word());
        let is_blocked = verdict.status == Status::Blocked;
        let status = match target.status {
            Some(status) => status.word(),
            None if is_blocked => "anything but blocked",
            None => verdict.status.word(),
        };
        compare(
            target.target.to_owned(),
            format!("{status} ({confidence})"),
            format!("{} ({got})", verdict.status.word()),
        );
        compare(
            format!("{}'s techniques", target.target),
            joined(target.techniques.iter().map(|id| (*id).to_owned())),
            joined(ids(verdict)),
        );
    }
    compare(
        "the resolvers' techniques".to_owned(),
        joined(
            expected
                .resolver_techniques
                .iter()
                .map(|(name, id)| format!("{name} {id}")),
        ),
        joined(resolver_ids(&outcome.vantage)),
    );
    differences
}

fn ids(verdict: &Verdict) -> impl Iterator<Item = String> {
    verdict
        .techniques
        .iter()
        .map(|technique| technique.id.clone())
}

fn resolver_ids(vantage: &Vantage) -> impl Iterator<Item = String> {
    vantage.resolvers.iter().flat_map(|resolver| {
        let named = |technique: &TechniqueReport| format!("{} {}", resolver.name, technique.id);
        resolver.techniques.iter().map(named)
    })
}

/// As a set: the order in which things were found says nothing.
fn joined(words: impl Iterator<Item = String>) -> String {
    let words: BTreeSet<String> = words.collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    words.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scenarios::ExpectedTarget;
    use crate::model::report::{Confidence, Regime};

    const EXPECTED: Expected = Expected {
        regime: Some(Regime::Open),
        targets: &[ExpectedTarget {
            target: "whatsapp",
            status: Some(Status::Blocked),
            confidence: Some(Confidence::Confirmed),
            techniques: &["domain_name/nxdomain"],
        }],
        resolver_techniques: &[],
    };

    fn outcome() -> Outcome {
        let verdict = serde_json::from_value(serde_json::json!({
            "target": "whatsapp", "name": "WhatsApp", "status": "blocked", "confidence": "confirmed",
            "summary": "", "reason": null, "services": [],
            "techniques": [{
                "id": "domain_name/nxdomain", "trigger": "domain_name", "interference": "nxdomain",
                "confidence": "confirmed", "services": [], "endpoints": [], "evidence": [],
                "doubt": null, "seen": "",
            }],
        }));
        Outcome {
            interrupted: false,
            regime: Regime::Open,
            verdicts: vec![verdict.expect("a verdict")],
            vantage: Vantage {
                label: None,
                regime: Regime::Open,
                address_families: Vec::new(),
                asn: None,
                country: None,
                tags: std::collections::BTreeMap::new(),
                problem: None,
                resolvers: Vec::new(),
                techniques: Vec::new(),
                notes: Vec::new(),
            },
        }
    }

    #[test]
    fn every_censor_of_the_lab_is_aimed_at_somebody() {
        let catalog = crate::catalog::embedded();
        for scenario in lab::scenarios() {
            for censor in scenario.censors {
                let aimed = censor.names.endpoints(&catalog);
                assert!(!aimed.is_empty(), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn what_is_as_expected_has_no_differences() {
        assert_eq!(differences(&EXPECTED, &outcome()), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_told_with_both_sides() {
        let mut outcome = outcome();
        outcome.regime = Regime::Offline;
        outcome.verdicts[0].confidence = Confidence::Likely;
        outcome.verdicts[0].techniques.clear();
        assert_eq!(
            differences(&EXPECTED, &outcome),
            [
                "regime: expected open, got offline",
                "whatsapp: expected blocked (confirmed), got blocked (likely)",
                "whatsapp's techniques: expected domain_name/nxdomain, got none",
            ]
        );
        outcome.verdicts.clear();
        let told = differences(&EXPECTED, &outcome).join("\n");
        assert!(
            told.contains("targets: expected whatsapp, got none"),
            "{told}"
        );
    }
}
