//! Bodies of MAX's frames: as they are, or compressed with LZ4 or Zstandard, and never opened past a limit.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ruzstd::decoding::StreamingDecoder;

/// Bytes of a body at most, once opened.
const MAX_PLAIN: usize = 256 * 1024;
/// Bytes that a Zstandard frame may look back; the decoder sets them aside, and common encoders ask for this much.
const MAX_WINDOW: u64 = 8 << 20;

/// The body in clear.
pub fn open(flags: u8, body: &[u8]) -> Result<Vec<u8>, &'static str> {
    match flags {
        0 => Ok(body.to_vec()),
        // The flags are about how many times longer the body becomes, rounded up; one more in case they were not.
        1..=0x7f => lz4(body, (usize::from(flags) + 1).saturating_mul(body.len())),
        0xff => zstd(body),
        _ => Err("compressed in no known way"),
    }
}

fn lz4(body: &[u8], bound: usize) -> Result<Vec<u8>, &'static str> {
    let bound = bound.min(MAX_PLAIN);
    lz4_flex::block::decompress(body, bound).map_err(|_| "no LZ4 block")
}

fn zstd(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let decoder = StreamingDecoder::new_with_max_window_size(body, MAX_WINDOW).ok()?;
        let mut plain = Vec::new();
        let limit = u64::try_from(MAX_PLAIN).unwrap_or(u64::MAX);
        decoder.take(limit + 1).read_to_end(&mut plain).ok()?;
        (plain.len() <= MAX_PLAIN).then_some(plain)
    }));
    // The decoder asserts in places; whatever it thinks of hostile bytes must not end more than this body.
    opened.ok().flatten().ok_or("no Zstandard frame")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_not_opened() {
        let long = vec![b'a'; MAX_PLAIN + 1];
        let lz4 = lz4_flex::block::compress(&long);
        assert!(lz4.len() < 4096 && open(0x7f, &lz4).is_err());
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(&long[..], level);
        assert!(zstd.len() < 4096 && open(0xff, &zstd).is_err());
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(&long[1..], level);
        assert_eq!(open(0xff, &zstd).map(|plain| plain.len()), Ok(MAX_PLAIN));
    }
}
