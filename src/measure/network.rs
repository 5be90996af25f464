//! What this machine's network is: addresses, families, resolvers, added roots, and what colours every result.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrStorage;
use resolv_conf::{Config, ScopedIp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;
use thiserror::Error;

use crate::measure::bogon;
use crate::model::catalog::{Region, Resolver, ResolverRole, Transport};
use crate::model::line::Line;

/// Where the system's resolvers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Bytes read of a configuration file.
const MAX_CONFIG: u64 = 64 << 10;
/// Bytes read of a file with certificates: Debian's whole bundle has 220 KiB.
const MAX_CERTIFICATES: u64 = 4 << 20;
/// Resolvers of the system that are asked: what the C library falls back to, without asking the same operator thrice.
const MAX_NAMESERVERS: usize = 2;
/// Beginnings of interface names that stand for a tunnel.
const TUNNELS: [&str; 5] = ["tun", "tap", "wg", "ppp", "utun"];
/// Variables that send other programs through a proxy; blockprobe goes straight.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SOCKS_PROXY"];

/// What the user wants of the network.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Use IPv4 alone.
    pub ipv4_only: bool,
    /// Use IPv6 alone.
    pub ipv6_only: bool,
    /// Ask this resolver in place of the system's.
    pub resolver: Option<SocketAddr>,
    /// PEM files with roots to trust besides the built-in ones.
    pub ca_files: Vec<PathBuf>,
}

/// What the user asked of the network and cannot have.
#[derive(Debug, Error)]
pub enum LineError {
    /// A file of certificates cannot be read.
    #[error("cannot read the certificates in {path}: {source}")]
    Unreadable {
        /// The file, as given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file of certificates is larger than any bundle of roots.
    #[error("{path} has more than {limit} bytes, too many for a file of certificates")]
    TooLarge {
        /// The file, as given.
        path: String,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file holds no certificates, or broken ones.
    #[error(
        "{path} is no file of certificates: {reason}\nhint: it should hold PEM blocks that begin with -----BEGIN CERTIFICATE-----"
    )]
    NotCertificates {
        /// The file, as given.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Looks at this machine; sends nothing. The resolvers are the system's, or the one of the options.
pub fn line(options: &Options) -> Result<(Line, Vec<Resolver>), LineError> {
    let own = own_addresses();
    let mut line = Line {
        lookup: options.resolver.is_none(),
        ipv4: !options.ipv6_only && has_ipv4(&own),
        ipv6: !options.ipv4_only && has_ipv6(&own),
        own,
        playground: Vec::new(),
        added_roots: Vec::new(),
        notes: notes(),
    };
    for path in &options.ca_files {
        line.added_roots.extend(certificates(path)?);
    }
    if let Some(path) = env::var_os("SSL_CERT_FILE").map(PathBuf::from) {
        match certificates(&path) {
            Ok(roots) => line.added_roots.extend(roots),
            // It may be left over from another program: the user did not ask us.
            Err(error) => line
                .notes
                .push(format!("SSL_CERT_FILE is not used: {}", first_line(&error))),
        }
    }
    let addresses = match options.resolver {
        Some(address) => vec![address],
        None => nameservers(options),
    };
    let resolvers = addresses
        .into_iter()
        .map(|address| {
            let place = address.ip();
            Resolver {
                is_local: place.is_loopback() || line.is_on_link(place),
                ..system_resolver(address)
            }
        })
        .collect();
    Ok((line, resolvers))
}

/// The certificates of a PEM file, as DER.
pub fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, LineError> {
    let name = path.display().to_string();
    let bytes = bounded(path, MAX_CERTIFICATES).map_err(|source| LineError::Unreadable {
        path: name.clone(),
        source,
    })?;
    let Some(bytes) = bytes else {
        return Err(LineError::TooLarge {
            path: name,
            limit: MAX_CERTIFICATES,
        });
    };
    let wrong = |reason: String| LineError::NotCertificates {
        path: name.clone(),
        reason,
    };
    let mut found = Vec::new();
    for (at, certificate) in CertificateDer::pem_slice_iter(&bytes).enumerate() {
        let certificate = certificate.map_err(|error| wrong(format!("{error}")))?;
        ParsedCertificate::try_from(&certificate)
            .map_err(|error| wrong(format!("certificate {} is broken ({error})", at + 1)))?;
        found.push(certificate.to_vec());
    }
    if found.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(found)
}

fn first_line(error: &LineError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The whole file, or `None` if it is longer than `limit`.
fn bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
    Ok(is_whole.then_some(bytes))
}

fn own_addresses() -> Vec<IpNet> {
    let mut own = BTreeSet::new();
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address.as_ref().and_then(ip) else {
            continue;
        };
        let mask = interface.netmask.as_ref().and_then(ip);
        let net = mask.and_then(|mask| IpNet::with_netmask(address, mask).ok());
        own.insert(net.unwrap_or(IpNet::from(address)));
    }
    own.into_iter().collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|address| IpAddr::V6(address.ip()))
    })
}

fn has_ipv4(own: &[IpNet]) -> bool {
    // Without a route too: that the network is unreachable is then a fact, and the way an offline line is known.
    own.iter()
        .any(|net| net.addr().is_ipv4() && !net.addr().is_loopback())
}

fn has_ipv6(own: &[IpNet]) -> bool {
    let global: IpNet =
        IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), 3);
    let has_address = own
        .iter()
        .any(|net| global.contains(&net.addr()) && !bogon::is_bogon(net.addr()));
    has_address && has_route(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888))
}

/// Connecting a UDP socket asks the routing table and sends nothing.
fn has_route(to: Ipv6Addr) -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(|socket| socket.connect((to, 53)).is_ok())
}

/// The system's resolvers; without the file there are none to ask, though lookups may still work.
fn nameservers(options: &Options) -> Vec<SocketAddr> {
    let Ok(Some(bytes)) = bounded(Path::new(RESOLV_CONF), MAX_CONFIG) else {
        return Vec::new();
    };
    let (config, _) = Config::parse_with_errors(&bytes);
    let mut found = Vec::new();
    for address in config.nameservers.iter().filter_map(socket_address) {
        let is_wanted = if address.is_ipv4() {
            !options.ipv6_only
        } else {
            !options.ipv4_only
        };
        if is_wanted && !found.contains(&address) {
            found.push(address);
        }
    }
    found.truncate(MAX_NAMESERVERS);
    found
}

fn socket_address(address: &ScopedIp) -> Option<SocketAddr> {
    match address {
        ScopedIp::V4(address) => Some(SocketAddr::from((*address, 53))),
        ScopedIp::V6(address, None) => Some(SocketAddr::from((*address, 53))),
        ScopedIp::V6(address, Some(scope)) => {
            let scope = scope
                .parse()
                .ok()
                .or_else(|| if_nametoindex(scope.as_str()).ok())?;
            Some(SocketAddrV6::new(*address, 53, 0, scope).into())
        }
    }
}

fn system_resolver(address: SocketAddr) -> Resolver {
    let id = match address.port() {
        53 => format!("system/udp/{}", address.ip()),
        _ => format!("system/udp/{address}"),
    };
    Resolver {
        id,
        name: "system".to_owned(),
        operator: "system".to_owned(),
        role: ResolverRole::System,
        region: Region::Domestic,
        transport: Transport::Udp,
        address,
        server_name: None,
        path: String::new(),
        is_local: false,
    }
}

fn notes() -> Vec<String> {
    let read = |path| match bounded(Path::new(path), MAX_CONFIG) {
        Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    let mut interfaces = default_interfaces_v4(&read("/proc/net/route"));
    interfaces.extend(default_interfaces_v6(&read("/proc/net/ipv6_route")));
    let is_tunnel = |name: &&String| TUNNELS.iter().any(|tunnel| name.starts_with(tunnel));
    let mut notes: Vec<String> = interfaces
        .iter()
        .filter(is_tunnel)
        .map(|name| format!("the default route goes through the tunnel {name}: what is measured is the line behind it"))
        .collect();
    let is_set = |name: &&str| {
        [(*name).to_owned(), name.to_lowercase()]
            .iter()
            .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
    };
    let set: Vec<&str> = PROXIES
        .iter()
        .copied()
        .filter(|name| is_set(name))
        .collect();
    if !set.is_empty() {
        notes.push(format!(
            "{} set here: other programs use a proxy, this measurement does not",
            set.join(", ")
        ));
    }
    notes
}

/// Interfaces with a default route, from `/proc/net/route`: name, destination, ..., mask in the eighth column.
fn default_interfaces_v4(table: &str) -> BTreeSet<String> {
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"00000000") && row.get(7) == Some(&"00000000"))
        .filter_map(|row| row.first().map(|name| (*name).to_owned()))
        .collect()
}

/// The same from `/proc/net/ipv6_route`: destination, its length, ..., name last.
fn default_interfaces_v6(table: &str) -> BTreeSet<String> {
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| {
        row.first()
            .is_some_and(|to| to.bytes().all(|byte| byte == b'0'))
            && row.get(1) == Some(&"00")
    })
    .filter_map(|row| row.last().map(|name| (*name).to_owned()))
    .filter(|name| name != "lo")
    .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn loopback_is_an_own_network_and_no_internet() {
        let own = own_addresses();
        assert!(own.iter().any(|net| net.addr().is_loopback()));
        let loopback: Vec<IpNet> = vec!["127.0.0.1/8".parse().unwrap(), "::1/128".parse().unwrap()];
        assert!(!has_ipv4(&loopback) && !has_ipv6(&loopback));
    }

    #[test]
    fn a_chosen_resolver_replaces_the_systems() {
        let options = Options {
            resolver: Some("9.9.9.9:53".parse().unwrap()),
            ..Options::default()
        };
        let (line, resolvers) = line(&options).unwrap();
        assert!(!line.lookup);
        assert_eq!(resolvers.len(), 1);
        assert_eq!(
            (resolvers[0].id.as_str(), resolvers[0].role),
            ("system/udp/9.9.9.9", ResolverRole::System)
        );
    }

    #[test]
    fn one_family_alone_clears_the_other() {
        let only = |ipv4_only, ipv6_only| {
            line(&Options {
                ipv4_only,
                ipv6_only,
                ..Options::default()
            })
            .unwrap()
            .0
        };
        assert!(!only(true, false).ipv6);
        assert!(!only(false, true).ipv4);
    }

    #[test]
    fn a_file_without_certificates_is_told_with_its_path() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        let path = file.path().display().to_string();
        let broken = certificates(file.path()).unwrap_err().to_string();
        assert!(
            broken.contains(&path) && broken.contains("certificate 1 is broken"),
            "{broken}"
        );
        let missing = certificates(Path::new("/nowhere/ca.pem")).unwrap_err();
        assert!(matches!(missing, LineError::Unreadable { .. }), "{missing}");
        let endless = certificates(Path::new("/dev/zero")).unwrap_err();
        assert!(matches!(endless, LineError::TooLarge { .. }), "{endless}");
    }

    #[test]
    fn tunnels_are_seen_in_the_routing_tables() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                  wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\n\
                  eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n";
        assert_eq!(
            default_interfaces_v4(v4).into_iter().collect::<Vec<_>>(),
            ["wg0"]
        );
        let zero = "0".repeat(32);
        let v6 = format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 00000001 tun0\n");
        assert_eq!(
            default_interfaces_v6(&v6).into_iter().collect::<Vec<_>>(),
            ["tun0"]
        );
    }
}
