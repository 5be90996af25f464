//! One datagram out, again if nobody answers, and everything that comes back until the window closes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::measure::limits::Limits;
use crate::measure::socket;
use crate::model::line::Line;
use crate::model::observation::IcmpError;

/// Bytes of a datagram that are read: three times what EDNS asked for.
const MAX_DATAGRAM: usize = 4 << 10;

/// When to send, how long to wait, how long to listen on.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Sendings after the first, as time since it.
    pub resend: Vec<Duration>,
    /// Without an answer, listening ends here.
    pub give_up: Duration,
    /// After an answer, listening goes on this long.
    pub listen: Duration,
    /// Datagrams heard at most.
    pub most: usize,
}

impl Schedule {
    /// That of a DNS query.
    pub fn dns(limits: &Limits) -> Self {
        Self {
            resend: limits.dns_resend.clone(),
            give_up: limits.dns_give_up,
            listen: limits.dns_listen,
            most: limits.dns_replies,
        }
    }

    /// That of a query to where no resolver is.
    pub fn decoy(limits: &Limits) -> Self {
        Self {
            resend: Vec::new(),
            give_up: limits.dns_decoy,
            ..Self::dns(limits)
        }
    }
}

/// Whoever sends and listens: told of everything, in order.
pub trait Listener {
    /// The datagram was sent, for the first time or again.
    fn sent(&mut self);
    /// A datagram came; says whether it is an answer.
    fn heard(&mut self, datagram: &[u8]) -> bool;
    /// ICMP errors came.
    fn refused(&mut self, errors: Vec<IcmpError>);
}

/// Sends and listens to the end of the window. The error is the last one the socket told; it too ends the waiting,
/// after the time in which an answer could still prove it forged.
pub async fn exchange(
    socket: &UdpSocket,
    datagram: &[u8],
    schedule: &Schedule,
    line: &Line,
    listener: &mut impl Listener,
) -> io::Result<()> {
    let start = Instant::now();
    let mut end = start + schedule.give_up;
    let mut is_closing = false;
    let mut error = None;
    let mut heard = 0;
    let mut resend: VecDeque<Instant> =
        schedule.resend.iter().map(|after| start + *after).collect();
    socket.send(datagram).await?;
    listener.sent();
    loop {
        let next = resend
            .front()
            .copied()
            .filter(|at| !is_closing && *at < end)
            .unwrap_or(end);
        let Ok(ready) = timeout_at(next, socket.ready(Interest::READABLE | Interest::ERROR)).await
        else {
            if next >= end {
                break;
            }
            resend.pop_front();
            match socket.try_send(datagram) {
                Ok(_) => listener.sent(),
                // The socket's pending error is told by a sending too.
                Err(told) if told.kind() != io::ErrorKind::WouldBlock => error = Some(told),
                Err(_) => {}
            }
            continue;
        };
        ready?;
        // Asked for before the queue is read, because reading the queue empties it.
        let pending = socket.take_error()?;
        let refusals = errors(socket, line);
        if !refusals.is_empty() {
            listener.refused(refusals);
        }
        let mut buffer = [0; MAX_DATAGRAM];
        let mut is_news = pending.is_some();
        error = pending.or(error);
        match socket.try_recv(&mut buffer) {
            Ok(length) => {
                heard += 1;
                is_news |= listener.heard(buffer.get(..length).unwrap_or(&buffer));
            }
            Err(told) if told.kind() == io::ErrorKind::WouldBlock => {}
            Err(told) => {
                error = Some(told);
                is_news = true;
            }
        }
        if is_news && !is_closing {
            is_closing = true;
            end = Instant::now() + schedule.listen;
        }
        if heard >= schedule.most || Instant::now() >= end {
            break;
        }
    }
    error.map_or(Ok(()), Err)
}

/// Reads the error queue empty; READABLE does not wake for it, so its own readiness is cleared here.
pub fn errors(socket: &UdpSocket, line: &Line) -> Vec<IcmpError> {
    let mut errors = Vec::new();
    let _ = socket.try_io(Interest::ERROR, || {
        errors = socket::icmp_errors(socket.as_fd(), line);
        Err::<(), _>(io::ErrorKind::WouldBlock.into())
    });
    errors
}
