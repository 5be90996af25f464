//! The shape of a definitions file for editors and validators: what `blockprobe schema definitions` prints.
//!
//! The file itself is read by hand, key by key, because serde stops at the first error; a test keeps the two alike.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use crate::catalog::custom::{CUSTOM, OVER};
use crate::model::catalog::{Protocol, Region};

/// Definitions of what blockprobe measures.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "blockprobe definitions")]
pub struct File {
    /// `default` adds the targets compiled into blockprobe to those of this file.
    pub include: Option<Include>,
    /// What may be blocked. At least one, unless `include` brings some.
    #[schemars(default)]
    pub target: Vec<Target>,
    /// What should work if only a target is filtered. Replaces the built-in controls; without any they are kept.
    #[schemars(default)]
    pub control: Vec<Control>,
    /// Resolvers to ask besides the system's. Replaces the built-in ones; without any they are kept.
    #[schemars(default)]
    pub resolver: Vec<Resolver>,
    /// Roots trusted only where an endpoint names them. Added to the built-in ones; the same id replaces.
    #[schemars(default)]
    pub private_root: Vec<PrivateRoot>,
    /// Addresses known to serve block pages. Added to the built-in ones.
    #[schemars(default)]
    pub block_page: Vec<BlockPage>,
}

/// What can be included.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Include {
    /// The definitions compiled into blockprobe.
    Default,
}

/// What may be blocked: WhatsApp.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Target {
    /// What the command line and the reports say; unique.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// What a person calls it.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Whether it is at home in the country whose censorship is looked at; `foreign` by default.
    #[schemars(default)]
    pub region: Option<Region>,
    /// What it does for a person.
    #[schemars(length(min = 1))]
    pub service: Vec<Service>,
}

/// What a target does for a person: chat, web, registration, media, calls, push.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the definitions' own keys"
)]
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Service {
    /// Unique in its target.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// Without it the target is of no use: a target is blocked when every essential service is.
    #[schemars(default)]
    pub essential: bool,
    /// Its endpoints stand in for one another: one that works is enough.
    #[schemars(default)]
    pub pool: bool,
    /// Those of its endpoints that lead to the same host (or, without a host, the same address) stand in for one another: a
    /// place is lost where all of them fail, and impaired where the first fails and another works. Not beside `pool`.
    #[schemars(default)]
    pub by_place: bool,
    /// Others do the same over another transport: its failure is told and does not lower the target. Not beside `essential`.
    #[schemars(default)]
    pub alternative: bool,
    /// Where it is served.
    #[schemars(length(min = 1))]
    pub endpoint: Vec<Endpoint>,
}

/// One endpoint for each host and port; or for each address and port where only addresses are given.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// What is spoken there.
    pub protocol: Spoken,
    /// What a `custom` protocol goes over, which needs it.
    pub over: Option<Over>,
    /// Host names. Needed unless `addresses` is there.
    #[schemars(default)]
    pub hosts: Vec<String>,
    /// Fixed addresses. With `hosts`, each host is also measured at these.
    #[schemars(default)]
    pub addresses: Vec<String>,
    /// The protocol's usual port by default: 80 for `http` and `mtproto_http`, 3478 for `stun` and `turn`, 443 for the others;
    /// `tcp`, `telegram_reflector`, `commnat` and `custom` have none and need it.
    #[schemars(default, inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
    /// Path and query of the request; `/` by default.
    #[schemars(regex(pattern = r"^/"))]
    pub path: Option<String>,
    /// Name sent and expected in TLS, where it is not the host.
    pub server_name: Option<String>,
    /// ALPN identifiers offered in TLS; by default the protocol's own.
    #[schemars(default, length(max = 16))]
    pub alpn: Vec<String>,
    /// First message of a `custom` protocol, at most 4096 bytes, 1200 over UDP; without it the server speaks first.
    pub send: Option<Octets>,
    /// What an honest answer looks like; anything by default.
    pub expect: Option<Expect>,
}

/// What an honest answer looks like. What is left out is not judged.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Expect {
    /// Any of these HTTP statuses.
    #[schemars(default, inner(range(min = 100, max = 599)))]
    pub status: Vec<u16>,
    /// A part of the HTML title.
    #[schemars(length(min = 1, max = 256))]
    pub title: Option<String>,
    /// Text that the body contains; bytes that the answer of a `custom` protocol contains.
    pub contains: Option<Octets>,
    /// The whole body, byte for byte; it may be empty.
    #[schemars(length(max = 4096))]
    pub body: Option<String>,
    /// The answer of a `custom` protocol begins so.
    pub prefix: Option<Octets>,
    /// Regular expression found in the answer of a `custom` protocol. It reads bytes, and has no word for the answer's end.
    #[schemars(length(min = 1, max = 1024))]
    pub regex: Option<String>,
    /// Id of the private root under which the certificate chain may end.
    pub private_root: Option<String>,
    /// The selected ALPN identifier begins so.
    pub alpn: Option<String>,
    /// Public key that vouches for a Noise server: 32 bytes in hexadecimal digits.
    #[schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$"))]
    pub noise_root: Option<String>,
}

/// A protocol that blockprobe speaks, or `custom`: one that the table describes.
pub struct Spoken;

impl JsonSchema for Spoken {
    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    /// The protocols of reports, with one word for all that the definitions describe.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Protocol::json_schema(generator);
        if let Some(words) = schema.get_mut("oneOf").and_then(|it| it.as_array_mut()) {
            words.retain(|word| OVER.iter().all(|(_, it)| word["const"] != it.word()));
            words.push(json!({
                "description": "What `over`, `send` and `expect` describe.",
                "type": "string",
                "const": CUSTOM
            }));
        }
        schema
    }
}

/// What a `custom` protocol goes over.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Over {
    /// A TCP connection.
    Tcp,
    /// A TLS handshake over TCP.
    Tls,
    /// Datagrams.
    Udp,
}

/// Bytes.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Octets {
    /// Those of this text.
    Plain(#[schemars(length(min = 1, max = 4096))] String),
    /// Spelt out.
    Spelt(Spelling),
}

/// How bytes are spelt.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Spelling {
    /// Two hexadecimal digits for each, spaces between them as one likes.
    Hex(#[schemars(regex(pattern = r"^\s*([0-9A-Fa-f]{2}\s*)+$"))] String),
    /// Those of this text.
    Text(#[schemars(length(min = 1, max = 4096))] String),
}

/// What should work if only a target is filtered.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Control {
    /// Unique among controls.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// Who runs it; controls of one operator count once.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub operator: String,
    /// Under the censor's law or outside it.
    pub region: Region,
    /// `http`, `https`, `tls`, `tcp`, `quic` or `stun`.
    pub protocol: Spoken,
    /// The host name.
    pub host: String,
    /// The protocol's usual port by default; `tcp` needs it.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Path and query of the request; `/` by default.
    #[schemars(regex(pattern = r"^/"))]
    pub path: Option<String>,
    /// What an honest answer looks like: as exact as possible, for it unmasks captive portals.
    pub expect: Option<Expect>,
}

/// One resolver, asked at each address by each transport.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Resolver {
    /// What a person calls it. Tables may share it as long as no address and transport is there twice.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// Who runs it; resolvers of one operator count once.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub operator: String,
    /// What it is to us.
    pub role: Role,
    /// Under the censor's law or outside it.
    pub region: Region,
    /// Where it is asked: DNS names of resolvers are never resolved.
    #[schemars(length(min = 1))]
    pub addresses: Vec<String>,
    /// How it is asked: ports 53, 53, 853 and 443.
    #[schemars(length(min = 1))]
    pub transports: Vec<Transport>,
    /// Name in its certificate; needed for `dot` and `doh`.
    pub server_name: Option<String>,
    /// The same for `dot` alone.
    pub dot_name: Option<String>,
    /// The same for `doh` alone.
    pub doh_name: Option<String>,
    /// Request path of `doh`; `/dns-query` by default.
    #[schemars(regex(pattern = r"^/"))]
    pub path: Option<String>,
}

/// What a resolver is to us.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Role {
    /// A public resolver: the contrast.
    Public,
    /// A national system's resolver, asked for what it says, never believed as a contrast.
    National,
    /// An address where no resolver is: any answer comes from the path.
    Decoy,
}

/// How a resolver is asked.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Transport {
    /// Plain DNS over UDP.
    Udp,
    /// Plain DNS over TCP.
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over HTTPS.
    Doh,
}

/// A root that is trusted only where an endpoint names it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PrivateRoot {
    /// What `expect.private_root` names.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub id: String,
    /// What a person calls it.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Certificates of certification authorities in PEM, one to a text.
    #[schemars(length(min = 1))]
    pub certificates: Vec<String>,
}

/// Addresses known to serve somebody's block page.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BlockPage {
    /// Whose page it is.
    #[schemars(length(min = 1, max = 100))]
    pub operator: String,
    /// Exact addresses.
    #[schemars(default)]
    pub addresses: Vec<String>,
    /// Hosts that redirects to the page lead to.
    #[schemars(default)]
    pub hosts: Vec<String>,
    /// Texts that the page contains and no honest answer does.
    #[schemars(default, inner(length(min = 1, max = 200)))]
    pub texts: Vec<String>,
}
