//! The Huffman code of header texts (RFC 7541, 5.2 and appendix B). It is canonical, so the lengths of its codes are the code.

use crate::wire::http3::Wrong;

/// Bits of each byte's code; the last is the mark of the end, which never occurs.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
/// The longest code.
const LONGEST: usize = 30;
/// What is left of the last byte is filled with the beginning of the mark of the end: fewer than eight bits, all set.
const PADDING: u32 = 7;
/// The mark of the end.
const END: u16 = 256;

/// The codes of one length: they count up from the first.
#[derive(Clone, Copy)]
struct Row {
    first: u32,
    count: u32,
    /// Where their symbols begin.
    at: u32,
}

const EMPTY: Row = Row {
    first: 0,
    count: 0,
    at: 0,
};
/// By length: codes of a length go by the order of the bytes.
const ROWS: [Row; LONGEST + 1] = rows();
const SYMBOLS: [u16; 257] = symbols();

const fn rows() -> [Row; LONGEST + 1] {
    let mut rows = [EMPTY; LONGEST + 1];
    let mut symbol = 0;
    while symbol < LENGTHS.len() {
        rows[LENGTHS[symbol] as usize].count += 1;
        symbol += 1;
    }
    let mut length = 1;
    while length <= LONGEST {
        let before = rows[length - 1];
        rows[length].first = (before.first + before.count) << 1;
        rows[length].at = before.at + before.count;
        length += 1;
    }
    rows
}

const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let (mut at, mut length) = (0, 1);
    while length <= LONGEST {
        let mut symbol = 0_u16;
        while symbol <= END {
            if LENGTHS[symbol as usize] as usize == length {
                symbols[at] = symbol;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

/// The text behind a code, of at most so many bytes.
pub fn decode(coded: &[u8], limit: usize) -> Result<Vec<u8>, Wrong> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0_u32, 0_usize);
    for byte in coded {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            length += 1;
            let Some(symbol) = symbol(code, length) else {
                continue;
            };
            // The mark of the end does not fit, and neither does a code that is none.
            let Ok(byte) = u8::try_from(symbol) else {
                return Err(Wrong::Rule("a text has Huffman's mark of the end"));
            };
            if text.len() == limit {
                return Err(Wrong::Rule("a head is longer than the limit"));
            }
            text.push(byte);
            (code, length) = (0, 0);
        }
    }
    let is_padding = length <= PADDING as usize && code == (1 << length) - 1;
    is_padding
        .then_some(text)
        .ok_or(Wrong::Rule("a text ends inside a Huffman code"))
}

/// The symbol of a code, if the code is that long. None is longer than 30 bits.
fn symbol(code: u32, length: usize) -> Option<u16> {
    let row = ROWS.get(length)?;
    let at = code.checked_sub(row.first)?;
    let symbol = (at < row.count).then(|| SYMBOLS.get((row.at + at) as usize))?;
    symbol.copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The other half, for the tests alone: we never write such texts.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let length = usize::from(LENGTHS[usize::from(*byte)]);
            let row = ROWS[length];
            let symbols = &SYMBOLS[row.at as usize..][..row.count as usize];
            let at = symbols.iter().position(|it| *it == u16::from(*byte));
            let code = row.first + u32::try_from(at.unwrap()).unwrap();
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        let bytes = bits.chunks(8).map(|bits| {
            let bit = |at: usize| u8::from(bits.get(at).copied().unwrap_or(true)) << (7 - at);
            (0..8).map(bit).sum()
        });
        bytes.collect()
    }

    fn decoded(digits: &str) -> Result<String, Wrong> {
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        decode(&bytes, 99).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_examples_of_rfc_7541_are_read() {
        for (digits, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            (
                "d07abe941054d444a8200595040b8166e082a62d1bff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (
                "9d29ad171863c78f0b97c8e9ae82ae43d3",
                "https://www.example.com",
            ),
            ("640eff", "307"),
            ("9bd9ab", "gzip"),
        ] {
            assert_eq!(decoded(digits).as_deref(), Ok(text), "{digits}");
        }
    }

    #[test]
    fn the_lengths_are_a_whole_code() {
        // The codes of the appendix's first, a short, a middle and its last symbols.
        let code = |symbol: u16| {
            let row = ROWS[usize::from(LENGTHS[usize::from(symbol)])];
            let at = SYMBOLS[row.at as usize..]
                .iter()
                .position(|it| *it == symbol);
            row.first + u32::try_from(at.unwrap()).unwrap()
        };
        for (symbol, due) in [
            (0, 0x1ff8),
            (u16::from(b'0'), 0),
            (u16::from(b'\\'), 0x7_fff0),
            (255, 0x3ff_ffee),
            (END, 0x3fff_ffff),
        ] {
            assert_eq!(code(symbol), due, "{symbol}");
        }
        let filled: u64 = LENGTHS.iter().map(|it| 1_u64 << (30 - it)).sum();
        assert_eq!(filled, 1 << 30);
    }

    #[test]
    fn a_code_that_is_cut_padded_otherwise_or_marks_the_end_is_wrong() {
        let cut = Err(Wrong::Rule("a text ends inside a Huffman code"));
        // A whole byte of padding; padding of zeros; the beginning of a longer code.
        for digits in ["640effff", "640efe", "fffffe"] {
            assert_eq!(decoded(digits), cut, "{digits}");
        }
        let end = Err(Wrong::Rule("a text has Huffman's mark of the end"));
        assert_eq!(decoded("ffffffff"), end);
        let long = Err(Wrong::Rule("a head is longer than the limit"));
        assert_eq!(decode(&[0; 8], 11), long);
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in prop::collection::vec(any::<u8>(), 0..99)) {
            prop_assert_eq!(decode(&encode(&text), 99), Ok(text));
        }

        #[test]
        fn any_bytes_are_read_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..99), limit in 0_usize..99) {
            if let Ok(text) = decode(&bytes, limit) {
                prop_assert!(text.len() <= limit);
            }
        }
    }
}
