//! One address, up a protocol's ladder: TCP, TLS or QUIC, HTTP and the app's own protocol.

use crate::measure::bogon;
use crate::measure::checks::{Context, exchange, http, quic, tcp, tls};
use crate::measure::trace::Stopped;
use crate::model::catalog::Protocol;
use crate::model::check::Climb;
use crate::model::observation::Operation;

/// Climbs until a step fails or the top is reached. Each step is in a box of its own: hundreds of climbs wait for a place at
/// once, and none needs the room of a handshake yet.
pub async fn run(context: &Context, climb: &Climb) -> Result<(), Stopped> {
    let room = &context.room;
    if let Some(reason) = bogon::refusal(&room.line, climb.address.ip()) {
        context.trace.not_run(reason);
        return Ok(());
    }
    let ladder = climb.protocol.ladder();
    if climb.protocol == Protocol::Quic {
        return Box::pin(quic::run(context, climb)).await;
    }
    if climb.protocol.is_udp() {
        return Box::pin(exchange::datagrams::run(context, climb)).await;
    }
    let place = room.climbs.at(climb.address.ip()).await;
    let stream = tcp::connect_within(context, climb.address, climb.hops, &place).await?;
    if ladder.contains(&Operation::TlsHandshake) {
        let Some(wish) = tls::Wish::of(climb) else {
            context
                .trace
                .not_run("the server name cannot stand in a certificate");
            return Ok(());
        };
        let stream = Box::pin(tls::handshake(context, &place, stream, wish)).await?;
        if ladder.contains(&Operation::HttpRoundTrip) {
            let connection = http::Connection::over_tls(stream);
            Box::pin(http::round_trip(context, &place, connection, climb)).await?;
        } else if ladder.contains(&Operation::Exchange) {
            Box::pin(exchange::run(context, &place, stream, climb)).await?;
        }
    } else if ladder.contains(&Operation::HttpRoundTrip) {
        let connection = http::Connection::in_clear(stream, climb);
        Box::pin(http::round_trip(context, &place, connection, climb)).await?;
    } else if ladder.contains(&Operation::Exchange) {
        Box::pin(exchange::run(context, &place, stream, climb)).await?;
    }
    Ok(())
}
