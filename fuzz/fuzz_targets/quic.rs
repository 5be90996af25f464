//! QUIC's headers and Version Negotiations, and the lab's reader of a client's first packet: any bytes, no panic.
#![no_main]

use blockprobe::lab::quic::initial;
use blockprobe::wire::quic::{SHORTEST, V1, greased, negotiation, versions_offered};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let question = greased([7; SHORTEST]);
    if let Some(versions) = versions_offered(bytes, &question) {
        assert!(versions.len() <= 16);
    }
    if let Some(answer) = negotiation(bytes, &[V1]) {
        assert_eq!(versions_offered(&answer, bytes), Some(vec![V1]));
    }
    let _ = initial::server_name(bytes);
});
