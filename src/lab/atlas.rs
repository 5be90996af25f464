//! Where everything lies in the lab: each name and each fixed address of the catalog has an address of its own.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::catalog::{Catalog, Endpoint};

/// The lab's part of loopback, 127.64.0.0/10.
pub const FIRST: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 0);

/// Length of the prefix.
pub const PREFIX: u8 = 10;

/// Name of the captive portal.
pub const PORTAL: &str = "login.portal.example";

/// Name of the block page.
pub const BLOCK_PAGE: &str = "blocked.provider.example";

/// Names of advertisers, which household filters list and censors do not. Nothing listens there.
pub const ADVERTISERS: &[&str] = &[
    "doubleclick.net",
    "googlesyndication.com",
    "googleadservices.com",
    "adservice.google.com",
    "an.yandex.ru",
    "mc.yandex.ru",
    "ads.facebook.com",
    "amazon-adsystem.com",
    "scorecardresearch.com",
];

/// Where everything lies. The order of the catalog decides, so every run of a scenario looks alike.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    hosts: HashMap<String, Ipv4Addr>,
    fixed: BTreeMap<Ipv4Addr, Ipv4Addr>,
    used: u32,
    /// The internet provider's resolver.
    pub system: Option<Ipv4Addr>,
    /// Fixed IPv6 addresses have a place, `::1`.
    pub ipv6: bool,
}

impl Atlas {
    /// Gives every name and address of the catalog its place.
    pub fn new(catalog: &Catalog, ipv6: bool) -> Self {
        let mut atlas = Self {
            ipv6,
            ..Self::default()
        };
        let services = catalog.targets.iter().flat_map(|it| &it.services);
        for endpoint in services.flat_map(|it| &it.endpoints) {
            atlas.place(endpoint);
        }
        for control in &catalog.controls {
            atlas.place(&control.endpoint);
        }
        for resolver in &catalog.resolvers {
            atlas.place_address(resolver.address.ip());
        }
        atlas.system = Some(atlas.next());
        for name in [PORTAL, BLOCK_PAGE].iter().chain(ADVERTISERS) {
            atlas.place_host(name);
        }
        atlas
    }

    /// Address of a name.
    pub fn host(&self, name: &str) -> Option<Ipv4Addr> {
        self.hosts.get(name).copied()
    }

    /// Another place of the same servers: far behind all that are given out.
    pub fn second(&self, address: Ipv4Addr) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(address) | (1 << 21))
    }

    /// Place of a fixed address; `None` for IPv6 where the lab has none.
    pub fn address(&self, address: IpAddr) -> Option<IpAddr> {
        match address {
            IpAddr::V4(address) => self.fixed.get(&address).copied().map(IpAddr::V4),
            IpAddr::V6(_) => self.ipv6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        }
    }

    /// Every address at which an endpoint is served: that of its name, and those it is fixed to.
    pub fn addresses(&self, endpoint: &Endpoint) -> Vec<IpAddr> {
        let host = endpoint.host.as_deref().and_then(|name| self.host(name));
        let fixed = endpoint.addresses.iter().filter_map(|it| self.address(*it));
        host.map(IpAddr::V4).into_iter().chain(fixed).collect()
    }

    /// Every name with its address.
    pub fn hosts(&self) -> &HashMap<String, Ipv4Addr> {
        &self.hosts
    }

    fn place(&mut self, endpoint: &Endpoint) {
        if let Some(host) = &endpoint.host {
            self.place_host(host);
        }
        for address in &endpoint.addresses {
            self.place_address(*address);
        }
    }

    fn place_host(&mut self, name: &str) {
        if !self.hosts.contains_key(name) {
            let address = self.next();
            self.hosts.insert(name.to_owned(), address);
        }
    }

    fn place_address(&mut self, address: IpAddr) {
        if let IpAddr::V4(address) = address
            && !self.fixed.contains_key(&address)
        {
            let place = self.next();
            self.fixed.insert(address, place);
        }
    }

    fn next(&mut self) -> Ipv4Addr {
        self.used += 1;
        Ipv4Addr::from(u32::from(FIRST) | (self.used & (u32::MAX >> PREFIX)))
    }
}
