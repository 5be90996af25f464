//! The lab's resolvers on the wire: UDP, TCP, DoT (2-byte length) and DoH (RFC 8484).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hickory_proto::op::{Message, ResponseCode};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;

use crate::lab::health::Health;
use crate::lab::hostile;
use crate::lab::life::Life;
use crate::lab::weather::Weather;
use crate::lab::zone::{Answer, Voice, Zone};

/// How much later than a forged answer the honest one comes: the round trip from a censor to a resolver abroad.
const HONEST_AFTER: Duration = Duration::from_millis(40);

/// Longest DNS message.
const LONGEST: usize = 65_535;

const DNS_MESSAGE: &str = "application/dns-message";

/// One resolver with the zone it tells.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// The names of the lab.
    pub zone: Arc<Zone>,
    /// Who speaks.
    pub voice: Arc<Voice>,
    /// How well it is.
    pub health: Arc<Health>,
}

impl Speaker {
    fn answer(&self, bytes: &[u8]) -> Answer {
        if self.health.is_silent() {
            return Answer::Silence;
        }
        match self.health.refusal(&asked(bytes)) {
            Some(code) => Zone::refusal(bytes, code, false).map_or(Answer::Silence, Answer::One),
            None => self.zone.answer(&self.voice, bytes),
        }
    }

    /// The one message sent over a transport in which nobody can get ahead.
    async fn only_answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        tokio::time::sleep(self.health.delay()).await;
        if let Some(malice) = self.health.malice {
            return hostile::replies(malice, bytes).into_iter().next();
        }
        match self.answer(bytes) {
            Answer::Silence => None,
            Answer::One(reply) => Some(reply),
            Answer::Race { honest, .. } => honest,
        }
    }

    /// What is sent for one datagram, each message with how long it waits.
    fn datagrams(&self, bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let delay = self.health.delay();
        if let Some(malice) = self.health.malice {
            let replies = hostile::replies(malice, bytes).into_iter();
            return replies.map(|reply| (delay, reply)).collect();
        }
        match self.answer(bytes) {
            Answer::Silence => Vec::new(),
            Answer::One(_) if self.health.truncates() => {
                let reply = Zone::refusal(bytes, ResponseCode::NoError, true);
                reply.map(|reply| (delay, reply)).into_iter().collect()
            }
            Answer::One(reply) => vec![(delay, reply)],
            Answer::Race { forged, honest } => {
                let honest = honest.map(|honest| (delay + HONEST_AFTER, honest));
                std::iter::once((Duration::ZERO, forged))
                    .chain(honest)
                    .collect()
            }
        }
    }
}

/// The name that is asked for, in lower case and without its last dot; nothing where there is none.
fn asked(bytes: &[u8]) -> String {
    let query = Message::from_vec(bytes).ok();
    let name = query.and_then(|it| Some(it.queries.first()?.name().to_lowercase().to_utf8()));
    name.map(|it| it.trim_end_matches('.').to_owned())
        .unwrap_or_default()
}

/// Answers datagrams for as long as the site lives.
pub async fn serve_udp(socket: UdpSocket, speaker: Speaker, weather: Arc<Weather>, life: Life) {
    let socket = Arc::new(socket);
    let mut bytes = [0; 2048];
    loop {
        // An ICMP error for an earlier reply ends nothing.
        let Ok((length, peer)) = socket.recv_from(&mut bytes).await else {
            tokio::task::yield_now().await;
            continue;
        };
        weather.note(&life);
        if weather.is_cut() || weather.loses() {
            continue;
        }
        for (delay, reply) in speaker.datagrams(&bytes[..length]) {
            if weather.loses() {
                continue;
            }
            if delay.is_zero() {
                drop(socket.send_to(&reply, peer).await);
                continue;
            }
            let (socket, weather) = (Arc::clone(&socket), Arc::clone(&weather));
            life.spawn(async move {
                tokio::time::sleep(delay).await;
                if !weather.is_cut() {
                    drop(socket.send_to(&reply, peer).await);
                }
            });
        }
    }
}

/// Answers messages with a 2-byte length until the peer has no more.
pub async fn serve_stream<S>(mut stream: S, speaker: &Speaker) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let length = usize::from(stream.read_u16().await?);
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await?;
        let Some(reply) = speaker.only_answer(&bytes).await else {
            continue;
        };
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
        let mut framed = Vec::with_capacity(reply.len() + 2);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&reply);
        stream.write_all(&framed).await?;
        stream.flush().await?;
    }
}

/// Answers one HTTP request to the resolver's path.
pub async fn serve_http(request: Request<Incoming>, speaker: &Speaker) -> Response<Full<Bytes>> {
    let Some(bytes) = query_of(request).await else {
        return plain(StatusCode::BAD_REQUEST);
    };
    let Some(reply) = speaker.only_answer(&bytes).await else {
        // The connection's own bound ends the wait.
        return std::future::pending().await;
    };
    let mut response = Response::new(Full::new(Bytes::from(reply)));
    let content = http::HeaderValue::from_static(DNS_MESSAGE);
    response.headers_mut().insert(CONTENT_TYPE, content);
    response
}

async fn query_of(request: Request<Incoming>) -> Option<Vec<u8>> {
    if request.method() == Method::GET {
        let query = request.uri().query()?;
        let encoded = query.split('&').find_map(|it| it.strip_prefix("dns="))?;
        return URL_SAFE_NO_PAD.decode(encoded).ok();
    }
    let is_dns = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|it| it == DNS_MESSAGE);
    if request.method() != Method::POST || !is_dns {
        return None;
    }
    let body = Limited::new(request.into_body(), LONGEST).collect().await;
    body.ok().map(|it| it.to_bytes().to_vec())
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
