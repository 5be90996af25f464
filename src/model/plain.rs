//! A technique as a sentence in plain English, written once for the table, the summary, `-v`, `explain` and the docs.

use std::borrow::Cow;

use crate::model::report::TechniqueReport;
use crate::model::technique::{Interference, Technique, Trigger};

/// What happens to a target: present tense, subject first, without a full stop. It can stand alone or after "X is blocked here: ".
pub fn technique(technique: Technique) -> Cow<'static, str> {
    match technique.trigger {
        Trigger::DomainName => domain_name(technique.interference),
        Trigger::Resolver => resolver(technique.interference),
        Trigger::AddressPort if technique.interference == Interference::Blockpage => {
            Cow::Borrowed("A block page answers at its IP addresses")
        }
        trigger => Cow::Owned(format!(
            "{} {}",
            subject(trigger),
            predicate(technique.interference)
        )),
    }
}

/// The sentence for a technique in a report. One that hits only calls has its own subject.
pub fn reported(report: &TechniqueReport) -> Cow<'static, str> {
    if report.hits_calls_alone() {
        let what = predicate(report.interference);
        return Cow::Owned(format!(
            "The connection requests of its calls (STUN) {what}"
        ));
    }
    technique(report.technique())
}

fn domain_name(interference: Interference) -> Cow<'static, str> {
    Cow::Borrowed(match interference {
        Interference::Nxdomain => "Your DNS resolver says that its host names do not exist",
        Interference::NoAnswer => "Your DNS resolver gives no addresses for its host names",
        Interference::RefusedAnswer => "Your DNS resolver refuses to answer for its host names",
        Interference::Servfail => {
            "Your DNS resolver reports a failure (SERVFAIL) for its host names"
        }
        Interference::FalseAnswer => "Your DNS resolver gives false addresses for its host names",
        Interference::InjectedAnswer => "Forged DNS answers arrive for its host names",
        Interference::HijackedResolver => {
            "Another server answers DNS queries for its host names in place of the resolver"
        }
        Interference::Blockpage => "Your DNS resolver sends its host names to a block page",
        other => {
            return Cow::Owned(format!(
                "DNS queries for its host names {}",
                predicate(other)
            ));
        }
    })
}

fn resolver(interference: Interference) -> Cow<'static, str> {
    Cow::Borrowed(match interference {
        Interference::HijackedResolver => "Another server answers in place of this resolver",
        Interference::InjectedAnswer => "Forged answers arrive before those of this resolver",
        Interference::FalseAnswer => "This resolver gives false answers",
        Interference::Nxdomain
        | Interference::NoAnswer
        | Interference::RefusedAnswer
        | Interference::Servfail => "This resolver does not answer test queries",
        other => {
            return Cow::Owned(format!("Queries to this resolver {}", predicate(other)));
        }
    })
}

/// What the censor looks at, as a plural subject.
const fn subject(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::DomainName => "DNS queries for its host names",
        Trigger::Resolver => "Queries to this resolver",
        Trigger::Address => "Connections to its IP addresses",
        Trigger::AddressPort => "Connections to one port of its IP addresses",
        Trigger::ServerName => "TLS connections with its host names (SNI)",
        Trigger::ServerNameAtAddress => {
            "TLS connections with its host names (SNI) at its own IP addresses"
        }
        Trigger::TlsFingerprint => "TLS connections with a ClientHello of this shape",
        Trigger::HttpHost => "Unencrypted HTTP requests with its host names",
        Trigger::Quic => "QUIC connections",
        Trigger::QuicServerName => "QUIC connections with its host names (SNI)",
        Trigger::Protocol => "Connections that use its own protocol",
        Trigger::Volume => "Connections that carry more than a little data",
        Trigger::ConnectionRate => "Connections in quick succession",
        Trigger::Everything => "Connections to most control servers",
    }
}

/// What the censor does, after a plural subject.
const fn predicate(interference: Interference) -> &'static str {
    match interference {
        Interference::Nxdomain => "get the answer that the name does not exist",
        Interference::NoAnswer => "get an answer without addresses",
        Interference::RefusedAnswer => "get a refusal",
        Interference::Servfail => "get a failure (SERVFAIL)",
        Interference::FalseAnswer => "get false addresses",
        Interference::InjectedAnswer => "get forged answers",
        Interference::HijackedResolver => "get an answer from another server",
        Interference::Drop => "get no reply",
        Interference::Reset => "are reset",
        Interference::Refuse => "are refused",
        Interference::Unreachable => "are rejected by a router on the path (ICMP)",
        Interference::Close => "are closed without an answer",
        Interference::Alert => "get a forged TLS alert",
        Interference::Intercept => "are intercepted: another server's certificate comes back",
        Interference::Blockpage => "get a block page",
        Interference::Throttle => "are slowed down",
        Interference::Freeze => "stall after the first bytes",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_technique_has_a_sentence_of_its_own() {
        let of_a_resolver = [
            Interference::Nxdomain,
            Interference::NoAnswer,
            Interference::RefusedAnswer,
            Interference::Servfail,
        ];
        let mut sentences = BTreeSet::new();
        for &trigger in Trigger::ALL {
            for &interference in Interference::ALL {
                if trigger == Trigger::Resolver && of_a_resolver[1..].contains(&interference) {
                    continue;
                }
                let sentence = technique(Technique::new(trigger, interference));
                assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
                assert!(!sentence.ends_with('.'), "{sentence}");
                assert!(sentences.insert(sentence.clone()), "{sentence}");
            }
        }
    }
}
