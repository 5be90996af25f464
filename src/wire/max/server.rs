//! The server's half of MAX's protocol: answers SESSION_INIT, and refuses what else comes.

use super::frame::{self, Frame, Next};
use super::{APP_VERSION, SESSION_INIT, body};
use crate::wire::msgpack::Value;
use crate::wire::reading::Reply;

/// The server's half of one connection.
pub struct Server {
    location: String,
    buffer: Vec<u8>,
}

impl Server {
    /// A server that takes its client to be in this country.
    pub fn new(location: &str) -> Self {
        Self {
            location: location.to_owned(),
            buffer: Vec::new(),
        }
    }

    /// More bytes came; every whole frame among them is answered.
    pub fn take(&mut self, bytes: &[u8]) -> Reply {
        let room = frame::MAX_FRAME.saturating_sub(self.buffer.len());
        self.buffer.extend(bytes.iter().take(room));
        let mut answers = Vec::new();
        loop {
            match frame::next(&self.buffer) {
                Next::NeedMore if answers.is_empty() => return Reply::NeedMore,
                Next::NeedMore => return Reply::Answer(answers),
                Next::Not(_) => return Reply::NotOurs,
                Next::Whole(frame) => {
                    self.buffer.drain(..frame.taken);
                    answers.extend(self.answer(&frame));
                }
            }
        }
    }

    fn answer(&self, request: &Frame) -> Vec<u8> {
        let (command, payload) = match self.payload(request) {
            Ok(payload) => (frame::RESPONSE, payload),
            Err(payload) => (frame::ERROR, payload),
        };
        let plain = payload.encode();
        let packed = lz4_flex::block::compress(&plain);
        // The real server compresses too: the flags bound what the client sets aside.
        let times = plain.len().div_ceil(packed.len().max(1));
        let (flags, body) = match u8::try_from(times) {
            Ok(flags @ 1..=0x7f) => (flags, packed),
            _ => (0, plain),
        };
        frame::write(command, request.sequence, request.opcode, flags, &body)
    }

    fn payload(&self, request: &Frame) -> Result<Value, Value> {
        if request.command != frame::REQUEST || request.opcode != SESSION_INIT {
            return Err(complaint("proto.state", "Session is not initialized"));
        }
        let body = body::open(request.flags, &request.body)
            .and_then(|plain| Value::decode(&plain))
            .map_err(|why| complaint("proto.payload", why))?;
        let agent = body.field("userAgent");
        let version = agent
            .and_then(|agent| agent.field("appVersion"))
            .and_then(Value::as_text);
        if body.field("deviceId").and_then(Value::as_text).is_none() {
            return Err(complaint("proto.payload", "No device"));
        }
        if version != Some(APP_VERSION) {
            return Err(complaint("client.version", "Unsupported client version"));
        }
        Ok(Value::map([
            ("lang", Value::text("ru")),
            ("location", Value::text(&self.location)),
            ("phone-auth-enabled", Value::Bool(false)),
            (
                "reg-country-code",
                Value::Array(["AZ", "AM", "KZ", "KG"].map(Value::text).to_vec()),
            ),
            ("web-pwa-promo", Value::Bool(false)),
        ]))
    }
}

fn complaint(error: &str, message: &str) -> Value {
    Value::map([
        ("error", Value::text(error)),
        ("message", Value::text(message)),
        ("localizedMessage", Value::text(message)),
    ])
}
