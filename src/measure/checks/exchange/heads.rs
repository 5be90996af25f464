//! Heads of answers to an upgrade, before the library of WebSockets reads them: it takes the first head for the final one, and reads
//! none by HTTP/1.0.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Headers that are read, as many as the library reads.
const MAX_HEADERS: usize = 124;
/// Bytes of heads that are kept; the library judges what is longer.
const MAX_HEAD: usize = 16 << 10;
/// Answers that may go before the final one (RFC 9110 15.2).
const MAX_INTERIM: usize = 8;
/// One reading.
const READING: usize = 1 << 10;

/// A stream of which the reader sees the final answer alone, and a refusal by HTTP/1.0 as the same by HTTP/1.1.
pub struct FinalHead<S> {
    stream: S,
    kept: Vec<u8>,
    interim: usize,
    /// The final head was seen, or what came is none: everything passes.
    is_open: bool,
}

impl<S> FinalHead<S> {
    /// Nothing was read of this stream yet.
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            kept: Vec::new(),
            interim: 0,
            is_open: false,
        }
    }

    /// Lets go of heads that go before; whether the final one is there, or none that could be told.
    fn settle(&mut self) -> bool {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let end = match head.parse(&self.kept) {
                Ok(httparse::Status::Complete(end)) => end,
                Ok(httparse::Status::Partial) => return self.kept.len() >= MAX_HEAD,
                Err(_) => return true,
            };
            match (head.code, head.version) {
                (Some(100 | 102..=199), _) if self.interim < MAX_INTERIM => {
                    self.interim += 1;
                    self.kept.drain(..end);
                }
                // What is refused is the same in either version, an upgrade is not: it came with HTTP/1.1.
                (Some(code), Some(0)) if code != 101 => {
                    if let Some(minor) = self.kept.get_mut(b"HTTP/1.".len()) {
                        *minor = b'1';
                    }
                    return true;
                }
                _ => return true,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FinalHead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_open {
            let mut bytes = [0; READING];
            let mut reading = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut reading))?;
            let news = reading.filled();
            self.kept.extend(news);
            // The end: what there is of a head is the reader's to judge.
            self.is_open = news.is_empty() || self.settle();
        }
        if self.kept.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.kept.len().min(buffer.remaining());
        buffer.put_slice(self.kept.get(..length).unwrap_or_default());
        self.kept.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FinalHead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
