//! DNS over streams: TCP, TLS and HTTPS.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use blockprobe::measure::Event;
use blockprobe::model::catalog::Transport;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{DnsFacts, Observation, Operation};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::queries::reply;
use crate::site::{Authority, Site, closed, events, query, serve, serve_tls};

const TRUE: [u8; 4] = [127, 0, 0, 7];

fn dns(observation: &Observation) -> &DnsFacts {
    observation
        .step(Operation::Resolve)
        .and_then(|step| step.dns.as_deref())
        .expect("DNS facts")
}

fn operations(observation: &Observation) -> Vec<Operation> {
    observation
        .steps
        .iter()
        .map(|step| step.operation)
        .collect()
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut query).await.unwrap();
    let whole = reply(&query, &[TRUE]).to_vec().unwrap();
    stream
        .write_u16(u16::try_from(whole.len()).unwrap())
        .await
        .unwrap();
    stream.write_all(&whole).await.unwrap();
    stream.flush().await.unwrap();
    let _ = stream.read(&mut [0; 64]).await;
}

#[tokio::test]
async fn dns_over_tcp_is_a_connection_and_an_answer() {
    let address = serve(answer).await;
    let seen = Site::new(&[])
        .with_resolver(Transport::Tcp, address)
        .observe(query())
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(
        operations(&seen),
        [Operation::TcpConnect, Operation::Resolve]
    );
    assert_eq!(dns(&seen).addresses(), ["127.0.0.7"]);
}

#[tokio::test]
async fn a_stream_that_ends_early_is_an_end_of_file() {
    let address = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 512]).await;
        let _ = stream.write_all(&[1, 0, 7]).await;
    })
    .await;
    let seen = Site::new(&[])
        .with_resolver(Transport::Tcp, address)
        .observe(query())
        .await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
}

#[tokio::test]
async fn dns_over_tls_proves_its_server() {
    let authority = Authority::new();
    let address = serve_tls(authority.honest(&[]), answer).await;
    let seen = Site::new(&[&authority])
        .with_resolver(Transport::Dot, address)
        .observe(query())
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(
        operations(&seen),
        [
            Operation::TcpConnect,
            Operation::TlsHandshake,
            Operation::Resolve
        ]
    );
    let stranger = Site::new(&[])
        .with_resolver(Transport::Dot, address)
        .observe(query())
        .await;
    assert_eq!(stranger.failure(), Some(&Failure::SslUnknownAuthority));
}

/// A DoH answer of this status and type.
async fn doh(
    request: Request<Incoming>,
    status: StatusCode,
    kind: &str,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/dns-query");
    assert_eq!(request.headers()["content-type"], "application/dns-message");
    let query = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(query[..2], [0, 0], "the id is zero");
    let body = Bytes::from(reply(&query, &[TRUE]).to_vec().unwrap());
    Ok(Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Full::new(body))
        .unwrap())
}

async fn serve_doh(stream: TlsStream<TcpStream>, status: StatusCode, kind: &'static str) {
    let service = service_fn(move |request| doh(request, status, kind));
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }
}

const MESSAGE: &str = "application/dns-message";

/// Observations of five queries to a DoH server of this ALPN, and how many connections they took.
async fn five(alpn: &'static str) -> (Vec<Observation>, usize) {
    let authority = Authority::new();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let address = serve_tls(authority.honest(&[alpn]), move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        serve_doh(stream, StatusCode::OK, MESSAGE)
    })
    .await;
    let site = Site::new(&[&authority]).with_resolver(Transport::Doh, address);
    let events = events(&site.engine(), (0..5).map(|_| query()).collect()).await;
    let observations = events.into_iter().filter_map(|event| match event {
        Event::Complete(observation) => Some(*observation),
        Event::Answered(_) => None,
    });
    (observations.collect(), connections.load(Ordering::SeqCst))
}

#[tokio::test]
async fn queries_share_one_http2_connection() {
    let (seen, connections) = five("h2").await;
    assert_eq!(connections, 1);
    assert!(
        seen.iter()
            .all(|seen| seen.is_success() && dns(seen).addresses() == ["127.0.0.7"]),
        "{seen:?}"
    );
    assert!(seen.iter().all(|seen| dns(seen).http_status == Some(200)));
    let mut steps: Vec<usize> = seen.iter().map(|seen| seen.steps.len()).collect();
    steps.sort_unstable();
    assert_eq!(steps, [1, 1, 1, 1, 3]);
}

#[tokio::test]
async fn http1_takes_a_connection_for_each_query() {
    let (seen, connections) = five("http/1.1").await;
    assert_eq!(connections, 5);
    assert!(
        seen.iter()
            .all(|seen| seen.is_success() && seen.steps.len() == 3),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_connection_that_failed_is_told_by_every_query() {
    let (_bound, address) = closed();
    let site = Site::new(&[]).with_resolver(Transport::Doh, address);
    let events = events(&site.engine(), (0..5).map(|_| query()).collect()).await;
    let mut starts = Vec::new();
    for event in events {
        let Event::Complete(seen) = event else {
            panic!("no answer")
        };
        assert_eq!(operations(&seen), [Operation::TcpConnect]);
        assert_eq!(seen.failure(), Some(&Failure::ConnectionRefused));
        starts.push(seen.steps[0].t0.to_bits());
    }
    starts.dedup();
    assert_eq!(starts.len(), 1, "one connection was tried");
}

#[tokio::test]
async fn a_page_in_place_of_a_dns_message_is_no_answer() {
    let authority = Authority::new();
    for (status, kind, failure) in [
        (StatusCode::FORBIDDEN, MESSAGE, Failure::HttpRequestFailed),
        (StatusCode::OK, "text/html", Failure::DnsServerMisbehaving),
    ] {
        let address = serve_tls(authority.honest(&["h2"]), move |stream| {
            serve_doh(stream, status, kind)
        })
        .await;
        let seen = Site::new(&[&authority])
            .with_resolver(Transport::Doh, address)
            .observe(query())
            .await;
        assert_eq!(seen.failure(), Some(&failure));
        assert_eq!(dns(&seen).http_status, Some(status.as_u16()));
    }
}
