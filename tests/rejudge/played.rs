//! Scenarios of the lab: played, saved, read back and judged again.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use blockprobe::analysis::again::judge_report;
use blockprobe::cli::saved;
use blockprobe::lab::scenarios::Scenario;
use blockprobe::model::report::{Origin, Report};
use blockprobe::output::destination::{Destination, Packing};
use blockprobe::output::json::Json;
use blockprobe::output::scrub::Scrubbed;
use blockprobe::session::{self, Setup};
use blockprobe::{catalog, lab};
use tokio_util::sync::CancellationToken;

/// Each kind of rule and each kind of line once.
const SCENARIOS: &[&str] = &[
    "open",
    "offline",
    "captive_portal",
    "nxdomain_by_isp_resolver",
    "dns_drop_by_isp_resolver",
    "false_answer_bogon",
    "injected_answer",
    "hijacked_resolver",
    "server_name_reset",
    "server_name_at_address_drop",
    "address_drop",
    "pihole",
];

/// An address that this vantage calls its own: it stands in what is told of the line, and a liar of the lab answers with it.
const OWN: &str = "10.10.34.35";

#[test]
fn a_saved_report_is_judged_as_its_run_was() {
    // A few at once: a machine that is too busy to answer in time looks like a line that does not.
    for some in SCENARIOS.chunks(3) {
        std::thread::scope(|scope| {
            for name in some {
                scope.spawn(move || {
                    let scenario = lab::find(name).expect("a scenario of the table");
                    let report = play(scenario, Duration::from_secs(60));
                    assert!(!report.run.interrupted, "{name}");
                    assert_judged_alike(name, &report);
                    assert_as_expected(scenario, &report);
                });
            }
        });
    }
}

#[test]
fn a_run_that_was_cut_short_is_judged_again_as_it_was() {
    let scenario = lab::find("server_name_drop").unwrap();
    for time in [0.05, 0.4, 1.2] {
        let report = play(scenario, Duration::from_secs_f64(time));
        assert!(report.run.interrupted, "{time}");
        assert_judged_alike(scenario.name, &report);
    }
}

fn assert_judged_alike(name: &str, report: &Report) {
    let mut again = report.clone();
    judge_report(&mut again, None).expect("it tells when it began");
    let told = |report: &Report| {
        (
            serde_json::to_string_pretty(&report.verdicts).unwrap(),
            serde_json::to_string_pretty(&report.vantage).unwrap(),
        )
    };
    assert!(told(report) == told(&again), "{name} is judged otherwise");
    let whole = serde_json::to_string(report).unwrap();
    assert!(!whole.contains(OWN), "{name} tells an own address");
    assert!(whole.contains("tunnel from [scrubbed]"), "{name}");
}

fn assert_as_expected(scenario: &Scenario, report: &Report) {
    if let Some(regime) = scenario.expected.regime {
        assert_eq!(report.vantage.regime, regime);
    }
    for expected in scenario.expected.targets {
        let mut verdicts = report.verdicts.iter();
        let verdict = verdicts
            .find(|verdict| verdict.target == expected.target)
            .expect("every target is judged");
        if let Some(status) = expected.status {
            assert_eq!(verdict.status, status, "{}", scenario.name);
        }
        let found: BTreeSet<&str> = verdict.techniques.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(found, expected.techniques.iter().copied().collect());
    }
}

/// Plays a scenario into a file, on a line that knows an own address, and reads the file.
fn play(scenario: &Scenario, timeout: Duration) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(scenario, timeout, &path));
    runtime.shutdown_background();
    let mut reports = saved::read(path.to_str().unwrap()).expect("a report");
    reports.pop().expect("one report")
}

async fn run(scenario: &Scenario, timeout: Duration, path: &Path) {
    let site = lab::open(scenario, &catalog::embedded()).await.unwrap();
    let mut line = site.line.clone();
    line.own.push(format!("{OWN}/24").parse().unwrap());
    line.notes.push(format!("There is a tunnel from {OWN}"));
    let json = Json::new(Destination::whole(path, Packing::Plain).unwrap());
    let mut sink = Scrubbed::new(&line.own, Box::new(json));
    let setup = Setup {
        catalog: site.catalog.clone(),
        line,
        origin: Origin {
            label: Some("lab".to_owned()),
            ..Origin::default()
        },
        control: None,
        timeout: Some(timeout),
        concurrency: 1024,
        cancel: CancellationToken::new(),
    };
    session::run(&setup, &mut sink).await.unwrap();
}
