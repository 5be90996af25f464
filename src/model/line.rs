//! The line we stand on, as this machine tells it: which families, which addresses are its own, whom it trusts.

use std::net::IpAddr;

use ipnet::IpNet;

/// What a run may use of this machine's network. Plain data, made by `measure::network` or by the lab.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The system's own view (`getaddrinfo`) is the ordinary path; otherwise the `System` resolvers of the catalog are.
    pub lookup: bool,
    /// There is an IPv4 address and it may be used.
    pub ipv4: bool,
    /// There is a global IPv6 address and it may be used.
    pub ipv6: bool,
    /// Addresses of the interfaces with their prefixes. They never appear in a report.
    pub own: Vec<IpNet>,
    /// Prefixes that are this run's internet although they are bogons everywhere else (the lab's part of loopback).
    pub playground: Vec<IpNet>,
    /// DER certificates trusted besides the built-in roots (`--ca-file`, `SSL_CERT_FILE`).
    pub added_roots: Vec<Vec<u8>>,
    /// Local circumstances that colour every result, in sentences: a tunnel as default route, proxy variables.
    pub notes: Vec<String>,
}

/// The network around an address: 24 bits of IPv4 or 48 of IPv6 are one rack or one customer, 16 or 32 one operator's
/// neighbourhood.
pub fn network(address: IpAddr, [v4, v6]: [u8; 2]) -> IpNet {
    let length = if address.is_ipv4() { v4 } else { v6 };
    IpNet::new(address, length)
        .unwrap_or_else(|_| address.into())
        .trunc()
}

/// Whether it is one of the ports of the web, which every line that lets anything pass lets pass. Firewalls of companies and
/// hotels shut others for everybody.
pub const fn is_of_the_web(port: u16) -> bool {
    matches!(port, 80 | 443)
}

/// The lengths of a rack's network.
pub const RACK: [u8; 2] = [24, 48];
/// The lengths of a neighbourhood.
pub const NEIGHBOURHOOD: [u8; 2] = [16, 32];

impl Line {
    /// Whether this is an address of the vantage itself.
    pub fn is_own(&self, address: IpAddr) -> bool {
        !self.is_playground(address) && self.own.iter().any(|net| net.addr() == address)
    }

    /// Whether this address is in a network the vantage is directly connected to.
    pub fn is_on_link(&self, address: IpAddr) -> bool {
        !self.is_playground(address) && self.own.iter().any(|net| net.contains(&address))
    }

    /// Whether this address belongs to the run's own internet whatever it is elsewhere.
    pub fn is_playground(&self, address: IpAddr) -> bool {
        self.playground.iter().any(|net| net.contains(&address))
    }

    /// Whether the family of this address may be used.
    pub fn has_family(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        }
    }
}
