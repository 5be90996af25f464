//! QUIC's invariants (RFC 8999): the long header of every version, and the question that a version nobody speaks is.

/// Shorter datagrams with a first packet are left without an answer (RFC 9000, 14.1).
pub const SHORTEST: usize = 1200;
/// Version 1 (RFC 9000).
pub const V1: u32 = 1;
/// Longest connection id of version 1; that of a later one may be longer, and is not ours then.
const LONGEST_ID: usize = 20;
/// Length of the connection ids that we draw.
const ID: usize = 8;
/// Versions that are kept of an answer.
const MAX_VERSIONS: usize = 16;

/// What every version's long header begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHeader<'a> {
    /// 0 in a Version Negotiation.
    pub version: u32,
    /// Connection id of whoever shall get it.
    pub to: &'a [u8],
    /// Connection id of whoever sent it.
    pub from: &'a [u8],
    /// Whatever follows.
    pub rest: &'a [u8],
}

impl<'a> LongHeader<'a> {
    /// The header at the beginning of a datagram, if it is a long one.
    pub fn of(datagram: &'a [u8]) -> Option<Self> {
        let (first, rest) = datagram.split_first()?;
        if first & 0x80 == 0 {
            return None;
        }
        let (version, rest) = rest.split_first_chunk()?;
        let (to, rest) = id(rest)?;
        let (from, rest) = id(rest)?;
        Some(Self {
            version: u32::from_be_bytes(*version),
            to,
            from,
            rest,
        })
    }
}

fn id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let length = usize::from(*length);
    (length <= LONGEST_ID)
        .then(|| rest.split_at_checked(length))
        .flatten()
}

/// A datagram like a client's first one, of a version that is reserved so that nobody ever speaks it (RFC 9000, 15): random
/// bytes behind a header. Other versions need not have what follows the connection ids, but servers read it before they
/// answer: no token, and the length of the rest.
pub fn greased(mut draw: [u8; SHORTEST]) -> [u8; SHORTEST] {
    const LENGTH: u8 = 8;
    const BEFORE: usize = 7 + 2 * ID;
    draw[0] = 0xc0 | (draw[0] & 0x0f);
    for byte in &mut draw[1..5] {
        *byte = (*byte & 0xf0) | 0x0a;
    }
    draw[5] = LENGTH;
    draw[6 + ID] = LENGTH;
    draw[BEFORE] = 0;
    // Two bytes, as the bits in front say, hold the length of what follows them.
    let [.., high, low] = (SHORTEST - BEFORE - 3).to_be_bytes();
    draw[BEFORE + 1] = 0x40 | high;
    draw[BEFORE + 2] = low;
    draw
}

/// The versions that a Version Negotiation offers in answer to our datagram: it must give both connection ids back, which
/// somebody who did not see the question cannot.
pub fn versions_offered(answer: &[u8], question: &[u8]) -> Option<Vec<u32>> {
    let (answer, question) = (LongHeader::of(answer)?, LongHeader::of(question)?);
    let is_ours = answer.version == 0 && answer.to == question.from && answer.from == question.to;
    if !is_ours || answer.rest.is_empty() {
        return None;
    }
    let versions = answer.rest.chunks_exact(4).take(MAX_VERSIONS);
    Some(
        versions
            .filter_map(|bytes| bytes.first_chunk().map(|it| u32::from_be_bytes(*it)))
            .collect(),
    )
}

/// A Version Negotiation in answer to a datagram.
pub fn negotiation(question: &[u8], versions: &[u32]) -> Option<Vec<u8>> {
    let question = LongHeader::of(question)?;
    let mut answer = vec![0xc0, 0, 0, 0, 0];
    for id in [question.from, question.to] {
        answer.push(u8::try_from(id.len()).ok()?);
        answer.extend_from_slice(id);
    }
    answer.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_question_is_a_long_header_of_a_version_that_nobody_speaks() {
        let question = greased([0x37; SHORTEST]);
        let header = LongHeader::of(&question).unwrap();
        assert_eq!(header.version, 0x3a3a_3a3a);
        assert_eq!((header.to.len(), header.from.len()), (ID, ID));
        // No token, and as many bytes as there are.
        let (before, after) = header.rest.split_at(3);
        let length = u16::from_be_bytes([before[1] & 0x3f, before[2]]);
        assert_eq!((before[0], before[1] >> 6), (0, 1));
        assert_eq!(usize::from(length), after.len());
    }

    #[test]
    fn only_an_answer_to_this_very_question_offers_versions() {
        let mut draw = [0x37; SHORTEST];
        draw[6] = 1;
        let question = greased(draw);
        let answer = negotiation(&question, &[V1, 0x6b33_43cf]).unwrap();
        assert_eq!(
            versions_offered(&answer, &question),
            Some(vec![V1, 0x6b33_43cf])
        );
        draw[6] = 2;
        assert_eq!(versions_offered(&answer, &greased(draw)), None);
        assert_eq!(versions_offered(&question, &question), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let question = greased([9; SHORTEST]);
            let _ = versions_offered(&bytes, &question);
            let _ = negotiation(&bytes, &[V1]);
        }
    }
}
