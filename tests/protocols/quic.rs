//! The product's QUIC handshake and GET by HTTP/3 at a server of aioquic's; the lab's server, and its reader of names, at
//! aioquic's client.

use std::path::Path;
use std::process::Stdio;

use blockprobe::lab::authority::Validity;
use blockprobe::lab::door::{Door, Tenant};
use blockprobe::lab::quic::gate::Gate;
use blockprobe::lab::quic::{self, answer, initial};
use blockprobe::lab::server::server_config;
use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{Catalog, Endpoint, Expect, Protocol};
use blockprobe::model::check::{Ask, Check, Climb, Hello, Payload, Role, Round};
use blockprobe::model::failure::Failure;
use blockprobe::model::line::Line;
use blockprobe::model::observation::{Observation, Operation, QuicFacts, TlsFacts};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::foreign;
use crate::websockets::{NAME, certify};

const V1: &str = "00000001";
const V2: &str = "6b3343cf";

/// The running server.
struct Server {
    port: u16,
    root: Vec<u8>,
    /// Killed with this value.
    _child: Child,
    _files: tempfile::TempDir,
}

fn python(packages: &Path) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocols/quic.py");
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", packages)
        .arg(script)
        .kill_on_drop(true);
    command
}

async fn start(packages: &Path, alpn: &str, retry: &str, versions: &str) -> Server {
    let files = tempfile::tempdir().unwrap();
    let root = certify(files.path());
    let mut child = python(packages)
        .arg("serve")
        .args([files.path().join("certificate"), files.path().join("key")])
        .args([alpn, retry, versions])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap();
    let port = first.and_then(|it| it.parse().ok());
    Server {
        port: port.expect("the server says its port"),
        root,
        _child: child,
        _files: files,
    }
}

impl Server {
    async fn observe(&self, hello: Hello) -> Observation {
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
                address: ([127, 0, 0, 1], self.port).into(),
                protocol: Protocol::Quic,
                host: Some(NAME.to_owned()),
                server_name: Some(NAME.to_owned()),
                alpn: Vec::new(),
                path: "/".to_owned(),
                look_for: None,
                private_root: None,
                noise_root: None,
                custom: None,
                hello,
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
        *observation
    }
}

fn facts(observation: &Observation) -> (&QuicFacts, Option<&TlsFacts>) {
    let step = observation.step(Operation::QuicHandshake).unwrap();
    (step.quic.as_deref().unwrap(), step.tls.as_deref())
}

#[tokio::test]
async fn a_handshake_with_aioquic_is_a_proof_also_after_a_retry() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    for retry in ["no", "yes"] {
        let server = start(&packages, "h3", retry, V1).await;
        let seen = server.observe(Hello::Plain).await;
        assert!(seen.is_success(), "{seen:?}");
        let (quic, tls) = facts(&seen);
        assert!(tls.unwrap().is_proof(), "{tls:?}");
        assert_eq!(tls.unwrap().alpn.as_deref(), Some("h3"));
        assert!(quic.versions.is_empty() && quic.received > 0);
    }
}

#[tokio::test]
async fn aioquic_answers_a_get_by_http_3() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    let server = start(&packages, "h3", "no", V1).await;
    let seen = server.observe(Hello::Plain).await;
    assert!(seen.is_success(), "{seen:?}");
    let step = seen.step(Operation::HttpRoundTrip).unwrap();
    let quic = step.quic.as_deref().unwrap();
    assert_eq!(quic.request_acknowledged, Some(true));
    let http = step.http.as_deref().unwrap();
    assert_eq!((http.version.as_str(), http.status), ("HTTP/3", 418));
    let long = "aioquic, with a text that is long enough for a code";
    assert_eq!(http.header("server"), Some(long));
    assert_eq!(http.header("via"), Some("3.0 somebody"));
    // What it read is what we said.
    let agent = format!(
        "user-agent: {}",
        blockprobe::measure::checks::http::USER_AGENT
    );
    let authority = format!(":authority: {NAME}:{}", server.port);
    let due = [
        ":method: GET",
        ":scheme: https",
        &authority,
        ":path: /",
        &agent,
        "accept: */*",
        "",
    ];
    assert_eq!(http.body, Some(due.join("\n")));
    assert_eq!(
        http.header("content-length"),
        Some(&*http.body_bytes.to_string())
    );
}

#[tokio::test]
async fn aioquic_reads_what_the_labs_server_answers() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    let tenant = Tenant {
        endpoint: Endpoint {
            id: "here".to_owned(),
            host: Some(NAME.to_owned()),
            addresses: Vec::new(),
            port: 443,
            protocol: Protocol::Quic,
            server_name: None,
            path: "/here".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        },
        status: None,
        validity: Validity::Lasting,
    };
    let door = Door {
        endpoints: vec![tenant],
        ..Door::default()
    };
    let config = server_config(&door, "127.0.0.1");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    tokio::spawn(quic::serve(
        socket,
        config,
        answer::of(door),
        Gate::default(),
    ));
    for (path, status, body) in [("/here", "200", "It works"), ("/there", "404", "Not Found")] {
        let output = python(&packages).args(["get", &port, NAME, path]).output();
        let output = output.await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.starts_with(&format!("{status} text/html; charset=utf-8 <")),
            "{output:?}"
        );
        assert!(told.contains(body), "{told}");
    }
}

#[tokio::test]
async fn aioquics_own_version_negotiation_is_read_and_bound_to_the_question() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    let server = start(&packages, "h3", "no", V2).await;
    let seen = server.observe(Hello::Plain).await;
    assert_eq!(seen.failure(), Some(&Failure::QuicIncompatibleVersion));
    assert_eq!(facts(&seen).0.versions, [V2]);

    let server = start(&packages, "h3", "no", &format!("{V1},{V2}")).await;
    let seen = server.observe(Hello::Greased).await;
    assert!(seen.is_success(), "{seen:?}");
    assert!(facts(&seen).0.offers_v1());
}

#[tokio::test]
async fn aioquics_alert_comes_with_its_number() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    let server = start(&packages, "chat", "no", V1).await;
    let seen = server.observe(Hello::Plain).await;
    assert_eq!(seen.failure(), Some(&Failure::SslFailedHandshake));
    let (quic, tls) = facts(&seen);
    let alert = tls.unwrap().alert.unwrap();
    assert_eq!(quic.close_code, Some(0x100 + u64::from(alert)));
}

#[tokio::test]
async fn the_labs_censor_reads_the_name_in_aioquics_first_packet() {
    let Some(packages) = foreign::aioquic() else {
        return;
    };
    let output = python(&packages).args(["hello", NAME]).output().await;
    let told = String::from_utf8(output.unwrap().stdout).unwrap();
    let digits = told.trim();
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    assert!(bytes.len() >= 1200);
    assert_eq!(initial::server_name(&bytes).as_deref(), Some(NAME));
}
