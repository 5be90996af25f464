//! Text as a reader would decode it: entities, escapes, tags and look-alikes undone, each byte with its place in the original.

use std::ops::Range;

/// Times that text is decoded: an entity may hide a percent code that hides a letter.
const MOST_PASSES: usize = 4;
/// Bytes of a tag or comment at most; longer ones are text.
const LONGEST_TAG: usize = 300;
/// Tags that stand inside a word without parting it.
const INLINE: [&[u8]; 20] = [
    b"a", b"abbr", b"b", b"big", b"bdi", b"bdo", b"code", b"em", b"font", b"i", b"kbd", b"mark",
    b"s", b"small", b"span", b"strong", b"sub", b"sup", b"u", b"wbr",
];

/// What is undone beside entities, percent codes, invisible characters and look-alikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Inline tags go, and three digits behind a backslash are decimal, as in DNS names.
    Inline,
    /// The same, and all tags go.
    Tagless,
    /// All tags go, and three digits behind a backslash are octal, as in programs.
    Octal,
    /// Inline tags go, and two hex digits behind an equals sign are a mark (RFC 2045).
    Quoted,
}

/// Decoded text.
pub struct Plain {
    /// What a reader would see.
    pub text: String,
    /// The original characters of each byte.
    origin: Vec<Range<u32>>,
}

impl Plain {
    /// The place in the original of a place in the text.
    pub fn original(&self, place: &Range<usize>) -> Range<usize> {
        let bytes = &self.origin[place.clone()];
        let start = bytes.iter().map(|byte| byte.start).min().unwrap_or(0);
        let end = bytes.iter().map(|byte| byte.end).max().unwrap_or(0);
        start as usize..end as usize
    }

    fn push(&mut self, character: char, origin: &Range<u32>) {
        self.text.push(character);
        let bytes = character.len_utf8();
        self.origin
            .extend(std::iter::repeat_n(origin.clone(), bytes));
    }
}

/// Calls `look` with every decoding of the text that differs from it.
pub fn readings(text: &str, look: &mut dyn FnMut(&Plain, Reading)) {
    let bytes = text.as_bytes();
    let has = |byte: u8| bytes.contains(&byte);
    if !(has(b'&') || has(b'%') || has(b'\\') || has(b'<') || has(b'=') || !text.is_ascii()) {
        return;
    }
    let escaped_digit = || {
        bytes
            .windows(2)
            .any(|pair| pair[0] == b'\\' && matches!(pair[1], b'0'..=b'3'))
    };
    let wanted = [
        (Reading::Inline, true),
        (
            Reading::Tagless,
            has(b'<') || text.contains("&lt") || has(b'\\') || has(b'%'),
        ),
        (Reading::Octal, escaped_digit()),
        (Reading::Quoted, has(b'=')),
    ];
    for (reading, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
        let mut last: Option<Plain> = None;
        for _ in 0..MOST_PASSES {
            let next = match &last {
                None => decode(text, None, reading),
                Some(plain) => decode(&plain.text, Some(plain), reading),
            };
            let Some(next) = next else {
                break;
            };
            look(&next, reading);
            last = Some(next);
        }
    }
}

/// One pass; `None` where nothing changes.
fn decode(text: &str, before: Option<&Plain>, reading: Reading) -> Option<Plain> {
    let mut plain = Plain {
        text: String::with_capacity(text.len()),
        origin: Vec::with_capacity(text.len()),
    };
    let whole = |place: Range<usize>| match before {
        Some(before) => {
            let original = before.original(&place);
            narrow(original.start)..narrow(original.end)
        }
        None => narrow(place.start)..narrow(place.end),
    };
    let mut changed = false;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text.as_bytes()[at..];
        let (length, decoded) = match character {
            '<' => match tag(rest, matches!(reading, Reading::Tagless | Reading::Octal)) {
                Some(length) => (length, Decoded::Nothing),
                None => (1, Decoded::Same),
            },
            '&' => entity(rest),
            '%' | '\\' | '=' => escape(rest, reading),
            _ => (character.len_utf8(), look_alike(character)),
        };
        let place = whole(at..at + length);
        match decoded {
            Decoded::Same => plain.push(character, &place),
            Decoded::Nothing => changed = true,
            Decoded::One(decoded) => {
                plain.push(decoded, &place);
                changed = true;
            }
            Decoded::Many(decoded) => {
                for character in decoded.chars() {
                    plain.push(character, &place);
                }
                changed = true;
            }
        }
        at += length;
    }
    changed.then_some(plain)
}

enum Decoded {
    Same,
    Nothing,
    One(char),
    Many(String),
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The length of the tag or comment that begins here.
fn tag(rest: &[u8], all: bool) -> Option<usize> {
    let name = rest.get(1..)?;
    let name = name.strip_prefix(b"/").unwrap_or(name);
    let word = name.iter().take_while(|byte| byte.is_ascii_alphanumeric());
    let word = &name[..word.count()];
    let window = &rest[..rest.len().min(LONGEST_TAG)];
    if rest.starts_with(b"<!--") {
        let end = window.windows(3).position(|three| three == b"-->")?;
        return Some(end + 3);
    }
    let is_inline = INLINE.iter().any(|known| word.eq_ignore_ascii_case(known));
    let is_tag = word.first().is_some_and(u8::is_ascii_alphabetic) && (all || is_inline);
    let end = 1 + window[1..]
        .iter()
        .position(|byte| matches!(byte, b'<' | b'>'))?;
    (is_tag && window[end] == b'>').then_some(end + 1)
}

/// `&#46;`, `&#x2e;`, `&period;`.
fn entity(rest: &[u8]) -> (usize, Decoded) {
    const NAMED: [(&[u8], char); 22] = [
        (b"amp", '&'),
        (b"lt", '<'),
        (b"gt", '>'),
        (b"quot", '"'),
        (b"period", '.'),
        (b"colon", ':'),
        (b"comma", ','),
        (b"sol", '/'),
        (b"bsol", '\\'),
        (b"percnt", '%'),
        (b"num", '#'),
        (b"equals", '='),
        (b"lowbar", '_'),
        (b"hyphen", '-'),
        (b"dash", '-'),
        (b"lsqb", '['),
        (b"lbrack", '['),
        (b"rsqb", ']'),
        (b"rbrack", ']'),
        (b"nbsp", ' '),
        (b"Tab", ' '),
        (b"NewLine", ' '),
    ];
    const INVISIBLE: [&[u8]; 5] = [b"shy", b"zwj", b"zwnj", b"ZeroWidthSpace", b"NoBreak"];
    let same = (1, Decoded::Same);
    let closed = |length: usize| length + usize::from(rest.get(length) == Some(&b';'));
    if rest.get(1) == Some(&b'#') {
        let (base, from) = match rest.get(2) {
            Some(b'x' | b'X') => (16, 3),
            _ => (10, 2),
        };
        let digits = rest[from.min(rest.len())..]
            .iter()
            .take(12)
            .take_while(|byte| char::from(**byte).is_digit(base))
            .count();
        let number = std::str::from_utf8(&rest[from.min(rest.len())..][..digits]).unwrap_or("");
        let character = u32::from_str_radix(number, base)
            .ok()
            .and_then(char::from_u32);
        return match character {
            Some(character) => (closed(from + digits), Decoded::One(character)),
            None => same,
        };
    }
    let word = rest[1..]
        .iter()
        .take(16)
        .take_while(|byte| byte.is_ascii_alphanumeric());
    let word = &rest[1..=word.count()];
    if INVISIBLE.contains(&word) {
        return (closed(1 + word.len()), Decoded::Nothing);
    }
    let known = NAMED.iter().find(|(name, _)| *name == word);
    known.map_or(same, |(name, character)| {
        (closed(1 + name.len()), Decoded::One(*character))
    })
}

/// `%2E`, `%u002e`, `\x2e`, `\u002e`, `\u{2e}`, `\046`, `\.`, `=2E`; bytes in a row are read as UTF-8 where they are.
fn escape(rest: &[u8], reading: Reading) -> (usize, Decoded) {
    if let Some((character, length)) = code_point(rest) {
        return (length, Decoded::One(character));
    }
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some((byte, taken)) = rest.get(length..).and_then(|rest| byte(rest, reading)) {
        bytes.push(byte);
        length += taken;
        // A byte of ASCII stands alone, so that each keeps its own place.
        if byte.is_ascii() || bytes.len() == 4 || std::str::from_utf8(&bytes).is_ok() {
            break;
        }
    }
    match (std::str::from_utf8(&bytes), bytes.first()) {
        (Ok(text), Some(_)) => (length, Decoded::Many(text.to_owned())),
        (Err(_), Some(&first)) => {
            let length = byte(rest, reading).map_or(1, |(_, length)| length);
            (length, Decoded::One(char::from(first)))
        }
        (_, None) if rest[0] == b'\\' => match rest.get(1) {
            Some(b'n' | b'r' | b't') => (2, Decoded::One(' ')),
            _ => (1, Decoded::Nothing),
        },
        (_, None) => (1, Decoded::Same),
    }
}

fn code_point(rest: &[u8]) -> Option<(char, usize)> {
    if !matches!(rest[0], b'\\' | b'%') || !matches!(rest.get(1), Some(b'u' | b'U')) {
        return None;
    }
    let braced = rest.get(2) == Some(&b'{');
    let from = if braced { 3 } else { 2 };
    let most = match (braced, rest[1]) {
        (false, b'u') => 4,
        _ => 8,
    };
    let digits = rest[from..]
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_hexdigit());
    let digits = digits.count();
    if (braced && rest.get(from + digits) != Some(&b'}')) || (!braced && digits != most) {
        return None;
    }
    let number = std::str::from_utf8(&rest[from..from + digits]).ok()?;
    let character = char::from_u32(u32::from_str_radix(number, 16).ok()?)?;
    Some((character, from + digits + usize::from(braced)))
}

fn byte(rest: &[u8], reading: Reading) -> Option<(u8, usize)> {
    let (digits, base) = match (rest.first()?, rest.get(1)?) {
        (b'%', _) => (rest.get(1..3)?, 16),
        (b'=', _) if reading == Reading::Quoted => (rest.get(1..3)?, 16),
        (b'\\', b'x' | b'X') => (rest.get(2..4)?, 16),
        (b'\\', b'0'..=b'9') if reading == Reading::Octal => (rest.get(1..4)?, 8),
        (b'\\', b'0'..=b'9') => (rest.get(1..4)?, 10),
        _ => return None,
    };
    if !digits.iter().all(|digit| char::from(*digit).is_digit(base)) {
        return None;
    }
    let number = u8::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()?;
    // `q=21` is a query far more often than a byte.
    if rest[0] == b'=' && !(matches!(digits, b"2E" | b"3A" | b"2D")) {
        return None;
    }
    let before = if rest[0] == b'\\' && base == 16 { 2 } else { 1 };
    Some((number, before + digits.len()))
}

/// Characters that are read as digits, letters and marks of ASCII, and those that are not seen at all.
fn look_alike(character: char) -> Decoded {
    /// Zeros of scripts whose digits follow in order.
    const ZEROS: [u32; 12] = [
        0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0be6, 0x0e50, 0x0f20, 0x17e0,
        0x2080,
    ];
    if character.is_ascii() {
        return Decoded::Same;
    }
    let code = u32::from(character);
    let digit = |number: u32| char::from_digit(number, 10).map_or(Decoded::Same, Decoded::One);
    match code {
        0xff01..=0xff5e => char::from_u32(code - 0xfee0).map_or(Decoded::Same, Decoded::One),
        0x3002 | 0xff61 | 0x2024 | 0xfe52 | 0x00b7 | 0x2219 => Decoded::One('.'),
        0x2236 | 0xa789 | 0xfe55 | 0xfe13 | 0x05c3 => Decoded::One(':'),
        0x2010..=0x2015 | 0x2212 => Decoded::One('-'),
        0x00a0 | 0x2000..=0x200a | 0x202f | 0x3000 => Decoded::One(' '),
        0x00b9 => digit(1),
        0x00b2 | 0x00b3 => digit(code - 0xb0),
        0x2070 | 0x2074..=0x2079 => digit(code - 0x2070),
        0x2460..=0x2468 => digit(code - 0x245f),
        0x24ea => digit(0),
        0x1d7ce..=0x1d7ff => digit((code - 0x1d7ce) % 10),
        _ if is_unseen(code) => Decoded::Nothing,
        _ => {
            let zero = ZEROS
                .iter()
                .find(|zero| (**zero..**zero + 10).contains(&code));
            zero.map_or(Decoded::Same, |zero| digit(code - zero))
        }
    }
}

/// Joiners, spaces without width, direction marks, variation selectors, and what stands for bytes that are no text.
const fn is_unseen(code: u32) -> bool {
    matches!(code,
        0x80..=0x9f | 0xad | 0x300..=0x36f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x20d0..=0x20ff | 0x3164
        | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffd | 0xe0000..=0xe0fff)
}
