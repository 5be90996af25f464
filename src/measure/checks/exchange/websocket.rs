//! The upgrade of an HTTP connection to a WebSocket, as the target's own web client asks for it.

use std::sync::Mutex;

use http::{HeaderValue, Request, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::measure::checks::exchange::heads::FinalHead;
use crate::measure::checks::exchange::messages::Messages;
use crate::measure::checks::exchange::{READING, Seen, lock};
use crate::measure::checks::http::USER_AGENT;
use crate::measure::limits::Limits;
use crate::model::catalog::Protocol;
use crate::model::check::Climb;
use crate::model::failure::Failure;
use crate::model::observation::Stage;

/// Asks for the upgrade. `None`: a refusal where any answer of the server is as good.
pub async fn upgrade<S>(
    stream: S,
    climb: &Climb,
    limits: &Limits,
    seen: &Mutex<Seen>,
    not_ours: &'static str,
) -> Result<Option<Messages<FinalHead<S>>>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(climb)
        .ok_or_else(|| Failure::Unknown("the path cannot stand in a request".to_owned()))?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(limits.websocket_message);
    config.max_frame_size = Some(limits.websocket_message);
    // The library's own 128 KiB are for those who stay.
    config.read_buffer_size = READING;
    config.write_buffer_size = 0;
    match client_async_with_config(request, FinalHead::new(stream), Some(config)).await {
        Ok((socket, response)) => {
            note(seen, climb, response.status().as_u16(), Stage::Bound);
            Ok(Some(Messages::new(socket)))
        }
        Err(Error::Http(response)) => {
            note(seen, climb, response.status().as_u16(), Stage::Parsed);
            match climb.protocol {
                // Whoever answers in HTTP inside TLS is the server, whatever it thinks of the request.
                Protocol::Websocket => Ok(None),
                _ => Err(Failure::Unknown(not_ours.to_owned())),
            }
        }
        Err(Error::Io(error)) => Err(error.into()),
        Err(Error::Protocol(ProtocolError::HandshakeIncomplete) | Error::ConnectionClosed) => {
            Err(Failure::Eof)
        }
        Err(_) => Err(Failure::Unknown(not_ours.to_owned())),
    }
}

/// What an upgrade proves counts where nothing is wanted but the upgrade: what travels inside has a proof of its own.
fn note(seen: &Mutex<Seen>, climb: &Climb, status: u16, stage: Stage) {
    let mut seen = lock(seen);
    seen.http_status = Some(status);
    seen.carried = match climb.protocol {
        Protocol::Websocket => stage,
        _ => Stage::Answered,
    };
}

fn request(climb: &Climb) -> Option<Request<()>> {
    let name = climb.host.as_deref().or(climb.server_name.as_deref());
    let authority = match (name, climb.address.port()) {
        (None, _) => climb.address.to_string(),
        (Some(name), 443) => name.to_owned(),
        (Some(name), port) => format!("{name}:{port}"),
    };
    let url = format!("wss://{authority}{}", climb.path);
    let mut request = url.into_client_request().ok()?;
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    // Servers turn away pages of other sites; those of no browser say nothing.
    let origin = match climb.protocol {
        Protocol::WhatsappWebsocket => Some("https://web.whatsapp.com"),
        Protocol::MaxWebsocket => Some("https://web.max.ru"),
        _ => None,
    };
    if let Some(origin) = origin {
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
    }
    if climb.protocol == Protocol::MtprotoWebsocket {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("binary"),
        );
    }
    Some(request)
}
