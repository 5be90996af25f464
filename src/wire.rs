//! Bytes, no sockets: messages and handshakes of the protocols that are spoken.

pub mod custom;
pub mod dns;
pub mod handshake;
pub mod http3;
pub mod max;
pub mod msgpack;
pub mod mtproto;
pub mod noise;
pub mod own;
pub mod protobuf;
pub mod quic;
pub mod reading;
pub mod reflector;
pub mod stun;
pub mod text;
