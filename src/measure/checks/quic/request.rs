//! One GET by HTTP/3 on a connection whose handshake is over, and its answer within bounds; no redirect is followed.

use std::sync::Mutex;

use ::http::Request;
use quinn_proto::{
    Connection, Dir, Event, ReadError, RecvStream, StreamEvent, StreamId, VarInt, WriteError,
};

use crate::measure::checks::http;
use crate::measure::checks::quic::handshake::Talk;
use crate::measure::checks::quic::{Seen, lock};
use crate::measure::classify::http3_failure;
use crate::measure::page::Page;
use crate::model::failure::Failure;
use crate::wire::http3::message::{Answer, Part};
use crate::wire::http3::peer::{Peer, Side};
use crate::wire::http3::{Wrong, message, settings};

/// Asks, and reads until the answer is over or no more of it is wanted.
pub async fn run(
    talk: &mut Talk<'_>,
    asked: &Request<()>,
    max_head: usize,
    page: &Mutex<Page>,
    seen: &Mutex<Seen>,
) -> Result<(), Failure> {
    let mut control = Outgoing::new(Dir::Uni, settings(max_head));
    let mut question = Outgoing::new(Dir::Bi, message::request(asked));
    let mut incoming = Incoming {
        answer: Answer::new(max_head),
        peer: Peer::new(Side::Server),
        streams: Vec::new(),
        is_heard: false,
    };
    lock(seen).facts.request_acknowledged = Some(false);
    loop {
        control.push(&mut talk.connection);
        question.push(&mut talk.connection);
        let read = incoming.read(&mut talk.connection, question.id, page);
        if incoming.is_heard {
            lock(seen).facts.request_acknowledged = Some(true);
        }
        if !matches!(read, Ok(false)) {
            // What came together with it.
            while let Some(event) = talk.connection.poll() {
                note(&event, question.id, seen);
            }
            return read.map(drop);
        }
        note(&talk.event().await?, question.id, seen);
    }
}

/// Keeps whether all of the request was acknowledged.
fn note(event: &Event, question: Option<StreamId>, seen: &Mutex<Seen>) {
    if let Event::Stream(StreamEvent::Finished { id }) = event
        && Some(*id) == question
    {
        lock(seen).facts.request_acknowledged = Some(true);
    }
}

/// What we say on one stream.
struct Outgoing {
    direction: Dir,
    id: Option<StreamId>,
    bytes: Vec<u8>,
    /// Bytes that are written.
    at: usize,
    is_over: bool,
}

impl Outgoing {
    fn new(direction: Dir, bytes: Vec<u8>) -> Self {
        Self {
            direction,
            id: None,
            bytes,
            at: 0,
            is_over: false,
        }
    }

    /// Writes what the server has room for. The control stream never ends (RFC 9114, 6.2.1).
    fn push(&mut self, connection: &mut Connection) {
        if self.id.is_none() {
            self.id = connection.streams().open(self.direction);
        }
        let Some(id) = self.id.filter(|_| !self.is_over) else {
            return;
        };
        let mut stream = connection.send_stream(id);
        while let Some(left) = self.bytes.get(self.at..).filter(|left| !left.is_empty()) {
            match stream.write(left) {
                Ok(written) => self.at += written,
                Err(WriteError::Blocked) => return,
                // The server may answer without having read everything.
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => break,
            }
        }
        self.is_over = true;
        if self.direction == Dir::Bi {
            drop(stream.finish());
        }
    }
}

/// What the server says.
struct Incoming {
    answer: Answer,
    peer: Peer,
    /// Streams of its own that are open.
    streams: Vec<StreamId>,
    /// Whether it said anything on the question's stream: it may do so in a packet before that with the acknowledgement.
    is_heard: bool,
}

impl Incoming {
    /// Reads what is there. Whether that was all: an answer that is whole stands, whatever else the server says.
    fn read(
        &mut self,
        connection: &mut Connection,
        question: Option<StreamId>,
        page: &Mutex<Page>,
    ) -> Result<bool, Failure> {
        if let Some(id) = question
            && self.is_answered(&mut connection.recv_stream(id), page)?
        {
            return Ok(true);
        }
        while let Some(id) = connection.streams().accept(Dir::Uni) {
            self.streams.push(id);
        }
        let peer = &mut self.peer;
        let mut wrong = Ok(());
        self.streams.retain(|id| {
            let goes_on = overhear(peer, *id, &mut connection.recv_stream(*id));
            match goes_on {
                Ok(goes_on) => goes_on,
                Err(error) => {
                    wrong = Err(error);
                    false
                }
            }
        });
        wrong.map_err(http3_failure)?;
        match question {
            Some(id) if self.peer.refuses(number(id)) => Err(http3_failure(Wrong::Early)),
            _ => Ok(false),
        }
    }

    fn is_answered(
        &mut self,
        stream: &mut RecvStream<'_>,
        page: &Mutex<Page>,
    ) -> Result<bool, Failure> {
        let Ok(mut chunks) = stream.read(true) else {
            return Ok(false);
        };
        loop {
            let chunk = match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => {
                    self.is_heard = true;
                    chunk
                }
                Ok(None) => {
                    self.answer.end().map_err(http3_failure)?;
                    return Ok(true);
                }
                Err(ReadError::Blocked) => return Ok(false),
                Err(ReadError::Reset(_)) => return Err(Failure::HttpRequestFailed),
            };
            let mut bytes = &chunk.bytes[..];
            while let Some(part) = self.answer.next(&mut bytes).map_err(http3_failure)? {
                match part {
                    Part::Head(head) => http::lock(page).begin(*head),
                    Part::Body(bytes) if http::lock(page).read(bytes).is_break() => {
                        return Ok(true);
                    }
                    Part::Body(_) => {}
                }
            }
        }
    }
}

/// Reads one of the server's own streams; whether it goes on.
fn overhear(peer: &mut Peer, id: StreamId, stream: &mut RecvStream<'_>) -> Result<bool, Wrong> {
    let Ok(mut chunks) = stream.read(true) else {
        return Ok(false);
    };
    loop {
        match chunks.next(usize::MAX) {
            Ok(Some(chunk)) => peer.take(number(id), &chunk.bytes)?,
            Ok(None) | Err(ReadError::Reset(_)) => {
                peer.end(number(id))?;
                return Ok(false);
            }
            Err(ReadError::Blocked) => return Ok(true),
        }
    }
}

fn number(id: StreamId) -> u64 {
    VarInt::from(id).into_inner()
}
