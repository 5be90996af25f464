//! How MTProto's transports cut the stream into messages.

use crate::wire::mtproto::message::{self, MAX_MESSAGE};
use crate::wire::mtproto::{Tag, Transport};

/// Padding at most.
const MAX_PADDING: usize = 15;
/// What the full transport adds: length, sequence number, CRC-32.
const FULL: usize = 12;

/// How messages are told apart, whatever lies around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A length in words of four bytes.
    Abridged,
    /// A length in bytes.
    Intermediate,
    /// The same, with padding.
    Padded,
    /// With sequence number and CRC-32.
    Full,
    /// Not at all: the message tells its own length.
    Bare,
}

/// What is at the beginning of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The beginning of a message.
    NeedMore,
    /// A whole one, and the bytes it took.
    Whole {
        /// The message or transport error.
        payload: Vec<u8>,
        /// Bytes of the stream that it took.
        taken: usize,
    },
    /// A transport error in the place of a length.
    Error(i32),
    /// Nothing of this transport.
    Wrong(&'static str),
}

impl Framing {
    /// What a transport cuts by.
    pub fn of(transport: Transport) -> Self {
        match transport {
            Transport::Tagged(tag) | Transport::Obfuscated { inner: tag, .. } => Self::tagged(tag),
            Transport::Full => Self::Full,
            Transport::Body => Self::Bare,
        }
    }

    /// What a tag announces.
    pub fn tagged(tag: Tag) -> Self {
        match tag {
            Tag::Abridged => Self::Abridged,
            Tag::Intermediate => Self::Intermediate,
            Tag::Padded => Self::Padded,
        }
    }

    /// One message on the stream; the sequence number is of the full transport, the padding of the padded one.
    pub fn pack(self, payload: &[u8], sequence: u32, padding: &[u8]) -> Vec<u8> {
        let length = |extra: usize| u32::try_from(payload.len() + extra).unwrap_or(u32::MAX);
        match self {
            Self::Abridged => [&words(payload.len() / 4)[..], payload].concat(),
            Self::Intermediate => [&length(0).to_le_bytes()[..], payload].concat(),
            Self::Padded => [&length(padding.len()).to_le_bytes()[..], payload, padding].concat(),
            Self::Full => {
                let head = [length(FULL).to_le_bytes(), sequence.to_le_bytes()].concat();
                let packet = [&head[..], payload].concat();
                let sum = crc32fast::hash(&packet);
                [&packet[..], &sum.to_le_bytes()].concat()
            }
            Self::Bare => payload.to_vec(),
        }
    }

    /// The first message of the stream. What cannot become one is told before it is whole.
    pub fn cut(self, bytes: &[u8]) -> Cut {
        match self {
            Self::Abridged => match abridged_head(bytes) {
                Ok(Some((head, length))) => cut_at(bytes, head, length, 0),
                Ok(None) => Cut::NeedMore,
                Err(why) => Cut::Wrong(why),
            },
            Self::Intermediate => match word(bytes, 0) {
                Some(length) => cut_at(bytes, 4, length, 0),
                None => Cut::NeedMore,
            },
            Self::Padded => match word(bytes, 0) {
                Some(length) => cut_at(bytes, 4, length, MAX_PADDING),
                None => Cut::NeedMore,
            },
            Self::Full => cut_full(bytes),
            Self::Bare => cut_bare(bytes),
        }
    }
}

impl Tag {
    /// What a client sends first.
    pub fn announcement(self) -> &'static [u8] {
        match self {
            Self::Abridged => &[0xef],
            Self::Intermediate => &[0xee; 4],
            Self::Padded => &[0xdd; 4],
        }
    }
}

/// As much of the drawn padding as its last byte says.
pub fn padding(draw: &[u8; 16]) -> &[u8] {
    &draw[..usize::from(draw[15]) % (MAX_PADDING + 1)]
}

/// The abridged transport's length.
fn words(count: usize) -> Vec<u8> {
    match u8::try_from(count) {
        Ok(short) if short < 0x7f => vec![short],
        _ => {
            let [a, b, c, ..] = count.to_le_bytes();
            vec![0x7f, a, b, c]
        }
    }
}

fn abridged_head(bytes: &[u8]) -> Result<Option<(usize, usize)>, &'static str> {
    match bytes {
        [0x7f, a, b, c, ..] => {
            let count = u32::from_le_bytes([*a, *b, *c, 0]);
            Ok(usize::try_from(count).ok().map(|count| (4, count * 4)))
        }
        [] | [0x7f, ..] => Ok(None),
        // The upper bit is of a quick acknowledgement, which nobody asked for.
        [0x80..=0xff, ..] => Err("no length of the abridged transport"),
        [short, ..] => Ok(Some((1, usize::from(*short) * 4))),
    }
}

/// A payload of `length` bytes behind `head` bytes, of which the last `padding` may be padding.
fn cut_at(bytes: &[u8], head: usize, length: usize, padding: usize) -> Cut {
    if !(4..=MAX_MESSAGE + padding).contains(&length) {
        return Cut::Wrong("a packet of impossible length");
    }
    let seen = bytes.get(head..).unwrap_or_default();
    match seen.get(..length) {
        Some(payload) => Cut::Whole {
            payload: payload.to_vec(),
            taken: head + length,
        },
        // A transport error has four bytes: what is longer must look like a message from the first byte.
        None if length > 4 + padding => still(message::objection(seen)),
        None => Cut::NeedMore,
    }
}

fn cut_full(bytes: &[u8]) -> Cut {
    let Some(length) = word(bytes, 0) else {
        return Cut::NeedMore;
    };
    let Some(head) = bytes.first_chunk::<8>() else {
        return Cut::NeedMore;
    };
    // Servers were seen to answer a flood so: https://github.com/LonamiWebs/Telethon/issues/4042.
    if let Some(code) = message::error_code(&head[..4])
        && head[..4] == head[4..]
    {
        return Cut::Error(code);
    }
    if !(FULL + 4..=MAX_MESSAGE + FULL).contains(&length) {
        return Cut::Wrong("a packet of impossible length");
    }
    let Some((payload, sum)) = bytes
        .get(..length)
        .and_then(|packet| packet.split_last_chunk::<4>())
    else {
        return if length > FULL + 4 {
            let seen = bytes.get(8..bytes.len().min(length - 4));
            still(message::objection(seen.unwrap_or_default()))
        } else {
            Cut::NeedMore
        };
    };
    if u32::from_le_bytes(*sum) != crc32fast::hash(payload) {
        return Cut::Wrong("a packet with a wrong checksum");
    }
    Cut::Whole {
        payload: payload.get(8..).unwrap_or_default().to_vec(),
        taken: length,
    }
}

fn cut_bare(bytes: &[u8]) -> Cut {
    // Four bytes alone are a transport error, but only the end of the body tells.
    if bytes.len() <= 4 {
        return Cut::NeedMore;
    }
    if let Some(why) = message::objection(bytes) {
        return Cut::Wrong(why);
    }
    let Some(length) = word(bytes, 16) else {
        return Cut::NeedMore;
    };
    match bytes.get(..message::HEADER.saturating_add(length)) {
        Some(payload) => Cut::Whole {
            payload: payload.to_vec(),
            taken: payload.len(),
        },
        None => Cut::NeedMore,
    }
}

fn still(objection: Option<&'static str>) -> Cut {
    objection.map_or(Cut::NeedMore, Cut::Wrong)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_gives_back_what_it_packed() {
        // A message of 600 bytes, so that the abridged length takes its long form.
        let payload = [vec![0; 16], 580_u32.to_le_bytes().to_vec(), vec![5; 580]].concat();
        for framing in [
            Framing::Abridged,
            Framing::Intermediate,
            Framing::Full,
            Framing::Bare,
        ] {
            let packed = framing.pack(&payload, 3, &[]);
            for end in 0..packed.len() {
                assert_eq!(framing.cut(&packed[..end]), Cut::NeedMore, "{framing:?}");
            }
            let whole = Cut::Whole {
                payload: payload.clone(),
                taken: packed.len(),
            };
            assert_eq!(framing.cut(&[&packed[..], &[1]].concat()), whole);
        }
    }

    #[test]
    fn a_flipped_bit_breaks_the_checksum() {
        let mut packed = Framing::Full.pack(&[0; 40], 0, &[]);
        packed[20] ^= 1;
        assert!(matches!(Framing::Full.cut(&packed), Cut::Wrong(_)));
    }
}
