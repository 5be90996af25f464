//! Frames (RFC 9114, 7): the body in the pieces in which it comes, the rest whole and bounded, what nobody knows passed over.

use crate::wire::http3::Wrong;
use crate::wire::quic::{self, put_number};

/// A piece of the body.
pub const DATA: u64 = 0x00;
/// A head or trailers.
pub const HEADERS: u64 = 0x01;
/// A push is not wanted.
pub const CANCEL_PUSH: u64 = 0x03;
/// What a side can do.
pub const SETTINGS: u64 = 0x04;
/// A push is announced.
pub const PUSH_PROMISE: u64 = 0x05;
/// No more requests.
pub const GOAWAY: u64 = 0x07;
/// How many pushes are allowed.
pub const MAX_PUSH_ID: u64 = 0x0d;
/// HTTP/2's own, which must not occur (RFC 9114, 7.2.8).
const RESERVED: [u64; 4] = [0x02, 0x06, 0x08, 0x09];

/// What comes out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A part of a DATA frame; empty where one begins.
    Data(&'a [u8]),
    /// Another frame that is known, whole.
    Whole(u64, Vec<u8>),
}

/// Reads the frames of one stream.
#[derive(Debug)]
pub struct Frames {
    /// Payload of a whole frame at most, bytes.
    limit: usize,
    /// The header of the next frame, as far as it is there: at most two numbers.
    head: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Header,
    Data {
        left: u64,
    },
    Unknown {
        left: u64,
    },
    Whole {
        kind: u64,
        left: u64,
        payload: Vec<u8>,
    },
}

impl Frames {
    /// Nothing read yet; frames other than DATA may be that long.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            head: Vec::new(),
            state: State::Header,
        }
    }

    /// Takes bytes from the front until a piece is there, or none are left.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Wrong> {
        loop {
            match &mut self.state {
                State::Header => match self.header(bytes)? {
                    Some(DATA) => return Ok(Some(Piece::Data(&[]))),
                    Some(_) => {}
                    None => return Ok(None),
                },
                State::Data { left: 0 } | State::Unknown { left: 0 } => self.state = State::Header,
                State::Whole {
                    left: 0,
                    kind,
                    payload,
                } => {
                    let piece = Piece::Whole(*kind, std::mem::take(payload));
                    self.state = State::Header;
                    return Ok(Some(piece));
                }
                _ if bytes.is_empty() => return Ok(None),
                State::Data { left } => return Ok(Some(Piece::Data(cut(bytes, left)))),
                State::Unknown { left } => {
                    cut(bytes, left);
                }
                State::Whole { left, payload, .. } => payload.extend_from_slice(cut(bytes, left)),
            }
        }
    }

    /// Whether the stream may end here.
    pub fn is_between(&self) -> bool {
        self.head.is_empty()
            && matches!(
                self.state,
                State::Header | State::Data { left: 0 } | State::Unknown { left: 0 }
            )
    }

    /// The kind of the frame that begins, once its header is whole.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<Option<u64>, Wrong> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.head.push(*byte);
            let Some((kind, rest)) = quic::number(&self.head) else {
                continue;
            };
            let Some((left, _)) = quic::number(rest) else {
                continue;
            };
            self.head.clear();
            self.state = match kind {
                DATA => State::Data { left },
                HEADERS | CANCEL_PUSH | SETTINGS | PUSH_PROMISE | GOAWAY | MAX_PUSH_ID => {
                    if usize::try_from(left).map_or(true, |left| left > self.limit) {
                        return Err(Wrong::Rule("a frame is longer than the limit"));
                    }
                    let payload = Vec::new();
                    State::Whole {
                        kind,
                        left,
                        payload,
                    }
                }
                reserved if RESERVED.contains(&reserved) => {
                    return Err(Wrong::Rule("a frame of HTTP/2"));
                }
                _ => State::Unknown { left },
            };
            return Ok(Some(kind));
        }
        Ok(None)
    }
}

/// Takes what is there of what is left.
fn cut<'a>(bytes: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let due = usize::try_from(*left).unwrap_or(usize::MAX);
    let (piece, rest) = bytes.split_at(due.min(bytes.len()));
    *bytes = rest;
    *left -= piece.len() as u64;
    piece
}

/// Writes a frame.
pub fn put(out: &mut Vec<u8>, kind: u64, payload: &[u8]) {
    put_number(out, kind);
    put_number(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds and payloads, and whether the stream may end.
    type Told = (Vec<(u64, Vec<u8>)>, bool);

    /// All pieces of a stream that comes in parts of that many bytes.
    fn pieces(stream: &[u8], each: usize) -> Result<Told, Wrong> {
        let mut frames = Frames::new(64);
        let mut told: Vec<(u64, Vec<u8>)> = Vec::new();
        for mut part in stream.chunks(each) {
            while let Some(piece) = frames.next(&mut part)? {
                match piece {
                    Piece::Data([]) => told.push((DATA, Vec::new())),
                    Piece::Data(bytes) => told.last_mut().unwrap().1.extend(bytes),
                    Piece::Whole(kind, payload) => told.push((kind, payload)),
                }
            }
            assert!(part.is_empty());
        }
        Ok((told, frames.is_between()))
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let mut stream = Vec::new();
        // What nobody knows comes first, in between and at the end (RFC 9114, 9).
        put(&mut stream, 0x21, b"grease");
        put(&mut stream, HEADERS, b"head");
        put(&mut stream, DATA, b"bo");
        put(&mut stream, 0x40, b"");
        put(&mut stream, DATA, b"");
        put(&mut stream, DATA, b"dy");
        put(&mut stream, 0x1f_ffff, &[7; 100]);
        let due: Vec<(u64, Vec<u8>)> = [(HEADERS, "head"), (DATA, "bo"), (DATA, ""), (DATA, "dy")]
            .map(|(kind, text)| (kind, text.as_bytes().to_vec()))
            .to_vec();
        for each in 1..=stream.len() {
            assert_eq!(pieces(&stream, each), Ok((due.clone(), true)), "{each}");
        }
        let (_, is_between) = pieces(&stream[..stream.len() - 1], 9).unwrap();
        assert!(!is_between);
    }

    #[test]
    fn what_is_too_long_or_http_2_is_wrong_before_it_is_there() {
        let mut long = Vec::new();
        put_number(&mut long, HEADERS);
        put_number(&mut long, 65);
        assert_eq!(
            pieces(&long, 9),
            Err(Wrong::Rule("a frame is longer than the limit"))
        );
        for kind in RESERVED {
            let mut stream = Vec::new();
            put(&mut stream, kind, b"");
            assert_eq!(pieces(&stream, 9), Err(Wrong::Rule("a frame of HTTP/2")));
        }
        // Whatever is not kept may be as long as it likes.
        let mut data = Vec::new();
        put_number(&mut data, DATA);
        put_number(&mut data, (1 << 62) - 1);
        assert_eq!(pieces(&data, 9), Ok((vec![(DATA, Vec::new())], false)));
    }
}
