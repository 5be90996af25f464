//! What came out otherwise than a scenario expects.

use std::collections::BTreeSet;

use crate::lab::scenarios::Expected;
use crate::model::report::{Status, TechniqueReport, Vantage, Verdict};
use crate::session::Outcome;

/// Everything that came out otherwise than expected, in sentences.
pub fn differences(expected: &Expected, outcome: &Outcome) -> Vec<String> {
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
                tags: std::collections::BTreeMap::new(),
                problem: None,
                resolvers: Vec::new(),
                techniques: Vec::new(),
                notes: Vec::new(),
            },
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
