//! MTProto in each of its transports.

use std::time::Duration;

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::mtproto::message::PRODUCTION;
use blockprobe::wire::mtproto::server::Server;
use blockprobe::wire::mtproto::{Client, Draw, Tag, Transport};
use blockprobe::wire::reading::Reply;
use proptest::prelude::*;

use crate::exchange::{cuts, fed, noise, only_the_whole_answer_binds};

const UNIX: Duration = Duration::from_secs(1_764_000_000);
const TAGS: [Tag; 3] = [Tag::Abridged, Tag::Intermediate, Tag::Padded];

fn transports() -> Vec<Transport> {
    let mut all = vec![Transport::Full];
    all.extend(TAGS.map(Transport::Tagged));
    all.extend(TAGS.map(|inner| Transport::Obfuscated { inner, dc: -2 }));
    all
}

fn any_transport() -> impl Strategy<Value = Transport> {
    let mut all = transports();
    all.push(Transport::Body);
    proptest::sample::select(all)
}

fn draws() -> impl Strategy<Value = Draw> {
    let bytes = (
        any::<[u8; 16]>(),
        proptest::collection::vec(any::<u8>(), 64),
        any::<[u8; 16]>(),
    );
    bytes.prop_map(|(nonce, header, padding)| Draw {
        nonce,
        header: header.try_into().unwrap(),
        padding,
    })
}

fn server(server_nonce: [u8; 16]) -> Server {
    Server::new(server_nonce, vec![PRODUCTION, 1])
}

/// What our server says to this client.
fn answer(client: &Client, transport: Transport, server_nonce: [u8; 16]) -> Vec<u8> {
    let mut server = server(server_nonce);
    if transport == Transport::Body {
        return server.answer(&client.hello(), UNIX);
    }
    match server.take(&client.hello(), UNIX) {
        Reply::Answer(answer) => answer,
        other => panic!("{transport:?}: {other:?}"),
    }
}

#[test]
fn only_the_whole_answer_to_our_own_question_binds() {
    let draw = Draw {
        nonce: [1; 16],
        header: [2; 64],
        padding: [5; 16],
    };
    for transport in transports().into_iter().chain([Transport::Body]) {
        let fresh = || Client::new(transport, UNIX, &draw);
        let answer = answer(&fresh(), transport, [11; 16]);
        only_the_whole_answer_binds(fresh, &answer);
        let mut client = fresh();
        client.receive(&answer);
        assert_eq!(client.told().said("known_key"), Some("production"));
        assert_eq!(
            client.told().said("fingerprints"),
            Some("d09d1d85de64fd85 0000000000000001")
        );
    }
}

#[test]
fn a_server_asked_byte_by_byte_answers_once_and_knows_the_transport() {
    let draw = Draw {
        nonce: [1; 16],
        header: [2; 64],
        padding: [15; 16],
    };
    for transport in transports() {
        let mut client = Client::new(transport, UNIX, &draw);
        let mut server = server([3; 16]);
        let mut answers = Vec::new();
        for byte in client.hello() {
            match server.take(&[byte], UNIX) {
                Reply::NeedMore => {}
                Reply::Answer(answer) => answers.push(answer),
                Reply::NotOurs => panic!("{transport:?}"),
            }
        }
        assert_eq!(answers.len(), 1, "{transport:?}");
        assert_eq!(client.receive(&answers[0]), Progress::Done);
        assert_eq!(client.told().stage, Stage::Bound, "{transport:?}");
    }
}

#[test]
fn an_unknown_key_is_told_and_binds_all_the_same() {
    let draw = Draw {
        nonce: [1; 16],
        header: [2; 64],
        padding: [0; 16],
    };
    let mut client = Client::new(Transport::Full, UNIX, &draw);
    let mut server = Server::new([0; 16], vec![0x1234]);
    let Reply::Answer(answer) = server.take(&client.hello(), UNIX) else {
        panic!("no answer");
    };
    client.receive(&answer);
    let told = client.told();
    assert_eq!(
        (told.stage, told.said("known_key")),
        (Stage::Bound, Some("none"))
    );
}

#[test]
fn an_answer_that_names_no_key_is_a_failure_and_says_so() {
    let draw = Draw {
        nonce: [1; 16],
        header: [2; 64],
        padding: [5; 16],
    };
    for transport in transports() {
        let mut client = Client::new(transport, UNIX, &draw);
        let mut server = Server::new([0; 16], Vec::new());
        let Reply::Answer(answer) = server.take(&client.hello(), UNIX) else {
            panic!("no answer");
        };
        let why = "a resPQ that names no key";
        assert_eq!(client.receive(&answer), Progress::Failed(why));
        let told = client.told();
        assert_eq!(
            (told.stage, told.said("answer")),
            (Stage::Answered, Some(why))
        );
    }
}

proptest! {
    #[test]
    fn the_halves_meet_in_any_draw_and_any_pieces(
        transport in any_transport(), draw in draws(), server_nonce in any::<[u8; 16]>(), cuts in cuts(),
    ) {
        let mut client = Client::new(transport, UNIX, &draw);
        let answer = answer(&client, transport, server_nonce);
        let (progress, told) = fed(&mut client, &answer, &cuts);
        prop_assert_eq!((progress, told.stage), (Progress::Done, Stage::Bound));
    }

    #[test]
    fn an_answer_to_another_nonce_never_binds(
        transport in any_transport(), draw in draws(), other in any::<[u8; 16]>(), cuts in cuts(),
    ) {
        prop_assume!(other != draw.nonce);
        // The same keys, so that only the nonce differs.
        let stranger = Client::new(transport, UNIX, &Draw { nonce: other, ..draw });
        let replayed = answer(&stranger, transport, [7; 16]);
        let (_, told) = fed(&mut Client::new(transport, UNIX, &draw), &replayed, &cuts);
        prop_assert_eq!(told.stage, Stage::Parsed);
        prop_assert_eq!(told.said("nonce"), Some("not ours"));
    }

    #[test]
    fn no_bytes_bind_or_break_a_client(
        transport in any_transport(), draw in draws(), bytes in noise(6000), cuts in cuts(),
    ) {
        let mut client = Client::new(transport, UNIX, &draw);
        let (_, told) = fed(&mut client, &bytes, &cuts);
        prop_assert!(told.stage <= Stage::Parsed);
        let _ = client.finish();
        prop_assert!(client.told().stage <= Stage::Parsed);
    }

    #[test]
    fn damage_never_breaks_a_client(
        transport in any_transport(), draw in draws(), at in any::<prop::sample::Index>(), bit in 0..8_u32, cuts in cuts(),
    ) {
        let mut client = Client::new(transport, UNIX, &draw);
        let mut answer = answer(&client, transport, [7; 16]);
        let at = at.index(answer.len());
        answer[at] ^= 1 << bit;
        let _ = fed(&mut client, &answer, &cuts);
    }

    #[test]
    fn what_is_sent_back_or_longer_than_it_says_never_binds(transport in any_transport(), draw in draws(), extra in 1..40_usize) {
        let mut client = Client::new(transport, UNIX, &draw);
        let echo = client.hello();
        let (_, told) = fed(&mut client, &echo, &[]);
        prop_assert!(told.stage <= Stage::Parsed);
        let endless = vec![0; extra * 200];
        let (_, told) = fed(&mut Client::new(transport, UNIX, &draw), &endless, &[]);
        prop_assert!(told.stage <= Stage::Parsed);
    }

    #[test]
    fn no_bytes_break_the_server(bytes in noise(6000), cuts in cuts()) {
        let mut server = server([1; 16]);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        for pair in places.windows(2) {
            let _ = server.take(&bytes[pair[0]..pair[1]], UNIX);
        }
        let _ = server.answer(&bytes, UNIX);
    }
}
