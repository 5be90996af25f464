//! Limits of connections by rate, which routers and hosters have for each network: they let the first connections pass and swallow the
//! next, which looks like a list of addresses. Connections to a neighbour beside each silent address tell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::analysis::connections::{Tried, all};
use crate::analysis::evidence::Evidence;
use crate::model::check::Variation;
use crate::model::line::{NEIGHBOURHOOD, network};
use crate::model::observation::Observation;

/// Trials beside which a neighbour has to stand, or connections to neighbours in one neighbourhood that have to fail: one may
/// be luck.
const BESIDE: usize = 2;

/// What the neighbours of silent addresses say.
#[derive(Debug, Default)]
pub struct Limits {
    /// Addresses that a limit may have swallowed: a neighbour that stood before was silent beside them, or several were in their
    /// neighbourhood.
    pub limited: BTreeSet<IpAddr>,
    /// Addresses that no limit has swallowed: a neighbour stood beside them time and again, or they have none.
    pub free: BTreeSet<IpAddr>,
}

impl Limits {
    /// Looks at every address that was tried.
    pub fn of(evidence: &Evidence, places: &BTreeMap<IpAddr, Tried>) -> Self {
        let mut owners = BTreeMap::new();
        let beside: BTreeMap<IpAddr, (usize, usize)> = places
            .iter()
            .map(|(address, tried)| (*address, beside(evidence, *address, tried, &mut owners)))
            .collect();
        let mut failed_around = BTreeMap::new();
        for (address, (_, failed)) in &beside {
            *failed_around
                .entry(network(*address, NEIGHBOURHOOD))
                .or_insert(0) += failed;
        }
        let standing = Standing::of(places);
        let mut limits = Self::default();
        for (address, (stood, failed)) in &beside {
            let around = failed_around[&network(*address, NEIGHBOURHOOD)];
            if *failed > 0 || around >= BESIDE {
                limits.limited.insert(*address);
            } else if *stood >= BESIDE || !standing.beside(*address, &places[address]) {
                limits.free.insert(*address);
            }
        }
        limits
    }
}

/// How often a neighbour stood that was connected to while this address was silent, and how often it failed.
///
/// Each check belongs to one address, the first that has it, and its neighbours count once: so the work grows linearly
/// with the observations, also where a report repeats one check many times.
fn beside<'a>(
    evidence: &Evidence<'a>,
    address: IpAddr,
    tried: &Tried<'a>,
    owners: &mut BTreeMap<&'a str, IpAddr>,
) -> (usize, usize) {
    let firsts = all(tried).map(|(_, it)| *it);
    let firsts: BTreeSet<&str> = firsts
        .filter(|it| it.check.contrast.is_none())
        .map(|it| it.check.id.as_str())
        .filter(|id| *owners.entry(id).or_insert(address) == address)
        .collect();
    let spans = Spans::of(all(tried).map(|(_, it)| *it));
    let (mut stood, mut failed) = (0, 0);
    for id in firsts {
        for (_, neighbour) in evidence.contrasts(id, Variation::Neighbour) {
            let is_beside = neighbour.steps.last().is_some_and(|it| spans.hold(it.t));
            stood += usize::from(neighbour.is_success() && is_beside);
            failed += usize::from(neighbour.failure().is_some());
        }
    }
    (stood, failed)
}

/// When observations began and ended: asked whether a moment lies within any of them.
struct Spans {
    /// By their beginning, each with the latest end of it and all before it. Seconds.
    latest: Vec<(f64, f64)>,
}

impl Spans {
    fn of<'a>(observations: impl Iterator<Item = &'a Observation>) -> Self {
        let span = |it: &Observation| Some((it.steps.first()?.t0, it.steps.last()?.t));
        let mut latest: Vec<(f64, f64)> = observations.filter_map(span).collect();
        latest.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut end = f64::NEG_INFINITY;
        for (_, ended) in &mut latest {
            end = end.max(*ended);
            *ended = end;
        }
        Self { latest }
    }

    fn hold(&self, moment: f64) -> bool {
        let begun = self.latest.partition_point(|(began, _)| *began <= moment);
        begun > 0 && moment <= self.latest[begun - 1].1
    }
}

/// Addresses that stood, by their neighbourhood and the port on which they did.
struct Standing(BTreeMap<(IpNet, u16), BTreeSet<IpAddr>>);

impl Standing {
    fn of(places: &BTreeMap<IpAddr, Tried>) -> Self {
        let mut standing = BTreeMap::new();
        for (address, tried) in places {
            let ports = tried
                .iter()
                .filter(|(_, trials)| trials.iter().any(|(seen, _)| seen.is_none()));
            for (port, _) in ports {
                standing
                    .entry((network(*address, NEIGHBOURHOOD), *port))
                    .or_insert_with(BTreeSet::new)
                    .insert(*address);
            }
        }
        Self(standing)
    }

    /// Whether another address of the same neighbourhood stood on a port that was tried here.
    fn beside(&self, address: IpAddr, tried: &Tried) -> bool {
        let around = network(address, NEIGHBOURHOOD);
        let mut standing = tried.keys().filter_map(|port| self.0.get(&(around, *port)));
        standing.any(|it| it.iter().any(|other| *other != address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_within_any_span_that_holds_it() {
        let spans = Spans {
            latest: vec![(0.0, 9.0), (1.0, 9.0), (10.0, 12.0)],
        };
        for (moment, held) in [
            (0.0, true),
            (5.0, true),
            (9.5, false),
            (10.0, true),
            (12.1, false),
        ] {
            assert_eq!(spans.hold(moment), held, "{moment}");
        }
        assert!(!Spans { latest: Vec::new() }.hold(1.0));
        assert!(!spans.hold(-1.0));
    }
}
