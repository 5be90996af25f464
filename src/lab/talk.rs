//! Servers of one question and one answer, on a stream, in the messages of a WebSocket, or in datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::lab::weather::Weather;
use crate::model::catalog::Protocol;
use crate::model::custom::Custom;
use crate::wire::mtproto::message::PRODUCTION;
use crate::wire::reading::Reply;
use crate::wire::{custom, max, mtproto, reflector, stun};

/// Where MAX's servers take their client to be.
const COUNTRY: &str = "RU";

/// Whoever answers: bytes in, a reply out.
pub type Answerer = Box<dyn FnMut(&[u8]) -> Reply + Send>;

/// A relay that answers over TCP too, at the same port (RFC 8489, 6.2.2), for whoever comes from there.
pub fn relay(from: SocketAddr) -> Answerer {
    let mut server = stun::server::Server::new(from);
    Box::new(move |bytes| server.take(bytes))
}

/// The server of a protocol; `None` for those that are not of this kind.
pub fn server(protocol: Protocol) -> Option<Answerer> {
    match protocol {
        Protocol::MtprotoAbridged
        | Protocol::MtprotoIntermediate
        | Protocol::MtprotoObfuscated
        | Protocol::MtprotoHttp
        | Protocol::MtprotoWebsocket => {
            let mut server = telegram();
            Some(Box::new(move |bytes| server.take(bytes, now())))
        }
        Protocol::MaxBinary | Protocol::MaxWebsocket => {
            let mut server = max::server::Server::new(COUNTRY);
            Some(Box::new(move |bytes| server.take(bytes)))
        }
        _ => None,
    }
}

/// The same of a server of Telegram's that hangs up on whoever does not begin as the plain transports do.
pub fn without_obfuscation(mut server: Answerer) -> Answerer {
    let mut is_plain = None;
    Box::new(move |bytes| {
        // Whoever wraps may begin with one byte of the latter, and never with all of them.
        let begins_plain = || bytes.starts_with(&[0xef]) || bytes.starts_with(&[0xee; 4]);
        if *is_plain.get_or_insert_with(begins_plain) {
            server(bytes)
        } else {
            Reply::NotOurs
        }
    })
}

/// The server of protocols that the definitions describe: whoever sends what one of them sends gets what it expects.
pub fn described(customs: Vec<Custom>) -> Answerer {
    let mut heard: Vec<u8> = Vec::new();
    let longest = customs.iter().map(|it| it.send.0.len()).max().unwrap_or(0);
    Box::new(move |bytes| {
        heard.extend_from_slice(bytes);
        let asked = customs
            .iter()
            .find(|it| !it.send.is_empty() && heard.starts_with(&it.send.0));
        match asked {
            Some(custom) => {
                heard.clear();
                Reply::Answer(custom::honest_answer(custom))
            }
            None if heard.len() < longest => Reply::NeedMore,
            None => Reply::NotOurs,
        }
    })
}

/// Speaks first, then listens until the peer closes.
pub async fn greet<S>(mut stream: S, custom: &Custom) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&custom::honest_answer(custom)).await?;
    stream.flush().await?;
    let mut bytes = [0; 512];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// Answers the datagrams of a protocol that the definitions describe.
pub async fn serve_described_datagrams(socket: UdpSocket, custom: Custom) {
    let mut bytes = [0; 2048];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut bytes).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if bytes.get(..length) == Some(custom.send.0.as_slice()) {
            let answer = custom::honest_answer(&custom);
            drop(socket.send_to(&answer, peer).await);
        }
    }
}

/// What is answered to the body of a POST.
pub fn answer_post(body: &[u8]) -> Vec<u8> {
    telegram().answer(body, now())
}

/// Answers on a stream, until the peer closes or speaks something else.
pub async fn serve_stream<S>(mut stream: S, mut answerer: Answerer) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = [0; 1024];
    loop {
        let length = stream.read(&mut bytes).await?;
        let bytes = bytes.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        match answerer(bytes) {
            Reply::NeedMore => {}
            Reply::NotOurs => return Ok(()),
            Reply::Answer(answer) => {
                stream.write_all(&answer).await?;
                stream.flush().await?;
            }
        }
    }
}

/// The same in the messages of a WebSocket.
pub async fn serve_messages<S>(
    mut socket: WebSocketStream<S>,
    mut answerer: Answerer,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = socket.next().await {
        let Message::Binary(bytes) = message.map_err(io::Error::other)? else {
            continue;
        };
        match answerer(&bytes) {
            Reply::NeedMore => {}
            Reply::NotOurs => return Ok(()),
            Reply::Answer(answer) => {
                let sent = socket.send(Message::Binary(answer.into())).await;
                sent.map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}

/// What lies between a client and a server of datagrams.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// What is lost.
    pub weather: Arc<Weather>,
    /// Somebody drops what has STUN's magic cookie.
    pub knows_stun: bool,
}

/// Answers datagrams for as long as the site lives.
pub async fn serve_datagrams(socket: UdpSocket, protocol: Protocol, way: Way) {
    let mut bytes = [0; 2048];
    loop {
        // An ICMP error for an earlier reply ends nothing.
        let Ok((length, peer)) = socket.recv_from(&mut bytes).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let request = bytes.get(..length).unwrap_or_default();
        let is_filtered = way.knows_stun && request.get(4..8) == Some(&stun::COOKIE);
        let weather = &way.weather;
        if is_filtered || weather.is_cut() || weather.loses() || weather.loses() {
            continue;
        }
        let answer = match protocol {
            Protocol::TelegramReflector => reflector::answer(request, peer, now()),
            Protocol::Stun | Protocol::Turn | Protocol::Commnat => {
                stun::server::answer(request, peer)
            }
            _ => None,
        };
        if let Some(answer) = answer {
            drop(socket.send_to(&answer, peer).await);
        }
    }
}

fn telegram() -> mtproto::server::Server {
    let mut nonce = [0; 16];
    let source = aws_lc_rs::default_provider().secure_random;
    source
        .fill(&mut nonce)
        .expect("the system has random bytes");
    mtproto::server::Server::new(nonce, vec![PRODUCTION])
}

fn now() -> Duration {
    Duration::try_from(Timestamp::now().as_duration()).unwrap_or_default()
}
