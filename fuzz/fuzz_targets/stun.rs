//! Both halves of STUN under any bytes, as a stream and as a datagram. The first byte chooses what was asked.
#![no_main]

use blockprobe::wire::handshake::Handshake;
use blockprobe::wire::stun::{Ask, Client, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let asks = [
        Ask::Binding,
        Ask::Classic,
        Ask::AlteredCookie,
        Ask::Allocate,
    ];
    let ask = asks[usize::from(choice % 4)];
    let mut client = Client::new(ask, [7; 16]);
    client.receive(bytes);
    client.read(bytes);
    let from = "[2001:db8::1]:9".parse().unwrap();
    if let Some(answer) = server::answer(bytes, from) {
        client.read(&answer);
    }
});
