//! HTTP/3 (RFC 9114) as bytes: a request, its answer, and what either side says on streams of its own. Both halves.
//!
//! QPACK (RFC 9204) without its dynamic table: we announce a table of no size, so whoever refers to it breaks a rule.
//! Everything that comes is somebody else's: it is held in fixed limits, and what is not HTTP/3 is said to be wrong.

use bytes::Bytes;

use crate::wire::quic::put_number;

pub mod frames;
pub mod huffman;
pub mod message;
pub mod peer;
pub mod qpack;

/// The ALPN identifier.
pub const ALPN: &str = "h3";

/// `H3_NO_ERROR`: we have seen what we wanted.
pub const NO_ERROR: u32 = 0x100;
/// `H3_GENERAL_PROTOCOL_ERROR`: what came was wrong.
pub const GENERAL_PROTOCOL_ERROR: u32 = 0x101;

/// A header or pseudo-header: name and value.
pub type Field = (Bytes, Bytes);

/// Why what came is no HTTP/3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It ends before what was due.
    Early,
    /// It breaks this rule.
    Rule(&'static str),
}

/// What a side says on its control stream, from its beginning: the stream's type, and SETTINGS with the longest head that
/// it takes. The sizes of QPACK's table are those of whoever says nothing: none.
pub fn settings(max_head: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    put_number(&mut payload, peer::MAX_FIELD_SECTION_SIZE);
    put_number(&mut payload, u64::try_from(max_head).unwrap_or(u64::MAX));
    let mut stream = Vec::new();
    put_number(&mut stream, peer::CONTROL);
    frames::put(&mut stream, frames::SETTINGS, &payload);
    stream
}
