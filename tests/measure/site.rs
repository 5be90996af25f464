//! What the tests measure: servers that misbehave on purpose, and an engine that may use loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use blockprobe::measure::limits::Limits;
use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{
    Catalog, PrivateRoot, Protocol, Region, Resolver, ResolverRole, Transport,
};
use blockprobe::model::check::{Ask, Check, Climb, Hello, Payload, RecordType, Role, Round};
use blockprobe::model::line::Line;
use blockprobe::model::observation::Observation;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The name every server here is asked by.
pub const NAME: &str = "web.example";

/// A certificate authority of the tests.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub der: Vec<u8>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    /// A server's configuration with a certificate for `name`, valid in these years.
    pub fn server(&self, name: &str, years: (i32, i32), alpn: &[&str]) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![leaf.der().clone(), CertificateDer::from(self.der.clone())];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(rustls::DEFAULT_VERSIONS)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap();
        config.alpn_protocols = alpn.iter().map(|id| id.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// The same for the name of the tests, valid for long.
    pub fn honest(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        self.server(NAME, (2000, 2100), alpn)
    }
}

/// A TCP server on a port of its own.
pub async fn serve<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    address
}

/// A TLS server on a port of its own.
pub async fn serve_tls<F>(
    config: Arc<ServerConfig>,
    each: impl Fn(tokio_rustls::server::TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(config);
    serve(move |stream| {
        let (acceptor, each) = (acceptor.clone(), each.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                each(stream).await;
            }
        }
    })
    .await
}

/// A port nobody listens at, and nobody else can take: bound for as long as the value lives.
pub fn closed() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Limits short enough for silence to be waited out.
pub fn short() -> Limits {
    let ms = Duration::from_millis;
    Limits {
        dns_resend: vec![ms(200), ms(400)],
        dns_give_up: ms(800),
        dns_listen: ms(200),
        lookup: ms(5000),
        connect: ms(2000),
        tls: ms(2000),
        http: ms(2000),
        exchange: ms(1000),
        exchange_quiet: ms(200),
        dns_stream: ms(2000),
        patience_connect: ms(30),
        patience_talk: ms(50),
        ..Limits::default()
    }
}

/// Everything a check needs around it.
pub struct Site {
    pub catalog: Catalog,
    pub line: Line,
    pub limits: Limits,
    pub cancel: CancellationToken,
}

impl Site {
    /// Loopback is the internet, and these authorities are trusted on this line.
    pub fn new(added: &[&Authority]) -> Self {
        let line = Line {
            ipv4: true,
            playground: vec!["127.0.0.0/8".parse().unwrap()],
            added_roots: added
                .iter()
                .map(|authority| authority.der.clone())
                .collect(),
            ..Line::default()
        };
        Self {
            catalog: Catalog::default(),
            line,
            limits: short(),
            cancel: CancellationToken::new(),
        }
    }

    pub fn with_private_root(mut self, id: &str, authority: &Authority) -> Self {
        self.catalog.private_roots.push(PrivateRoot {
            id: id.to_owned(),
            name: id.to_owned(),
            certificates: vec![authority.der.clone()],
        });
        self
    }

    /// A resolver named `resolver`.
    pub fn with_resolver(mut self, transport: Transport, address: SocketAddr) -> Self {
        self.catalog.resolvers.push(Resolver {
            id: "resolver".to_owned(),
            name: "resolver".to_owned(),
            operator: "resolver".to_owned(),
            role: ResolverRole::Public,
            region: Region::Foreign,
            transport,
            address,
            server_name: Some(NAME.to_owned()),
            path: "/dns-query".to_owned(),
            is_local: false,
        });
        self
    }

    pub fn engine(&self) -> Engine {
        let (cancel, limits) = (self.cancel.clone(), self.limits.clone());
        Engine::with_limits(&self.catalog, &self.line, 64, cancel, limits)
    }

    /// Runs one check to its end.
    pub async fn observe(&self, ask: Ask) -> Observation {
        let events = events(&self.engine(), vec![ask]).await;
        match events.into_iter().next_back() {
            Some(Event::Complete(observation)) => *observation,
            other => panic!("the last event completes: {other:?}"),
        }
    }
}

/// Runs checks side by side and collects every event; the channel closes when the last one is complete.
pub async fn events(engine: &Engine, asks: Vec<Ask>) -> Vec<Event> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for (at, ask) in asks.into_iter().enumerate() {
        engine.start(format!("o{}", at + 1), check(ask), &sender);
    }
    drop(sender);
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    events
}

/// A check around what is asked.
pub fn check(ask: Ask) -> Check {
    Check {
        id: "check".to_owned(),
        round: Round::Reach,
        subject: "ground".to_owned(),
        endpoints: Vec::new(),
        role: Role::Target,
        trial: 1,
        contrast: None,
        ask,
    }
}

/// A climb to this address, by the name of the tests.
pub fn climb(protocol: Protocol, address: SocketAddr) -> Climb {
    Climb {
        address,
        protocol,
        host: Some(NAME.to_owned()),
        server_name: protocol.has_server_name().then(|| NAME.to_owned()),
        alpn: Vec::new(),
        path: "/".to_owned(),
        look_for: None,
        private_root: None,
        noise_root: None,
        custom: None,
        hello: Hello::Plain,
        payload: Payload::Own,
        hops: None,
    }
}

/// A query for the name's IPv4 addresses.
pub fn query() -> Ask {
    Ask::Query {
        resolver: "resolver".to_owned(),
        name: NAME.to_owned(),
        record: RecordType::A,
        chaos: false,
    }
}
