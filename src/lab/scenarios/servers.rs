//! What goes wrong with servers without any censor.

use super::{
    ALL_ACCESSIBLE, FACETIME, MAX, Scenario, TELEGRAM, WHATSAPP, accessible, alone, degraded,
    inconclusive, innocent, only,
};
use crate::lab::fault::{Aim, Fault};
use crate::model::technique::Interference;

const FACETIME_UNTOLD: super::Expected = alone!(facetime, inconclusive(FACETIME));

pub(super) const SERVERS: &[Scenario] = &[
    innocent(
        "server_down",
        "FaceTime's essential servers are down",
        &[Fault::ServerDown(Aim::Essential(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "all_servers_down",
        "Every server of Telegram is down: its ports refuse connections",
        &[Fault::ServerDown(Aim::Target(TELEGRAM))],
        alone!(telegram, inconclusive(TELEGRAM)),
    ),
    innocent(
        "one_dead_data_centre",
        "One of Telegram's data centres is down",
        &[Fault::ServerDown(Aim::First(TELEGRAM))],
        alone!(telegram, degraded(TELEGRAM)),
    ),
    innocent(
        "one_silent_data_centre",
        "One of Telegram's data centres is off: SYNs vanish",
        &[Fault::ServerGone(Aim::First(TELEGRAM))],
        alone!(telegram, degraded(TELEGRAM)),
    ),
    innocent(
        "most_data_centres_dead",
        "All of Telegram's data centres but one are down",
        &[Fault::ServerDown(Aim::AllButFirst(TELEGRAM))],
        alone!(telegram, degraded(TELEGRAM)),
    ),
    innocent(
        "one_dead_member_of_each_pool_of_whatsapp",
        "One server of each of WhatsApp's pools is down",
        &[Fault::ServerDown(Aim::OneOfEachPool(WHATSAPP))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "one_dead_member_of_each_pool",
        "One server of each pool of FaceTime and MAX is off",
        &[
            Fault::ServerGone(Aim::OneOfEachPool(FACETIME)),
            Fault::ServerDown(Aim::OneOfEachPool(MAX)),
        ],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "expired_certificate",
        "The certificates of MAX's essential servers have expired",
        &[Fault::ExpiredCertificate(Aim::Essential(MAX))],
        alone!(max, inconclusive(MAX)),
    ),
    innocent(
        "wrong_certificate",
        "FaceTime's essential servers show a certificate nobody vouches for",
        &[Fault::WrongCertificate(Aim::Essential(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "certificate_for_another_name",
        "FaceTime's essential servers show a good certificate for another name",
        &[Fault::OtherName(Aim::Essential(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "genuine_alert",
        "FaceTime's essential servers know none of their names any more",
        &[Fault::GenuineAlert(Aim::Essential(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "strict_controls",
        "FaceTime's essential servers are silent, and the controls' send an alert for names they do not know",
        &[
            Fault::SilentTls(Aim::Essential(FACETIME)),
            Fault::StrictNames(Aim::EveryControl),
        ],
        FACETIME_UNTOLD,
    ),
    innocent(
        "silent_tls",
        "FaceTime's essential servers accept connections and answer no handshake",
        &[Fault::SilentTls(Aim::Essential(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "maintenance_by_close",
        "FaceTime's servers close every connection after the first word, whatever it was",
        &[Fault::Maintenance(
            Aim::Target(FACETIME),
            Interference::Close,
        )],
        FACETIME_UNTOLD,
    ),
    innocent(
        "maintenance_by_reset",
        "FaceTime's servers reset every connection after the first word, whatever it was",
        &[Fault::Maintenance(
            Aim::Target(FACETIME),
            Interference::Reset,
        )],
        FACETIME_UNTOLD,
    ),
    innocent(
        "restart",
        "WhatsApp's servers are started again during the run",
        &[Fault::Restart(Aim::Target(WHATSAPP), 700)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "slow_server",
        "WhatsApp's servers take their time before the first byte",
        &[Fault::SlowServer(Aim::Target(WHATSAPP), 600)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "slow_servers_everywhere",
        "All servers take two seconds before the first byte",
        &[Fault::SlowServer(Aim::Everybody, 2000)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "tarpit",
        "FaceTime's servers answer one byte a second, in TLS and in clear",
        &[Fault::Tarpit(Aim::Target(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "garbage",
        "FaceTime's servers answer in no known protocol",
        &[Fault::Garbage(Aim::Target(FACETIME))],
        FACETIME_UNTOLD,
    ),
    innocent(
        "no_large_hello",
        "FaceTime's servers leave ClientHellos of more than one segment unanswered",
        &[Fault::NoLargeHello(Aim::Target(FACETIME))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "status_403",
        "WhatsApp's real servers answer every request with 403",
        &[Fault::Status(Aim::Target(WHATSAPP), 403)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "status_404",
        "MAX's real servers answer every request with 404",
        &[Fault::Status(Aim::Target(MAX), 404)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "status_451",
        "FaceTime's real servers answer every request with 451, in clear too",
        &[Fault::Status(Aim::Target(FACETIME), 451)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "status_503",
        "All real servers of FaceTime and Telegram answer every request with 503",
        &[
            Fault::Status(Aim::Target(FACETIME), 503),
            Fault::Status(Aim::Target(TELEGRAM), 503),
        ],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "redirect_to_tls",
        "FaceTime's real servers redirect requests in clear to TLS",
        &[Fault::Status(Aim::Target(FACETIME), 301)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "some_controls_down",
        "Four controls are down",
        &[Fault::ServerDown(Aim::Controls(&[
            "github",
            "wikipedia",
            "example",
            "gstatic_204",
        ]))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "server_down_and_some_controls_silent",
        "FaceTime's essential servers are silent, and so are two controls",
        &[
            Fault::SilentTls(Aim::Essential(FACETIME)),
            Fault::SilentTls(Aim::Controls(&["github", "wikipedia"])),
        ],
        FACETIME_UNTOLD,
    ),
];
