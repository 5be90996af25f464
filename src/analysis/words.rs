//! Sentences that several rules write into a report, each written once.
//!
//! A doubt is one sentence: doubts of one technique are joined by ". " and taken apart there again.

use crate::model::report::Regime;

/// Stands in every doubt that another vantage settles, and in no other sentence of a doubt.
pub const ANOTHER_VANTAGE: &str = "another vantage";

/// The ordinary path resolves no control name.
pub const NO_CONTROL_NAMES: &str =
    "The system's DNS resolver does not answer for control names either";

/// Fewer trials than judgement asks for, at the target or at the controls.
pub const FEW_TRIALS_OR_CONTROLS: &str =
    "Fewer than three trials or controls: chance is not excluded";

/// A rule does not speak for an endpoint because the whole network has a problem.
pub fn not_open(regime: Regime) -> String {
    format!("This network is not open ({})", regime.word())
}
