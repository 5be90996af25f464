//! The product's upgrade at a server of Python's websockets, with the lab's WhatsApp behind it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use blockprobe::lab::whatsapp;
use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{Catalog, Protocol};
use blockprobe::model::check::{Ask, Check, Climb, Hello, Payload, Role, Round};
use blockprobe::model::line::Line;
use blockprobe::model::observation::{ExchangeFacts, Observation, Operation, Stage};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::foreign;

pub const NAME: &str = "web.example";

/// The running server.
struct Server {
    port: u16,
    root: Vec<u8>,
    lines: Lines<BufReader<ChildStdout>>,
    /// Killed with this value.
    _child: Child,
    _files: tempfile::TempDir,
}

/// Certificate and key in files of this folder; gives back the authority.
pub fn certify(folder: &Path) -> Vec<u8> {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().der().to_vec();
    let issuer = Issuer::new(authority, key);
    let own = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let leaf = params.signed_by(&own, &issuer).unwrap();
    std::fs::write(folder.join("certificate"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key"), own.serialize_pem()).unwrap();
    root
}

async fn start(packages: &Path) -> Server {
    let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = behind.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = behind.accept().await {
            tokio::spawn(whatsapp::serve(stream));
        }
    });
    let files = tempfile::tempdir().unwrap();
    let root = certify(files.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocols/websocket_server.py");
    let mut child = Command::new("python3")
        .env("PYTHONPATH", packages)
        .arg(script)
        .args([files.path().join("certificate"), files.path().join("key")])
        .arg(place.port().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap();
    let port = first.and_then(|it| it.parse().ok());
    Server {
        port: port.expect("the server says its port"),
        root,
        lines,
        _child: child,
        _files: files,
    }
}

impl Server {
    /// Climbs to a path of it; the observation, and what the server saw of the request.
    async fn observe(&mut self, protocol: Protocol, path: &str) -> (Observation, String) {
        let line = Line {
            ipv4: true,
            playground: vec!["127.0.0.0/8".parse().unwrap()],
            added_roots: vec![self.root.clone()],
            ..Line::default()
        };
        let check = Check {
            id: "check".to_owned(),
            round: Round::Reach,
            subject: "target".to_owned(),
            endpoints: Vec::new(),
            role: Role::Target,
            trial: 1,
            contrast: None,
            ask: Ask::Climb(Climb {
                address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port),
                protocol,
                host: Some(NAME.to_owned()),
                server_name: Some(NAME.to_owned()),
                alpn: Vec::new(),
                path: path.to_owned(),
                look_for: None,
                private_root: None,
                noise_root: Some(whatsapp::noise_root()),
                custom: None,
                hello: Hello::Plain,
                payload: Payload::Own,
                hops: None,
            }),
        };
        let engine = Engine::new(&Catalog::default(), &line, 8, CancellationToken::new());
        let (sender, mut events) = mpsc::unbounded_channel();
        engine.start("o1".to_owned(), check, &sender);
        let Some(Event::Complete(observation)) = events.recv().await else {
            panic!("a climb has one event");
        };
        let request = self.lines.next_line().await.unwrap().unwrap_or_default();
        (*observation, request)
    }
}

fn exchange(observation: &Observation) -> &ExchangeFacts {
    observation
        .step(Operation::Exchange)
        .and_then(|step| step.exchange.as_deref())
        .unwrap_or_else(|| panic!("no exchange: {observation:?}"))
}

#[tokio::test]
async fn pythons_websockets_upgrades_carries_the_handshake_and_refuses() {
    let Some(packages) = foreign::websockets() else {
        return;
    };
    let mut server = start(&packages).await;
    let (seen, request) = server
        .observe(Protocol::WhatsappWebsocket, "/ws/chat")
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Authentic);
    assert_eq!(request, "/ws/chat https://web.whatsapp.com");
    let (seen, request) = server.observe(Protocol::Websocket, "/ws2").await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).stage, Stage::Bound);
    assert_eq!(request, "/ws2 None");
    let (seen, _) = server.observe(Protocol::Websocket, "/forbidden").await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(exchange(&seen).http_status, Some(403));
}
