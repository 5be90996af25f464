//! QPACK (RFC 9204) of whoever keeps no dynamic table: what a head refers to is in the table that everybody knows.

use bytes::Bytes;

use crate::wire::http3::{Field, Wrong, huffman};

mod fixed;

/// What each field counts for besides its name and value (RFC 9114, 4.2.2).
const OVERHEAD: usize = 32;
/// Larger numbers are no index and no length here.
const LARGEST: u64 = 1 << 30;

const DYNAMIC: Wrong = Wrong::Rule("a head refers to a dynamic table, and there is none");
const CUT: Wrong = Wrong::Rule("a head ends inside a field");
const LONG: Wrong = Wrong::Rule("a head is longer than the limit");

/// The fields of a head, whose size is at most that.
pub fn decode(mut head: &[u8], limit: usize) -> Result<Vec<Field>, Wrong> {
    let bytes = &mut head;
    if number(bytes, 8)?.1 != 0 {
        return Err(DYNAMIC);
    }
    // Without a table the base is nothing, and may not lie below.
    if number(bytes, 7)?.0 & 0x80 != 0 {
        return Err(Wrong::Rule("a head's base is below the table"));
    }
    let mut fields = Vec::new();
    let mut room = limit;
    while !bytes.is_empty() {
        let (name, value) = field(bytes, room)?;
        let size = name.len() + value.len() + OVERHEAD;
        room = room.checked_sub(size).ok_or(LONG)?;
        fields.push((name, value));
    }
    Ok(fields)
}

/// One field (RFC 9204, 4.5.2 to 4.5.6).
fn field(bytes: &mut &[u8], room: usize) -> Result<Field, Wrong> {
    let first = *bytes.first().ok_or(CUT)?;
    match first {
        // Name and value from a table.
        0x80.. => {
            let (bits, index) = number(bytes, 6)?;
            let (name, value) = fixed(bits & 0x40 != 0, index)?;
            Ok((Bytes::from_static(name), Bytes::from_static(value)))
        }
        // The name from a table.
        0x40..=0x7f => {
            let (bits, index) = number(bytes, 4)?;
            let (name, _) = fixed(bits & 0x10 != 0, index)?;
            Ok((Bytes::from_static(name), text(bytes, 7, room)?))
        }
        // Both as they are.
        0x20..=0x3f => Ok((text(bytes, 3, room)?, text(bytes, 7, room)?)),
        // Behind the base, in the dynamic table.
        _ => Err(DYNAMIC),
    }
}

fn fixed(is_fixed: bool, index: u64) -> Result<(&'static [u8], &'static [u8]), Wrong> {
    if !is_fixed {
        return Err(DYNAMIC);
    }
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let (name, value) = fixed::TABLE.get(index).ok_or(Wrong::Rule(
        "a head refers past the end of the static table",
    ))?;
    Ok((name.as_bytes(), value.as_bytes()))
}

/// A number whose first byte has so many bits for it (RFC 7541, 5.1), and the bits in front of them.
fn number(bytes: &mut &[u8], prefix: u32) -> Result<(u8, u64), Wrong> {
    let (first, mut rest) = bytes.split_first().ok_or(CUT)?;
    let mask = u8::MAX >> (8 - prefix);
    let mut value = u64::from(first & mask);
    if first & mask == mask {
        let mut shift = 0;
        loop {
            let (byte, behind) = rest.split_first().ok_or(CUT)?;
            rest = behind;
            value += u64::from(byte & 0x7f) << shift;
            shift += 7;
            if value > LARGEST || shift > 28 {
                return Err(Wrong::Rule("a number in a head is too large"));
            }
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *bytes = rest;
    Ok((first & !mask, value))
}

/// A text behind its length, whose first byte has so many bits for it and one that says whether it is in Huffman's code.
fn text(bytes: &mut &[u8], prefix: u32, room: usize) -> Result<Bytes, Wrong> {
    let (bits, length) = number(bytes, prefix)?;
    let length = usize::try_from(length).map_err(|_| CUT)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
    *bytes = rest;
    if bits >> prefix & 1 == 1 {
        return huffman::decode(text, room).map(Bytes::from);
    }
    if text.len() > room {
        return Err(LONG);
    }
    Ok(Bytes::copy_from_slice(text))
}

/// A head of these fields, by the static table where it has them.
pub fn encode<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut out = vec![0, 0];
    for (name, value) in fields {
        let is_name = |(known, _): &&(&str, &str)| known.as_bytes() == name;
        let index = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let table = || fixed::TABLE.iter();
        let both = table().position(|it| is_name(&it) && it.1.as_bytes() == value);
        if let Some(both) = both {
            put_number(&mut out, 0xc0, 6, index(both));
            continue;
        }
        match table().position(|it| is_name(&it)) {
            Some(known) => put_number(&mut out, 0x50, 4, index(known)),
            None => put_text(&mut out, 0x20, 3, name),
        }
        put_text(&mut out, 0, 7, value);
    }
    out
}

fn put_text(out: &mut Vec<u8>, bits: u8, prefix: u32, text: &[u8]) {
    put_number(out, bits, prefix, text.len() as u64);
    out.extend_from_slice(text);
}

fn put_number(out: &mut Vec<u8>, bits: u8, prefix: u32, value: u64) {
    let mask = u8::MAX >> (8 - prefix);
    match u8::try_from(value) {
        Ok(short) if short < mask => out.push(bits | short),
        _ => {
            out.push(bits | mask);
            let mut left = value.saturating_sub(u64::from(mask));
            while left > 0x7f {
                out.push(0x80 | u8::try_from(left & 0x7f).unwrap_or(0));
                left >>= 7;
            }
            out.push(u8::try_from(left).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(head: &[u8]) -> Result<Vec<(String, String)>, Wrong> {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = decode(head, 4096)?.into_iter();
        Ok(fields
            .map(|(name, value)| (text(name), text(value)))
            .collect())
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        of.iter().map(owned).collect()
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 9204, B.1: a literal value behind a name of the static table.
        let example = [&[0, 0, 0x51, 0x0b][..], b"/index.html"].concat();
        assert_eq!(told(&example), Ok(pairs(&[(":path", "/index.html")])));
        // B.2 and B.4 refer to a dynamic table, which we said is not there.
        for example in [
            &[0x03, 0x81, 0x10, 0x11][..],
            &[0x05, 0x00, 0x80, 0xc1, 0x81],
        ] {
            assert_eq!(told(example), Err(DYNAMIC));
        }
        // RFC 7541, C.1.2 and C.1.3: 1337 in a prefix of five bits, 42 in one of eight.
        assert_eq!(number(&mut &[0x1f, 0x9a, 0x0a][..], 5), Ok((0, 1337)));
        assert_eq!(number(&mut &[0x2a][..], 8), Ok((0, 42)));
        let mut out = Vec::new();
        put_number(&mut out, 0, 5, 1337);
        assert_eq!(out, [0x1f, 0x9a, 0x0a]);
    }

    #[test]
    fn every_kind_of_field_is_read_in_both_spellings() {
        let mut head = vec![0, 0];
        // Index 25 and, past what the prefix holds, 98.
        head.extend([0xc0 + 25, 0xff, 98 - 63]);
        // The name of index 92 and a value in Huffman's code; N is set.
        head.extend([0x7f, 92 - 15, 0x86]);
        head.extend([0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]);
        // A name in Huffman's code, longer than the prefix holds, and an empty value.
        head.extend([0x2f, 8 - 7]);
        head.extend([0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x00]);
        let due = [
            (":status", "200"),
            ("x-frame-options", "sameorigin"),
            ("server", "no-cache"),
            ("custom-key", ""),
        ];
        assert_eq!(told(&head), Ok(pairs(&due)));
    }

    #[test]
    fn whatever_needs_the_dynamic_table_is_wrong() {
        for field in [
            // Indexed, named, and both behind the base.
            &[0x80][..],
            &[0x40, 0],
            &[0x10],
            &[0x00, 0],
        ] {
            assert_eq!(
                told(&[&[0, 0][..], field].concat()),
                Err(DYNAMIC),
                "{field:?}"
            );
        }
        assert_eq!(told(&[1, 0, 0xc0]), Err(DYNAMIC));
        let below = Wrong::Rule("a head's base is below the table");
        assert_eq!(told(&[0, 0x80]), Err(below));
        let past = Wrong::Rule("a head refers past the end of the static table");
        assert_eq!(told(&[0, 0, 0xff, 99 - 63]), Err(past));
        assert_eq!(told(&[0, 0, 0xff, 98 - 63]).map(|it| it.len()), Ok(1));
    }

    #[test]
    fn a_head_is_bounded_by_what_it_says_and_not_by_how_short_it_says_it() {
        // 42 bytes each, by one byte (RFC 9114, 4.2.2).
        let head = [&[0, 0][..], &[0xc0 + 25; 10]].concat();
        assert_eq!(decode(&head, 420).map(|it| it.len()), Ok(10));
        assert_eq!(decode(&head, 419), Err(LONG));
        let large = Wrong::Rule("a number in a head is too large");
        for huge in [&[0xff, 0xff, 0xff, 0xff, 0xff, 0x00][..], &[0xff; 99]] {
            assert_eq!(told(&[&[0, 0][..], huge].concat()), Err(large));
        }
        for cut in [
            &[][..],
            &[0],
            &[0, 0, 0xff],
            &[0, 0, 0x51, 2, b'a'],
            &[0, 0, 0x51],
        ] {
            assert_eq!(told(cut), Err(CUT), "{cut:?}");
        }
    }

    proptest! {
        #[test]
        fn every_head_reads_back(names in prop::collection::vec(("[a-z-]{0,40}|:status|server|accept", "[ -~]{0,300}|200|\\*/\\*"), 0..9)) {
            let fields = names.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            prop_assert_eq!(told(&encode(fields)), Ok(names));
        }

        #[test]
        fn any_bytes_are_read_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..200), limit in 0_usize..999) {
            let head = [&[0, 0][..], &bytes].concat();
            for head in [&bytes, &head] {
                if let Ok(fields) = decode(head, limit) {
                    let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + OVERHEAD).sum();
                    prop_assert!(size <= limit);
                }
            }
        }
    }
}
