//! What should pass and what may not, in turn: a line that is cut for a moment then silences both, or neither.

use crate::model::check::Check;
use crate::model::failure::Failure;
use crate::model::observation::Observation;
use crate::plan::Seen;

/// Rounds 1 to `rounds` of what should pass. Between two of them goes what is tried, together with the later one: whoever
/// judges knows that something passed before it, and beside it. Once nothing of a round passes, turns tell nothing more,
/// and all that is left goes at once.
pub fn alternate(
    seen: &Seen,
    rounds: u32,
    passes: impl Fn(u32) -> Vec<Check>,
    tried: impl Fn(u32) -> Vec<Check>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut takes_turns = true;
    for round in 1..=rounds {
        let passing = passes(round);
        let complete = |check: &Check| seen.complete(&check.id);
        let has_passed = passing.iter().filter_map(complete).any(|it| !is_silent(it));
        let is_over = passing.iter().all(|check| complete(check).is_some());
        checks.extend(passing);
        if takes_turns && !has_passed && !is_over {
            break;
        }
        takes_turns &= has_passed;
        if round < rounds {
            checks.extend(tried(round));
        }
    }
    checks
}

fn is_silent(observation: &Observation) -> bool {
    observation.is_not_run()
        || matches!(
            observation.failure(),
            Some(Failure::GenericTimeout | Failure::TimedOut)
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::check::{Ask, Role, Round};
    use crate::model::observation::{Operation, Step};
    use crate::plan::contrast::connection;

    fn check(id: String) -> Check {
        Check {
            id,
            round: Round::Contrast,
            subject: "target".to_owned(),
            endpoints: Vec::new(),
            role: Role::Control,
            trial: 1,
            contrast: None,
            ask: Ask::Climb(connection("192.0.2.1:443".parse().unwrap(), None)),
        }
    }

    /// What is planned once these were seen, each with how it ended.
    fn planned(ended: &[(&str, Option<Failure>)]) -> Vec<String> {
        let mut seen = Seen::default();
        for (id, failure) in ended {
            let step = Step {
                operation: Operation::Exchange,
                t0: 0.0,
                t: 1.0,
                failure: failure.clone(),
                dns: None,
                tcp: None,
                tls: None,
                quic: None,
                http: None,
                exchange: None,
            };
            let observation = Observation {
                id: "o1".to_owned(),
                check: check((*id).to_owned()),
                steps: vec![step],
                not_run: None,
            };
            seen.note(observation, true);
        }
        let passes = |round| vec![check(format!("pass{round}")), check(format!("also{round}"))];
        let tried = |round| vec![check(format!("try{round}"))];
        let checks = alternate(&seen, 3, passes, tried);
        checks.into_iter().map(|check| check.id).collect()
    }

    #[test]
    fn what_is_tried_goes_between_two_that_pass_and_beside_the_later() {
        assert_eq!(planned(&[]), ["pass1", "also1"]);
        let second = ["pass1", "also1", "try1", "pass2", "also2"];
        assert_eq!(planned(&[("pass1", None)]), second);
        let third = ["pass3", "also3"];
        let all = planned(&[("pass1", None), ("also2", Some(Failure::ConnectionReset))]);
        assert_eq!(all, [&second[..], &["try2"], &third[..]].concat());
    }

    #[test]
    fn one_that_is_silent_is_waited_for_and_then_all_goes_at_once() {
        let silent = || Some(Failure::GenericTimeout);
        assert_eq!(planned(&[("pass1", silent())]), ["pass1", "also1"]);
        let both = planned(&[("pass1", silent()), ("also1", silent())]);
        assert_eq!(both.len(), 3 * 2 + 2);
    }
}
