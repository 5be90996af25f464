//! An honest internet behind the router: every address there is answers DNS, TLS and HTTP as the definitions expect.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use blockprobe::lab::authority::{Leaf, Signer, Validity, certify};
use blockprobe::lab::door::{Door, Face, Tenant, is_udp};
use blockprobe::lab::life::Life;
use blockprobe::lab::quic::{self, gate::Gate};
use blockprobe::lab::resolver::{Speaker, serve_http, serve_stream};
use blockprobe::lab::server::Server;
use blockprobe::lab::zone::{Answer, Zone};
use blockprobe::lab::{talk, web, websocket, whatsapp};
use blockprobe::model::catalog::{Catalog, Endpoint, Protocol, Transport};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::names;
use crate::road::spawn_in;

/// Ports of a portal's two servers, on the router.
pub const PORTAL_WEB: u16 = 8080;
pub const PORTAL_TLS: u16 = 8443;

/// What the servers of one scenario tell.
#[derive(Debug)]
pub struct World {
    pub catalog: Catalog,
    pub zone: Zone,
    /// The way to a resolver and back, for those who get ahead of it.
    pub resolver_delay: Duration,
}

/// Servers that live in a namespace, on a thread of their own, until dropped.
#[derive(Debug)]
pub struct Servers {
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// The internet.
    pub fn of_the_world(namespace: &str, world: World) -> Self {
        Self::start(namespace, move |life| World::open(world, life))
    }

    /// A captive portal.
    pub fn of_a_portal(namespace: &str) -> Self {
        Self::start(namespace, |life| {
            let door = Door {
                face: Face::Portal,
                ..Door::default()
            };
            for port in [PORTAL_WEB, PORTAL_TLS] {
                let listener = listen((Ipv4Addr::UNSPECIFIED, port).into())?;
                let server = Server::new(
                    door.clone(),
                    "portal",
                    Arc::from([]),
                    Arc::default(),
                    life.clone(),
                );
                life.spawn_for_ever(server.serve(listener));
            }
            Ok(())
        })
    }

    fn start<Opening>(namespace: &str, opening: Opening) -> Self
    where
        Opening: FnOnce(&Life) -> io::Result<()> + Send + 'static,
    {
        let end = CancellationToken::new();
        let ended = end.clone();
        let (ready, opened) = mpsc::channel();
        let thread = spawn_in(namespace, move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let life = Life::default();
                let result = opening(&life);
                ready.send(result).expect("somebody waits");
                ended.cancelled().await;
                life.end();
            });
        });
        let servers = Self {
            end,
            thread: Some(thread),
        };
        let result = opened.recv().expect("the servers' thread lives");
        result.expect("the servers have their ports");
        servers
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What all connections share.
struct Shared {
    /// Everything of the definitions, behind one door.
    door: Door,
    speakers: HashMap<IpAddr, Vec<Speaker>>,
    tls: TlsAcceptor,
    life: Life,
}

impl World {
    fn open(self, life: &Life) -> io::Result<()> {
        let ipv6 = self.zone.ipv6;
        let zone = Arc::new(self.zone);
        let speakers: HashMap<IpAddr, Vec<Speaker>> = names::voices(&self.catalog)
            .into_iter()
            .map(|(address, voices)| {
                let speaker = |voice| Speaker {
                    zone: Arc::clone(&zone),
                    voice: Arc::new(voice),
                    health: Arc::default(),
                };
                (address, voices.into_iter().map(speaker).collect())
            })
            .collect();
        let endpoints: Vec<Endpoint> = endpoints(&self.catalog).cloned().collect();
        let mut ports: BTreeSet<u16> = [53, 80, 443, 853].into();
        let streams = endpoints.iter().filter(|it| !is_udp(it.protocol));
        ports.extend(streams.map(|it| it.port));
        for (address, speakers) in &speakers {
            let socket = bind(Type::DGRAM, (*address, 53).into())?;
            let socket = UdpSocket::from_std(socket.into())?;
            let udp = speakers.iter();
            let mut udp = udp.filter(|it| it.voice.speaker.transport == Transport::Udp);
            let speaker = udp.next().or(speakers.first()).cloned();
            let speaker = speaker.expect("nobody is listed without a voice");
            life.spawn_for_ever(serve_udp(
                socket,
                speaker,
                self.resolver_delay,
                life.clone(),
            ));
        }
        let tls = Arc::new(tls(&endpoints));
        let door = Door {
            endpoints: endpoints.iter().cloned().map(tenant).collect(),
            ..Door::default()
        };
        let answerer = quic::answer::of(door.clone());
        for endpoint in endpoints.iter().filter(|it| is_udp(it.protocol)) {
            let host = endpoint.host.as_deref();
            let ipv6 = host.and_then(|name| Some(ipv6?(name)));
            let host = host.map(|name| IpAddr::V4(names::address_of(&self.catalog, name)));
            let hosts = host.into_iter().chain(ipv6.map(IpAddr::V6));
            for address in endpoint.addresses.iter().copied().chain(hosts) {
                let socket = bind(Type::DGRAM, (address, endpoint.port).into())?;
                let socket = UdpSocket::from_std(socket.into())?;
                if endpoint.protocol == Protocol::Quic {
                    let (tls, answerer) = (Arc::clone(&tls), Arc::clone(&answerer));
                    life.spawn_for_ever(quic::serve(socket, tls, answerer, Gate::default()));
                    continue;
                }
                life.spawn_for_ever(talk::serve_datagrams(
                    socket,
                    endpoint.protocol,
                    talk::Way::default(),
                ));
            }
        }
        let shared = Arc::new(Shared {
            tls: TlsAcceptor::from(tls),
            door,
            speakers,
            life: life.clone(),
        });
        let any = [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Ipv6Addr::UNSPECIFIED.into(),
        ];
        for port in ports {
            for address in any {
                let listener = listen((address, port).into())?;
                life.spawn_for_ever(Arc::clone(&shared).accept(listener));
            }
        }
        Ok(())
    }
}

impl Shared {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&self);
                self.life.spawn(async move { shared.serve(stream).await });
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let here = stream.local_addr()?;
        let mut stream = BufReader::with_capacity(1024, stream);
        if here.port() == 53 {
            return self.serve_dns(stream, here.ip(), Transport::Tcp).await;
        }
        // Whoever sends nothing is let be.
        let first = stream.fill_buf().await?;
        if first.first() == Some(&0x16) {
            let stream = self.tls.accept(stream).await?;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            self.serve_tls(BufReader::with_capacity(1024, stream), alpn, here)
                .await
        } else if first.first() == Some(&whatsapp::FIRST) {
            whatsapp::serve(stream).await
        } else if is_http(first) {
            self.serve_http1(stream, here, false).await
        } else if let Some(server) = talk::server(Protocol::MtprotoAbridged) {
            talk::serve_stream(stream, server).await
        } else {
            discard(stream).await
        }
    }

    async fn serve_tls<S>(
        self: Arc<Self>,
        mut stream: BufReader<S>,
        alpn: Option<Vec<u8>>,
        here: SocketAddr,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if here.port() == 853 {
            return self.serve_dns(stream, here.ip(), Transport::Dot).await;
        }
        if alpn.as_deref() == Some(b"h2") {
            let life = self.life.clone();
            let service = service_fn(move |request| Arc::clone(&self).respond(request, here, true));
            let http = hyper::server::conn::http2::Builder::new(life);
            let served = http.serve_connection(TokioIo::new(stream), service).await;
            return served.map_err(io::Error::other);
        }
        if is_http(stream.fill_buf().await?) {
            self.serve_http1(stream, here, true).await
        } else if let Some(server) = talk::server(Protocol::MaxBinary) {
            talk::serve_stream(stream, server).await
        } else {
            discard(stream).await
        }
    }

    async fn serve_http1<S>(
        self: Arc<Self>,
        stream: S,
        here: SocketAddr,
        is_tls: bool,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| Arc::clone(&self).respond(request, here, is_tls));
        let http = hyper::server::conn::http1::Builder::new();
        let serving = http.serve_connection(TokioIo::new(stream), service);
        serving.with_upgrades().await.map_err(io::Error::other)
    }

    async fn respond(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        here: SocketAddr,
        is_tls: bool,
    ) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
        let speaker = self.speaker(here.ip(), Transport::Doh);
        Ok(match speaker {
            Some(speaker) if is_tls && speaker.voice.speaker.path == request.uri().path() => {
                serve_http(request, speaker).await
            }
            _ if !is_tls && request.method() == http::Method::POST => {
                let body = http_body_util::Limited::new(request.into_body(), 1024);
                let body = body
                    .collect()
                    .await
                    .map(http_body_util::Collected::to_bytes);
                let answer = talk::answer_post(&body.unwrap_or_default());
                Response::new(Full::new(Bytes::from(answer)))
            }
            _ => {
                let upgraded = is_tls
                    .then(|| websocket::accept(&self.door, &mut request, &self.life))
                    .flatten();
                let protocol = if is_tls {
                    Protocol::Https
                } else {
                    Protocol::Http
                };
                let answered = || web::answer(&self.door, &request, protocol);
                upgraded.unwrap_or_else(|| answered().map(Full::new))
            }
        })
    }

    async fn serve_dns<S>(&self, stream: S, here: IpAddr, by: Transport) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.speaker(here, by) {
            Some(speaker) => serve_stream(stream, speaker).await,
            None => Ok(()),
        }
    }

    fn speaker(&self, here: IpAddr, by: Transport) -> Option<&Speaker> {
        let mut here = self.speakers.get(&here)?.iter();
        here.find(|it| it.voice.speaker.transport == by)
    }
}

async fn serve_udp(socket: UdpSocket, speaker: Speaker, delay: Duration, life: Life) {
    let socket = Arc::new(socket);
    let mut bytes = [0; 2048];
    loop {
        // An ICMP error for an earlier reply ends nothing.
        let Ok((length, peer)) = socket.recv_from(&mut bytes).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Answer::One(reply) = speaker.zone.answer(&speaker.voice, &bytes[..length]) else {
            continue;
        };
        let socket = Arc::clone(&socket);
        life.spawn(async move {
            tokio::time::sleep(delay).await;
            drop(socket.send_to(&reply, peer).await);
        });
    }
}

fn is_http(first: &[u8]) -> bool {
    [b"GET ".as_slice(), b"HEAD ", b"POST "]
        .iter()
        .any(|method| first.starts_with(method))
}

/// Reads and says nothing, until the peer closes.
async fn discard<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<()> {
    let mut bytes = [0; 512];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

fn endpoints(catalog: &Catalog) -> impl Iterator<Item = &Endpoint> {
    let services = catalog.targets.iter().flat_map(|it| &it.services);
    let targets = services.flat_map(|it| &it.endpoints);
    targets.chain(catalog.controls.iter().map(|it| &it.endpoint))
}

fn tenant(endpoint: Endpoint) -> Tenant {
    Tenant {
        endpoint,
        status: None,
        validity: Validity::Lasting,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(Type::STREAM, address)?;
    socket.listen(256)?;
    TcpListener::from_std(socket.into())
}

/// Any address can be had: the routes say that all of them are here.
fn bind(kind: Type, address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_freebind_v6(true)?;
    } else {
        socket.set_freebind_v4(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn tls(endpoints: &[Endpoint]) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AnyName));
    let mut alpn: Vec<&str> = vec!["h2", "http/1.1", "h3", "dot"];
    let named = endpoints.iter().flat_map(|it| &it.alpn);
    alpn.extend(named.map(String::as_str));
    config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    config.send_tls13_tickets = 0;
    config
}

/// Certifies whatever name is asked for, by the authority that the client was told to trust.
#[derive(Debug)]
struct AnyName;

impl ResolvesServerCert for AnyName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or("nameless.example");
        certify(&Leaf {
            signer: Signer::Public,
            name: name.to_owned(),
            validity: Validity::Lasting,
        })
        .ok()
    }
}
