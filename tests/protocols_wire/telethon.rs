//! MTProto against Telethon's transports, both ways.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::mtproto::message::PRODUCTION;
use blockprobe::wire::mtproto::server::Server;
use blockprobe::wire::mtproto::{Client, Draw, Tag, Transport};
use blockprobe::wire::reading::Reply;

use crate::foreign::Script;

const SCRIPT: &str = include_str!("telethon.py");

/// Each transport with the script's name of it. Telethon has the padded one only under the obfuscation.
fn transports() -> [(Transport, &'static str, &'static str); 6] {
    let obfuscated = |inner| Transport::Obfuscated { inner, dc: 2 };
    [
        (Transport::Tagged(Tag::Abridged), "abridged", "clear"),
        (
            Transport::Tagged(Tag::Intermediate),
            "intermediate",
            "clear",
        ),
        (Transport::Full, "full", "clear"),
        (obfuscated(Tag::Abridged), "abridged", "obfuscated"),
        (obfuscated(Tag::Intermediate), "intermediate", "obfuscated"),
        (obfuscated(Tag::Padded), "padded", "obfuscated"),
    ]
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn telethon_reads_our_question_and_its_answer_binds() {
    for (transport, name, dress) in transports() {
        let Some(mut script) = Script::start(&["telethon"], SCRIPT, &["serve", name, dress]) else {
            return;
        };
        // Telethon takes only up to three bytes of padding off.
        let draw = Draw {
            nonce: [0x5c; 16],
            header: std::array::from_fn(|at| u8::try_from(at * 3 + 1).unwrap()),
            padding: [3; 16],
        };
        let mut client = Client::new(transport, now(), &draw);
        script.give(&client.hello());
        assert_eq!(
            client.receive(&script.bytes()),
            Progress::Done,
            "{name} {dress}"
        );
        let told = client.told();
        assert_eq!(told.stage, Stage::Bound, "{name} {dress}: {told:?}");
        assert_eq!(
            told.said("fingerprints"),
            Some("d09d1d85de64fd85 0bc35f3509f7b7a5")
        );
        assert_eq!(told.said("known_key"), Some("production"));
    }
}

#[test]
fn our_server_knows_telethons_transports_and_telethon_reads_its_answer() {
    for (_, name, dress) in transports() {
        let Some(mut script) = Script::start(&["telethon"], SCRIPT, &["ask", name, dress]) else {
            return;
        };
        let mut server = Server::new([2; 16], vec![PRODUCTION]);
        let Reply::Answer(answer) = server.take(&script.bytes(), now()) else {
            panic!("{name} {dress} is not known");
        };
        script.give(&answer);
        assert_eq!(script.line(), "d09d1d85de64fd85", "{name} {dress}");
    }
}
