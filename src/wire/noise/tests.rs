//! Both sides against each other, and against everything else.

use proptest::prelude::*;

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress};
use crate::wire::noise::certificates::{self, Details};
use crate::wire::noise::initiator::Initiator;
use crate::wire::noise::responder::{Identity, Responder, Secrets};
use crate::wire::noise::{FirstFrame, MAX_FRAME, SERVER_HELLO, frame, keys};
use crate::wire::protobuf::{Message, bytes_of};

const VALID: (u64, u64) = (1_700_000_000, 1_900_000_000);
const NOW: u64 = 1_800_000_000;

fn secrets(root: [u8; 32]) -> Secrets {
    Secrets {
        root,
        intermediate: [2; 32],
        leaf: [3; 32],
    }
}

fn identity(root: [u8; 32]) -> Identity {
    Identity::new(&secrets(root), VALID, &[[4; 64], [5; 64]])
}

/// Asks with this ephemeral key and a root key that is the public half of `[1; 32]`.
fn asking(ephemeral: [u8; 32]) -> Initiator {
    asking_at(ephemeral, NOW)
}

fn asking_at(ephemeral: [u8; 32], now: u64) -> Initiator {
    Initiator::new(ephemeral, Some(keys::public_of(&[1; 32])), now)
}

/// What a server answers to this initiator.
fn answer(asking: &mut Initiator, identity: &Identity, ephemeral: [u8; 32]) -> Vec<u8> {
    let mut server = Responder::new(identity, ephemeral);
    assert_eq!(server.receive(&asking.send()), Progress::Done);
    server.send()
}

/// Hands bytes over in pieces of these lengths, the rest at the end.
fn feed(side: &mut impl Handshake, mut bytes: &[u8], pieces: &[usize]) -> Progress {
    for piece in pieces {
        let (now, later) = bytes.split_at((*piece).min(bytes.len()));
        side.receive(now);
        bytes = later;
    }
    side.receive(bytes)
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0_usize..200, 0..12)
}

#[test]
fn message_1_is_the_one_of_the_captures() {
    let message = asking([9; 32]).send();
    assert_eq!(message.len(), 43);
    assert_eq!(message[..11], *b"WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20");
    assert_eq!(message[11..], keys::public_of(&[9; 32]));
}

#[test]
fn message_1_is_sent_once() {
    let mut asking = asking([9; 32]);
    assert!(!asking.send().is_empty());
    assert!(asking.send().is_empty());
}

#[test]
fn an_answer_has_the_size_and_the_shape_of_the_captures() {
    let bytes = answer(&mut asking([9; 32]), &identity([1; 32]), [8; 32]);
    assert_eq!(bytes[3], 0x1a, "field 3, a ServerHello");
    assert_eq!(bytes[6..8], [0x0a, 0x20], "the ephemeral key first");
    assert!((300..400).contains(&bytes.len()), "{}", bytes.len());
}

#[test]
fn a_frame_that_announces_more_than_is_read_fails_at_once() {
    let mut side = asking([9; 32]);
    assert!(matches!(
        side.receive(&[0xff, 0xff, 0xff]),
        Progress::Failed(_)
    ));
    assert_eq!(side.told().stage, Stage::Answered);
    let (mut longest, mut one_more) = (FirstFrame::default(), FirstFrame::default());
    assert_eq!(longest.take(&[1, 0, 0]), Progress::More);
    assert!(matches!(one_more.take(&[1, 0, 1]), Progress::Failed(_)));
    assert_eq!(longest.take(&vec![0; 2 * MAX_FRAME]), Progress::Done);
    assert_eq!(
        longest.bytes.len(),
        MAX_FRAME + 3,
        "no more than the frame is kept"
    );
}

#[test]
fn an_http_answer_is_not_the_protocol() {
    let mut side = asking([9; 32]);
    assert!(matches!(
        side.receive(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        Progress::Failed(_)
    ));
    assert_eq!(side.told().stage, Stage::Answered);
    assert_eq!(side.told().says[0].0, "answer");
}

#[test]
fn fields_that_came_later_are_passed_over() {
    let mut side = asking([9; 32]);
    let bytes = answer(&mut side, &identity([1; 32]), [8; 32]);
    let mut hello = bytes_of(&bytes[3..], SERVER_HELLO).unwrap().to_vec();
    hello.extend(Message::default().bytes(4, &[0; 700]).number(9, 1).finish());
    let message = Message::default()
        .number(15, 7)
        .bytes(SERVER_HELLO, &hello)
        .finish();
    assert_eq!(side.receive(&frame(&message)), Progress::Done);
    assert_eq!(side.told().stage, Stage::Authentic);
}

#[test]
fn a_server_without_a_root_key_to_judge_it_by_is_bound_and_no_more() {
    let mut side = Initiator::new([9; 32], None, NOW);
    let bytes = answer(&mut side, &identity([1; 32]), [8; 32]);
    assert_eq!(side.receive(&bytes), Progress::Done);
    assert_eq!(side.told().stage, Stage::Bound);
}

#[test]
fn a_chain_vouches_only_if_everything_about_it_is_right() {
    let good = |serial, issuer_serial, private: [u8; 32]| Details {
        serial,
        issuer_serial,
        key: keys::public_of(&private),
        not_before: VALID.0,
        not_after: VALID.1,
    };
    let ended = |details: Details| Details {
        not_after: NOW - 1,
        ..details
    };
    let coming = |details: Details| Details {
        not_before: NOW + 1,
        ..details
    };
    let (root, middle, leaf) = ([1; 32], [2; 32], [3; 32]);
    let cases = [
        (good(3, 0, middle), root, good(4, 3, leaf), middle, ""),
        (
            good(3, 1, middle),
            root,
            good(4, 3, leaf),
            middle,
            "another root",
        ),
        (
            good(3, 0, middle),
            leaf,
            good(4, 3, leaf),
            middle,
            "root key did not",
        ),
        (
            good(3, 0, middle),
            root,
            good(4, 3, leaf),
            root,
            "intermediate did not",
        ),
        (
            good(3, 0, middle),
            root,
            good(4, 5, leaf),
            middle,
            "another intermediate",
        ),
        (
            good(3, 0, middle),
            root,
            good(4, 3, middle),
            middle,
            "another key",
        ),
        (
            ended(good(3, 0, middle)),
            root,
            good(4, 3, leaf),
            middle,
            "not valid now",
        ),
        (
            good(3, 0, middle),
            root,
            coming(good(4, 3, leaf)),
            middle,
            "not valid now",
        ),
    ];
    for (intermediate, by, end, by_whom, trouble) in cases {
        let intermediate = intermediate.certify(&by, &[6; 64]);
        let chain = certificates::chain(&end.certify(&by_whom, &[7; 64]), &intermediate);
        let mut side = asking([9; 32]);
        let bytes = answer(&mut side, &Identity::with_chain(leaf, chain), [8; 32]);
        assert_eq!(side.receive(&bytes), Progress::Done);
        let told = side.told();
        if trouble.is_empty() {
            assert_eq!((told.stage, told.says), (Stage::Authentic, Vec::new()));
        } else {
            assert_eq!(told.stage, Stage::Bound, "{trouble}");
            assert_eq!(told.says.len(), 1);
            assert!(
                told.says[0].1.contains(trouble),
                "{:?} {trouble}",
                told.says
            );
        }
    }
}

#[test]
fn validity_is_judged_by_the_time_that_is_given() {
    for (now, stage) in [
        (VALID.0 - 1, Stage::Bound),
        (VALID.0, Stage::Authentic),
        (VALID.1, Stage::Authentic),
        (VALID.1 + 1, Stage::Bound),
    ] {
        let mut side = asking_at([9; 32], now);
        let bytes = answer(&mut side, &identity([1; 32]), [8; 32]);
        side.receive(&bytes);
        assert_eq!(side.told().stage, stage, "{now}");
    }
}

proptest! {
    #[test]
    fn both_sides_agree_in_whatever_pieces_the_bytes_come(
        ours: [u8; 32], theirs: [u8; 32], there in pieces(), back in pieces(), more: Vec<u8>,
    ) {
        let identity = identity([1; 32]);
        let mut server = Responder::new(&identity, theirs);
        let mut side = asking(ours);
        prop_assert_eq!(feed(&mut server, &side.send(), &there), Progress::Done);
        // Another frame may follow in the same reading.
        let bytes = [server.send(), more].concat();
        prop_assert_eq!(feed(&mut side, &bytes, &back), Progress::Done);
        prop_assert_eq!(side.told().stage, Stage::Authentic);
    }

    #[test]
    fn any_bytes_are_borne_and_prove_nothing(bytes: Vec<u8>, split in pieces(), framed: bool) {
        let bytes = if framed { frame(&bytes) } else { bytes };
        let mut side = asking([9; 32]);
        feed(&mut side, &bytes, &split);
        prop_assert!(side.told().stage < Stage::Bound);
        let identity = identity([1; 32]);
        let mut server = Responder::new(&identity, [8; 32]);
        feed(&mut server, &bytes, &split);
        prop_assert!(server.send().is_empty());
    }

    #[test]
    fn an_answer_cut_short_or_changed_in_one_bit_proves_nothing(cut in 0_usize..2000, flip in 0_usize..16_000) {
        let mut side = asking([9; 32]);
        let bytes = answer(&mut side, &identity([1; 32]), [8; 32]);
        side.receive(&bytes[..cut % bytes.len()]);
        prop_assert!(side.told().stage < Stage::Bound);
        let mut side = asking([9; 32]);
        let mut bytes = bytes;
        let at = flip % (8 * bytes.len());
        bytes[at / 8] ^= 1 << (at % 8);
        side.receive(&bytes);
        prop_assert!(side.told().stage < Stage::Bound, "bit {}", at);
    }

    #[test]
    fn an_answer_to_somebody_else_is_a_server_hello_and_no_more(ours: [u8; 32], others: [u8; 32]) {
        prop_assume!(keys::public_of(&ours) != keys::public_of(&others));
        let replayed = answer(&mut asking(others), &identity([1; 32]), [8; 32]);
        let mut side = asking(ours);
        prop_assert!(matches!(side.receive(&replayed), Progress::Failed(_)));
        prop_assert_eq!(side.told().stage, Stage::Parsed);
    }

    #[test]
    fn another_root_never_vouches(root: [u8; 32]) {
        prop_assume!(keys::public_of(&root) != keys::public_of(&[1; 32]));
        let mut side = asking([9; 32]);
        let bytes = answer(&mut side, &identity(root), [8; 32]);
        prop_assert_eq!(side.receive(&bytes), Progress::Done);
        prop_assert_eq!(side.told().stage, Stage::Bound);
    }
}
