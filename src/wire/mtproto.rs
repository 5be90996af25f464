//! MTProto, Telegram's protocol, as far as it goes without an account: `req_pq_multi` and its answer.
//!
//! Our half is here; the server's is in `server`. See <https://core.telegram.org/mtproto>.

use std::time::Duration;

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::reading::{Outcome, Reading};
use crate::wire::text;

use message::{Answer, ResPq};
use obfuscation::Cipher;
use transport::{Cut, Framing};

pub mod message;
mod obfuscation;
pub mod post;
pub mod server;
mod transport;

/// Bytes kept of an answer that is not whole: the longest that is due has far less.
const MAX_BUFFER: usize = 4096;

/// How messages are laid on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One that is announced by a tag.
    Tagged(Tag),
    /// Length, sequence number and CRC-32 around each message; no tag.
    Full,
    /// "obfuscated2": one of the tagged transports under AES-256-CTR, keyed by the first 64 bytes sent.
    Obfuscated {
        /// What is inside.
        inner: Tag,
        /// Number of the data centre; negative for media, plus 10000 for tests.
        dc: i16,
    },
    /// The message is the whole body of an HTTP request and of its answer.
    Body,
}

/// A transport that the first bytes announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `ef`: lengths of one byte, or four.
    Abridged,
    /// `ee ee ee ee`: lengths of four bytes.
    Intermediate,
    /// `dd dd dd dd`: the same, with up to 15 bytes of padding.
    Padded,
}

/// The randomness of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What the answer must echo.
    pub nonce: [u8; 16],
    /// Where the keys of the obfuscation come from.
    pub header: [u8; 64],
    /// Padding, and in the last byte how much of it.
    pub padding: [u8; 16],
}

/// Our half of one exchange.
pub struct Client {
    nonce: [u8; 16],
    framing: Framing,
    hello: Vec<u8>,
    cipher: Option<Cipher>,
    buffer: Vec<u8>,
    sent: bool,
    outcome: Outcome,
}

impl Client {
    /// One `req_pq_multi` at `unix` (time since 1970: servers refuse ids far from their clock).
    pub fn new(transport: Transport, unix: Duration, draw: &Draw) -> Self {
        let message = message::req_pq_multi(&draw.nonce, unix);
        let framing = Framing::of(transport);
        let packet = framing.pack(&message, 0, transport::padding(&draw.padding));
        let (hello, cipher) = match transport {
            Transport::Obfuscated { inner, dc } => {
                let (mut hello, mut ciphers) = obfuscation::open(draw.header, inner, dc);
                hello.extend(ciphers.sending.apply(&packet));
                (hello, Some(ciphers.receiving))
            }
            Transport::Tagged(tag) => ([tag.announcement(), &packet].concat(), None),
            Transport::Full | Transport::Body => (packet, None),
        };
        Self {
            nonce: draw.nonce,
            framing,
            hello,
            cipher,
            buffer: Vec::new(),
            sent: false,
            outcome: Outcome::default(),
        }
    }

    /// The bytes to send first; over HTTP, the body to post.
    pub fn hello(&self) -> Vec<u8> {
        self.hello.clone()
    }

    /// More bytes came.
    fn take(&mut self, bytes: &[u8]) -> Reading {
        let room = MAX_BUFFER.saturating_sub(self.buffer.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        match &mut self.cipher {
            Some(cipher) => self.buffer.extend(cipher.apply(bytes)),
            None => self.buffer.extend(bytes),
        }
        match self.framing.cut(&self.buffer) {
            Cut::NeedMore if self.buffer.len() >= MAX_BUFFER => {
                Reading::Failed("an endless answer")
            }
            Cut::NeedMore => Reading::NeedMore,
            Cut::Wrong(why) => Reading::Failed(why),
            Cut::Whole { payload, .. } => self.judge(&payload),
            Cut::Error(code) => error(code),
        }
    }

    /// The peer closed, or the body of the HTTP answer is over: the end of a message that does not tell its length.
    pub fn finish(&mut self) -> Progress {
        if let Some(over) = self.outcome.over() {
            return over;
        }
        let reading = self.ended();
        self.outcome.note(&[], reading)
    }

    fn ended(&self) -> Reading {
        match (self.framing, message::error_code(&self.buffer)) {
            (Framing::Bare, Some(code)) => error(code),
            _ if self.buffer.is_empty() => Reading::Failed("closed without an answer"),
            _ => Reading::Failed("closed in the middle of an answer"),
        }
    }

    fn judge(&self, payload: &[u8]) -> Reading {
        let padded = self.framing == Framing::Padded;
        match message::parse(payload, padded) {
            Ok(Answer::Error(code)) => error(code),
            Ok(Answer::ResPq(answer)) => Reading::Done(self.tell(&answer)),
            Ok(Answer::Request) => Reading::Failed("a request, not an answer"),
            Ok(Answer::Other(constructor)) => Reading::Done(
                Told::new(Stage::Parsed).saying("constructor", format!("{constructor:08x}")),
            ),
            Err(why) => Reading::Failed(why),
        }
    }

    fn tell(&self, answer: &ResPq) -> Told {
        let (stage, nonce) = if answer.nonce == self.nonce {
            (Stage::Bound, "ours")
        } else {
            (Stage::Parsed, "not ours")
        };
        let written: Vec<String> = answer
            .fingerprints
            .iter()
            .map(|fingerprint| format!("{fingerprint:016x}"))
            .collect();
        let known = answer
            .fingerprints
            .iter()
            .find_map(|seen| message::key(*seen));
        Told::new(stage)
            .saying("nonce", nonce)
            .saying("fingerprints", written.join(" "))
            .saying("known_key", known.unwrap_or(message::NO_KEY))
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

    fn is_answered(&self) -> bool {
        is_answer(&self.told())
    }
}

/// A transport error is a server's own word, although it echoes nothing.
pub(super) fn is_answer(told: &Told) -> bool {
    told.stage >= Stage::Bound || told.said("error").is_some()
}

/// A transport error: only who speaks MTProto sends one, but it echoes nothing of ours.
fn error(code: i32) -> Reading {
    let told = Told::new(Stage::Parsed).saying("error", code.to_string());
    Reading::Done(match message::meaning(code) {
        Some(meaning) => told.saying("meaning", text::escape(meaning, 80)),
        None => told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIX: Duration = Duration::from_millis(1_700_000_000_500);
    const DRAW: Draw = Draw {
        nonce: [7; 16],
        header: [9; 64],
        padding: [3; 16],
    };

    #[test]
    fn abridged_takes_42_bytes_and_intermediate_48() {
        let abridged = Client::new(Transport::Tagged(Tag::Abridged), UNIX, &DRAW).hello();
        assert_eq!((abridged.len(), &abridged[..2]), (42, &[0xef, 0x0a][..]));
        let intermediate = Client::new(Transport::Tagged(Tag::Intermediate), UNIX, &DRAW).hello();
        assert_eq!(intermediate[..8], [0xee, 0xee, 0xee, 0xee, 40, 0, 0, 0]);
        assert_eq!(intermediate.len(), 48);
        let full = Client::new(Transport::Full, UNIX, &DRAW).hello();
        assert_eq!(
            (full.len(), &full[..8]),
            (52, &[52, 0, 0, 0, 0, 0, 0, 0][..])
        );
        assert_eq!(Client::new(Transport::Body, UNIX, &DRAW).hello().len(), 40);
    }

    #[test]
    fn a_transport_error_proves_the_protocol_and_no_more() {
        let mut client = Client::new(Transport::Tagged(Tag::Abridged), UNIX, &DRAW);
        let Reading::Done(told) = client.take(&[0x01, 0x6c, 0xfe, 0xff, 0xff]) else {
            panic!("no transport error");
        };
        assert_eq!(
            (told.stage, told.said("error")),
            (Stage::Parsed, Some("-404"))
        );
    }

    #[test]
    fn the_body_of_an_http_answer_may_be_a_transport_error() {
        let mut client = Client::new(Transport::Body, UNIX, &DRAW);
        assert_eq!(client.take(&[0x53, 0xfe, 0xff, 0xff]), Reading::NeedMore);
        let Reading::Done(told) = client.ended() else {
            panic!("no transport error");
        };
        assert_eq!(told.said("error"), Some("-429"));
    }

    #[test]
    fn our_own_bytes_sent_back_are_no_answer() {
        let mut client = Client::new(Transport::Tagged(Tag::Intermediate), UNIX, &DRAW);
        let echo = client.hello();
        assert!(matches!(client.take(&echo[4..]), Reading::Failed(_)));
    }

    #[test]
    fn a_web_servers_complaint_is_no_answer() {
        for transport in [
            Transport::Full,
            Transport::Tagged(Tag::Abridged),
            Transport::Body,
        ] {
            let mut client = Client::new(transport, UNIX, &DRAW);
            let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            assert!(
                matches!(client.take(answer), Reading::Failed(_)),
                "{transport:?}"
            );
        }
    }
}
