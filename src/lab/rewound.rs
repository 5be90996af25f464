//! A stream of which the beginning was read already, and is read again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Longest beginning that is looked at.
const LONGEST: usize = 8 << 10;

/// What was read, and then the rest.
#[derive(Debug)]
pub struct Rewound<S> {
    begun: Vec<u8>,
    told: usize,
    rest: S,
}

impl<S: AsyncRead + Unpin> Rewound<S> {
    /// Reads the head of a request. It may be cut short by the peer's end or by the limit.
    pub async fn after_head(mut rest: S) -> io::Result<Self> {
        let mut begun = Vec::new();
        while !begun.windows(4).any(|it| it == b"\r\n\r\n") && begun.len() < LONGEST {
            let mut bytes = [0; 1024];
            let count = rest.read(&mut bytes).await?;
            if count == 0 {
                break;
            }
            begun.extend_from_slice(&bytes[..count]);
        }
        Ok(Self {
            begun,
            told: 0,
            rest,
        })
    }

    /// What was read.
    pub fn begun(&self) -> &[u8] {
        &self.begun
    }

    /// The stream itself; what was read is forgotten.
    pub fn into_rest(self) -> S {
        self.rest
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.begun[self.told..];
        if left.is_empty() {
            return Pin::new(&mut self.rest).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        self.told += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.rest).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_is_read_again() {
        let request: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nand more";
        let mut rewound = Rewound::after_head(request).await.unwrap();
        assert!(rewound.begun().starts_with(b"GET / HTTP/1.1\r\nHost: a"));
        let mut all = Vec::new();
        rewound.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, request);
    }
}
