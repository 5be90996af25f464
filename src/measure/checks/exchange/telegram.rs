//! Telegram's side of the exchange: a nonce, the clock, and the transport that the definitions name.

use std::time::Duration;

use jiff::Timestamp;

use crate::measure::checks::Context;
use crate::measure::checks::exchange::random;
use crate::model::catalog::Protocol;
use crate::model::check::Climb;
use crate::wire::handshake::Handshake;
use crate::wire::mtproto::post::Post;
use crate::wire::mtproto::{Client, Draw, Tag, Transport};

/// A conversation with a nonce of its own; `None` for protocols that are not Telegram's.
pub fn client(context: &Context, climb: &Climb) -> Option<Box<dyn Handshake + Send>> {
    // Without a number the data centre takes itself to be meant, which is what is asked.
    let obfuscated = Transport::Obfuscated {
        inner: Tag::Intermediate,
        dc: 2,
    };
    let transport = match climb.protocol {
        Protocol::MtprotoAbridged => Transport::Tagged(Tag::Abridged),
        Protocol::MtprotoIntermediate => Transport::Tagged(Tag::Intermediate),
        Protocol::MtprotoObfuscated | Protocol::MtprotoWebsocket => obfuscated,
        Protocol::MtprotoHttp => Transport::Body,
        _ => return None,
    };
    let draw = Draw {
        nonce: random(context),
        header: random(context),
        padding: random(context),
    };
    // A clock before 1970 is wrong by more than any server forgives.
    let now = Timestamp::now().as_duration();
    let now = Duration::try_from(now).unwrap_or_default();
    let client = Client::new(transport, now, &draw);
    Some(if transport == Transport::Body {
        let authority = climb.address.to_string();
        Box::new(Post::new(client, &authority, &climb.path))
    } else {
        Box::new(client)
    })
}
