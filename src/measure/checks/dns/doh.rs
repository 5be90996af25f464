//! A query over HTTPS (RFC 8484, wire form): one connection for each resolver, shared by all its queries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};

use crate::measure::checks::dns::Inquiry;
use crate::measure::checks::http::{self as web, Connection, Running, Sender, USER_AGENT};
use crate::measure::checks::{Context, tcp, tls};
use crate::measure::classify::http_failure;
use crate::measure::tee::Passed;
use crate::measure::trace::Stopped;
use crate::model::catalog::Resolver;
use crate::model::failure::Failure;
use crate::model::observation::{Operation, Step};
use crate::wire::text;

/// What RFC 8484 calls a DNS message, in both directions.
const MESSAGE: &str = "application/dns-message";
/// Longest DNS message there is.
const MAX_MESSAGE: usize = 65_535;

type Slot = Arc<tokio::sync::Mutex<State>>;

/// Connections to DoH resolvers, by the resolver's id.
#[derive(Default)]
pub struct Connections(Mutex<HashMap<String, Slot>>);

/// What is known of a resolver's connection.
#[derive(Default)]
enum State {
    #[default]
    New,
    /// It stands and carries any number of queries.
    Shared(Link),
    /// It speaks HTTP/1.1, which carries one query at a time: every check connects for itself, none waits for another.
    Solitary,
    /// Connecting failed, in this way; it is not tried again for every name.
    Failed(Vec<Step>),
}

/// A connection that stands.
#[derive(Clone)]
struct Link {
    sender: Sender,
    passed: Arc<Passed>,
    is_http2: bool,
    _running: Arc<Running>,
}

impl Connections {
    fn slot(&self, resolver: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(resolver.to_owned()).or_default())
    }
}

/// Asks over the shared connection; the first check to a resolver makes it and has its steps.
pub async fn ask(context: &Context, resolver: &Resolver, inquiry: &Inquiry) -> Result<(), Stopped> {
    let link = link(context, resolver).await?;
    let Some(link) = link else {
        return Ok(());
    };
    let Some(request) = request(resolver, &link, inquiry) else {
        context
            .trace
            .not_run("the path or name of this resolver cannot stand in an HTTP request");
        return Ok(());
    };
    let limits = &context.room.limits;
    let asking = async {
        let outcome = post(link, request, inquiry, context).await;
        inquiry.outcome(&context.room.line, outcome.err())
    };
    context
        .trace
        .step(Operation::Resolve, limits.dns_stream, asking)
        .await
}

/// The connection to ask on, or nothing where none can be made for a reason that is told in the trace.
async fn link(context: &Context, resolver: &Resolver) -> Result<Option<Link>, Stopped> {
    let slot = context.room.doh.slot(&resolver.id);
    let mut state = slot.lock().await;
    match &*state {
        State::Shared(link) if !link.sender.is_closed() => return Ok(Some(link.clone())),
        State::Failed(steps) => {
            context.trace.adopt(steps.clone());
            return Err(Stopped);
        }
        State::Solitary => {
            drop(state);
            return Box::pin(connect(context, resolver)).await;
        }
        State::Shared(_) | State::New => {}
    }
    match Box::pin(connect(context, resolver)).await {
        Ok(Some(link)) => {
            *state = if link.is_http2 {
                State::Shared(link.clone())
            } else {
                State::Solitary
            };
            Ok(Some(link))
        }
        Ok(None) => Ok(None),
        Err(stopped) => {
            // What this machine lacks for a moment says nothing of the resolver.
            if !context.trace.is_out_of_files() {
                *state = State::Failed(context.trace.finished());
            }
            Err(stopped)
        }
    }
}

async fn connect(context: &Context, resolver: &Resolver) -> Result<Option<Link>, Stopped> {
    let limits = &context.room.limits;
    let address = resolver.address;
    let offered = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let Some(wish) = tls::Wish::new(address.ip(), resolver.server_name.as_deref(), offered, None)
    else {
        context
            .trace
            .not_run("the server name cannot stand in a certificate");
        return Ok(None);
    };
    let place = context.room.climbs.at(address.ip()).await;
    let stream = tcp::connect(context, address, &place).await?;
    let stream = Box::pin(tls::handshake(context, &place, stream, wish)).await?;
    let connection = Connection::over_tls(stream);
    let passed = connection.passed();
    let is_http2 = connection.is_http2();
    // Nothing is sent before the first request, so this cannot fail by the network.
    let Ok((sender, running)) = web::open(connection, limits).await else {
        context
            .trace
            .not_run("HTTP could not begin on this connection");
        return Ok(None);
    };
    Ok(Some(Link {
        sender,
        passed,
        is_http2,
        _running: Arc::new(running),
    }))
}

async fn post(
    mut link: Link,
    request: Request<Full<Bytes>>,
    inquiry: &Inquiry,
    context: &Context,
) -> Result<(), Failure> {
    let broken = |error: &hyper::Error| http_failure(error, link.passed.ending());
    inquiry.sent();
    let response = link
        .sender
        .send(request)
        .await
        .map_err(|error| broken(&error))?;
    let (head, body) = response.into_parts();
    inquiry.http_status(head.status.as_u16());
    let body = Limited::new(body, MAX_MESSAGE).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => broken(&error),
        // More than the longest DNS message.
        Err(_) => Failure::DnsServerMisbehaving,
    })?;
    if head.status != http::StatusCode::OK {
        return Err(Failure::HttpRequestFailed);
    }
    let bytes = body.to_bytes();
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    let now = context.trace.elapsed();
    if kind
        .get(..MESSAGE.len())
        .is_some_and(|kind| kind.eq_ignore_ascii_case(MESSAGE.as_bytes()))
    {
        inquiry.heard(&bytes, now);
    } else {
        let kind = text::escape_bytes(kind, 80);
        inquiry.heard_nonsense(
            &bytes,
            now,
            format!("sent as {kind:?}, not as a DNS message"),
        );
    }
    Ok(())
}

fn request(resolver: &Resolver, link: &Link, inquiry: &Inquiry) -> Option<Request<Full<Bytes>>> {
    let address = resolver.address;
    let name = match &resolver.server_name {
        Some(name) => name.clone(),
        None if address.is_ipv6() => format!("[{}]", address.ip()),
        None => address.ip().to_string(),
    };
    let authority = match address.port() {
        443 => name,
        other => format!("{name}:{other}"),
    };
    let builder = if link.is_http2 {
        Request::post(format!("https://{authority}{}", resolver.path))
    } else {
        Request::post(&resolver.path).header(header::HOST, authority)
    };
    builder
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, MESSAGE)
        .header(header::CONTENT_TYPE, MESSAGE)
        .body(Full::from(inquiry.message.clone()))
        .ok()
}
