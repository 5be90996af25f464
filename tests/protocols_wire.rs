//! Our codecs against those of others: Telethon's MTProto, coturn's STUN and TURN, and Python's MessagePack, LZ4 and
//! Zstandard for MAX.
//!
//! Needs Debian's `coturn` and `python3`, and Python packages under `target/foreign/python` (`.ci/run` puts them there).
//! Without them it says so and passes, unless `CI` is set.
#![cfg(unix)]

#[path = "protocols_wire/coturn.rs"]
mod coturn;
#[path = "protocols_wire/foreign.rs"]
mod foreign;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "protocols_wire/python.rs"]
mod python;
#[path = "protocols_wire/telethon.rs"]
mod telethon;
