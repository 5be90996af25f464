//! WhatsApp's side of the exchange: a new key, the clock, and the root key that the definitions name.

use jiff::Timestamp;

use crate::measure::checks::Context;
use crate::measure::checks::exchange::random;
use crate::model::check::Climb;
use crate::wire::noise::initiator::Initiator;
use crate::wire::text;

/// A conversation with keys of its own.
pub fn initiator(context: &Context, climb: &Climb) -> Initiator {
    let root = climb.noise_root.as_deref().and_then(text::unhex);
    // A clock before 1970 is wrong by more than any certificate.
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    Initiator::new(random(context), root, now)
}
