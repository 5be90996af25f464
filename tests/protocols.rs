//! The apps' own protocols as others wrote them, on loopback: Baileys against our answer, Python's websockets against our
//! upgrade. `.ci/run` installs both below `target/foreign`.

#[path = "protocols/foreign.rs"]
mod foreign;
#[path = "protocols/noise.rs"]
mod noise;
#[path = "protocols/websockets.rs"]
mod websockets;
