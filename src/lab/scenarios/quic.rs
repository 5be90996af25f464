//! QUIC: filtered by its version or by the name inside it, shut out by a firewall, or not offered.

use super::{FACETIME, MAX, Scenario, TELEGRAM, WHATSAPP, accessible, both, on_path, only, told};
use crate::lab::fault::{Aim, Fault};
use crate::model::report::Status;
use crate::model::technique::{Interference, Trigger};

pub(super) const QUIC: &[Scenario] = &[
    both(
        "quic_drop",
        "Version 1 of QUIC is dropped on the line, whatever the name; other versions pass",
        &[
            on_path(Trigger::Quic, Interference::Drop, Aim::Target(WHATSAPP)),
            on_path(Trigger::Quic, Interference::Drop, Aim::Target(MAX)),
        ],
        &[],
        only(&[
            told(WHATSAPP, Status::Accessible, None, &["quic/drop"]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            told(MAX, Status::Accessible, None, &["quic/drop"]),
        ]),
    ),
    both(
        "quic_server_name_drop",
        "QUIC connections that name WhatsApp's hosts are left without an answer, wherever they lead; TLS over TCP is left alone",
        &[on_path(
            Trigger::QuicServerName,
            Interference::Drop,
            Aim::Target(WHATSAPP),
        )],
        &[],
        only(&[
            told(
                WHATSAPP,
                Status::Accessible,
                None,
                &["quic_server_name/drop"],
            ),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
    // Whose firewall it is cannot be seen from here: it is listed with that doubt, and nothing is called blocked.
    both(
        "quic_firewall",
        "A firewall lets no datagram to a QUIC server pass, for everybody",
        &[],
        &[Fault::QuicFirewall],
        only(&[
            told(WHATSAPP, Status::Accessible, None, &["quic/drop"]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
    both(
        "quic_not_offered",
        "WhatsApp does not offer QUIC",
        &[],
        &[Fault::NoQuic(Aim::Target(WHATSAPP))],
        only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
];
