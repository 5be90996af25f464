//! How the bytes of a file are packed. Everything that was flushed can be unpacked, also where the end is missing.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// zstd's own default: a report becomes fourteen times smaller in a few hundredths of a second.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    #[default]
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Packs what is written through it.
pub enum Packer {
    /// Not at all.
    Plain(Box<dyn Write + Send>),
    /// With gzip.
    Gzip(GzEncoder<Box<dyn Write + Send>>),
    /// With zstd.
    Zstd(zstd::Encoder<'static, Box<dyn Write + Send>>),
}

impl Packer {
    /// Packs into `inner`.
    ///
    /// # Errors
    /// Where the encoder cannot be made.
    pub fn new(inner: Box<dyn Write + Send>, packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain(inner),
            Packing::Gzip => Self::Gzip(GzEncoder::new(inner, Compression::default())),
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes the end of the file.
    ///
    /// # Errors
    /// As writing fails.
    pub fn finish(self) -> io::Result<()> {
        let mut inner = match self {
            Self::Plain(inner) => inner,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        inner.flush()
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
