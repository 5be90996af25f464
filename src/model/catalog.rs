//! What is measured: targets, services, endpoints, controls and resolvers, as loaded from `probes.toml`.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::check::parent_of;
use crate::model::custom::Custom;
use crate::model::observation::{HttpFacts, Operation};

/// Everything a run may measure. Read by every floor, written by none after loading.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Where the definitions came from and their digest.
    pub definitions: Definitions,
    /// What may be blocked.
    pub targets: Vec<Target>,
    /// What should work if only a target is filtered.
    pub controls: Vec<Control>,
    /// One entry for each operator, transport and address; those of the system come first.
    pub resolvers: Vec<Resolver>,
    /// Roots that are trusted for the endpoints that name them, and for nothing else.
    pub private_roots: Vec<PrivateRoot>,
    /// Addresses known to serve block pages, as facts with a source.
    pub block_pages: Vec<BlockPage>,
}

/// Where the definitions came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definitions {
    /// `embedded`, the name of a file without its directory, `<stdin>`, or `lab:SCENARIO`. Several are joined by ` + `.
    pub source: String,
    /// SHA-256 of the file's bytes, in hex; of several files, that of all their bytes in a row.
    pub sha256: String,
}

/// What may be blocked: WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Short, stable, `[a-z0-9_-]`: what the command line and the reports say.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// What it does for a person.
    pub services: Vec<Service>,
    /// Whether it is at home in the country whose censorship is looked at.
    #[serde(default = "foreign", skip_serializing_if = "is_foreign")]
    pub region: Region,
}

const fn foreign() -> Region {
    Region::Foreign
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_foreign(region: &Region) -> bool {
    *region == Region::Foreign
}

/// What a target does for a person: chat, web, registration, media, calls, push.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the definitions' own keys"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Short, stable, unique in its target.
    pub id: String,
    /// Without it the target is of no use: a target is blocked when every essential service is.
    pub essential: bool,
    /// Its endpoints stand in for one another: one that works is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pool: bool,
    /// Those of its endpoints that lead to the same host or address stand in for one another: a place is lost where all of them fail,
    /// and impaired where the first fails and another works.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_place: bool,
    /// Others do the same over another transport: its failure is told and does not lower the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alternative: bool,
    /// Where it is served.
    pub endpoints: Vec<Endpoint>,
}

/// A host or fixed addresses, with a port and a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Like a URL, unique in its target: `https://web.whatsapp.com/`, `mtproto_abridged://149.154.167.51:443`.
    pub id: String,
    /// The name asked of the resolvers, in lower case; `None` where only addresses are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Fixed addresses, measured besides what the resolvers say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// TCP or UDP port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The TLS server name, where it is not the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Path of the HTTP request; `/` by default.
    pub path: String,
    /// ALPN identifiers to offer in TLS; empty means the protocol's own (`h2`, `http/1.1` for `https`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// What is said and what must come back, where the definitions describe the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Box<Custom>>,
    /// What an honest answer looks like.
    #[serde(default, skip_serializing_if = "Expect::is_anything")]
    pub expect: Expect,
}

/// What an honest answer looks like. An empty list or `None` means that anything is honest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expect {
    /// HTTP statuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// A part of the HTML title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Text that the body contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The whole body, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Id of the private root (`Catalog::private_roots`) under which the chain may end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_root: Option<String>,
    /// The selected ALPN identifier begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// Public key that vouches for a Noise server, 64 hex digits.
    pub noise_root: Option<String>,
}

impl Expect {
    /// Whether any answer is honest.
    pub fn is_anything(&self) -> bool {
        *self == Self::default()
    }
}

/// What is spoken at an endpoint: a closed set, so the compiler names every place a new one needs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A TCP connection and nothing more.
    Tcp,
    /// A TLS handshake over TCP.
    Tls,
    /// HTTP in clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// WhatsApp's Noise handshake on raw TCP.
    WhatsappNoise,
    /// WhatsApp's Noise handshake inside a WebSocket.
    WhatsappWebsocket,
    /// Telegram, abridged transport.
    MtprotoAbridged,
    /// Telegram, intermediate transport.
    MtprotoIntermediate,
    /// Telegram, obfuscated2 transport.
    MtprotoObfuscated,
    /// Telegram over HTTP POST.
    MtprotoHttp,
    /// Telegram inside a WebSocket.
    MtprotoWebsocket,
    /// MAX's binary frames over TLS.
    MaxBinary,
    /// MAX's frames inside a WebSocket.
    MaxWebsocket,
    /// A WebSocket upgrade.
    Websocket,
    /// STUN Binding over UDP.
    Stun,
    /// TURN Allocate over UDP.
    Turn,
    /// STUN Binding over TCP: no definition names it, a relay that is silent over UDP is asked so.
    StunTcp,
    /// TURN Allocate over TCP, likewise.
    TurnTcp,
    /// A Telegram call reflector, over UDP.
    TelegramReflector,
    /// Apple's CommNAT, over UDP.
    Commnat,
    /// A QUIC handshake, and a request by HTTP/3 where that is spoken.
    Quic,
    /// What the definitions describe, over TCP.
    CustomTcp,
    /// What the definitions describe, over TLS.
    CustomTls,
    /// What the definitions describe, over UDP.
    CustomUdp,
}

impl Endpoint {
    /// Whether an answer in clear gives reason to ask who gave it: a known block page, a redirect to a stranger, a refusal,
    /// or something else than the definitions expect. The real server may do all of it.
    pub fn is_odd(&self, http: &HttpFacts, pages: &[BlockPage]) -> bool {
        let leads_away = http.redirect_host().is_some_and(|to| {
            let own = self.host.as_deref().unwrap_or_default();
            parent_of(&to) != parent_of(own)
        });
        pages.iter().any(|page| page.is(http))
            || leads_away
            || matches!(http.status, 403 | 451)
            || !self.expect.is_met(http)
    }
}

impl Expect {
    /// Whether an answer in clear is what the definitions call honest.
    pub fn is_met(&self, http: &HttpFacts) -> bool {
        let status = self.status.is_empty() || self.status.contains(&http.status);
        let body = self.body.as_deref().is_none_or(|body| {
            http.body.as_deref().unwrap_or_default() == body && !http.body_truncated
        });
        let contains = self.contains.is_none() || http.found == Some(true);
        let title = self.title.as_deref().is_none_or(|title| {
            let shown = http.title.as_deref();
            shown.is_some_and(|shown| shown.contains(title))
        });
        status && body && contains && title
    }
}

impl Protocol {
    /// The word of the definitions, also the scheme of an endpoint's id.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Https => "https",
            Self::WhatsappNoise => "whatsapp_noise",
            Self::WhatsappWebsocket => "whatsapp_websocket",
            Self::MtprotoAbridged => "mtproto_abridged",
            Self::MtprotoIntermediate => "mtproto_intermediate",
            Self::MtprotoObfuscated => "mtproto_obfuscated",
            Self::MtprotoHttp => "mtproto_http",
            Self::MtprotoWebsocket => "mtproto_websocket",
            Self::MaxBinary => "max_binary",
            Self::MaxWebsocket => "max_websocket",
            Self::Websocket => "websocket",
            Self::Stun => "stun",
            Self::Turn => "turn",
            Self::StunTcp => "stun_tcp",
            Self::TurnTcp => "turn_tcp",
            Self::TelegramReflector => "telegram_reflector",
            Self::Commnat => "commnat",
            Self::Quic => "quic",
            Self::CustomTcp => "custom_tcp",
            Self::CustomTls => "custom_tls",
            Self::CustomUdp => "custom_udp",
        }
    }

    /// Whether the definitions describe it.
    pub const fn is_custom(self) -> bool {
        matches!(self, Self::CustomTcp | Self::CustomTls | Self::CustomUdp)
    }

    /// The same question over TCP, where servers of this protocol answer there too (RFC 8489, 6.2.2; RFC 8656, 2.1).
    pub const fn over_tcp(self) -> Option<Self> {
        match self {
            Self::Stun => Some(Self::StunTcp),
            Self::Turn => Some(Self::TurnTcp),
            _ => None,
        }
    }

    /// Every protocol that definitions name by its word; besides these they describe some, each over TCP, TLS or UDP.
    pub const ALL: &'static [Self] = &[
        Self::Tcp,
        Self::Tls,
        Self::Http,
        Self::Https,
        Self::WhatsappNoise,
        Self::WhatsappWebsocket,
        Self::MtprotoAbridged,
        Self::MtprotoIntermediate,
        Self::MtprotoObfuscated,
        Self::MtprotoHttp,
        Self::MtprotoWebsocket,
        Self::MaxBinary,
        Self::MaxWebsocket,
        Self::Websocket,
        Self::Stun,
        Self::Turn,
        Self::TelegramReflector,
        Self::Commnat,
        Self::Quic,
    ];

    /// The steps from the ground up, the app's own included.
    pub const fn ladder(self) -> &'static [Operation] {
        use Operation::{Exchange, HttpRoundTrip, QuicHandshake, TcpConnect, TlsHandshake};
        match self {
            Self::Tcp => &[TcpConnect],
            Self::Tls => &[TcpConnect, TlsHandshake],
            Self::Http => &[TcpConnect, HttpRoundTrip],
            Self::Https => &[TcpConnect, TlsHandshake, HttpRoundTrip],
            Self::WhatsappNoise
            | Self::MtprotoAbridged
            | Self::MtprotoIntermediate
            | Self::MtprotoObfuscated
            | Self::MtprotoHttp
            | Self::StunTcp
            | Self::TurnTcp
            | Self::CustomTcp => &[TcpConnect, Exchange],
            Self::WhatsappWebsocket
            | Self::MtprotoWebsocket
            | Self::MaxBinary
            | Self::MaxWebsocket
            | Self::Websocket
            | Self::CustomTls => &[TcpConnect, TlsHandshake, Exchange],
            Self::Stun | Self::Turn | Self::TelegramReflector | Self::Commnat | Self::CustomUdp => {
                &[Exchange]
            }
            Self::Quic => &[QuicHandshake, HttpRoundTrip],
        }
    }

    /// Whether it is spoken over UDP.
    pub fn is_udp(self) -> bool {
        self.ladder().first() != Some(&Operation::TcpConnect)
    }

    /// Whether calls go over it: a relay's protocol over UDP, or Apple's test of the NAT.
    pub const fn is_relay(self) -> bool {
        matches!(
            self,
            Self::Stun | Self::Turn | Self::TelegramReflector | Self::Commnat
        )
    }

    /// Whether TLS is part of the ladder.
    pub fn is_tls(self) -> bool {
        self.ladder().contains(&Operation::TlsHandshake)
    }

    /// Whether a server name is part of the ladder: TLS's, on its own or inside QUIC.
    pub fn has_server_name(self) -> bool {
        self.is_tls() || self == Self::Quic
    }
}

/// What should work if only a target is filtered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// Short and stable.
    pub id: String,
    /// Who runs it; controls of one operator count once.
    pub operator: String,
    /// Inside the country whose censorship is looked at, or outside.
    pub region: Region,
    /// An endpoint with an exact expectation.
    pub endpoint: Endpoint,
}

/// Where something stands, seen from the censor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Under the censor's law.
    Domestic,
    /// Outside it.
    Foreign,
}

/// One resolver at one address by one transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolver {
    /// `google/udp/8.8.8.8`; `system/udp/192.168.1.1` for the system's own.
    pub id: String,
    /// What a person calls it: the operator's short id.
    pub name: String,
    /// Who runs it; resolvers of one operator count once.
    pub operator: String,
    /// What it is to us.
    pub role: ResolverRole,
    /// Where it stands.
    pub region: Region,
    /// How it is asked.
    pub transport: Transport,
    /// Where it is asked.
    pub address: SocketAddr,
    /// Name in its certificate (DoT, DoH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Path of DoH; `/dns-query` by default.
    pub path: String,
    /// It stands on this machine or in a network that this machine is directly connected to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_local: bool,
}

/// What a resolver is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolverRole {
    /// What this machine is told to use: the ordinary path.
    System,
    /// A public resolver: the contrast.
    Public,
    /// A national system's resolver, asked for what it says, never believed as a contrast.
    National,
    /// An address where no resolver is: any answer comes from the path.
    Decoy,
}

/// How a resolver is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Plain DNS over UDP.
    Udp,
    /// Plain DNS over TCP.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Dot,
    /// DNS over HTTPS (RFC 8484, wire form).
    Doh,
}

impl Transport {
    /// The word of definitions and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Dot => "dot",
            Self::Doh => "doh",
        }
    }

    /// Whether the answers are protected by a certificate.
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Dot | Self::Doh)
    }
}

/// A root that is trusted only where an endpoint names it.
#[derive(Clone, Debug)]
pub struct PrivateRoot {
    /// Short and stable: `apple`, `russian_trusted_ca`.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// DER certificates.
    pub certificates: Vec<Vec<u8>>,
}

/// What somebody's block page is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockPage {
    /// Whose page it is.
    pub operator: String,
    /// Exact addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// Hosts that redirects to it lead to, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Texts on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
}

impl BlockPage {
    /// Whether an answer in clear is this page, or leads to it.
    pub fn is(&self, http: &HttpFacts) -> bool {
        let leads_to_it = http
            .redirect_host()
            .is_some_and(|host| self.hosts.contains(&host));
        let body = http.body.as_deref().unwrap_or_default();
        leads_to_it || self.texts.iter().any(|text| body.contains(text.as_str()))
    }
}
