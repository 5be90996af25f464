//! What goes wrong in a scenario without any censor, and what it is aimed at.

use hickory_proto::op::ResponseCode;

use crate::lab::censor::{Lie, Resolvers, is_at_or_below};
use crate::lab::door::is_udp;
use crate::lab::hostile::{Hostility, Malice};
use crate::model::catalog::{Catalog, Endpoint, Region, Service, Target};
use crate::model::technique::{Interference, Technique, Trigger};

/// What goes wrong without any censor: none of it may ever be called blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The ports are closed: bound, so nobody else takes them, and not listening.
    ServerDown(Aim),
    /// The machines are off: SYNs vanish.
    ServerGone(Aim),
    /// The certificates ended years ago, for everybody.
    ExpiredCertificate(Aim),
    /// The servers wait so many milliseconds before they read or write the first byte.
    SlowServer(Aim, u64),
    /// The servers accept connections and answer no ClientHello, whatever its name.
    SilentTls(Aim),
    /// The servers read what comes first and then reset or close the connection, whatever it was.
    Maintenance(Aim, Interference),
    /// The servers answer one byte a second.
    Tarpit(Aim),
    /// The servers answer in no known protocol.
    Garbage(Aim),
    /// Telegram's servers know its plain transports alone and hang up on the obfuscated one.
    NoObfuscation(Aim),
    /// The servers leave every ClientHello of more than one segment unanswered.
    NoLargeHello(Aim),
    /// The servers are started again after their second connection: for so many milliseconds SYNs vanish.
    Restart(Aim, u64),
    /// The real servers know none of their names any more and send `unrecognized_name`.
    GenuineAlert(Aim),
    /// The real servers send `unrecognized_name` for names that are not theirs.
    StrictNames(Aim),
    /// The real servers show a certificate that nobody vouches for, whatever the name.
    WrongCertificate(Aim),
    /// The real servers show a good certificate for another name.
    OtherName(Aim),
    /// The real servers answer every HTTP request with this status; 3xx leads to the same host over TLS.
    Status(Aim, u16),
    /// Every resolver says that the name does not exist, because it does not.
    RetiredName(Aim),
    /// The names lead to one of two addresses, each answer to the other one.
    ManyAddresses(Aim),
    /// Every name has an IPv6 address and none of them can be reached, on a line that claims to have IPv6.
    BrokenIpv6,
    /// The same for these names only; the others have no IPv6 address.
    BrokenIpv6Of(Aim),
    /// This machine's clock is ahead by so many days (negative: behind).
    Clock(i64),
    /// A program of this machine's owner meets every TLS handshake with certificates of its own making.
    Interception,
    /// A portal answers every HTTP request and every TLS handshake; DNS is honest and other ports are closed.
    CaptivePortal,
    /// Every plain resolver answers every name with the portal's address; everything else is closed.
    CaptivePortalByDns,
    /// Nothing listens anywhere and no resolver answers.
    Offline,
    /// The system's resolver is silent, for every name.
    DeadResolver,
    /// The servers do not offer QUIC: nobody listens to its datagrams.
    NoQuic(Aim),
    /// The relays of STUN and TURN answer over TCP alone.
    NoDatagrams(Aim),
    /// A firewall lets no datagram to a QUIC server pass, for everybody, as in many companies.
    QuicFirewall,
    /// The system's resolver is a household filter: advertisers and these names are at 0.0.0.0 and `::`.
    Pihole(Aim),
    /// Something ails these resolvers, for every name.
    Resolvers(Resolvers, Ailment),
    /// These resolvers answer these names with this code, for everybody.
    Unresolvable(Aim, ResponseCode),
    /// Of a hundred datagrams so many are lost, queries and answers alike; the second number is the seed.
    Loss(u64, u64),
    /// To so many of a hundred addresses no road leads, whoever is there; the second number is the seed.
    RoadsDown(u64, u64),
    /// A box does this to so many of a hundred ClientHellos, whatever they say; the last number is the seed.
    Strays(Interference, u64, u64),
    /// The whole line is cut, once or again and again.
    Cut(Cut),
    /// The line ends at the border.
    Border(Border),
    /// A server that means harm to whoever measures it.
    Hostile(Aim, Hostility),
    /// A resolver that means harm to whoever asks it.
    HostileResolver(Resolvers, Malice),
}

/// What ails a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// It does not answer.
    Silent,
    /// It answers after so many milliseconds.
    Late(u64),
    /// Every answer over UDP is truncated.
    Truncates,
    /// After so many queries in one second it says this code.
    Limits(u32, ResponseCode),
    /// Of every sixteen queries the last four get this code.
    Bursts(ResponseCode),
    /// It knows these names alone, and says this code of all others: a walled garden.
    KnowsOnly(&'static [&'static str], ResponseCode),
    /// It says this code of every name of which the letters' sum leaves that rest, divided by that number: a shard of it is gone.
    Forgets {
        /// What is divided by.
        of: u32,
        /// What is left.
        rest: u32,
        /// What it says.
        code: ResponseCode,
    },
    /// Every name has this address.
    Says(Lie),
    /// It knows no IPv6 address.
    KeepsIpv6,
}

/// When the line is cut, counted in connections and queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// It begins with this connection or query.
    pub after: usize,
    /// How long it lasts, milliseconds.
    pub lasting: u64,
    /// It comes again after as many more.
    pub again: bool,
}

/// How a line ends at the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Connections abroad stand, and nothing that is said on them is answered.
    Silent,
    /// Connections abroad do not stand.
    Closed,
    /// Whoever names a foreign host, in TLS or HTTP, meets this.
    Names(Interference),
}

impl Fault {
    /// Whether something stays silent, so that a run has to wait for it.
    pub const fn is_silent(self) -> bool {
        match self {
            Self::ServerGone(_)
            | Self::SilentTls(_)
            | Self::Tarpit(_)
            | Self::BrokenIpv6
            | Self::BrokenIpv6Of(_)
            | Self::Offline
            | Self::DeadResolver
            | Self::NoQuic(_)
            | Self::NoDatagrams(_)
            | Self::QuicFirewall
            | Self::Loss(..)
            | Self::RoadsDown(..)
            | Self::Strays(Interference::Drop, ..)
            | Self::Cut(_)
            | Self::Border(Border::Silent | Border::Closed)
            | Self::Hostile(..)
            | Self::HostileResolver(..) => true,
            Self::Resolvers(_, ailment) => {
                matches!(ailment, Ailment::Silent | Ailment::KeepsIpv6)
            }
            _ => false,
        }
    }

    /// The technique that an honest report lists, with its doubt, although nobody's intent is known.
    pub const fn technique(self) -> Option<Technique> {
        match self {
            Self::QuicFirewall => Some(Technique::new(Trigger::Quic, Interference::Drop)),
            _ => None,
        }
    }
}

/// What a fault or a censor is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Every endpoint of a target.
    Target(&'static str),
    /// The endpoints of a target's essential services.
    Essential(&'static str),
    /// The first endpoint of the target's first essential service, and what leads to the same place.
    First(&'static str),
    /// Every endpoint of the target's essential services but that.
    AllButFirst(&'static str),
    /// The last endpoint over TCP of each of the target's pools.
    OneOfEachPool(&'static str),
    /// One name that the target can do without: where one exists, of a service that is not essential.
    Spare(&'static str),
    /// The target's endpoints at a domain or below it.
    Below(&'static str, &'static str),
    /// The endpoints of one of the target's services.
    Service(&'static str, &'static str),
    /// The target's endpoints at a port.
    AtPort(&'static str, u16),
    /// Controls, by id.
    Controls(&'static [&'static str]),
    /// Every control.
    EveryControl,
    /// Every target and every control.
    Everybody,
    /// Every foreign control, and every target but the domestic one, MAX.
    Foreign,
}

/// The one target that stays at home.
const DOMESTIC: &str = "max";

impl Aim {
    /// Whether it is aimed at this target.
    pub fn includes(self, id: &str) -> bool {
        match self {
            Self::Target(target)
            | Self::Essential(target)
            | Self::First(target)
            | Self::AllButFirst(target)
            | Self::OneOfEachPool(target)
            | Self::Spare(target)
            | Self::Service(target, _)
            | Self::AtPort(target, _)
            | Self::Below(target, _) => target == id,
            Self::Controls(_) | Self::EveryControl => false,
            Self::Everybody => true,
            Self::Foreign => id != DOMESTIC,
        }
    }

    /// The endpoints aimed at; empty if the catalog has no such target.
    pub fn endpoints(self, catalog: &Catalog) -> Vec<&Endpoint> {
        let targets = catalog.targets.iter().filter(|it| self.includes(&it.id));
        let controls = catalog.controls.iter().filter(|control| match self {
            Self::Controls(ids) => ids.contains(&control.id.as_str()),
            Self::EveryControl | Self::Everybody => true,
            Self::Foreign => control.region == Region::Foreign,
            _ => false,
        });
        targets
            .flat_map(|target| self.endpoints_of(target))
            .chain(controls.map(|control| &control.endpoint))
            .collect()
    }

    fn endpoints_of(self, target: &Target) -> Vec<&Endpoint> {
        let essential = || endpoints_of(target, |service| service.essential);
        let all = || endpoints_of(target, |_| true);
        match self {
            Self::Essential(_) => essential(),
            Self::First(_) => at_first(essential(), true),
            Self::AllButFirst(_) => at_first(essential(), false),
            Self::OneOfEachPool(_) => {
                let pools = target.services.iter().filter(|service| service.pool);
                pools
                    .filter(|service| service.endpoints.len() > 1)
                    .filter_map(|service| {
                        let mut endpoints = service.endpoints.iter().rev();
                        endpoints.find(|endpoint| !is_udp(endpoint.protocol))
                    })
                    .collect()
            }
            Self::Spare(_) => {
                let spare = spare_host(target);
                let mut endpoints = all();
                endpoints.retain(|endpoint| spare.is_some() && endpoint.host.as_deref() == spare);
                endpoints
            }
            Self::Service(_, id) => endpoints_of(target, |service| service.id == id),
            Self::AtPort(_, port) => {
                let mut endpoints = all();
                endpoints.retain(|it| it.port == port && !is_udp(it.protocol));
                endpoints
            }
            Self::Below(_, domain) => {
                let mut endpoints = all();
                endpoints.retain(|endpoint| {
                    let host = endpoint.host.as_deref();
                    host.is_some_and(|host| is_at_or_below(host, domain))
                });
                endpoints
            }
            _ => all(),
        }
    }

    /// The names aimed at, each once, in lower case.
    pub fn hosts(self, catalog: &Catalog) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        for host in self
            .endpoints(catalog)
            .iter()
            .filter_map(|it| it.host.as_ref())
        {
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        hosts
    }
}

/// Those that lead to the place of the first, or the others.
fn at_first(mut endpoints: Vec<&Endpoint>, wanted: bool) -> Vec<&Endpoint> {
    if let Some(first) = endpoints.first().copied() {
        let is_there = |it: &Endpoint| it.host == first.host && it.addresses == first.addresses;
        endpoints.retain(|it| is_there(it) == wanted);
    }
    endpoints
}

fn endpoints_of(target: &Target, wanted: impl Fn(&Service) -> bool) -> Vec<&Endpoint> {
    target
        .services
        .iter()
        .filter(|service| wanted(service))
        .flat_map(|service| &service.endpoints)
        .collect()
}

/// The name whose loss hurts least: no essential service needs it, and the others of a pool stand in for it where
/// there is such a pool; or else from an essential pool.
fn spare_host(target: &Target) -> Option<&str> {
    let essential = endpoints_of(target, |service| service.essential);
    let is_needed = |host: &str| {
        essential
            .iter()
            .any(|endpoint| endpoint.host.as_deref() == Some(host))
    };
    let free = |service: &'_ Service| -> usize {
        let hosts = service.endpoints.iter().filter_map(|it| it.host.as_deref());
        hosts.filter(|host| !is_needed(host)).count()
    };
    let largest = target
        .services
        .iter()
        .filter(|service| !service.essential && free(service) > 0)
        .max_by_key(|service| (service.pool, free(service)));
    let pool = || {
        target
            .services
            .iter()
            .find(|service| service.pool && service.endpoints.len() > 1)
    };
    let service = largest.or_else(pool)?;
    let hosts = || service.endpoints.iter().filter_map(|it| it.host.as_deref());
    hosts()
        .find(|host| !is_needed(host))
        .or_else(|| hosts().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::{Expect, Protocol};

    fn endpoint(host: &str) -> Endpoint {
        Endpoint {
            id: format!("https://{host}/"),
            host: Some(host.to_owned()),
            addresses: Vec::new(),
            port: 443,
            protocol: Protocol::Https,
            server_name: None,
            path: "/".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        }
    }

    fn service(id: &str, essential: bool, pool: bool, hosts: &[&str]) -> Service {
        Service {
            id: id.to_owned(),
            essential,
            pool,
            by_place: false,
            alternative: false,
            endpoints: hosts.iter().map(|host| endpoint(host)).collect(),
        }
    }

    fn catalog(services: Vec<Service>) -> Catalog {
        let target = Target {
            id: "chat".to_owned(),
            region: crate::model::catalog::Region::Foreign,
            name: "Chat".to_owned(),
            services,
        };
        Catalog {
            targets: vec![target],
            ..Catalog::default()
        }
    }

    #[test]
    fn the_spare_name_is_one_that_others_stand_in_for() {
        let catalog = catalog(vec![
            service("api", true, false, &["api"]),
            service("site", false, false, &["a", "b", "c"]),
            service("links", false, true, &["api", "d", "e"]),
        ]);
        assert_eq!(Aim::Spare("chat").hosts(&catalog), ["d"]);
    }

    #[test]
    fn where_everything_is_essential_the_spare_name_is_of_a_pool() {
        let catalog = catalog(vec![service("api", true, true, &["a", "b"])]);
        assert_eq!(Aim::Spare("chat").hosts(&catalog), ["b"]);
    }

    #[test]
    fn essential_is_what_essential_services_need() {
        let catalog = catalog(vec![
            service("api", true, false, &["api", "api"]),
            service("site", false, false, &["site"]),
        ]);
        assert_eq!(Aim::Essential("chat").hosts(&catalog), ["api"]);
        assert_eq!(Aim::Target("chat").hosts(&catalog), ["api", "site"]);
        assert!(Aim::Target("other").hosts(&catalog).is_empty());
    }
}
