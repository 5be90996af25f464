//! The frames of MAX's protocol: ten bytes of header, big-endian, and a body.

/// The version in each header.
const VERSION: u8 = 10;
/// Bytes of a header.
const HEADER: usize = 10;
/// Bytes of a body at most, as it is on the wire.
const MAX_BODY: usize = 64 * 1024;
/// Bytes of a frame at most.
pub const MAX_FRAME: usize = HEADER + MAX_BODY;

/// A client's request, or a push of the server.
pub const REQUEST: u8 = 0;
/// An answer.
pub const RESPONSE: u8 = 1;
/// Something that happened.
const EVENT: u8 = 2;
/// An answer that refuses.
pub const ERROR: u8 = 3;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What kind it is.
    pub command: u8,
    /// Number of the request it belongs to.
    pub sequence: u16,
    /// What it is about.
    pub opcode: u16,
    /// How the body is compressed.
    pub flags: u8,
    /// The body as it is on the wire.
    pub body: Vec<u8>,
    /// Bytes of the stream that the frame took.
    pub taken: usize,
}

/// What is at the beginning of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The beginning of a frame.
    NeedMore,
    /// A whole one.
    Whole(Frame),
    /// No frame.
    Not(&'static str),
}

/// The first frame of the stream. What cannot become one is told by its first bytes.
pub fn next(bytes: &[u8]) -> Next {
    if bytes.first().is_some_and(|version| *version != VERSION) {
        return Next::Not("no frame of version 10");
    }
    if bytes
        .get(1)
        .is_some_and(|command| !matches!(*command, REQUEST | RESPONSE | EVENT | ERROR))
    {
        return Next::Not("a frame of no known kind");
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Next::NeedMore;
    };
    let [_, command, s0, s1, o0, o1, flags, l0, l1, l2] = *header;
    let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
    if length > MAX_BODY {
        return Next::Not("a frame of impossible length");
    }
    let Some(body) = rest.get(..length) else {
        return Next::NeedMore;
    };
    Next::Whole(Frame {
        command,
        sequence: u16::from_be_bytes([s0, s1]),
        opcode: u16::from_be_bytes([o0, o1]),
        flags,
        body: body.to_vec(),
        taken: HEADER + length,
    })
}

/// A frame as bytes; bodies past the limit are cut there.
pub fn write(command: u8, sequence: u16, opcode: u16, flags: u8, body: &[u8]) -> Vec<u8> {
    let body = body.get(..MAX_BODY).unwrap_or(body);
    let [_, length @ ..] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![VERSION, command];
    frame.extend(sequence.to_be_bytes());
    frame.extend(opcode.to_be_bytes());
    frame.push(flags);
    frame.extend(length);
    frame.extend(body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_past_the_limit_is_refused_before_the_body_comes() {
        let header = [VERSION, RESPONSE, 0, 0, 0, 6, 0, 0x01, 0x00, 0x01];
        assert!(matches!(next(&header), Next::Not(_)));
    }

    #[test]
    fn a_page_of_http_is_no_frame() {
        assert!(matches!(next(b"HTTP/1.1 403 Forbidden"), Next::Not(_)));
    }
}
