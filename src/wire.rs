//! Bytes, no sockets: messages of the protocols that are spoken.
