//! WhatsApp's handshake up to the server's answer: Noise XX with X25519, AES-256-GCM and SHA-256, and one deviation.
//!
//! The empty payload of message 1 is not mixed into the hash, so libraries of plain Noise end with other keys. What follows
//! the answer (ClientFinish) would be a login and is not here. Facts: whatsmeow, Baileys and whatsapp-rust agree.

use crate::wire::handshake::Progress;

pub mod certificates;
pub mod initiator;
pub mod keys;
pub mod responder;
mod symmetric;

/// Goes before the first frame: "WA", magic value 6, version 3 of the dictionary.
pub const HEADER: [u8; 4] = [0x57, 0x41, 0x06, 0x03];

/// Longest frame that is read. A ServerHello had 347 bytes in 2026; three bytes of length could announce 16 MiB.
pub const MAX_FRAME: usize = 64 << 10;

/// Fields of `HandshakeMessage`.
const CLIENT_HELLO: u32 = 2;
const SERVER_HELLO: u32 = 3;

/// Fields of both hellos.
const EPHEMERAL: u32 = 1;
const STATIC: u32 = 2;
const PAYLOAD: u32 = 3;

/// Bytes of a frame's length, big-endian.
const LENGTH: usize = 3;

/// The first frame of a stream, put together from pieces. What follows it is not looked at.
#[derive(Clone, Debug, Default)]
struct FirstFrame {
    bytes: Vec<u8>,
}

impl FirstFrame {
    /// Takes a piece; `Done` once the frame is whole.
    fn take(&mut self, piece: &[u8]) -> Progress {
        let room = (LENGTH + MAX_FRAME).saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(piece.get(..room).unwrap_or(piece));
        match self.length() {
            None => Progress::More,
            Some(length) if length > MAX_FRAME => Progress::Failed("a frame longer than 64 KiB"),
            Some(length) if self.bytes.len() < LENGTH + length => Progress::More,
            Some(_) => Progress::Done,
        }
    }

    /// The frame without its length, as far as it came.
    fn body(&self) -> &[u8] {
        let end = LENGTH + self.length().unwrap_or(0);
        let end = end.min(self.bytes.len());
        self.bytes.get(LENGTH..end).unwrap_or_default()
    }

    fn length(&self) -> Option<usize> {
        let [high, middle, low] = *self.bytes.first_chunk::<LENGTH>()?;
        Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }
}

/// A frame of its own; nothing here is nearly as long as a frame may be.
fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = Vec::with_capacity(LENGTH + body.len());
    frame.extend_from_slice(&length[1..]);
    frame.extend_from_slice(body);
    frame
}

#[cfg(test)]
mod tests;
