//! Every form in which a given address is written, as patterns and fixed strings: made from the address, so that nothing has to
//! be guessed from the text.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Between two numbers: marks, or a letter or word that joins them (`93x184`, `93 dot 184`).
const JOINT: &str = r"(?:[^0-9a-z]{1,8}|[^0-9a-z]{0,3}(?:x|dot|d|p|point)[^0-9a-z]{0,3})";
/// The same without blanks and commas: in drawings, colours and versions small numbers stand in rows.
const TIGHT_JOINT: &str = r"(?:[^0-9a-z\s,]{1,8}|x|[^0-9a-z]{0,3}dot[^0-9a-z]{0,3})";
/// Between numbers written backwards: four numbers and plain dots are somebody else's address.
const BACK_JOINT: &str =
    r"(?:[^0-9a-z.]{1,8}|\[\.\]|\(\.\)|\{\.\}|x|[^0-9a-z]{0,3}dot[^0-9a-z]{0,3})";
const TIGHT_BACK_JOINT: &str =
    r"(?:[^0-9a-z.\s,]{1,8}|\[\.\]|\(\.\)|\{\.\}|x|[^0-9a-z]{0,3}dot[^0-9a-z]{0,3})";
/// Between digits of one number in hex, if anything: `5d:b8`, `\x5d\xb8`, `0x5d, 0xb8`.
const GAP: &str = r"[^0-9a-z]{0,4}(?:0?x)?";
/// Between the codes of characters.
const CODES: &str = r"[^0-9a-z]{1,4}";

/// Shorter needles than this would be met by chance.
const SHORTEST: usize = 8;
/// Digits alone are met more easily.
const SHORTEST_DIGITS: usize = 9;

/// The forms of all own addresses.
#[derive(Debug, Default)]
pub struct Forms {
    /// Four numbers; what touches them may make them another address.
    pub quads: Vec<String>,
    /// The groups of an IPv6 network; what touches them may make them another.
    pub groups: Vec<String>,
    /// Patterns that mean the address wherever they stand.
    pub anywhere: Vec<String>,
    /// Fixed strings, whatever their case.
    pub folded: Vec<String>,
    /// Fixed strings in exactly this case: base64, raw octets.
    pub exact: Vec<String>,
}

impl Forms {
    /// Adds the forms of an IPv4 address.
    pub fn add_ipv4(&mut self, address: Ipv4Addr) {
        let octets = address.octets();
        let is_private = address.is_private() || address.is_link_local() || is_shared(address);
        let (joint, back_joint) = if is_private {
            (TIGHT_JOINT, TIGHT_BACK_JOINT)
        } else {
            (JOINT, BACK_JOINT)
        };
        let numbers = octets.map(octet);
        self.quads.push(numbers.join(joint));
        self.quads.push(reversed(&numbers).join(back_joint));
        let listed = numbers.join(r"[\s]*,[\s]*");
        self.anywhere.push(format!(r"\[\s*{listed}\s*\]"));
        if !is_private {
            let bare = octets.map(|octet| format!("(?:0x)?0*{octet:x}"));
            self.anywhere.push(bare.join("[^0-9a-z]{1,8}"));
            self.anywhere
                .push(format!("{}{joint}\\z", numbers[..3].join(joint)));
        }
        self.add_octets(&octets);
        let number = u32::from(address);
        let backwards = number.swap_bytes();
        self.add_digits(&number.to_string());
        self.add_digits(&backwards.to_string());
        self.add_digits(&format!("{number:o}"));
        self.add_digits(&octets.map(|octet| octet.to_string()).concat());
        self.add_digits(&octets.map(|octet| format!("{octet:03}")).concat());
        self.folded.push(format!("-{}", number.wrapping_neg()));
        self.folded.push(format!("{:08x}", !number));
        for mark in [",", ".", " ", "_", "'"] {
            self.folded.push(with_thousands(number, mark));
        }
        // What `inet_aton` takes too.
        if number & 0x00ff_ff00 > 0xffff {
            self.add_short(&format!("{}.{}", octets[0], number & 0x00ff_ffff));
        }
        if number & 0xff00 > 0 {
            let last = number & 0xffff;
            self.add_short(&format!("{}.{}.{last}", octets[0], octets[1]));
        }
        self.add_text(&address.to_string(), &|text| {
            text.parse::<Ipv4Addr>().is_ok()
        });
    }

    /// Adds the forms of an IPv6 address; of a global one those of its whole network.
    pub fn add_ipv6(&mut self, address: Ipv6Addr, is_global: bool) {
        let octets = address.octets();
        let groups = address.segments();
        let known = if is_global { 4 } else { 8 };
        let spelled: Vec<String> = groups[..known]
            .iter()
            .map(|group| format!("(?:0x)?0*{group:x}"))
            .collect();
        self.groups.push(spelled.join(JOINT));
        if is_global {
            self.anywhere
                .push(format!("{}{JOINT}\\z", spelled[..3].join(JOINT)));
            let prefix = u64::from_be_bytes(std::array::from_fn(|at| octets[at]));
            self.add_digits(&prefix.to_string());
        }
        self.add_octets(&octets);
        self.add_octets(&octets[..known * 2]);
        let bytes = octets.map(octet);
        for bytes in [&bytes[..], &bytes[..known * 2]] {
            self.anywhere.push(bytes.join("[^0-9a-z]{1,8}"));
        }
        self.add_digits(&u128::from(address).to_string());
        self.add_hardware(&octets);
        let is_other = |text: &str| text.parse::<Ipv6Addr>().is_ok();
        let text = address.to_string();
        if text.len() > 4 {
            for text in [text.replace(':', "-"), text.to_uppercase(), text] {
                self.add_text(&text, &is_other);
            }
        }
        for known in [8, known] {
            for pad in [false, true] {
                let written = groups[..known].iter().map(|group| {
                    if pad {
                        format!("{group:04x}")
                    } else {
                        format!("{group:x}")
                    }
                });
                let written: Vec<String> = written.collect();
                for joint in [":", "-"] {
                    self.add_text(&written.join(joint), &is_other);
                    self.add_text(&written.join(joint).to_uppercase(), &is_other);
                }
            }
        }
    }

    /// An address made of a hardware address (RFC 4291, appendix A) shows that one; any other lower half tells a machine too.
    fn add_hardware(&mut self, octets: &[u8; 16]) {
        let lower = &octets[8..];
        if lower[0] == 0 && lower[1] == 0 {
            return;
        }
        let digits: Vec<String> = nibbles(lower).collect();
        self.anywhere.push(digits.join(GAP));
        if lower[3] == 0xff && lower[4] == 0xfe {
            let hardware = [
                lower[0] ^ 2,
                lower[1],
                lower[2],
                lower[5],
                lower[6],
                lower[7],
            ];
            self.add_octets(&hardware);
        }
    }

    /// The bytes in hex, binary and the usual encodings, forwards and backwards.
    fn add_octets(&mut self, octets: &[u8]) {
        let digits: Vec<String> = nibbles(octets).collect();
        // Of a network the rest goes too: it may be a machine's.
        let rest = if octets.len() == 8 {
            format!("(?:{GAP}[0-9a-f]){{0,16}}")
        } else {
            String::new()
        };
        self.anywhere.push(digits.join(GAP) + &rest);
        self.anywhere.push(reversed(&digits).join(GAP));
        let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        self.anywhere.push(reversed(&pairs).join(GAP));
        let bits: Vec<String> = octets.iter().map(|octet| format!("{octet:08b}")).collect();
        self.anywhere.push(bits.join("[^0-9a-z]{0,4}"));
        self.add_encoded(octets);
        // Fewer bytes may be words by chance.
        if octets.len() > 4 || octets.iter().any(|octet| !(0x20..0x80).contains(octet)) {
            self.exact
                .push(octets.iter().map(|octet| char::from(*octet)).collect());
        }
    }

    /// The characters of a spelling in hex, in decimal codes and in the usual encodings, and the spelling backwards.
    fn add_text(&mut self, text: &str, is_other: &dyn Fn(&str) -> bool) {
        let codes = |write: fn(u8) -> String| text.bytes().map(write).collect::<Vec<_>>();
        self.anywhere
            .push(codes(|byte| format!("{byte:02x}")).join(GAP));
        self.anywhere
            .push(codes(|byte| byte.to_string()).join(CODES));
        self.add_encoded(text.as_bytes());
        let mirrored: String = text.chars().rev().collect();
        if !is_other(&mirrored) && mirrored != text {
            self.add_short(&mirrored);
        }
    }

    fn add_encoded(&mut self, bytes: &[u8]) {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        for last in [*b"+/", *b"-_"] {
            let alphabet: Vec<u8> = LETTERS.iter().copied().chain(last).collect();
            self.exact.extend(embedded(bytes, 6, &alphabet));
        }
        self.folded.extend(embedded(bytes, 5, BASE32));
    }

    fn add_digits(&mut self, digits: &str) {
        if digits.len() >= SHORTEST_DIGITS {
            self.folded.push(digits.to_owned());
        }
    }

    fn add_short(&mut self, text: &str) {
        if text.len() >= SHORTEST {
            self.folded.push(text.to_owned());
        }
    }
}

/// RFC 6598.
fn is_shared(address: Ipv4Addr) -> bool {
    u32::from(address) >> 22 == 0x6440_0000 >> 22
}

/// One byte in decimal, hex with its mark or octal with its zero.
fn octet(octet: u8) -> String {
    format!("(?:{octet}|0+{octet}|0x0*{octet:x}|0o?0*{octet:o})")
}

fn reversed<T: Clone>(items: &[T]) -> Vec<T> {
    items.iter().rev().cloned().collect()
}

fn nibbles(octets: &[u8]) -> impl Iterator<Item = String> + '_ {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|nibble| format!("{nibble:x}"))
}

fn with_thousands(number: u32, mark: &str) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push_str(mark);
        }
        written.push(digit);
    }
    written
}

/// What bytes look like inside an encoding of `width` bits a character, wherever they stand in it. Characters at the edges, which
/// hold bits of neighbours too, count only where few others would be left.
fn embedded(bytes: &[u8], width: usize, alphabet: &[u8]) -> Vec<String> {
    /// Bits after which chance is out of the question.
    const ENOUGH: usize = 40;
    let alignments = if width == 6 { 3 } else { 5 };
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let mut found = Vec::new();
    for alignment in 0..alignments {
        let start = alignment * 8;
        let end = start + bytes.len() * 8;
        let (first, last) = (start.div_ceil(width), end / width);
        let value =
            |from: usize, to: usize| (from..to).fold(0, |value, at| value << 1 | bit(at - start));
        let middle: String = (first..last)
            .map(|at| char::from(alphabet[value(at * width, (at + 1) * width)]))
            .collect();
        if last.saturating_sub(first) * width >= ENOUGH {
            found.push(middle);
            continue;
        }
        let (before, after) = (first * width - start, end - last * width);
        let fronts: Vec<String> = match before {
            0 => vec![String::new()],
            known => (0..1 << (width - known))
                .map(|high| {
                    char::from(alphabet[high << known | value(start, first * width)]).to_string()
                })
                .collect(),
        };
        let backs: Vec<String> = match after {
            0 => vec![String::new()],
            known => (0..1 << (width - known))
                .map(|low| {
                    let high = value(last * width, end);
                    char::from(alphabet[high << (width - known) | low]).to_string()
                })
                .collect(),
        };
        for front in &fronts {
            found.extend(backs.iter().map(|back| format!("{front}{middle}{back}")));
        }
    }
    found
}
