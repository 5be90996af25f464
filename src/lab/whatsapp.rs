//! The lab's WhatsApp server: the genuine answer to message 1, vouched for by a root key of the lab's own.

use std::io;
use std::sync::LazyLock;

use futures_util::{SinkExt, StreamExt};
use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::wire::handshake::{Handshake, Progress};
use crate::wire::noise::keys;
use crate::wire::noise::responder::{Identity, Responder, Secrets};
use crate::wire::text::hex;

/// First byte of what is sent to it in clear.
pub const FIRST: u8 = b'W';

/// 2020 and 2120, in seconds since 1970.
const VALID: (u64, u64) = (1_577_836_800, 4_733_510_400);

/// Every site of the process has the same keys, made when they are first asked for.
static SECRETS: LazyLock<Secrets> = LazyLock::new(|| Secrets {
    root: random(),
    intermediate: random(),
    leaf: random(),
});

static IDENTITY: LazyLock<Identity> =
    LazyLock::new(|| Identity::new(&SECRETS, VALID, &[random(), random()]));

/// The public root key, as definitions write it.
pub fn noise_root() -> String {
    hex(&keys::public_of(&SECRETS.root))
}

/// Answers on a stream in clear, and reads until the peer closes.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    let mut server = Responder::new(&IDENTITY, random());
    let mut bytes = [0; 512];
    loop {
        let length = stream.read(&mut bytes).await?;
        let bytes = bytes.get(..length).unwrap_or_default();
        if bytes.is_empty() || matches!(server.receive(bytes), Progress::Failed(_)) {
            return Ok(());
        }
        stream.write_all(&server.send()).await?;
        stream.flush().await?;
    }
}

/// The same in the messages of a WebSocket.
pub async fn serve_messages<S>(mut socket: WebSocketStream<S>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = Responder::new(&IDENTITY, random());
    while let Some(message) = socket.next().await {
        let Message::Binary(bytes) = message.map_err(io::Error::other)? else {
            continue;
        };
        if matches!(server.receive(&bytes), Progress::Failed(_)) {
            return Ok(());
        }
        let answer = server.send();
        if !answer.is_empty() {
            let sent = socket.send(Message::Binary(answer.into())).await;
            sent.map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let source = aws_lc_rs::default_provider().secure_random;
    source
        .fill(&mut bytes)
        .expect("the system has random bytes");
    bytes
}
