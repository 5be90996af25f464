//! One way to judge, for a run that goes on and for a report that was saved: the same observations, the same verdict.
//!
//! Both judge what is written: a run scrubs its observations first, so that nothing is known to it that its report hides.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use crate::analysis;
use crate::analysis::control::OtherVantage;
use crate::analysis::ground::Ground;
use crate::analysis::problem;
use crate::model::catalog::{Catalog, Definitions, Region};
use crate::model::check::GROUND;
use crate::model::observation::{OUT_OF_FILES, Observation, Operation, Stage};
use crate::model::report::{Measured, Origin, Report, Status, Vantage, Verdict};

/// A fact of this machine, which must not look like one of the network.
const FEW_FILES: &str = "Some checks could not be made: this machine allows too few open files. Raise the limit (ulimit -n \
     4096) and run again";

/// Whoever judges one run: by what was measured, when, and what another vantage saw.
pub struct Judge {
    pub(super) catalog: Catalog,
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

    /// Judges beside what another vantage saw, from now on.
    pub fn hear(&mut self, other: OtherVantage) {
        self.other = Some(other);
    }

    /// The catalog of what was measured.
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// What was measured, as it was given.
    pub fn into_measured(self) -> Measured {
        Measured {
            targets: self.catalog.targets,
            controls: self.catalog.controls,
            resolvers: self.catalog.resolvers,
            block_pages: self.catalog.block_pages,
            line_notes: self.line_notes,
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
        .map(|(_, place)| format!("{name}'s server locates you in {place}"))
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
            "Works, domestic: {}. Blocked, foreign: {}",
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
    let problem = problem::of(&ground);
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
        problem,
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
    let judge = Judge::new(std::mem::take(&mut report.measured), started_at, other);
    let seen = Subjects::of(std::mem::take(&mut report.observations));
    let of = |subject: &str| seen.about(subject);
    let ground = judge.ground(of(GROUND));
    let told = report.verdicts.iter().map(|verdict| &verdict.target);
    let measured = judge.catalog.targets.iter().map(|target| &target.id);
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut judged = HashSet::new();
    for id in told.chain(measured) {
        if judged.insert(id) {
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
    report.observations = seen.into_observations();
    report.measured = judge.into_measured();
    Ok(())
}

/// A report's observations by their subject, each in the order in which the checks began, as a run judges them.
///
/// One measurement counts once: a log may hold a line twice, and the copy must not pass for another trial. A copy has the
/// id of another observation, or the check of another one: a run makes each check once.
pub struct Subjects {
    kept: BTreeMap<String, Vec<Observation>>,
    /// Where in the report each of them stood.
    places: BTreeMap<String, Vec<usize>>,
    copies: Vec<(usize, Observation)>,
}

impl Subjects {
    /// Sorts them; linear but for the sorting.
    pub fn of(observations: Vec<Observation>) -> Self {
        let mut order: Vec<usize> = (0..observations.len()).collect();
        order.sort_by_key(|at| number(&observations[*at].id));
        let (mut ids, mut checks) = (HashSet::new(), HashSet::new());
        let mut is_copy = vec![false; observations.len()];
        for at in &order {
            let Observation { id, check, .. } = &observations[*at];
            is_copy[*at] = !ids.insert(id) || !checks.insert((&check.subject, &check.id));
        }
        let mut observations: Vec<Option<Observation>> =
            observations.into_iter().map(Some).collect();
        let mut sorted = Self {
            kept: BTreeMap::new(),
            places: BTreeMap::new(),
            copies: Vec::new(),
        };
        for at in order {
            let Some(observation) = observations[at].take() else {
                continue;
            };
            if is_copy[at] {
                sorted.copies.push((at, observation));
                continue;
            }
            let subject = observation.check.subject.clone();
            sorted.places.entry(subject.clone()).or_default().push(at);
            sorted.kept.entry(subject).or_default().push(observation);
        }
        sorted
    }

    /// All of one subject.
    pub fn about(&self, subject: &str) -> &[Observation] {
        self.kept.get(subject).map_or(&[], Vec::as_slice)
    }

    /// All of one subject, taken out.
    pub fn take(&mut self, subject: &str) -> Vec<Observation> {
        self.places.remove(subject);
        self.kept.remove(subject).unwrap_or_default()
    }

    /// Everything, copies too, in the report's own order.
    pub fn into_observations(self) -> Vec<Observation> {
        let places = self.places.into_values().flatten();
        let kept = places.zip(self.kept.into_values().flatten());
        let mut all: Vec<(usize, Observation)> = kept.chain(self.copies).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter()
            .map(|(_, observation)| observation)
            .collect()
    }
}

/// The number in `o17`.
fn number(id: &str) -> u64 {
    id.trim_start_matches('o').parse().unwrap_or(u64::MAX)
}
