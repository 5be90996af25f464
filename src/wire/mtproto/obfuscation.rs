//! MTProto's obfuscation ("obfuscated2"): AES-256-CTR in both directions, keyed by the client's first 64 bytes.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

use crate::wire::mtproto::Tag;

/// Bytes of the header that keys come from.
pub const HEADER: usize = 64;
/// What a header must not begin with: it would be taken for another transport, for HTTP or for TLS.
const TAKEN: [&[u8]; 9] = [
    b"PVrG",
    b"GET ",
    b"POST",
    b"HEAD",
    b"OPTI",
    &[0x16, 0x03, 0x01],
    &[0xef],
    &[0xee; 4],
    &[0xdd; 4],
];

/// The key stream of one direction.
pub struct Cipher(Ctr128BE<Aes256>);

/// Both directions, as seen from one end.
pub struct Ciphers {
    /// For what this end sends.
    pub sending: Cipher,
    /// For what this end receives.
    pub receiving: Cipher,
}

impl Cipher {
    /// The next bytes, encrypted or decrypted: it is the same.
    pub fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut applied = bytes.to_vec();
        self.0.apply_keystream(&mut applied);
        applied
    }

    /// From 32 bytes of key and 16 of counter.
    fn new(keys: &[u8; 48]) -> Self {
        let (key, counter) = keys.split_at(32);
        let mut fixed = ([0; 32], [0; 16]);
        fixed.0.copy_from_slice(key);
        fixed.1.copy_from_slice(counter);
        Self(Ctr128BE::new(&fixed.0.into(), &fixed.1.into()))
    }
}

/// What a client sends first, and its ciphers from there. Takes a random header; one that begins as another protocol
/// does is moved on by one rather than drawn again.
pub fn open(mut header: [u8; HEADER], inner: Tag, dc: i16) -> (Vec<u8>, Ciphers) {
    while is_taken(&header) {
        header[0] = header[0].wrapping_add(1);
        header[4] |= 1;
    }
    let tag = inner.announcement();
    for (place, byte) in header[56..60].iter_mut().zip(tag.iter().cycle()) {
        *place = *byte;
    }
    header[60..62].copy_from_slice(&dc.to_le_bytes());
    let mut ciphers = ciphers(&header);
    let encrypted = ciphers.sending.apply(&header);
    header[56..].copy_from_slice(&encrypted[56..]);
    (header.to_vec(), ciphers)
}

/// The transport inside and the server's ciphers, if this is the header of a client.
pub fn accept(header: &[u8; HEADER]) -> Option<(Tag, Ciphers)> {
    if is_taken(header) {
        return None;
    }
    let Ciphers {
        sending: mut receiving,
        receiving: sending,
    } = ciphers(header);
    let plain = receiving.apply(header);
    let inner = match plain.get(56..60)? {
        [0xef, 0xef, 0xef, 0xef] => Tag::Abridged,
        [0xee, 0xee, 0xee, 0xee] => Tag::Intermediate,
        [0xdd, 0xdd, 0xdd, 0xdd] => Tag::Padded,
        _ => return None,
    };
    Some((inner, Ciphers { sending, receiving }))
}

/// Whether the first bytes are those of another protocol.
pub fn is_taken(header: &[u8; HEADER]) -> bool {
    header[4..8] == [0; 4] || TAKEN.iter().any(|taken| header.starts_with(taken))
}

/// The client's ciphers: the keys of what comes back are the same bytes in reverse.
fn ciphers(header: &[u8; HEADER]) -> Ciphers {
    let mut keys = [0; 48];
    keys.copy_from_slice(&header[8..56]);
    let sending = Cipher::new(&keys);
    keys.reverse();
    Ciphers {
        sending,
        receiving: Cipher::new(&keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_begins_as_another_protocol_does() {
        for begin in TAKEN {
            let mut header = [0; HEADER];
            header[..begin.len()].copy_from_slice(begin);
            let (sent, _) = open(header, Tag::Padded, 2);
            let sent: [u8; HEADER] = sent.try_into().unwrap();
            assert!(!is_taken(&sent), "{begin:?}");
            assert!(accept(&sent).is_some_and(|(inner, _)| inner == Tag::Padded));
        }
    }

    #[test]
    fn the_tag_is_not_seen_on_the_wire() {
        let (sent, _) = open([0x55; HEADER], Tag::Abridged, -2);
        assert_ne!(sent[56..60], [0xef; 4]);
    }
}
