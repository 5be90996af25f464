//! STUN: Binding with the cookie of RFC 8489, without it (RFC 3489) and with another in its place, and TURN's Allocate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::reading::{Outcome, Reading};
use crate::wire::text;

pub mod server;

/// What tells RFC 5389 and later from RFC 3489, and what some filters look for.
pub const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Something else in its place: servers answer as they do to RFC 3489.
const OTHER_COOKIE: [u8; 4] = [0x5a, 0x3c, 0x91, 0x0e];
/// What FINGERPRINT's CRC-32 is mixed with.
const FINGERPRINT_MIX: u32 = 0x5354_554e;
/// Bytes of a header: type, length, cookie, transaction id. Behind it stands the address that the server saw us at.
pub const HEADER: usize = 20;
/// Bytes of attributes at most; an answer has about a hundred.
const MAX_ATTRIBUTES: usize = 2048;
/// Characters kept of a text.
const MAX_TEXT: usize = 100;

const REQUEST: u16 = 0x0000;
const SUCCESS: u16 = 0x0100;
const ERROR: u16 = 0x0110;
const CLASS: u16 = 0x0110;
const BINDING: u16 = 0x0001;
const ALLOCATE: u16 = 0x0003;

const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const REQUESTED_TRANSPORT: u16 = 0x0019;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// The same, as servers wrote it before RFC 5389 was finished.
const EARLY_XOR_MAPPED_ADDRESS: u16 = 0x8020;
const SOFTWARE: u16 = 0x8022;
const FINGERPRINT: u16 = 0x8028;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Binding, RFC 5389 and 8489.
    Binding,
    /// Binding without the cookie, RFC 3489.
    Classic,
    /// Binding with other bytes where the cookie is due.
    AlteredCookie,
    /// TURN's Allocate without credentials: a server that can be reached says 401 (RFC 8656).
    Allocate,
}

/// Our half of one transaction.
pub struct Client {
    method: u16,
    id: [u8; 16],
    buffer: Vec<u8>,
    sent: bool,
    outcome: Outcome,
    mapped: Vec<SocketAddr>,
}

impl Client {
    /// One request. Random bytes become its transaction id.
    pub fn new(ask: Ask, draw: [u8; 16]) -> Self {
        let mut id = draw;
        match ask {
            Ask::Binding | Ask::Allocate => id[..4].copy_from_slice(&COOKIE),
            Ask::AlteredCookie => id[..4].copy_from_slice(&OTHER_COOKIE),
            Ask::Classic if id[..4] == COOKIE => id[0] ^= 1,
            Ask::Classic => {}
        }
        Self {
            method: if ask == Ask::Allocate {
                ALLOCATE
            } else {
                BINDING
            },
            id,
            buffer: Vec::new(),
            sent: false,
            outcome: Outcome::default(),
            mapped: Vec::new(),
        }
    }

    /// The request.
    pub fn hello(&self) -> Vec<u8> {
        let attributes = if self.method == ALLOCATE {
            // UDP, by its protocol number.
            attribute(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        } else {
            Vec::new()
        };
        message(self.method | REQUEST, &self.id, &attributes)
    }

    /// More of a stream came; over TCP messages tell their own length.
    fn take(&mut self, bytes: &[u8]) -> Reading {
        let room = (HEADER + MAX_ATTRIBUTES).saturating_sub(self.buffer.len());
        self.buffer.extend(bytes.iter().take(room));
        match whole(&self.buffer) {
            Whole::Not(why) => Reading::Failed(why),
            Whole::NeedMore => Reading::NeedMore,
            Whole::Until(end) => {
                let message: Vec<u8> = self.buffer.drain(..end).collect();
                self.read(&message)
            }
        }
    }

    /// A datagram came: a whole message, or none.
    pub fn read(&mut self, datagram: &[u8]) -> Reading {
        match whole(datagram) {
            Whole::Not(why) => Reading::Failed(why),
            Whole::NeedMore => Reading::Failed("a STUN message shorter than it says"),
            Whole::Until(end) if end != datagram.len() => {
                Reading::Failed("a STUN message longer than it says")
            }
            Whole::Until(_) => self.judge(datagram),
        }
    }

    /// Addresses that the answer says we have. They are the vantage's own: to be scrubbed, never told.
    pub fn mapped(&self) -> &[SocketAddr] {
        &self.mapped
    }

    fn judge(&mut self, message: &[u8]) -> Reading {
        let (Some(kind), Some(id)) = (word(message, 0), message.get(4..HEADER)) else {
            return Reading::Failed("no STUN message");
        };
        let Some(attributes) = attributes(message) else {
            return Reading::Failed("a STUN message that does not hold together");
        };
        let answer = match kind & CLASS {
            SUCCESS => "success",
            ERROR => "error",
            _ => return Reading::Failed("a request, not an answer"),
        };
        let sound = fingerprint_is_sound(message, &attributes);
        let ours = id == self.id && kind & !CLASS == self.method && sound != Some(false);
        let stage = if ours { Stage::Bound } else { Stage::Parsed };
        let mut told = Told::new(stage).saying("answer", answer);
        if id != self.id {
            told = told.saying("transaction", "not ours");
        }
        if sound == Some(false) {
            told = told.saying("fingerprint", "wrong");
        }
        for (kind, value) in attributes {
            match kind {
                ERROR_CODE => told = told.saying("error", error(value)),
                SOFTWARE => told = told.saying("software", text::escape_bytes(value, MAX_TEXT)),
                MAPPED_ADDRESS => self.mapped.extend(address(value, &[0; 16])),
                XOR_MAPPED_ADDRESS | EARLY_XOR_MAPPED_ADDRESS => {
                    self.mapped.extend(address(value, &self.mix()));
                }
                _ => {}
            }
        }
        Reading::Done(told)
    }

    /// What addresses are mixed with: the cookie, whatever was sent in its place, and the transaction id.
    fn mix(&self) -> [u8; 16] {
        let mut mix = self.id;
        mix[..4].copy_from_slice(&COOKIE);
        mix
    }
}

impl Handshake for Client {
    fn send(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.sent, true) {
            Vec::new()
        } else {
            self.hello()
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if let Some(over) = self.outcome.over() {
            return over;
        }
        let reading = self.take(bytes);
        self.outcome.note(bytes, reading)
    }

    fn told(&self) -> Told {
        self.outcome.told()
    }
}

/// Where the first message of a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Not here yet.
    NeedMore,
    /// Here.
    Until(usize),
    /// Nowhere: this is no STUN.
    Not(&'static str),
}

/// Looks for the end of the first message.
pub fn whole(bytes: &[u8]) -> Whole {
    match bytes.first() {
        None => return Whole::NeedMore,
        Some(0x40..) => return Whole::Not("no STUN message"),
        Some(_) => {}
    }
    let Some(length) = word(bytes, 2).map(usize::from) else {
        return Whole::NeedMore;
    };
    if length % 4 != 0 || length > MAX_ATTRIBUTES {
        return Whole::Not("a STUN message of impossible length");
    }
    if bytes.len() < HEADER + length {
        return Whole::NeedMore;
    }
    Whole::Until(HEADER + length)
}

/// A whole message's attributes with their values, in order; `None` if they do not fill it.
fn attributes(message: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    let mut rest = message.get(HEADER..)?;
    while !rest.is_empty() {
        let (kind, length) = (word(rest, 0)?, usize::from(word(rest, 2)?));
        let value = rest.get(4..)?.get(..length)?;
        found.push((kind, value));
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    Some(found)
}

/// Whether FINGERPRINT is right; `None` if there is none.
fn fingerprint_is_sound(message: &[u8], attributes: &[(u16, &[u8])]) -> Option<bool> {
    if !attributes.iter().any(|(kind, _)| *kind == FINGERPRINT) {
        return None;
    }
    let (kind, value) = attributes.last()?;
    let before = message.get(..message.len().checked_sub(8)?)?;
    // It must be the last one.
    Some(*kind == FINGERPRINT && *value == fingerprint(before))
}

fn fingerprint(before: &[u8]) -> [u8; 4] {
    (crc32fast::hash(before) ^ FINGERPRINT_MIX).to_be_bytes()
}

fn address(value: &[u8], mix: &[u8; 16]) -> Option<SocketAddr> {
    let port = word(value, 2)? ^ u16::from_be_bytes([mix[0], mix[1]]);
    let unmixed: Vec<u8> = value
        .get(4..)?
        .iter()
        .zip(mix)
        .map(|(a, b)| a ^ b)
        .collect();
    let ip = match value.get(1)? {
        1 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(unmixed).ok()?)),
        2 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(unmixed).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn error(value: &[u8]) -> String {
    match value {
        [_, _, class, number, reason @ ..] => {
            let code = u16::from(class & 0x07) * 100 + u16::from(*number);
            let reason = text::escape_bytes(reason, MAX_TEXT);
            format!("{code} {reason}").trim_end().to_owned()
        }
        _ => "without a code".to_owned(),
    }
}

fn message(kind: u16, id: &[u8; 16], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).unwrap_or(0);
    [
        &kind.to_be_bytes()[..],
        &length.to_be_bytes(),
        id,
        attributes,
    ]
    .concat()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap_or(0);
    let mut attribute = [&kind.to_be_bytes()[..], &length.to_be_bytes(), value].concat();
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample IPv4 response of RFC 5769, section 2.2.
    const SAMPLE: [u8; 80] = [
        0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76,
        0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1,
        0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
        0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00,
        0x04, 0xc0, 0x7d, 0x4c, 0x96,
    ];

    fn sampled() -> Client {
        Client::new(Ask::Binding, SAMPLE[4..20].try_into().unwrap())
    }

    #[test]
    fn the_sample_of_rfc_5769_is_bound_and_its_address_is_not_told() {
        let mut client = sampled();
        let Reading::Done(told) = client.read(&SAMPLE) else {
            panic!("not read");
        };
        assert_eq!(
            (told.stage, told.said("software")),
            (Stage::Bound, Some("test vector"))
        );
        assert_eq!(client.mapped(), ["192.0.2.1:32853".parse().unwrap()]);
        assert!(
            !told
                .says
                .iter()
                .any(|(_, value)| value.contains("192.0.2.1"))
        );
    }

    #[test]
    fn a_wrong_fingerprint_binds_nothing() {
        let mut changed = SAMPLE;
        changed[30] ^= 1;
        let Reading::Done(told) = sampled().read(&changed) else {
            panic!("not read");
        };
        assert_eq!(
            (told.stage, told.said("fingerprint")),
            (Stage::Parsed, Some("wrong"))
        );
    }

    #[test]
    fn the_answer_to_another_request_binds_nothing() {
        for (ask, draw) in [
            (Ask::Binding, [1; 16]),
            (Ask::Allocate, SAMPLE[4..20].try_into().unwrap()),
        ] {
            let Reading::Done(told) = Client::new(ask, draw).read(&SAMPLE) else {
                panic!("not read");
            };
            assert_eq!(told.stage, Stage::Parsed, "{ask:?}");
        }
    }

    #[test]
    fn only_the_asks_that_should_carry_the_cookie() {
        for (ask, carries) in [
            (Ask::Binding, true),
            (Ask::Allocate, true),
            (Ask::Classic, false),
            (Ask::AlteredCookie, false),
        ] {
            let mut draw = [7; 16];
            draw[..4].copy_from_slice(&COOKIE);
            let hello = Client::new(ask, draw).hello();
            assert_eq!(hello[4..8] == COOKIE, carries, "{ask:?}");
        }
    }

    #[test]
    fn a_request_sent_back_is_no_answer() {
        let mut client = sampled();
        let echo = client.hello();
        assert!(matches!(client.read(&echo), Reading::Failed(_)));
    }
}
