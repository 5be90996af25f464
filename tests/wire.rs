//! Codecs under any bytes: they never panic, nothing but an answer to this very request binds, and our two halves meet.

#[path = "wire/custom.rs"]
mod custom;
#[path = "wire/exchange.rs"]
mod exchange;
#[path = "wire/max.rs"]
mod max;
#[path = "wire/mtproto.rs"]
mod mtproto;
#[path = "wire/reflector.rs"]
mod reflector;
#[path = "wire/stun.rs"]
mod stun;
