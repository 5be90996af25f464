//! The apps' own protocols as others wrote them, on loopback: Baileys against our answer, Python's websockets against our
//! upgrade, aioquic against our QUIC. `.ci/run` installs them below `target/foreign`.

#[path = "protocols/foreign.rs"]
mod foreign;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "protocols/noise.rs"]
mod noise;
#[path = "protocols/quic.rs"]
mod quic;
#[path = "protocols/websockets.rs"]
mod websockets;
