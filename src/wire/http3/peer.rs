//! What the other side says on streams of its own (RFC 9114, 6.2): its settings, that it stops, and QPACK's instructions.

use std::collections::BTreeSet;

use crate::wire::http3::Wrong;
use crate::wire::http3::frames::{CANCEL_PUSH, Frames, GOAWAY, MAX_PUSH_ID, Piece, SETTINGS};
use crate::wire::quic;

/// Type of the control stream.
pub const CONTROL: u64 = 0x00;
const PUSH: u64 = 0x01;
const QPACK_ENCODER: u64 = 0x02;
const QPACK_DECODER: u64 = 0x03;
/// Identifier of the longest head that a side takes.
pub const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
/// Settings of HTTP/2 that must not occur (RFC 9114, 7.2.4.1).
const RESERVED: [u64; 5] = [0x00, 0x02, 0x03, 0x04, 0x05];

/// Streams that a side opens in all: three are due, and some that nobody knows are usual.
pub const MAX_STREAMS: usize = 16;
/// Payload of a frame on the control stream: settings are some ten numbers.
const MAX_FRAME: usize = 1 << 10;

/// Which side the other one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It asks.
    Client,
    /// It answers.
    Server,
}

/// Reads the other side's own streams.
#[derive(Debug)]
pub struct Peer {
    side: Side,
    streams: Vec<(u64, Stream)>,
    goaway: Option<u64>,
}

#[derive(Debug)]
enum Stream {
    /// Its type has not come yet.
    Untold(Vec<u8>),
    Control {
        frames: Frames,
        has_settings: bool,
    },
    /// Instructions to fill a table.
    Encoder,
    /// What became of references to one; whether a number goes on.
    Decoder {
        goes_on: bool,
    },
    /// A type that nobody knows.
    Unknown,
}

impl Stream {
    /// There is one of these, which stays.
    fn is_critical(&self) -> bool {
        !matches!(self, Self::Untold(_) | Self::Unknown)
    }
}

impl Peer {
    /// Nothing read yet.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            streams: Vec::new(),
            goaway: None,
        }
    }

    /// Bytes of one of its streams came.
    pub fn take(&mut self, id: u64, bytes: &[u8]) -> Result<(), Wrong> {
        let at = match self.streams.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None if self.streams.len() == MAX_STREAMS => {
                return Err(Wrong::Rule("streams without end"));
            }
            None => {
                self.streams.push((id, Stream::Untold(Vec::new())));
                self.streams.len() - 1
            }
        };
        let mut bytes = bytes;
        if let Some((_, Stream::Untold(head))) = self.streams.get_mut(at) {
            let Some(kind) = kind(head, &mut bytes) else {
                return Ok(());
            };
            let stream = self.begin(kind)?;
            if let Some((_, known)) = self.streams.get_mut(at) {
                *known = stream;
            }
        }
        let (side, goaway) = (self.side, &mut self.goaway);
        match self.streams.get_mut(at) {
            Some((
                _,
                Stream::Control {
                    frames,
                    has_settings,
                },
            )) => {
                while let Some(piece) = frames.next(&mut bytes)? {
                    control(side, piece, has_settings, goaway)?;
                }
                Ok(())
            }
            Some((_, Stream::Encoder)) => instructions(bytes),
            Some((_, Stream::Decoder { goes_on })) => cancellations(bytes, goes_on),
            _ => Ok(()),
        }
    }

    /// One of its streams ended or was reset.
    pub fn end(&self, id: u64) -> Result<(), Wrong> {
        let mut own = self.streams.iter();
        match own.find(|(known, _)| *known == id) {
            Some((_, stream)) if stream.is_critical() => {
                Err(Wrong::Rule("a stream ended that may not"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it said that it will not answer the request on this stream.
    pub fn refuses(&self, request: u64) -> bool {
        self.goaway.is_some_and(|first| request >= first)
    }

    /// A stream of this type begins.
    fn begin(&self, kind: u64) -> Result<Stream, Wrong> {
        let stream = match kind {
            CONTROL => Stream::Control {
                frames: Frames::new(MAX_FRAME),
                has_settings: false,
            },
            PUSH => return Err(Wrong::Rule("a push that nobody allowed")),
            QPACK_ENCODER => Stream::Encoder,
            QPACK_DECODER => Stream::Decoder { goes_on: false },
            _ => Stream::Unknown,
        };
        let mut others = self.streams.iter();
        let is_same = |(_, other): &(u64, Stream)| {
            std::mem::discriminant(other) == std::mem::discriminant(&stream)
        };
        if stream.is_critical() && others.any(is_same) {
            return Err(Wrong::Rule("a second stream of a type that is there once"));
        }
        Ok(stream)
    }
}

/// The type of a stream, once it is there.
fn kind(head: &mut Vec<u8>, bytes: &mut &[u8]) -> Option<u64> {
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        head.push(*byte);
        if let Some((kind, _)) = quic::number(head) {
            return Some(kind);
        }
    }
    None
}

/// One frame on the control stream.
fn control(
    side: Side,
    piece: Piece,
    has_settings: &mut bool,
    goaway: &mut Option<u64>,
) -> Result<(), Wrong> {
    const TWICE: Wrong = Wrong::Rule("settings are not what comes first, and once");
    let Piece::Whole(kind, payload) = piece else {
        return Err(Wrong::Rule(
            "a frame that has no place on the control stream",
        ));
    };
    if (kind == SETTINGS) == *has_settings {
        return Err(TWICE);
    }
    match (kind, side) {
        (SETTINGS, _) => {
            *has_settings = true;
            check_settings(&payload)
        }
        (GOAWAY, _) => {
            let first = only_number(&payload)?;
            // A server names a request of the client's.
            let is_request = side == Side::Client || first % 4 == 0;
            if !is_request || goaway.is_some_and(|before| first > before) {
                return Err(Wrong::Rule("a stream that cannot be the last"));
            }
            *goaway = Some(first);
            Ok(())
        }
        (MAX_PUSH_ID, Side::Client) => only_number(&payload).map(drop),
        (CANCEL_PUSH, _) => Err(Wrong::Rule("a push that nobody allowed")),
        _ => Err(Wrong::Rule(
            "a frame that has no place on the control stream",
        )),
    }
}

fn check_settings(mut payload: &[u8]) -> Result<(), Wrong> {
    const CUT: Wrong = Wrong::Rule("settings end inside a number");
    let mut seen = BTreeSet::new();
    while !payload.is_empty() {
        let (id, rest) = quic::number(payload).ok_or(CUT)?;
        let (_, rest) = quic::number(rest).ok_or(CUT)?;
        if RESERVED.contains(&id) || !seen.insert(id) {
            return Err(Wrong::Rule("a setting that may not be, or is there twice"));
        }
        payload = rest;
    }
    Ok(())
}

fn only_number(payload: &[u8]) -> Result<u64, Wrong> {
    match quic::number(payload) {
        Some((number, [])) => Ok(number),
        _ => Err(Wrong::Rule("a frame of one number is something else")),
    }
}

/// Instructions to fill a table of no size: it may be said to have none, and nothing else (RFC 9204, 4.3).
fn instructions(bytes: &[u8]) -> Result<(), Wrong> {
    const CAPACITY_OF_NOTHING: u8 = 0x20;
    if bytes.iter().all(|byte| *byte == CAPACITY_OF_NOTHING) {
        return Ok(());
    }
    Err(Wrong::Rule("a table is filled that is not there"))
}

/// A reader may say that it gave up a stream; nothing else is to be said of a table that is not there (RFC 9204, 4.4).
fn cancellations(bytes: &[u8], goes_on: &mut bool) -> Result<(), Wrong> {
    for byte in bytes {
        *goes_on = match (*goes_on, byte >> 6) {
            (true, _) => byte & 0x80 != 0,
            (false, 1) => byte & 0x3f == 0x3f,
            (false, _) => return Err(Wrong::Rule("a table was read that is not there")),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::http3::settings;

    fn server(streams: &[&[u8]]) -> Result<Peer, Wrong> {
        let mut peer = Peer::new(Side::Server);
        for (at, stream) in streams.iter().enumerate() {
            for byte in *stream {
                peer.take(at as u64, &[*byte])?;
            }
        }
        Ok(peer)
    }

    #[test]
    fn what_is_usual_is_read() {
        let grease = [0x21, 1, 2, 3];
        let mut control = settings(64 << 10);
        // A setting and a frame that nobody knows; more settings than ours fit into the rest.
        control.extend([0x21, 2, 9, 9]);
        let peer = server(&[
            &control,
            &[2, 0x20],
            &[3, 0x44, 0x7f, 0x80, 0x01, 0x40],
            &grease,
        ]);
        let peer = peer.unwrap();
        assert!(!peer.refuses(0));
        assert_eq!(peer.end(3), Ok(()));
        assert_eq!(peer.end(9), Ok(()));
        for critical in 0..3 {
            assert!(peer.end(critical).is_err());
        }
    }

    #[test]
    fn a_server_that_stops_refuses_what_comes_later() {
        let peer = server(&[&[0, 4, 0, 7, 1, 8, 7, 1, 4]]).unwrap();
        assert!(!peer.refuses(0) && peer.refuses(4) && peer.refuses(8));
        for wrong in [
            &[0, 4, 0, 7, 1, 3][..],
            &[0, 4, 0, 7, 1, 4, 7, 1, 8],
            &[0, 4, 0, 7, 0],
        ] {
            assert!(server(&[wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_breaks_a_rule_is_wrong() {
        let control = &[0, 4, 0][..];
        for streams in [
            // Two of a kind, and a push.
            &[control, control][..],
            &[&[2], &[2]],
            &[&[1, 0]],
            // Settings not first, twice, of HTTP/2, twice the same, cut; frames out of place.
            &[&[0, 7, 1, 0]],
            &[&[0, 4, 0, 4, 0]],
            &[&[0, 4, 2, 2, 0]],
            &[&[0, 4, 4, 6, 1, 6, 1]],
            &[&[0, 4, 1, 6]],
            &[&[0, 4, 0, 0, 0]],
            &[&[0, 0, 0]],
            &[&[0, 4, 0, 1, 0]],
            &[&[0, 4, 0, 3, 1, 0]],
            &[&[0, 4, 0, 13, 1, 0]],
            // An insertion, a capacity, an acknowledgement, a count.
            &[&[2, 0xc0, 0]],
            &[&[2, 0x21]],
            &[&[3, 0x80]],
            &[&[3, 0x01]],
        ] {
            assert!(server(streams).is_err(), "{streams:?}");
        }
        let many = vec![&[0x21][..]; MAX_STREAMS];
        assert!(server(&many).is_ok());
        let many = vec![&[0x21][..]; MAX_STREAMS + 1];
        assert!(server(&many).is_err());
        // What a client may say.
        let mut client = Peer::new(Side::Client);
        assert_eq!(client.take(2, &[0, 4, 0, 13, 1, 0, 7, 1, 1]), Ok(()));
    }

    proptest! {
        #[test]
        fn any_streams_are_read_without_a_panic(streams in prop::collection::vec((0_u64..4, prop::collection::vec(any::<u8>(), 0..60)), 0..20)) {
            for side in [Side::Client, Side::Server] {
                let mut peer = Peer::new(side);
                for (id, bytes) in &streams {
                    let _ = peer.take(*id, bytes);
                    let _ = peer.end(*id);
                }
            }
        }
    }
}
