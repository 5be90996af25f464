//! Lies of resolvers, and on the way to them.

use super::{
    Expected, HIJACKER, INJECTOR, Scenario, WHATSAPP, accessible, alone, at, at_isp, censored,
    confirmed, likely, only,
};
use super::{FACETIME, MAX, TELEGRAM};
use crate::lab::censor::{Lie, Resolvers};
use crate::model::report::Regime;
use crate::model::technique::Interference;

pub(super) const DNS: &[Scenario] = &[
    censored(
        "nxdomain_by_isp_resolver",
        "The provider's resolver says that WhatsApp's names do not exist",
        &[at_isp(Interference::Nxdomain, Lie::Bogon)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/nxdomain"])),
    ),
    censored(
        "no_answer_by_isp_resolver",
        "The provider's resolver knows no address for WhatsApp's names",
        &[at_isp(Interference::NoAnswer, Lie::Bogon)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/no_answer"])),
    ),
    censored(
        "refused_by_isp_resolver",
        "The provider's resolver refuses to answer for WhatsApp's names",
        &[at_isp(Interference::RefusedAnswer, Lie::Bogon)],
        alone!(
            whatsapp,
            confirmed(WHATSAPP, &["domain_name/refused_answer"])
        ),
    ),
    censored(
        "servfail_by_isp_resolver",
        "The provider's resolver fails for WhatsApp's names",
        &[at_isp(Interference::Servfail, Lie::Bogon)],
        alone!(whatsapp, likely(WHATSAPP, &["domain_name/servfail"])),
    ),
    censored(
        "dns_drop_by_isp_resolver",
        "The provider's resolver is silent for WhatsApp's names",
        &[at_isp(Interference::Drop, Lie::Bogon)],
        alone!(whatsapp, likely(WHATSAPP, &["domain_name/drop"])),
    ),
    censored(
        "false_answer_bogon",
        "The provider's resolver answers WhatsApp's names with an address that is nowhere",
        &[at_isp(Interference::FalseAnswer, Lie::Bogon)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/false_answer"])),
    ),
    censored(
        "false_answer_private",
        "The provider's resolver answers WhatsApp's names with an address of a home's own network",
        &[at_isp(Interference::FalseAnswer, Lie::Private)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/false_answer"])),
    ),
    censored(
        "false_answer_block_page",
        "The provider's resolver answers WhatsApp's names with the address of its block page",
        &[at_isp(Interference::FalseAnswer, Lie::BlockPage)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/false_answer"])),
    ),
    censored(
        "nxdomain_in_the_country",
        "Every resolver in the country says that WhatsApp's names do not exist; abroad they are known",
        &[at(Resolvers::Domestic, Interference::Nxdomain, Lie::Bogon)],
        alone!(whatsapp, confirmed(WHATSAPP, &["domain_name/nxdomain"])),
    ),
    censored(
        "injected_answer",
        "A box on the way answers queries for WhatsApp's names before any resolver can",
        &[INJECTOR],
        alone!(
            whatsapp,
            confirmed(WHATSAPP, &["domain_name/injected_answer"])
        ),
    ),
    censored(
        "hijacked_resolver",
        "The provider's resolver, which denies WhatsApp's names, answers at every public resolver's address",
        &[at_isp(Interference::Nxdomain, Lie::Bogon), HIJACKER],
        Expected {
            regime: Some(Regime::Open),
            targets: &[
                confirmed(WHATSAPP, &["domain_name/nxdomain"]),
                accessible(TELEGRAM),
                accessible(FACETIME),
                accessible(MAX),
            ],
            resolver_techniques: super::ALL_HIJACKED,
        },
    ),
];
