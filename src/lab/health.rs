//! How well a resolver of the lab is: what ails it for every name, and what it remembers of who asked.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use crate::lab::fault::Ailment;
use crate::lab::hostile::Malice;

/// Of so many queries the last few meet a burst of failures.
const BURST_EVERY: u32 = 16;
const BURST_FROM: u32 = 12;

/// What a limit of queries counts in.
const WINDOW: Duration = Duration::from_secs(1);

/// What ails one resolver.
#[derive(Debug, Default)]
pub struct Health {
    /// Everything at once.
    pub ailments: Vec<Ailment>,
    /// It means harm.
    pub malice: Option<Malice>,
    heard: AtomicU32,
    window: Mutex<Option<(Instant, u32)>>,
}

impl Health {
    /// With these ailments.
    pub fn new(ailments: Vec<Ailment>, malice: Option<Malice>) -> Self {
        Self {
            ailments,
            malice,
            ..Self::default()
        }
    }

    /// Whether it answers at all.
    pub fn is_silent(&self) -> bool {
        self.ailments.contains(&Ailment::Silent)
    }

    /// Whether its answers over UDP are truncated.
    pub fn truncates(&self) -> bool {
        self.ailments.contains(&Ailment::Truncates)
    }

    /// How long it takes for an answer.
    pub fn delay(&self) -> Duration {
        let late = self.ailments.iter().find_map(|it| match it {
            Ailment::Late(milliseconds) => Some(*milliseconds),
            _ => None,
        });
        Duration::from_millis(late.unwrap_or_default())
    }

    /// What it says to a query for this name instead of an answer; the query is counted.
    pub fn refusal(&self, name: &str) -> Option<ResponseCode> {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed);
        self.ailments.iter().find_map(|ailment| match *ailment {
            Ailment::Limits(most, code) => (self.in_window() > most).then_some(code),
            Ailment::Bursts(code) => (heard % BURST_EVERY >= BURST_FROM).then_some(code),
            Ailment::KnowsOnly(known, code) => (!known.contains(&name)).then_some(code),
            Ailment::Forgets { of, rest, code } => {
                let sum: u32 = name.bytes().map(u32::from).sum();
                (sum.checked_rem(of) == Some(rest)).then_some(code)
            }
            _ => None,
        })
    }

    /// Queries in this second, the present one included.
    fn in_window(&self) -> u32 {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let count = match *window {
            Some((began, count)) if now.duration_since(began) < WINDOW => {
                *window = Some((began, count + 1));
                return count + 1;
            }
            _ => 1,
        };
        *window = Some((now, count));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_met_by_those_who_ask_too_often() {
        let limit = Ailment::Limits(3, ResponseCode::Refused);
        let health = Health::new(vec![limit], None);
        let refused: Vec<bool> = (0..5).map(|_| health.refusal("").is_some()).collect();
        assert_eq!(refused, [false, false, false, true, true]);
    }

    #[test]
    fn a_burst_passes() {
        let health = Health::new(vec![Ailment::Bursts(ResponseCode::ServFail)], None);
        let failed = (0..32).filter(|_| health.refusal("").is_some()).count();
        assert_eq!(failed, 8);
        assert!(health.refusal("").is_none());
    }

    #[test]
    fn names_are_forgotten_by_what_they_are() {
        let code = ResponseCode::NXDomain;
        let says = |ailment, name| Health::new(vec![ailment], None).refusal(name);
        let few = Ailment::KnowsOnly(&["a.example"], code);
        assert_eq!(says(few, "a.example"), None);
        assert_eq!(says(few, "b.example"), Some(code));
        // 'a' is 97, and 'b' 98.
        let shard = Ailment::Forgets {
            of: 4,
            rest: 2,
            code,
        };
        assert_eq!(says(shard, "a"), None);
        assert_eq!(says(shard, "b"), Some(code));
    }
}
