//! The whole line: open, lossy, cut, behind a portal or a border, or on a machine with trouble of its own.

use super::{ALL_ACCESSIBLE, Expected, NOBODY_ACCUSED, Scenario, WHATSAPP, innocent, nothing_told};
use crate::lab::fault::{Aim, Border, Cut, Fault};
use crate::model::report::Regime;
use crate::model::technique::Interference;

/// Some state of the line, and nobody accused.
const fn nobody_accused(regime: Option<Regime>) -> Expected {
    Expected {
        regime,
        targets: NOBODY_ACCUSED,
        resolver_techniques: &[],
    }
}

/// A cut that does not end while a run lasts, and one that comes again and again.
const fn cut(after: usize, lasting: u64, again: bool) -> Fault {
    Fault::Cut(Cut {
        after,
        lasting,
        again,
    })
}

pub(super) const LINE: &[Scenario] = &[
    innocent(
        "open",
        "Nothing is censored and nothing is broken",
        &[],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "offline",
        "No resolver answers and every port is closed",
        &[Fault::Offline],
        nothing_told(Regime::Offline),
    ),
    innocent(
        "captive_portal",
        "A portal answers every HTTP request and every TLS handshake in place of the servers",
        &[Fault::CaptivePortal],
        nothing_told(Regime::CaptivePortal),
    ),
    innocent(
        "captive_portal_by_dns",
        "Every plain resolver sends every name to a portal",
        &[Fault::CaptivePortalByDns],
        nothing_told(Regime::CaptivePortal),
    ),
    innocent(
        "allow_list_by_address",
        "Connections abroad stand, and nothing that is said on them is answered",
        &[Fault::Border(Border::Silent)],
        nobody_accused(Some(Regime::AllowList)),
    ),
    innocent(
        "allow_list_by_name",
        "Whoever names a host abroad, in TLS or HTTP, gets no answer",
        &[Fault::Border(Border::Names(Interference::Drop))],
        nobody_accused(Some(Regime::AllowList)),
    ),
    innocent(
        "allow_list_by_reset",
        "Whoever names a host abroad, in TLS or HTTP, is reset",
        &[Fault::Border(Border::Names(Interference::Reset))],
        nobody_accused(Some(Regime::AllowList)),
    ),
    innocent(
        "domestic_only",
        "Nothing abroad can be reached",
        &[Fault::Border(Border::Closed)],
        nobody_accused(Some(Regime::DomesticOnly)),
    ),
    innocent(
        "line_cut_early",
        "The line is cut while names are resolved",
        &[cut(40, 60_000, false)],
        nobody_accused(None),
    ),
    innocent(
        "line_cut_in_the_middle",
        "The line is cut while servers are reached",
        &[cut(900, 60_000, false)],
        nobody_accused(None),
    ),
    innocent(
        "line_flaps",
        "The line is cut for a second and a half, again and again",
        &[cut(250, 1500, true)],
        nobody_accused(None),
    ),
    innocent(
        "loss_5",
        "Of a hundred datagrams five are lost",
        &[Fault::Loss(5, 1)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "loss_15",
        "Of a hundred datagrams fifteen are lost",
        &[Fault::Loss(15, 2)],
        nobody_accused(Some(Regime::Open)),
    ),
    innocent(
        "loss_30",
        "Of a hundred datagrams thirty are lost",
        &[Fault::Loss(30, 3)],
        nobody_accused(Some(Regime::Open)),
    ),
    innocent(
        "half_the_roads_down",
        "To half of all addresses no road leads, whoever is there",
        &[Fault::RoadsDown(50, 1)],
        nobody_accused(None),
    ),
    innocent(
        "handshakes_reset_at_random",
        "A box resets seventy of a hundred TLS handshakes, whoever is asked for",
        &[Fault::Strays(Interference::Reset, 70, 1)],
        nobody_accused(None),
    ),
    innocent(
        "handshakes_swallowed_at_random",
        "A box swallows forty of a hundred TLS handshakes, whoever is asked for",
        &[Fault::Strays(Interference::Drop, 40, 1)],
        nobody_accused(None),
    ),
    innocent(
        "broken_ipv6",
        "Every name has an IPv6 address, and IPv6 does not work",
        &[Fault::BrokenIpv6],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "broken_ipv6_of_controls",
        "The controls have IPv6 addresses that cannot be reached; nobody else has any",
        &[Fault::BrokenIpv6Of(Aim::EveryControl)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "broken_ipv6_of_one",
        "WhatsApp has IPv6 addresses that cannot be reached; nobody else has any",
        &[Fault::BrokenIpv6Of(Aim::Target(WHATSAPP))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "clock_a_year_ahead",
        "This machine's clock is a year ahead: every certificate has ended",
        &[Fault::Clock(365)],
        nobody_accused(Some(Regime::Open)),
    ),
    innocent(
        "clock_a_year_behind",
        "This machine's clock is a year behind: no certificate is good yet",
        &[Fault::Clock(-365)],
        nobody_accused(Some(Regime::Open)),
    ),
    innocent(
        "local_proxy",
        "A program of this machine's owner meets every TLS handshake with certificates of its own",
        &[Fault::Interception],
        nobody_accused(None),
    ),
];
