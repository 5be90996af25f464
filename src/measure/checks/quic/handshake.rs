//! quinn's state machine, driven to the end of the handshake over one socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use quinn_proto::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Endpoint,
    EndpointConfig, Event, NoneTokenStore, TransportConfig, VarInt,
};
use tokio::time::Instant;

use crate::measure::checks::quic::datagrams::{Datagrams, FIRST_GUESS, MAX_DATAGRAM};
use crate::measure::checks::quic::{Seen, lock};
use crate::measure::classify::{alert_of, quic_failure};
use crate::model::failure::Failure;
use crate::wire::text;

/// Streams of the server's that are let be: HTTP/3 opens three by itself.
const STREAMS: VarInt = VarInt::from_u32(8);
/// What the server may send before it is asked for anything, on one stream and on all.
const WINDOW: VarInt = VarInt::from_u32(16 << 10);
/// `H3_NO_ERROR` (RFC 9114): we have seen what we wanted.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// One connection, whose endpoint has no other.
struct Talk<'a> {
    endpoint: Endpoint,
    handle: ConnectionHandle,
    connection: Connection,
    datagrams: Datagrams<'a>,
    /// Where datagrams are written.
    out: Vec<u8>,
}

/// Shakes hands and hangs up.
pub async fn run(
    datagrams: Datagrams<'_>,
    config: rustls::ClientConfig,
    remote: SocketAddr,
    server_name: &str,
    seen: &Mutex<Seen>,
) -> Result<(), Failure> {
    let crypto = QuicClientConfig::try_from(config).map_err(|error| unknown(&error))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    // Nobody is met twice.
    config.token_store(Arc::new(NoneTokenStore));
    let endpoint_config = Arc::new(EndpointConfig::default());
    let mut endpoint = Endpoint::new(endpoint_config, None, false, None);
    let (handle, connection) = endpoint
        .connect(Instant::now().into_std(), config, remote, server_name)
        .map_err(|error| unknown(&error))?;
    let mut talk = Talk {
        endpoint,
        handle,
        connection,
        datagrams,
        out: Vec::with_capacity(MAX_DATAGRAM),
    };
    let outcome = talk.shake(remote).await;
    match outcome {
        Ok(alpn) => {
            {
                let mut seen = lock(seen);
                seen.is_finished = true;
                seen.alpn = alpn;
            }
            talk.hang_up().await;
            Ok(())
        }
        Err(Ended::Lost(reason)) => {
            note_close(&reason, &mut lock(seen));
            // Whatever we have to say of it, for instance an alert of ours.
            drop(talk.send().await);
            Err(quic_failure(&reason))
        }
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

/// Small windows, no probing for larger datagrams, one datagram a sending: what is sent is what is counted.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .initial_rtt(FIRST_GUESS)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(STREAMS)
        .stream_receive_window(WINDOW)
        .receive_window(WINDOW)
        .send_window(WINDOW.into_inner())
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(None)
        .max_idle_timeout(None)
        .enable_segmentation_offload(false);
    transport
}

/// How a handshake ended otherwise than it should.
enum Ended {
    /// The state machine says so.
    Lost(ConnectionError),
    /// The socket says so.
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Talk<'_> {
    /// The selected ALPN identifier.
    async fn shake(&mut self, remote: SocketAddr) -> Result<Option<String>, Ended> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            self.send().await?;
            while let Some(event) = self.connection.poll() {
                match event {
                    Event::Connected => return Ok(self.alpn()),
                    Event::ConnectionLost { reason } => return Err(Ended::Lost(reason)),
                    _ => {}
                }
            }
            let until = self.connection.poll_timeout().map(Instant::from_std);
            match self.datagrams.hear(&mut buffer, until).await? {
                Some(length) => self.take(buffer.get(..length).unwrap_or_default(), remote),
                None => self.connection.handle_timeout(Instant::now().into_std()),
            }
        }
    }

    /// Sends whatever is due, and lets the endpoint know of it.
    async fn send(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        loop {
            self.out.clear();
            let now = Instant::now().into_std();
            let Some(transmit) = self.connection.poll_transmit(now, 1, &mut self.out) else {
                return Ok(());
            };
            let datagram = self.out.get(..transmit.size).unwrap_or(&self.out);
            self.datagrams.send(datagram).await?;
        }
    }

    fn take(&mut self, datagram: &[u8], remote: SocketAddr) {
        self.out.clear();
        let event = self.endpoint.handle(
            Instant::now().into_std(),
            remote,
            None,
            None,
            BytesMut::from(datagram),
            &mut self.out,
        );
        // Without a server's configuration nobody can connect to us; answers to strangers are not given.
        if let Some(DatagramEvent::ConnectionEvent(_, event)) = event {
            self.connection.handle_event(event);
        }
    }

    fn alpn(&self) -> Option<String> {
        let shown = self.connection.crypto_session().handshake_data()?;
        let shown = shown.downcast::<HandshakeData>().ok()?;
        Some(text::escape_bytes(&shown.protocol?, 64))
    }

    /// The server keeps no connection of ours open. Whether it hears us changes nothing.
    async fn hang_up(&mut self) {
        drop(self.send().await);
        let now = Instant::now().into_std();
        self.connection.close(now, NO_ERROR, Bytes::new());
        drop(self.send().await);
    }
}

fn note_close(reason: &ConnectionError, seen: &mut Seen) {
    match reason {
        ConnectionError::ConnectionClosed(close) => {
            let code = u64::from(close.error_code);
            seen.facts.close_code = Some(code);
            seen.alert = alert_of(code);
        }
        ConnectionError::ApplicationClosed(close) => {
            seen.facts.application_close_code = Some(close.error_code.into_inner());
        }
        _ => {}
    }
}

/// What our own side refuses before a datagram is sent.
fn unknown(error: &impl ToString) -> Failure {
    Failure::Unknown(error.to_string())
}
