//! What a single value must look like: ids, host names, addresses, ports, paths and texts.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use toml::Spanned;

use crate::catalog::fields::Text;
use crate::catalog::problem::{Problems, quoted};
use crate::wire::text::{is_commanding, unhex};

/// Ids appear in reports and command lines.
const MAX_ID: usize = 64;
/// RFC 1035: a name has 253 characters in its printed form, and a label 63.
const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;
/// Longer request lines are refused by common servers.
const MAX_PATH: usize = 2048;
/// RFC 7301: one length byte.
const MAX_ALPN: usize = 255;

/// `[a-z0-9_-]`, as the command line and the reports say it.
pub(super) fn id(text: &Text<'_>, what: &str, problems: &Problems<'_>) -> Option<String> {
    let id = *text.get_ref();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let trouble = if id.is_empty() {
        "is empty"
    } else if id.len() > MAX_ID {
        "is longer than 64 characters"
    } else if !id.chars().all(allowed) {
        "has characters other than a-z, 0-9, `_` and `-`"
    } else {
        return Some(id.to_owned());
    };
    let better: String = id
        .to_lowercase()
        .chars()
        .take(MAX_ID)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    let telling = better.contains(|c: char| c.is_ascii_alphanumeric()) && better != id;
    let hint = telling.then(|| format!("for instance `{better}`"));
    problems.add(
        &text.span(),
        format!("{what} {} {trouble}", quoted(id)),
        hint,
    );
    None
}

/// A host name, in lower case.
pub(super) fn host(text: &Text<'_>, problems: &Problems<'_>) -> Option<String> {
    let host = text.get_ref().to_ascii_lowercase();
    let Some((trouble, hint)) = host_trouble(&host) else {
        return Some(host);
    };
    let message = format!("{} is no host name: {trouble}", quoted(text.get_ref()));
    problems.add(&text.span(), message, hint.map(ToOwned::to_owned));
    None
}

fn host_trouble(host: &str) -> Option<(&'static str, Option<&'static str>)> {
    let dotted: Vec<&str> = host.split('.').collect();
    let label_of = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let trouble = if host.is_empty() {
        ("it is empty", None)
    } else if host.contains("://") || host.contains('/') {
        (
            "it is a URL",
            Some("write the name alone; what follows it goes into `path`"),
        )
    } else if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        ("it is an address", Some("put it into `addresses`"))
    } else if !host.is_ascii() {
        (
            "it has letters outside ASCII",
            Some("write its punycode form, `xn--...`"),
        )
    } else if host.contains(':') {
        (
            "it has a colon",
            Some("the port goes into `ports` (`port` in a control)"),
        )
    } else if host.contains('*') {
        ("a wildcard cannot be resolved", Some("name each host"))
    } else if host == "localhost" || host.ends_with(".localhost") {
        (
            "it is this machine",
            Some("name a host on the other side of the line"),
        )
    } else if host.len() > MAX_HOST {
        ("it is longer than 253 characters", None)
    } else if dotted.iter().any(|label| label.is_empty()) {
        (
            "it has an empty label",
            Some("leave out dots at either end, and double dots"),
        )
    } else if dotted.iter().any(|label| label.len() > MAX_LABEL) {
        ("a label is longer than 63 characters", None)
    } else if !dotted.iter().all(|label| label.chars().all(label_of)) {
        ("it has characters other than a-z, 0-9, `-` and `_`", None)
    } else if dotted
        .iter()
        .any(|label| label.starts_with('-') || label.ends_with('-'))
    {
        ("a label begins or ends with `-`", None)
    } else if dotted.last().is_some_and(|label| is_number(label)) {
        (
            "it ends in a number",
            Some("an address of four numbers goes into `addresses`"),
        )
    } else if !dotted.iter().all(|label| is_punycode(label)) {
        (
            "a label begins with `xn--` and is not punycode",
            Some("copy the name as a browser shows it, or let a tool encode it"),
        )
    } else {
        return None;
    };
    Some(trouble)
}

/// What `inet_aton` takes for a number, and a URL parser for the end of an address: `1`, `0x7f000001`, `0x`, `017`.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(digits) => digits.chars().all(|c| c.is_ascii_hexdigit()),
        None => label.chars().all(|c| c.is_ascii_digit()),
    }
}

/// Whether a label that says so is the encoding of letters that a name may have (RFC 5891).
fn is_punycode(label: &str) -> bool {
    if !label.starts_with("xn--") {
        return true;
    }
    let (decoded, outcome) = idna::domain_to_unicode(label);
    let encoded = idna::domain_to_ascii(&decoded);
    outcome.is_ok() && encoded.is_ok_and(|encoded| encoded == label)
}

/// What an address is for: it decides whether this machine itself is allowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be measured: only what lies on the other side of the line.
    Measured,
    /// To be asked: a resolver of one's own may run on this machine.
    Asked,
}

/// An address that a connection can be made to.
pub(super) fn address(
    text: &Text<'_>,
    purpose: Purpose,
    problems: &Problems<'_>,
) -> Option<IpAddr> {
    let Ok(address) = text.get_ref().parse::<IpAddr>() else {
        let message = format!("{} is no IPv4 or IPv6 address", quoted(text.get_ref()));
        problems.add(&text.span(), message, address_hint(text.get_ref()));
        return None;
    };
    let plain = address.to_canonical();
    if let Some((inner, what)) = inner(plain) {
        let message = format!("{} is {what} for {inner}", quoted(text.get_ref()));
        let hint = format!("write `{inner}`");
        problems.add(&text.span(), message, Some(hint));
        return None;
    }
    let trouble = if plain.is_unspecified() {
        "is the unspecified address"
    } else if plain.is_multicast() {
        "is a multicast address: nobody answers a connection there"
    } else if matches!(plain, IpAddr::V4(v4) if v4.is_broadcast()) {
        "is the broadcast address"
    } else if matches!(plain, IpAddr::V4(v4) if v4.octets()[0] == 0) {
        "is of 0.0.0.0/8: no host has such an address"
    } else if plain.is_loopback() && purpose == Purpose::Measured {
        "is this machine itself: nothing would be learnt about the line"
    } else {
        return Some(plain);
    };
    problems.add(
        &text.span(),
        format!("{} {trouble}", quoted(text.get_ref())),
        None,
    );
    None
}

/// The IPv4 address that an IPv6 address stands for: packets to such a one go to it, or nowhere.
fn inner(address: IpAddr) -> Option<(Ipv4Addr, &'static str)> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let groups = address.segments();
    let pair = |at: usize| Ipv4Addr::from(u32::from(groups[at]) << 16 | u32::from(groups[at + 1]));
    match groups {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, ..] => Some((pair(6), "an IPv4-compatible address (RFC 4291)")),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some((pair(6), "an address of NAT64 (RFC 6052)")),
        [0x2002, ..] => Some((pair(1), "an address of 6to4 (RFC 3056)")),
        _ => None,
    }
}

fn address_hint(text: &str) -> Option<String> {
    let hint = if text.contains('/') {
        "a network has no place here: name single addresses"
    } else if text.starts_with('[') || text.matches(':').count() == 1 {
        "write the address alone, without brackets and port"
    } else if text.contains('%') {
        "leave the zone after `%` out"
    } else if text.contains(|c: char| c.is_ascii_alphabetic()) && text.contains('.') {
        "a name goes into `hosts`"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// A port from 1 to 65535.
pub(super) fn port(number: &Spanned<i64>, problems: &Problems<'_>) -> Option<u16> {
    let port = u16::try_from(*number.get_ref())
        .ok()
        .filter(|port| *port > 0);
    if port.is_none() {
        let message = format!("port {} is not between 1 and 65535", number.get_ref());
        problems.add(&number.span(), message, None);
    }
    port
}

/// An HTTP status.
pub(super) fn status(number: &Spanned<i64>, problems: &Problems<'_>) -> Option<u16> {
    let status = u16::try_from(*number.get_ref())
        .ok()
        .filter(|status| (100..600).contains(status));
    if status.is_none() {
        let message = format!("status {} is not between 100 and 599", number.get_ref());
        problems.add(&number.span(), message, None);
    }
    status
}

/// The path and query of a request, as it goes on the wire.
pub(super) fn path(text: &Text<'_>, problems: &Problems<'_>) -> Option<String> {
    let path = *text.get_ref();
    let wrong = |c: char| {
        !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    let trouble = if !path.starts_with('/') {
        ("does not begin with `/`", None)
    } else if path.len() > MAX_PATH {
        ("is longer than 2048 characters", None)
    } else if path.contains('#') {
        (
            "has a fragment",
            Some("leave out everything from `#` on: it is never sent"),
        )
    } else if path.contains(wrong) {
        (
            "has characters that may not stand in a request",
            Some("percent-encode them: a space is `%20`"),
        )
    } else {
        return Some(path.to_owned());
    };
    let (trouble, hint) = trouble;
    problems.add(
        &text.span(),
        format!("path {} {trouble}", quoted(path)),
        hint.map(ToOwned::to_owned),
    );
    None
}

/// An ALPN identifier, or the beginning of one.
pub(super) fn alpn(text: &Text<'_>, problems: &Problems<'_>) -> Option<String> {
    let alpn = *text.get_ref();
    if (1..=MAX_ALPN).contains(&alpn.len()) && alpn.chars().all(|c| c.is_ascii_graphic()) {
        return Some(alpn.to_owned());
    }
    let message = format!(
        "ALPN identifier {} is not 1 to 255 visible ASCII characters",
        quoted(alpn)
    );
    problems.add(
        &text.span(),
        message,
        Some("for instance `h2` or `http/1.1`".to_owned()),
    );
    None
}

/// A public key of 32 bytes, in lower case.
pub(super) fn public_key(text: &Text<'_>, what: &str, problems: &Problems<'_>) -> Option<String> {
    let key = *text.get_ref();
    if unhex::<32>(key).is_some() {
        return Some(key.to_ascii_lowercase());
    }
    let is_digit = |c: char| c.is_ascii_hexdigit();
    let trouble = match key.chars().find(|c| !is_digit(*c)) {
        Some(_) => "has characters other than 0-9 and a-f".to_owned(),
        None => format!("has {} digits", key.len()),
    };
    let bare: String = key
        .trim_start_matches("0x")
        .chars()
        .filter(|c| is_digit(*c))
        .collect();
    let hint = if bare != key && unhex::<32>(&bare).is_some() {
        format!("write `{bare}`")
    } else {
        "a key of 32 bytes is written as 64 hexadecimal digits".to_owned()
    };
    let message = format!("{what} {} {trouble}", quoted(key));
    problems.add(&text.span(), message, Some(hint));
    None
}

/// A text for people or for comparison: bounded, not empty, no control characters but line ends and tabs.
pub(super) fn phrase(
    text: &Text<'_>,
    what: &str,
    longest: usize,
    problems: &Problems<'_>,
) -> Option<String> {
    let phrase = *text.get_ref();
    let trouble = if phrase.is_empty() {
        "is empty".to_owned()
    } else if phrase.len() > longest {
        format!(
            "is {} bytes long, and at most {longest} are allowed",
            phrase.len()
        )
    } else if phrase.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        "has control characters".to_owned()
    } else {
        return Some(phrase.to_owned());
    };
    problems.add(&text.span(), format!("{what} {trouble}"), None);
    None
}

/// A name for people: a phrase whose characters are all seen, in their order.
pub(super) fn name(
    text: &Text<'_>,
    what: &str,
    longest: usize,
    problems: &Problems<'_>,
) -> Option<String> {
    let name = phrase(text, what, longest, problems)?;
    let is_hidden = |c: char| {
        is_commanding(c)
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}')
    };
    let Some(hidden) = name.chars().find(|c| is_hidden(*c)) else {
        return Some(name);
    };
    let message = format!(
        "{what} has the character U+{:04X}, which is not seen or turns text around",
        u32::from(hidden)
    );
    problems.add(&text.span(), message, Some("leave it out".to_owned()));
    None
}

/// Notes a list longer than anybody needs, before anything is copied for each of its members.
pub(super) fn within(
    count: usize,
    most: usize,
    what: &str,
    at: &Range<usize>,
    problems: &Problems<'_>,
) -> bool {
    if count > most {
        problems.add(
            at,
            format!("{count} {what} here, and at most {most} are allowed"),
            None,
        );
    }
    count <= most
}
