//! The vocabulary in plain words, for people who never heard of a server name or an rcode.

use std::borrow::Cow;

use crate::model::failure::Failure;
use crate::model::observation::Operation;
use crate::model::report::{EndpointStatus, Regime, Status, TechniqueReport};
use crate::model::technique::{Interference, Technique, Trigger};

/// What is done to a target, as the rest of "It is not reachable: ...". Starts in lower case, without a full stop.
pub fn technique(technique: Technique) -> Cow<'static, str> {
    match technique.trigger {
        Trigger::DomainName => domain_name(technique.interference),
        Trigger::Resolver => resolver(technique.interference),
        trigger => Cow::Owned(format!(
            "{} {}",
            subject(trigger),
            predicate(technique.interference)
        )),
    }
}

/// The same of what a verdict tells, where what it hits has words of its own.
pub fn reported(report: &TechniqueReport) -> Cow<'static, str> {
    if report.hits_calls_alone() {
        return Cow::Owned(format!(
            "its calls' connection requests (STUN) {}",
            predicate(report.interference)
        ));
    }
    technique(report.technique())
}

fn domain_name(interference: Interference) -> Cow<'static, str> {
    Cow::Borrowed(match interference {
        Interference::Nxdomain => "the provider's resolver says its names do not exist (DNS)",
        Interference::NoAnswer => "the provider's resolver gives no address for its names (DNS)",
        Interference::RefusedAnswer => "the provider's resolver refuses its names (DNS)",
        Interference::Servfail => "the provider's resolver fails for its names (DNS)",
        Interference::FalseAnswer => {
            "the provider's resolver gives false addresses for its names (DNS)"
        }
        Interference::InjectedAnswer => {
            "forged answers for its names arrive before the real ones (DNS)"
        }
        Interference::HijackedResolver => {
            "somebody else answers for its names in the resolver's place (DNS)"
        }
        Interference::Drop => "questions for its names get no answer (DNS)",
        Interference::Blockpage => "its names lead to a block page (DNS)",
        other => {
            return Cow::Owned(format!(
                "questions for its names {} (DNS)",
                predicate(other)
            ));
        }
    })
}

fn resolver(interference: Interference) -> Cow<'static, str> {
    Cow::Borrowed(match interference {
        Interference::HijackedResolver => "somebody else answers in its place",
        Interference::InjectedAnswer => "forged answers arrive before its own",
        Interference::Drop => "it is cut off: nothing comes back",
        Interference::Nxdomain
        | Interference::NoAnswer
        | Interference::RefusedAnswer
        | Interference::Servfail => "it does not answer what it is asked",
        Interference::FalseAnswer => "it gives false answers",
        other => return Cow::Owned(format!("connections to it {}", predicate(other))),
    })
}

/// What the censor looks at, as a plural subject.
fn subject(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::DomainName => "questions for its names",
        Trigger::Resolver => "connections to the resolver",
        Trigger::Address => "connections to its addresses",
        Trigger::AddressPort => "connections to its addresses on this port",
        Trigger::ServerName => "connections that name it (TLS server name)",
        Trigger::ServerNameAtAddress => {
            "connections that name it at its own address (TLS server name)"
        }
        Trigger::TlsFingerprint => "connections that look like its app's (TLS fingerprint)",
        Trigger::HttpHost => "requests that name it (HTTP host)",
        Trigger::Quic => "QUIC connections",
        Trigger::QuicServerName => "QUIC connections that name it",
        Trigger::Protocol => "connections that speak its own protocol",
        Trigger::Volume => "connections that carry more than a little",
        Trigger::ConnectionRate => "connections made in quick succession",
        Trigger::Everything => "connections to anything but a short list",
    }
}

/// What the censor does, after a plural subject.
fn predicate(interference: Interference) -> &'static str {
    match interference {
        Interference::Nxdomain => "are told that the name does not exist",
        Interference::NoAnswer => "get an answer without addresses",
        Interference::RefusedAnswer => "are refused an answer",
        Interference::Servfail => "are told of a failure",
        Interference::FalseAnswer => "are given false addresses",
        Interference::InjectedAnswer => "get forged answers",
        Interference::HijackedResolver => "are answered by somebody else",
        Interference::Drop => "are met with silence",
        Interference::Reset => "are cut (reset)",
        Interference::Refuse => "are refused",
        Interference::Unreachable => "are turned back on the way (ICMP)",
        Interference::Close => "are closed before an answer",
        Interference::Alert => "are broken off with a forged alert",
        Interference::Intercept => "are intercepted with another certificate",
        Interference::Blockpage => "are answered with a block page",
        Interference::Throttle => "are slowed down",
        Interference::Freeze => "stall after the first bytes",
    }
}

/// Why a step failed, as a person would say it. Hostile text may be in it.
pub fn failure(failure: &Failure) -> Cow<'_, str> {
    Cow::Borrowed(match failure {
        Failure::ConnectionRefused => "connection refused",
        Failure::ConnectionReset => "connection reset",
        Failure::ConnectionAborted => "connection aborted",
        Failure::HostUnreachable => "host unreachable",
        Failure::NetworkUnreachable => "no route to that network",
        Failure::NetworkDown => "the network is down",
        Failure::NetworkReset => "the network was reset",
        Failure::TimedOut | Failure::GenericTimeout => "no answer in time",
        Failure::Eof => "closed before an answer",
        Failure::Interrupted => "interrupted",
        Failure::PermissionDenied => "forbidden by a firewall on this machine",
        Failure::AddressNotAvailable => "this machine has no such address",
        Failure::AddressFamilyNotSupported => "this machine does not speak that family",
        Failure::NoProtocolOption => "protocol not spoken there",
        Failure::MessageSize => "message too long for the path",
        Failure::NoBufferSpace => "this machine is out of buffers",
        Failure::InvalidArgument => "this machine refuses the address",
        Failure::DnsNxdomain => "the resolver says the name does not exist",
        Failure::DnsNoAnswer => "the resolver gives no address",
        Failure::DnsRefused => "the resolver refuses the name",
        Failure::DnsServfail => "the resolver fails for the name",
        Failure::DnsServerMisbehaving => "the resolver's answer makes no sense",
        Failure::DnsWrongQueryId => "only answers to other questions came",
        Failure::DnsBogon => "the resolver gives an impossible address",
        Failure::DnsTemporaryFailure => "the resolver could not say",
        Failure::SslInvalidHostname => "certificate of another name",
        Failure::SslUnknownAuthority => "certificate of an unknown issuer",
        Failure::SslInvalidCertificate => "certificate expired or malformed",
        Failure::SslFailedHandshake => "TLS handshake failed",
        Failure::QuicIncompatibleVersion => "no common version of QUIC",
        Failure::HttpRequestFailed => "the answer is not HTTP",
        Failure::Unknown(words) => return Cow::Owned(format!("unknown failure: {words}")),
    })
}

/// A symbol for those who see no colours, one column wide.
pub const fn symbol(status: Status) -> &'static str {
    match status {
        Status::Accessible => "✓",
        Status::Degraded => "~",
        Status::Blocked => "✗",
        Status::Down => "↓",
        Status::Inconclusive => "?",
    }
}

/// An endpoint's status, with its symbol.
pub const fn endpoint_status(status: EndpointStatus) -> &'static str {
    match status {
        EndpointStatus::Accessible => "✓ accessible",
        EndpointStatus::Blocked => "✗ blocked",
        EndpointStatus::Down => "↓ down",
        EndpointStatus::Inconclusive => "? inconclusive",
        EndpointStatus::NotRun => "· not measured",
    }
}

/// The state of the line, and what that means for the verdicts.
pub const fn regime(regime: Regime) -> &'static str {
    match regime {
        Regime::Open => "open, the controls answer",
        Regime::CaptivePortal => "captive portal: log in to it first, nothing can be blamed before",
        Regime::AllowList => "only a list of destinations passes, whatever the target",
        Regime::DomesticOnly => "nothing outside the country passes, whatever the target",
        Regime::Offline => "offline: not even the controls answer, so nothing can be blamed",
    }
}

/// A rung of the ladder, short.
pub const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Resolve => "DNS",
        Operation::TcpConnect => "TCP",
        Operation::TlsHandshake => "TLS",
        Operation::QuicHandshake => "QUIC",
        Operation::HttpRoundTrip => "HTTP",
        Operation::Exchange => "app",
    }
}

/// An rcode as the field writes it.
pub fn rcode(rcode: u16) -> Cow<'static, str> {
    Cow::Borrowed(match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        other => return Cow::Owned(format!("rcode {other}")),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::report::Confidence;

    #[test]
    fn every_technique_has_words_of_its_own() {
        let mut told = BTreeSet::new();
        for &trigger in Trigger::ALL {
            for &interference in Interference::ALL {
                let words = technique(Technique::new(trigger, interference));
                assert!(words.len() > 10, "{trigger:?}/{interference:?}: {words}");
                assert!(words.starts_with(|first: char| first.is_lowercase() || first == 'Q'));
                if trigger != Trigger::Resolver {
                    assert!(told.insert(words.clone()), "{words} is told twice");
                }
            }
        }
    }

    #[test]
    fn silent_stun_is_told_as_calls_and_beside_another_protocol_as_before() {
        let mut report = TechniqueReport {
            id: "protocol/drop".to_owned(),
            trigger: Trigger::Protocol,
            interference: Interference::Drop,
            confidence: Confidence::Confirmed,
            services: Vec::new(),
            endpoints: vec!["stun://192.0.2.1:3478".to_owned()],
            evidence: Vec::new(),
            doubt: None,
            seen: String::new(),
        };
        let calls = "its calls' connection requests (STUN) are met with silence";
        assert_eq!(reported(&report), calls);
        report
            .endpoints
            .push("whatsapp_noise://192.0.2.1:443".to_owned());
        assert_eq!(reported(&report), technique(report.technique()));
    }

    #[test]
    fn every_failure_is_told_without_its_code() {
        for named in Failure::NAMED {
            let words = failure(named);
            assert!(!words.contains('_'), "{words}");
        }
    }

    #[test]
    fn every_status_has_a_symbol_of_its_own() {
        let symbols: BTreeSet<_> = Status::ALL.iter().map(|status| symbol(*status)).collect();
        assert_eq!(symbols.len(), Status::ALL.len());
    }
}
