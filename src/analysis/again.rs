//! One way to judge, for a run that goes on and for a report that was saved: the same observations, the same verdict.
//!
//! Both judge what is written: a run scrubs its observations first, so that nothing is known to it that its report hides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::analysis;
use crate::analysis::control::OtherVantage;
use crate::analysis::ground::Ground;
use crate::model::catalog::{Catalog, Definitions, Region};
use crate::model::check::GROUND;
use crate::model::observation::{OUT_OF_FILES, Observation, Operation, Stage};
use crate::model::report::{Measured, Origin, Report, Status, Vantage, Verdict};

/// A fact of this machine, which must not look like one of the network.
const FEW_FILES: &str = "Some checks could not be made: this machine allows too few open files. Raise the limit (ulimit -n \
     4096) and run again";

/// Whoever judges one run: by what was measured, when, and what another vantage saw.
pub struct Judge {
    catalog: Catalog,
    line_notes: Vec<String>,
    started_at: Timestamp,
    other: Option<OtherVantage>,
    /// Where in the catalog each target stands.
    places: BTreeMap<String, usize>,
}

impl Judge {
    /// `measured` as it stands in the report; `started_at` is the vantage's clock at second 0 of the run.
    pub fn new(measured: Measured, started_at: Timestamp, other: Option<OtherVantage>) -> Self {
        let (catalog, line_notes) = measured.into_catalog(Definitions::default());
        let places = catalog
            .targets
            .iter()
            .enumerate()
            .map(|(place, target)| (target.id.clone(), place))
            .collect();
        Self {
            catalog,
            line_notes,
            started_at,
            other,
            places,
        }
    }

    /// Judges the line by the observations of the ground.
    pub fn ground(&self, observations: &[Observation]) -> Ground {
        let ground = Ground::new(
            &self.catalog,
            &self.line_notes,
            self.started_at,
            observations,
        );
        match &self.other {
            Some(other) => ground.beside(other, &self.catalog),
            None => ground,
        }
    }

    /// Judges one target by the ground and its own observations; `None` if it was not among what was measured.
    pub fn target(
        &self,
        id: &str,
        ground: &Ground,
        observations: &[Observation],
    ) -> Option<Verdict> {
        let target = &self.catalog.targets[*self.places.get(id)?];
        Some(analysis::judge(&self.catalog, target, ground, observations))
    }
}

/// What a run says of itself and what targets' servers say of this vantage, by the observations of one subject.
pub fn remarks(catalog: &Catalog, subject: &str, observations: &[Observation]) -> BTreeSet<String> {
    let is_out = |it: &Observation| it.not_run.as_deref() == Some(OUT_OF_FILES);
    let is_out = observations.iter().any(is_out);
    let few = is_out.then(|| FEW_FILES.to_owned());
    few.into_iter()
        .chain(places(catalog, subject, observations))
        .collect()
}

/// The country that targets' servers take this vantage to be in.
fn places(catalog: &Catalog, target: &str, observations: &[Observation]) -> BTreeSet<String> {
    let name = catalog.targets.iter().find(|it| it.id == target);
    let name = name.map_or(target, |it| it.name.as_str());
    let exchanges = observations
        .iter()
        .filter_map(|it| it.step(Operation::Exchange)?.exchange.as_deref())
        .filter(|exchange| exchange.stage >= Stage::Bound);
    let places = exchanges.flat_map(|exchange| &exchange.says);
    places
        .filter(|(key, _)| key == "location")
        .map(|(_, place)| format!("{name}'s server takes this vantage to be in {place}"))
        .collect()
}

/// What the verdicts say together: a service of the country that works where foreign ones are blocked.
fn beside(catalog: &Catalog, verdicts: &[Verdict]) -> Option<String> {
    let names = |status: Status, region: Region| -> Vec<&str> {
        let of_region = |verdict: &&Verdict| {
            let mut targets = catalog.targets.iter();
            targets.any(|it| it.id == verdict.target && it.region == region)
        };
        let wanted = verdicts.iter().filter(|it| it.status == status);
        wanted
            .filter(of_region)
            .map(|it| it.name.as_str())
            .collect()
    };
    let blocked = names(Status::Blocked, Region::Foreign);
    let works = names(Status::Accessible, Region::Domestic);
    (!blocked.is_empty() && !works.is_empty()).then(|| {
        format!(
            "Works here and is at home in the country: {}; blocked here and foreign: {}",
            works.join(", "),
            blocked.join(", ")
        )
    })
}

/// Where we stand, as the ground shows it, with what the targets' servers and verdicts add.
pub fn vantage(
    catalog: &Catalog,
    origin: Origin,
    mut ground: Ground,
    remarks: BTreeSet<String>,
    verdicts: &[Verdict],
) -> Vantage {
    ground.notes.extend(remarks);
    let mut ordered: Vec<Verdict> = verdicts.to_vec();
    ordered.sort_by(|one, other| one.target.cmp(&other.target));
    ground.notes.extend(beside(catalog, &ordered));
    Vantage {
        label: origin.label,
        regime: ground.regime,
        address_families: ground.families,
        asn: origin.asn,
        country: origin.country,
        tags: origin.tags,
        problem: None,
        resolvers: ground.resolvers,
        techniques: ground.techniques,
        notes: ground.notes,
    }
}

/// Judges a saved report again. Verdicts come in the report's own order; targets that had none yet come after.
///
/// # Errors
/// Where the report does not tell when its run began.
pub fn judge_report(report: &mut Report, control: Option<Report>) -> Result<(), jiff::Error> {
    let started_at: Timestamp = report.run.started_at.parse()?;
    let other = match control {
        Some(control) => Some(OtherVantage::new(control, &report.run.id, started_at)?),
        None => None,
    };
    let judge = Judge::new(report.measured.clone(), started_at, other);
    let seen = by_subject(&report.observations);
    let of = |subject: &str| seen.get(subject).map_or(&[] as &[_], Vec::as_slice);
    let ground = judge.ground(of(GROUND));
    let told = report.verdicts.iter().map(|verdict| &verdict.target);
    let measured = report.measured.targets.iter().map(|target| &target.id);
    let mut verdicts: Vec<Verdict> = Vec::new();
    for id in told.chain(measured) {
        if verdicts.iter().all(|verdict| verdict.target != *id) {
            verdicts.extend(judge.target(id, &ground, of(id)));
        }
    }
    let catalog = &judge.catalog;
    let targets = verdicts.iter().map(|verdict| verdict.target.as_str());
    let told = std::iter::once(GROUND)
        .chain(targets)
        .flat_map(|id| remarks(catalog, id, of(id)))
        .collect();
    let origin = report.vantage.origin();
    report.vantage = vantage(catalog, origin, ground, told, &verdicts);
    report.verdicts = verdicts;
    Ok(())
}

/// Observations by whom they were made for, each in the order in which the checks began, as a run judges them. What a report holds
/// twice, as those who carry logs may write it, was seen once: it must not pass for another trial.
pub fn by_subject(observations: &[Observation]) -> BTreeMap<String, Vec<Observation>> {
    let mut subjects: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for observation in observations.iter().filter(|it| seen.insert(&it.id)) {
        subjects
            .entry(observation.check.subject.clone())
            .or_default()
            .push(observation.clone());
    }
    for observations in subjects.values_mut() {
        observations.sort_by_key(|observation| number(&observation.id));
    }
    subjects
}

/// The number in `o17`.
fn number(id: &str) -> u64 {
    id.trim_start_matches('o').parse().unwrap_or(u64::MAX)
}
