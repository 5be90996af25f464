//! TCP and TLS: what each kind of refusal, silence and wrong certificate looks like.

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::Ask;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Observation, Operation, TlsFacts};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Authority, NAME, Site, climb, closed, serve, serve_tls};

/// Answers the ClientHello with these bytes and stays.
async fn answer_hello(bytes: &'static [u8]) -> Observation {
    let address = serve(move |mut stream| async move {
        read_some(&mut stream).await;
        let _ = stream.write_all(bytes).await;
        read_some(&mut stream).await;
    })
    .await;
    Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Tls, address)))
        .await
}

async fn read_some(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer).await;
}

fn tls(observation: &Observation) -> &TlsFacts {
    observation
        .step(Operation::TlsHandshake)
        .and_then(|step| step.tls.as_deref())
        .expect("a handshake")
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let (_bound, address) = closed();
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Https, address)))
        .await;
    assert_eq!(seen.failure(), Some(&Failure::ConnectionRefused));
    assert_eq!(seen.steps.len(), 1);
    let tcp = seen.steps[0].tcp.as_ref().unwrap();
    assert!(tcp.icmp.is_empty(), "a RST leaves no ICMP error: {tcp:?}");
}

#[tokio::test]
async fn a_port_that_answers_is_connected() {
    let address = serve(|mut stream| async move { read_some(&mut stream).await }).await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Tcp, address)))
        .await;
    assert!(seen.is_success() && seen.not_run.is_none());
    assert!(seen.steps[0].tcp.as_ref().unwrap().rtt_us.is_some());
}

#[tokio::test]
async fn a_reset_after_the_client_hello_is_a_reset() {
    let address = serve(|mut stream| async move {
        read_some(&mut stream).await;
        SockRef::from(&stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    })
    .await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Tls, address)))
        .await;
    assert!(seen.reached(Operation::TcpConnect));
    assert_eq!(seen.failure(), Some(&Failure::ConnectionReset));
    assert!(tls(&seen).client_hello_bytes > 100);
    assert_eq!(tls(&seen).received_bytes, 0);
}

#[tokio::test]
async fn an_orderly_close_after_the_client_hello_is_an_end_of_file() {
    let address = serve(|mut stream| async move { read_some(&mut stream).await }).await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Tls, address)))
        .await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
}

#[tokio::test]
async fn silence_after_the_client_hello_is_a_timeout_with_the_kernels_counters() {
    let address = serve(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Tls, address)))
        .await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    let tcp = seen.steps[1].tcp.as_ref().unwrap();
    let hello = tls(&seen).client_hello_bytes;
    assert_eq!(
        (tcp.bytes_acked, tcp.bytes_received),
        (Some(u64::from(hello)), Some(0))
    );
}

#[tokio::test]
async fn an_alert_is_told_with_its_number() {
    let refused = answer_hello(&[21, 3, 3, 0, 2, 2, 40]).await;
    assert_eq!(refused.failure(), Some(&Failure::SslFailedHandshake));
    assert_eq!(tls(&refused).alert, Some(40));
    let unknown = answer_hello(&[21, 3, 3, 0, 2, 2, 112]).await;
    assert_eq!(unknown.failure(), Some(&Failure::SslInvalidHostname));
    assert_eq!(tls(&unknown).alert, Some(112));
    assert_eq!(
        tls(&unknown).first_received.as_deref(),
        Some("15030300020270")
    );
}

#[tokio::test]
async fn a_page_in_clear_on_a_tls_port_is_kept() {
    let seen = answer_hello(b"HTTP/1.1 403 Forbidden\r\n\r\n<h1>blocked\x1b[2J</h1>").await;
    assert_eq!(seen.failure(), Some(&Failure::SslFailedHandshake));
    let clear = tls(&seen).clear_text.as_deref().unwrap();
    assert!(clear.contains("<h1>blocked\\u{1b}[2J</h1>"), "{clear}");
}

#[tokio::test]
async fn garbage_is_a_failed_handshake_without_clear_text() {
    let seen = answer_hello(&[0x16, 3, 3, 0, 4, 0xff, 0xfe, 0, 1]).await;
    assert_eq!(seen.failure(), Some(&Failure::SslFailedHandshake));
    assert_eq!(tls(&seen).clear_text, None);
    assert_eq!(
        tls(&seen).first_received.as_deref(),
        Some("1603030004fffe0001")
    );
}

/// Climbs to a TLS server with this certificate.
async fn greet(
    site: &Site,
    authority: &Authority,
    name: &str,
    years: (i32, i32),
    private: Option<&str>,
) -> Observation {
    let config = authority.server(name, years, &[]);
    let address = serve_tls(config, |mut stream| async move {
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await;
    let mut climb = climb(Protocol::Tls, address);
    climb.private_root = private.map(str::to_owned);
    site.observe(Ask::Climb(climb)).await
}

const LONG: (i32, i32) = (2000, 2100);
const PAST: (i32, i32) = (2000, 2001);

#[tokio::test]
async fn an_added_root_proves_a_server() {
    let authority = Authority::new();
    let seen = greet(&Site::new(&[&authority]), &authority, NAME, LONG, None).await;
    assert!(seen.is_success(), "{seen:?}");
    assert!(tls(&seen).is_proof());
    assert_eq!(tls(&seen).trusted_by.as_deref(), Some("added"));
    assert_eq!(tls(&seen).version.as_deref(), Some("TLS1.3"));
    assert_eq!(tls(&seen).chain.len(), 2);
    assert_eq!(tls(&seen).chain[0].names, [NAME]);
    assert_eq!(tls(&seen).first_received, None);
}

#[tokio::test]
async fn name_trust_and_validity_are_judged_one_by_one() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let site = Site::new(&[&known]);
    let other = "other.example";
    for (authority, name, years, failure) in [
        (&known, other, LONG, Failure::SslInvalidHostname),
        (&unknown, NAME, LONG, Failure::SslUnknownAuthority),
        (&known, NAME, PAST, Failure::SslInvalidCertificate),
        (&known, NAME, (2090, 2100), Failure::SslInvalidCertificate),
        (&known, other, PAST, Failure::SslInvalidHostname),
        (&unknown, other, PAST, Failure::SslUnknownAuthority),
    ] {
        let seen = greet(&site, authority, name, years, None).await;
        assert_eq!(seen.failure(), Some(&failure), "{name} {years:?}");
        let facts = tls(&seen);
        assert_eq!(facts.name_matches, Some(name == NAME));
        assert_eq!(facts.valid_now, Some(years == LONG));
        let trusted = std::ptr::eq(authority, &raw const known);
        assert_eq!(facts.trusted_by.is_some(), trusted, "{name} {years:?}");
    }
}

#[tokio::test]
async fn a_private_root_counts_only_where_it_is_named() {
    let private = Authority::new();
    let site = Site::new(&[]).with_private_root("apple", &private);
    let named = greet(&site, &private, NAME, LONG, Some("apple")).await;
    assert_eq!(tls(&named).trusted_by.as_deref(), Some("apple"));
    let elsewhere = greet(&site, &private, NAME, LONG, None).await;
    assert_eq!(elsewhere.failure(), Some(&Failure::SslUnknownAuthority));
}

#[tokio::test]
async fn without_a_server_name_none_is_sent_and_none_is_checked() {
    let authority = Authority::new();
    let address = serve_tls(authority.honest(&[]), |stream| async move {
        assert_eq!(stream.get_ref().1.server_name(), None);
    })
    .await;
    let mut climb = climb(Protocol::Tls, address);
    climb.server_name = None;
    let seen = Site::new(&[&authority]).observe(Ask::Climb(climb)).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(tls(&seen).name_matches, None);
}
