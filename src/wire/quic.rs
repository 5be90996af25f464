//! QUIC's invariants (RFC 8999): the long header of every version, and the question that a version nobody speaks is; and the
//! numbers of version 1 and of HTTP/3.

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

/// The number at the beginning of some bytes, and what follows it (RFC 9000, 16).
pub fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = 1_usize << (bytes.first()? >> 6);
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    let mask = u64::MAX >> (64 - (8 * length - 2));
    Some((value & mask, rest))
}

/// Writes a number as shortly as it can be; the largest stands for what is larger.
pub fn put_number(out: &mut Vec<u8>, value: u64) {
    const LARGEST: u64 = (1 << 62) - 1;
    let (kind, length) = match value {
        0..=0x3f => (0, 1),
        0x40..=0x3fff => (1, 2),
        0x4000..=0x3fff_ffff => (2, 4),
        _ => (3_u64, 8_usize),
    };
    let told = value.min(LARGEST) | kind << (8 * length - 2);
    out.extend(told.to_be_bytes().iter().skip(8 - length));
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

    #[test]
    fn numbers_are_read_and_written_in_all_four_lengths() {
        // RFC 9000, A.1.
        for (digits, value) in [
            (&[0x25][..], 37),
            (&[0x7b, 0xbd], 15_293),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
        ] {
            let longer = [digits, &[9]].concat();
            assert_eq!(number(&longer), Some((value, &[9][..])));
            assert_eq!(number(&digits[..digits.len() - 1]), None);
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(out, digits);
        }
        assert_eq!(number(&[0x40, 0x25]), Some((37, &[][..])));
    }

    proptest! {
        #[test]
        fn every_number_reads_back(value in 0..1_u64 << 62) {
            let mut out = Vec::new();
            put_number(&mut out, value);
            prop_assert_eq!(number(&out), Some((value, &[][..])));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let question = greased([9; SHORTEST]);
            let _ = versions_offered(&bytes, &question);
            let _ = negotiation(&bytes, &[V1]);
        }
    }
}
