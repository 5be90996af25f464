//! Library and socket errors to failures in OONI's words: the only place where it is done.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use quinn_proto::ConnectionError;
use rustls::{AlertDescription, CertificateError};

use crate::measure::files;
use crate::model::failure::Failure;
use crate::model::observation::IcmpError;
use crate::wire::http3::Wrong;
use crate::wire::text;

/// Characters kept of an error nobody has a word for.
const MAX_WORDS: usize = 200;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        io_failure(&error)
    }
}

/// An error of a socket, or of a library that speaks through one.
pub fn io_failure(error: &io::Error) -> Failure {
    if let Some(code) = error.raw_os_error() {
        return os_failure(code, error);
    }
    if let Some(inner) = error.get_ref() {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return tls_failure(tls);
        }
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io_failure(inner);
        }
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Eof,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::ConnectionReset,
        io::ErrorKind::ConnectionRefused => Failure::ConnectionRefused,
        io::ErrorKind::ConnectionAborted => Failure::ConnectionAborted,
        io::ErrorKind::TimedOut => Failure::TimedOut,
        _ => unknown(&error.to_string()),
    }
}

/// An error of the TLS library. Certificates are judged by `trust`, so these are what broke the handshake itself.
pub fn tls_failure(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::AlertReceived(alert) if *alert == AlertDescription::UnrecognisedName => {
            Failure::SslInvalidHostname
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Failure::SslInvalidHostname,
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Failure::SslUnknownAuthority
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Failure::SslInvalidCertificate
        }
        _ => Failure::SslFailedHandshake,
    }
}

/// How quinn says that a connection was lost. A silent peer is the step's own deadline.
pub fn quic_failure(error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::VersionMismatch => Failure::QuicIncompatibleVersion,
        ConnectionError::ConnectionClosed(close) => closed_failure(u64::from(close.error_code)),
        ConnectionError::ApplicationClosed(_) => Failure::Eof,
        ConnectionError::Reset => Failure::ConnectionReset,
        ConnectionError::TimedOut => Failure::GenericTimeout,
        ConnectionError::TransportError(ours) if alert_of(u64::from(ours.code)).is_some() => {
            Failure::SslFailedHandshake
        }
        other => unknown(&other.to_string()),
    }
}

/// The peer's own CONNECTION_CLOSE, by its code (RFC 9000, 20.1).
fn closed_failure(code: u64) -> Failure {
    const CONNECTION_REFUSED: u64 = 2;
    match alert_of(code) {
        Some(alert) => tls_failure(&rustls::Error::AlertReceived(AlertDescription::from(alert))),
        None if code == CONNECTION_REFUSED => Failure::ConnectionRefused,
        None => Failure::Eof,
    }
}

/// The TLS alert that a code of QUIC's stands for (RFC 9001, 4.8).
pub fn alert_of(code: u64) -> Option<u8> {
    u8::try_from(code.checked_sub(0x100)?).ok()
}

/// An error that came back for a datagram. The kernel tells an ICMPv6 prohibition in the words of a local firewall.
pub fn refusal_failure(error: &io::Error, icmp: &[IcmpError]) -> Failure {
    let is_from_afar = icmp.iter().any(|it| !it.offender_is_own);
    if is_from_afar && error.raw_os_error() == Some(libc::EACCES) {
        return Failure::HostUnreachable;
    }
    io_failure(error)
}

/// An error of the HTTP library. `beneath` is how the stream under it ended, which the library may keep to itself
/// (its HTTP/2 half does): an error there comes first, unless the peer's bytes were already wrong.
pub fn http_failure(error: &hyper::Error, beneath: Option<Failure>) -> Failure {
    if error.is_parse() {
        return Failure::HttpRequestFailed;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io_failure(inner);
        }
        source = inner.source();
    }
    if let Some(failure) = beneath {
        return failure;
    }
    if error.is_incomplete_message() {
        return Failure::Eof;
    }
    Failure::HttpRequestFailed
}

/// Why an answer over HTTP/3 is none.
pub fn http3_failure(wrong: Wrong) -> Failure {
    match wrong {
        Wrong::Early => Failure::Eof,
        Wrong::Rule(_) => Failure::HttpRequestFailed,
    }
}

/// An error of `getaddrinfo`, which the standard library tells in the words of the C library (glibc's and musl's).
pub fn lookup_failure(error: &io::Error) -> Failure {
    const NXDOMAIN: [&str; 2] = ["Name or service not known", "Name does not resolve"];
    const NO_ANSWER: [&str; 3] = [
        "No address associated with hostname",
        "Address family for hostname not supported",
        "Name has no usable address",
    ];
    const TEMPORARY: [&str; 5] = [
        "Temporary failure in name resolution",
        "Try again",
        "Non-recoverable failure in name resolution",
        "Non-recoverable error",
        "System error",
    ];
    let words = error.to_string();
    let says = |list: &[&str]| list.iter().any(|text| words.contains(text));
    if says(&NXDOMAIN) {
        Failure::DnsNxdomain
    } else if says(&NO_ANSWER) {
        Failure::DnsNoAnswer
    } else if says(&TEMPORARY) {
        Failure::DnsTemporaryFailure
    } else {
        io_failure(error)
    }
}

/// A response code other than NOERROR.
pub fn rcode_failure(rcode: u16) -> Option<Failure> {
    match rcode {
        0 => None,
        2 => Some(Failure::DnsServfail),
        3 => Some(Failure::DnsNxdomain),
        5 => Some(Failure::DnsRefused),
        _ => Some(Failure::DnsServerMisbehaving),
    }
}

fn os_failure(code: i32, error: &io::Error) -> Failure {
    match code {
        libc::ECONNREFUSED => Failure::ConnectionRefused,
        libc::ECONNRESET | libc::EPIPE => Failure::ConnectionReset,
        libc::ECONNABORTED => Failure::ConnectionAborted,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => Failure::HostUnreachable,
        libc::ENETUNREACH => Failure::NetworkUnreachable,
        libc::ENETDOWN => Failure::NetworkDown,
        libc::ENETRESET => Failure::NetworkReset,
        libc::ETIMEDOUT => Failure::TimedOut,
        libc::EACCES | libc::EPERM => Failure::PermissionDenied,
        libc::EADDRNOTAVAIL => Failure::AddressNotAvailable,
        libc::EAFNOSUPPORT => Failure::AddressFamilyNotSupported,
        libc::EPROTONOSUPPORT | libc::ENOPROTOOPT => Failure::NoProtocolOption,
        libc::EMSGSIZE => Failure::MessageSize,
        libc::ENOBUFS => Failure::NoBufferSpace,
        libc::EINVAL => Failure::InvalidArgument,
        _ if files::is_out_of_files(error) => files::failure(),
        _ => unknown(&error.to_string()),
    }
}

/// Words of a library: without addresses, without control characters, bounded.
fn unknown(words: &str) -> Failure {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '%');
    let mut scrubbed = String::new();
    for piece in words.split_inclusive(|c: char| !is_part(c)) {
        let (word, rest) = match piece.char_indices().next_back() {
            Some((at, last)) if !is_part(last) => piece.split_at(at),
            _ => (piece, ""),
        };
        scrubbed.push_str(if is_address(word) { "[scrubbed]" } else { word });
        scrubbed.push_str(rest);
    }
    Failure::Unknown(text::escape(&scrubbed, MAX_WORDS))
}

fn is_address(word: &str) -> bool {
    let bare = word.trim_matches(['.', ':']);
    let without_zone = bare.split('%').next().unwrap_or(bare);
    let without_port = without_zone
        .rsplit_once(':')
        .map_or(without_zone, |(host, _)| host);
    let is_one = |text: &str| text.parse::<IpAddr>().is_ok();
    is_one(word) || is_one(bare) || is_one(without_zone) || is_one(without_port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_kernel_says_has_a_word() {
        let word = |code| Failure::from(io::Error::from_raw_os_error(code));
        assert_eq!(word(libc::EPERM), Failure::PermissionDenied);
        assert_eq!(word(libc::ENOPROTOOPT), Failure::NoProtocolOption);
        assert_eq!(word(libc::ECONNRESET), Failure::ConnectionReset);
        assert_eq!(word(libc::EHOSTUNREACH), Failure::HostUnreachable);
    }

    #[test]
    fn an_error_inside_an_error_is_found() {
        let alert = rustls::Error::AlertReceived(AlertDescription::UnrecognisedName);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, alert);
        assert_eq!(io_failure(&wrapped), Failure::SslInvalidHostname);
        let inner = io::Error::from_raw_os_error(libc::ECONNRESET);
        assert_eq!(
            io_failure(&io::Error::other(inner)),
            Failure::ConnectionReset
        );
    }

    #[test]
    fn both_c_libraries_are_understood() {
        let failure = |words: &str| {
            lookup_failure(&io::Error::other(format!(
                "failed to lookup address information: {words}"
            )))
        };
        assert_eq!(failure("Name or service not known"), Failure::DnsNxdomain);
        assert_eq!(failure("Name does not resolve"), Failure::DnsNxdomain);
        assert_eq!(failure("Try again"), Failure::DnsTemporaryFailure);
        assert_eq!(
            failure("No address associated with hostname"),
            Failure::DnsNoAnswer
        );
    }

    #[test]
    fn unknown_words_hold_no_address() {
        let told = unknown(
            "no route from 192.0.2.7:4711 to [2001:db8::1]:443, via fe80::1%eth0. Bad: \u{1b}[1m",
        );
        let Failure::Unknown(words) = told else {
            panic!("{told}")
        };
        assert_eq!(
            words,
            "no route from [scrubbed] to [[scrubbed]]:443, via [scrubbed]th0. Bad: \\u{1b}[1m"
        );
    }

    proptest! {
        #[test]
        fn no_address_survives_among_words(address: std::net::Ipv4Addr, before in "[ -~]{0,20} ", after in " [ -~]{0,20}") {
            let Failure::Unknown(words) = unknown(&format!("{before}{address}{after}")) else { panic!() };
            prop_assert!(!words.contains(&address.to_string()));
        }
    }
}
