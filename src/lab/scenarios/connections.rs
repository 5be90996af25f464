//! Boxes on the way that look at where connections lead and at what they say.

use super::{
    FACETIME, MAX, Scenario, TELEGRAM, WHATSAPP, accessible, alone, censored, confirmed, likely,
    on_path, only, told, works_with,
};
use crate::lab::censor::{Censor, Lie, Sight};
use crate::lab::fault::Aim;
use crate::model::report::{Confidence, Status};
use crate::model::technique::{Interference, Trigger};

/// FaceTime's names in TLS.
const fn by_name(interference: Interference) -> Censor {
    on_path(Trigger::ServerName, interference, Aim::Target(FACETIME))
}

/// FaceTime's hosts in clear HTTP.
const fn by_host(interference: Interference, lie: Lie) -> Censor {
    Censor {
        lie,
        ..on_path(Trigger::HttpHost, interference, Aim::Target(FACETIME))
    }
}

pub(super) const CONNECTIONS: &[Scenario] = &[
    censored(
        "server_name_reset",
        "Connections that name FaceTime's hosts in TLS are reset, wherever they lead",
        &[by_name(Interference::Reset)],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
    censored(
        "server_name_drop",
        "Connections that name FaceTime's hosts in TLS are left without an answer, wherever they lead",
        &[by_name(Interference::Drop)],
        alone!(facetime, confirmed(FACETIME, &["server_name/drop"])),
    ),
    censored(
        "server_name_close",
        "Connections that name FaceTime's hosts in TLS are closed, wherever they lead",
        &[by_name(Interference::Close)],
        alone!(facetime, confirmed(FACETIME, &["server_name/close"])),
    ),
    censored(
        "server_name_alert",
        "Connections that name FaceTime's hosts in TLS get a forged alert, wherever they lead",
        &[by_name(Interference::Alert)],
        alone!(facetime, confirmed(FACETIME, &["server_name/alert"])),
    ),
    censored(
        "server_name_intercept",
        "Connections that name FaceTime's hosts in TLS are met by somebody else, wherever they lead",
        &[by_name(Interference::Intercept)],
        alone!(facetime, confirmed(FACETIME, &["server_name/intercept"])),
    ),
    censored(
        "server_name_first_segment",
        "A box that reads the first segment only resets connections that name FaceTime's hosts in it",
        &[Censor {
            sight: Sight::FirstSegment,
            ..by_name(Interference::Reset)
        }],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
    censored(
        "server_name_one_domain",
        "Connections that name hosts of whatsapp.net in TLS are reset; those of whatsapp.com are left alone",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Below(WHATSAPP, "whatsapp.net"),
        )],
        alone!(
            whatsapp,
            told(
                WHATSAPP,
                Status::Degraded,
                Some(Confidence::Confirmed),
                &["server_name/reset"]
            )
        ),
    ),
    censored(
        "server_name_at_address_reset",
        "FaceTime's names in TLS are reset at FaceTime's own addresses only",
        &[on_path(
            Trigger::ServerNameAtAddress,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        alone!(
            facetime,
            likely(FACETIME, &["server_name_at_address/reset"])
        ),
    ),
    censored(
        "server_name_at_address_drop",
        "FaceTime's names in TLS are left without an answer at FaceTime's own addresses only",
        &[on_path(
            Trigger::ServerNameAtAddress,
            Interference::Drop,
            Aim::Target(FACETIME),
        )],
        alone!(facetime, likely(FACETIME, &["server_name_at_address/drop"])),
    ),
    censored(
        "server_name_beside_raw_chat",
        "WhatsApp's names in TLS are reset; its chat, which sends no name, is left alone",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(WHATSAPP),
        )],
        alone!(
            whatsapp,
            told(
                WHATSAPP,
                Status::Degraded,
                Some(Confidence::Confirmed),
                &["server_name/reset"]
            )
        ),
    ),
    censored(
        "address_drop",
        "Connections to Telegram's addresses vanish",
        &[on_path(
            Trigger::Address,
            Interference::Drop,
            Aim::Target(TELEGRAM),
        )],
        alone!(telegram, likely(TELEGRAM, &["address/drop"])),
    ),
    censored(
        "data_centres_dropped",
        "Connections to Telegram's data centres vanish; its web site is left alone",
        &[on_path(
            Trigger::Address,
            Interference::Drop,
            Aim::Essential(TELEGRAM),
        )],
        alone!(telegram, likely(TELEGRAM, &["address/drop"])),
    ),
    censored(
        "address_port_drop",
        "Connections to WhatsApp's port 5222 vanish; its other ports are left alone",
        &[on_path(
            Trigger::AddressPort,
            Interference::Drop,
            Aim::AtPort(WHATSAPP, 5222),
        )],
        alone!(
            whatsapp,
            works_with(WHATSAPP, Status::Accessible, &["address_port/drop"])
        ),
    ),
    censored(
        "address_port_drop_telegram",
        "Connections to port 443 of Telegram's addresses vanish; its apps go on by the other ports",
        &[on_path(
            Trigger::AddressPort,
            Interference::Drop,
            Aim::AtPort(TELEGRAM, 443),
        )],
        alone!(
            telegram,
            works_with(TELEGRAM, Status::Degraded, &["address_port/drop"])
        ),
    ),
    censored(
        "http_host_page",
        "Requests in clear that name FaceTime's hosts are answered by a block page, wherever they lead",
        &[by_host(Interference::Blockpage, Lie::BlockPage)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/blockpage"])
        ),
    ),
    censored(
        "http_host_page_403",
        "The same with status 403",
        &[by_host(Interference::Blockpage, Lie::Forbidden)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/blockpage"])
        ),
    ),
    censored(
        "http_host_redirect",
        "Requests in clear that name FaceTime's hosts are sent to a block page elsewhere",
        &[by_host(Interference::Blockpage, Lie::Redirect)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/blockpage"])
        ),
    ),
    censored(
        "http_host_reset",
        "Requests in clear that name FaceTime's hosts are reset, wherever they lead",
        &[by_host(Interference::Reset, Lie::BlockPage)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/reset"])
        ),
    ),
    censored(
        "http_host_drop",
        "Requests in clear that name FaceTime's hosts are left without an answer, wherever they lead",
        &[by_host(Interference::Drop, Lie::BlockPage)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/drop"])
        ),
    ),
    censored(
        "http_host_close",
        "Requests in clear that name FaceTime's hosts are closed, wherever they lead",
        &[by_host(Interference::Close, Lie::BlockPage)],
        alone!(
            facetime,
            works_with(FACETIME, Status::Accessible, &["http_host/close"])
        ),
    ),
    censored(
        "tls_fingerprint_reset",
        "Small ClientHellos are reset at FaceTime's servers, whatever they name",
        &[on_path(
            Trigger::TlsFingerprint,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        alone!(facetime, likely(FACETIME, &["tls_fingerprint/reset"])),
    ),
    censored(
        "tls_fingerprint_drop",
        "Small ClientHellos are left without an answer at FaceTime's servers, whatever they name",
        &[on_path(
            Trigger::TlsFingerprint,
            Interference::Drop,
            Aim::Target(FACETIME),
        )],
        alone!(facetime, likely(FACETIME, &["tls_fingerprint/drop"])),
    ),
];
