//! HTTP/3 from either side: any bytes, in any pieces, no panic, nothing past the limits, and the same however they are cut.
#![no_main]

use blockprobe::wire::http3::message::{Answer, Part, Question};
use blockprobe::wire::http3::peer::{Peer, Side};
use blockprobe::wire::http3::{Wrong, huffman, qpack};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    // The first byte says how long the pieces are.
    let Some((each, stream)) = bytes.split_first() else {
        return;
    };
    let each = usize::from(*each).max(1);
    assert_eq!(read(stream, each), read(stream, stream.len().max(1)));
    let _ = Question::new(LIMIT).take(stream);
    for side in [Side::Client, Side::Server] {
        let mut peer = Peer::new(side);
        for (at, piece) in stream.chunks(each).enumerate() {
            let id = at as u64 % 5;
            if peer.take(id, piece).is_err() || peer.end(id + 1).is_err() {
                break;
            }
        }
    }
    if let Ok(fields) = qpack::decode(stream, LIMIT) {
        let size: usize = fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum();
        assert!(size <= LIMIT);
        let pairs = fields.iter().map(|(name, value)| (&name[..], &value[..]));
        assert_eq!(
            qpack::decode(&qpack::encode(pairs), LIMIT),
            Ok(fields.clone())
        );
    }
    if let Ok(text) = huffman::decode(stream, LIMIT) {
        assert!(text.len() <= LIMIT);
    }
});

/// Status, and length of the body.
fn read(stream: &[u8], each: usize) -> Result<(Option<u16>, usize), Wrong> {
    let mut answer = Answer::new(LIMIT);
    let mut told = (None, 0);
    for mut piece in stream.chunks(each) {
        while let Some(part) = answer.next(&mut piece)? {
            match part {
                Part::Head(head) => told.0 = Some(head.status.as_u16()),
                Part::Body(bytes) => told.1 += bytes.len(),
            }
        }
    }
    answer.end().map(|()| told)
}
