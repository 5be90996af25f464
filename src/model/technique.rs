//! A technique is what the censor looks at (trigger) and what it does (interference). These words are public.

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
        /// The address of a DNS resolver, or its protocol (Do53, DoT, DoH).
        Resolver = "resolver",
        /// The destination IP address, on every port that was tried.
        Address = "address",
        /// One port of an IP address, while another port of that address answers.
        AddressPort = "address_port",
        /// The TLS server name (SNI), at any address.
        ServerName = "server_name",
        /// The TLS server name (SNI), at the target's own address only.
        ServerNameAtAddress = "server_name_at_address",
        /// The shape of the ClientHello.
        TlsFingerprint = "tls_fingerprint",
        /// The Host header or the URL of a request in clear text.
        HttpHost = "http_host",
        /// QUIC, whatever the server name.
        Quic = "quic",
        /// The server name (SNI) inside QUIC.
        QuicServerName = "quic_server_name",
        /// The bytes of an app's protocol (MTProto, Noise, STUN, DTLS).
        Protocol = "protocol",
        /// The number of bytes or packets on a connection.
        Volume = "volume",
        /// The number of connections in a period.
        ConnectionRate = "connection_rate",
        /// Everything outside a short list.
        Everything = "everything",
    }
}

vocabulary! {
    /// What the censor does.
    Interference {
        /// The resolver says that the name does not exist.
        Nxdomain = "nxdomain",
        /// The answer has no addresses.
        NoAnswer = "no_answer",
        /// The resolver refuses to answer for this name.
        RefusedAnswer = "refused_answer",
        /// The resolver fails for this name.
        Servfail = "servfail",
        /// The answer has addresses of no real server, of a block page, or of a server that fails the TLS check.
        FalseAnswer = "false_answer",
        /// One query gets two different answers, or an answer from an address without a resolver.
        InjectedAnswer = "injected_answer",
        /// Another server answers at the address of a public resolver.
        HijackedResolver = "hijacked_resolver",
        /// Packets get no reply.
        Drop = "drop",
        /// The connection is reset (RST) after it was established.
        Reset = "reset",
        /// The connection is refused (RST in reply to SYN).
        Refuse = "refuse",
        /// A router says by ICMP that the destination is unreachable or prohibited.
        Unreachable = "unreachable",
        /// The connection is closed (FIN) before a reply.
        Close = "close",
        /// A TLS alert comes that the real server does not send.
        Alert = "alert",
        /// Another certificate comes than the server's own.
        Intercept = "intercept",
        /// A page of the censor comes, directly or by redirect.
        Blockpage = "blockpage",
        /// Transfers are slower than those of controls, by more than chance.
        Throttle = "throttle",
        /// Transfers stall after some bytes or packets, without a reset.
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
