//! A technique is what the censor looks at (trigger) and what it does (interference): the public vocabulary.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A trigger joined with an interference. Its id (`server_name/reset`) is part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Technique {
    /// What the censor looks at.
    pub trigger: Trigger,
    /// What the censor does.
    pub interference: Interference,
}

impl Technique {
    /// Joins a trigger and an interference.
    pub const fn new(trigger: Trigger, interference: Interference) -> Self {
        Self {
            trigger,
            interference,
        }
    }

    /// The public id, `trigger/interference`.
    pub fn id(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Technique {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}",
            self.trigger.word(),
            self.interference.word()
        )
    }
}

macro_rules! vocabulary {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            /// Every word of this list, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it stands in reports.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

vocabulary! {
    /// What the censor looks at.
    Trigger {
        /// The name in a DNS query.
        DomainName = "domain_name",
        /// A resolver address or its protocol (Do53, DoT, DoH) is itself interfered with.
        Resolver = "resolver",
        /// The destination IP, on every port tried.
        Address = "address",
        /// One IP and port, while another port of that IP answers.
        AddressPort = "address_port",
        /// The TLS server name, on any address.
        ServerName = "server_name",
        /// Only that name at that address.
        ServerNameAtAddress = "server_name_at_address",
        /// The shape of the ClientHello.
        TlsFingerprint = "tls_fingerprint",
        /// The Host header or URL.
        HttpHost = "http_host",
        /// QUIC as such.
        Quic = "quic",
        /// The server name inside QUIC.
        QuicServerName = "quic_server_name",
        /// The bytes of an app protocol (MTProto, Noise, STUN, DTLS).
        Protocol = "protocol",
        /// Bytes or packets so far on a flow.
        Volume = "volume",
        /// Connections in a window.
        ConnectionRate = "connection_rate",
        /// The whole line but a list (a regime).
        Everything = "everything",
    }
}

vocabulary! {
    /// What the censor does.
    Interference {
        /// The resolver says the name does not exist.
        Nxdomain = "nxdomain",
        /// An answer without addresses.
        NoAnswer = "no_answer",
        /// The resolver refuses this name.
        RefusedAnswer = "refused_answer",
        /// The resolver fails for this name.
        Servfail = "servfail",
        /// Addresses that are bogons, block-page hosts, or fail the TLS proof an honest address passes.
        FalseAnswer = "false_answer",
        /// Two different answers to one query, or an answer from an address that is no resolver.
        InjectedAnswer = "injected_answer",
        /// A public resolver's address is answered by somebody else.
        HijackedResolver = "hijacked_resolver",
        /// Silence.
        Drop = "drop",
        /// RST after the connection stood.
        Reset = "reset",
        /// RST or refusal on SYN.
        Refuse = "refuse",
        /// ICMP unreachable or prohibited, with the offender.
        Unreachable = "unreachable",
        /// FIN before an answer.
        Close = "close",
        /// A TLS alert the real server does not send.
        Alert = "alert",
        /// Another certificate chain.
        Intercept = "intercept",
        /// An HTTP answer of the censor's, in place or by redirect.
        Blockpage = "blockpage",
        /// Slower than its control, beyond chance.
        Throttle = "throttle",
        /// Stalls after N bytes or packets, without a reset.
        Freeze = "freeze",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_and_the_serialised_word_are_the_same() {
        for trigger in Trigger::ALL {
            assert_eq!(serde_json::to_value(trigger).unwrap(), trigger.word());
        }
        for interference in Interference::ALL {
            assert_eq!(
                serde_json::to_value(interference).unwrap(),
                interference.word()
            );
        }
    }
}
