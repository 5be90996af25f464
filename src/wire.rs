//! Bytes, no sockets: messages of the protocols that are spoken.

pub mod dns;
pub mod text;
