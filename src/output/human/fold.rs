//! Many endpoints in few words: names that share a suffix, numbers in a row, ports of one protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::model::check::parent_of;

/// Names of one group that are shown; more are counted.
const MOST: usize = 12;

/// Suffixes that are shown; names under others are counted.
const MOST_FAMILIES: usize = 8;

/// So many numbers in a row are written as a range.
const RANGE: usize = 3;

/// An endpoint's id in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Protocol.
    pub scheme: &'a str,
    /// Host name or address, without brackets.
    pub host: &'a str,
    /// Port, where the id has one.
    pub port: &'a str,
}

/// The parts of an id; whatever it is, nothing of its host is lost.
pub fn parts(id: &str) -> Parts<'_> {
    let (scheme, rest) = id.split_once("://").unwrap_or(("", id));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => {
            (host, port)
        }
        _ => (authority, ""),
    };
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    Parts {
        scheme,
        host: bare.unwrap_or(host),
        port,
    }
}

/// Ports of each scheme, by their length and digits: in numeric order.
type Spoken<'a> = BTreeMap<&'a str, BTreeSet<(usize, &'a str)>>;

/// Endpoints in short, one text for each set of protocols and ports that hosts have in common.
pub fn endpoints<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut hosts: Vec<&str> = Vec::new();
    let mut spoken: HashMap<&str, Spoken<'_>> = HashMap::new();
    for id in ids {
        let Parts { scheme, host, port } = parts(id);
        let schemes = spoken.entry(host).or_insert_with(|| {
            hosts.push(host);
            BTreeMap::new()
        });
        schemes
            .entry(scheme)
            .or_default()
            .insert((port.len(), port));
    }
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for host in hosts {
        let protocols = spoken.get(host).map(protocols).unwrap_or_default();
        let at = *known.entry(protocols.clone()).or_insert_with(|| {
            groups.push((protocols, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(host);
    }
    groups
        .into_iter()
        .map(|(protocols, hosts)| format!("{} · {protocols}", names(&hosts)))
        .collect()
}

fn protocols(schemes: &Spoken<'_>) -> String {
    let texts: Vec<String> = schemes
        .iter()
        .map(|(scheme, ports)| {
            let ports: Vec<&str> = ports.iter().map(|(_, port)| *port).collect();
            format!("{scheme} {}", ports.join(", "))
                .trim_end()
                .to_owned()
        })
        .collect();
    texts.join("; ")
}

/// Hosts in short: `c, g, e1 to e16 .whatsapp.net`. Each host comes once.
pub fn names(hosts: &[&str]) -> String {
    let mut families: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for &host in hosts {
        let is_address = host.parse::<IpAddr>().is_ok();
        let parent = if is_address { "" } else { parent_of(host) };
        let at = *known.entry(parent).or_insert_with(|| {
            families.push((parent, Vec::new()));
            families.len() - 1
        });
        families[at].1.push(host);
    }
    let shown = families.iter().take(MOST_FAMILIES);
    let texts: Vec<String> = shown.map(|(parent, hosts)| family(parent, hosts)).collect();
    let left = families.iter().skip(MOST_FAMILIES);
    match left.map(|(_, hosts)| hosts.len()).sum::<usize>() {
        0 => texts.join(", "),
        more => format!("{} and {more} more", texts.join(", ")),
    }
}

/// Addresses, or hosts under one parent.
fn family(parent: &str, hosts: &[&str]) -> String {
    let suffix = format!(".{parent}");
    let under: Vec<&str> = hosts
        .iter()
        .filter_map(|host| host.strip_suffix(&suffix))
        .filter(|prefix| !prefix.is_empty())
        .collect();
    if parent.is_empty() || under.len() < 2 {
        return shortened(hosts.iter().map(|host| (*host).to_owned()).collect());
    }
    // What all of them end in belongs to the suffix: `static, profile .ess.apple.com`.
    let common = common_labels(&under);
    let (heads, suffix): (Vec<&str>, String) = if common.is_empty() {
        (under, suffix)
    } else {
        let tail = format!(".{common}");
        let heads = under.iter().filter_map(|it| it.strip_suffix(&tail));
        (heads.collect(), format!("{tail}{suffix}"))
    };
    let mut text = format!("{} {suffix}", shortened(ranges(&heads)));
    for host in hosts.iter().filter(|host| !host.ends_with(&suffix)) {
        text = format!("{host}, {text}");
    }
    text
}

/// Labels that every prefix ends in while each has one more before them.
fn common_labels(prefixes: &[&str]) -> String {
    let mut common: Option<Vec<&str>> = None;
    for prefix in prefixes {
        let mut labels: Vec<&str> = prefix.rsplit('.').collect();
        labels.pop();
        common = Some(match common {
            None => labels,
            Some(before) => {
                let same = before
                    .iter()
                    .zip(&labels)
                    .take_while(|(one, two)| one == two);
                same.map(|(one, _)| *one).collect()
            }
        });
    }
    let mut labels = common.unwrap_or_default();
    labels.reverse();
    labels.join(".")
}

/// Numbers in a row become a range, where the first of them stood.
fn ranges(heads: &[&str]) -> Vec<String> {
    let numbered: Vec<Option<(&str, u32)>> = heads.iter().map(|head| number(head)).collect();
    let mut stems: HashMap<&str, BTreeSet<u32>> = HashMap::new();
    for (stem, number) in numbered.iter().flatten() {
        stems.entry(stem).or_default().insert(*number);
    }
    let mut texts = Vec::new();
    for (head, numbered) in heads.iter().zip(&numbered) {
        let Some((stem, number)) = *numbered else {
            texts.push((*head).to_owned());
            continue;
        };
        let Some(left) = stems.get_mut(stem) else {
            continue;
        };
        if !left.contains(&number) {
            continue;
        }
        let last = (number..u32::MAX).take_while(|it| left.contains(it)).last();
        let first = (0..=number).rev().take_while(|it| left.contains(it)).last();
        let (first, last) = (first.unwrap_or(number), last.unwrap_or(number));
        if (last - first) as usize + 1 >= RANGE {
            for number in first..=last {
                left.remove(&number);
            }
            texts.push(format!("{stem}{first} to {stem}{last}"));
        } else {
            left.remove(&number);
            texts.push((*head).to_owned());
        }
    }
    texts
}

/// A stem and the number after it, if it reads back the same.
fn number(head: &str) -> Option<(&str, u32)> {
    let stem = head.trim_end_matches(|it: char| it.is_ascii_digit());
    let digits = &head[stem.len()..];
    let number = digits.parse().ok()?;
    (u32::to_string(&number) == digits && number < u32::MAX).then_some((stem, number))
}

fn shortened(mut texts: Vec<String>) -> String {
    let more = texts.len().saturating_sub(MOST);
    if more > 1 {
        texts.truncate(MOST);
        return format!("{} and {more} more", texts.join(", "));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_share_a_suffix_are_folded_and_numbers_in_a_row_become_a_range() {
        let numbered: Vec<String> = (1..=16).map(|at| format!("e{at}.whatsapp.net")).collect();
        let mut hosts = vec!["g.whatsapp.net", "c.whatsapp.net"];
        hosts.extend(numbered.iter().map(String::as_str));
        assert_eq!(names(&hosts), "g, c, e1 to e16 .whatsapp.net");
        let deep = ["static.ess.apple.com", "profile.ess.apple.com"];
        assert_eq!(names(&deep), "static, profile .ess.apple.com");
        let own = ["telegram.org", "core.telegram.org", "web.telegram.org"];
        assert_eq!(names(&own), "telegram.org, core, web .telegram.org");
        assert_eq!(names(&["web.max.ru", "t.me"]), "web.max.ru, t.me");
        assert_eq!(
            names(&["192.0.2.1", "2001:db8::1"]),
            "192.0.2.1, 2001:db8::1"
        );
    }

    #[test]
    fn numbers_that_are_no_row_stay_as_they_are() {
        let hosts = ["e1.a.org", "e3.a.org", "e4.a.org", "e05.a.org", "e06.a.org"];
        assert_eq!(names(&hosts), "e1, e3, e4, e05, e06 .a.org");
    }

    #[test]
    fn hosts_with_the_same_ports_stand_together() {
        let ids = [
            "noise://c.a.net:443",
            "noise://c.a.net:5222",
            "noise://c.a.net:80",
            "noise://g.a.net:5222",
            "noise://g.a.net:443",
            "noise://g.a.net:80",
            "https://a.net/",
            "https://[2001:db8::1]/x",
            "stun://[2001:db8::1]:3478",
        ];
        assert_eq!(
            endpoints(ids.into_iter()),
            [
                "c, g .a.net · noise 80, 443, 5222",
                "a.net · https",
                "2001:db8::1 · https; stun 3478"
            ]
        );
    }

    #[test]
    fn any_id_has_parts() {
        for id in [
            "",
            "://",
            "a",
            "a://[",
            "a://]:1",
            "a://b:c",
            ":1",
            "é://ü:9/ö",
        ] {
            let _ = endpoints(std::iter::once(id));
        }
        assert_eq!(parts("a://2001:db8::1/").host, "2001:db8::1");
        assert_eq!(parts("tls://a.org:5223/").port, "5223");
    }

    #[test]
    fn a_long_list_is_counted() {
        let hosts: Vec<String> = (0..40).map(|at| format!("192.0.2.{at}")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        assert!(
            names(&hosts).ends_with("192.0.2.11 and 28 more"),
            "{}",
            names(&hosts)
        );

        let hosts: Vec<String> = (0..40).map(|at| format!("www.a{at}.org")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        assert!(names(&hosts).ends_with("www.a7.org and 32 more"));
    }
}
