//! `blockprobe selftest`: play every censor of the lab on this machine, and see each one named.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::catalog;
use crate::cli::arguments::{Color, SelftestArguments};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, tell};
use crate::lab::scenarios::{Expected, Scenario};
use crate::lab::{self};
use crate::measure::socket::raise_descriptors;
use crate::model::report::{Status, TechniqueReport, Vantage, Verdict};
use crate::output::destination::Destination;
use crate::output::human::Detail;
use crate::output::human::layout::{Page, pad};
use crate::output::json::Json;
use crate::output::scrub::Scrubbed;
use crate::output::{Silent, Sink};
use crate::session::{self, Outcome, Setup};

/// Far beyond what any scenario takes: a run that hangs is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks at once, as in an ordinary run.
const CONCURRENCY: usize = 1024;

/// Scenarios played at once, where there are descriptors for so many internets.
const AT_ONCE: usize = 12;

/// Descriptors of one scenario: its listeners, and both ends of what talks.
const DESCRIPTORS: u64 = 1200;

/// Plays the scenarios; exit status 1 if one came out otherwise than expected.
///
/// # Errors
/// Of usage and output.
pub fn run(arguments: &SelftestArguments) -> Result<u8, Trouble> {
    if arguments.list {
        return list();
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
        let Played { differences, took } = played.recv().unwrap_or_else(|_| Played {
            differences: vec!["could not be played: it broke off".to_owned()],
            took: 0.0,
        });
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
    let known = || -> Vec<String> {
        let names = lab::scenarios().iter().map(|scenario| scenario.name);
        names.map(str::to_owned).collect()
    };
    names
        .iter()
        .map(|name| lab::find(name).ok_or_else(|| pick::unknown("scenario", name, &known())))
        .collect()
}

/// How a scenario came out.
struct Played {
    differences: Vec<String>,
    took: f64,
}

/// Plays them a few at a time, since they mostly wait; the results come in the order of the scenarios.
fn play_all(scenarios: &[&'static Scenario], save: Option<&Path>) -> Vec<mpsc::Receiver<Played>> {
    let mut results = Vec::new();
    let mut waiting = VecDeque::new();
    for scenario in scenarios {
        let (sender, receiver) = mpsc::channel();
        waiting.push_back((*scenario, sender));
        results.push(receiver);
    }
    let waiting = Arc::new(Mutex::new(waiting));
    let descriptors = raise_descriptors(DESCRIPTORS * (AT_ONCE as u64 + 1));
    let at_once = usize::try_from(descriptors / DESCRIPTORS).unwrap_or(AT_ONCE);
    for _ in 0..at_once.clamp(1, AT_ONCE) {
        let waiting = Arc::clone(&waiting);
        let save = save.map(Path::to_owned);
        thread::spawn(move || {
            loop {
                let next = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front();
                let Some((scenario, sender)) = next else {
                    return;
                };
                let began = Instant::now();
                let differences = match play(scenario, save.as_deref()) {
                    Ok(outcome) => differences(&scenario.expected, &outcome),
                    Err(error) => vec![format!("could not be played: {error}")],
                };
                let took = began.elapsed().as_secs_f64();
                let _ = sender.send(Played { differences, took });
            }
        });
    }
    results
}

/// One scenario in a runtime of its own: what one leaves behind does not disturb the next.
fn play(scenario: &Scenario, save: Option<&Path>) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
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
        let mut sink = sink(scenario, save, &site.line.own)?;
        session::run(&setup, sink.as_mut()).await
    });
    runtime.shutdown_background();
    outcome
}

/// Where a scenario's run is told: nowhere, or in a report by its name.
fn sink(scenario: &Scenario, save: Option<&Path>, own: &[IpNet]) -> io::Result<Box<dyn Sink>> {
    let Some(directory) = save else {
        return Ok(Box::new(Silent));
    };
    let path = directory.join(format!("{}.json", scenario.name));
    let json = Json::new(Destination::whole(&path)?);
    Ok(Box::new(Scrubbed::new(own, Box::new(json))))
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
                resolvers: Vec::new(),
                techniques: Vec::new(),
                notes: Vec::new(),
            },
        }
    }

    #[test]
    fn every_censor_of_the_lab_is_aimed_at_somebody() {
        let catalog = catalog::embedded();
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
