//! Ways to write an address: what servers, resolvers and hostile pages may answer with. For tests.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

type Spelling = (&'static str, String);

/// All spellings of one address of each family.
pub fn table() -> Vec<Spelling> {
    let mut all = of(IpAddr::V4(Ipv4Addr::new(93, 184, 77, 13)));
    all.extend(of(IpAddr::V6(Ipv6Addr::new(
        0x2a01, 0xdb9, 0x77, 0x88, 0, 0, 0, 0x99,
    ))));
    all.extend(beside());
    all
}

/// All spellings of an address.
pub fn of(address: IpAddr) -> Vec<Spelling> {
    let mut all = match address {
        IpAddr::V4(address) => of_ipv4(address),
        IpAddr::V6(address) => of_ipv6(address),
    };
    all.extend(of_text(&address.to_string()));
    let octets: Vec<u8> = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    all.extend(of_octets(&octets));
    all
}

/// Addresses of one network, and numbers that only this very address gives.
fn beside() -> Vec<Spelling> {
    [
        ("leading digits", "id793.184.77.13"),
        ("escaped digit before", "%393.184.77.13"),
        ("seven zeros before", "0000093.184.77.13"),
        ("signed number", "-1122607859"),
        ("the /64 as four groups", "2a01:db9:77:88"),
        ("the /64 with dashes", "2a01-db9-77-88"),
        ("the /64 with blanks", "2a01 0db9 0077 0088"),
        ("the /64 in a CNAME", "2a01\\:db9\\:77\\:88"),
        ("another of the /64", "2a01:db9:77:88:1234:5678:9abc:def0"),
        (
            "another of the /64, dashed",
            "2a01-db9-77-88-1234-5678-9abc-def0",
        ),
        (
            "a literal of Windows",
            "2a01-db9-77-88--99.ipv6-literal.net",
        ),
        ("a zone of Windows", "2a01-db9-77-88--99s4.ipv6-literal.net"),
        ("mixed bases", "93.0xb8.0115.13"),
        ("three parts", "93.184.19725"),
        ("two parts", "93.12078349"),
    ]
    .map(|(name, spelling)| (name, spelling.to_owned()))
    .into_iter()
    .filter(|(name, _)| *name != "signed number")
    .collect()
}

fn of_ipv4(address: Ipv4Addr) -> Vec<Spelling> {
    let [a, b, c, d] = address.octets();
    let number = u32::from(address);
    let padded = [a, b, c, d].map(|octet| format!("{octet:03}"));
    let numbers = [a, b, c, d].map(|octet| octet.to_string());
    let mut all = vec![
        ("with port", format!("{address}:8080")),
        ("as a network", format!("{address}/24")),
        ("padded", padded.join(".")),
        ("x between", numbers.join("x")),
        ("X between", numbers.join("X")),
        ("dashes", numbers.join("-")),
        ("underscores", numbers.join("_")),
        ("padded dashes", padded.join("-")),
        ("defanged", numbers.join("[.]")),
        ("defanged round", numbers.join("(.)")),
        ("one dot defanged", format!("{a}.{b}.{c}[.]{d}")),
        ("dot in words", numbers.join(" dot ")),
        ("dot in brackets", numbers.join("[dot]")),
        ("a list", format!("[{}]", numbers.join(", "))),
        ("a tight list", format!("[{}]", numbers.join(","))),
        ("reversed for arpa", format!("{d}.{c}.{b}.{a}.in-addr.arpa")),
        ("reversed dashes", format!("{d}-{c}-{b}-{a}.dyn.example")),
        ("reversed x", format!("{d}x{c}x{b}x{a}")),
        ("mapped", format!("::ffff:{address}")),
        ("mapped in brackets", format!("[::ffff:{address}]:53")),
        ("mapped hex", address.to_ipv6_mapped().to_string()),
        (
            "NAT64",
            format!("64:ff9b::{:x}:{:x}", number >> 16, number & 0xffff),
        ),
        (
            "6to4",
            format!("2002:{:04x}:{:04x}::1", number >> 16, number & 0xffff),
        ),
        ("hex quads", format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}")),
        ("octal quads", format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}")),
        (
            "padded octal quads",
            format!("{a:04o}.{b:04o}.{c:04o}.{d:04o}").replacen("00", "00", 1),
        ),
        ("hex", format!("{number:08x}")),
        ("hex with its mark", format!("0x{number:08x}")),
        ("hex glued to letters", format!("ip{number:08x}")),
        ("hex glued on both sides", format!("x{number:08x}x")),
        ("upper hex", format!("{number:08X}")),
        ("hex backwards", format!("{:08x}", number.swap_bytes())),
    ];
    if number > 99_999_999 {
        all.extend([
            ("decimal", number.to_string()),
            ("decimal glued to letters", format!("id{number}x")),
            ("padded run", padded.concat()),
        ]);
    }
    all
}

fn of_ipv6(address: Ipv6Addr) -> Vec<Spelling> {
    let groups = address.segments();
    let exploded = groups.map(|group| format!("{group:04x}"));
    let nibbles: Vec<String> = exploded
        .concat()
        .chars()
        .rev()
        .map(|nibble| nibble.to_string())
        .collect();
    vec![
        ("exploded", exploded.join(":")),
        ("exploded in capitals", exploded.join(":").to_uppercase()),
        ("exploded with dashes", exploded.join("-")),
        ("exploded with blanks", exploded.join(" ")),
        ("with brackets and port", format!("[{address}]:443")),
        ("with a zone", format!("{address}%wlan0")),
        (
            "groups with dashes",
            groups.map(|group| format!("{group:x}")).join("-"),
        ),
        (
            "groups with underscores",
            groups.map(|group| format!("{group:x}")).join("_"),
        ),
        ("32 digits", exploded.concat()),
        ("32 digits with a mark", format!("0x{}", exploded.concat())),
        (
            "nibbles for arpa",
            format!("{}.ip6.arpa", nibbles.join(".")),
        ),
        ("nibbles without arpa", nibbles.join(".")),
        ("escaped colons", address.to_string().replace(':', "\\:")),
        ("decimal escapes", address.to_string().replace(':', "\\058")),
        ("decimal", format!("{:039}", u128::from(address))),
    ]
}

/// What is done to the characters of any text.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn of_text(text: &str) -> Vec<Spelling> {
    let each = |write: &dyn Fn(char) -> String| text.chars().map(write).collect::<String>();
    let marks = |write: &dyn Fn(char) -> String| {
        each(&|character| match character {
            '.' | ':' => write(character),
            other => other.to_string(),
        })
    };
    let code = |character: char| u32::from(character);
    let middle = text.len() / 2;
    let (head, tail) = text.split_at(middle);
    let codes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    let hex: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let fullwidth = each(&|character| {
        char::from_u32(code(character) + 0xfee0)
            .unwrap()
            .to_string()
    });
    let mut all = vec![
        ("as it is", text.to_owned()),
        ("in capitals", text.to_uppercase()),
        (
            "entities for marks",
            marks(&|mark| format!("&#{};", code(mark))),
        ),
        (
            "hex entities for marks",
            marks(&|mark| format!("&#x{:x};", code(mark))),
        ),
        (
            "entities without an end",
            marks(&|mark| format!("&#{}", code(mark)) + ";"),
        ),
        (
            "named entities",
            marks(&|mark| if mark == '.' { "&period;" } else { "&colon;" }.to_owned()),
        ),
        (
            "entities twice",
            marks(&|mark| format!("&amp;#{};", code(mark))),
        ),
        (
            "all entities",
            each(&|character| format!("&#{};", code(character))),
        ),
        (
            "all hex entities",
            each(&|character| format!("&#x{:X};", code(character))),
        ),
        (
            "percent marks",
            marks(&|mark| format!("%{:02X}", code(mark))),
        ),
        (
            "all percent",
            each(&|character| format!("%{:02x}", code(character))),
        ),
        (
            "percent twice",
            marks(&|mark| format!("%25{:02X}", code(mark))),
        ),
        (
            "all percent twice",
            each(&|character| format!("%25{:02X}", code(character))),
        ),
        (
            "percent thrice",
            marks(&|mark| format!("%2525{:02X}", code(mark))),
        ),
        (
            "quoted printable",
            marks(&|mark| format!("={:02X}", code(mark))),
        ),
        (
            "backslash x",
            each(&|character| format!("\\x{:02x}", code(character))),
        ),
        (
            "backslash u",
            each(&|character| format!("\\u{:04x}", code(character))),
        ),
        (
            "backslash u in braces",
            each(&|character| format!("\\u{{{:x}}}", code(character))),
        ),
        ("backslash before marks", marks(&|mark| format!("\\{mark}"))),
        (
            "decimal escapes of DNS",
            marks(&|mark| format!("\\{:03}", code(mark))),
        ),
        (
            "all decimal escapes of DNS",
            each(&|character| format!("\\{:03}", code(character))),
        ),
        (
            "octal escapes",
            each(&|character| format!("\\{:03o}", code(character))),
        ),
        ("full-width", fullwidth),
        (
            "full-width marks",
            marks(&|mark| char::from_u32(code(mark) + 0xfee0).unwrap().to_string()),
        ),
        (
            "zero width spaces",
            each(&|character| format!("{character}\u{200b}")),
        ),
        ("one zero width space", format!("{head}\u{200b}{tail}")),
        (
            "soft hyphens",
            each(&|character| format!("{character}\u{ad}")),
        ),
        (
            "direction marks, written out",
            format!("{head}\\u{{202e}}{tail}"),
        ),
        ("bold inside", format!("{head}<b>{tail}</b>")),
        (
            "a span inside",
            format!("{head}<span class=\"x\">{tail}</span>"),
        ),
        ("a comment inside", format!("{head}<!-- x -->{tail}")),
        ("a paragraph inside", format!("{head}</p><p>{tail}")),
        ("tags as entities", format!("{head}&lt;b&gt;{tail}")),
        ("hex of the characters", hex.concat()),
        ("hex of the characters with blanks", hex.join(" ")),
        ("codes of the characters", codes.join(", ")),
    ];
    all.extend(encoded("text", text.as_bytes()));
    all
}

fn of_octets(octets: &[u8]) -> Vec<Spelling> {
    let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let binary: Vec<String> = octets.iter().map(|octet| format!("{octet:08b}")).collect();
    let mut escaped = String::new();
    for octet in octets {
        let _ = write!(escaped, "\\x{octet:02x}");
    }
    let nibbles: Vec<String> = hex.concat().chars().map(String::from).collect();
    let mut all = vec![
        ("pairs with colons", hex.join(":")),
        ("pairs with dots", hex.join(".")),
        ("pairs with dashes", hex.join("-")),
        ("pairs with blanks", hex.join(" ")),
        (
            "pairs with marks",
            hex.iter()
                .map(|pair| format!("0x{pair}"))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("bytes of a program", escaped),
        ("percent bytes", format!("%{}", hex.join("%"))),
        ("nibbles", nibbles.join(".")),
        ("binary", binary.concat()),
        ("binary with dots", binary.join(".")),
    ];
    all.extend(encoded("octets", octets));
    all
}

fn encoded(_: &str, bytes: &[u8]) -> Vec<Spelling> {
    let shifted = |by: usize| [&b"~~"[..by], bytes, b"~"].concat();
    vec![
        ("base64", STANDARD.encode(bytes)),
        ("base64 without padding", STANDARD_NO_PAD.encode(bytes)),
        ("base64 after one byte", STANDARD.encode(shifted(1))),
        ("base64 after two bytes", STANDARD.encode(shifted(2))),
        ("base64 for URLs", URL_SAFE.encode(bytes)),
        (
            "base64 for URLs after one byte",
            URL_SAFE_NO_PAD.encode(shifted(1)),
        ),
        (
            "base64 for URLs after two bytes",
            URL_SAFE_NO_PAD.encode(shifted(2)),
        ),
    ]
}
