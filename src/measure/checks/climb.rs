//! One address, up a protocol's ladder: TCP, TLS or QUIC, HTTP and the app's own protocol, as far as this version speaks.

use crate::measure::bogon;
use crate::measure::checks::{Context, exchange, http, quic, tcp, tls};
use crate::measure::trace::Stopped;
use crate::model::catalog::Protocol;
use crate::model::check::Climb;
use crate::model::observation::Operation;

/// Climbs until a step fails, the top is reached, or the next step is not spoken.
pub async fn run(context: &Context, climb: &Climb) -> Result<(), Stopped> {
    let room = &context.room;
    if let Some(reason) = bogon::refusal(&room.line, climb.address.ip()) {
        context.trace.not_run(reason);
        return Ok(());
    }
    let ladder = climb.protocol.ladder();
    let unspoken = climb.protocol.first_unspoken();
    let is_spoken = |step| ladder.contains(&step) && unspoken.is_none_or(|limit| step < limit);
    if ladder.first().copied() == unspoken {
        context.trace.not_run(silent_about(climb.protocol));
        return Ok(());
    }
    let place = room.climbs.at(climb.address.ip()).await;
    if climb.protocol == Protocol::Quic {
        return quic::run(context, &place, climb).await;
    }
    let stream = tcp::connect(context, climb.address, &place).await?;
    if ladder.contains(&Operation::TlsHandshake) {
        let Some(wish) = tls::Wish::of(climb) else {
            context
                .trace
                .not_run("the server name cannot stand in a certificate");
            return Ok(());
        };
        let stream = tls::handshake(context, &place, stream, wish).await?;
        if ladder.contains(&Operation::HttpRoundTrip) {
            let connection = http::Connection::over_tls(stream);
            http::round_trip(context, &place, connection, climb).await?;
        } else if is_spoken(Operation::Exchange) {
            exchange::run(context, &place, stream, climb).await?;
        }
    } else if ladder.contains(&Operation::HttpRoundTrip) {
        let connection = http::Connection::in_clear(stream, climb);
        http::round_trip(context, &place, connection, climb).await?;
    } else if is_spoken(Operation::Exchange) {
        exchange::run(context, &place, stream, climb).await?;
    }
    if unspoken.is_some() {
        context.trace.not_run(silent_about(climb.protocol));
    }
    Ok(())
}

/// Why a climb ends below the top.
pub fn silent_about(protocol: Protocol) -> String {
    format!("{} is not spoken by this version", protocol.word())
}
