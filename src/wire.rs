//! Bytes, no sockets: messages and handshakes of the protocols that are spoken.

pub mod dns;
pub mod handshake;
pub mod noise;
pub mod protobuf;
pub mod text;
