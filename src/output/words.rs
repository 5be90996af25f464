//! Failures, statuses and layers in plain words; the sentences of techniques stand in `model::plain`.

use std::borrow::Cow;

use crate::model::failure::Failure;
use crate::model::observation::Operation;
use crate::model::report::{EndpointStatus, Regime, Status};
use crate::model::technique::Trigger;

/// The layer at which a censor looks, as a label.
pub const fn layer(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::DomainName | Trigger::Resolver => "DNS",
        Trigger::Address | Trigger::AddressPort => "Address",
        Trigger::ServerName | Trigger::ServerNameAtAddress | Trigger::TlsFingerprint => "TLS",
        Trigger::HttpHost => "HTTP",
        Trigger::Quic | Trigger::QuicServerName => "QUIC",
        Trigger::Protocol => "Protocol",
        Trigger::Volume | Trigger::ConnectionRate | Trigger::Everything => "Network",
    }
}

/// What was changed from one attempt to the next, for a technique's contrast.
pub const fn varied(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::DomainName => "the resolver",
        Trigger::Resolver => "the name",
        Trigger::Address => "the address",
        Trigger::AddressPort => "the port",
        Trigger::ServerName => "the name in TLS (SNI)",
        Trigger::ServerNameAtAddress => "the name in TLS (SNI), the server",
        Trigger::TlsFingerprint => "the shape of the ClientHello",
        Trigger::HttpHost => "the name in HTTP (Host)",
        Trigger::Quic => "the transport",
        Trigger::QuicServerName => "the name in QUIC (SNI)",
        Trigger::Protocol => "the first message",
        Trigger::Volume => "the amount of data",
        Trigger::ConnectionRate => "the number of connections",
        Trigger::Everything => "the destination",
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
        Failure::TimedOut | Failure::GenericTimeout => "no reply in time",
        Failure::Eof => "closed without a reply",
        Failure::Interrupted => "interrupted",
        Failure::PermissionDenied => "forbidden by a firewall on this machine",
        Failure::AddressNotAvailable => "this machine has no such address",
        Failure::AddressFamilyNotSupported => "this machine lacks that address family",
        Failure::NoProtocolOption => "protocol not supported there",
        Failure::MessageSize => "message too long for the path",
        Failure::NoBufferSpace => "this machine is out of buffers",
        Failure::InvalidArgument => "this machine refuses the address",
        Failure::DnsNxdomain => "the resolver says the name does not exist",
        Failure::DnsNoAnswer => "the resolver gives no address",
        Failure::DnsRefused => "the resolver refuses the name",
        Failure::DnsServfail => "the resolver fails for the name",
        Failure::DnsServerMisbehaving => "the resolver's answer makes no sense",
        Failure::DnsWrongQueryId => "only answers with another id came",
        Failure::DnsBogon => "the resolver gives an impossible address",
        Failure::DnsTemporaryFailure => "the resolver failed for the moment",
        Failure::SslInvalidHostname => "certificate of another name",
        Failure::SslUnknownAuthority => "certificate of an unknown issuer",
        Failure::SslInvalidCertificate => "certificate expired or malformed",
        Failure::SslFailedHandshake => "TLS handshake failed",
        Failure::QuicIncompatibleVersion => "no common version of QUIC",
        Failure::HttpRequestFailed => "the answer is not HTTP",
        Failure::Unknown(words) => return Cow::Owned(format!("unknown failure: {words}")),
    })
}

/// The outcome of an attempt to which nothing came back.
pub const SILENCE: &str = "no reply";

/// The same in the words of the trade, for a line of evidence.
pub fn brief(failure: &Failure) -> Cow<'_, str> {
    Cow::Borrowed(match failure {
        Failure::ConnectionReset => "reset (RST)",
        Failure::ConnectionRefused => "refused (RST)",
        Failure::TimedOut | Failure::GenericTimeout => SILENCE,
        Failure::Eof => "closed without a reply",
        Failure::DnsNxdomain => "NXDOMAIN",
        Failure::DnsNoAnswer => "an answer without address",
        Failure::DnsRefused => "REFUSED",
        Failure::DnsServfail => "SERVFAIL",
        Failure::DnsBogon => "impossible address",
        other => return self::failure(other),
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

/// A status as a person says it; the report says `accessible` where this says `works`.
pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Accessible => "works",
        other => other.word(),
    }
}

/// An endpoint's status, with its symbol.
pub const fn endpoint_status(status: EndpointStatus) -> &'static str {
    match status {
        EndpointStatus::Accessible => "✓ works",
        EndpointStatus::Blocked => "✗ blocked",
        EndpointStatus::Down => "↓ down",
        EndpointStatus::Inconclusive => "? inconclusive",
        EndpointStatus::NotRun => "· not measured",
    }
}

/// The state of the network, and what to do about it.
pub const fn regime(regime: Regime) -> &'static str {
    match regime {
        Regime::Open => "open: the controls answer",
        Regime::CaptivePortal => {
            "captive portal: it answers in place of every server. Log in first, then run again."
        }
        Regime::AllowList => {
            "allow-list: only listed destinations pass, for every service. No service can be judged on its own."
        }
        Regime::DomesticOnly => {
            "domestic only: nothing outside the country passes. No service can be judged on its own."
        }
        Regime::Offline => {
            "offline: even the control servers do not answer. Check the connection, then run again."
        }
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

/// A time without the fraction of its second: `2026-11-30T19:21:24Z`.
pub fn to_the_second(time: &str) -> Cow<'_, str> {
    match time.split_once('.') {
        Some((second, fraction)) => {
            let zone = fraction.trim_start_matches(|it: char| it.is_ascii_digit());
            Cow::Owned(format!("{second}{zone}"))
        }
        None => Cow::Borrowed(time),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_time_is_shown_to_the_second() {
        let times = [
            "2026-11-30T19:21:24.099452245Z",
            "2026-11-30T19:21:24Z",
            "?",
        ];
        let shown = times.map(|time| to_the_second(time).into_owned());
        assert_eq!(shown, ["2026-11-30T19:21:24Z", "2026-11-30T19:21:24Z", "?"]);
        assert_eq!(to_the_second("1.5+02:00"), "1+02:00");
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
