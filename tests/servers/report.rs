//! A run of the product, its report as it would be written, and questions to it.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use blockprobe::model::check::{Ask, Climb};
use blockprobe::model::observation::{Observation, Operation};
use blockprobe::model::report::{
    EndpointReport, FORMAT, Measured, Origin, Report, Run, Status, Vantage, Verdict,
};
use blockprobe::output::{Sink, schema, software};
use blockprobe::session::{self, Setup};
use jsonschema::Validator;
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// Far more than a run takes; ends one that hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The command's own default.
const CONCURRENCY: usize = 1024;

static SCHEMA: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema::report().to_value()).expect("a schema"));

/// Measures everything at a site. Every report fits the schema, reads back, and is of a whole run.
pub async fn measure(site: &Site) -> Report {
    let setup = Setup {
        catalog: site.catalog.clone(),
        line: site.line.clone(),
        origin: Origin::default(),
        control: None,
        timeout: Some(TIMEOUT),
        concurrency: CONCURRENCY,
        cancel: CancellationToken::new(),
    };
    let mut sink = Collected::default();
    session::run(&setup, &mut sink).await.unwrap();
    let report = sink.report.expect("the run was finished");
    let value = serde_json::to_value(&report).unwrap();
    let errors: Vec<String> = SCHEMA
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let read: Report = serde_json::from_value(value).unwrap();
    assert_eq!(read.verdicts, report.verdicts);
    assert!(!report.run.interrupted, "the run took too long");
    assert_eq!(report.verdicts.len(), site.catalog.targets.len());
    report
}

/// What is said of a target.
pub fn verdict<'a>(report: &'a Report, target: &str) -> &'a Verdict {
    let found = report.verdicts.iter().find(|it| it.target == target);
    found.unwrap_or_else(|| panic!("no verdict on {target}"))
}

/// Status of a target.
pub fn status(report: &Report, target: &str) -> Status {
    verdict(report, target).status
}

/// Ids of the techniques found on a target.
pub fn techniques(verdict: &Verdict) -> Vec<&str> {
    verdict.techniques.iter().map(|it| it.id.as_str()).collect()
}

/// Every endpoint of a target.
pub fn endpoints(verdict: &Verdict) -> impl Iterator<Item = &EndpointReport> {
    verdict.services.iter().flat_map(|it| &it.endpoints)
}

/// Every climb.
pub fn climbs(report: &Report) -> impl Iterator<Item = (&Climb, &Observation)> {
    report
        .observations
        .iter()
        .filter_map(|observation| match &observation.check.ask {
            Ask::Climb(climb) => Some((climb, observation)),
            _ => None,
        })
}

/// Every query to one resolver.
pub fn queries<'a>(
    report: &'a Report,
    resolver: &'a str,
) -> impl Iterator<Item = &'a Observation> + Clone {
    report.observations.iter().filter(move |observation| {
        matches!(&observation.check.ask, Ask::Query { resolver: asked, .. } if asked == resolver)
    })
}

/// Whether an observation has made this step.
pub fn made(observation: &Observation, operation: Operation) -> bool {
    observation.step(operation).is_some()
}

#[derive(Default)]
struct Collected {
    observations: Vec<Observation>,
    verdicts: Vec<Verdict>,
    measured: Measured,
    report: Option<Report>,
}

impl Sink for Collected {
    fn started(&mut self, _: &Run, _: &Origin, measured: &Measured) -> io::Result<()> {
        self.measured = measured.clone();
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.observations.push(observation.clone());
        Ok(())
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.verdicts.push(verdict.clone());
        Ok(())
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.report = Some(Report {
            format: FORMAT.to_owned(),
            software: software(),
            run: run.clone(),
            vantage: vantage.clone(),
            verdicts: std::mem::take(&mut self.verdicts),
            measured: std::mem::take(&mut self.measured),
            observations: std::mem::take(&mut self.observations),
        });
        Ok(())
    }
}
