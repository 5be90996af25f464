//! What an honest answer looks like, and which protocols can give it.

use std::collections::BTreeSet;

use crate::catalog::custom;
use crate::catalog::fields::{Fields, Kind, choices};
use crate::catalog::problem::quoted;
use crate::catalog::words;
use crate::model::catalog::{Expect, Protocol};
use crate::model::custom::Custom;

pub(super) const EXPECT: Kind = Kind {
    name: "`expect`",
    keys: &[
        "status",
        "title",
        "contains",
        "body",
        "prefix",
        "regex",
        "private_root",
        "alpn",
        "noise_root",
    ],
};

/// Titles are for people; what is compared is a part of one.
const MAX_TITLE: usize = 256;
/// The first 4 KiB of a body are kept.
const MAX_BODY: usize = 4096;
/// There are no more statuses than this worth telling apart.
const MAX_STATUSES: usize = 500;

/// What a protocol's answer can show.
pub(super) struct Answer {
    pub(super) is_tls: bool,
    pub(super) is_http: bool,
    pub(super) has_path: bool,
}

impl Answer {
    pub(super) fn of(protocol: Protocol) -> Self {
        let is_http = matches!(protocol, Protocol::Http | Protocol::Https);
        Self {
            is_tls: protocol.has_server_name(),
            is_http,
            has_path: is_http
                || matches!(
                    protocol,
                    Protocol::Quic
                        | Protocol::WhatsappWebsocket
                        | Protocol::MtprotoWebsocket
                        | Protocol::MtprotoHttp
                        | Protocol::MaxWebsocket
                        | Protocol::Websocket
                ),
        }
    }
}

/// Notes the keys that a protocol gives no meaning to.
pub(super) fn refuse(
    fields: &Fields<'_>,
    keys: &[&str],
    meant: bool,
    protocol: Protocol,
    why: &str,
) {
    for key in keys.iter().filter(|key| !meant && fields.has(key)) {
        let name = custom::named(protocol);
        let message = format!("`{key}` means nothing here: `{name}` {why}");
        fields
            .problems()
            .add(&fields.place(key), message, Some("leave it out".to_owned()));
    }
}

/// The request path of a table; `/` by default.
pub(super) fn path(fields: &Fields<'_>) -> String {
    let path = fields
        .text("path")
        .and_then(|text| words::path(&text, fields.problems()));
    path.unwrap_or_else(|| "/".to_owned())
}

/// The `expect` of a table, and what it says of a protocol that the file describes.
pub(super) fn expect(
    fields: &Fields<'_>,
    protocol: Option<Protocol>,
    private_roots: &BTreeSet<&str>,
) -> (Expect, Custom) {
    let Some(fields) = fields.table("expect", &EXPECT) else {
        return Default::default();
    };
    if let Some(protocol) = protocol {
        refuse_strangers(&fields, protocol);
    }
    let is_custom = protocol.is_some_and(Protocol::is_custom);
    let own = is_custom.then(|| custom::expected(&fields));
    // Where the protocol is not known, bytes are no mistake.
    let is_bytes = protocol.map_or(!fields.is_text("contains"), Protocol::is_custom);
    let expect = plain(&fields, private_roots, is_bytes);
    (expect, own.unwrap_or_default())
}

/// Notes the expectations that the protocol's answer cannot meet.
fn refuse_strangers(fields: &Fields<'_>, protocol: Protocol) {
    let answer = Answer::of(protocol);
    let refuse = |keys: &[&str], meant, why| refuse(fields, keys, meant, protocol, why);
    let no_http = "is not judged by an HTTP answer";
    refuse(&["status", "title", "body"], answer.is_http, no_http);
    let is_custom = protocol.is_custom();
    refuse(&["contains"], answer.is_http || is_custom, no_http);
    refuse(
        &["prefix", "regex"],
        is_custom,
        "is judged by its own answer",
    );
    refuse(
        &["private_root", "alpn"],
        answer.is_tls,
        "does not speak TLS",
    );
    let is_noise = matches!(
        protocol,
        Protocol::WhatsappNoise | Protocol::WhatsappWebsocket
    );
    refuse(&["noise_root"], is_noise, "has no Noise key");
}

/// What any protocol can be expected to show.
fn plain(fields: &Fields<'_>, private_roots: &BTreeSet<&str>, is_bytes: bool) -> Expect {
    let problems = fields.problems();
    let phrase = |key, longest| {
        let text = fields.text(key)?;
        words::phrase(&text, &format!("`{key}`"), longest, problems)
    };
    let statuses = fields.numbers("status");
    words::within(
        statuses.len(),
        MAX_STATUSES,
        "statuses",
        &fields.place("status"),
        problems,
    );
    Expect {
        status: statuses
            .iter()
            .filter_map(|number| words::status(number, problems))
            .collect(),
        title: phrase("title", MAX_TITLE),
        contains: (!is_bytes).then(|| phrase("contains", MAX_BODY)).flatten(),
        body: body(fields),
        private_root: private_root(fields, private_roots),
        alpn: fields
            .text("alpn")
            .and_then(|text| words::alpn(&text, problems)),
        noise_root: fields
            .text("noise_root")
            .and_then(|text| words::public_key(&text, "`noise_root`", problems)),
    }
}

/// Unlike the other texts, a body may be empty: that is what `generate_204` answers.
fn body(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text("body")?;
    if text.get_ref().is_empty() {
        return Some(String::new());
    }
    words::phrase(&text, "`body`", MAX_BODY, fields.problems())
}

fn private_root(fields: &Fields<'_>, known: &BTreeSet<&str>) -> Option<String> {
    let text = fields.text("private_root")?;
    if known.contains(text.get_ref()) {
        return Some((*text.get_ref()).to_owned());
    }
    let known: Vec<&str> = known.iter().copied().collect();
    let message = format!("unknown private root {}", quoted(text.get_ref()));
    let hint = if known.is_empty() {
        "define it as a `[[private_root]]`".to_owned()
    } else {
        choices(text.get_ref(), &known)
    };
    fields.problems().add(&text.span(), message, Some(hint));
    None
}
