//! Text from the network, made safe to keep.
#![no_main]

use blockprobe::wire::text::{escape_bytes, hex, is_commanding, readable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [limit, bytes @ ..] = bytes else {
        return;
    };
    let limit = usize::from(*limit);
    assert!(!escape_bytes(bytes, limit).chars().any(is_commanding));
    let kept = readable(bytes, limit);
    assert!(kept.len() <= limit);
    assert!(
        !kept
            .chars()
            .any(|c| is_commanding(c) && c != '\n' && c != '\t')
    );
    assert_eq!(hex(bytes).len(), bytes.len() * 2);
});
