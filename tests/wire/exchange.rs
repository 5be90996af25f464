//! Feeding a client in pieces.

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress, Told};
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes of any kind, up to `most`.
pub fn noise(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// Places to cut a stream at.
pub fn cuts() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 0..6)
}

/// Gives the client the bytes, cut at these places, and tells what it then knows.
pub fn fed(client: &mut impl Handshake, bytes: &[u8], cuts: &[Index]) -> (Progress, Told) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut progress = Progress::More;
    for pair in places.windows(2) {
        progress = client.receive(&bytes[pair[0]..pair[1]]);
    }
    (progress, client.told())
}

/// The same, one byte at a time.
pub fn dripped(client: &mut impl Handshake, bytes: &[u8]) -> (Progress, Told) {
    let mut progress = Progress::More;
    for byte in bytes {
        progress = client.receive(&[*byte]);
    }
    (progress, client.told())
}

/// Every beginning of an answer, the whole one aside, leaves the client unbound; the whole one binds it, also dripped.
pub fn only_the_whole_answer_binds<C: Handshake>(fresh: impl Fn() -> C, answer: &[u8]) {
    for end in 0..answer.len() {
        let (progress, told) = fed(&mut fresh(), &answer[..end], &[]);
        assert_eq!(
            progress,
            Progress::More,
            "after {end} of {} bytes",
            answer.len()
        );
        assert!(
            told.stage < Stage::Parsed,
            "after {end} of {} bytes",
            answer.len()
        );
    }
    for (progress, told) in [
        fed(&mut fresh(), answer, &[]),
        dripped(&mut fresh(), answer),
    ] {
        assert_eq!((progress, told.stage), (Progress::Done, Stage::Bound));
    }
}
