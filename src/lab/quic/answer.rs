//! What a QUIC server of the lab answers by HTTP/3: the same as its neighbours over TCP, or whatever a test wants.

use std::sync::Arc;

use http::Request;
use quinn_proto::crypto::rustls::HandshakeData;
use quinn_proto::{Connection, Dir, StreamId, VarInt};

use crate::lab::door::Door;
use crate::lab::web;
use crate::model::catalog::Protocol;
use crate::wire::http3::message::{Question, answer};
use crate::wire::http3::peer::{Peer, Side};
use crate::wire::http3::{ALPN, GENERAL_PROTOCOL_ERROR, NO_ERROR, Wrong, settings};

/// Head of a request at most, bytes.
const MAX_HEAD: usize = 16 << 10;

/// What a server does once it is asked.
pub type Answerer = Arc<dyn Fn(&Request<()>) -> Reply + Send + Sync>;

/// Bytes, whatever they are, and what comes after them.
pub struct Reply {
    /// On the stream of the request.
    pub bytes: Vec<u8>,
    /// How that stream goes on.
    pub then: Then,
    /// On streams of the server's own, besides the one of its settings.
    pub own: Vec<Vec<u8>>,
}

/// How the stream of a request goes on after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    End,
    /// It is reset.
    Reset,
    /// It stays as it is.
    Wait,
    /// The whole connection is closed.
    Close,
}

/// The web server behind a door.
pub fn of(door: Door) -> Answerer {
    Arc::new(move |request| {
        let mut response = web::answer(&door, request, Protocol::Quic);
        web::date(&mut response, door.ahead_days);
        let (head, body) = response.into_parts();
        Reply {
            bytes: answer(&http::Response::from_parts(head, ()), &body),
            then: Then::End,
            own: Vec::new(),
        }
    })
}

/// One connection on which requests are answered.
pub struct Conversation {
    peer: Peer,
    has_settings: bool,
    /// Streams of the client's own.
    streams: Vec<StreamId>,
    /// Requests that are not whole yet.
    questions: Vec<(StreamId, Question)>,
    /// What is to be said on a stream, and what then.
    outgoing: Vec<(StreamId, Vec<u8>, Then)>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            peer: Peer::new(Side::Client),
            has_settings: false,
            streams: Vec::new(),
            questions: Vec::new(),
            outgoing: Vec::new(),
        }
    }
}

impl Conversation {
    /// Reads what came and says what is due.
    pub fn go_on(&mut self, connection: &mut Connection, answerer: &Answerer) {
        if connection.is_handshaking() || connection.is_closed() || !speaks_http(connection) {
            return;
        }
        if !self.has_settings
            && let Some(id) = connection.streams().open(Dir::Uni)
        {
            self.has_settings = true;
            self.outgoing.push((id, settings(MAX_HEAD), Then::Wait));
        }
        if self.read(connection, answerer).is_err() {
            return close(connection, GENERAL_PROTOCOL_ERROR);
        }
        let mut is_over = false;
        self.outgoing.retain_mut(|(id, bytes, then)| {
            let mut stream = connection.send_stream(*id);
            let written = stream.write(bytes).unwrap_or(0);
            bytes.drain(..written);
            if bytes.is_empty() {
                match then {
                    Then::End => drop(stream.finish()),
                    Then::Reset => drop(stream.reset(VarInt::from_u32(GENERAL_PROTOCOL_ERROR))),
                    Then::Wait => {}
                    Then::Close => is_over = true,
                }
            }
            !bytes.is_empty()
        });
        if is_over {
            close(connection, NO_ERROR);
        }
    }

    fn read(&mut self, connection: &mut Connection, answerer: &Answerer) -> Result<(), Wrong> {
        while let Some(id) = connection.streams().accept(Dir::Uni) {
            self.streams.push(id);
        }
        while let Some(id) = connection.streams().accept(Dir::Bi) {
            self.questions.push((id, Question::new(MAX_HEAD)));
        }
        for id in &self.streams {
            for bytes in arrived(connection, *id) {
                self.peer.take(VarInt::from(*id).into_inner(), &bytes)?;
            }
        }
        let mut asked = Vec::new();
        for (id, question) in &mut self.questions {
            for bytes in arrived(connection, *id) {
                if let Some(request) = question.take(&bytes)? {
                    asked.push((*id, answerer(&request)));
                    break;
                }
            }
        }
        for (id, reply) in asked {
            self.questions.retain(|(known, _)| *known != id);
            self.outgoing.push((id, reply.bytes, reply.then));
            for bytes in reply.own {
                let own = connection.streams().open(Dir::Uni);
                self.outgoing
                    .extend(own.map(|own| (own, bytes, Then::Wait)));
            }
        }
        Ok(())
    }
}

fn close(connection: &mut Connection, code: u32) {
    let now = std::time::Instant::now();
    connection.close(now, VarInt::from_u32(code), bytes::Bytes::new());
}

/// What came on a stream since it was last looked at.
fn arrived(connection: &mut Connection, id: StreamId) -> Vec<bytes::Bytes> {
    let mut stream = connection.recv_stream(id);
    let Ok(mut chunks) = stream.read(true) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
        all.push(chunk.bytes);
    }
    all
}

fn speaks_http(connection: &Connection) -> bool {
    let shown = connection.crypto_session().handshake_data();
    let shown = shown.and_then(|it| it.downcast::<HandshakeData>().ok());
    shown.is_some_and(|it| it.protocol.as_deref() == Some(ALPN.as_bytes()))
}
