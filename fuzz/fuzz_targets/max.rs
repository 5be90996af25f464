//! Both halves of MAX's protocol under any bytes. The first byte tells where the rest is cut.
#![no_main]

use blockprobe::wire::handshake::Handshake;
use blockprobe::wire::max::Client;
use blockprobe::wire::max::server::Server;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [cut, bytes @ ..] = bytes else {
        return;
    };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let mut client = Client::new([1; 16]);
    client.receive(first);
    client.receive(second);
    assert!(client.told().says.len() <= 8);
    let mut server = Server::new("RU");
    server.take(first);
    server.take(second);
});
