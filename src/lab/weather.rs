//! The state of the lab's line: which datagrams it loses, and when it is cut.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::lab::fault::Cut;
use crate::lab::life::Life;

/// What comes down to chance, the same again for the same seed.
#[derive(Debug)]
pub struct Dice {
    /// Times of a hundred.
    percent: u64,
    /// Where the stream of chances stands.
    chance: AtomicU64,
}

impl Dice {
    /// Dice that fall so many times of a hundred.
    pub const fn new(percent: u64, seed: u64) -> Self {
        Self {
            percent,
            // Neighbouring seeds must not give the same stream a step later.
            chance: AtomicU64::new(mix(seed)),
        }
    }

    /// Whether they fall this time.
    pub fn fall(&self) -> bool {
        self.percent > 0 && mix(self.chance.fetch_add(STEP, Ordering::Relaxed)) % 100 < self.percent
    }
}

/// One line, shared by all servers that stand on it.
#[derive(Debug)]
pub struct Weather {
    /// Whether a datagram is lost.
    loss: Dice,
    cut: Option<Cut>,
    /// Connections and queries so far.
    heard: AtomicUsize,
    is_cut: watch::Sender<bool>,
}

impl Default for Weather {
    fn default() -> Self {
        Self::new((0, 0), None)
    }
}

impl Weather {
    /// A line that loses so many datagrams of a hundred, by a seed, and is cut so.
    pub fn new((percent, seed): (u64, u64), cut: Option<Cut>) -> Self {
        Self {
            loss: Dice::new(percent, seed),
            cut,
            heard: AtomicUsize::new(0),
            is_cut: watch::Sender::new(false),
        }
    }

    /// Whether the next datagram is lost.
    pub fn loses(&self) -> bool {
        self.loss.fall()
    }

    /// Counts a connection or a query; the line is cut if it is due.
    pub fn note(self: &Arc<Self>, life: &Life) {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(cut) = self.cut else {
            return;
        };
        let is_due = heard == cut.after || (cut.again && heard.is_multiple_of(cut.after.max(1)));
        if !is_due || self.is_cut.send_replace(true) {
            return;
        }
        let weather = Arc::clone(self);
        life.spawn_for_ever(async move {
            tokio::time::sleep(Duration::from_millis(cut.lasting)).await;
            weather.is_cut.send_replace(false);
        });
    }

    /// Whether nothing passes now.
    pub fn is_cut(&self) -> bool {
        *self.is_cut.borrow()
    }

    /// Waits until nothing passes.
    pub async fn cut(&self) {
        let mut line = self.is_cut.subscribe();
        // The sender lives as long as `self`.
        drop(line.wait_for(|is_cut| *is_cut).await);
    }

    /// Waits until everything passes.
    pub async fn restored(&self) {
        let mut line = self.is_cut.subscribe();
        drop(line.wait_for(|is_cut| !*is_cut).await);
    }

    /// Goes on with a peer only while something passes.
    pub async fn expose<F: Future>(&self, task: F) -> F::Output {
        let mut task = pin!(task);
        loop {
            tokio::select! {
                biased;
                () = self.cut(), if self.cut.is_some() => self.restored().await,
                output = &mut task => return output,
            }
        }
    }
}

/// The golden ratio: the step of the generator SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that looks like chance, the same for the same seed (SplitMix64).
const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_datagrams_as_many_are_lost_as_was_said() {
        for seed in 0..8 {
            let weather = Weather::new((15, seed), None);
            let lost = (0..10_000).filter(|_| weather.loses()).count();
            assert!((1_300..1_700).contains(&lost), "{lost} with seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_loses_the_same_datagrams() {
        let lost = |seed| -> Vec<bool> {
            let weather = Weather::new((30, seed), None);
            (0..64).map(|_| weather.loses()).collect()
        };
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }

    #[tokio::test]
    async fn a_line_that_flaps_is_cut_again_and_again() {
        let cut = Cut {
            after: 3,
            lasting: 5,
            again: true,
        };
        let (weather, life) = (Arc::new(Weather::new((0, 0), Some(cut))), Life::default());
        let mut cuts = 0;
        for _ in 0..9 {
            weather.note(&life);
            if weather.is_cut() {
                cuts += 1;
                weather.restored().await;
            }
        }
        assert_eq!(cuts, 3);
    }
}
