//! Addresses that are nobody's on the public internet, and those that are never connected to.
//!
//! The list is OONI's (`netxlite/bogon.go`, after ipinfo.io/bogon) with 192.88.99.0/24 added (RFC 7526).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::model::line::Line;

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

const BOGONS_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

const BOGONS_V6: &[Ipv6Net] = &[
    // Unspecified, loopback and the IPv4-compatible addresses, then the IPv4-mapped ones.
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    v6(0x0100, 0, 64),
    v6(0x2001, 0x0010, 28),
    v6(0x2001, 0x0db8, 32),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
    v6(0xfec0, 0, 10),
    v6(0xff00, 0, 8),
];

/// Whether an address in an answer cannot be true on the public internet.
pub fn is_bogon(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_bogon_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_bogon_v4(inner),
            None => BOGONS_V6.iter().any(|net| net.contains(&address)),
        },
    }
}

/// Whether an address in an answer is a bogon on this line: the run's own internet is none.
pub fn is_bogon_here(line: &Line, address: IpAddr) -> bool {
    !line.is_playground(address) && (is_bogon(address) || line.is_own(address))
}

/// Why a target's or control's address is not connected to, if it is not.
pub fn refusal(line: &Line, address: IpAddr) -> Option<String> {
    let embedded = match address {
        IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    let near = |address| line.is_own(address) || line.is_on_link(address);
    if !line.is_playground(address)
        && (is_bogon(address) || near(address) || embedded.is_some_and(near))
    {
        // Own addresses never appear in a report, so the address is not repeated here.
        return Some(
            "this is not an address of the public internet here; never connected to".to_owned(),
        );
    }
    family(line, address)
}

/// Why this address's family is not used, if it is not.
pub fn family(line: &Line, address: IpAddr) -> Option<String> {
    let word = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    (!line.has_family(address)).then(|| format!("no {word} on this line"))
}

/// Why a decoy is not asked: it may be a documentation address, but nothing near.
pub fn decoy_refusal(line: &Line, address: IpAddr) -> Option<String> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let near = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || link_local
        || line.is_own(address)
        || line.is_on_link(address);
    if near && !line.is_playground(address) {
        return Some("this address is near, so it is no decoy here; never asked".to_owned());
    }
    family(line, address)
}

/// The IPv4 address inside a NAT64 (RFC 6052), 6to4 (RFC 3056) or Teredo (RFC 4380) address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, .., seventh, eighth] = address.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (first, second) {
        (0x0064, 0xff9b) if address.segments()[2..6] == [0; 4] => Some(joined(seventh, eighth)),
        (0x2002, _) => Some(joined(second, third)),
        // Teredo's client address is written inverted.
        (0x2001, 0) => Some(joined(!seventh, !eighth)),
        _ => None,
    }
}

fn is_bogon_v4(address: Ipv4Addr) -> bool {
    BOGONS_V4.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bogon(address: &str) -> bool {
        is_bogon(address.parse().unwrap())
    }

    #[test]
    fn private_reserved_and_special_addresses_are_bogons() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.53.53",
            "169.254.1.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "100::1",
            "2001:10::1",
            "2001:db8::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(bogon(address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_none() {
        for address in [
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2a00:1450::1",
            "2606:4700:4700::1111",
        ] {
            assert!(!bogon(address), "{address}");
        }
    }

    #[test]
    fn an_embedded_address_is_judged_by_itself() {
        assert!(!bogon("64:ff9b::8.8.8.8"));
        assert!(bogon("64:ff9b::10.0.0.1"));
        assert!(bogon("2002:c0a8:0101::1"));
        assert!(!bogon("2002:0808:0808::1"));
        // 10.0.0.1 inverted is f5ff:fffe.
        assert!(bogon("2001:0:4136:e378:8000:63bf:f5ff:fffe"));
    }

    #[test]
    fn the_playground_may_be_connected_to_and_the_rest_of_loopback_may_not() {
        let line = Line {
            ipv4: true,
            playground: vec!["127.77.0.0/16".parse().unwrap()],
            ..Line::default()
        };
        assert_eq!(refusal(&line, "127.77.1.1".parse().unwrap()), None);
        assert!(refusal(&line, "127.0.0.1".parse().unwrap()).is_some());
        assert_eq!(
            refusal(&line, "2606:4700::1".parse().unwrap()).unwrap(),
            "no IPv6 on this line"
        );
    }

    #[test]
    fn own_and_neighbouring_addresses_are_never_connected_to() {
        let line = Line {
            ipv4: true,
            ipv6: true,
            own: vec!["93.184.216.34/24".parse().unwrap()],
            ..Line::default()
        };
        for address in ["93.184.216.34", "93.184.216.99", "64:ff9b::5db8:d822"] {
            let reason = refusal(&line, address.parse().unwrap()).unwrap();
            assert!(!reason.contains(address));
        }
        assert_eq!(refusal(&line, "93.184.217.1".parse().unwrap()), None);
    }

    #[test]
    fn a_decoy_may_be_a_documentation_address_but_no_neighbour() {
        let line = Line {
            ipv4: true,
            own: vec!["192.0.2.2/24".parse().unwrap()],
            ..Line::default()
        };
        assert_eq!(decoy_refusal(&line, "203.0.113.5".parse().unwrap()), None);
        for near in ["192.0.2.9", "127.0.0.1", "169.254.0.1", "224.0.0.1"] {
            assert!(
                decoy_refusal(&line, near.parse().unwrap()).is_some(),
                "{near}"
            );
        }
    }
}
