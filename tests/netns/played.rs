//! A run that is over: its report, checked as every report is, and asked in the words of the scenarios.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Output;
use std::sync::LazyLock;
use std::time::Duration;

use blockprobe::model::check::Ask;
use blockprobe::model::observation::{Observation, TcpFacts};
use blockprobe::model::report::{Confidence, Regime, Report, Status, Verdict};
use blockprobe::output::human::{Detail, Manner, render_report};
use blockprobe::output::schema;
use jsonschema::Validator;

use crate::road::{CLIENT, CLIENT_6};

/// A run that takes longer hangs: a debug build, on a noisy machine that plays three at once, on a line that may lose half. How long
/// runs take is for the benchmarks to show.
const LONGEST: Duration = Duration::from_secs(30);

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::validator_for(&schema::report().to_value()).expect("the schema is valid")
});

/// A run that is over.
#[derive(Debug)]
pub struct Played {
    pub report: Report,
    pub status: i32,
    pub took: Duration,
}

impl Played {
    /// Reads the report, and checks what must hold of any.
    pub fn new(name: &str, output: &Output, took: Duration) -> Self {
        let told = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        println!("{name}: {:.1} s", took.as_secs_f64());
        let value: serde_json::Value = serde_json::from_str(&told)
            .unwrap_or_else(|error| panic!("{name}: no report: {error}\n{told}\n{complaint}"));
        let report: Report = serde_json::from_str(&told)
            .unwrap_or_else(|error| panic!("{name}: not the model's: {error}\n{complaint}"));
        let played = Self {
            report,
            status: output.status.code().unwrap_or(-1),
            took,
        };
        played.keep(name, &told);
        let wrong: Vec<String> = SCHEMA
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{name}: against the schema: {wrong:#?}");
        for own in [CLIENT.to_string().as_str(), CLIENT_6] {
            assert!(
                !told.contains(own) && !complaint.contains(own),
                "{name}: the vantage's own address {own} is told"
            );
        }
        assert!(took < LONGEST, "{name} took {took:?}\n{}", played.tell());
        played
    }

    /// The target has that status and exactly these techniques.
    #[track_caller]
    pub fn expect(&self, target: &str, status: Status, techniques: &[&str]) -> &Self {
        let verdict = self.verdict(target);
        let found: BTreeSet<&str> = verdict.techniques.iter().map(|it| it.id.as_str()).collect();
        let wanted: BTreeSet<&str> = techniques.iter().copied().collect();
        assert!(
            verdict.status == status && found == wanted,
            "{target} should be {} {wanted:?}\n{}",
            status.word(),
            self.tell()
        );
        self
    }

    /// The same, for certain.
    #[track_caller]
    pub fn expect_confirmed(&self, target: &str, status: Status, techniques: &[&str]) -> &Self {
        self.expect(target, status, techniques);
        let verdict = self.verdict(target);
        assert!(
            verdict.confidence == Confidence::Confirmed,
            "{target} should be confirmed\n{}",
            self.tell()
        );
        self
    }

    /// These and no others work, without any technique.
    #[track_caller]
    pub fn expect_accessible(&self, targets: &[&str]) -> &Self {
        for target in targets {
            self.expect(target, Status::Accessible, &[]);
        }
        self
    }

    /// Nobody is accused, whatever else is said.
    #[track_caller]
    pub fn expect_nobody_accused(&self) -> &Self {
        for verdict in &self.report.verdicts {
            assert!(
                verdict.status != Status::Blocked && verdict.techniques.is_empty(),
                "{} is accused\n{}",
                verdict.target,
                self.tell()
            );
        }
        for resolver in &self.report.vantage.resolvers {
            assert!(
                resolver.techniques.is_empty(),
                "{} is said to be interfered with\n{}",
                resolver.name,
                self.tell()
            );
        }
        self
    }

    /// The state of the line and the exit status.
    #[track_caller]
    pub fn expect_line(&self, regime: Regime, status: i32) -> &Self {
        assert!(
            self.report.vantage.regime == regime && self.status == status,
            "the line should be {}, the exit status {status}, and is {}\n{}",
            regime.word(),
            self.status,
            self.tell()
        );
        self
    }

    /// Ends in time.
    #[track_caller]
    pub fn expect_within(&self, seconds: u64) -> &Self {
        assert!(
            self.took < Duration::from_secs(seconds),
            "took {:?}\n{}",
            self.took,
            self.tell()
        );
        self
    }

    /// Ids of the techniques told of a resolver.
    pub fn techniques_of_resolver(&self, name: &str) -> BTreeSet<&str> {
        let resolvers = self.report.vantage.resolvers.iter();
        resolvers
            .filter(|it| it.name == name)
            .flat_map(|it| &it.techniques)
            .map(|it| it.id.as_str())
            .collect()
    }

    /// Everything that was seen on behalf of a target.
    pub fn observations<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Observation> {
        let all = self.report.observations.iter();
        all.filter(move |it| it.check.subject == target)
    }

    /// What the kernel knew at the end of every climb that failed, on behalf of a target; those that were to end early
    /// are left out.
    pub fn failed_tcp<'a>(
        &'a self,
        target: &'a str,
    ) -> impl Iterator<Item = (&'a Observation, &'a TcpFacts)> {
        let is_whole =
            |it: &Observation| !matches!(&it.check.ask, Ask::Climb(climb) if climb.hops.is_some());
        self.observations(target)
            .filter(move |it| it.failure().is_some() && is_whole(it))
            .filter_map(|it| Some((it, it.steps.last()?.tcp.as_deref()?)))
    }

    /// As people read it.
    pub fn tell(&self) -> String {
        let manner = Manner {
            width: 100,
            colour: false,
            detail: Detail::Plain,
        };
        render_report(&mut self.report.clone(), manner)
    }

    /// What is said of a target.
    pub fn verdict(&self, target: &str) -> &Verdict {
        let mut verdicts = self.report.verdicts.iter();
        let verdict = verdicts.find(|it| it.target == target);
        verdict.unwrap_or_else(|| panic!("no verdict of {target}"))
    }

    fn keep(&self, name: &str, told: &str) {
        let folder = std::env::var_os("BLOCKPROBE_NETNS_SAVE").filter(|it| !it.is_empty());
        let Some(folder) = folder.map(PathBuf::from) else {
            return;
        };
        let told_to_people = format!("{}\nexit status {}\n", self.tell(), self.status);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.json")), told).expect("a file");
        std::fs::write(folder.join(format!("{name}.txt")), told_to_people).expect("a file");
    }
}
