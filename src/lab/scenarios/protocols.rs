//! Boxes on the way that know an app's own first bytes, and the line of February 2026.

use super::{
    FACETIME, MAX, Scenario, TELEGRAM, WHATSAPP, accessible, alone, at_isp, censored, confirmed,
    innocent, likely, on_path, only, told, works_with,
};
use crate::lab::censor::{Censor, Lie, Resolvers};
use crate::lab::fault::{Aim, Fault};
use crate::model::report::{Confidence, Status};
use crate::model::technique::{Interference, Trigger};

/// A box that knows how these endpoints are spoken to.
const fn by_bytes(interference: Interference, aim: Aim) -> Censor {
    on_path(Trigger::Protocol, interference, aim)
}

/// The national system's resolver, which denies WhatsApp's names too.
const NATIONAL: Censor = Censor {
    at: Resolvers::Operator("nsdi"),
    ..at_isp(Interference::Nxdomain, Lie::Bogon)
};

pub(super) const PROTOCOLS: &[Scenario] = &[
    censored(
        "russia_2026",
        "As reported of Russia in February 2026: WhatsApp out of the national DNS, its names and addresses filtered; \
         Telegram's data centres and calls dropped by address; FaceTime cut by name, push alive; MAX open",
        &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
            NATIONAL,
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(WHATSAPP),
            ),
            on_path(
                Trigger::Address,
                Interference::Drop,
                Aim::Essential(WHATSAPP),
            ),
            on_path(
                Trigger::Address,
                Interference::Drop,
                Aim::Essential(TELEGRAM),
            ),
            on_path(
                Trigger::Address,
                Interference::Drop,
                Aim::Service(TELEGRAM, "calls"),
            ),
            on_path(
                Trigger::ServerName,
                Interference::Drop,
                Aim::Below(FACETIME, "ess.apple.com"),
            ),
        ],
        only(&[
            confirmed(
                WHATSAPP,
                &["domain_name/nxdomain", "server_name/reset", "address/drop"],
            ),
            likely(TELEGRAM, &["address/drop"]),
            confirmed(FACETIME, &["server_name/drop"]),
            accessible(MAX),
        ]),
    ),
    censored(
        "protocol_drop_whatsapp",
        "Whoever begins as WhatsApp's chat does gets no answer, wherever the connection leads",
        &[by_bytes(Interference::Drop, Aim::Essential(WHATSAPP))],
        alone!(whatsapp, confirmed(WHATSAPP, &["protocol/drop"])),
    ),
    censored(
        "protocol_reset_whatsapp",
        "Whoever begins as WhatsApp's chat does is reset, wherever the connection leads",
        &[by_bytes(Interference::Reset, Aim::Essential(WHATSAPP))],
        alone!(whatsapp, confirmed(WHATSAPP, &["protocol/reset"])),
    ),
    censored(
        "protocol_drop_telegram",
        "Whoever speaks Telegram's protocol in the plain gets no answer, wherever the connection leads; its apps, which wrap it, \
         go on",
        &[by_bytes(Interference::Drop, Aim::Essential(TELEGRAM))],
        alone!(
            telegram,
            told(
                TELEGRAM,
                Status::Degraded,
                Some(Confidence::Confirmed),
                &["protocol/drop"]
            )
        ),
    ),
    innocent(
        "obfuscation_unanswered",
        "Telegram's data centres answer its plain transports alone: what its apps speak is answered nowhere, and nothing tells why",
        &[Fault::NoObfuscation(Aim::Essential(TELEGRAM))],
        alone!(
            telegram,
            told(TELEGRAM, Status::Accessible, Some(Confidence::Likely), &[])
        ),
    ),
    censored(
        "calls_cut_by_stun",
        "Datagrams with STUN's magic cookie are dropped, wherever they lead: calls fail, chat works",
        &[by_bytes(
            Interference::Drop,
            Aim::Service(WHATSAPP, "calls"),
        )],
        only(&[
            told(
                WHATSAPP,
                Status::Degraded,
                Some(Confidence::Confirmed),
                &["protocol/drop"],
            ),
            accessible(TELEGRAM),
            accessible(FACETIME),
            // Its calls have more ways than this one.
            works_with(MAX, Status::Accessible, &["protocol/drop"]),
        ]),
    ),
    innocent(
        "relays_over_tcp_alone",
        "WhatsApp's relays answer strangers over TCP and not over UDP",
        &[Fault::NoDatagrams(Aim::Service(WHATSAPP, "calls"))],
        only(&[
            told(WHATSAPP, Status::Accessible, Some(Confidence::Likely), &[]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
    innocent(
        "no_stun_over_udp",
        "A firewall lets no datagram to a STUN or TURN server pass, whoever's it is",
        &[Fault::NoDatagrams(Aim::Everybody)],
        only(&[
            told(WHATSAPP, Status::Accessible, Some(Confidence::Likely), &[]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
    innocent(
        "silent_relays",
        "WhatsApp's relays do not answer strangers",
        &[Fault::ServerDown(Aim::Service(WHATSAPP, "calls"))],
        only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
];
