//! What goes wrong with names without any censor.

use hickory_proto::op::ResponseCode;

use super::{
    ALL_ACCESSIBLE, FACETIME, MAX, NAMES_UNTOLD, Scenario, TELEGRAM, WHATSAPP, accessible, alone,
    inconclusive, innocent, only,
};
use crate::lab::censor::{Lie, Resolvers};
use crate::lab::fault::{Ailment, Aim, Fault};
use crate::model::catalog::Transport;

/// Something ails the system's resolver.
const fn ailing(ailment: Ailment) -> Fault {
    Fault::Resolvers(Resolvers::System, ailment)
}

pub(super) const NAMES: &[Scenario] = &[
    innocent(
        "dead_resolver",
        "The system's resolver does not answer at all",
        &[Fault::DeadResolver],
        NAMES_UNTOLD,
    ),
    innocent(
        "other_resolvers_dead",
        "No resolver but the system's answers",
        &[Fault::Resolvers(Resolvers::AllButSystem, Ailment::Silent)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "pihole",
        "The system's resolver is a household filter that lists advertisers and WhatsApp",
        &[Fault::Pihole(Aim::Target(WHATSAPP))],
        alone!(whatsapp, inconclusive(WHATSAPP)),
    ),
    innocent(
        "pihole_with_ipv6",
        "The same where every name has an IPv6 address, which the filter answers with `::`",
        &[Fault::Pihole(Aim::Target(WHATSAPP)), Fault::BrokenIpv6],
        alone!(whatsapp, inconclusive(WHATSAPP)),
    ),
    innocent(
        "pihole_and_a_retired_name",
        "A household filter lists FaceTime, and one of WhatsApp's names is gone",
        &[
            Fault::Pihole(Aim::Target(FACETIME)),
            Fault::RetiredName(Aim::Spare(WHATSAPP)),
        ],
        alone!(facetime, inconclusive(FACETIME)),
    ),
    innocent(
        "resolver_late_by_half_a_second",
        "The system's resolver takes half a second",
        &[ailing(Ailment::Late(500))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "resolver_late_by_more_than_a_second",
        "The system's resolver takes 1.2 seconds",
        &[ailing(Ailment::Late(1200))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "other_resolvers_late",
        "Every resolver but the system's takes 1.2 seconds",
        &[Fault::Resolvers(
            Resolvers::AllButSystem,
            Ailment::Late(1200),
        )],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "resolver_truncates",
        "The system's resolver truncates every answer over UDP",
        &[ailing(Ailment::Truncates)],
        NAMES_UNTOLD,
    ),
    innocent(
        "plain_resolvers_truncate",
        "Every public resolver truncates every answer over UDP",
        &[Fault::Resolvers(Resolvers::PublicUdp, Ailment::Truncates)],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "resolver_limits_rate",
        "The system's resolver refuses after forty queries in a second",
        &[ailing(Ailment::Limits(40, ResponseCode::Refused))],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "resolver_fails_in_bursts",
        "The system's resolver fails for four queries in a row, again and again",
        &[ailing(Ailment::Bursts(ResponseCode::ServFail))],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "resolver_late_and_failing_in_bursts",
        "The system's resolver takes 1.2 seconds, and fails for four queries in a row, again and again",
        &[
            ailing(Ailment::Late(1200)),
            ailing(Ailment::Bursts(ResponseCode::ServFail)),
        ],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "resolver_knows_few_names",
        "The system's resolver knows the names of connectivity checks, and denies all others",
        &[ailing(Ailment::KnowsOnly(
            &[
                "connectivitycheck.gstatic.com",
                "captive.apple.com",
                "www.msftconnecttest.com",
                "detectportal.firefox.com",
            ],
            ResponseCode::NXDomain,
        ))],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "resolver_lost_a_shard",
        "The system's resolver refuses a quarter of all names, whoever's they are",
        &[ailing(Ailment::Forgets {
            of: 4,
            rest: 2,
            code: ResponseCode::Refused,
        })],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "all_resolvers_limit_rate",
        "Every resolver fails after forty queries in a second",
        &[Fault::Resolvers(
            Resolvers::Transport(Transport::Udp),
            Ailment::Limits(40, ResponseCode::ServFail),
        )],
        super::SOME_NAMES_UNTOLD,
    ),
    innocent(
        "other_address_each_time",
        "WhatsApp's names lead to one of two addresses, each answer to the other one",
        &[Fault::ManyAddresses(Aim::Target(WHATSAPP))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "resolver_keeps_ipv6",
        "The system's resolver knows no IPv6 address; others tell some that cannot be reached",
        &[ailing(Ailment::KeepsIpv6), Fault::BrokenIpv6],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "fake_addresses",
        "The system's resolver answers every name from 198.18.0.0/15, as bypass programs do",
        &[ailing(Ailment::Says(Lie::FakeIp))],
        NAMES_UNTOLD,
    ),
    innocent(
        "own_machine_for_everything",
        "The system's resolver sends every name to this machine",
        &[ailing(Ailment::Says(Lie::OwnMachine))],
        NAMES_UNTOLD,
    ),
    innocent(
        "private_address_for_everything",
        "The system's resolver sends every name to an address of the home's own network",
        &[ailing(Ailment::Says(Lie::Private))],
        NAMES_UNTOLD,
    ),
    innocent(
        "retired_name",
        "A name that WhatsApp can do without exists no more, at any resolver",
        &[Fault::RetiredName(Aim::Spare(WHATSAPP))],
        ALL_ACCESSIBLE,
    ),
    innocent(
        "retired_essential_names",
        "FaceTime's essential names exist no more, at any resolver",
        &[Fault::RetiredName(Aim::Essential(FACETIME))],
        alone!(facetime, inconclusive(FACETIME)),
    ),
    innocent(
        "retired_everywhere",
        "None of WhatsApp's names exists any more, at any resolver",
        &[Fault::RetiredName(Aim::Target(WHATSAPP))],
        alone!(whatsapp, inconclusive(WHATSAPP)),
    ),
    innocent(
        "bogus_signatures",
        "Every resolver fails for MAX's names, as validating resolvers do where signatures are wrong",
        &[Fault::Unresolvable(
            Aim::Target(MAX),
            ResponseCode::ServFail,
        )],
        alone!(max, inconclusive(MAX)),
    ),
    innocent(
        "names_refused_everywhere",
        "Every resolver refuses FaceTime's names",
        &[Fault::Unresolvable(
            Aim::Target(FACETIME),
            ResponseCode::Refused,
        )],
        alone!(facetime, inconclusive(FACETIME)),
    ),
];
