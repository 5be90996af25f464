//! HTTP: honest answers, and those made to hang or swell whoever asks.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Climb};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{HttpFacts, Observation, Operation};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Authority, NAME, Site, climb, serve, serve_tls};

fn http(observation: &Observation) -> &HttpFacts {
    observation
        .step(Operation::HttpRoundTrip)
        .and_then(|step| step.http.as_deref())
        .expect("an answer")
}

/// Asks a server that sends these bytes and closes.
async fn ask(answer: Vec<u8>, change: impl FnOnce(&mut Climb)) -> Observation {
    let address = serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut [0; 64]).await;
        }
    })
    .await;
    let mut climb = climb(Protocol::Http, address);
    change(&mut climb);
    Site::new(&[]).observe(Ask::Climb(climb)).await
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn an_honest_page_is_told() {
    let page = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 31\r\n\r\n<title>Hi</title> a needle here".to_vec();
    let seen = ask(page, |climb| climb.look_for = Some("needle".to_owned())).await;
    assert!(seen.is_success(), "{seen:?}");
    let facts = http(&seen);
    assert_eq!((facts.status, facts.version.as_str()), (200, "HTTP/1.1"));
    assert_eq!(
        (facts.title.as_deref(), facts.found),
        (Some("Hi"), Some(true))
    );
    assert_eq!(facts.header("server"), Some("x"));
}

#[tokio::test]
async fn a_redirect_is_recorded_and_not_followed() {
    let page = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/block?ip=192.0.2.7\r\nContent-Length: 0\r\n\r\n";
    let seen = ask(page.to_vec(), |_| ()).await;
    assert!(seen.is_success() && seen.steps.len() == 2);
    assert_eq!(http(&seen).status, 302);
    assert_eq!(
        http(&seen).header("location"),
        Some("http://127.0.0.1:1/block?ip=[removed]")
    );
}

#[tokio::test]
async fn a_body_may_end_with_the_connection() {
    let seen = ask(b"HTTP/1.0 200 OK\r\n\r\nsome text".to_vec(), |_| ()).await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(http(&seen).body.as_deref(), Some("some text"));
}

#[tokio::test]
async fn bytes_that_are_not_http_are_told_so() {
    let seen = ask(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(), |_| ()).await;
    assert_eq!(seen.failure(), Some(&Failure::HttpRequestFailed));
}

#[tokio::test]
async fn a_close_without_an_answer_is_an_end_of_file() {
    let seen = ask(Vec::new(), |_| ()).await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
    assert_eq!(seen.steps[1].http, None);
}

#[tokio::test]
async fn a_body_cut_short_fails_and_keeps_what_came() {
    let seen = ask(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf".to_vec(),
        |_| (),
    )
    .await;
    assert_eq!(seen.failure(), Some(&Failure::Eof));
    assert_eq!((http(&seen).status, http(&seen).body_bytes), (200, 4));
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let mut page = b"HTTP/1.1 200 OK\r\n".to_vec();
    for number in 0..200_000 {
        page.extend(format!("X-{number}: {number}\r\n").bytes());
    }
    let seen = ask(page, |_| ()).await;
    assert_eq!(seen.failure(), Some(&Failure::HttpRequestFailed));
}

#[tokio::test]
async fn an_endless_body_is_cut_and_no_failure() {
    let mut page = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    page.resize(4 << 20, b'a');
    let seen = ask(page, |_| ()).await;
    assert!(seen.is_success(), "{:?}", seen.failure());
    assert!(http(&seen).body_truncated);
    assert_eq!(http(&seen).body_bytes, 256 << 10);
    assert_eq!(http(&seen).body.as_ref().map(String::len), Some(4096));
}

#[tokio::test]
async fn a_compression_bomb_is_opened_only_so_far() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..32 {
        bomb.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let mut page = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    page.extend(bomb);
    let seen = ask(page, |climb| climb.look_for = Some("b".to_owned())).await;
    assert!(seen.is_success());
    assert_eq!(
        (
            http(&seen).found,
            http(&seen).body.as_ref().map(String::len)
        ),
        (Some(false), Some(4096))
    );
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_read() {
    let address = serve(|mut stream| async move {
        read_request(&mut stream).await;
        for byte in b"HTTP/1.1 204 No Content\r\nServer: slow\r\n\r\n" {
            let _ = stream.write_all(&[*byte]).await;
            tokio::task::yield_now().await;
        }
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Http, address)))
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(http(&seen).status, 204);
}

#[tokio::test]
async fn a_body_that_stops_is_a_timeout_and_keeps_what_came() {
    let address = serve(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let seen = Site::new(&[])
        .observe(Ask::Climb(climb(Protocol::Http, address)))
        .await;
    assert_eq!(seen.failure(), Some(&Failure::GenericTimeout));
    assert_eq!((http(&seen).status, http(&seen).body_bytes), (200, 4));
}

#[tokio::test]
async fn the_request_is_modest() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let address = serve(move |mut stream| {
        let sender = sender.lock().unwrap().take();
        async move {
            let request = read_request(&mut stream).await;
            sender.unwrap().send(request).unwrap();
        }
    })
    .await;
    let mut climb = climb(Protocol::Http, address);
    climb.path = "/generate_204?x=1".to_owned();
    Site::new(&[]).observe(Ask::Climb(climb)).await;
    let request = receiver.await.unwrap().to_lowercase();
    let lines: Vec<&str> = request.lines().collect();
    assert_eq!(lines[0], "get /generate_204?x=1 http/1.1");
    assert!(
        lines.contains(&format!("host: {NAME}:{}", address.port()).as_str()),
        "{request}"
    );
    assert!(
        lines.contains(&"accept: */*") && request.contains("user-agent: blockprobe/"),
        "{request}"
    );
    assert!(!request.contains("cookie"), "{request}");
}

/// An h2 server that repeats what it was asked.
async fn mirror(stream: tokio_rustls::server::TlsStream<TcpStream>) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let told = format!("{} {:?}", request.uri(), request.version());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(told))))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn http2_is_spoken_where_alpn_selects_it() {
    let authority = Authority::new();
    let address = serve_tls(authority.honest(&["h2"]), mirror).await;
    let mut site = Site::new(&[&authority]);
    site.limits.http = Duration::from_secs(5);
    let seen = site
        .observe(Ask::Climb(climb(Protocol::Https, address)))
        .await;
    assert!(seen.is_success(), "{seen:?}");
    assert_eq!(http(&seen).version, "HTTP/2");
    let told = format!("https://{NAME}:{}/ HTTP/2.0", address.port());
    assert_eq!(http(&seen).body.as_deref(), Some(told.as_str()));
    assert_eq!(
        seen.steps[1].tls.as_ref().unwrap().alpn.as_deref(),
        Some("h2")
    );
}
