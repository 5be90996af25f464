//! The lab's WebSockets: an upgrade is accepted where an endpoint asks for one, and what lives there speaks inside.

use std::io;

use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::lab::door::{Door, Tenant};
use crate::lab::life::Life;
use crate::lab::web::{host_of, path_of};
use crate::lab::{talk, whatsapp};
use crate::model::catalog::Protocol;

/// Longest message, bytes: more than any first message of an app.
const LONGEST: usize = 64 << 10;

/// Accepts the upgrade if the request is one and an endpoint behind the door is asked for; the rest happens beside.
pub fn accept(
    door: &Door,
    request: &mut Request<Incoming>,
    life: &Life,
) -> Option<Response<Full<Bytes>>> {
    let headers = request.headers();
    let is_upgrade = headers
        .get(UPGRADE)
        .is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_upgrade)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    let protocol = protocol_at(door, &host_of(request), path_of(request))?;
    let inside = headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
    let upgrade = hyper::upgrade::on(request);
    life.spawn(async move { speak(upgrade, protocol).await });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    // Whoever names what will be spoken inside waits for the same word.
    if let Some(inside) = inside {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, inside);
    }
    Some(response)
}

/// What is spoken inside a WebSocket of this host and path; a door whose answers have a fixed status upgrades nobody.
fn protocol_at(door: &Door, host: &str, path: &str) -> Option<Protocol> {
    let is_asked = |it: &&Tenant| {
        let endpoint = &it.endpoint;
        matches!(
            endpoint.protocol,
            Protocol::Websocket
                | Protocol::WhatsappWebsocket
                | Protocol::MtprotoWebsocket
                | Protocol::MaxWebsocket
        ) && endpoint.host.as_deref().is_none_or(|it| it == host)
            && endpoint.path == path
            && it.status.is_none()
    };
    door.endpoints
        .iter()
        .find(is_asked)
        .map(|it| it.endpoint.protocol)
}

async fn speak(upgrade: OnUpgrade, protocol: Protocol) -> io::Result<()> {
    let stream = TokioIo::new(upgrade.await.map_err(io::Error::other)?);
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(LONGEST);
    config.max_frame_size = Some(LONGEST);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    match protocol {
        Protocol::WhatsappWebsocket => whatsapp::serve_messages(socket).await,
        protocol => match talk::server(protocol) {
            Some(server) => talk::serve_messages(socket, server).await,
            None => listen(socket).await,
        },
    }
}

/// Reads and says nothing, until the peer closes.
async fn listen<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
) -> io::Result<()> {
    use futures_util::StreamExt;
    while let Some(message) = socket.next().await {
        message.map_err(io::Error::other)?;
    }
    Ok(())
}
