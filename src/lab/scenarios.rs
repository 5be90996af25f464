//! The table of scenarios: what is censored or broken, and what an honest report must then say.

mod quic;

use std::sync::LazyLock;

use crate::lab::censor::{Censor, Lie, Resolvers};
use crate::lab::fault::{Aim, Fault};
use crate::model::report::{Confidence, Regime, Status};
use crate::model::technique::{Interference, Technique, Trigger};

/// One censored, broken or open internet.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What the command line says: `--lab NAME`.
    pub name: &'static str,
    /// What happens in it, in a sentence.
    pub about: &'static str,
    /// Who interferes.
    pub censors: &'static [Censor],
    /// What goes wrong without anybody's intent.
    pub faults: &'static [Fault],
    /// What a report of the embedded definitions must say.
    pub expected: Expected,
}

/// What a report must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// State of the whole line.
    pub regime: Regime,
    /// Every target.
    pub targets: &'static [ExpectedTarget],
    /// Resolvers (by name) that must carry a technique (by id).
    pub resolver_techniques: &'static [(&'static str, &'static str)],
}

/// What a report must say of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedTarget {
    /// Id of the target.
    pub target: &'static str,
    /// Its status.
    pub status: Status,
    /// How sure the report must be; `None`: as it likes.
    pub confidence: Option<Confidence>,
    /// Exactly these technique ids, and no other.
    pub techniques: &'static [&'static str],
}

const WHATSAPP: &str = "whatsapp";
const TELEGRAM: &str = "telegram";
const FACETIME: &str = "facetime";
const MAX: &str = "max";

const fn accessible(target: &'static str) -> ExpectedTarget {
    ExpectedTarget {
        target,
        status: Status::Accessible,
        confidence: None,
        techniques: &[],
    }
}

const fn inconclusive(target: &'static str) -> ExpectedTarget {
    ExpectedTarget {
        target,
        status: Status::Inconclusive,
        confidence: None,
        techniques: &[],
    }
}

const fn blocked(techniques: &'static [&'static str]) -> ExpectedTarget {
    ExpectedTarget {
        target: WHATSAPP,
        status: Status::Blocked,
        confidence: Some(Confidence::Confirmed),
        techniques,
    }
}

const ALL_ACCESSIBLE: Expected = Expected {
    regime: Regime::Open,
    targets: &[
        accessible(WHATSAPP),
        accessible(TELEGRAM),
        accessible(FACETIME),
        accessible(MAX),
    ],
    resolver_techniques: &[],
};

const NOTHING_TOLD: &[ExpectedTarget] = &[
    inconclusive(WHATSAPP),
    inconclusive(TELEGRAM),
    inconclusive(FACETIME),
    inconclusive(MAX),
];

const fn nothing_told(regime: Regime) -> Expected {
    Expected {
        regime,
        targets: NOTHING_TOLD,
        resolver_techniques: &[],
    }
}

const fn only(targets: &'static [ExpectedTarget]) -> Expected {
    Expected {
        regime: Regime::Open,
        targets,
        resolver_techniques: &[],
    }
}

/// The list of a scenario in which WhatsApp alone is blocked, by this technique.
macro_rules! whatsapp_blocked_by {
    ($technique:literal) => {
        &[
            blocked(&[$technique]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]
    };
}

/// A censor of WhatsApp's names at the internet provider's own resolver.
const fn at_isp(interference: Interference, lie: Lie) -> Censor {
    Censor {
        technique: Technique::new(Trigger::DomainName, interference),
        at: Resolvers::System,
        names: Aim::Target(WHATSAPP),
        lie,
    }
}

/// A censor on the path that looks at what connections say.
const fn on_path(trigger: Trigger, interference: Interference, names: Aim) -> Censor {
    Censor {
        technique: Technique::new(trigger, interference),
        at: Resolvers::All,
        names,
        lie: Lie::Bogon,
    }
}

const fn facetime_blocked(
    confidence: Confidence,
    techniques: &'static [&'static str],
) -> ExpectedTarget {
    ExpectedTarget {
        target: FACETIME,
        status: Status::Blocked,
        confidence: Some(confidence),
        techniques,
    }
}

/// A scenario with censors and faults.
const fn both(
    name: &'static str,
    about: &'static str,
    censors: &'static [Censor],
    faults: &'static [Fault],
    expected: Expected,
) -> Scenario {
    Scenario {
        name,
        about,
        censors,
        faults,
        expected,
    }
}

const fn told(
    target: &'static str,
    status: Status,
    confidence: Option<Confidence>,
    techniques: &'static [&'static str],
) -> ExpectedTarget {
    ExpectedTarget {
        target,
        status,
        confidence,
        techniques,
    }
}

/// Every scenario, in the order in which `selftest` plays them.
pub static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| [OTHERS, quic::QUIC].concat());

const OTHERS: &[Scenario] = &[
    Scenario {
        name: "open",
        about: "Nothing is censored and nothing is broken",
        censors: &[],
        faults: &[],
        expected: ALL_ACCESSIBLE,
    },
    Scenario {
        name: "offline",
        about: "No resolver answers and every port is closed",
        censors: &[],
        faults: &[Fault::Offline],
        expected: nothing_told(Regime::Offline),
    },
    Scenario {
        name: "captive_portal",
        about: "A portal answers every HTTP request and every TLS handshake in place of the servers",
        censors: &[],
        faults: &[Fault::CaptivePortal],
        expected: nothing_told(Regime::CaptivePortal),
    },
    Scenario {
        name: "captive_portal_by_dns",
        about: "Every plain resolver sends every name to a portal",
        censors: &[],
        faults: &[Fault::CaptivePortalByDns],
        expected: nothing_told(Regime::CaptivePortal),
    },
    Scenario {
        name: "nxdomain_by_isp_resolver",
        about: "The provider's resolver says that WhatsApp's names do not exist",
        censors: &[at_isp(Interference::Nxdomain, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/nxdomain")),
    },
    Scenario {
        name: "no_answer_by_isp_resolver",
        about: "The provider's resolver knows no address for WhatsApp's names",
        censors: &[at_isp(Interference::NoAnswer, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/no_answer")),
    },
    Scenario {
        name: "refused_by_isp_resolver",
        about: "The provider's resolver refuses to answer for WhatsApp's names",
        censors: &[at_isp(Interference::RefusedAnswer, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/refused_answer")),
    },
    Scenario {
        name: "servfail_by_isp_resolver",
        about: "The provider's resolver fails for WhatsApp's names",
        censors: &[at_isp(Interference::Servfail, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/servfail")),
    },
    Scenario {
        name: "dns_drop_by_isp_resolver",
        about: "The provider's resolver is silent for WhatsApp's names",
        censors: &[at_isp(Interference::Drop, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/drop")),
    },
    Scenario {
        name: "false_answer_bogon",
        about: "The provider's resolver answers WhatsApp's names with an address that is nowhere",
        censors: &[at_isp(Interference::FalseAnswer, Lie::Bogon)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/false_answer")),
    },
    Scenario {
        name: "false_answer_block_page",
        about: "The provider's resolver answers WhatsApp's names with the address of its block page",
        censors: &[at_isp(Interference::FalseAnswer, Lie::BlockPage)],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/false_answer")),
    },
    Scenario {
        name: "injected_answer",
        about: "A box on the way answers queries for WhatsApp's names before any resolver can",
        censors: &[Censor {
            technique: Technique::new(Trigger::DomainName, Interference::InjectedAnswer),
            at: Resolvers::Udp,
            names: Aim::Target(WHATSAPP),
            lie: Lie::Bogon,
        }],
        faults: &[],
        expected: only(whatsapp_blocked_by!("domain_name/injected_answer")),
    },
    Scenario {
        name: "hijacked_resolver",
        about: "The provider's resolver, which denies WhatsApp's names, answers at every public resolver's address",
        censors: &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
            Censor {
                technique: Technique::new(Trigger::Resolver, Interference::HijackedResolver),
                at: Resolvers::PublicUdp,
                names: Aim::Target(WHATSAPP),
                lie: Lie::Bogon,
            },
        ],
        faults: &[],
        expected: Expected {
            regime: Regime::Open,
            targets: whatsapp_blocked_by!("domain_name/nxdomain"),
            resolver_techniques: &[
                ("adguard", "resolver/hijacked_resolver"),
                ("cloudflare", "resolver/hijacked_resolver"),
                ("google", "resolver/hijacked_resolver"),
                ("msk_ix", "resolver/hijacked_resolver"),
                ("opendns", "resolver/hijacked_resolver"),
                ("quad9", "resolver/hijacked_resolver"),
                ("yandex", "resolver/hijacked_resolver"),
            ],
        },
    },
    Scenario {
        name: "server_down",
        about: "FaceTime's essential servers are down",
        censors: &[],
        faults: &[Fault::ServerDown(Aim::Essential(FACETIME))],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "expired_certificate",
        about: "The certificates of MAX's essential servers have expired",
        censors: &[],
        faults: &[Fault::ExpiredCertificate(Aim::Essential(MAX))],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            accessible(FACETIME),
            inconclusive(MAX),
        ]),
    },
    Scenario {
        name: "slow_server",
        about: "WhatsApp's servers take their time before the first byte",
        censors: &[],
        faults: &[Fault::SlowServer(Aim::Target(WHATSAPP), 600)],
        expected: ALL_ACCESSIBLE,
    },
    Scenario {
        name: "status_403",
        about: "WhatsApp's real servers answer every request with 403",
        censors: &[],
        faults: &[Fault::Status(Aim::Target(WHATSAPP), 403)],
        expected: ALL_ACCESSIBLE,
    },
    Scenario {
        name: "broken_ipv6",
        about: "Every name has an IPv6 address, and IPv6 does not work",
        censors: &[],
        faults: &[Fault::BrokenIpv6],
        expected: ALL_ACCESSIBLE,
    },
    Scenario {
        name: "dead_resolver",
        about: "The system's resolver does not answer at all",
        censors: &[],
        faults: &[Fault::DeadResolver],
        // Telegram's apps know its data centres by address: they need no resolver.
        expected: only(&[
            inconclusive(WHATSAPP),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            inconclusive(MAX),
        ]),
    },
    Scenario {
        name: "pihole",
        about: "The system's resolver is a household filter that lists advertisers and WhatsApp",
        censors: &[],
        faults: &[Fault::Pihole(Aim::Target(WHATSAPP))],
        expected: only(&[
            inconclusive(WHATSAPP),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "retired_name",
        about: "A name that WhatsApp can do without exists no more, at any resolver",
        censors: &[],
        faults: &[Fault::RetiredName(Aim::Spare(WHATSAPP))],
        expected: ALL_ACCESSIBLE,
    },
    Scenario {
        name: "server_name_reset",
        about: "Connections that name FaceTime's hosts in TLS are reset, wherever they lead",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Confirmed, &["server_name/reset"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_drop",
        about: "Connections that name FaceTime's hosts in TLS are left without an answer, wherever they lead",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Drop,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Confirmed, &["server_name/drop"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_close",
        about: "Connections that name FaceTime's hosts in TLS are closed, wherever they lead",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Close,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Confirmed, &["server_name/close"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_alert",
        about: "Connections that name FaceTime's hosts in TLS get a forged alert, wherever they lead",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Alert,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Confirmed, &["server_name/alert"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_intercept",
        about: "Connections that name FaceTime's hosts in TLS are met by somebody else, wherever they lead",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Intercept,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Confirmed, &["server_name/intercept"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_at_address_reset",
        about: "FaceTime's names in TLS are reset at FaceTime's own addresses only",
        censors: &[on_path(
            Trigger::ServerNameAtAddress,
            Interference::Reset,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Likely, &["server_name_at_address/reset"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_at_address_drop",
        about: "FaceTime's names in TLS are left without an answer at FaceTime's own addresses only",
        censors: &[on_path(
            Trigger::ServerNameAtAddress,
            Interference::Drop,
            Aim::Target(FACETIME),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            facetime_blocked(Confidence::Likely, &["server_name_at_address/drop"]),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "server_name_beside_raw_chat",
        about: "WhatsApp's names in TLS are reset; its chat, which sends no name, is left alone",
        censors: &[on_path(
            Trigger::ServerName,
            Interference::Reset,
            Aim::Target(WHATSAPP),
        )],
        faults: &[],
        expected: only(&[
            ExpectedTarget {
                target: WHATSAPP,
                status: Status::Degraded,
                confidence: Some(Confidence::Confirmed),
                techniques: &["server_name/reset"],
            },
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "delisted_and_filtered_by_name",
        about: "WhatsApp's names are denied by the provider's resolver and reset in TLS too",
        censors: &[
            at_isp(Interference::Nxdomain, Lie::Bogon),
            on_path(
                Trigger::ServerName,
                Interference::Reset,
                Aim::Target(WHATSAPP),
            ),
        ],
        faults: &[],
        expected: only(&[
            blocked(&["domain_name/nxdomain", "server_name/reset"]),
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "silent_tls",
        about: "FaceTime's essential servers accept connections and answer no handshake",
        censors: &[],
        faults: &[Fault::SilentTls(Aim::Essential(FACETIME))],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "genuine_alert",
        about: "FaceTime's essential servers know none of their names any more",
        censors: &[],
        faults: &[Fault::GenuineAlert(Aim::Essential(FACETIME))],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "wrong_certificate",
        about: "FaceTime's essential servers show a certificate nobody vouches for",
        censors: &[],
        faults: &[Fault::WrongCertificate(Aim::Essential(FACETIME))],
        expected: only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            inconclusive(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "address_drop",
        about: "Connections to Telegram's addresses vanish",
        censors: &[on_path(
            Trigger::Address,
            Interference::Drop,
            Aim::Target(TELEGRAM),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            ExpectedTarget {
                target: TELEGRAM,
                status: Status::Blocked,
                confidence: Some(Confidence::Likely),
                techniques: &["address/drop"],
            },
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "all_servers_down",
        about: "Every server of Telegram is down: its ports refuse connections",
        censors: &[],
        faults: &[Fault::ServerDown(Aim::Target(TELEGRAM))],
        expected: only(&[
            accessible(WHATSAPP),
            inconclusive(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "data_centres_dropped",
        about: "Connections to Telegram's data centres vanish; its web site is left alone",
        censors: &[on_path(
            Trigger::Address,
            Interference::Drop,
            Aim::Essential(TELEGRAM),
        )],
        faults: &[],
        expected: only(&[
            accessible(WHATSAPP),
            ExpectedTarget {
                target: TELEGRAM,
                status: Status::Blocked,
                confidence: Some(Confidence::Likely),
                techniques: &["address/drop"],
            },
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "one_dead_data_centre",
        about: "One of Telegram's data centres is down",
        censors: &[],
        faults: &[Fault::ServerDown(Aim::First(TELEGRAM))],
        expected: only(&[
            accessible(WHATSAPP),
            ExpectedTarget {
                target: TELEGRAM,
                status: Status::Degraded,
                confidence: Some(Confidence::Suspected),
                techniques: &[],
            },
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
    Scenario {
        name: "address_port_drop",
        about: "Connections to WhatsApp's port 5222 vanish; its other ports are left alone",
        censors: &[on_path(
            Trigger::AddressPort,
            Interference::Drop,
            Aim::Target(WHATSAPP),
        )],
        faults: &[],
        expected: only(&[
            ExpectedTarget {
                target: WHATSAPP,
                status: Status::Accessible,
                confidence: None,
                techniques: &["address_port/drop"],
            },
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ]),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The targets that the embedded definitions are made for.
    const TARGETS: [&str; 4] = [WHATSAPP, TELEGRAM, FACETIME, MAX];

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let names: HashSet<_> = SCENARIOS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
    }

    #[test]
    fn every_scenario_says_something_of_every_target_once() {
        for scenario in SCENARIOS.iter() {
            let told: Vec<_> = scenario
                .expected
                .targets
                .iter()
                .map(|it| it.target)
                .collect();
            assert_eq!(told, TARGETS, "{}", scenario.name);
        }
    }

    #[test]
    fn every_censor_of_the_table_can_be_played() {
        for scenario in SCENARIOS.iter() {
            for censor in scenario.censors {
                assert!(censor.is_playable(), "{}", scenario.name);
                assert!(
                    TARGETS.contains(&censor.names.target()),
                    "{}",
                    scenario.name
                );
            }
        }
    }

    #[test]
    fn what_is_expected_of_a_censored_target_is_what_the_censor_does() {
        for scenario in SCENARIOS.iter() {
            for target in scenario.expected.targets {
                for id in target.techniques {
                    let mut faults = scenario.faults.iter().filter_map(|it| it.technique());
                    let is_done = scenario.censors.iter().any(|censor| {
                        censor.technique.id() == *id && censor.names.target() == target.target
                    }) || faults.any(|it| it.id() == *id);
                    assert!(is_done, "{} {id}", scenario.name);
                }
            }
        }
    }

    #[test]
    fn without_a_censor_nothing_is_blocked() {
        for scenario in SCENARIOS.iter().filter(|it| it.censors.is_empty()) {
            for target in scenario.expected.targets {
                let is_listed = scenario.faults.iter().any(|it| it.technique().is_some());
                assert!(
                    target.techniques.is_empty() || is_listed,
                    "{}",
                    scenario.name
                );
                assert_ne!(target.status, Status::Blocked, "{}", scenario.name);
            }
        }
    }
}
