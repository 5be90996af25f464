//! Why a step failed, in OONI's words (specification df-007), so that reports can be compared.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! failures {
    ($($(#[$meta:meta])* $variant:ident = $word:literal,)*) => {
        /// Why a step failed. The strings are OONI's, exactly.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Failure {
            $($(#[$meta])* $variant,)*
            /// Anything else, in words; written `unknown_failure: ...`. Never holds an address of the vantage.
            Unknown(String),
        }

        impl Failure {
            /// Every failure that has a fixed word.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// The string as it stands in reports.
            pub fn word(&self) -> Cow<'static, str> {
                match self {
                    $(Self::$variant => Cow::Borrowed($word),)*
                    Self::Unknown(words) => Cow::Owned(format!("unknown_failure: {words}")),
                }
            }

            /// Reads a report's string back; what is not known stays `Unknown`.
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Unknown(
                        other.strip_prefix("unknown_failure: ").unwrap_or(other).to_owned(),
                    ),
                }
            }
        }
    };
}

failures! {
    /// RST on SYN, or an ICMP port unreachable (the ICMP facts tell which).
    ConnectionRefused = "connection_refused",
    /// RST on an established connection.
    ConnectionReset = "connection_reset",
    /// ECONNABORTED.
    ConnectionAborted = "connection_aborted",
    /// EHOSTUNREACH.
    HostUnreachable = "host_unreachable",
    /// ENETUNREACH: usually no route at all.
    NetworkUnreachable = "network_unreachable",
    /// ENETDOWN.
    NetworkDown = "network_down",
    /// ENETRESET.
    NetworkReset = "network_reset",
    /// ETIMEDOUT, from the kernel.
    TimedOut = "timed_out",
    /// A deadline of ours.
    GenericTimeout = "generic_timeout_error",
    /// An orderly close before the bytes that were due.
    Eof = "eof_error",
    /// The run was interrupted or its time was up.
    Interrupted = "interrupted",
    /// EACCES or EPERM: a local firewall, not a censor.
    PermissionDenied = "permission_denied",
    /// EADDRNOTAVAIL: the vantage has no address of that family.
    AddressNotAvailable = "address_not_available",
    /// EAFNOSUPPORT.
    AddressFamilyNotSupported = "address_family_not_supported",
    /// EPROTONOSUPPORT or ENOPROTOOPT (an ICMP protocol unreachable).
    NoProtocolOption = "no_protocol_option",
    /// EMSGSIZE.
    MessageSize = "message_size",
    /// ENOBUFS.
    NoBufferSpace = "no_buffer_space",
    /// EINVAL.
    InvalidArgument = "invalid_argument",
    /// rcode 3.
    DnsNxdomain = "dns_nxdomain_error",
    /// NOERROR without a matching record.
    DnsNoAnswer = "dns_no_answer",
    /// rcode 5.
    DnsRefused = "dns_refused_error",
    /// rcode 2.
    DnsServfail = "dns_servfail_error",
    /// Any other rcode, or bytes that are no DNS message.
    DnsServerMisbehaving = "dns_server_misbehaving",
    /// Only replies with another id came.
    DnsWrongQueryId = "dns_reply_with_wrong_query_id",
    /// Every address of the answer is a bogon on this line.
    DnsBogon = "dns_bogon_error",
    /// EAI_AGAIN and its kin: the system's resolver could not say.
    DnsTemporaryFailure = "dns_temporary_failure",
    /// The certificate is for another name, or alert 112.
    SslInvalidHostname = "ssl_invalid_hostname",
    /// No trusted root above the chain.
    SslUnknownAuthority = "ssl_unknown_authority",
    /// Expired, not yet valid, or malformed.
    SslInvalidCertificate = "ssl_invalid_certificate",
    /// A fatal alert, or bytes that are not TLS; the facts tell which.
    SslFailedHandshake = "ssl_failed_handshake",
    /// The server speaks QUIC, and none of the versions that were offered.
    QuicIncompatibleVersion = "quic_incompatible_version",
    /// The peer's bytes are not HTTP, or break its rules.
    HttpRequestFailed = "http_request_failed",
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.word())
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word())
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_word(&Cow::<'_, str>::deserialize(deserializer)?))
    }
}

impl JsonSchema for Failure {
    fn schema_name() -> Cow<'static, str> {
        "Failure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut words: Vec<String> = Self::NAMED
            .iter()
            .map(|failure| failure.word().into_owned())
            .collect();
        words.push(r"unknown_failure: [\s\S]*".to_owned());
        json_schema!({
            "type": "string",
            "description": "Why the step failed; the strings are OONI's (df-007)",
            "pattern": format!("^({})$", words.join("|")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for failure in Failure::NAMED {
            assert_eq!(&Failure::from_word(&failure.word()), failure);
        }
        let unknown = Failure::Unknown("strange".to_owned());
        assert_eq!(Failure::from_word(&unknown.word()), unknown);
    }
}
