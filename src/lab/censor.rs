//! Censors: a technique aimed at names and resolvers, and the one place that says what each interference does.

use std::net::Ipv4Addr;

use hickory_proto::op::ResponseCode;

use crate::lab::door::Face;
use crate::lab::fault::Aim;
use crate::lab::quic::gate::{NAME_FILTER, VERSION_FILTER};
use crate::model::catalog::{Catalog, Region, Resolver, ResolverRole, Transport};
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
    /// What false and injected answers say, and block pages.
    pub lie: Lie,
    /// How it reads connections.
    pub sight: Sight,
}

/// How much of a ClientHello or request a box on the path reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// All of it: it puts segments together.
    #[default]
    Whole,
    /// What its first segment holds, and nothing if that is not all.
    FirstSegment,
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
    /// Those of one operator by one transport.
    Door(&'static str, Transport),
    /// Everybody's by one transport.
    Transport(Transport),
    /// Those in the country, the system's included.
    Domestic,
    /// Those abroad.
    Foreign,
    /// Those that are reached over a protected transport.
    Protected,
    /// Everybody's but the system's.
    AllButSystem,
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
            Self::Door(operator, transport) => {
                resolver.operator == operator && resolver.transport == transport
            }
            Self::Transport(transport) => resolver.transport == transport,
            Self::Domestic => resolver.region == Region::Domestic,
            Self::Foreign => resolver.region == Region::Foreign,
            Self::Protected => resolver.transport.is_authenticated(),
            Self::AllButSystem => resolver.role != ResolverRole::System,
            Self::All => true,
        }
    }
}

/// What a false or injected answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An address that is nowhere (`BOGON`).
    Bogon,
    /// The address of the lab's block page; in clear HTTP the page itself, with status 200.
    BlockPage,
    /// In clear HTTP the block page with status 403.
    Forbidden,
    /// In clear HTTP a redirect to the block page.
    Redirect,
    /// An address of the range that local bypass programs use (fake-IP mode).
    FakeIp,
    /// An address of a home's own network.
    Private,
    /// This machine itself.
    OwnMachine,
}

impl Lie {
    /// The address that is told; `None` where it is the block page's.
    pub const fn address(self) -> Option<Ipv4Addr> {
        match self {
            Self::Bogon => Some(BOGON),
            Self::FakeIp => Some(Ipv4Addr::new(198, 18, 0, 77)),
            Self::Private => Some(Ipv4Addr::new(192, 168, 1, 1)),
            Self::OwnMachine => Some(Ipv4Addr::LOCALHOST),
            Self::BlockPage | Self::Forbidden | Self::Redirect => None,
        }
    }
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
            || self.reads_connections()
            || self.face().is_some()
            || self.spoil().is_some()
    }

    /// What becomes of connections, for censors that look at where they lead.
    pub fn face(self) -> Option<Face> {
        let is_by_address = matches!(
            self.technique.trigger,
            Trigger::Address | Trigger::AddressPort
        );
        match (self.technique.trigger, self.technique.interference) {
            (Trigger::Resolver, _) if self.is_at_resolvers() => {}
            _ if is_by_address => {}
            _ => return None,
        }
        match self.technique.interference {
            Interference::Drop => Some(Face::Dropped),
            Interference::Refuse => Some(Face::Closed),
            met if self.is_at_resolvers() => Some(Face::Curt(met)),
            _ => None,
        }
    }

    /// Whether it stands at the doors of resolvers.
    pub fn is_at_resolvers(self) -> bool {
        self.technique.trigger == Trigger::Resolver
            && matches!(
                self.technique.interference,
                Interference::Drop
                    | Interference::Refuse
                    | Interference::Reset
                    | Interference::Close
                    | Interference::Alert
                    | Interference::Intercept
            )
    }

    /// Whether it reads ClientHellos or requests.
    pub const fn reads_connections(self) -> bool {
        matches!(
            self.technique.trigger,
            Trigger::ServerName
                | Trigger::ServerNameAtAddress
                | Trigger::TlsFingerprint
                | Trigger::HttpHost
                | Trigger::Protocol
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
