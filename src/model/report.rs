//! What is told: verdicts and the report around them, the public contract.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::catalog::{
    BlockPage, Catalog, Control, Definitions, Protocol, Resolver, Target, Transport,
};
use crate::model::failure::Failure;
use crate::model::observation::Observation;
use crate::model::technique::{Interference, Technique, Trigger};

/// The value of `Report::format`.
pub const FORMAT: &str = "blockprobe-report/1";

/// One run, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `blockprobe-report/1`.
    pub format: String,
    /// What wrote it.
    pub software: Software,
    /// When, how long, of what.
    pub run: Run,
    /// Where we stand.
    pub vantage: Vantage,
    /// One for each target.
    pub verdicts: Vec<Verdict>,
    /// What was measured. With it the report can be judged again.
    pub measured: Measured,
    /// Every observation of the run.
    pub observations: Vec<Observation>,
}

/// What wrote the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// `blockprobe`.
    pub name: String,
    /// Semantic version.
    pub version: String,
}

/// When, how long, of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// UUID, version 7.
    pub id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Seconds.
    pub duration_s: f64,
    /// Ended by Ctrl-C or `--timeout` before everything planned was measured.
    pub interrupted: bool,
    /// The definitions that were measured.
    pub definitions: Definitions,
}

/// What was measured, as far as judgement asks for it: a report needs no definitions beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// What may be blocked.
    pub targets: Vec<Target>,
    /// What should work if only a target is filtered.
    pub controls: Vec<Control>,
    /// DNS resolvers that got queries.
    pub resolvers: Vec<Resolver>,
    /// Addresses known to serve block pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub block_pages: Vec<BlockPage>,
    /// What this machine knew of its network before the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub line_notes: Vec<String>,
}

impl Measured {
    /// What a run with this catalog measures, on a line with these notes.
    pub fn of(catalog: &Catalog, line_notes: &[String]) -> Self {
        Self {
            targets: catalog.targets.clone(),
            controls: catalog.controls.clone(),
            resolvers: catalog.resolvers.clone(),
            block_pages: catalog.block_pages.clone(),
            line_notes: line_notes.to_vec(),
        }
    }

    /// The catalog as judgement needs it, and the notes of the line.
    pub fn into_catalog(self, definitions: Definitions) -> (Catalog, Vec<String>) {
        let catalog = Catalog {
            definitions,
            targets: self.targets,
            controls: self.controls,
            resolvers: self.resolvers,
            private_roots: Vec::new(),
            block_pages: self.block_pages,
        };
        (catalog, self.line_notes)
    }
}

/// Where we stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vantage {
    /// What the user calls it.
    pub label: Option<String>,
    /// State of the whole network.
    pub regime: Regime,
    /// `ipv4`, `ipv6`: the families that work here.
    pub address_families: Vec<String>,
    /// Autonomous system, `AS64500`, if known.
    pub asn: Option<String>,
    /// Two capital letters, if known.
    pub country: Option<String>,
    /// What the user says of this vantage, by key (`--tag KEY=VALUE`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What is wrong with this network or this machine, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Every resolver that was asked.
    pub resolvers: Vec<ResolverReport>,
    /// Techniques that hit the whole network, whatever the target (`everything/*`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<TechniqueReport>,
    /// Other facts about this network, as sentences.
    pub notes: Vec<String>,
}

/// What the user says of this vantage; nothing of it is measured or looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Its name (`--label`).
    pub label: Option<String>,
    /// Autonomous system (`--asn`), `AS64500`.
    pub asn: Option<String>,
    /// Two capital letters (`--country`).
    pub country: Option<String>,
    /// Anything else, by key (`--tag KEY=VALUE`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Vantage {
    /// What the user says of it.
    pub fn origin(&self) -> Origin {
        Origin {
            label: self.label.clone(),
            asn: self.asn.clone(),
            country: self.country.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// State of the whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Controls work: what fails can be blamed.
    Open,
    /// A portal answers for everybody.
    CaptivePortal,
    /// Only listed destinations pass.
    AllowList,
    /// Nothing outside the country passes.
    DomesticOnly,
    /// Nothing passes.
    Offline,
}

impl Regime {
    /// The word of the report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CaptivePortal => "captive_portal",
            Self::AllowList => "allow_list",
            Self::DomesticOnly => "domestic_only",
            Self::Offline => "offline",
        }
    }
}

/// One resolver, as it behaved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResolverReport {
    /// `system`, `google`, ...
    pub name: String,
    /// How it was asked.
    pub transport: Transport,
    /// `address:port`.
    pub address: String,
    /// Whether it can be used from here.
    pub status: Status,
    /// What is done to it.
    pub techniques: Vec<TechniqueReport>,
}

/// What we say of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Id of the target.
    pub target: String,
    /// What a person calls it.
    pub name: String,
    /// What a person here would meet.
    pub status: Status,
    /// How sure we are of that status.
    pub confidence: Confidence,
    /// One or two sentences for a person.
    pub summary: String,
    /// Why the status is not clearer: the network's state, a missing control comparison, what does not work.
    pub reason: Option<String>,
    /// Every technique found on its endpoints.
    pub techniques: Vec<TechniqueReport>,
    /// What works and what does not.
    pub services: Vec<ServiceReport>,
}

/// One technique that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TechniqueReport {
    /// `trigger/interference`.
    pub id: String,
    /// What the censor looks at.
    pub trigger: Trigger,
    /// What the censor does.
    pub interference: Interference,
    /// How sure we are.
    pub confidence: Confidence,
    /// Ids of the services it hits.
    pub services: Vec<String>,
    /// Ids of the endpoints it hits.
    pub endpoints: Vec<String>,
    /// Ids of the observations it rests on.
    pub evidence: Vec<String>,
    /// The open question: an innocent explanation that is not ruled out.
    pub doubt: Option<String>,
    /// What was measured, with its control comparison.
    pub seen: String,
}

impl TechniqueReport {
    /// The technique itself.
    pub const fn technique(&self) -> Technique {
        Technique::new(self.trigger, self.interference)
    }

    /// Whether all it hits are requests by which calls find their way, STUN over UDP: no connections, and no app's own protocol.
    pub fn hits_calls_alone(&self) -> bool {
        let is_call = |id: &String| {
            let scheme = id.split_once("://").map(|(scheme, _)| scheme);
            [Protocol::Stun, Protocol::Turn]
                .iter()
                .any(|it| scheme == Some(it.word()))
        };
        self.trigger == Trigger::Protocol
            && !self.endpoints.is_empty()
            && self.endpoints.iter().all(is_call)
    }
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceReport {
    /// Id of the service.
    pub service: String,
    /// What a person here would meet.
    pub status: Status,
    /// Whether the target is of no use without it.
    pub essential: bool,
    /// Whether others do the same over another transport: what it meets does not lower the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alternative: bool,
    /// Where it is served.
    pub endpoints: Vec<EndpointReport>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointReport {
    /// Id of the endpoint.
    pub endpoint: String,
    /// What a person's app would meet there.
    pub status: EndpointStatus,
    /// Why it failed, on the ordinary path.
    pub failure: Option<Failure>,
    /// Ids of the techniques found there.
    pub techniques: Vec<String>,
    /// What was not measured and why, or why the status is not plainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a person here would meet, at a target or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Accessible,
    /// Some of it works.
    Degraded,
    /// A censor keeps it from working.
    Blocked,
    /// It fails at the control vantage too.
    Down,
    /// Undetermined, for the reason given.
    Inconclusive,
}

impl Status {
    /// Every status, as `--fail-on` takes them.
    pub const ALL: &'static [Self] = &[
        Self::Accessible,
        Self::Degraded,
        Self::Blocked,
        Self::Down,
        Self::Inconclusive,
    ];

    /// The word of the report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accessible => "accessible",
            Self::Degraded => "degraded",
            Self::Blocked => "blocked",
            Self::Down => "down",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What a person's app would meet at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It works, as far as it was measured.
    Accessible,
    /// A named technique keeps it from working.
    Blocked,
    /// It fails at the control vantage too.
    Down,
    /// It fails for an unknown cause, or it cannot be judged.
    Inconclusive,
    /// Nothing of it was measured; the reason says why.
    NotRun,
}

/// How sure we are, by rule and never by feeling. The order is from least to most.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A failure without a telling contrast.
    Suspected,
    /// A contrast with fewer trials, or with one innocent explanation left.
    Likely,
    /// A contrast that differs in one thing worked while the target failed in each of at least three trials.
    Confirmed,
}

impl Confidence {
    /// The word of the report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Whose line it is: what every `started` and every `verdict` line says of its run.
///
/// Streams of older versions have none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Provenance {
    /// Id of the run; every line of the run has it.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// What the user calls the vantage.
    pub label: Option<String>,
    /// What the user says of the vantage, by key (`--tag KEY=VALUE`).
    pub tags: BTreeMap<String, String>,
    /// Autonomous system of the vantage, `AS64500`.
    pub asn: Option<String>,
    /// Country of the vantage, two capital letters.
    pub country: Option<String>,
    /// What writes the stream.
    pub software: Software,
    /// The definitions that are measured.
    pub definitions: Definitions,
}

impl Provenance {
    /// What the lines of this run say.
    pub fn of(run: &Run, origin: &Origin, software: Software) -> Self {
        Self {
            run_id: run.id.clone(),
            started_at: run.started_at.clone(),
            label: origin.label.clone(),
            tags: origin.tags.clone(),
            asn: origin.asn.clone(),
            country: origin.country.clone(),
            software,
            definitions: run.definitions.clone(),
        }
    }

    /// What the user says of the vantage.
    pub fn origin(&self) -> Origin {
        Origin {
            label: self.label.clone(),
            asn: self.asn.clone(),
            country: self.country.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// One line of the NDJSON stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Started {
        /// Whose line it is.
        #[serde(flatten)]
        provenance: Box<Provenance>,
        /// `blockprobe-report/1`.
        format: String,
        /// The run; its duration is 0 so far.
        run: Run,
        /// What is measured.
        measured: Box<Measured>,
    },
    /// One observation, as soon as it is complete.
    Observation {
        /// Id of the run.
        #[serde(default)]
        run_id: String,
        /// What was seen.
        #[serde(flatten)]
        observation: Box<Observation>,
    },
    /// One verdict, as soon as its target's last round is done.
    Verdict {
        /// Whose line it is.
        #[serde(flatten)]
        provenance: Box<Provenance>,
        /// What we say.
        #[serde(flatten)]
        verdict: Box<Verdict>,
    },
    /// The last line.
    Finished {
        /// Id of the run.
        #[serde(default)]
        run_id: String,
        /// The run, with its duration.
        run: Run,
        /// The network, as judged in the end.
        vantage: Box<Vantage>,
    },
}

impl Line {
    /// Id of its run; empty in streams of older versions.
    pub fn run_id(&self) -> &str {
        match self {
            Self::Started {
                provenance, run, ..
            } if provenance.run_id.is_empty() => &run.id,
            Self::Started { provenance, .. } | Self::Verdict { provenance, .. } => {
                &provenance.run_id
            }
            Self::Observation { run_id, .. } | Self::Finished { run_id, .. } => run_id,
        }
    }
}
