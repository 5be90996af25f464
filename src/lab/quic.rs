//! The lab's QUIC servers: quinn's state machine at one socket, behind whatever looks at its datagrams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, Incoming, ServerConfig,
    TransportConfig,
};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::lab::quic::answer::{Answerer, Conversation};
use crate::lab::quic::gate::Gate;

pub mod answer;
pub mod gate;
pub mod initial;

/// Above every packet that loopback carries here.
const MAX_DATAGRAM: usize = 2 << 10;
/// Connections at one socket; a run makes a handful.
const MAX_CONNECTIONS: usize = 256;
/// How long a socket without connections waits before it looks again.
const IDLE: Duration = Duration::from_secs(60);

/// Serves handshakes, and requests by HTTP/3, at one socket for as long as the site lives.
pub async fn serve(
    socket: UdpSocket,
    tls: Arc<rustls::ServerConfig>,
    answerer: Answerer,
    gate: Gate,
) {
    // A door without TLS 1.3 is none that the lab makes.
    let Ok(crypto) = QuicServerConfig::try_from(tls) else {
        return;
    };
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport
        .mtu_discovery_config(None)
        .enable_segmentation_offload(false);
    config.transport_config(Arc::new(transport));
    let endpoint_config = Arc::new(EndpointConfig::default());
    let server = Server {
        socket,
        endpoint: Endpoint::new(endpoint_config, Some(Arc::new(config)), false, None),
        connections: HashMap::new(),
        answerer,
        gate,
        out: Vec::with_capacity(MAX_DATAGRAM),
    };
    server.run().await;
}

struct Server {
    socket: UdpSocket,
    endpoint: Endpoint,
    connections: HashMap<ConnectionHandle, (Connection, Conversation)>,
    answerer: Answerer,
    gate: Gate,
    out: Vec<u8>,
}

impl Server {
    async fn run(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let timers = self.connections.values_mut();
            let next = timers.filter_map(|(it, _)| it.poll_timeout()).min();
            let until = next.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
            match timeout_at(until, self.socket.recv_from(&mut buffer)).await {
                Ok(Ok((length, peer))) => {
                    if self.gate.passes(peer, &buffer[..length]) {
                        self.take(peer, &buffer[..length]).await;
                    }
                }
                // An ICMP error for an earlier datagram ends nothing.
                Ok(Err(_)) => tokio::task::yield_now().await,
                Err(_) => {
                    let now = Instant::now().into_std();
                    for (connection, _) in self.connections.values_mut() {
                        if connection.poll_timeout().is_some_and(|at| at <= now) {
                            connection.handle_timeout(now);
                        }
                    }
                }
            }
            self.drive().await;
        }
    }

    async fn take(&mut self, peer: SocketAddr, datagram: &[u8]) {
        self.out.clear();
        let now = Instant::now().into_std();
        let bytes = BytesMut::from(datagram);
        let event = self
            .endpoint
            .handle(now, peer, None, None, bytes, &mut self.out);
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some((connection, _)) = self.connections.get_mut(&handle) {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.accept(incoming).await,
            Some(DatagramEvent::Response(answer)) => self.answer(peer, answer.size).await,
            None => {}
        }
    }

    async fn accept(&mut self, incoming: Incoming) {
        if self.connections.len() == MAX_CONNECTIONS {
            return self.endpoint.ignore(incoming);
        }
        let peer = incoming.remote_address();
        self.out.clear();
        let now = Instant::now().into_std();
        match self.endpoint.accept(incoming, now, &mut self.out, None) {
            Ok((handle, connection)) => {
                let known = (connection, Conversation::default());
                self.connections.insert(handle, known);
            }
            Err(refused) => {
                if let Some(answer) = refused.response {
                    self.answer(peer, answer.size).await;
                }
            }
        }
    }

    /// Sends what the endpoint itself has to say.
    async fn answer(&self, peer: SocketAddr, size: usize) {
        let datagram = self.out.get(..size).unwrap_or(&self.out);
        if !self.gate.loses() {
            drop(self.socket.send_to(datagram, peer).await);
        }
    }

    /// Lets every connection say what it has to say, and forgets those that are over.
    async fn drive(&mut self) {
        let now = Instant::now().into_std();
        for (handle, (connection, conversation)) in &mut self.connections {
            while let Some(event) = connection.poll_endpoint_events() {
                if let Some(event) = self.endpoint.handle_event(*handle, event) {
                    connection.handle_event(event);
                }
            }
            while connection.poll().is_some() {}
            conversation.go_on(connection, &self.answerer);
            loop {
                self.out.clear();
                let Some(transmit) = connection.poll_transmit(now, 1, &mut self.out) else {
                    break;
                };
                let datagram = self.out.get(..transmit.size).unwrap_or(&self.out);
                if !self.gate.loses() {
                    drop(self.socket.send_to(datagram, transmit.destination).await);
                }
            }
        }
        self.connections
            .retain(|_, (connection, _)| !connection.is_drained());
    }
}
