//! The vantage's own addresses, found in any text however they are spelled, and taken out.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};

use crate::wire::own::forms::Forms;
use crate::wire::own::plain::{Plain, Reading, readings};
use crate::wire::own::spelling::{Found, places};

pub mod forms;
pub mod plain;
pub mod spelling;
#[cfg(test)]
pub mod spellings;

/// What stands where an address stood.
pub const SCRUBBED: &str = "[scrubbed]";

/// What is found may hide something else; after so many rounds the whole text goes.
const MOST_ROUNDS: usize = 8;
/// Patterns in one automaton, so that its size is bounded on a machine with many addresses.
const PATTERNS: usize = 200;
/// Shorter texts hold no address.
const SHORTEST: usize = 3;

/// Knows the vantage's own addresses and takes them out of text.
#[derive(Clone, Debug, Default)]
pub struct Own {
    ipv4: Vec<Ipv4Addr>,
    ipv6: Vec<Ipv6Addr>,
    prefixes: Vec<u64>,
    search: Arc<Search>,
}

/// The automata that know every form of the addresses.
#[derive(Debug, Default)]
struct Search {
    quads: Vec<Regex>,
    groups: Vec<Regex>,
    anywhere: Vec<Regex>,
    fixed: Vec<AhoCorasick>,
}

impl Own {
    /// From the addresses of the interfaces (`Line::own`). Loopback is everybody's and no secret; of a global IPv6
    /// address the whole /64 is the vantage's, since temporary addresses come and go in it (RFC 8981).
    pub fn new(own: &[IpNet]) -> Self {
        let mut known = Self::default();
        let mut forms = Forms::default();
        let secret = own.iter().map(IpNet::addr);
        for address in secret.filter(|own| !is_everybodys(*own)) {
            match address {
                IpAddr::V4(address) if !known.ipv4.contains(&address) => {
                    forms.add_ipv4(address);
                    known.ipv4.push(address);
                }
                IpAddr::V6(address) if !known.ipv6.contains(&address) => {
                    forms.add_ipv6(address, is_global(address));
                    if is_global(address) {
                        known.prefixes.push(upper_half(address));
                    }
                    known.ipv6.push(address);
                }
                _ => {}
            }
        }
        known.search = Arc::new(Search::new(&forms));
        known
    }

    /// The text without the vantage's own addresses.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.ipv4.is_empty() && self.ipv6.is_empty() {
            return Cow::Borrowed(text);
        }
        self.without(text, &|found, _| self.is_own(found))
    }

    /// The text of a server or resolver without any address but `asked`.
    pub fn free_text<'a>(&self, text: &'a str, asked: Option<IpAddr>) -> Cow<'a, str> {
        self.without(text, &|found, reading| {
            // Without all tags, numbers of different cells of a table would touch.
            let is_text = matches!(reading, None | Some(Reading::Inline));
            self.is_own(found) || (is_text && is_foreign_secret(found, asked))
        })
    }

    /// Whether raw bytes hold an own address, as text or as its octets.
    pub fn is_in_bytes(&self, bytes: &[u8]) -> bool {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        matches!(self.free_text(&text, None), Cow::Owned(_)) || self.is_in_octets(bytes)
    }

    /// Whether raw bytes hold an own address as its octets.
    pub fn is_in_octets(&self, bytes: &[u8]) -> bool {
        /// RFC 8489: addresses in STUN are hidden from middleboxes by this.
        const COOKIE: u32 = 0x2112_a442;
        let holds = |octets: &[u8]| bytes.windows(octets.len()).any(|window| window == octets);
        let holds_number = |address: &Ipv4Addr| {
            let number = u32::from(*address);
            [number, number.swap_bytes(), number ^ COOKIE]
                .iter()
                .any(|number| holds(&number.to_be_bytes()))
        };
        self.ipv4.iter().any(holds_number)
            || self.ipv6.iter().any(|address| holds(&address.octets()))
            || self
                .prefixes
                .iter()
                .any(|prefix| holds(&prefix.to_be_bytes()))
    }

    /// Whether this very address is one of the vantage's.
    pub fn is_address(&self, address: IpAddr) -> bool {
        self.is_own(&Found::Address(address))
    }

    fn without<'a>(
        &self,
        text: &'a str,
        take: &dyn Fn(&Found, Option<Reading>) -> bool,
    ) -> Cow<'a, str> {
        let mut scrubbed = Cow::Borrowed(text);
        for _ in 0..MOST_ROUNDS {
            let places = self.places(&scrubbed, take);
            if places.is_empty() {
                return scrubbed;
            }
            let marked = mark(&scrubbed, &places);
            if marked == *scrubbed {
                return scrubbed;
            }
            scrubbed = Cow::Owned(marked);
        }
        Cow::Owned(SCRUBBED.to_owned())
    }

    /// Everything to be taken, in order and without overlaps.
    fn places(
        &self,
        text: &str,
        take: &dyn Fn(&Found, Option<Reading>) -> bool,
    ) -> Vec<Range<usize>> {
        if text.len() < SHORTEST {
            return Vec::new();
        }
        let mut taken = self.places_as_written(text, &|found| take(found, None));
        readings(text, &mut |plain: &Plain, reading| {
            let found = self.places_as_written(&plain.text, &|found| take(found, Some(reading)));
            taken.extend(found.iter().map(|place| plain.original(place)));
        });
        merge(taken)
    }

    fn places_as_written(&self, text: &str, take: &dyn Fn(&Found) -> bool) -> Vec<Range<usize>> {
        let mut taken = places(text, take);
        if let Some(colons) = with_colons(text) {
            let own = places(&colons, |found| {
                matches!(found, Found::Address(IpAddr::V6(_)) | Found::Embedded(_))
                    && self.is_own(found)
            });
            taken.extend(own);
        }
        taken.extend(self.numbers(text));
        self.search
            .places(text, &mut taken, &|address| self.is_address(address));
        taken
    }

    /// A whole IPv6 address in decimal: what temporary addresses of the network have in common is not seen in its digits.
    fn numbers(&self, text: &str) -> Vec<Range<usize>> {
        if self.prefixes.is_empty() {
            return Vec::new();
        }
        runs(text.as_bytes(), u8::is_ascii_digit)
            .filter(|run| (37..=39).contains(&run.len()))
            .filter(|run| {
                let number = text[run.clone()].parse::<u128>();
                number.is_ok_and(|number| self.is_address(Ipv6Addr::from(number).into()))
            })
            .collect()
    }

    fn is_own(&self, found: &Found) -> bool {
        match found {
            Found::Address(IpAddr::V4(address)) | Found::Reversed(IpAddr::V4(address)) => {
                self.ipv4.contains(address)
            }
            Found::Address(IpAddr::V6(address))
            | Found::Reversed(IpAddr::V6(address))
            | Found::Embedded(address) => {
                self.ipv6.contains(address)
                    || self.prefixes.contains(&upper_half(*address))
                    || inner_ipv4(*address).is_some_and(|inner| self.ipv4.contains(&inner))
            }
            Found::ReversedPrefix(prefix) => self.prefixes.contains(prefix),
            Found::Number(address) => self.ipv4.contains(address),
            Found::Hardware => false,
        }
    }
}

impl Search {
    fn new(forms: &Forms) -> Self {
        let fixed = [(&forms.folded, true), (&forms.exact, false)];
        Self {
            quads: automata(&forms.quads),
            groups: automata(&forms.groups),
            anywhere: automata(&forms.anywhere),
            fixed: fixed
                .into_iter()
                .filter(|(needles, _)| !needles.is_empty())
                .map(|(needles, folded)| {
                    AhoCorasick::builder()
                        .ascii_case_insensitive(folded)
                        .match_kind(MatchKind::LeftmostLongest)
                        .build(needles)
                        .expect("the forms of some addresses fit an automaton")
                })
                .collect(),
        }
    }

    fn places(&self, text: &str, taken: &mut Vec<Range<usize>>, is_own: &dyn Fn(IpAddr) -> bool) {
        let bytes = text.as_bytes();
        let all = |automata: &[Regex]| -> Vec<Range<usize>> {
            let each = automata.iter().flat_map(|regex| regex.find_iter(bytes));
            each.map(|found| found.range()).collect()
        };
        let quads = all(&self.quads).into_iter();
        taken.extend(quads.filter(|place| !is_other_quad(bytes, place)));
        let groups = all(&self.groups).into_iter();
        taken.extend(groups.filter(|place| !is_other_group(text, place, is_own)));
        taken.extend(all(&self.anywhere));
        for automaton in &self.fixed {
            taken.extend(automaton.find_iter(bytes).map(|found| found.range()));
        }
    }
}

fn automata(patterns: &[String]) -> Vec<Regex> {
    patterns
        .chunks(PATTERNS)
        .map(|patterns| {
            RegexBuilder::new(&patterns.join("|"))
                .unicode(false)
                .case_insensitive(true)
                .size_limit(256 << 20)
                .build()
                .expect("patterns made of numbers are well formed")
        })
        .collect()
}

/// Whether digits that touch four numbers make them another address, which stands by itself: `193.184.77.13` beside `93.184.77.13`.
fn is_other_quad(bytes: &[u8], place: &Range<usize>) -> bool {
    let digits = |range: Range<usize>| -> Option<u32> {
        std::str::from_utf8(&bytes[range]).ok()?.parse().ok()
    };
    let start = place.start
        - bytes[..place.start]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
    let end = place.end
        + bytes[place.end..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
    if (start, end) == (place.start, place.end) {
        return false;
    }
    let first = bytes[place.clone()]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let first = place.start + first.count();
    let last = bytes[place.clone()]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit());
    let last = place.end - last.count();
    let (Some(one), Some(four)) = (digits(start..first), digits(last..end)) else {
        return false;
    };
    let is_same = digits(place.start..first) == Some(one) && digits(last..place.end) == Some(four);
    !is_same && one < 256 && four < 256 && stands_alone(bytes, start..end)
}

/// Whether what touches the groups makes them another address.
fn is_other_group(text: &str, place: &Range<usize>, is_own: &dyn Fn(IpAddr) -> bool) -> bool {
    let bytes = text.as_bytes();
    let touches = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let before = place.start.checked_sub(1).and_then(|at| bytes.get(at));
    if !touches(before) && !touches(bytes.get(place.end)) {
        return false;
    }
    let belongs = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'-' | b'_');
    let start = place.start
        - bytes[..place.start]
            .iter()
            .rev()
            .take_while(belongs)
            .count();
    let end = place.end + bytes[place.end..].iter().take_while(belongs).count();
    let written = text[start..end].replace(['-', '_'], ":");
    let address = written.trim_end_matches(':').parse::<Ipv6Addr>();
    let address = address.or_else(|_| format!("{written}:").parse());
    address.is_ok_and(|address| !is_own(address.into())) && stands_alone(bytes, start..end)
}

fn stands_alone(bytes: &[u8], place: Range<usize>) -> bool {
    let touches = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = place.start.checked_sub(1).and_then(|at| bytes.get(at));
    !touches(before) && !touches(bytes.get(place.end))
}

/// Dashes and underscores stand for the colons of IPv6 addresses in host names; bytes keep their places.
fn with_colons(text: &str) -> Option<String> {
    let dashes = text.bytes().filter(|byte| matches!(byte, b'-' | b'_'));
    (dashes.take(2).count() == 2).then(|| text.replace(['-', '_'], ":"))
}

fn runs<'a>(
    bytes: &'a [u8],
    belongs: impl Fn(&u8) -> bool + 'a,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes[at..].iter().position(&belongs)?;
        let start = at;
        at += bytes[at..].iter().take_while(|byte| belongs(byte)).count();
        Some(start..at)
    })
}

fn merge(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| place.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for place in places {
        match merged.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
    }
    merged
}

fn mark(text: &str, places: &[Range<usize>]) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        marked.push_str(&text[from..place.start]);
        marked.push_str(SCRUBBED);
        from = place.end;
    }
    marked.push_str(&text[from..]);
    marked
}

/// Whether an address in a stranger's text may tell who we are.
fn is_foreign_secret(found: &Found, asked: Option<IpAddr>) -> bool {
    match found {
        Found::Address(address) => Some(*address) != asked && !is_everybodys(*address),
        // Four numbers in a row always read backwards too; forwards was asked first.
        Found::Reversed(address) => address.is_ipv6(),
        Found::ReversedPrefix(_) | Found::Hardware => true,
        // `a::b` may be a name in a program, and a number may be anything.
        Found::Embedded(_) | Found::Number(_) => false,
    }
}

/// Loopback and the unspecified address, which tell nothing of anybody.
pub fn is_everybodys(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// 2000::/3, all of the global unicast space that is in use (RFC 4291).
fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

fn upper_half(address: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(address) >> 64).expect("64 bits are left of 128")
}

/// The IPv4 address inside: mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn inner_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let groups = address.segments();
    let pair = |at: usize| Ipv4Addr::from(u32::from(groups[at]) << 16 | u32::from(groups[at + 1]));
    match groups {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, ..] => Some(pair(6)),
        [0x2002, ..] => Some(pair(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
