//! Limits of connections by rate, which routers and hosters have for each network: they let the first connections pass and swallow the
//! next, which looks like a list of addresses. Connections to a neighbour beside each silent address tell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::connections::{Tried, all};
use crate::analysis::evidence::{Evidence, is_amid};
use crate::model::check::Variation;
use crate::model::line::{NEIGHBOURHOOD, network};

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
        let beside: BTreeMap<IpAddr, (usize, usize)> = places
            .keys()
            .map(|address| (*address, beside(evidence, *address, places)))
            .collect();
        let mut failed_around = BTreeMap::new();
        for (address, (_, failed)) in &beside {
            *failed_around
                .entry(network(*address, NEIGHBOURHOOD))
                .or_insert(0) += failed;
        }
        let mut limits = Self::default();
        for (address, (stood, failed)) in &beside {
            let around = failed_around[&network(*address, NEIGHBOURHOOD)];
            if *failed > 0 || around >= BESIDE {
                limits.limited.insert(*address);
            } else if *stood >= BESIDE || !has_standing_neighbour(*address, places) {
                limits.free.insert(*address);
            }
        }
        limits
    }
}

/// How often a neighbour stood that was connected to while this address was silent, and how often it failed.
fn beside(
    evidence: &Evidence,
    address: IpAddr,
    places: &BTreeMap<IpAddr, Tried>,
) -> (usize, usize) {
    let trials = || all(&places[&address]).map(|(_, it)| *it);
    let firsts = trials().filter(|it| it.check.contrast.is_none());
    let neighbours = firsts.flat_map(|it| evidence.contrasts(&it.check.id, Variation::Neighbour));
    let (mut stood, mut failed) = (0, 0);
    for (_, neighbour) in neighbours {
        let is_beside = trials().any(|it| is_amid(neighbour, it));
        stood += usize::from(neighbour.is_success() && is_beside);
        failed += usize::from(neighbour.failure().is_some());
    }
    (stood, failed)
}

/// Whether another address of the same neighbourhood stood on a port that was tried here.
fn has_standing_neighbour(address: IpAddr, places: &BTreeMap<IpAddr, Tried>) -> bool {
    let around = network(address, NEIGHBOURHOOD);
    places.iter().any(|(other, tried)| {
        let stands = |port: &u16| {
            let mut trials = tried.get(port).into_iter().flatten();
            trials.any(|(seen, _)| seen.is_none())
        };
        *other != address && around.contains(other) && places[&address].keys().any(stands)
    })
}
