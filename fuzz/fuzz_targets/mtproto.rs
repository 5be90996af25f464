//! Both halves of MTProto under any bytes. The first byte chooses the transport, the second where the rest is cut.
#![no_main]

use std::time::Duration;

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::Handshake;
use blockprobe::wire::mtproto::server::Server;
use blockprobe::wire::mtproto::{Client, Draw, Tag, Transport};
use libfuzzer_sys::fuzz_target;

const DRAW: Draw = Draw {
    nonce: [1; 16],
    header: [0x35; 64],
    padding: [4; 16],
};

fuzz_target!(|bytes: &[u8]| {
    let [choice, cut, bytes @ ..] = bytes else {
        return;
    };
    let tag = [Tag::Abridged, Tag::Intermediate, Tag::Padded][usize::from(choice / 4 % 3)];
    let transport = match choice % 4 {
        0 => Transport::Tagged(tag),
        1 => Transport::Full,
        2 => Transport::Obfuscated { inner: tag, dc: 2 },
        _ => Transport::Body,
    };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let mut client = Client::new(transport, Duration::from_secs(1), &DRAW);
    client.receive(first);
    client.receive(second);
    client.finish();
    let told = client.told();
    assert!(told.stage <= Stage::Bound && told.says.len() <= 8);
    let mut server = Server::new([1; 16], vec![1]);
    server.take(first, Duration::ZERO);
    server.take(second, Duration::ZERO);
    server.answer(bytes, Duration::ZERO);
});
