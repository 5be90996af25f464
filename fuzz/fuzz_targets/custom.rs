//! A protocol of somebody's definitions: any expressions, any answer. The first bytes say how much of the rest is which.
#![no_main]

use blockprobe::model::custom::{Custom, Octets};
use blockprobe::wire::custom::{Client, compile};
use blockprobe::wire::handshake::{Handshake, Progress};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [regex, prefix, cut, bytes @ ..] = bytes else {
        return;
    };
    let (regex, bytes) = bytes.split_at(bytes.len().min(usize::from(regex % 64)));
    let (prefix, bytes) = bytes.split_at(bytes.len().min(usize::from(prefix % 4)));
    let regex = std::str::from_utf8(regex)
        .ok()
        .filter(|it| compile(it).is_ok());
    let custom = Custom {
        prefix: Octets(prefix.to_vec()),
        regex: regex.map(str::to_owned),
        ..Custom::default()
    };
    let verdict = |pieces: &[&[u8]]| -> Progress {
        let mut client = Client::new(&custom);
        for piece in pieces {
            client.receive(piece);
        }
        client.end()
    };
    let (first, second) = bytes.split_at(bytes.len().min(usize::from(*cut)));
    assert_eq!(verdict(&[first, second]), verdict(&[bytes]));
});
