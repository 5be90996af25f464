//! One planned measurement, as plain data: a plan can be printed, saved and compared.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::catalog::Protocol;
use crate::model::custom::Custom;

/// The subject of checks of the line itself.
pub const GROUND: &str = "ground";

/// One planned measurement. Two checks with the same id are the same measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Says everything that makes the check itself: round, subject, question, trial.
    pub id: String,
    /// When in the run.
    pub round: Round,
    /// On whose behalf: a target's id, or `ground`.
    pub subject: String,
    /// Ids of the endpoints that this check speaks for; empty for name and resolver checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// What it is for.
    pub role: Role,
    /// 1 for the first of its kind, more for repetitions.
    pub trial: u32,
    /// Which check failed and what was changed, for checks of the contrast round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
    /// What is asked of the network.
    #[serde(flatten)]
    pub ask: Ask,
}

/// The round a check belongs to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// The line itself.
    Ground,
    /// Every host name at every resolver.
    Resolve,
    /// Every endpoint at the addresses found.
    Reach,
    /// What failed, again, with one thing changed.
    Contrast,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A target's own name or endpoint.
    Target,
    /// A control's name or endpoint.
    Control,
    /// Who really answers at a resolver's address.
    Identity,
    /// A name that household filters block and censors do not.
    Canary,
}

/// How a check of the contrast round relates to the check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contrast {
    /// Id of the check that failed.
    pub of: String,
    /// The one thing that differs from it.
    pub varies: Variation,
}

/// The one thing that differs from the check that failed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Variation {
    /// Nothing: a repetition.
    Nothing,
    /// An innocuous server name of the same length at the same address.
    ServerName,
    /// The same server name at a control's address.
    Address,
    /// The innocuous name at the control's address: what the control does with a name it does not know.
    Both,
    /// Another port of the same address.
    Port,
    /// A neutral `Host` at the same address, in clear.
    Host,
    /// The same ClientHello or request in two writes, cut inside the name: a box that does not put them together again is
    /// blind to it, a server is not.
    Split,
    /// The same name in a ClientHello of another shape and size; in QUIC, a version that nobody speaks.
    Shape,
    /// The same connection with fewer hops to live.
    Hops,
    /// Random bytes of the same length in place of the protocol's own.
    Payload,
    /// The same first bytes over another transport.
    Transport,
    /// Another address of the same network, on the same port, where connections stood before.
    Neighbour,
}

/// What is asked of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// The system's own view of a name, as applications get it (`getaddrinfo`).
    Lookup {
        /// Host name.
        name: String,
    },
    /// A raw query to one resolver.
    Query {
        /// `Resolver::id`.
        resolver: String,
        /// Name in the query.
        name: String,
        /// `A`, `AAAA`, `TXT`.
        record: RecordType,
        /// Ask in class CH instead of IN.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        chaos: bool,
    },
    /// One address, up a protocol's whole ladder.
    Climb(Climb),
}

/// DNS record types the product asks for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Texts.
    Txt,
}

impl RecordType {
    /// The word of reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Txt => "TXT",
        }
    }
}

/// One address, up a protocol's whole ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Climb {
    /// Where to.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// The host the address was found for; `None` for fixed addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Server name of the ClientHello and of the name check; `None` sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// ALPN identifiers to offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// Path of the HTTP request.
    pub path: String,
    /// Text to look for in the whole body, also past the part that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_for: Option<String>,
    /// Id of the private root that is right here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_root: Option<String>,
    /// Public key that vouches for a Noise server, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_root: Option<String>,
    /// What is said and what must come back, where the definitions describe the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// How the ClientHello (or, in clear, the request) is sent.
    #[serde(default, skip_serializing_if = "Hello::is_plain")]
    pub hello: Hello,
    /// What is sent as the app's first message.
    #[serde(default, skip_serializing_if = "Payload::is_own")]
    pub payload: Payload,
    /// Hops that the packets of the connection may live; the system's own number if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops: Option<u8>,
}

/// What is sent as the first message of an app's own protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The protocol's own.
    #[default]
    Own,
    /// Random bytes: nobody can know them.
    Random,
    /// STUN as it was before it had a magic cookie (RFC 3489).
    WithoutCookie,
}

impl Payload {
    /// Whether nothing is changed.
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }
}

/// How a ClientHello (or a request in clear) is made and sent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Hello {
    /// As the library makes it, in one write: X25519 alone, some 250 bytes.
    #[default]
    Plain,
    /// The same in two writes, cut inside the name.
    Split,
    /// With a post-quantum key share, as browsers of 2026 send it: some 1500 bytes, two segments.
    Large,
    /// TLS 1.2 alone: no key share, another list of cipher suites.
    Old,
    /// QUIC alone: no ClientHello but a datagram as long as one, of a version that nobody speaks. Whoever speaks QUIC
    /// answers it with the versions he knows (RFC 9000, 6), for everybody and whatever the name.
    Greased,
}

/// The domain under which names share their fate: the last two labels.
pub fn parent_of(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.').skip(1);
    dots.next().map_or(name, |(at, _)| &name[at + 1..])
}

impl Hello {
    /// Whether nothing is changed.
    pub const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}
