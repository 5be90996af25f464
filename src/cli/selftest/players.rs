//! Plays scenarios side by side, each in a process of its own, and one more time alone.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cli::selftest::differences::differences;
use crate::cli::selftest::pace::Pace;
use crate::cli::tell;
use crate::cli::trouble::Trouble;
use crate::lab::scenarios::Scenario;
use crate::lab::{self};
use crate::session::rehearsal;

/// How a scenario came out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Played {
    /// In sentences; none if it came out as expected.
    pub differences: Vec<String>,
    /// Seconds.
    pub took: f64,
}

impl Played {
    /// A scenario that could not be played differs from all that is expected of it.
    pub fn not(trouble: &str) -> Self {
        Self {
            differences: vec![format!("could not be played: {trouble}")],
            took: 0.0,
        }
    }
}

/// Plays them side by side; the results come in the order of the scenarios.
pub fn play_all(
    scenarios: &[&'static Scenario],
    save: Option<&Path>,
    pace: Pace,
) -> Vec<mpsc::Receiver<Played>> {
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
    let waiting = Arc::new(Mutex::new(Waiting {
        scenarios: mixed,
        next: Instant::now(),
        apart: pace.apart,
    }));
    for _ in 0..pace.at_once.min(scenarios.len()) {
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
                let played = play_apart(&mut worker, scenario, save.as_deref());
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

/// Plays one scenario while no other is played.
pub fn play_alone(scenario: &Scenario, save: Option<&Path>) -> Played {
    play_apart(&mut None, scenario, save).unwrap_or_else(|error| Played::not(&error.to_string()))
}

/// Scenarios that are not played yet, and when the next may begin.
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
pub fn serve(save: Option<&Path>) -> Result<u8, Trouble> {
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
