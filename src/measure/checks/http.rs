//! One request on the stream that was measured, and its answer within bounds; no redirect is followed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::client::TlsStream;

use crate::measure::checks::Context;
use crate::measure::classify::http_failure;
use crate::measure::limits::Limits;
use crate::measure::page::{Page, Privacy};
use crate::measure::places::Place;
use crate::measure::tee::{Passed, Tee};
use crate::measure::trace::Stopped;
use crate::model::check::{Climb, Hello};
use crate::model::failure::Failure;
use crate::model::observation::Operation;

/// Says who asks and why, so that an operator can see what it is.
pub const USER_AGENT: &str = concat!(
    "blockprobe/",
    env!("CARGO_PKG_VERSION"),
    " (+network measurement)"
);

type Body = Full<Bytes>;

/// A stream that HTTP can be spoken on.
pub enum Connection {
    /// HTTP/1.1 in clear.
    Clear(Tee<TcpStream>),
    /// Whatever ALPN selected.
    Tls(Box<TlsStream<Tee<TcpStream>>>),
}

impl Connection {
    /// On the bare stream; the request of a split climb is cut inside the host's name.
    pub fn in_clear(stream: Tee<TcpStream>, climb: &Climb) -> Self {
        Self::Clear(match (climb.hello, climb.host.as_deref()) {
            (Hello::Split, Some(host)) => stream.cut_in(host.as_bytes()),
            _ => stream,
        })
    }

    /// On top of TLS.
    pub fn over_tls(stream: TlsStream<Tee<TcpStream>>) -> Self {
        Self::Tls(Box::new(stream))
    }

    /// Whether ALPN selected HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    /// What passes beneath.
    pub fn passed(&self) -> Arc<Passed> {
        match self {
            Self::Clear(stream) => stream.passed(),
            Self::Tls(stream) => stream.get_ref().0.passed(),
        }
    }

    fn scheme(&self) -> (&'static str, u16) {
        match self {
            Self::Clear(_) => ("http", 80),
            Self::Tls(_) => ("https", 443),
        }
    }
}

/// The sending half of an HTTP connection whose other half runs beside it.
#[derive(Clone)]
pub enum Sender {
    /// HTTP/1.1: one request. Shared only so that both kinds can be cloned.
    One(Arc<tokio::sync::Mutex<http1::SendRequest<Body>>>),
    /// HTTP/2: any number of requests.
    Two(http2::SendRequest<Body>),
}

impl Sender {
    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(sender) => sender.lock().await.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        }
    }

    /// Whether nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Two(sender) => sender.is_closed(),
        }
    }
}

/// Ends the running half of a connection when its owner goes.
pub struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to speak HTTP.
pub async fn open(connection: Connection, limits: &Limits) -> hyper::Result<(Sender, Running)> {
    let is_http2 = connection.is_http2();
    match connection {
        Connection::Clear(stream) => open_one(stream, limits).await,
        Connection::Tls(stream) if is_http2 => open_two(stream, limits).await,
        Connection::Tls(stream) => open_one(stream, limits).await,
    }
}

async fn open_one<S>(stream: S, limits: &Limits) -> hyper::Result<(Sender, Running)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    // As browsers write them: boxes on the way look for `Host:`.
    builder
        .max_buf_size(limits.http_head)
        .title_case_headers(true);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // The connection's own error is told through the request's.
    let task = tokio::spawn(async move { drop(connection.await) });
    let sender = Arc::new(tokio::sync::Mutex::new(sender));
    Ok((Sender::One(sender), Running(task.abort_handle())))
}

async fn open_two<S>(stream: S, limits: &Limits) -> hyper::Result<(Sender, Running)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let head = u32::try_from(limits.http_head).unwrap_or(u32::MAX);
    let window = u32::try_from(limits.http_body).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_header_list_size(head)
        .initial_stream_window_size(window)
        .initial_connection_window_size(window.saturating_mul(4));
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let task = tokio::spawn(async move { drop(connection.await) });
    Ok((Sender::Two(sender), Running(task.abort_handle())))
}

/// Asks for the climb's path; what came is told also when the rest did not.
pub async fn round_trip(
    context: &Context,
    place: &Place,
    connection: Connection,
    climb: &Climb,
) -> Result<(), Stopped> {
    let limits = &context.room.limits;
    let Some(request) = request(climb, &connection) else {
        context
            .trace
            .not_run("the path or host cannot stand in an HTTP request");
        return Ok(());
    };
    place.take().await;
    let passed = connection.passed();
    let page = sampled(context, climb);
    let asking = async {
        let outcome = ask(connection, request, &page, limits).await;
        outcome.map_err(|error| http_failure(&error, passed.ending()))
    };
    let patient = place.patiently(limits.patience_talk, || passed.received(), asking);
    context
        .trace
        .step(Operation::HttpRoundTrip, limits.http, patient)
        .await
}

/// Where the answer to a climb's request goes, and from there into its step, however that ends.
pub fn sampled(context: &Context, climb: &Climb) -> Arc<Mutex<Page>> {
    let privacy = Privacy {
        own: Arc::clone(&context.room.own),
        asked: Some(climb.address.ip()),
    };
    let page = Page::new(climb.look_for.clone(), privacy, &context.room.limits);
    let page = Arc::new(Mutex::new(page));
    let shared = Arc::clone(&page);
    context.trace.sample(move |step| {
        if step.operation == Operation::HttpRoundTrip {
            step.http = lock(&shared).facts().map(Box::new);
        }
    });
    page
}

async fn ask(
    connection: Connection,
    request: Request<Body>,
    page: &Mutex<Page>,
    limits: &Limits,
) -> hyper::Result<()> {
    let passed = connection.passed();
    let (mut sender, _running) = open(connection, limits).await?;
    let response = sender.send(request).await?;
    let (head, mut body) = response.into_parts();
    // Such a body ends with the connection, and many servers end it without TLS's own farewell.
    let ends_with_connection = head.version < Version::HTTP_2
        && !head.headers.contains_key(header::CONTENT_LENGTH)
        && !head.headers.contains_key(header::TRANSFER_ENCODING);
    lock(page).begin(head);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if frame
                    .data_ref()
                    .is_some_and(|bytes| lock(page).read(bytes).is_break())
                {
                    break;
                }
            }
            Err(error) => {
                let failure = http_failure(&error, passed.ending());
                if ends_with_connection && failure == Failure::Eof {
                    break;
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

fn request(climb: &Climb, connection: &Connection) -> Option<Request<Body>> {
    let (scheme, port) = connection.scheme();
    let authority = authority(climb, port);
    let builder = if connection.is_http2() {
        Request::get(format!("{scheme}://{authority}{}", climb.path))
    } else {
        Request::get(&climb.path).header(header::HOST, &authority)
    };
    introduced(builder).body(Body::default()).ok()
}

/// The same request for HTTP/3.
pub fn request_over_quic(climb: &Climb) -> Option<Request<()>> {
    let authority = authority(climb, 443);
    let builder = Request::get(format!("https://{authority}{}", climb.path));
    introduced(builder).body(()).ok()
}

fn introduced(request: http::request::Builder) -> http::request::Builder {
    request
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
}

/// Whom a request is for; the usual port is not told.
fn authority(climb: &Climb, usual: u16) -> String {
    let name = climb.host.as_deref().or(climb.server_name.as_deref());
    let name = match name {
        Some(name) => name.to_owned(),
        None if climb.address.is_ipv6() => format!("[{}]", climb.address.ip()),
        None => climb.address.ip().to_string(),
    };
    match climb.address.port() {
        own if own == usual => name,
        other => format!("{name}:{other}"),
    }
}

/// A panic of ours elsewhere must not cost the facts.
pub fn lock(page: &Mutex<Page>) -> std::sync::MutexGuard<'_, Page> {
    page.lock().unwrap_or_else(PoisonError::into_inner)
}
