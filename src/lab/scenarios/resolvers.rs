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

/// Connections to everybody's protected resolvers vanish.
pub(super) const PROTECTED_DROPPED: Censor = at_doors(Resolvers::Protected, Interference::Drop);

/// What that shows.
pub(super) const ALL_DROPPED: &[(&str, &str)] = &[
    ("adguard", "resolver/drop"),
    ("cloudflare", "resolver/drop"),
    ("google", "resolver/drop"),
    ("quad9", "resolver/drop"),
    ("yandex", "resolver/drop"),
];

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
        "Connections to one operator's resolver over HTTPS get an alert, as the operator itself might send it",
        &[at_doors(CLOUDFLARE_DOH, Interference::Alert)],
        hit(&[]),
    ),
    censored(
        "doh_intercepted",
        "One operator's resolver over HTTPS shows a certificate nobody vouches for, as the operator itself might",
        &[at_doors(CLOUDFLARE_DOH, Interference::Intercept)],
        hit(&[]),
    ),
    censored(
        "protected_resolvers_dropped",
        "Connections to all resolvers over TLS and HTTPS vanish",
        &[PROTECTED_DROPPED],
        hit(ALL_DROPPED),
    ),
    censored(
        "dot_refused_for_everybody",
        "A firewall refuses the port of DNS over TLS to everybody",
        &[at_doors(
            Resolvers::Transport(Transport::Dot),
            Interference::Refuse,
        )],
        hit(&[
            ("adguard", "resolver/refuse"),
            ("cloudflare", "resolver/refuse"),
            ("google", "resolver/refuse"),
            ("quad9", "resolver/refuse"),
            ("yandex", "resolver/refuse"),
        ]),
    ),
    censored(
        "plain_dns_of_one_operator_dropped",
        "One operator's resolver stays silent in clear, over UDP and TCP; its protected transports answer",
        &[
            at_doors(
                Resolvers::Door("google", Transport::Udp),
                Interference::Drop,
            ),
            at_doors(
                Resolvers::Door("google", Transport::Tcp),
                Interference::Drop,
            ),
        ],
        hit(&[("google", "resolver/drop")]),
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
