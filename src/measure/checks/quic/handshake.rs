//! quinn's state machine over one socket, driven to the end of the handshake, and on from there by whoever asks.

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
use crate::wire::{http3, text};

/// Streams of the server's that are let be: HTTP/3 opens three by itself.
const STREAMS: VarInt = VarInt::from_u32(8);
/// What the server may send on all streams that nobody asked for.
const WINDOW: u32 = 16 << 10;

/// One connection, whose endpoint has no other.
pub struct Talk<'a> {
    endpoint: Endpoint,
    handle: ConnectionHandle,
    /// quinn's side of it.
    pub connection: Connection,
    remote: SocketAddr,
    datagrams: Datagrams<'a>,
    seen: &'a Mutex<Seen>,
    /// Where datagrams are read.
    buffer: Vec<u8>,
    /// Where datagrams are written.
    out: Vec<u8>,
}

/// Shakes hands. The server may send that much more on one stream than what nobody asked for.
pub async fn run<'a>(
    datagrams: Datagrams<'a>,
    config: rustls::ClientConfig,
    remote: SocketAddr,
    server_name: &str,
    window: u32,
    seen: &'a Mutex<Seen>,
) -> Result<Box<Talk<'a>>, Failure> {
    let crypto = QuicClientConfig::try_from(config).map_err(|error| unknown(&error))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(window)));
    // Nobody is met twice.
    config.token_store(Arc::new(NoneTokenStore));
    let endpoint_config = Arc::new(EndpointConfig::default());
    let mut endpoint = Endpoint::new(endpoint_config, None, false, None);
    let (handle, connection) = endpoint
        .connect(Instant::now().into_std(), config, remote, server_name)
        .map_err(|error| unknown(&error))?;
    // quinn's state is large: on the heap it is moved no more.
    let mut talk = Box::new(Talk {
        endpoint,
        handle,
        connection,
        remote,
        datagrams,
        seen,
        buffer: vec![0; MAX_DATAGRAM],
        out: Vec::with_capacity(MAX_DATAGRAM),
    });
    while !matches!(talk.event().await?, Event::Connected) {}
    {
        let mut seen = lock(seen);
        seen.is_finished = true;
        seen.alpn = talk.alpn();
    }
    Ok(talk)
}

/// Small windows, no probing for larger datagrams, one datagram a sending: what is sent is what is counted.
fn transport(window: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .initial_rtt(FIRST_GUESS)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(STREAMS)
        .stream_receive_window(VarInt::from_u32(window.max(WINDOW)))
        .receive_window(VarInt::from_u32(window.saturating_add(WINDOW)))
        .send_window(u64::from(WINDOW))
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(None)
        .max_idle_timeout(None)
        .enable_segmentation_offload(false);
    transport
}

impl Talk<'_> {
    /// Sends and hears until something happens. The error is how the connection, or the socket, was lost.
    pub async fn event(&mut self) -> Result<Event, Failure> {
        loop {
            self.send().await?;
            match self.connection.poll() {
                Some(Event::ConnectionLost { reason }) => return Err(self.lost(&reason).await),
                Some(event) => return Ok(event),
                None => {}
            }
            let until = self.connection.poll_timeout().map(Instant::from_std);
            match self.datagrams.hear(&mut self.buffer, until).await? {
                Some(length) => self.take(length),
                None => self.connection.handle_timeout(Instant::now().into_std()),
            }
        }
    }

    /// The server keeps no connection of ours open. Whether it hears us changes nothing.
    pub async fn hang_up(&mut self) {
        drop(self.send().await);
        let now = Instant::now().into_std();
        let code = VarInt::from_u32(http3::NO_ERROR);
        self.connection.close(now, code, Bytes::new());
        drop(self.send().await);
    }

    async fn lost(&mut self, reason: &ConnectionError) -> Failure {
        note_close(reason, &mut lock(self.seen));
        // Whatever we have to say of it, for instance an alert of ours.
        drop(self.send().await);
        quic_failure(reason)
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

    fn take(&mut self, length: usize) {
        let datagram = self.buffer.get(..length).unwrap_or_default();
        self.out.clear();
        let event = self.endpoint.handle(
            Instant::now().into_std(),
            self.remote,
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
