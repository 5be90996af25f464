//! STUN as a stream and as datagrams.

use std::net::SocketAddr;

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::reading::{Reading, Reply};
use blockprobe::wire::stun::{Ask, Client, server};
use proptest::prelude::*;

use crate::exchange::{cuts, fed, noise, only_the_whole_answer_binds};

const ASKS: [Ask; 4] = [
    Ask::Binding,
    Ask::Classic,
    Ask::AlteredCookie,
    Ask::Allocate,
];

fn addresses() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

#[test]
fn every_ask_is_bound_by_its_whole_answer_only() {
    for ask in ASKS {
        let fresh = || Client::new(ask, [9; 16]);
        let from = "192.0.2.7:4000".parse().unwrap();
        let answer = server::answer(&fresh().hello(), from).unwrap();
        only_the_whole_answer_binds(fresh, &answer);
    }
}

#[test]
fn an_allocate_without_credentials_is_told_401() {
    let mut client = Client::new(Ask::Allocate, [9; 16]);
    let answer = server::answer(&client.hello(), "[::1]:1".parse().unwrap()).unwrap();
    client.receive(&answer);
    assert_eq!(client.told().said("error"), Some("401 Unauthorized"));
}

#[test]
fn a_stream_that_promises_more_than_any_answer_has_is_given_up_at_its_head() {
    for (length, ends) in [
        (2048_u16, Progress::More),
        (2052, FAILED),
        (u16::MAX, FAILED),
    ] {
        let [high, low] = length.to_be_bytes();
        let mut client = Client::new(Ask::Binding, [9; 16]);
        let progress = client.receive(&[0x01, 0x01, high, low]);
        assert_eq!(progress, ends, "{length}");
        let mut server = server::Server::new("[::1]:1".parse().unwrap());
        let reply = server.take(&[0x00, 0x01, high, low]);
        assert_eq!(reply == Reply::NotOurs, ends != Progress::More, "{length}");
    }
}

const FAILED: Progress = Progress::Failed("a STUN message of impossible length");

#[test]
fn a_stream_that_never_ends_its_message_ends_at_the_longest() {
    let mut client = Client::new(Ask::Binding, [9; 16]);
    client.receive(&[0x01, 0x01, 0x08, 0x00]);
    for _ in 0..2063 {
        assert_eq!(client.receive(&[0]), Progress::More);
    }
    // Attributes of type 0 without a value fill it, and somebody else's transaction is in its head.
    assert_eq!(client.receive(&[0]), Progress::Done);
    assert_eq!(client.told().stage, Stage::Parsed);
}

/// What a server of a stream answers to bytes cut at these places; `None` once it leaves.
fn served(bytes: &[u8], cuts: &[prop::sample::Index], from: SocketAddr) -> Option<Vec<u8>> {
    let mut server = server::Server::new(from);
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let mut answers = Vec::new();
    for pair in places.windows(2) {
        match server.take(&bytes[pair[0]..pair[1]]) {
            Reply::NeedMore => {}
            Reply::Answer(answer) => answers.extend(answer),
            Reply::NotOurs => return None,
        }
    }
    Some(answers)
}

proptest! {
    #[test]
    fn requests_in_a_stream_are_answered_one_by_one_however_they_are_cut(
        asks in proptest::collection::vec((proptest::sample::select(&ASKS[..]), any::<[u8; 16]>()), 1..200),
        from in addresses(), cuts in cuts(),
    ) {
        let mut requests = Vec::new();
        let mut wanted = Vec::new();
        for (ask, draw) in asks {
            let hello = Client::new(ask, draw).hello();
            wanted.extend(server::answer(&hello, from).unwrap());
            requests.extend(hello);
        }
        prop_assert_eq!(served(&requests, &cuts, from), Some(wanted));
    }

    #[test]
    fn no_bytes_break_a_server_of_a_stream(bytes in noise(6000), cuts in cuts(), from in addresses()) {
        let _ = served(&bytes, &cuts, from);
        // What begins as a request and goes on as anything is read further.
        let hello = Client::new(Ask::Binding, [9; 16]).hello();
        let _ = served(&[hello, bytes].concat(), &cuts, from);
    }

    #[test]
    fn the_halves_meet_and_the_address_is_known_but_not_told(
        ask in proptest::sample::select(&ASKS[..3]), draw in any::<[u8; 16]>(), from in addresses(), cuts in cuts(),
    ) {
        let mut client = Client::new(ask, draw);
        let answer = server::answer(&client.hello(), from).unwrap();
        let (progress, told) = fed(&mut client, &answer, &cuts);
        prop_assert_eq!((progress, told.stage), (Progress::Done, Stage::Bound));
        prop_assert_eq!(client.mapped(), &[from][..]);
        prop_assert_eq!(told.says, vec![("answer".to_owned(), "success".to_owned())]);
    }

    #[test]
    fn the_answer_to_another_request_never_binds(
        ask in proptest::sample::select(&ASKS[..]), draw in any::<[u8; 16]>(), other in any::<[u8; 16]>(), from in addresses(),
    ) {
        prop_assume!(draw[4..] != other[4..]);
        let replayed = server::answer(&Client::new(ask, other).hello(), from).unwrap();
        let mut client = Client::new(ask, draw);
        client.receive(&replayed);
        prop_assert_eq!(client.told().stage, Stage::Parsed);
        let mut client = Client::new(ask, draw);
        prop_assert!(matches!(client.read(&replayed), Reading::Done(told) if told.stage == Stage::Parsed));
    }

    #[test]
    fn no_bytes_bind_or_break_a_client(
        ask in proptest::sample::select(&ASKS[..]), draw in any::<[u8; 16]>(), bytes in noise(3000), cuts in cuts(),
    ) {
        let (_, told) = fed(&mut Client::new(ask, draw), &bytes, &cuts);
        prop_assert!(told.stage <= Stage::Parsed);
        let _ = Client::new(ask, draw).read(&bytes);
        let _ = server::answer(&bytes, "[::1]:1".parse().unwrap());
    }

    #[test]
    fn a_datagram_cut_or_extended_never_binds(ask in proptest::sample::select(&ASKS[..]), draw in any::<[u8; 16]>(), extra in noise(9)) {
        let answer = server::answer(&Client::new(ask, draw).hello(), "[::1]:1".parse().unwrap()).unwrap();
        for end in 0..answer.len() {
            let cut = Client::new(ask, draw).read(&answer[..end]);
            prop_assert!(matches!(cut, Reading::Failed(_)));
        }
        prop_assume!(!extra.is_empty());
        let longer = [&answer[..], &extra].concat();
        let extended = Client::new(ask, draw).read(&longer);
        prop_assert!(matches!(extended, Reading::Failed(_)));
    }

    #[test]
    fn damage_never_breaks_a_client_and_a_fingerprint_finds_it(
        draw in any::<[u8; 16]>(), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut client = Client::new(Ask::Binding, draw);
        let mut answer = server::answer(&client.hello(), "[::1]:1".parse().unwrap()).unwrap();
        let at = at.index(answer.len());
        answer[at] ^= 1 << bit;
        client.receive(&answer);
        // A FINGERPRINT that is hidden guards nothing: by the message's length, by its own head, or by the head of
        // the attribute before it.
        let heads = [2..4, 20..24, answer.len() - 8..answer.len() - 4];
        let guarded = !heads.iter().any(|head| head.contains(&at));
        prop_assert!(!guarded || client.told().stage <= Stage::Parsed);
    }
}
