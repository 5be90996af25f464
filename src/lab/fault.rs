//! What goes wrong in a scenario without any censor, and what it is aimed at.

use crate::model::catalog::{Catalog, Endpoint, Service, Target};
use crate::model::technique::{Interference, Technique, Trigger};

/// What goes wrong without any censor: none of it may ever be called blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The ports are closed: bound, so nobody else takes them, and not listening.
    ServerDown(Aim),
    /// The certificates ended years ago, for everybody.
    ExpiredCertificate(Aim),
    /// The servers wait so many milliseconds before they read or write the first byte.
    SlowServer(Aim, u64),
    /// The servers accept connections and answer no ClientHello, whatever its name.
    SilentTls(Aim),
    /// The real servers know none of their names any more and send `unrecognized_name`.
    GenuineAlert(Aim),
    /// The real servers show a certificate that nobody vouches for, whatever the name.
    WrongCertificate(Aim),
    /// The real servers answer every HTTP request with this status.
    Status(Aim, u16),
    /// Every resolver says that the name does not exist, because it does not.
    RetiredName(Aim),
    /// Every name has an IPv6 address and none of them can be reached, on a line that claims to have IPv6.
    BrokenIpv6,
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
    /// A firewall lets no datagram to a QUIC server pass, for everybody, as in many companies.
    QuicFirewall,
    /// The system's resolver is a household filter: advertisers and these names are at 0.0.0.0 and `::`.
    Pihole(Aim),
}

impl Fault {
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
    /// The first endpoint of the target's first essential service.
    First(&'static str),
    /// One name that the target can do without: where one exists, of a service that is not essential.
    Spare(&'static str),
}

impl Aim {
    /// Id of the target aimed at.
    pub const fn target(self) -> &'static str {
        match self {
            Self::Target(id) | Self::Essential(id) | Self::First(id) | Self::Spare(id) => id,
        }
    }

    /// The endpoints aimed at; empty if the catalog has no such target.
    pub fn endpoints(self, catalog: &Catalog) -> Vec<&Endpoint> {
        let Some(target) = catalog.targets.iter().find(|it| it.id == self.target()) else {
            return Vec::new();
        };
        match self {
            Self::Target(_) => endpoints_of(target, |_| true),
            Self::Essential(_) => endpoints_of(target, |service| service.essential),
            Self::First(_) => {
                let mut endpoints = endpoints_of(target, |service| service.essential);
                endpoints.truncate(1);
                endpoints
            }
            Self::Spare(_) => {
                let spare = spare_host(target);
                let mut endpoints = endpoints_of(target, |_| true);
                endpoints.retain(|endpoint| spare.is_some() && endpoint.host.as_deref() == spare);
                endpoints
            }
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
            expect: Expect::default(),
        }
    }

    fn service(id: &str, essential: bool, pool: bool, hosts: &[&str]) -> Service {
        Service {
            id: id.to_owned(),
            essential,
            pool,
            alternative: false,
            endpoints: hosts.iter().map(|host| endpoint(host)).collect(),
        }
    }

    fn catalog(services: Vec<Service>) -> Catalog {
        let target = Target {
            id: "chat".to_owned(),
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
