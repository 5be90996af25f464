//! The server's half of MTProto: knows a client's transport by its first bytes and answers in the same.

use std::time::Duration;

use crate::wire::mtproto::message::{self, ResPq};
use crate::wire::mtproto::obfuscation::{self, Ciphers};
use crate::wire::mtproto::transport::{self, Cut, Framing};
use crate::wire::mtproto::{MAX_BUFFER, Tag};
use crate::wire::reading::Reply;

/// The product of two primes that the protocol's own documentation shows.
const PQ: [u8; 8] = [0x17, 0xed, 0x48, 0x94, 0x1a, 0x08, 0xf9, 0x81];
/// What a server says to anything but the question.
const NO_SUCH_KEY: i32 = -404;
/// Methods of HTTP, and the first bytes of TLS: others answer those.
const OTHERS: [&[u8]; 5] = [b"GET ", b"POST", b"HEAD", b"OPTI", &[0x16, 0x03, 0x01]];

/// The server's half of one connection.
pub struct Server {
    nonce: [u8; 16],
    fingerprints: Vec<u64>,
    spoken: Option<(Framing, Option<Ciphers>)>,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Server {
    /// A server that has the keys with these fingerprints; the nonce is random.
    pub fn new(nonce: [u8; 16], fingerprints: Vec<u64>) -> Self {
        Self {
            nonce,
            fingerprints,
            spoken: None,
            buffer: Vec::new(),
            sequence: 0,
        }
    }

    /// More bytes came, at `unix` (time since 1970).
    pub fn take(&mut self, bytes: &[u8], unix: Duration) -> Reply {
        let room = MAX_BUFFER.saturating_sub(self.buffer.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        match &mut self.spoken {
            Some((_, Some(ciphers))) => self.buffer.extend(ciphers.receiving.apply(bytes)),
            _ => self.buffer.extend(bytes),
        }
        if self.spoken.is_none() {
            match detect(&self.buffer) {
                Detected::NeedMore => return Reply::NeedMore,
                Detected::NotOurs => return Reply::NotOurs,
                Detected::Clear(framing, tag) => {
                    self.buffer.drain(..tag);
                    self.spoken = Some((framing, None));
                }
                Detected::Obfuscated(inner, mut ciphers) => {
                    let rest = self.buffer.get(obfuscation::HEADER..).unwrap_or_default();
                    self.buffer = ciphers.receiving.apply(rest);
                    self.spoken = Some((Framing::tagged(inner), Some(*ciphers)));
                }
            }
        }
        self.reply(unix)
    }

    /// What is answered to a whole message; over HTTP, the body to a body.
    pub fn answer(&self, payload: &[u8], unix: Duration) -> Vec<u8> {
        match message::asked(payload) {
            Some(nonce) => message::res_pq(
                &ResPq {
                    nonce,
                    server_nonce: self.nonce,
                    pq: PQ.to_vec(),
                    fingerprints: self.fingerprints.clone(),
                },
                unix,
            ),
            None => NO_SUCH_KEY.to_le_bytes().to_vec(),
        }
    }

    fn reply(&mut self, unix: Duration) -> Reply {
        let Some(framing) = self.spoken.as_ref().map(|(framing, _)| *framing) else {
            return Reply::NeedMore;
        };
        let mut packets = Vec::new();
        loop {
            match framing.cut(&self.buffer) {
                Cut::NeedMore if self.buffer.len() >= MAX_BUFFER => return Reply::NotOurs,
                Cut::NeedMore => break,
                Cut::Wrong(_) | Cut::Error(_) => return Reply::NotOurs,
                Cut::Whole { payload, taken } => {
                    self.buffer.drain(..taken);
                    let answer = self.answer(&payload, unix);
                    let padding = transport::padding(&self.nonce);
                    packets.extend(framing.pack(&answer, self.sequence, padding));
                    self.sequence = self.sequence.wrapping_add(1);
                }
            }
        }
        match &mut self.spoken {
            _ if packets.is_empty() => Reply::NeedMore,
            Some((_, Some(ciphers))) => Reply::Answer(ciphers.sending.apply(&packets)),
            _ => Reply::Answer(packets),
        }
    }
}

enum Detected {
    NeedMore,
    NotOurs,
    /// In clear, after so many bytes of a tag.
    Clear(Framing, usize),
    Obfuscated(Tag, Box<Ciphers>),
}

fn detect(bytes: &[u8]) -> Detected {
    for tag in [Tag::Abridged, Tag::Intermediate, Tag::Padded] {
        let announcement = tag.announcement();
        if bytes.starts_with(announcement) {
            return Detected::Clear(Framing::tagged(tag), announcement.len());
        }
    }
    if OTHERS.iter().any(|other| bytes.starts_with(other)) {
        return Detected::NotOurs;
    }
    // The full transport has no tag, but its first sequence number is zero: no obfuscated header has that.
    if bytes.get(4..8) == Some(&[0; 4]) {
        return Detected::Clear(Framing::Full, 0);
    }
    match bytes.first_chunk() {
        None => Detected::NeedMore,
        Some(header) => match obfuscation::accept(header) {
            Some((inner, ciphers)) => Detected::Obfuscated(inner, Box::new(ciphers)),
            None => Detected::NotOurs,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_tls_are_left_to_others() {
        for begin in [&b"GET / HTTP/1.1\r\n"[..], &[0x16, 0x03, 0x01, 0x02, 0x00]] {
            let mut server = Server::new([1; 16], vec![message::PRODUCTION]);
            assert_eq!(server.take(begin, Duration::ZERO), Reply::NotOurs);
        }
    }

    #[test]
    fn what_is_no_question_gets_a_transport_error() {
        let mut server = Server::new([1; 16], vec![message::PRODUCTION]);
        let packet = [&[0xef, 0x06][..], &[0; 16], &[4, 0, 0, 0, 1, 2, 3, 4]].concat();
        let error = vec![0x01, 0x6c, 0xfe, 0xff, 0xff];
        assert_eq!(server.take(&packet, Duration::ZERO), Reply::Answer(error));
    }
}
