//! The whole line but a list is cut off: `everything/drop`, told at the vantage and never of a target.
//!
//! What it infers: what passes is a list (of addresses, of names), or whatever stays inside the country.
//! Evidence: controls of several operators stay silent, in every attempt, while others answer on the same line.
//! What else could explain it: a line to the outside that is down for everybody; a company's list of what its people may reach; a
//! line that large packets do not pass (where TLS is answered nowhere, controls that acknowledge it are left out; doubt).
//! References: facts 2.7; net4people/bbs#516, #650.

use crate::analysis::evidence::is_interrupted;
use crate::model::catalog::{Catalog, Control};
use crate::model::failure::Failure;
use crate::model::observation::Observation;
use crate::model::report::{Confidence, Regime, TechniqueReport};
use crate::model::technique::{Interference, Technique, Trigger};

/// Controls that are told of each kind; the report holds all the others too.
const TOLD: usize = 6;

const OWN_LIST: &str = "A company's or a school's own allow list looks the same";

/// What the regime is made of, where it is a list.
pub fn infer(
    catalog: &Catalog,
    regime: Regime,
    observations: &[Observation],
) -> Option<TechniqueReport> {
    let doubt = match regime {
        Regime::AllowList => {
            "A company's or a school's own allow list looks the same, and so does a network that loses large packets, or a censor that drops all connections for a while after one name"
        }
        Regime::DomesticOnly => "A failure of all foreign connections looks the same",
        Regime::Open | Regime::CaptivePortal | Regime::Offline => return None,
    };
    let climbs = |control: &Control| -> Vec<&Observation> {
        let id = &control.endpoint.id;
        let own = observations
            .iter()
            .filter(|it| it.check.endpoints.contains(id));
        own.filter(|it| !it.is_not_run() && !is_interrupted(it))
            .collect()
    };
    let (mut works, mut silent) = (Vec::new(), Vec::new());
    for control in &catalog.controls {
        let own = climbs(control);
        if let Some(worked) = own.iter().find(|it| it.is_success()) {
            works.push((control, worked.id.clone()));
        } else if let Some(failed) = own.first() {
            silent.push((control, failed.id.clone()));
        }
    }
    let names = |list: &[(&Control, String)]| -> String {
        let ids: Vec<&str> = list
            .iter()
            .map(|(it, _)| it.id.as_str())
            .take(TOLD)
            .collect();
        ids.join(", ")
    };
    let lost = |(_, id): &(&Control, String)| {
        let failed = observations.iter().find(|it| it.id == *id);
        failed.and_then(|it| it.failure()) != Some(&Failure::ConnectionRefused)
    };
    // What is turned down at once is not lost for its size.
    let (what, doubt) = match regime {
        _ if silent.iter().any(lost) => ("get no reply", doubt),
        Regime::AllowList => ("are refused", OWN_LIST),
        _ => ("are refused", doubt),
    };
    let technique = Technique::new(Trigger::Everything, Interference::Drop);
    Some(TechniqueReport {
        id: technique.id(),
        trigger: technique.trigger,
        interference: technique.interference,
        confidence: Confidence::Likely,
        services: Vec::new(),
        endpoints: Vec::new(),
        evidence: silent
            .iter()
            .take(TOLD)
            .chain(works.iter().take(TOLD))
            .map(|(_, id)| id.clone())
            .collect(),
        doubt: Some(doubt.to_owned()),
        seen: format!(
            "Connections to {} control servers {what} ({}). {} other control servers answer on the same network ({})",
            silent.len(),
            names(&silent),
            works.len(),
            names(&works)
        ),
    })
}
