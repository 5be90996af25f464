//! Resolvers that are kept from us, by operator and transport.

use super::{ALL_ACCESSIBLE, Expected, Scenario, WHATSAPP, censored, innocent};
use crate::lab::censor::{Censor, Lie, Resolvers, Sight};
use crate::lab::fault::{Ailment, Aim, Fault};
use crate::model::catalog::Transport;
use crate::model::report::Regime;
use crate::model::technique::{Interference, Technique, Trigger};

const fn at_doors(at: Resolvers, interference: Interference) -> Censor {
    Censor {
        technique: Technique::new(Trigger::Resolver, interference),
        at,
        names: Aim::Target(WHATSAPP),
        lie: Lie::Bogon,
        sight: Sight::Whole,
    }
}

const GOOGLE_DOT: Resolvers = Resolvers::Door("google", Transport::Dot);
const GOOGLE_DOH: Resolvers = Resolvers::Door("google", Transport::Doh);
const CLOUDFLARE_DOH: Resolvers = Resolvers::Door("cloudflare", Transport::Doh);

/// All targets work, and these resolvers carry these techniques.
const fn hit(resolver_techniques: &'static [(&'static str, &'static str)]) -> Expected {
    Expected {
        regime: Some(Regime::Open),
        targets: ALL_ACCESSIBLE.targets,
        resolver_techniques,
    }
}

pub(super) const RESOLVERS: &[Scenario] = &[
    censored(
        "dot_dropped",
        "Connections to one operator's resolver over TLS vanish; its other transports answer",
        &[at_doors(GOOGLE_DOT, Interference::Drop)],
        hit(&[("google", "resolver/drop")]),
    ),
    censored(
        "doh_reset",
        "Connections to one operator's resolver over HTTPS are reset; its other transports answer",
        &[at_doors(GOOGLE_DOH, Interference::Reset)],
        hit(&[("google", "resolver/reset")]),
    ),
    censored(
        "doh_closed",
        "Connections to one operator's resolver over HTTPS are closed; its other transports answer",
        &[at_doors(CLOUDFLARE_DOH, Interference::Close)],
        hit(&[("cloudflare", "resolver/close")]),
    ),
    censored(
        "doh_alert",
        "Connections to one operator's resolver over HTTPS get an alert; its other transports answer",
        &[at_doors(CLOUDFLARE_DOH, Interference::Alert)],
        hit(&[("cloudflare", "resolver/alert")]),
    ),
    censored(
        "doh_intercepted",
        "Connections to one operator's resolver over HTTPS are met by somebody else",
        &[at_doors(CLOUDFLARE_DOH, Interference::Intercept)],
        hit(&[("cloudflare", "resolver/intercept")]),
    ),
    innocent(
        "resolver_down",
        "One operator's resolver does not answer, by any transport",
        &[Fault::Resolvers(
            Resolvers::Operator("quad9"),
            Ailment::Silent,
        )],
        ALL_ACCESSIBLE,
    ),
];
