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
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use crate::lab::atlas::{BLOCK_PAGE, PORTAL};
use crate::lab::authority::{Leaf, Signer, certify};
use crate::lab::door::{Door, Face};
use crate::lab::inspector::{self, Inspector};
use crate::lab::life::Life;
use crate::lab::resolver::{Speaker, serve_http, serve_stream};
use crate::lab::{talk, web, websocket, whatsapp};
use crate::model::catalog::{Resolver, Transport};
use crate::model::technique::Interference;

/// First byte of a TLS handshake record.
const HANDSHAKE: u8 = 0x16;

/// Enough to look at the first bytes; larger reads pass the buffer by.
const BUFFER: usize = 1024;

/// Between an `accept` that failed and the next.
const PAUSE: Duration = Duration::from_millis(10);

/// A door with all that its connections share.
pub struct Server {
    door: Door,
    speakers: Arc<[Speaker]>,
    inspector: Arc<Inspector>,
    tls: Option<Arc<ServerConfig>>,
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
        Self {
            door,
            speakers,
            inspector,
            tls,
            life,
        }
    }

    /// Accepts for as long as the site lives.
    pub async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            // Out of descriptors or an aborted connection: the next one may do better.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let life = server.life.clone();
            let server = Arc::clone(&server);
            life.spawn(async move { server.serve_connection(stream).await });
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if !self.door.delay.is_zero() {
            tokio::time::sleep(self.door.delay).await;
        }
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let first = stream.fill_buf().await?.first().copied();
        let is_honest = !matches!(self.door.face, Face::Portal | Face::BlockPage);
        let is_clear_http = self.door.is_clear_http() || !is_honest;
        if let Some(config) = &self.tls
            && (first == Some(HANDSHAKE) || (is_honest && !self.door.is_clear()))
        {
            let start = Box::pin(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
            let name = start.client_hello().server_name().map(str::to_owned);
            let verdict = match (self.door.face, name.as_deref()) {
                (Face::Silent, _) => Some(Interference::Drop),
                (Face::Strict, _) => Some(Interference::Alert),
                (_, Some(name)) => self.inspector.verdict(&self.door, name),
                (_, None) => None,
            };
            if let Some(interference) = verdict {
                let leaves = vec![inspector::impostor(name.as_deref().unwrap_or_default())];
                return Box::pin(inspector::interfere(
                    interference,
                    start,
                    with_leaves(leaves),
                ))
                .await;
            }
            let stream = Box::pin(start.into_stream(Arc::clone(config))).await?;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            let stream = BufReader::with_capacity(BUFFER, stream);
            return Box::pin(self.serve_tls(stream, alpn.as_deref())).await;
        }
        if is_honest && let Some(speaker) = self.speaker(Transport::Tcp) {
            return serve_stream(stream, speaker).await;
        }
        // Faults of TLS are none of a server that speaks in clear.
        let is_there = matches!(
            self.door.face,
            Face::Honest | Face::Strict | Face::Misconfigured
        );
        if is_there && self.door.is_whatsapp() && first == Some(whatsapp::FIRST) {
            return whatsapp::serve(stream).await;
        }
        if is_clear_http && looks_like_http(first) {
            return Box::pin(self.serve_http1(stream, false)).await;
        }
        match self.door.own_protocol(false).and_then(talk::server) {
            Some(server) if is_there => talk::serve_stream(stream, server).await,
            _ => discard(stream).await,
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
        if self.door.face == Face::Honest
            && let Some(speaker) = self.speaker(Transport::Dot)
        {
            return serve_stream(stream, speaker).await;
        }
        if alpn == Some(b"h2") {
            return Box::pin(self.serve_http2(stream)).await;
        }
        let first = stream.fill_buf().await?.first().copied();
        let is_http = self.door.is_tls_http() || self.door.face != Face::Honest;
        if is_http && looks_like_http(first) {
            return Box::pin(self.serve_http1(stream, true)).await;
        }
        match self.door.own_protocol(true).and_then(talk::server) {
            Some(server) if self.door.face == Face::Honest => {
                talk::serve_stream(stream, server).await
            }
            _ => discard(stream).await,
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
            && self.door.face == Face::Honest
            && let Some(speaker) = self.speaker(Transport::Doh)
        {
            return Ok(serve_http(request, speaker).await);
        }
        if is_tls
            && self.door.face == Face::Honest
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
        Ok(web::answer(&self.door, &request, is_tls))
    }

    fn speaker(&self, transport: Transport) -> Option<&Speaker> {
        let (index, _) = self.door.resolver(transport)?;
        self.speakers.get(*index)
    }
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
            is_expired: false,
        }]
    };
    let leaves = match door.face {
        Face::Portal => itself(PORTAL),
        Face::BlockPage => itself(BLOCK_PAGE),
        Face::Misconfigured => itself(address),
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
