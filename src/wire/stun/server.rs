//! The server's half of STUN, for datagrams and for a stream: where Binding came from, and 401 to an Allocate without
//! credentials.

use std::net::{IpAddr, SocketAddr};

use super::{
    ALLOCATE, BINDING, COOKIE, ERROR, ERROR_CODE, FINGERPRINT, HEADER, MAPPED_ADDRESS,
    MAX_ATTRIBUTES, NONCE, REALM, SUCCESS, Whole, XOR_MAPPED_ADDRESS, attribute, attributes,
    fingerprint, message, whole, word,
};
use crate::wire::reading::Reply;

/// The server's half of one stream.
pub struct Server {
    from: SocketAddr,
    buffer: Vec<u8>,
}

impl Server {
    /// A server of whoever comes from there.
    pub fn new(from: SocketAddr) -> Self {
        Self {
            from,
            buffer: Vec::new(),
        }
    }

    /// More bytes came: every whole request among them is answered. A client that speaks something else, or asks for what
    /// is not served here, is left.
    pub fn take(&mut self, bytes: &[u8]) -> Reply {
        let mut answers = Vec::new();
        let mut rest = bytes;
        loop {
            // A message fits, so there is room again as soon as it is whole.
            let room = (HEADER + MAX_ATTRIBUTES).saturating_sub(self.buffer.len());
            let (now, later) = rest.split_at(rest.len().min(room));
            self.buffer.extend(now);
            rest = later;
            match whole(&self.buffer) {
                Whole::Not(_) => return Reply::NotOurs,
                Whole::NeedMore if answers.is_empty() => return Reply::NeedMore,
                Whole::NeedMore => return Reply::Answer(answers),
                Whole::Until(end) => {
                    let request: Vec<u8> = self.buffer.drain(..end).collect();
                    match answer(&request, self.from) {
                        Some(answer) => answers.extend(answer),
                        None => return Reply::NotOurs,
                    }
                }
            }
        }
    }
}

/// The answer to one whole request that came from `from`; `None` for what is no request of these.
pub fn answer(request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    if whole(request) != Whole::Until(request.len()) {
        return None;
    }
    attributes(request)?;
    let id: [u8; 16] = request.get(4..HEADER)?.try_into().ok()?;
    let has_cookie = id[..4] == COOKIE;
    let (kind, body) = match word(request, 0)? {
        BINDING if has_cookie => (
            BINDING | SUCCESS,
            attribute(XOR_MAPPED_ADDRESS, &address(from, &id)),
        ),
        BINDING => (
            BINDING | SUCCESS,
            attribute(MAPPED_ADDRESS, &address(from, &[0; 16])),
        ),
        ALLOCATE if has_cookie => (ALLOCATE | ERROR, unauthorized()),
        _ => return None,
    };
    let plain = message(kind, &id, &body);
    // RFC 3489 knows no FINGERPRINT.
    Some(if has_cookie {
        fingerprinted(plain)
    } else {
        plain
    })
}

fn unauthorized() -> Vec<u8> {
    [
        attribute(ERROR_CODE, b"\0\0\x04\x01Unauthorized"),
        attribute(REALM, b"lab"),
        attribute(NONCE, b"0123456789abcdef"),
    ]
    .concat()
}

/// The message with FINGERPRINT behind; the length counts it before it is computed.
fn fingerprinted(mut plain: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(plain.len() - HEADER + 8).unwrap_or(0);
    plain[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = fingerprint(&plain);
    plain.extend(attribute(FINGERPRINT, &sum));
    plain
}

fn address(from: SocketAddr, mix: &[u8; 16]) -> Vec<u8> {
    let (family, octets) = match from.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let port = from.port() ^ u16::from_be_bytes([mix[0], mix[1]]);
    let mut value = vec![0, family];
    value.extend(port.to_be_bytes());
    value.extend(octets.iter().zip(mix).map(|(a, b)| a ^ b));
    value
}
