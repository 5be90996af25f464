//! Finds addresses in text, however they are spelled: dotted, dashed, bracketed, mapped, reversed for `arpa`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The longest spelling of an IPv6 address, dotted tail included.
const LONGEST_IPV6: usize = 45;

/// Something in a text that reads as an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Written forwards.
    Address(IpAddr),
    /// Written backwards, as names under `arpa` and many customers' names are.
    Reversed(IpAddr),
    /// The first half of an IPv6 address, backwards.
    ReversedPrefix(u64),
    /// An IPv6 address inside a longer run that may be one only by chance.
    Embedded(Ipv6Addr),
    /// One number of 32 bits, decimal or hexadecimal, that is an IPv4 address if it is anything.
    Number(Ipv4Addr),
    /// A hardware address.
    Hardware,
}

/// Calls `take` with everything that reads as an address; where it says yes, the place is remembered.
/// Places come back in order and do not overlap.
pub fn places(text: &str, mut take: impl FnMut(&Found) -> bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut taken = Vec::new();
    quads(bytes, &mut |found, place| {
        let yes = take(&found);
        if yes {
            taken.push(place);
        }
        yes
    });
    numbers(text, &mut |found, place| {
        if take(&found) {
            taken.push(place);
        }
    });
    let separators = bytes.iter().filter(|byte| matches!(byte, b':' | b'-'));
    if separators.take(2).count() == 2 {
        colon_runs(text, &mut |found, place| {
            let yes = take(&found);
            if yes {
                taken.push(place);
            }
            yes
        });
        hardware(bytes, &mut |place| {
            if take(&Found::Hardware) {
                taken.push(place);
            }
        });
    }
    backwards(text, &mut |found, place| {
        if take(&found) {
            taken.push(place);
        }
    });
    merge(taken)
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

/// Numbers that stand alone and are as long as an address written in one: `167772237`, `0x0a00004d`, `0A00004D`.
fn numbers(text: &str, take: &mut impl FnMut(Found, Range<usize>)) {
    let mut start = 0;
    for word in text.split(|character: char| !character.is_ascii_alphanumeric()) {
        let place = start..start + word.len();
        // What splits is one character, of any length in bytes.
        start = place.end + text[place.end..].chars().next().map_or(0, char::len_utf8);
        if !(8..=10).contains(&word.len()) {
            continue;
        }
        let hex = word
            .strip_prefix("0x")
            .or_else(|| word.strip_prefix("0X"))
            .unwrap_or(word);
        let readings = [
            word.parse::<u32>().ok(),
            (hex.len() == 8)
                .then(|| u32::from_str_radix(hex, 16).ok())
                .flatten(),
        ];
        for number in readings.into_iter().flatten() {
            take(Found::Number(Ipv4Addr::from(number)), place.clone());
        }
    }
}

/// Four numbers of one byte, joined by dots, dashes or underscores: `192.0.2.1`, `192-0-2-1.pool.example`.
fn quads(bytes: &[u8], take: &mut impl FnMut(Found, Range<usize>) -> bool) {
    let mut window: [(Range<usize>, u8); 4] = Default::default();
    let mut length = 0;
    let mut joint = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        let before = if start == 0 { 0 } else { bytes[start - 1] };
        let joined = length > 0
            && matches!(before, b'.' | b'-' | b'_')
            && window[length - 1].0.end + 1 == start
            && (length == 1 || joint == before);
        let Some(number) = number(&bytes[start..at]) else {
            length = 0;
            continue;
        };
        if !joined {
            // A new joint may begin at the number before: in `7-192.0.2.1` the 192 still counts.
            let touching = length > 0
                && matches!(before, b'.' | b'-' | b'_')
                && window[length - 1].0.end + 1 == start;
            if touching {
                window.swap(0, length - 1);
                length = 1;
            } else {
                length = 0;
            }
        }
        joint = before;
        if length == 4 {
            window.rotate_left(1);
            length = 3;
        }
        window[length] = (start..at, number);
        length += 1;
        if length == 4 {
            let [a, b, c, d] = window.each_ref().map(|(_, number)| *number);
            let place = window[0].0.start..at;
            let forwards = Found::Address(Ipv4Addr::new(a, b, c, d).into());
            let backwards = Found::Reversed(Ipv4Addr::new(d, c, b, a).into());
            let in_a_name = joint != b'.'
                || (bytes.get(at) == Some(&b'.')
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic));
            if take(forwards, place.clone()) || (in_a_name && take(backwards, place)) {
                length = 0;
            }
        }
    }
}

/// A decimal number of one byte; zeros in front do not count.
fn number(digits: &[u8]) -> Option<u8> {
    let significant = &digits[digits
        .iter()
        .position(|&digit| digit != b'0')
        .unwrap_or(digits.len())..];
    if significant.len() > 3 || digits.len() > 6 {
        return None;
    }
    let value = significant
        .iter()
        .fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'));
    u8::try_from(value).ok()
}

/// IPv6 addresses in runs of hex digits, colons and dots, with whatever stands around them: brackets and zones end a
/// run, a port does not, so the pieces of a run are tried too.
fn colon_runs(text: &str, take: &mut impl FnMut(Found, Range<usize>) -> bool) {
    let bytes = text.as_bytes();
    let belongs = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
    let mut at = 0;
    while at < bytes.len() {
        if !belongs(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut colons = 0;
        while at < bytes.len() && belongs(bytes[at]) {
            colons += usize::from(bytes[at] == b':');
            at += 1;
        }
        if colons >= 2 {
            let alone = |at: Option<&u8>| !at.is_some_and(u8::is_ascii_alphanumeric);
            let whole = alone(start.checked_sub(1).and_then(|before| bytes.get(before)))
                && alone(bytes.get(at));
            pieces(text, start..at, whole, take);
        }
    }
}

/// Tries the pieces of a run, longest first; `whole` tells that no letter touches the run.
fn pieces(
    text: &str,
    run: Range<usize>,
    whole: bool,
    take: &mut impl FnMut(Found, Range<usize>) -> bool,
) {
    let bytes = text.as_bytes();
    let is_edge = |at: usize| {
        at == run.start
            || at == run.end
            || matches!(bytes[at], b':' | b'.')
            || matches!(bytes[at - 1], b':' | b'.')
            || touches_long_group(bytes, &run, at)
    };
    let mut start = run.start;
    while start < run.end {
        if !is_edge(start) {
            start += 1;
            continue;
        }
        let furthest = run.end.min(start + LONGEST_IPV6);
        let hit = (start + 2..=furthest)
            .rev()
            .filter(|&end| is_edge(end))
            .find(|&end| {
                let piece = &text[start..end];
                let Some(address) = ipv6(piece) else {
                    return false;
                };
                let rest = &bytes[end..run.end];
                // What follows an address may be a full stop, or a colon and a port.
                let ends = rest.is_empty() || matches!(rest[0], b':' | b'.');
                let found = if whole && start == run.start && ends {
                    Found::Address(address.into())
                } else {
                    Found::Embedded(address)
                };
                take(found, start..end)
            });
        start = hit.unwrap_or(start + 1);
    }
}

/// More than four hex digits in a row belong to two things: a word may touch an address.
fn touches_long_group(bytes: &[u8], run: &Range<usize>, at: usize) -> bool {
    let is_digit = |at: usize| run.contains(&at) && bytes[at].is_ascii_hexdigit();
    let after = (at..run.end).take(5).take_while(|&at| is_digit(at)).count();
    let before = (run.start..at)
        .rev()
        .take(5)
        .take_while(|&at| is_digit(at))
        .count();
    before + after > 4 && before > 0 && after > 0 && (before <= 4 || after <= 4)
}

/// `str::parse`, cheaper where it cannot succeed.
fn ipv6(piece: &str) -> Option<Ipv6Addr> {
    (piece.bytes().filter(|&byte| byte == b':').take(2).count() == 2)
        .then(|| piece.parse().ok())
        .flatten()
}

/// Six bytes in hex, joined by colons or dashes.
fn hardware(bytes: &[u8], take: &mut impl FnMut(Range<usize>)) {
    const LENGTH: usize = 17;
    let touches = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-'))
    };
    for (at, window) in bytes.windows(LENGTH).enumerate() {
        let joint = window[2];
        let shaped = matches!(joint, b':' | b'-')
            && window.iter().enumerate().all(|(place, byte)| {
                if place % 3 == 2 {
                    *byte == joint
                } else {
                    byte.is_ascii_hexdigit()
                }
            });
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        if shaped && !touches(before) && !touches(bytes.get(at + LENGTH)) {
            take(at..at + LENGTH);
        }
    }
}

/// `1.0.0.0. ... .8.b.d.0.1.0.0.2.ip6.arpa`, whole or the zone above it.
fn backwards(text: &str, take: &mut impl FnMut(Found, Range<usize>)) {
    const ZONE: &[u8] = b".ip6.arpa";
    let bytes = text.as_bytes();
    for (end, window) in bytes.windows(ZONE.len()).enumerate() {
        if window[1] | 0x20 != b'i' || !window.eq_ignore_ascii_case(ZONE) {
            continue;
        }
        let mut address = 0_u128;
        let mut nibbles = 0_u32;
        let mut start = end;
        while nibbles < 32 && start > 0 {
            let Some(nibble) = char::from(bytes[start - 1]).to_digit(16) else {
                break;
            };
            address |= u128::from(nibble) << (124 - 4 * nibbles);
            nibbles += 1;
            start -= 1;
            if nibbles == 32 || start == 0 || bytes[start - 1] != b'.' {
                break;
            }
            start -= 1;
        }
        let prefix = u64::try_from(address >> 64).expect("64 bits are left of 128");
        if nibbles == 32 {
            take(Found::Reversed(Ipv6Addr::from(address).into()), start..end);
        } else if nibbles >= 16 {
            take(Found::ReversedPrefix(prefix), start..end);
        }
    }
}
