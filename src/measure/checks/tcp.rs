//! SYN to SYN-ACK, with everything the kernel learns on the way.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::measure::checks::Context;
use crate::measure::places::Place;
use crate::measure::socket;
use crate::measure::tee::Tee;
use crate::measure::trace::Stopped;
use crate::model::observation::Operation;

/// Connects; from here on every step of this check ends with the kernel's counters.
pub async fn connect(
    context: &Context,
    remote: SocketAddr,
    place: &Place,
) -> Result<Tee<TcpStream>, Stopped> {
    connect_within(context, remote, None, place).await
}

/// The same, with packets that live for so many hops.
pub async fn connect_within(
    context: &Context,
    remote: SocketAddr,
    hops: Option<u8>,
    place: &Place,
) -> Result<Tee<TcpStream>, Stopped> {
    let limits = &context.room.limits;
    let limit = hops.map_or(limits.connect, |_| limits.connect_hops);
    let connecting = async {
        let (socket, second) = socket::tcp(remote, hops)?;
        let room = Arc::clone(&context.room);
        context.trace.sample(move |step| {
            let mut facts = socket::tcp_facts(second.as_fd());
            facts.icmp = socket::icmp_errors(second.as_fd(), &room.line);
            step.tcp = Some(Box::new(facts));
        });
        let stream = socket.connect(remote).await?;
        socket::ignore_passing_errors(&stream, remote);
        Ok::<_, std::io::Error>(stream)
    };
    let patient = place.patiently(limits.patience_connect, || 0, connecting);
    let stream = context
        .trace
        .step(Operation::TcpConnect, limit, patient)
        .await?;
    Ok(Tee::new(stream))
}
