//! A stream that keeps what passes: how much each way, the first bytes received, and how it ended.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::measure::classify::io_failure;
use crate::model::failure::Failure;

/// First bytes received that are kept: enough for a block page sent in clear.
const MAX_HEAD: usize = 4 << 10;
/// Between the pieces of a write that is cut: long enough that no queue on the way puts them together again.
const PAUSE: Duration = Duration::from_millis(20);

/// What passed through a stream so far; shared with whoever tells the facts.
#[derive(Default)]
pub struct Passed {
    sent: AtomicU64,
    sent_first: AtomicU64,
    received: AtomicU64,
    head: Mutex<Vec<u8>>,
    ended: AtomicBool,
    broken: Mutex<Option<Failure>>,
}

impl Passed {
    /// Bytes sent before the first byte came back: with TLS, the ClientHello.
    pub fn sent_first(&self) -> u64 {
        match self.received() {
            0 => self.sent.load(Ordering::Relaxed),
            _ => self.sent_first.load(Ordering::Relaxed),
        }
    }

    /// Bytes sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The first bytes received, at most 4 KiB.
    pub fn head(&self) -> Vec<u8> {
        self.head
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How the stream ended, if it did: by an error, or by the peer's orderly close.
    pub fn ending(&self) -> Option<Failure> {
        let broken = self
            .broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let closed = self.ended.load(Ordering::Relaxed).then_some(Failure::Eof);
        broken.or(closed)
    }

    fn note_error(&self, error: &io::Error) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert_with(|| io_failure(error));
    }

    fn note(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.ended.store(true, Ordering::Relaxed);
            return;
        }
        if self.received() == 0 {
            let sent = self.sent.load(Ordering::Relaxed);
            self.sent_first.store(sent, Ordering::Relaxed);
        }
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.received.fetch_add(length, Ordering::Relaxed);
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_HEAD.saturating_sub(head.len());
        head.extend(bytes.iter().take(room));
    }
}

/// The stream itself.
pub struct Tee<S> {
    inner: S,
    passed: Arc<Passed>,
    /// Where this first occurs in the first write, that write ends.
    cut_in: Option<Vec<u8>>,
    /// Runs between the pieces.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Tee<S> {
    /// Keeps what passes through `inner`.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            passed: Arc::default(),
            cut_in: None,
            pause: None,
        }
    }

    /// Sends the first write in two pieces, cut in the middle of these bytes: two segments on the wire, the same stream for
    /// whoever puts them together. Where they do not occur, nothing is cut.
    #[must_use]
    pub fn cut_in(mut self, bytes: &[u8]) -> Self {
        self.cut_in = (bytes.len() > 1).then(|| bytes.to_vec());
        self
    }

    /// What passed so far.
    pub fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.passed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tee<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let has_room = buffer.remaining() > 0;
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        outcome.inspect_err(|error| self.passed.note_error(error))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        if has_room {
            self.passed.note(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tee<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        let cut = self.cut_in.as_deref();
        let piece = cut.and_then(|wanted| bytes.get(..middle_of(wanted, bytes)?));
        let is_cut = piece.is_some();
        let outcome = ready!(Pin::new(&mut self.inner).poll_write(context, piece.unwrap_or(bytes)));
        self.cut_in = None;
        self.pause = is_cut.then(|| Box::pin(sleep(PAUSE)));
        let written = outcome.inspect_err(|error| self.passed.note_error(error))?;
        let length = u64::try_from(written).unwrap_or(u64::MAX);
        self.passed.sent.fetch_add(length, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Where to cut, if the bytes occur.
fn middle_of(wanted: &[u8], bytes: &[u8]) -> Option<usize> {
    let begin = bytes
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted))?;
    Some(begin + wanted.len() / 2)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_first_write_is_cut_inside_the_name_and_nothing_is_lost() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut tee = Tee::new(ours).cut_in(b"name.example");
        let written = tee
            .write(b"say name.example twice: name.example")
            .await
            .unwrap();
        assert_eq!(written, "say name.e".len());
        tee.write_all(b"xample twice: name.example").await.unwrap();
        drop(tee);
        let mut heard = String::new();
        theirs.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "say name.example twice: name.example");
    }

    #[tokio::test]
    async fn without_the_name_nothing_is_cut() {
        let (ours, _theirs) = tokio::io::duplex(1024);
        let mut tee = Tee::new(ours).cut_in(b"name.example");
        assert_eq!(tee.write(b"another").await.unwrap(), 7);
    }
}
