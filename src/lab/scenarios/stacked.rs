//! Several things at once.

use super::resolvers::{ALL_DROPPED, PROTECTED_DROPPED};
use super::{
    ALL_HIJACKED, Expected, FACETIME, HIJACKER, INJECTOR, MAX, Scenario, TELEGRAM, WHATSAPP,
    accessible, alone, at_isp, both, censored, confirmed, degraded, inconclusive, on_path, only,
    told,
};
use crate::lab::censor::Lie;
use crate::lab::fault::{Aim, Fault};
use crate::model::report::{Confidence, Regime, Status};
use crate::model::technique::{Interference, Trigger};

pub(super) const STACKED: &[Scenario] = &[
    censored(
        "delisted_and_filtered_by_name",
        "WhatsApp's names are denied by the provider's resolver and reset in TLS too",
        &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(WHATSAPP),
            ),
        ],
        alone!(
            whatsapp,
            confirmed(WHATSAPP, &["domain_name/nxdomain", "server_name/reset"])
        ),
    ),
    censored(
        "delisted_filtered_and_dropped",
        "WhatsApp's names are denied and reset in TLS, and the addresses of its chat are dropped",
        &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
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
        ],
        alone!(
            whatsapp,
            confirmed(
                WHATSAPP,
                &["domain_name/nxdomain", "server_name/reset", "address/drop"]
            )
        ),
    ),
    censored(
        "injected_and_filtered_by_name",
        "Queries for WhatsApp's names are answered on the way, and the names are reset in TLS",
        &[
            INJECTOR,
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(WHATSAPP),
            ),
        ],
        alone!(
            whatsapp,
            confirmed(
                WHATSAPP,
                &["domain_name/injected_answer", "server_name/reset"]
            )
        ),
    ),
    censored(
        "hijacked_and_block_page",
        "The provider's resolver answers at every public one's address and sends WhatsApp to a block page",
        &[at_isp(Interference::FalseAnswer, Lie::BlockPage), HIJACKER],
        Expected {
            regime: Some(Regime::Open),
            targets: &[
                confirmed(WHATSAPP, &["domain_name/false_answer"]),
                accessible(TELEGRAM),
                accessible(FACETIME),
                accessible(MAX),
            ],
            resolver_techniques: ALL_HIJACKED,
        },
    ),
    censored(
        "dropped_and_filtered_by_name",
        "Connections to FaceTime's addresses vanish, and its names are reset elsewhere",
        &[
            on_path(Trigger::Address, Interference::Drop, Aim::Target(FACETIME)),
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(FACETIME),
            ),
        ],
        alone!(
            facetime,
            confirmed(FACETIME, &["address/drop", "server_name/reset"])
        ),
    ),
    both(
        "filtered_by_name_with_controls_filtered",
        "FaceTime's names are reset in TLS, and so are those of two controls",
        &[
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(FACETIME),
            ),
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Controls(&["github", "wikipedia"]),
            ),
        ],
        &[],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
    both(
        "filtered_by_name_at_strict_controls",
        "FaceTime's names are reset in TLS; the controls' servers send an alert for names they do not know",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        &[Fault::StrictNames(Aim::EveryControl)],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
    both(
        "filtered_by_name_on_a_lossy_line",
        "FaceTime's names are reset in TLS, and of a hundred datagrams fifteen are lost",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        &[Fault::Loss(15, 11)],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
    both(
        "delisted_on_a_lossy_line",
        "WhatsApp's names are denied by the provider's resolver, and of a hundred datagrams five are lost",
        &[at_isp(Interference::Nxdomain, Lie::Bogon)],
        &[Fault::Loss(5, 12)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/nxdomain"])),
    ),
    both(
        "delisted_with_broken_ipv6",
        "WhatsApp's names are denied by the provider's resolver, and IPv6 does not work",
        &[at_isp(Interference::Nxdomain, Lie::Bogon)],
        &[Fault::BrokenIpv6],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/nxdomain"])),
    ),
    censored(
        "delisted_while_protected_resolvers_are_dropped",
        "WhatsApp's names are denied by the provider's resolver, and no protected resolver can be reached",
        &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
            PROTECTED_DROPPED,
        ],
        Expected {
            regime: Some(Regime::Open),
            targets: &[
                confirmed(WHATSAPP, &["domain_name/nxdomain"]),
                accessible(TELEGRAM),
                accessible(FACETIME),
                accessible(MAX),
            ],
            resolver_techniques: ALL_DROPPED,
        },
    ),
    both(
        "delisted_beside_a_server_down",
        "WhatsApp's names are denied by the provider's resolver, and FaceTime's essential servers are down",
        &[at_isp(Interference::Nxdomain, Lie::Bogon)],
        &[Fault::ServerDown(Aim::Essential(FACETIME))],
        only(&[
            confirmed(WHATSAPP, &["domain_name/nxdomain"]),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            accessible(MAX),
        ]),
    ),
    both(
        "filtered_by_name_beside_a_dead_data_centre",
        "WhatsApp's names are reset in TLS, and one of Telegram's data centres is down",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(WHATSAPP),
        )],
        &[Fault::ServerDown(Aim::First(TELEGRAM))],
        only(&[
            told(
                WHATSAPP,
                Status::Degraded,
                Some(Confidence::Confirmed),
                &["server_name/reset"],
            ),
            degraded(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    ),
    both(
        "filtered_by_name_with_slow_servers",
        "FaceTime's names are reset in TLS, and all servers take a second",
        &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        &[Fault::SlowServer(Aim::Everybody, 1000)],
        alone!(facetime, confirmed(FACETIME, &["server_name/reset"])),
    ),
];
