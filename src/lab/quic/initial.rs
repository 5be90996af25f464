//! The server name in a client's first QUIC packet: its keys derive from a connection id that everybody sees (RFC 9001, 5.2).

use std::collections::BTreeMap;

use rustls::Side;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{Keys, Version};
use rustls::server::Acceptor;

use crate::wire::quic::{LongHeader, V1, number};

/// Long header, fixed bit, type Initial, in the bits that are not protected.
const INITIAL: u8 = 0xc0;
const KIND: u8 = 0xf0;
/// Bytes of a protected packet number at most, and of the sample behind it.
const NUMBER: usize = 4;
const SAMPLE: usize = 16;

/// The name that a client's Initial asks for, if its ClientHello is whole in it.
pub fn server_name(datagram: &[u8]) -> Option<String> {
    let frames = open(datagram)?;
    let hello = crypto_stream(&frames)?;
    // The library reads records, so the message is put into one.
    let length = u16::try_from(hello.len()).ok()?;
    let mut record = vec![0x16, 3, 1];
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(&hello);
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut record.as_slice()).ok()?;
    let accepted = acceptor.accept().ok()??;
    accepted.client_hello().server_name().map(str::to_owned)
}

/// The frames of an Initial, out of their protection.
fn open(datagram: &[u8]) -> Option<Vec<u8>> {
    let header = LongHeader::of(datagram)?;
    if header.version != V1 || datagram.first()? & KIND != INITIAL {
        return None;
    }
    let (token, rest) = number(header.rest)?;
    let rest = rest.get(usize::try_from(token).ok()?..)?;
    let (length, rest) = number(rest)?;
    let at = datagram.len() - rest.len();
    let mut packet = datagram
        .get(..at.checked_add(usize::try_from(length).ok()?)?)?
        .to_vec();
    let keys = keys(header.to)?;
    let sample: [u8; SAMPLE] = *packet.get(at + NUMBER..)?.first_chunk()?;
    let (head, body) = packet.split_at_mut(at);
    let first = head.first_mut()?;
    let protected = body.get_mut(..NUMBER)?;
    keys.remote
        .header
        .decrypt_in_place(&sample, first, protected)
        .ok()?;
    let length = usize::from(*first & 3) + 1;
    let number = body
        .get(..length)?
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let (head, payload) = packet.split_at_mut_checked(at + length)?;
    let opened = keys.remote.packet.decrypt_in_place(number, head, payload);
    opened.ok().map(<[u8]>::to_vec)
}

/// The server's keys: `remote` is the client.
fn keys(client_destination: &[u8]) -> Option<Keys> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13()?.quic_suite()?;
    Some(suite.keys(client_destination, Side::Server, Version::V1))
}

/// The handshake's bytes from its beginning, as far as the frames hold them without a gap.
fn crypto_stream(mut frames: &[u8]) -> Option<Vec<u8>> {
    let mut pieces: BTreeMap<u64, &[u8]> = BTreeMap::new();
    while let Some((kind, rest)) = frames.split_first() {
        frames = match kind {
            // PADDING and PING.
            0 | 1 => rest,
            // CRYPTO.
            6 => {
                let (offset, rest) = number(rest)?;
                let (length, rest) = number(rest)?;
                let (piece, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                pieces.insert(offset, piece);
                rest
            }
            _ => break,
        };
    }
    let mut stream = Vec::new();
    for (offset, piece) in pieces {
        let known = stream.len().checked_sub(usize::try_from(offset).ok()?)?;
        stream.extend_from_slice(piece.get(known..).unwrap_or_default());
    }
    Some(stream)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::text::unhex;

    /// The header of the packet in RFC 9001, appendix A.2, as it goes on the wire but for its protection.
    const HEAD: &str = "c000000001088394c8f03e5157080000449e";

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let head: [u8; 18] = unhex(HEAD).unwrap();
            let _ = server_name(&bytes);
            let _ = server_name(&[&head[..], &bytes].concat());
            let length = u8::try_from(bytes.len() & 0x3f).unwrap();
            let _ = server_name(&[&head[..16], &[length], &bytes].concat());
            let _ = crypto_stream(&bytes);
        }
    }

    #[test]
    fn the_header_of_the_standards_example_is_found() {
        let head: [u8; 18] = unhex(HEAD).unwrap();
        let header = LongHeader::of(&head).unwrap();
        assert_eq!(header.to, unhex::<8>("8394c8f03e515708").unwrap());
        let (token, rest) = number(header.rest).unwrap();
        assert_eq!((token, number(rest).unwrap().0), (0, 1182));
    }

    #[test]
    fn pieces_out_of_order_are_put_together_and_gaps_are_not() {
        let frames = [0, 6, 2, 2, b'c', b'd', 1, 6, 0, 2, b'a', b'b', 0];
        assert_eq!(crypto_stream(&frames).as_deref(), Some(b"abcd".as_slice()));
        assert_eq!(crypto_stream(&[6, 1, 1, b'b']), None);
    }
}
