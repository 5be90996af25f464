//! The messages of a WebSocket as one stream of bytes: where one message ends means nothing to what travels inside.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The stream: every write is one binary message, every reading comes from binary messages.
pub struct Messages<S> {
    socket: WebSocketStream<S>,
    left: Bytes,
}

impl<S> Messages<S> {
    /// Reads and writes the messages of this socket.
    pub const fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            left: Bytes::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Messages<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.left.is_empty() {
            let message = ready!(Pin::new(&mut self.socket).poll_next(context));
            match message.transpose().map_err(io_error)? {
                // Texts are no part of these protocols, and their bytes prove that to whoever reads them.
                Some(Message::Binary(bytes)) => self.left = bytes,
                Some(Message::Text(text)) => self.left = text.into(),
                Some(Message::Close(_)) | None => return Poll::Ready(Ok(())),
                Some(_) => {}
            }
        }
        let length = self.left.len().min(buffer.remaining());
        buffer.put_slice(self.left.get(..length).unwrap_or_default());
        self.left.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Messages<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(context)).map_err(io_error)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        socket.start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        flushed.map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.socket).poll_close(context);
        closed.map_err(io_error)
    }
}

/// Whether the peer broke the rules of WebSockets, or those of this reader: an endless message, say.
pub fn is_broken_rule(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>)
}

/// What the library says, as an error of the stream under it.
fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            io::ErrorKind::UnexpectedEof.into()
        }
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
