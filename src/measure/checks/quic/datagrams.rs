//! The datagrams of one check: counted, with the ICMP errors that come back for them.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::measure::checks::Context;
use crate::measure::checks::quic::{Seen, lock};
use crate::measure::classify::refusal_failure;
use crate::measure::{datagram, socket};
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::wire::quic::versions_offered;

/// Bytes of a datagram that are read: above every packet that a line carries.
pub const MAX_DATAGRAM: usize = 2 << 10;
/// ICMP errors that are kept.
const MAX_ICMP: usize = 8;
/// What a round trip is taken for before the first answer: QUIC then sends again after 0.3, 0.9 and 2.1 s, early enough
/// for three lost datagrams within the limit.
pub const FIRST_GUESS: Duration = Duration::from_millis(100);

/// A fresh socket to one address.
pub struct Datagrams<'a> {
    socket: UdpSocket,
    line: &'a Line,
    /// How long a refusal waits for an answer that proves it forged.
    patience: Duration,
    seen: &'a Mutex<Seen>,
    refusal: Option<(io::Error, Instant)>,
    /// Our first datagram: what answers are bound to.
    question: Vec<u8>,
}

impl<'a> Datagrams<'a> {
    /// Opens it.
    pub fn new(
        context: &'a Context,
        remote: SocketAddr,
        seen: &'a Mutex<Seen>,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: socket::udp(remote)?,
            line: &context.room.line,
            patience: context.room.limits.patience_connect,
            seen,
            refusal: None,
            question: Vec::new(),
        })
    }

    /// Sends one.
    pub async fn send(&mut self, datagram: &[u8]) -> Result<(), Failure> {
        match self.socket.send(datagram).await {
            Ok(_) => {}
            // The pending error of an earlier datagram is told by a sending too; that one is sent when its time comes again.
            Err(error) if is_from_the_way(&error) => self.refused(error),
            Err(error) => return Err(error.into()),
        }
        if self.question.is_empty() {
            self.question.extend_from_slice(datagram);
        }
        let mut seen = lock(self.seen);
        seen.facts.sent += 1;
        if seen.first_sent == 0 {
            seen.first_sent = u32::try_from(datagram.len()).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// Waits for the next datagram, until then: its length, or nothing. The error is a refusal that no answer belied.
    pub async fn hear(
        &mut self,
        buffer: &mut [u8],
        until: Option<Instant>,
    ) -> Result<Option<usize>, Failure> {
        loop {
            let give_up = self.refusal.as_ref().map(|(_, at)| *at);
            let next = [until, give_up].into_iter().flatten().min();
            let ready = self.socket.ready(Interest::READABLE | Interest::ERROR);
            let ready = match next {
                Some(at) => timeout_at(at, ready).await,
                None => Ok(ready.await),
            };
            let Ok(ready) = ready else {
                match &self.refusal {
                    Some((error, at)) if *at <= Instant::now() => {
                        return Err(refusal_failure(error, &lock(self.seen).facts.icmp));
                    }
                    _ => return Ok(None),
                }
            };
            ready?;
            self.read_errors()?;
            match self.socket.try_recv(buffer) {
                Ok(length) => {
                    self.heard(buffer.get(..length).unwrap_or_default());
                    return Ok(Some(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if is_from_the_way(&error) => self.refused(error),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a question until its answer names the versions that are spoken.
    pub async fn ask(mut self, question: &[u8]) -> Result<(), Failure> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut pause = 3 * FIRST_GUESS;
        loop {
            self.send(question).await?;
            let again = Instant::now() + pause;
            pause *= 2;
            while self.hear(&mut buffer, Some(again)).await?.is_some() {
                if !lock(self.seen).facts.versions.is_empty() {
                    return Ok(());
                }
            }
        }
    }

    fn heard(&mut self, datagram: &[u8]) {
        self.refusal = None;
        let versions = versions_offered(datagram, &self.question);
        let mut seen = lock(self.seen);
        seen.facts.received += 1;
        seen.facts.received_bytes += datagram.len() as u64;
        if let Some(versions) = versions {
            let told = versions.iter().map(|version| format!("{version:08x}"));
            seen.facts.versions = told.collect();
        }
    }

    fn read_errors(&mut self) -> io::Result<()> {
        // Asked for before the queue is read, because reading the queue empties it.
        let pending = self.socket.take_error()?;
        let errors = datagram::errors(&self.socket, self.line);
        {
            let mut seen = lock(self.seen);
            let room = MAX_ICMP.saturating_sub(seen.facts.icmp.len());
            seen.facts.icmp.extend(errors.into_iter().take(room));
        }
        if let Some(error) = pending {
            self.refused(error);
        }
        Ok(())
    }

    fn refused(&mut self, error: io::Error) {
        let at = Instant::now() + self.patience;
        self.refusal.get_or_insert((error, at));
    }
}

/// Whether the error came back for a datagram, and not from this machine.
fn is_from_the_way(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EACCES
                | libc::EHOSTDOWN
                | libc::ENOPROTOOPT
                | libc::EMSGSIZE
        )
    )
}
