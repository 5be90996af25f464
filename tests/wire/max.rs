//! MAX's frames.

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::max::Client;
use blockprobe::wire::max::server::Server;
use blockprobe::wire::reading::Reply;
use proptest::prelude::*;

use crate::exchange::{cuts, fed, noise, only_the_whole_answer_binds};

fn answer(hello: &[u8]) -> Vec<u8> {
    match Server::new("RU").take(hello) {
        Reply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_whole_answer_binds_and_it_tells_the_country() {
    let fresh = || Client::new([1; 16]);
    let answer = answer(&fresh().hello());
    only_the_whole_answer_binds(fresh, &answer);
    let mut client = fresh();
    client.receive(&answer);
    let told = client.told();
    assert_eq!(told.said("location"), Some("RU"));
    let keys = "lang location phone-auth-enabled reg-country-code web-pwa-promo";
    assert_eq!(told.said("keys"), Some(keys));
}

#[test]
fn another_request_is_refused_in_a_frame_of_its_own() {
    let mut hello = Client::new([1; 16]).hello();
    // PING before SESSION_INIT.
    hello[5] = 1;
    assert_eq!(answer(&hello)[..6], [10, 3, 0, 0, 0, 1]);
}

#[test]
fn an_answer_with_another_number_or_opcode_binds_nothing() {
    for place in [3, 5] {
        let mut client = Client::new([1; 16]);
        let mut answer = answer(&client.hello());
        answer[place] ^= 0x10;
        assert_eq!(client.receive(&answer), Progress::More);
        assert!(client.told().stage < Stage::Bound);
    }
}

proptest! {
    #[test]
    fn the_halves_meet_in_any_pieces(device in any::<[u8; 16]>(), cuts in cuts()) {
        let mut client = Client::new(device);
        let answer = answer(&client.hello());
        let (progress, told) = fed(&mut client, &answer, &cuts);
        prop_assert_eq!((progress, told.stage), (Progress::Done, Stage::Bound));
    }

    #[test]
    fn no_bytes_bind_or_break_a_client(bytes in noise(3000), cuts in cuts()) {
        // Ten of these bytes would have to be a header: that much luck nobody has.
        let (_, told) = fed(&mut Client::new([1; 16]), &bytes, &cuts);
        prop_assert!(told.stage <= Stage::Parsed);
    }

    #[test]
    fn no_body_breaks_a_client_however_it_is_compressed(flags in any::<u8>(), command in 0..4_u8, body in noise(600), cuts in cuts()) {
        let [_, _, high, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
        let frame = [&[10, command, 0, 0, 0, 6, flags, 0, high, low][..], &body].concat();
        let _ = fed(&mut Client::new([1; 16]), &frame, &cuts);
        let _ = Server::new("RU").take(&frame);
    }

    #[test]
    fn damage_never_breaks_either_half(at in any::<prop::sample::Index>(), byte in any::<u8>(), cuts in cuts()) {
        let mut client = Client::new([1; 16]);
        let mut hello = client.hello();
        let mut answer = answer(&hello);
        let place = at.index(answer.len());
        answer[place] = byte;
        let _ = fed(&mut client, &answer, &cuts);
        let place = at.index(hello.len());
        hello[place] = byte;
        let _ = Server::new("RU").take(&hello);
    }

    #[test]
    fn no_bytes_break_the_server(bytes in noise(3000)) {
        let _ = Server::new("RU").take(&bytes);
    }
}
