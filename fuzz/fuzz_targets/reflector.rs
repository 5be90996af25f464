//! Both halves of a reflector's ping under any datagram.
#![no_main]

use std::time::Duration;

use blockprobe::wire::reflector::{Client, answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    Client::new([1; 16], [2; 8]).take(bytes);
    answer(bytes, "192.0.2.1:9".parse().unwrap(), Duration::ZERO);
});
