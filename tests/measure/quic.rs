//! QUIC: who answers, who refuses, who is silent, and what each of them leaves in the facts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blockprobe::lab::quic::gate::Gate;
use blockprobe::lab::quic::serve;
use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Climb, Hello};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Observation, Operation, QuicFacts, TlsFacts};
use blockprobe::wire::quic::{V1, negotiation};
use rustls::ServerConfig;
use tokio::net::UdpSocket;

use crate::site::{Authority, Site, climb};

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn server(config: Arc<ServerConfig>) -> SocketAddr {
    let (socket, address) = socket().await;
    tokio::spawn(serve(socket, config, Gate::default()));
    address
}

/// Somebody who answers every datagram with what he makes of it.
async fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let (socket, address) = socket().await;
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length]), peer).await;
        }
    });
    address
}

async fn shake(site: &Site, address: SocketAddr) -> Observation {
    site.observe(Ask::Climb(climb(Protocol::Quic, address)))
        .await
}

async fn ask(site: &Site, address: SocketAddr) -> Observation {
    let greased = Climb {
        hello: Hello::Greased,
        ..climb(Protocol::Quic, address)
    };
    site.observe(Ask::Climb(greased)).await
}

fn quic(observation: &Observation) -> &QuicFacts {
    let step = observation.step(Operation::QuicHandshake).unwrap();
    step.quic.as_deref().unwrap()
}

fn tls(observation: &Observation) -> &TlsFacts {
    let step = observation.step(Operation::QuicHandshake).unwrap();
    step.tls.as_deref().unwrap()
}

/// Silence is waited out in this time.
fn hasty(authorities: &[&Authority]) -> Site {
    let mut site = Site::new(authorities);
    site.limits.quic = Duration::from_millis(500);
    site
}

#[tokio::test]
async fn a_handshake_shows_the_chain_the_protocol_and_the_datagrams() {
    let authority = Authority::new();
    let address = server(authority.honest(&["h3"])).await;
    let seen = shake(&Site::new(&[&authority]), address).await;
    assert!(seen.is_success() && seen.steps.len() == 1, "{seen:?}");
    let tls = tls(&seen);
    assert!(tls.is_proof(), "{tls:?}");
    assert_eq!(
        (tls.alpn.as_deref(), tls.version.as_deref()),
        (Some("h3"), Some("TLS1.3"))
    );
    assert_eq!(tls.client_hello_bytes, 1200);
    let quic = quic(&seen);
    assert_eq!(quic.version, QuicFacts::V1);
    assert!(quic.sent > 0 && quic.received > 0, "{quic:?}");
    assert!(quic.received_bytes > 500 && quic.close_code.is_none());
}

#[tokio::test]
async fn a_chain_that_nobody_vouches_for_is_kept_and_told() {
    let authority = Authority::new();
    let address = server(authority.honest(&["h3"])).await;
    let seen = shake(&Site::new(&[]), address).await;
    assert_eq!(seen.failure(), Some(&Failure::SslUnknownAuthority));
    assert!(!tls(&seen).chain.is_empty());
}

#[tokio::test]
async fn a_closed_port_is_known_long_before_the_limit() {
    let (closed, address) = socket().await;
    drop(closed);
    for observe in [
        shake(&Site::new(&[]), address).await,
        ask(&Site::new(&[]), address).await,
    ] {
        assert_eq!(observe.failure(), Some(&Failure::ConnectionRefused));
        let icmp = &quic(&observe).icmp[0];
        assert_eq!((icmp.kind, icmp.code), (3, 3));
        let step = &observe.steps[0];
        assert!(step.t - step.t0 < 1.0, "{step:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_after_repetitions() {
    let (_held, address) = socket().await;
    for observe in [
        shake(&hasty(&[]), address).await,
        ask(&hasty(&[]), address).await,
    ] {
        assert_eq!(observe.failure(), Some(&Failure::GenericTimeout));
        let facts = quic(&observe);
        assert!(facts.sent >= 2 && facts.received == 0, "{facts:?}");
        assert!(facts.icmp.is_empty());
    }
}

#[tokio::test]
async fn a_refusal_that_an_answer_belies_ends_nothing() {
    let authority = Authority::new();
    let (closed, address) = socket().await;
    drop(closed);
    let mut site = Site::new(&[&authority]);
    site.limits.patience_connect = Duration::from_secs(2);
    let config = authority.honest(&["h3"]);
    let opening = async {
        // The first datagram has been refused by now: the second finds a server.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(serve(socket, config, Gate::default()));
    };
    let (seen, ()) = tokio::join!(shake(&site, address), opening);
    assert!(seen.is_success(), "{seen:?}");
    assert!(!quic(&seen).icmp.is_empty());
}

#[tokio::test]
async fn garbage_is_counted_and_no_answer() {
    let address = answering(|_| vec![0x55; 40]).await;
    let seen = shake(&hasty(&[]), address).await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    let facts = quic(&seen);
    assert!(facts.received > 0 && facts.versions.is_empty(), "{facts:?}");
}

#[tokio::test]
async fn a_server_of_other_versions_says_which() {
    const OTHER: u32 = 0x6b33_43cf;
    let address = answering(|question| negotiation(question, &[OTHER]).unwrap()).await;
    let seen = shake(&Site::new(&[]), address).await;
    assert_eq!(seen.failure(), Some(&Failure::QuicIncompatibleVersion));
    assert_eq!(quic(&seen).versions, ["6b3343cf"]);
    assert!(!quic(&seen).offers_v1());
}

#[tokio::test]
async fn a_version_that_nobody_speaks_draws_the_versions_of_whoever_speaks_quic() {
    let authority = Authority::new();
    let address = server(authority.honest(&["h3"])).await;
    let seen = ask(&Site::new(&[]), address).await;
    assert!(seen.is_success(), "{seen:?}");
    assert!(quic(&seen).offers_v1(), "{:?}", quic(&seen));
    assert!(quic(&seen).version.ends_with('a'));
    assert!(seen.steps[0].tls.is_none());
    // An answer to somebody else's question is none.
    let stale = answering(|_| negotiation(&[0xc0, 1, 1, 1, 1, 1, 9, 1, 9], &[V1]).unwrap()).await;
    let seen = ask(&hasty(&[]), stale).await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
}

#[tokio::test]
async fn an_alert_comes_with_its_number() {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    let authority = Authority::new();
    let address = server(authority.honest(&["chat"])).await;
    let seen = shake(&Site::new(&[&authority]), address).await;
    assert_eq!(seen.failure(), Some(&Failure::SslFailedHandshake));
    assert_eq!(tls(&seen).alert, Some(NO_APPLICATION_PROTOCOL));
    assert_eq!(quic(&seen).close_code, Some(0x178));
}

#[tokio::test]
async fn many_handshakes_side_by_side_are_quick() {
    let authority = Authority::new();
    let address = server(authority.honest(&["h3"])).await;
    let site = Site::new(&[&authority]);
    let begun = Instant::now();
    let engine = site.engine();
    let asks = vec![Ask::Climb(climb(Protocol::Quic, address)); 20];
    let events = crate::site::events(&engine, asks).await;
    assert_eq!(events.len(), 20);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
