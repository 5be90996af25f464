//! What looks at the datagrams before a QUIC server of the lab gets them: a firewall, a filter of version 1, a reader of names.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::lab::censor::is_at_or_below;
use crate::lab::fault::Fault;
use crate::lab::quic::initial;
use crate::lab::scenarios::Scenario;
use crate::lab::weather::Weather;
use crate::model::catalog::Catalog;
use crate::model::technique::{Interference, Technique, Trigger};
use crate::wire::quic::{LongHeader, V1};

/// Shorter datagrams pass the filter of version 1, as they pass Russia's.
const SHORTEST_FILTERED: usize = 1001;

/// Flows that are remembered; then the first are forgotten.
const MAX_FLOWS: usize = 1024;

/// The censors of a scenario that look at QUIC, and the firewall that shuts it out for everybody.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Nothing passes.
    is_shut: bool,
    /// Version 1 does not pass.
    filters_v1: bool,
    /// Names that do not pass.
    hosts: Vec<String>,
    /// Flows of which one datagram did not pass: the others do not either.
    dropped: HashSet<SocketAddr>,
    /// What the line itself loses.
    weather: Arc<Weather>,
}

/// The filter of version 1, whatever the name and the address.
pub const VERSION_FILTER: Technique = Technique::new(Trigger::Quic, Interference::Drop);
/// The reader of names.
pub const NAME_FILTER: Technique = Technique::new(Trigger::QuicServerName, Interference::Drop);

impl Gate {
    /// Those of a scenario. Portals and borders let no QUIC through.
    pub fn new(scenario: &Scenario, catalog: &Catalog, weather: &Arc<Weather>) -> Self {
        let censors = scenario.censors.iter();
        let of = |technique: Technique| censors.clone().filter(move |it| it.technique == technique);
        let shuts = |fault: &Fault| {
            matches!(
                fault,
                Fault::QuicFirewall
                    | Fault::CaptivePortal
                    | Fault::CaptivePortalByDns
                    | Fault::Border(_)
            )
        };
        Self {
            is_shut: scenario.faults.iter().any(shuts),
            weather: Arc::clone(weather),
            filters_v1: of(VERSION_FILTER).next().is_some(),
            hosts: of(NAME_FILTER)
                .flat_map(|censor| censor.names.hosts(catalog))
                .collect(),
            dropped: HashSet::new(),
        }
    }

    /// Whether the server gets this datagram.
    pub fn passes(&mut self, peer: SocketAddr, datagram: &[u8]) -> bool {
        if self.is_shut || self.loses() || self.dropped.contains(&peer) {
            return false;
        }
        let is_dropped = self.is_filtered(datagram) || self.is_named(datagram);
        if is_dropped {
            if self.dropped.len() == MAX_FLOWS {
                self.dropped.clear();
            }
            self.dropped.insert(peer);
        }
        !is_dropped
    }

    /// Whether the line loses the next datagram, either way.
    pub fn loses(&self) -> bool {
        self.weather.is_cut() || self.weather.loses()
    }

    fn is_filtered(&self, datagram: &[u8]) -> bool {
        self.filters_v1
            && datagram.len() >= SHORTEST_FILTERED
            && LongHeader::of(datagram).is_some_and(|header| header.version == V1)
    }

    fn is_named(&self, datagram: &[u8]) -> bool {
        !self.hosts.is_empty()
            && initial::server_name(datagram)
                .is_some_and(|name| self.hosts.iter().any(|host| is_at_or_below(&name, host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::quic::{SHORTEST, greased};

    #[test]
    fn the_filter_knows_version_and_length_and_remembers_the_flow() {
        let mut gate = Gate {
            filters_v1: true,
            ..Gate::default()
        };
        let peer = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let greased = greased([7; SHORTEST]);
        let mut first = greased;
        first[1..5].copy_from_slice(&V1.to_be_bytes());
        assert!(gate.passes(peer(1), &greased));
        assert!(gate.passes(peer(1), &first[..SHORTEST_FILTERED - 1]));
        assert!(!gate.passes(peer(1), &first[..SHORTEST_FILTERED]));
        assert!(!gate.passes(peer(1), &greased));
        assert!(gate.passes(peer(2), &greased));
    }
}
