//! A query over a stream: two bytes of length, then the message (RFC 1035, 4.2.2), in clear or inside TLS (RFC 7858).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::measure::checks::dns::{Inquiry, Worth};
use crate::measure::checks::{Context, tcp, tls};
use crate::measure::places::Place;
use crate::measure::tee::Passed;
use crate::measure::trace::Stopped;
use crate::model::catalog::Resolver;
use crate::model::failure::Failure;
use crate::model::observation::Operation;

/// Asks over TCP, on a connection of its own.
pub async fn ask_tcp(
    context: &Context,
    resolver: &Resolver,
    inquiry: &Inquiry,
) -> Result<(), Stopped> {
    let place = context.room.climbs.at(resolver.address.ip()).await;
    let stream = tcp::connect(context, resolver.address, &place).await?;
    let passed = stream.passed();
    resolve(context, &place, &passed, inquiry, stream).await
}

/// Asks over TLS, on a connection of its own, of a server that must prove its name.
pub async fn ask_dot(
    context: &Context,
    resolver: &Resolver,
    inquiry: &Inquiry,
) -> Result<(), Stopped> {
    let address = resolver.address;
    let name = resolver.server_name.as_deref();
    let Some(wish) = tls::Wish::new(address.ip(), name, vec![b"dot".to_vec()], None) else {
        context
            .trace
            .not_run("the server name cannot stand in a certificate");
        return Ok(());
    };
    let place = context.room.climbs.at(address.ip()).await;
    let stream = tcp::connect(context, address, &place).await?;
    let passed = stream.passed();
    let stream = Box::pin(tls::handshake(context, &place, stream, wish)).await?;
    Box::pin(resolve(context, &place, &passed, inquiry, stream)).await
}

async fn resolve(
    context: &Context,
    place: &Place,
    passed: &Passed,
    inquiry: &Inquiry,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), Stopped> {
    let limits = &context.room.limits;
    place.take().await;
    let asking = async {
        let ended = exchange(stream, inquiry, || context.trace.elapsed()).await;
        inquiry.outcome(&context.room.line, ended.err().map(Failure::from))
    };
    let patient = place.patiently(limits.patience_talk, || passed.received(), asking);
    context
        .trace
        .step(Operation::Resolve, limits.dns_stream, patient)
        .await
}

/// One query out, one message back.
pub async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    inquiry: &Inquiry,
    now: impl Fn() -> f64,
) -> io::Result<Worth> {
    let length = u16::try_from(inquiry.message.len()).map_err(io::Error::other)?;
    // In one piece: some servers refuse a length that comes alone (RFC 7766, 8).
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(&inquiry.message);
    stream.write_all(&framed).await?;
    stream.flush().await?;
    inquiry.sent();
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(inquiry.heard(&message, now()))
}
