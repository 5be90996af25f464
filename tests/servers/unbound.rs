//! unbound: its configuration, for an honest resolver and for a provider's that censors.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::program::{PortTaken, Program};

/// What a resolver does to names at and below a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The name does not exist.
    AlwaysNxdomain,
    /// REFUSED.
    AlwaysRefuse,
    /// The name has no addresses.
    AlwaysNodata,
    /// The null address, as household filters answer.
    AlwaysNull,
    /// This address for all of them.
    Redirect(&'static str),
}

/// A resolver.
pub struct Resolver<'a> {
    /// Name of its files.
    pub label: &'a str,
    /// Where it answers over UDP and TCP.
    pub plain: BTreeSet<SocketAddr>,
    /// Where it answers over TLS.
    pub dot: BTreeSet<SocketAddr>,
    /// Where it answers over HTTPS.
    pub doh: BTreeSet<SocketAddr>,
    /// Every name with its address.
    pub hosts: &'a [(String, IpAddr)],
    /// Zones that are lied about.
    pub lies: Vec<(String, Lie)>,
}

impl Resolver<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// One of its ports is somebody else's.
    pub fn start(&self, directory: &Path) -> Result<Program, PortTaken> {
        let file = format!("{}.conf", self.label);
        std::fs::write(directory.join(&file), self.configuration(directory)).unwrap();
        let places: Vec<SocketAddr> = self.places().copied().collect();
        Program::start(
            "unbound",
            directory,
            self.label,
            &["-d", "-c", &file],
            &places,
        )
    }

    fn places(&self) -> impl Iterator<Item = &SocketAddr> {
        self.plain.iter().chain(&self.dot).chain(&self.doh)
    }

    fn configuration(&self, directory: &Path) -> String {
        let directory = directory.display();
        let mut text = format!(
            "server:\n directory: \"{directory}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n \
             do-daemonize: no\n use-syslog: no\n logfile: \"\"\n verbosity: 1\n \
             module-config: \"iterator\"\n identity: \"{}\"\n \
             access-control: 127.0.0.0/8 allow\n access-control: ::1 allow\n \
             tls-service-pem: \"public.pem\"\n tls-service-key: \"public.key\"\n",
            self.label
        );
        let ports = |places: &BTreeSet<SocketAddr>| -> BTreeSet<u16> {
            places.iter().map(SocketAddr::port).collect()
        };
        for (key, places) in [("tls-port", &self.dot), ("https-port", &self.doh)] {
            let ports = ports(places);
            assert!(ports.len() < 2, "unbound has one port for each protocol");
            for port in ports {
                writeln!(text, " {key}: {port}").unwrap();
            }
        }
        for place in self.places() {
            writeln!(text, " interface: {}@{}", place.ip(), place.port()).unwrap();
        }
        // Nothing but what stands here exists: no question leaves this machine.
        text.push_str(" local-zone: \".\" static\n");
        for (zone, lie) in &self.lies {
            let kind = match lie {
                Lie::AlwaysNxdomain => "always_nxdomain",
                Lie::AlwaysRefuse => "always_refuse",
                Lie::AlwaysNodata => "always_nodata",
                Lie::AlwaysNull => "always_null",
                Lie::Redirect(_) => "redirect",
            };
            writeln!(text, " local-zone: \"{zone}.\" {kind}").unwrap();
            if let Lie::Redirect(address) = lie {
                writeln!(text, " local-data: \"{zone}. 60 IN A {address}\"").unwrap();
            }
        }
        for (host, address) in self.hosts.iter().filter(|(host, _)| !self.lies_about(host)) {
            let record = if address.is_ipv4() { "A" } else { "AAAA" };
            writeln!(text, " local-data: \"{host}. 300 IN {record} {address}\"").unwrap();
        }
        text.push_str("remote-control:\n control-enable: no\n");
        text
    }

    fn lies_about(&self, host: &str) -> bool {
        self.lies
            .iter()
            .any(|(zone, _)| host == zone || host.ends_with(&format!(".{zone}")))
    }
}
