//! What the lab's web servers answer: what the catalog expects, or what a portal or a block page says.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HOST, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{Span, Timestamp};

use crate::lab::atlas::PORTAL;
use crate::lab::door::{Door, Face, Tenant};
use crate::model::catalog::Protocol;

/// Answers one request at a door, by HTTP over one of its protocols. The body of the request is not read.
pub fn answer<B>(door: &Door, request: &Request<B>, protocol: Protocol) -> Response<Bytes> {
    match door.face {
        Face::Portal if host_of(request) == PORTAL => page(200, "Welcome to the hotel", "Log in"),
        Face::Portal => redirect(302, &format!("http://{PORTAL}/")),
        Face::BlockPage => page(
            200,
            "Access restricted",
            "This resource is blocked by order of the authority",
        ),
        _ => honest(door, request, protocol),
    }
}

/// Dates an answer by the world's clock, from which this machine's is so many days ahead.
pub fn date<B>(response: &mut Response<B>, ahead_days: i64) {
    let hours = Span::new().try_hours(ahead_days * 24);
    let then = hours.and_then(|hours| Timestamp::now().checked_sub(hours));
    let told = then.and_then(|then| DateTimePrinter::new().timestamp_to_rfc9110_string(&then));
    if ahead_days != 0
        && let Ok(value) = told
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        response.headers_mut().insert(DATE, value);
    }
}

fn honest<B>(door: &Door, request: &Request<B>, protocol: Protocol) -> Response<Bytes> {
    let host = host_of(request);
    let path = path_of(request);
    let mut here = door.endpoints.iter().filter(|tenant| {
        let endpoint = &tenant.endpoint;
        let is_asked = endpoint.host.is_none() || tenant.endpoint.host.as_deref() == Some(&host);
        endpoint.protocol == protocol && is_asked && endpoint.path == path
    });
    // A named endpoint is nearer than one that is known by its address alone.
    let nearest = here
        .clone()
        .find(|it| it.endpoint.host.is_some())
        .or_else(|| here.next());
    match nearest {
        Some(tenant) => expected(tenant, &host),
        None => match door.endpoints.iter().find_map(|it| it.status) {
            Some(status) => page(status, "Forbidden", ""),
            None => page(404, "Not Found", ""),
        },
    }
}

/// The answer that the catalog calls honest.
fn expected(tenant: &Tenant, host: &str) -> Response<Bytes> {
    let expect = &tenant.endpoint.expect;
    if let Some(status) = tenant.status {
        if (300..400).contains(&status) {
            return redirect(status, &format!("https://{host}/"));
        }
        return page(status, "Forbidden", "Not for you");
    }
    let status = expect.status.first().copied().unwrap_or(200);
    if (300..400).contains(&status) && status != 304 {
        return redirect(status, &format!("https://{host}/"));
    }
    let whole = |text: &&String| text.to_ascii_lowercase().contains("<html");
    match (&expect.body, expect.contains.as_ref().filter(whole)) {
        (Some(body), _) => respond(status, "text/plain", body.clone()),
        (None, Some(document)) => respond(status, "text/html", document.clone()),
        (None, None) => page(
            status,
            expect.title.as_deref().unwrap_or("Lab"),
            expect.contains.as_deref().unwrap_or("It works"),
        ),
    }
}

fn page(status: u16, title: &str, body: &str) -> Response<Bytes> {
    let html = format!(
        "<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>"
    );
    respond(status, "text/html; charset=utf-8", html)
}

fn redirect(status: u16, location: &str) -> Response<Bytes> {
    let mut response = page(status, "Moved", "");
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn respond(status: u16, content: &'static str, body: String) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let has_body = status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
    let body = if has_body { body } else { String::new() };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    if has_body {
        let value = HeaderValue::from_static(content);
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// The path that is asked for, with its query.
pub fn path_of<B>(request: &Request<B>) -> &str {
    request
        .uri()
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str)
}

/// The host that is asked for, in lower case and without the port.
pub fn host_of<B>(request: &Request<B>) -> String {
    let header = || request.headers().get(HOST).and_then(|it| it.to_str().ok());
    let authority = request.uri().host().or_else(header).unwrap_or_default();
    let name = authority
        .rsplit_once(':')
        .map_or(authority, |(name, _)| name);
    name.to_ascii_lowercase()
}
