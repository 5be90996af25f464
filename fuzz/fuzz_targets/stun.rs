//! Both halves of STUN under any bytes, as a stream in pieces and as a datagram. The first byte chooses what was asked, the
//! second how long the pieces are.
#![no_main]

use blockprobe::wire::handshake::Handshake;
use blockprobe::wire::reading::Reply;
use blockprobe::wire::stun::{Ask, Client, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, pieces, bytes @ ..] = bytes else {
        return;
    };
    let asks = [
        Ask::Binding,
        Ask::Classic,
        Ask::AlteredCookie,
        Ask::Allocate,
    ];
    let ask = asks[usize::from(choice % 4)];
    let from = "[2001:db8::1]:9".parse().unwrap();
    let mut stream = Client::new(ask, [7; 16]);
    let mut server = server::Server::new(from);
    let pieces = || bytes.chunks(usize::from(*pieces).max(1));
    for piece in pieces() {
        stream.receive(piece);
    }
    for piece in pieces() {
        if server.take(piece) == Reply::NotOurs {
            break;
        }
    }
    let mut client = Client::new(ask, [7; 16]);
    client.read(bytes);
    if let Some(answer) = server::answer(bytes, from) {
        client.read(&answer);
    }
});
