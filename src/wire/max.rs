//! MAX's binary protocol as far as it goes without an account: SESSION_INIT and its answer.
//!
//! Only opcode 6 is ever sent: others send an SMS or begin a login. The server's half is in `server`.

use uuid::Builder;

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::msgpack::Value;
use crate::wire::reading::{Outcome, Reading};
use crate::wire::text;

use frame::{Frame, Next};

mod body;
mod frame;
pub mod server;

/// The version of the web client we say to be (October 2026). Servers refuse old ones, which is an answer too.
const APP_VERSION: &str = "26.10.1";
/// The system and browser we say to be.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/141.0.0.0 Safari/537.36";
/// Frames read before the one that is due.
const MAX_FRAMES: usize = 16;
/// Characters kept of one text.
const MAX_TEXT: usize = 200;
/// Keys named of an answer.
const MAX_KEYS: usize = 32;

/// The first request of a session.
const SESSION_INIT: u16 = 6;
/// Its number, and that of its answer.
const SEQUENCE: u16 = 0;

/// Our half of one session.
pub struct Client {
    hello: Vec<u8>,
    buffer: Vec<u8>,
    sent: bool,
    outcome: Outcome,
    frames: usize,
}

impl Client {
    /// A session from a device that nobody has seen: the random bytes become its id.
    pub fn new(device: [u8; 16]) -> Self {
        let device = Builder::from_random_bytes(device).into_uuid().to_string();
        let body = request(&device).encode();
        Self {
            hello: frame::write(frame::REQUEST, SEQUENCE, SESSION_INIT, 0, &body),
            buffer: Vec::new(),
            sent: false,
            outcome: Outcome::default(),
            frames: 0,
        }
    }

    /// The bytes to send first, inside TLS or as one message of the WebSocket.
    pub fn hello(&self) -> Vec<u8> {
        self.hello.clone()
    }

    /// More bytes came: pieces of frames, or several at once.
    fn take(&mut self, bytes: &[u8]) -> Reading {
        let room = frame::MAX_FRAME.saturating_sub(self.buffer.len());
        self.buffer.extend(bytes.iter().take(room));
        while self.frames < MAX_FRAMES {
            match frame::next(&self.buffer) {
                Next::NeedMore => return Reading::NeedMore,
                Next::Not(why) => return Reading::Failed(why),
                Next::Whole(frame) => {
                    self.frames += 1;
                    self.buffer.drain(..frame.taken);
                    if frame.opcode != SESSION_INIT || frame.sequence != SEQUENCE {
                        continue;
                    }
                    match frame.command {
                        frame::RESPONSE | frame::ERROR => return Reading::Done(told(&frame)),
                        frame::REQUEST => return Reading::Failed("a request, not an answer"),
                        _ => {}
                    }
                }
            }
        }
        // Frames of the protocol, but none of them for us.
        Reading::Done(Told::new(Stage::Parsed).saying("answer", "to nothing of ours"))
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

/// What is sent: the fields of the web client, and of this machine nothing.
fn request(device: &str) -> Value {
    let agent = Value::map([
        ("deviceType", Value::text("WEB")),
        ("pushDeviceType", Value::text("WEBPUSH")),
        ("locale", Value::text("ru")),
        ("deviceLocale", Value::text("ru")),
        ("osVersion", Value::text("Windows")),
        ("deviceName", Value::text("Chrome")),
        ("headerUserAgent", Value::text(BROWSER)),
        ("isPwa", Value::Bool(false)),
        ("appVersion", Value::text(APP_VERSION)),
        ("screen", Value::text("1080x1920 1.0x")),
        ("timezone", Value::text("Europe/Moscow")),
    ]);
    Value::map([("deviceId", Value::text(device)), ("userAgent", agent)])
}

/// What the answer says. The header echoes only constants, so the body must hold together too.
fn told(frame: &Frame) -> Told {
    let body = body::open(frame.flags, &frame.body).and_then(|plain| Value::decode(&plain));
    let is_error = frame.command == frame::ERROR;
    let answer = if is_error { "error" } else { "response" };
    match body {
        Ok(body @ Value::Map(_)) => {
            let told = Told::new(Stage::Bound).saying("answer", answer);
            if is_error {
                complaint(told, &body)
            } else {
                welcome(told, &body)
            }
        }
        Ok(_) => Told::new(Stage::Parsed)
            .saying("answer", answer)
            .saying("body", "no map"),
        Err(why) => Told::new(Stage::Parsed)
            .saying("answer", answer)
            .saying("body", why),
    }
}

fn welcome(mut told: Told, body: &Value) -> Told {
    if let Some(location) = body.field("location").and_then(Value::as_text) {
        told = told.saying("location", text::escape(location, MAX_TEXT));
    }
    if let Value::Map(pairs) = body {
        let keys: Vec<String> = pairs
            .iter()
            .filter_map(|(key, _)| key.as_text())
            .take(MAX_KEYS)
            .map(|key| text::escape(key, 40))
            .collect();
        told = told.saying("keys", keys.join(" "));
    }
    told
}

fn complaint(mut told: Told, body: &Value) -> Told {
    for name in ["error", "message", "localizedMessage"] {
        if let Some(said) = body.field(name).and_then(Value::as_text) {
            told = told.saying(name, text::escape(said, MAX_TEXT));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(reading: Reading) -> Told {
        match reading {
            Reading::Done(told) => told,
            other => panic!("{other:?}"),
        }
    }

    fn answered(command: u8, flags: u8, body: &[u8]) -> Told {
        let frame = frame::write(command, SEQUENCE, SESSION_INIT, flags, body);
        done(Client::new([4; 16]).take(&frame))
    }

    #[test]
    fn the_request_begins_as_documented() {
        let hello = Client::new([4; 16]).hello();
        assert_eq!(hello[..7], [0x0a, 0, 0, 0, 0, 6, 0]);
        let body = Value::decode(&hello[10..]).unwrap();
        let device = body.field("deviceId").and_then(Value::as_text);
        assert_eq!(device, Some("04040404-0404-4404-8404-040404040404"));
        let agent = body.field("userAgent").unwrap();
        let version = agent.field("appVersion").and_then(Value::as_text);
        assert_eq!(version, Some("26.10.1"));
    }

    #[test]
    fn the_country_is_told_from_every_kind_of_body() {
        let plain = Value::map([("location", Value::text("RU"))]).encode();
        let lz4 = lz4_flex::block::compress(&plain);
        let zstd = ruzstd::encoding::compress_to_vec(
            &plain[..],
            ruzstd::encoding::CompressionLevel::Uncompressed,
        );
        for (flags, body) in [(0, plain), (2, lz4), (0xff, zstd)] {
            let told = answered(frame::RESPONSE, flags, &body);
            assert_eq!(
                (told.stage, told.said("location")),
                (Stage::Bound, Some("RU")),
                "{flags}"
            );
        }
    }

    #[test]
    fn an_old_client_is_refused_in_the_servers_words() {
        let body = Value::map([
            ("error", Value::text("client.version")),
            ("message", Value::text("Unsupported client version")),
        ]);
        let told = answered(frame::ERROR, 0, &body.encode());
        assert_eq!(told.stage, Stage::Bound);
        assert_eq!(told.said("message"), Some("Unsupported client version"));
    }

    #[test]
    fn a_frame_whose_body_is_noise_binds_nothing() {
        for flags in [0, 3, 0x90, 0xff] {
            let told = answered(frame::RESPONSE, flags, &[0xc1, 0xff, 0x00, 0x12]);
            assert_eq!(told.stage, Stage::Parsed, "{flags}");
        }
    }

    #[test]
    fn pushes_before_the_answer_are_passed_over() {
        let mut client = Client::new([4; 16]);
        let push = frame::write(frame::REQUEST, 9, 128, 0, &[0x80]);
        let answer = frame::write(frame::RESPONSE, SEQUENCE, SESSION_INIT, 0, &[0x80]);
        let told = done(client.take(&[push, answer].concat()));
        assert_eq!(told.stage, Stage::Bound);
    }

    #[test]
    fn our_own_bytes_sent_back_are_no_answer() {
        let mut client = Client::new([4; 16]);
        let echo = client.hello();
        assert!(matches!(client.take(&echo), Reading::Failed(_)));
    }
}
