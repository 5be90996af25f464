//! MessagePack under any bytes: what is read is written and read again.
#![no_main]

use blockprobe::wire::msgpack::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Value::decode(bytes) {
        let written = value.encode();
        let again = Value::decode(&written).map(|value| value.encode());
        assert_eq!(again, Ok(written));
    }
});
