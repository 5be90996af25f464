//! How many scenarios are played at once: as many as this machine has cores, memory and time for just now.

use std::fs;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// Scenarios played at once for each core: they mostly wait.
const AT_ONCE: usize = 16;
/// And no more than these, nor than half of the free memory holds.
const MOST_AT_ONCE: usize = 32;
/// Fewer than these save no core, and take long.
const LEAST_AT_ONCE: usize = 2;
/// Bytes that one of them takes, its process included.
const MEMORY: u64 = 48 << 20;
/// What one costs a core, in milliseconds. They begin so far apart, because nearly all of it falls into the first second, and
/// what starves then misses the answers that it is there to hear.
const COST_MS: f64 = 300.0;

/// How fast a selftest goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Scenarios at once.
    pub at_once: usize,
    /// From the beginning of one to that of the next.
    pub apart: Duration,
}

impl Pace {
    /// By what this machine has, or with so many at once as the user says.
    pub fn of_this_machine(jobs: Option<usize>) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::new(jobs, cores, load(), in_memory())
    }

    /// `load` is how many other processes want a core.
    fn new(jobs: Option<usize>, cores: usize, load: f64, in_memory: usize) -> Self {
        let all = (cores * AT_ONCE).min(MOST_AT_ONCE);
        // Nobody has a hundred thousand cores.
        let count = f64::from(u32::try_from(cores).unwrap_or(u32::MAX));
        // Of the cores that others use too, this is the share of one more.
        let share = count / (count + load.max(0.0));
        let fewer = (1..=all).rev().find(|jobs| {
            f64::from(u32::try_from(*jobs).unwrap_or(u32::MAX))
                <= share * f64::from(u32::try_from(all).unwrap_or(u32::MAX))
        });
        let by_load = fewer.unwrap_or(1).max(LEAST_AT_ONCE);
        Self {
            at_once: jobs.unwrap_or_else(|| by_load.min(in_memory)).max(1),
            apart: Duration::from_secs_f64(COST_MS / 1e3 / count / share.max(0.05)),
        }
    }
}

/// The average of the last minute; 0 where the system does not say.
fn load() -> f64 {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = told.split_whitespace().next();
    first.and_then(|it| it.parse().ok()).unwrap_or(0.0)
}

/// How many scenarios half of the free memory holds, one at least; any number where the system does not say.
fn in_memory() -> usize {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut lines = told.lines();
    let free = lines.find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = free.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let held = kilobytes.map(|it| (it << 10) / 2 / MEMORY);
    held.map_or(usize::MAX, |it| {
        usize::try_from(it.max(1)).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_plays_fewer_at_once_and_further_apart() {
        let idle = Pace::new(None, 2, 0.0, 1000);
        assert_eq!((idle.at_once, idle.apart.as_millis()), (32, 150));
        let shared = Pace::new(None, 2, 2.0, 1000);
        assert_eq!((shared.at_once, shared.apart.as_millis()), (16, 300));
        assert_eq!(Pace::new(None, 2, 6.0, 1000).at_once, 8);
        assert_eq!(Pace::new(None, 1, 900.0, 1000).at_once, 2);
        assert_eq!(Pace::new(None, 2, 0.0, 3).at_once, 3);
    }

    #[test]
    fn the_user_says_how_many() {
        assert_eq!(Pace::new(Some(40), 2, 6.0, 3).at_once, 40);
        assert_eq!(Pace::new(Some(1), 64, 0.0, 1000).at_once, 1);
    }
}
