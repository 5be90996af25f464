//! A protocol that the file describes itself: over what it goes, what is sent, what must come back.

use crate::catalog::expect::refuse;
use crate::catalog::fields::{Fields, Kind, word};
use crate::catalog::problem::quoted;
use crate::model::catalog::Protocol;
use crate::model::custom::{Custom, Octets};
use crate::wire::custom::{Refused, compile};

/// What `protocol` calls it.
pub(super) const CUSTOM: &str = "custom";

/// What it can go over.
pub(super) const OVER: &[(&str, Protocol)] = &[
    ("tcp", Protocol::CustomTcp),
    ("tls", Protocol::CustomTls),
    ("udp", Protocol::CustomUdp),
];

const OCTETS: Kind = Kind {
    name: "these bytes",
    keys: &["hex", "text"],
};

/// First messages are short, and a longer one would be a load.
const MAX_BYTES: usize = 4096;
/// One datagram reaches everybody whole up to 1280 bytes, headers included (RFC 8200, 5).
const MAX_DATAGRAM: usize = 1200;
/// What a person still reads.
const MAX_REGEX: usize = 1024;

/// How the file names a protocol.
pub(super) const fn named(protocol: Protocol) -> &'static str {
    if protocol.is_custom() {
        CUSTOM
    } else {
        protocol.word()
    }
}

/// The protocol once it is known what it goes over.
pub(super) fn over(fields: &Fields<'_>, protocol: Protocol) -> Option<Protocol> {
    if !protocol.is_custom() {
        refuse(
            fields,
            &["over"],
            false,
            protocol,
            "goes over what it always goes over",
        );
        return Some(protocol);
    }
    if fields.is_absent("over") {
        let hint = "write `over = \"tcp\"`, `\"tls\"` or `\"udp\"` below it".to_owned();
        let message = "`over` is missing: a `custom` protocol goes over TCP, TLS or UDP".to_owned();
        fields.problems().absent(fields.span(), message, Some(hint));
    }
    word(&fields.text("over")?, "transport", OVER, fields.problems())
}

/// What is sent; nothing where the server speaks first.
pub(super) fn send(fields: &Fields<'_>, protocol: Option<Protocol>) -> Octets {
    if let Some(protocol) = protocol {
        let why = "has its own first message";
        refuse(fields, &["send"], protocol.is_custom(), protocol, why);
    }
    let is_datagram = protocol == Some(Protocol::CustomUdp);
    if is_datagram && fields.is_absent("send") {
        let message = "`send` is missing: over UDP nobody speaks first but us".to_owned();
        let hint = "write `send = { text = \"...\" }` or `send = { hex = \"...\" }`".to_owned();
        fields.problems().absent(fields.span(), message, Some(hint));
    }
    let most = if is_datagram { MAX_DATAGRAM } else { MAX_BYTES };
    octets(fields, "send", most).unwrap_or_default()
}

/// What must come back, as `expect` says it.
pub(super) fn expected(expect: &Fields<'_>) -> Custom {
    Custom {
        send: Octets::default(),
        prefix: octets(expect, "prefix", MAX_BYTES).unwrap_or_default(),
        contains: octets(expect, "contains", MAX_BYTES).unwrap_or_default(),
        regex: regex(expect),
    }
}

/// Bytes: a text as it is, `{ text = "..." }` or `{ hex = "..." }`.
fn octets(fields: &Fields<'_>, key: &'static str, most: usize) -> Option<Octets> {
    let problems = fields.problems();
    let (octets, place) = if fields.is_text(key) {
        let text = fields.text(key)?;
        (Octets(text.get_ref().as_bytes().to_vec()), text.span())
    } else {
        let table = fields.table(key, &OCTETS)?;
        spelt(&table, key)?
    };
    let length = octets.0.len();
    let (trouble, hint) = if length > most {
        let trouble = format!("is {length} bytes long, and at most {most} are allowed");
        (trouble, None)
    } else if length == 0 && key == "send" {
        let hint = "leave it out where the server speaks first";
        ("has no bytes".to_owned(), Some(hint))
    } else if length == 0 {
        let hint = "leave it out where any byte is right";
        ("has no bytes".to_owned(), Some(hint))
    } else {
        return Some(octets);
    };
    let hint = hint.map(ToOwned::to_owned);
    problems.add(&place, format!("`{key}` {trouble}"), hint);
    None
}

fn spelt(table: &Fields<'_>, key: &str) -> Option<(Octets, std::ops::Range<usize>)> {
    let problems = table.problems();
    if table.has("hex") && table.has("text") {
        let message = format!("`{key}` has both `hex` and `text`");
        problems.add(
            &table.place("text"),
            message,
            Some("leave one out".to_owned()),
        );
        return None;
    }
    if let Some(text) = table.text("text") {
        return Some((Octets(text.get_ref().as_bytes().to_vec()), text.span()));
    }
    if table.is_absent("hex") && table.is_absent("text") {
        let message = format!("`{key}` has neither `hex` nor `text`");
        let hint = format!("write `{key} = {{ text = \"...\" }}` or `{key} = {{ hex = \"...\" }}`");
        problems.absent(table.span(), message, Some(hint));
    }
    let digits = table.text("hex")?;
    match Octets::of_hex(digits.get_ref()) {
        Ok(octets) => Some((octets, digits.span())),
        Err(trouble) => {
            let message = format!("`{key}`: {} {trouble}", quoted(digits.get_ref()));
            let hint = "write two digits for each byte: `57 41 06 03`".to_owned();
            problems.add(&digits.span(), message, Some(hint));
            None
        }
    }
}

fn regex(expect: &Fields<'_>) -> Option<String> {
    let text = expect.text("regex")?;
    let length = text.get_ref().len();
    let (trouble, hint) = if length == 0 {
        let hint = "leave it out where any byte is right";
        ("is empty".to_owned(), hint)
    } else if length > MAX_REGEX {
        let trouble = format!("is {length} bytes long, and at most {MAX_REGEX} are allowed");
        (trouble, "`prefix` and `contains` take longer bytes")
    } else {
        let Err(refused) = compile(text.get_ref()) else {
            return Some((*text.get_ref()).to_owned());
        };
        let hint = match refused {
            Refused::Invalid(_) => "it reads bytes: `\\xff`, `[0-9]`, `\\+OK`; quote it with `'`",
            Refused::SeeksEnd => "leave out `$`, `\\z`, `\\b` and `\\B`",
            Refused::TooLarge => "repeat fewer times",
        };
        (refused.to_string(), hint)
    };
    let message = format!("`regex` {trouble}");
    let problems = expect.problems();
    problems.add(&text.span(), message, Some(hint.to_owned()));
    None
}
