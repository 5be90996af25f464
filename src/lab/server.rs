//! The lab's TCP servers: one listener for each door, which finds out what is spoken from the first byte.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use socket2::{SockRef, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use crate::lab::atlas::{BLOCK_PAGE, PORTAL};
use crate::lab::authority::{Leaf, Signer, certify};
use crate::lab::censor::Lie;
use crate::lab::door::{Door, Face};
use crate::lab::hostile::{self, Hostility};
use crate::lab::inspector::{self, Beginning, Inspector, Met};
use crate::lab::life::Life;
use crate::lab::resolver::{Speaker, serve_http, serve_stream};
use crate::lab::rewound::Rewound;
use crate::lab::weather::Weather;
use crate::lab::{talk, web, websocket, whatsapp};
use crate::model::catalog::{Protocol, Resolver, Transport};
use crate::model::technique::Interference;

/// First byte of a TLS handshake record.
const HANDSHAKE: u8 = 0x16;

/// Enough to look at a ClientHello of a browser of 2026; larger reads pass the buffer by.
const BUFFER: usize = 2048;

/// Connections that may wait for `accept`.
pub const BACKLOG: i32 = 64;

/// Whose certificate a box in the middle shows to those who name nobody.
const STRANGER: &str = "nobody.example";

/// Between an `accept` that failed and the next.
const PAUSE: Duration = Duration::from_millis(10);

/// A door with all that its connections share.
pub struct Server {
    door: Door,
    speakers: Arc<[Speaker]>,
    inspector: Arc<Inspector>,
    tls: Option<Arc<ServerConfig>>,
    weather: Arc<Weather>,
    life: Life,
}

impl Server {
    /// `address` is what the certificate says where the catalog knows no name.
    pub fn new(
        door: Door,
        address: &str,
        speakers: Arc<[Speaker]>,
        inspector: Arc<Inspector>,
        life: Life,
    ) -> Self {
        // A portal and a block page meet whatever comes.
        let is_tls = door.is_tls() || matches!(door.face, Face::Portal | Face::BlockPage);
        let tls = is_tls.then(|| server_config(&door, address));
        let weather = Weather::new((0, 0), door.restarts);
        Self {
            door,
            speakers,
            inspector,
            tls,
            weather: Arc::new(weather),
            life,
        }
    }

    /// The same on this line, unless it has trouble of its own.
    #[must_use]
    pub fn on(mut self, weather: &Arc<Weather>) -> Self {
        if self.door.restarts.is_none() {
            self.weather = Arc::clone(weather);
        }
        self
    }

    /// Accepts for as long as the site lives.
    pub async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = server.weather.cut() => {
                    // The parked connections and what else came meanwhile is gone with the cut.
                    let _parked = swallow(&listener);
                    server.weather.restored().await;
                    drop(SockRef::from(&listener).listen(BACKLOG));
                    continue;
                }
            };
            // Out of descriptors or an aborted connection: the next one may do better.
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            server.weather.note(&server.life);
            let life = server.life.clone();
            let server = Arc::clone(&server);
            life.spawn(async move {
                let weather = Arc::clone(&server.weather);
                weather.expose(server.serve_connection(stream)).await
            });
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if !self.door.delay.is_zero() {
            tokio::time::sleep(self.door.delay).await;
        }
        if let Some(custom) = self.door.greeting(false)
            && self.is_there()
            && self.tls.is_none()
        {
            return Box::pin(talk::greet(stream, custom)).await;
        }
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let first = stream.fill_buf().await?.first().copied();
        if let Some(met) = self.inspector.signature(stream.buffer()) {
            return Box::pin(inspector::end(met, stream.into_inner())).await;
        }
        let is_honest = !matches!(self.door.face, Face::Portal | Face::BlockPage);
        let is_clear_http = self.door.is_clear_http() || !is_honest;
        let is_tls = first == Some(HANDSHAKE) || (is_honest && !self.door.is_clear());
        match self.door.face {
            Face::Tarpit => {
                let answer = if is_tls {
                    hostile::SERVER_HELLO
                } else {
                    hostile::ANSWER
                };
                return Box::pin(hostile::drip(stream.into_inner(), answer)).await;
            }
            Face::Garbage => return Box::pin(garble(stream.into_inner())).await,
            Face::Curt(interference) if interference != Interference::Intercept => {
                return Box::pin(inspector::end(met(interference), stream.into_inner())).await;
            }
            Face::Silent if !is_tls => return Box::pin(discard(stream)).await,
            Face::Hostile(kind) if !is_tls || self.tls.is_none() || is_raw(kind) => {
                return Box::pin(hostile::serve(kind, stream)).await;
            }
            _ => {}
        }
        if let Some(config) = &self.tls
            && is_tls
        {
            let seen_at_once = stream.buffer().len();
            let length = record_length(stream.buffer());
            let start = Box::pin(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
            let name = start.client_hello().server_name().map(str::to_owned);
            let begun = Beginning {
                name: name.as_deref(),
                length,
                first: seen_at_once,
                is_tls: true,
            };
            // Who stands on the way is met before who lives here.
            let on_the_way = self.inspector.verdict(&self.door, begun);
            if let Some(met) = on_the_way.or_else(|| self.of_the_door(begun).map(met)) {
                let leaves = vec![inspector::impostor(name.as_deref().unwrap_or(STRANGER))];
                return Box::pin(inspector::interfere(met, start, with_leaves(leaves))).await;
            }
            let stream = Box::pin(start.into_stream(Arc::clone(config))).await?;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            let stream = BufReader::with_capacity(BUFFER, stream);
            if let Face::Hostile(kind) = self.door.face {
                return Box::pin(hostile::serve(kind, stream)).await;
            }
            return Box::pin(self.serve_tls(stream, alpn.as_deref())).await;
        }
        if is_honest && let Some(speaker) = self.speaker(Transport::Tcp) {
            return Box::pin(serve_stream(stream, speaker)).await;
        }
        let is_there = self.is_there();
        if is_there && self.door.is_whatsapp() && first == Some(whatsapp::FIRST) {
            return Box::pin(whatsapp::serve(stream)).await;
        }
        if is_clear_http && looks_like_http(first) {
            if !self.inspector.reads_requests() {
                return Box::pin(self.serve_http1(stream, false)).await;
            }
            let first = stream.buffer().len();
            let stream = Box::pin(Rewound::after_head(stream)).await?;
            let name = inspector::host_of(stream.begun());
            let begun = Beginning {
                name: name.as_deref(),
                length: stream.begun().len(),
                first,
                is_tls: false,
            };
            if let Some(met) = self.inspector.verdict(&self.door, begun) {
                return Box::pin(inspector::end(met, stream.into_rest().into_inner())).await;
            }
            return Box::pin(self.serve_http1(stream, false)).await;
        }
        let relay = match stream.get_ref().peer_addr() {
            Ok(peer) if self.door.is_relay() => Some(talk::relay(peer)),
            _ => None,
        };
        match relay.or_else(|| self.own_server(false)) {
            Some(server) if is_there => Box::pin(talk::serve_stream(stream, server)).await,
            _ => Box::pin(discard(stream)).await,
        }
    }

    /// What the servers behind the door themselves do to a ClientHello.
    fn of_the_door(&self, begun: Beginning) -> Option<Interference> {
        let knows = |name: &str| {
            let leaves = self.door.leaves("");
            leaves.iter().any(|leaf| leaf.name == name)
        };
        match self.door.face {
            Face::Silent => Some(Interference::Drop),
            Face::Strict => Some(Interference::Alert),
            Face::Choosy if begun.name.is_some_and(|name| !knows(name)) => {
                Some(Interference::Alert)
            }
            Face::Narrow if begun.length > inspector::SEGMENT => Some(Interference::Drop),
            Face::Curt(interference) => Some(interference),
            _ => None,
        }
    }

    async fn serve_tls<S>(
        self: Arc<Self>,
        mut stream: BufReader<S>,
        alpn: Option<&[u8]>,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if self.door.face.is_at_home()
            && let Some(speaker) = self.speaker(Transport::Dot)
        {
            return Box::pin(serve_stream(stream, speaker)).await;
        }
        if alpn == Some(b"h2") {
            return Box::pin(self.serve_http2(stream)).await;
        }
        if let Some(custom) = self.door.greeting(true)
            && self.door.face == Face::Honest
        {
            return Box::pin(talk::greet(stream, custom)).await;
        }
        let first = stream.fill_buf().await?.first().copied();
        let is_http = self.door.is_tls_http() || !self.door.face.is_at_home();
        if is_http && looks_like_http(first) {
            return Box::pin(self.serve_http1(stream, true)).await;
        }
        match self.own_server(true) {
            Some(server) if self.door.face == Face::Honest => {
                Box::pin(talk::serve_stream(stream, server)).await
            }
            _ => Box::pin(discard(stream)).await,
        }
    }

    async fn serve_http1<S>(self: Arc<Self>, stream: S, is_tls: bool) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| Arc::clone(&self).respond(request, is_tls));
        let mut http = hyper::server::conn::http1::Builder::new();
        http.max_buf_size(16 * 1024);
        let serving = http.serve_connection(TokioIo::new(stream), service);
        serving.with_upgrades().await.map_err(io::Error::other)
    }

    async fn serve_http2<S>(self: Arc<Self>, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let life = self.life.clone();
        let service = service_fn(move |request| Arc::clone(&self).respond(request, true));
        let mut http = hyper::server::conn::http2::Builder::new(life);
        http.max_concurrent_streams(16);
        let served = http.serve_connection(TokioIo::new(stream), service).await;
        served.map_err(io::Error::other)
    }

    async fn respond(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        is_tls: bool,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        let is_asked = |it: &Resolver| it.path == request.uri().path();
        let resolver = self.door.resolver(Transport::Doh);
        let is_dns = is_tls && resolver.is_some_and(|(_, it)| is_asked(it));
        if is_dns
            && self.door.face.is_at_home()
            && let Some(speaker) = self.speaker(Transport::Doh)
        {
            return Ok(serve_http(request, speaker).await);
        }
        if is_tls
            && self.door.face.is_at_home()
            && let Some(response) = websocket::accept(&self.door, &mut request, &self.life)
        {
            return Ok(response);
        }
        let is_post = request.method() == Method::POST;
        if !is_tls && is_post && self.door.takes_posts(request.uri().path()) {
            let body = Limited::new(request.into_body(), BUFFER).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes);
            let answer = talk::answer_post(&body.unwrap_or_default());
            return Ok(Response::new(Full::new(Bytes::from(answer))));
        }
        let protocol = if is_tls {
            Protocol::Https
        } else {
            Protocol::Http
        };
        let mut response = web::answer(&self.door, &request, protocol);
        web::date(&mut response, self.door.ahead_days);
        Ok(response.map(Full::new))
    }

    /// Faults of TLS are none of a server that speaks in clear.
    fn is_there(&self) -> bool {
        matches!(
            self.door.face,
            Face::Honest
                | Face::Plain
                | Face::Strict
                | Face::Choosy
                | Face::Narrow
                | Face::Misconfigured
                | Face::Misplaced
        )
    }

    /// Who speaks an app's own protocol on a bare stream, in clear or inside TLS.
    fn own_server(&self, is_tls: bool) -> Option<talk::Answerer> {
        let server = self.door.own_protocol(is_tls).and_then(talk::server);
        let server = match server {
            Some(server) if self.door.face == Face::Plain => {
                Some(talk::without_obfuscation(server))
            }
            other => other,
        };
        let described = self.door.described(is_tls);
        let own = || talk::described(described.iter().copied().cloned().collect());
        server.or_else(|| (!described.is_empty()).then(own))
    }

    fn speaker(&self, transport: Transport) -> Option<&Speaker> {
        let (index, _) = self.door.resolver(transport)?;
        self.speakers.get(*index)
    }
}

const fn met(interference: Interference) -> Met {
    Met {
        interference,
        page: Lie::BlockPage,
    }
}

/// Whether it goes on below TLS, before any handshake.
const fn is_raw(kind: Hostility) -> bool {
    matches!(kind, Hostility::DripHello | Hostility::MalformedRecords)
}

/// The length of the first record with its header, as it says itself.
fn record_length(bytes: &[u8]) -> usize {
    match bytes {
        [_, _, _, high, low, ..] => 5 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => usize::MAX,
    }
}

/// Answers bytes that are no protocol's.
async fn garble(mut stream: TcpStream) -> io::Result<()> {
    let bytes: Vec<u8> = (1..=u8::MAX)
        .map(|it| it.wrapping_mul(151) | 0x80)
        .collect();
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// Makes SYNs vanish at a listener: nobody accepts, and connections parked in its queue fill it.
fn swallow(listener: &TcpListener) -> io::Result<Vec<Socket>> {
    let socket = SockRef::from(listener);
    socket.listen(0)?;
    let address = socket.local_addr()?;
    let mut parked = Vec::new();
    for _ in 0..2 {
        let guest = Socket::new(socket.domain()?, Type::STREAM, None)?;
        guest.set_nonblocking(true)?;
        drop(guest.connect(&address));
        parked.push(guest);
    }
    Ok(parked)
}

/// Whether a first byte may begin the name of a method.
fn looks_like_http(first: Option<u8>) -> bool {
    first.is_some_and(|it| it.is_ascii_uppercase())
}

/// Reads and says nothing, until the peer closes.
async fn discard<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<()> {
    let mut bytes = [0; 512];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// The TLS of everything behind a door.
pub fn server_config(door: &Door, address: &str) -> Arc<ServerConfig> {
    let itself = |name: &str| {
        vec![Leaf {
            signer: Signer::Itself,
            name: name.to_owned(),
            validity: door.validity(),
        }]
    };
    let leaves = match door.face {
        Face::Portal => itself(PORTAL),
        Face::BlockPage => itself(BLOCK_PAGE),
        Face::Misconfigured => itself(address),
        Face::Misplaced => vec![Leaf {
            signer: Signer::Public,
            name: "somebody.else.example".to_owned(),
            validity: door.validity(),
        }],
        _ => door.leaves(address),
    };
    let mut config = (*with_leaves(leaves)).clone();
    config.alpn_protocols = match door.face {
        // A portal's one server speaks to all who come, whatever they offer.
        Face::Portal | Face::BlockPage => Vec::new(),
        _ => door.alpn(),
    };
    Arc::new(config)
}

fn with_leaves(leaves: Vec<Leaf>) -> Arc<ServerConfig> {
    let mut config = BASE.clone();
    config.cert_resolver = Arc::new(Certificates { leaves });
    Arc::new(config)
}

/// What the servers of every door share. Nobody resumes, so nothing is kept for it.
static BASE: LazyLock<ServerConfig> = LazyLock::new(|| {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let nobody = Arc::new(Certificates { leaves: Vec::new() });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(nobody);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
});

/// Chooses by server name, and makes the certificate when it is first asked for.
#[derive(Debug)]
struct Certificates {
    leaves: Vec<Leaf>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let leaf = self
            .leaves
            .iter()
            .find(|it| Some(it.name.as_str()) == asked);
        certify(leaf.or(self.leaves.first())?).ok()
    }
}
