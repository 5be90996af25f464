//! QUIC: who answers, who refuses, who is silent, and what each of them leaves in the facts; and a GET by HTTP/3 after it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blockprobe::lab::quic::answer::{Answerer, Reply, Then};
use blockprobe::lab::quic::gate::Gate;
use blockprobe::lab::quic::serve;
use blockprobe::measure::Event;
use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Check, Climb, Contrast, Hello, Role, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{HttpFacts, Observation, Operation, QuicFacts, TlsFacts};
use blockprobe::wire::http3::message::answer;
use blockprobe::wire::quic::{V1, negotiation};
use http::{Request, Response};
use rustls::ServerConfig;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::site::{Authority, Site, check, climb};

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn server(config: Arc<ServerConfig>) -> SocketAddr {
    replying(config, |_| ended(page(b"It works"))).await
}

/// A server that answers every request so.
async fn replying(
    config: Arc<ServerConfig>,
    reply: impl Fn(&Request<()>) -> Reply + Send + Sync + 'static,
) -> SocketAddr {
    let (socket, address) = socket().await;
    let answerer: Answerer = Arc::new(reply);
    tokio::spawn(serve(socket, config, answerer, Gate::default()));
    address
}

fn page(body: &[u8]) -> Vec<u8> {
    let response = Response::builder().header("server", "lab");
    answer(&response.body(()).unwrap(), body)
}

fn ended(bytes: Vec<u8>) -> Reply {
    Reply {
        bytes,
        then: Then::End,
        own: Vec::new(),
    }
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

/// How the request ended, what was answered, and what passed meanwhile.
fn asked(observation: &Observation) -> (Option<&Failure>, Option<&HttpFacts>, &QuicFacts) {
    let step = observation.step(Operation::HttpRoundTrip).unwrap();
    let quic = step.quic.as_deref().unwrap();
    (step.failure.as_ref(), step.http.as_deref(), quic)
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
    assert!(seen.is_success() && seen.steps.len() == 2, "{seen:?}");
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
        let answerer: Answerer = Arc::new(|_| ended(page(b"It works")));
        tokio::spawn(serve(socket, config, answerer, Gate::default()));
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

#[tokio::test]
async fn a_page_is_asked_for_by_http_3_and_told_like_any_other() {
    let authority = Authority::new();
    let config = authority.honest(&["h3"]);
    let address = replying(config, |request| {
        let uri = request.uri();
        let own = ["user-agent", "accept"].map(|name| request.headers()[name].to_str().unwrap());
        let told = format!(
            "{} {uri} {own:?} {}",
            request.method(),
            request.headers().len()
        );
        ended(page(told.as_bytes()))
    })
    .await;
    let mut climb = climb(Protocol::Quic, address);
    climb.path = "/a?b=c".to_owned();
    climb.look_for = Some("blockprobe/".to_owned());
    let site = Site::new(&[&authority]);
    let seen = site.observe(Ask::Climb(climb)).await;
    assert!(seen.is_success() && seen.not_run.is_none(), "{seen:?}");
    let (_, http, quic) = asked(&seen);
    let http = http.unwrap();
    assert_eq!((http.version.as_str(), http.status), ("HTTP/3", 200));
    assert_eq!(http.header("server"), Some("lab"));
    assert_eq!(http.found, Some(true));
    let body = http.body.as_deref().unwrap();
    let due = format!("GET https://web.example:{}/a?b=c ", address.port());
    assert!(body.starts_with(&due), "{body}");
    assert!(body.ends_with("\"*/*\"] 2"), "{body}");
    assert_eq!(quic.request_acknowledged, Some(true));
    assert!(quic.received_bytes > self::quic(&seen).received_bytes);
    assert_eq!(self::quic(&seen).request_acknowledged, None);
}

#[tokio::test]
async fn contrasts_controls_and_what_is_no_http_are_asked_for_nothing() {
    let authority = Authority::new();
    let site = Site::new(&[&authority]);
    let never = |_: &Request<()>| -> Reply { panic!("nobody asks") };
    let address = replying(authority.honest(&["h3"]), never).await;
    let own = check(Ask::Climb(climb(Protocol::Quic, address)));
    let contrast = Contrast {
        of: own.id.clone(),
        varies: Variation::Nothing,
    };
    let control = Check {
        role: Role::Control,
        ..own.clone()
    };
    let contrasted = Check {
        contrast: Some(contrast),
        ..own.clone()
    };
    let chat = replying(authority.honest(&["chat"]), never).await;
    let chat = Climb {
        alpn: vec!["chat".to_owned()],
        ..climb(Protocol::Quic, chat)
    };
    for check in [control, contrasted, check(Ask::Climb(chat))] {
        let (sender, mut events) = mpsc::unbounded_channel();
        site.engine().start("o1".to_owned(), check, &sender);
        let Some(Event::Complete(seen)) = events.recv().await else {
            panic!("a climb has one event");
        };
        assert!(seen.is_success() && seen.steps.len() == 1, "{seen:?}");
        assert!(seen.not_run.is_none());
    }
}

#[tokio::test]
async fn a_large_page_is_read_up_to_the_limit() {
    let authority = Authority::new();
    for (length, is_cut) in [(200 << 10, false), (400 << 10, true)] {
        // What is past the limit is not waited for.
        let then = if is_cut { Then::Wait } else { Then::End };
        let reply = move |_: &Request<()>| Reply {
            bytes: page(&vec![b'a'; length]),
            then,
            own: Vec::new(),
        };
        let address = replying(authority.honest(&["h3"]), reply).await;
        let seen = shake(&Site::new(&[&authority]), address).await;
        assert!(seen.is_success(), "{seen:?}");
        let (_, http, _) = asked(&seen);
        let http = http.unwrap();
        assert_eq!(http.body_truncated, is_cut);
        assert_eq!(http.body_bytes, length.min(256 << 10) as u64);
    }
}

#[tokio::test]
async fn whatever_is_no_answer_fails_in_the_words_of_http_over_tcp() {
    use Failure::{Eof, GenericTimeout, HttpRequestFailed};
    let authority = Authority::new();
    let mut site = Site::new(&[&authority]);
    site.limits.http = Duration::from_millis(500);
    let cut = |reply: Vec<u8>, left| reply[..left].to_vec();
    let half = cut(page(b"It works"), 16);
    let dynamic = vec![1, 3, 2, 0, 0x80];
    let head = |fields: &[u8]| [&[1, u8::try_from(fields.len()).unwrap()][..], fields].concat();
    let own = |bytes: &[u8]| vec![bytes.to_vec()];
    for (name, bytes, then, own, due) in [
        ("nothing", vec![], Then::End, vec![], Eof),
        ("half a body", half.clone(), Then::End, vec![], Eof),
        ("a close", half.clone(), Then::Close, vec![], Eof),
        (
            "a reset",
            half.clone(),
            Then::Reset,
            vec![],
            HttpRequestFailed,
        ),
        ("a stop", half, Then::Wait, vec![], GenericTimeout),
        ("silence", vec![], Then::Wait, vec![], GenericTimeout),
        (
            "a dynamic table",
            dynamic,
            Then::End,
            vec![],
            HttpRequestFailed,
        ),
        (
            "a head without end",
            vec![1, 0x80, 1, 0, 1],
            Then::Wait,
            vec![],
            HttpRequestFailed,
        ),
        (
            "no status",
            head(&[0, 0]),
            Then::End,
            vec![],
            HttpRequestFailed,
        ),
        (
            "HTTP/1.1",
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            Then::End,
            vec![],
            Eof,
        ),
        (
            "a second control stream",
            vec![],
            Then::Wait,
            own(&[0, 4, 0]),
            HttpRequestFailed,
        ),
        (
            "a push",
            vec![],
            Then::Wait,
            own(&[1, 0]),
            HttpRequestFailed,
        ),
        (
            "an insertion",
            vec![],
            Then::Wait,
            own(&[2, 0xc0, 0]),
            HttpRequestFailed,
        ),
    ] {
        let reply = move |_: &Request<()>| Reply {
            bytes: bytes.clone(),
            then,
            own: own.clone(),
        };
        let address = replying(authority.honest(&["h3"]), reply).await;
        let seen = shake(&site, address).await;
        let (failure, _, quic) = asked(&seen);
        assert_eq!(failure, Some(&due), "{name}: {seen:?}");
        assert!(seen.reached(Operation::QuicHandshake), "{name}");
        let is_closed = quic.application_close_code.is_some();
        assert_eq!(is_closed, then == Then::Close, "{name}");
        if due == GenericTimeout {
            assert_eq!(quic.request_acknowledged, Some(true), "{name}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_swallowed_on_the_way_is_not_acknowledged() {
    let authority = Authority::new();
    let behind = server(authority.honest(&["h3"])).await;
    let (front, address) = socket().await;
    let (back, _) = socket().await;
    back.connect(behind).await.unwrap();
    tokio::spawn(async move {
        let (mut there, mut here) = ([0; 2048], [0; 2048]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((length, peer)) = front.recv_from(&mut there) => {
                    client = Some(peer);
                    // A long header: the handshake's own.
                    if there[0] & 0x80 != 0 {
                        let _ = back.send(&there[..length]).await;
                    }
                }
                Ok(length) = back.recv(&mut here) => {
                    let _ = front.send_to(&here[..length], client.unwrap()).await;
                }
            }
        }
    });
    let mut site = Site::new(&[&authority]);
    site.limits.http = Duration::from_millis(500);
    let seen = shake(&site, address).await;
    let (failure, http, quic) = asked(&seen);
    assert_eq!(failure, Some(&Failure::GenericTimeout), "{seen:?}");
    assert_eq!(http, None);
    assert_eq!(quic.request_acknowledged, Some(false));
    assert!(quic.sent > self::quic(&seen).sent + 1, "it is sent again");
}
