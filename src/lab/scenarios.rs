//! The table of scenarios: what is censored or broken, and what an honest report must then say.

mod connections;
mod dns;
mod hostile;
mod line;
mod names;
mod protocols;
mod quic;
mod resolvers;
mod servers;
mod stacked;

use std::sync::LazyLock;

use crate::lab::censor::{Censor, Lie, Resolvers, Sight};
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

impl Scenario {
    /// Whether something stays silent in it, so that playing it takes some seconds.
    pub fn is_long(&self) -> bool {
        let mut interferences = self.censors.iter().map(|it| it.technique.interference);
        interferences.any(|it| it == Interference::Drop)
            || self.faults.iter().any(|it| it.is_silent())
    }
}

/// What a report must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// State of the whole line; `None`: as it is seen.
    pub regime: Option<Regime>,
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
    /// Its status; `None`: whatever accuses nobody.
    pub status: Option<Status>,
    /// How sure the report must be; `None`: as it likes.
    pub confidence: Option<Confidence>,
    /// Exactly these technique ids, and no other.
    pub techniques: &'static [&'static str],
}

impl Scenario {
    /// Whether nobody interferes: then nothing may be called blocked.
    pub const fn is_negative(&self) -> bool {
        self.censors.is_empty()
    }

    /// Whether several things happen at once, one of them a censor's.
    pub const fn is_stacked(&self) -> bool {
        self.censors.len() > 1 || (!self.censors.is_empty() && !self.faults.is_empty())
    }
}

/// Every scenario, in the order in which `selftest` plays them: those of silence first, which take longest.
pub static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let tables = [
        line::LINE,
        names::NAMES,
        servers::SERVERS,
        protocols::PROTOCOLS,
        quic::QUIC,
        stacked::STACKED,
        connections::CONNECTIONS,
        resolvers::RESOLVERS,
        dns::DNS,
    ];
    tables.concat()
});

/// Servers and resolvers that mean harm. They are found by name and not played by `selftest`: what they test are limits,
/// and limits take their time.
pub use hostile::HOSTILE;

const WHATSAPP: &str = "whatsapp";
const TELEGRAM: &str = "telegram";
const FACETIME: &str = "facetime";
const MAX: &str = "max";

const fn accessible(target: &'static str) -> ExpectedTarget {
    told(target, Status::Accessible, None, &[])
}

const fn inconclusive(target: &'static str) -> ExpectedTarget {
    told(target, Status::Inconclusive, None, &[])
}

/// Some of it fails, and nobody is accused.
const fn degraded(target: &'static str) -> ExpectedTarget {
    told(target, Status::Degraded, Some(Confidence::Suspected), &[])
}

/// Whatever accuses nobody: what happens depends on the moment.
const fn unaccused(target: &'static str) -> ExpectedTarget {
    ExpectedTarget {
        target,
        status: None,
        confidence: None,
        techniques: &[],
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
        status: Some(status),
        confidence,
        techniques,
    }
}

const fn confirmed(target: &'static str, techniques: &'static [&'static str]) -> ExpectedTarget {
    told(
        target,
        Status::Blocked,
        Some(Confidence::Confirmed),
        techniques,
    )
}

const fn likely(target: &'static str, techniques: &'static [&'static str]) -> ExpectedTarget {
    told(
        target,
        Status::Blocked,
        Some(Confidence::Likely),
        techniques,
    )
}

/// It works or mostly works, with these techniques beside.
const fn works_with(
    target: &'static str,
    status: Status,
    techniques: &'static [&'static str],
) -> ExpectedTarget {
    told(target, status, None, techniques)
}

const ALL_ACCESSIBLE: Expected = only(&[
    accessible(WHATSAPP),
    accessible(TELEGRAM),
    accessible(FACETIME),
    accessible(MAX),
]);

/// Telegram's apps know its data centres by address: they need no resolver.
const NAMES_UNTOLD: Expected = only(&[
    inconclusive(WHATSAPP),
    accessible(TELEGRAM),
    inconclusive(FACETIME),
    inconclusive(MAX),
]);

/// Some names are not resolved at some moments: what that comes to depends on the moment, and nobody is accused.
const SOME_NAMES_UNTOLD: Expected = only(NOBODY_ACCUSED);

/// What a hijack of every public resolver shows.
const ALL_HIJACKED: &[(&str, &str)] = &[
    ("adguard", "resolver/hijacked_resolver"),
    ("cloudflare", "resolver/hijacked_resolver"),
    ("google", "resolver/hijacked_resolver"),
    ("msk_ix", "resolver/hijacked_resolver"),
    ("opendns", "resolver/hijacked_resolver"),
    ("quad9", "resolver/hijacked_resolver"),
    ("yandex", "resolver/hijacked_resolver"),
];

const NOBODY_ACCUSED: &[ExpectedTarget] = &[
    unaccused(WHATSAPP),
    unaccused(TELEGRAM),
    unaccused(FACETIME),
    unaccused(MAX),
];

const NOTHING_TOLD: &[ExpectedTarget] = &[
    inconclusive(WHATSAPP),
    inconclusive(TELEGRAM),
    inconclusive(FACETIME),
    inconclusive(MAX),
];

const fn nothing_told(regime: Regime) -> Expected {
    Expected {
        regime: Some(regime),
        targets: NOTHING_TOLD,
        resolver_techniques: &[],
    }
}

const fn only(targets: &'static [ExpectedTarget]) -> Expected {
    Expected {
        regime: Some(Regime::Open),
        targets,
        resolver_techniques: &[],
    }
}

/// What is expected where one target alone is not accessible.
macro_rules! alone {
    (whatsapp, $told:expr) => {
        only(&[
            $told,
            accessible(TELEGRAM),
            accessible(FACETIME),
            accessible(MAX),
        ])
    };
    (telegram, $told:expr) => {
        only(&[
            accessible(WHATSAPP),
            $told,
            accessible(FACETIME),
            accessible(MAX),
        ])
    };
    (facetime, $told:expr) => {
        only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            $told,
            accessible(MAX),
        ])
    };
    (max, $told:expr) => {
        only(&[
            accessible(WHATSAPP),
            accessible(TELEGRAM),
            accessible(FACETIME),
            $told,
        ])
    };
}
use alone;

/// A scenario without any censor.
const fn innocent(
    name: &'static str,
    about: &'static str,
    faults: &'static [Fault],
    expected: Expected,
) -> Scenario {
    both(name, about, &[], faults, expected)
}

/// A scenario without any fault.
const fn censored(
    name: &'static str,
    about: &'static str,
    censors: &'static [Censor],
    expected: Expected,
) -> Scenario {
    both(name, about, censors, &[], expected)
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

/// A censor of WhatsApp's names at the internet provider's own resolver.
const fn at_isp(interference: Interference, lie: Lie) -> Censor {
    at(Resolvers::System, interference, lie)
}

/// A censor of WhatsApp's names at these resolvers.
const fn at(at: Resolvers, interference: Interference, lie: Lie) -> Censor {
    Censor {
        technique: Technique::new(Trigger::DomainName, interference),
        at,
        names: Aim::Target(WHATSAPP),
        lie,
        sight: Sight::Whole,
    }
}

/// A box on the way that answers queries for WhatsApp's names before any resolver can.
const INJECTOR: Censor = at(Resolvers::Udp, Interference::InjectedAnswer, Lie::Bogon);

/// The provider's resolver at every public resolver's address.
const HIJACKER: Censor = Censor {
    technique: Technique::new(Trigger::Resolver, Interference::HijackedResolver),
    at: Resolvers::PublicUdp,
    names: Aim::Target(WHATSAPP),
    lie: Lie::Bogon,
    sight: Sight::Whole,
};

/// A censor on the path that looks at what connections say or where they lead.
const fn on_path(trigger: Trigger, interference: Interference, names: Aim) -> Censor {
    Censor {
        technique: Technique::new(trigger, interference),
        at: Resolvers::All,
        names,
        lie: Lie::BlockPage,
        sight: Sight::Whole,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The targets that the embedded definitions are made for.
    const TARGETS: [&str; 4] = [WHATSAPP, TELEGRAM, FACETIME, MAX];

    fn all() -> impl Iterator<Item = &'static Scenario> {
        SCENARIOS.iter().chain(HOSTILE)
    }

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let names: HashSet<_> = all().map(|it| it.name).collect();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn there_are_seventy_scenarios_and_more_than_half_are_negative_or_stacked() {
        let hard = SCENARIOS
            .iter()
            .filter(|it| it.is_negative() || it.is_stacked())
            .count();
        assert!(SCENARIOS.len() >= 70, "{}", SCENARIOS.len());
        assert!(hard * 2 > SCENARIOS.len(), "{hard}");
    }

    #[test]
    fn every_scenario_says_something_of_every_target_once() {
        for scenario in all() {
            let targets = scenario.expected.targets.iter();
            let told: Vec<_> = targets.map(|it| it.target).collect();
            assert_eq!(told, TARGETS, "{}", scenario.name);
        }
    }

    #[test]
    fn every_censor_of_the_table_can_be_played() {
        for scenario in SCENARIOS.iter() {
            for censor in scenario.censors {
                assert!(censor.is_playable(), "{}", scenario.name);
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
                        // First bytes are known wherever they lead, whoever was aimed at.
                        let is_aimed = censor.names.includes(target.target)
                            || censor.technique.trigger == Trigger::Protocol;
                        censor.technique.id() == *id && is_aimed
                    }) || faults.any(|it| it.id() == *id);
                    assert!(is_done, "{} {id}", scenario.name);
                }
            }
        }
    }

    #[test]
    fn without_a_censor_nothing_is_blocked() {
        for scenario in all().filter(|it| it.is_negative()) {
            assert!(scenario.expected.resolver_techniques.is_empty());
            for target in scenario.expected.targets {
                let is_listed = scenario.faults.iter().any(|it| it.technique().is_some());
                assert!(
                    target.techniques.is_empty() || is_listed,
                    "{}",
                    scenario.name
                );
                assert_ne!(target.status, Some(Status::Blocked), "{}", scenario.name);
            }
        }
    }
}
