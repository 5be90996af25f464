//! Censors: a technique aimed at names and resolvers, and the one place that says what each interference does.

use std::net::Ipv4Addr;

use hickory_proto::op::ResponseCode;

use crate::lab::door::Face;
use crate::lab::fault::Aim;
use crate::lab::quic::gate::{NAME_FILTER, VERSION_FILTER};
use crate::model::catalog::{Catalog, Resolver, ResolverRole, Transport};
use crate::model::technique::{Interference, Technique, Trigger};

/// The address that Iran's resolvers gave for blocked names for years; no such host is reachable from anywhere.
pub const BOGON: Ipv4Addr = Ipv4Addr::new(10, 10, 34, 35);

/// One censor of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Censor {
    /// What it looks at and what it does: the verdict is expected to name the same.
    pub technique: Technique,
    /// The resolvers whose answers it spoils.
    pub at: Resolvers,
    /// The names it looks for, with everything below them.
    pub names: Aim,
    /// What false and injected answers say.
    pub lie: Lie,
}

/// Which resolvers are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolvers {
    /// The internet provider's own.
    System,
    /// The public ones, and the decoy, over plain UDP.
    PublicUdp,
    /// Everything that passes over plain UDP, the decoy included.
    Udp,
    /// Those of one operator.
    Operator(&'static str),
    /// Every resolver.
    All,
}

impl Resolvers {
    /// Whether this resolver is hit.
    pub fn include(self, resolver: &Resolver) -> bool {
        let is_udp = resolver.transport == Transport::Udp;
        match self {
            Self::System => resolver.role == ResolverRole::System,
            Self::PublicUdp => {
                is_udp && matches!(resolver.role, ResolverRole::Public | ResolverRole::Decoy)
            }
            Self::Udp => is_udp,
            Self::Operator(operator) => resolver.operator == operator,
            Self::All => true,
        }
    }
}

/// What a false or injected answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An address that is nowhere (`BOGON`).
    Bogon,
    /// The address of the lab's block page.
    BlockPage,
}

/// What becomes of one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Nobody answers.
    Silence,
    /// A response code and no records.
    Code(ResponseCode),
    /// An address of the censor's choice, for A queries.
    Address(Lie),
    /// A forged answer at once, the honest one later, if there is one; for A queries over UDP.
    Race(Lie),
}

/// A censor of a scenario, aimed.
#[derive(Clone, Debug)]
pub struct Aimed {
    censor: Censor,
    hosts: Vec<String>,
}

impl Aimed {
    /// Looks the names up in the catalog.
    pub fn new(censor: Censor, catalog: &Catalog) -> Self {
        Self {
            censor,
            hosts: censor.names.hosts(catalog),
        }
    }

    /// Whether somebody else answers at this resolver's address.
    pub fn hijacks(&self, resolver: &Resolver) -> bool {
        self.censor.technique == Technique::new(Trigger::Resolver, Interference::HijackedResolver)
            && self.censor.at.include(resolver)
    }

    /// What becomes of a query for this name (lower case, no final dot) at this resolver; `None`: nothing.
    pub fn spoil(&self, resolver: &Resolver, name: &str) -> Option<Spoil> {
        let is_hit = self.censor.at.include(resolver)
            && self.hosts.iter().any(|host| is_at_or_below(name, host));
        let spoil = is_hit.then(|| self.censor.spoil()).flatten()?;
        // Only datagrams can be raced, and at an address where no resolver is, only what is on the path can answer.
        let is_race = matches!(spoil, Spoil::Race(_));
        let is_possible = if is_race {
            resolver.transport == Transport::Udp
        } else {
            resolver.role != ResolverRole::Decoy
        };
        is_possible.then_some(spoil)
    }
}

impl Censor {
    /// What this censor does to a query it looks for; `None` for what the lab does elsewhere or not at all.
    fn spoil(self) -> Option<Spoil> {
        if self.technique.trigger != Trigger::DomainName {
            return None;
        }
        match self.technique.interference {
            Interference::Nxdomain => Some(Spoil::Code(ResponseCode::NXDomain)),
            Interference::NoAnswer => Some(Spoil::Code(ResponseCode::NoError)),
            Interference::RefusedAnswer => Some(Spoil::Code(ResponseCode::Refused)),
            Interference::Servfail => Some(Spoil::Code(ResponseCode::ServFail)),
            Interference::Drop => Some(Spoil::Silence),
            Interference::FalseAnswer => Some(Spoil::Address(self.lie)),
            Interference::InjectedAnswer => Some(Spoil::Race(self.lie)),
            _ => None,
        }
    }

    /// Whether the lab can play this censor.
    pub fn is_playable(self) -> bool {
        let hijack = Technique::new(Trigger::Resolver, Interference::HijackedResolver);
        self.technique == hijack
            || self.technique == VERSION_FILTER
            || self.technique == NAME_FILTER
            || self.looks_at_server_names()
            || self.face().is_some()
            || self.spoil().is_some()
    }

    /// What becomes of connections, for censors that look at where they lead.
    pub const fn face(self) -> Option<Face> {
        if !matches!(
            self.technique.trigger,
            Trigger::Address | Trigger::AddressPort
        ) {
            return None;
        }
        match self.technique.interference {
            Interference::Drop => Some(Face::Dropped),
            Interference::Refuse => Some(Face::Closed),
            _ => None,
        }
    }

    /// Whether it reads ClientHellos.
    pub const fn looks_at_server_names(self) -> bool {
        matches!(
            self.technique.trigger,
            Trigger::ServerName | Trigger::ServerNameAtAddress
        )
    }
}

/// Whether a name is `host` or below it.
pub fn is_at_or_below(name: &str, host: &str) -> bool {
    name.strip_suffix(host)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_censored_name_takes_its_subdomains_along_and_no_neighbour() {
        assert!(is_at_or_below("whatsapp.net", "whatsapp.net"));
        assert!(is_at_or_below("g.whatsapp.net", "whatsapp.net"));
        assert!(!is_at_or_below("notwhatsapp.net", "whatsapp.net"));
        assert!(!is_at_or_below("net", "whatsapp.net"));
    }
}
