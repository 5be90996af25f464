//! What happened: one observation for each planned check, undigested and without judgement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::check::Check;
use crate::model::failure::Failure;

/// Why a check was not run where this machine had no open files left for it.
pub const OUT_OF_FILES: &str = "this machine ran out of open files";

/// What one check saw: one ladder, one failure, that of its last step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// `o1`, `o2`, ... in the order in which the checks began; what `evidence` refers to.
    pub id: String,
    /// What was planned.
    pub check: Check,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// Why the climb stopped before its top without having failed (or never began).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
}

impl Observation {
    /// The failure of the last step.
    pub fn failure(&self) -> Option<&Failure> {
        self.steps.last().and_then(|step| step.failure.as_ref())
    }

    /// The step of that operation, if it was begun.
    pub fn step(&self, operation: Operation) -> Option<&Step> {
        self.steps.iter().find(|step| step.operation == operation)
    }

    /// Whether that operation was begun and did not fail.
    pub fn reached(&self, operation: Operation) -> bool {
        self.step(operation)
            .is_some_and(|step| step.failure.is_none())
    }

    /// Whether every step taken worked, and at least one was taken.
    pub fn is_success(&self) -> bool {
        !self.steps.is_empty() && self.failure().is_none()
    }

    /// Whether not even the first step was taken.
    pub fn is_not_run(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One rung: timed, bounded, classified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Which rung.
    pub operation: Operation,
    /// Seconds since the run began, at the start.
    pub t0: f64,
    /// Seconds since the run began, at the end.
    pub t: f64,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// What the resolver said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Box<DnsFacts>>,
    /// What the kernel knows of the connection, at the end of this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Box<TcpFacts>>,
    /// What the handshake showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<TlsFacts>>,
    /// What came over UDP beside it, where the connection was QUIC's: up to the end of this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quic: Option<Box<QuicFacts>>,
    /// What the server answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpFacts>>,
    /// What the app's own protocol brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<ExchangeFacts>>,
}

/// The rungs, lowest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A name became addresses.
    Resolve,
    /// SYN to SYN-ACK.
    TcpConnect,
    /// ClientHello to Finished.
    TlsHandshake,
    /// The same over QUIC.
    QuicHandshake,
    /// Request to the end of the (bounded) body.
    HttpRoundTrip,
    /// The app's own first message and its answer.
    Exchange,
}

/// What one DNS query brought back, in order of arrival, until its window closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DnsFacts {
    /// Datagrams or messages sent for this query, repetitions included.
    pub sent: u32,
    /// Everything that came back.
    pub replies: Vec<DnsReply>,
    /// Bogons among the addresses of all replies, as this line defines them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bogons: Vec<String>,
    /// HTTP status of the DoH server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

impl DnsFacts {
    /// The first reply that is well formed and ours; one that was cut counts only if no whole one came.
    pub fn accepted(&self) -> Option<&DnsReply> {
        let is_ours = |reply: &&DnsReply| reply.id_matches && reply.malformed.is_none();
        let mut whole = self.replies.iter().filter(|reply| !reply.truncated);
        whole
            .find(is_ours)
            .or_else(|| self.replies.iter().find(is_ours))
    }

    /// The addresses of the accepted reply, as written in it.
    pub fn addresses(&self) -> Vec<String> {
        let accepted = self.accepted().into_iter();
        let addresses = accepted.flat_map(DnsReply::addresses);
        addresses.map(str::to_owned).collect()
    }
}

/// One reply.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the header's own bits"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DnsReply {
    /// Seconds since the run began.
    pub t: f64,
    /// Length of the message in bytes; 0 for the system's own view.
    pub bytes: u32,
    /// Whether id and question are ours.
    pub id_matches: bool,
    /// Why the bytes are no DNS message, if they are none; the header may still be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
    /// Response code (0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED).
    pub rcode: u16,
    /// AA.
    pub authoritative: bool,
    /// RA.
    pub recursion_available: bool,
    /// AD.
    pub authentic: bool,
    /// TC.
    pub truncated: bool,
    /// The answer section.
    pub answers: Vec<DnsAnswer>,
    /// Owner name of the SOA in the authority section: a genuine NODATA or NXDOMAIN has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soa: Option<String>,
}

impl DnsReply {
    /// Addresses among the answers, as text.
    pub fn addresses(&self) -> Vec<&str> {
        self.answers
            .iter()
            .filter(|answer| answer.record == "A" || answer.record == "AAAA")
            .map(|answer| answer.value.as_str())
            .collect()
    }
}

/// One resource record of the answer section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsAnswer {
    /// Owner name.
    pub name: String,
    /// Type, as its mnemonic.
    pub record: String,
    /// Seconds to live.
    pub ttl: u32,
    /// An address, a name or text; bounded and escaped.
    pub value: String,
}

/// What the kernel knows of a TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TcpFacts {
    /// Smoothed round-trip time, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Segments sent and not acknowledged at the end of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacked: Option<u32>,
    /// Segments sent again since the connection began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    /// Bytes the peer acknowledged since the connection began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_acked: Option<u64>,
    /// Payload bytes received since the connection began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    /// ICMP errors from the socket's error queue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub icmp: Vec<IcmpError>,
}

/// One ICMP error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IcmpError {
    /// ICMP or ICMPv6 type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who sent it; `None` where the kernel does not say.
    pub offender: Option<String>,
    /// The offender is an address of the vantage itself: a local firewall.
    pub offender_is_own: bool,
}

impl IcmpError {
    /// RFC 792: type 11, RFC 4443: type 3, code 0: the packet had no hops left. In the other family type 3 is unreachable,
    /// so the family must be told.
    pub const fn is_time_exceeded(&self, is_ipv4: bool) -> bool {
        matches!(
            (is_ipv4, self.kind, self.code),
            (true, 11, 0) | (false, 3, 0)
        )
    }
}

/// What a TLS handshake showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsFacts {
    /// Length of the ClientHello record on the wire, bytes; in QUIC, of the first datagram.
    pub client_hello_bytes: u32,
    /// Bytes received up to the end of this step.
    pub received_bytes: u64,
    /// The first bytes received, in hex (at most 32), when the handshake failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_received: Option<String>,
    /// Clear text received where TLS was due (at most 1 KiB), escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_text: Option<String>,
    /// `TLS1.2`, `TLS1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Selected ALPN identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// Number of the fatal alert received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<u8>,
    /// The chain as sent, leaf first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<CertificateFacts>,
    /// Whether the leaf is for the name that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_matches: Option<bool>,
    /// What the chain ends under: `public`, `added` (`--ca-file`), a private root's id; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_by: Option<String>,
    /// Whether the leaf's validity includes the vantage's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_now: Option<bool>,
}

impl TlsFacts {
    /// Whether the peer proved to be who it was asked to be.
    pub fn is_proof(&self) -> bool {
        self.name_matches == Some(true) && self.trusted_by.is_some() && self.valid_now == Some(true)
    }
}

/// What passed over UDP since a QUIC handshake began, or in place of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuicFacts {
    /// Version of our first datagram, in hex: `00000001`, or one that nobody speaks.
    pub version: String,
    /// Datagrams sent, repetitions included.
    pub sent: u32,
    /// Datagrams received.
    pub received: u32,
    /// Payload bytes of those.
    pub received_bytes: u64,
    /// Versions that a Version Negotiation offered, in hex (at most 16).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// ICMP errors that came back for our datagrams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub icmp: Vec<IcmpError>,
    /// Code of the peer's CONNECTION_CLOSE, as the transport has it: 256 and more are TLS alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_code: Option<u64>,
    /// The same where the application closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_close_code: Option<u64>,
    /// Whether the server acknowledged the whole request that followed the handshake, or began to answer it: nobody else can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_acknowledged: Option<bool>,
}

impl QuicFacts {
    /// Version 1 (RFC 9000), as it stands in the facts.
    pub const V1: &'static str = "00000001";

    /// Whether a Version Negotiation says that the server speaks version 1.
    pub fn offers_v1(&self) -> bool {
        self.versions.iter().any(|version| version == Self::V1)
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateFacts {
    /// SHA-256 of the DER bytes, hex. Absent where its names hold an address that is scrubbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Subject, as text.
    pub subject: String,
    /// Issuer, as text.
    pub issuer: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// DNS names of the leaf (at most 16).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What an HTTP server answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HttpFacts {
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`.
    pub version: String,
    /// Status code.
    pub status: u16,
    /// Headers worth keeping, names in lower case, values bounded; never cookies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Body bytes read, before decompression.
    pub body_bytes: u64,
    /// The body went on past what was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
    /// SHA-256 of the bytes read, hex. Absent where they hold an address that is scrubbed, or are fewer than 64: such a
    /// hash can be turned back into the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// The beginning of a text body (at most 4 KiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Content of the first `<title>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the text looked for occurs in the body read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<bool>,
}

/// What came back to the first message of an app's own protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangeFacts {
    /// Payload bytes sent, before and after what came back.
    pub sent_bytes: u64,
    /// Payload bytes received.
    pub received_bytes: u64,
    /// The first bytes received, in hex (at most 32), when the exchange failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_received: Option<String>,
    /// Clear text received where the protocol was due (at most 1 KiB), escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_text: Option<String>,
    /// How far the answer proves itself.
    pub stage: Stage,
    /// Status of an HTTP answer to an upgrade or to a POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What the answer says, by name: `country`, `fingerprints`, `error`. Bounded and escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<(String, String)>,
    /// Datagrams sent, one by one, for protocols over UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<u32>,
    /// Round trips of those that were answered, seconds, in the order of sending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub round_trips: Vec<f64>,
    /// ICMP errors that came back for datagrams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub icmp: Vec<IcmpError>,
}

/// How far the answer of an app's own protocol proves itself. The order is from least to most.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing came back.
    #[default]
    Silent,
    /// Some bytes came back.
    Answered,
    /// They are a message of the protocol.
    Parsed,
    /// It answers this very request: its nonce, id or keys are in it.
    Bound,
    /// A key that the definitions name vouches for the server.
    Authentic,
}

impl HttpFacts {
    /// The host that a redirect leads to, in lower case.
    pub fn redirect_host(&self) -> Option<String> {
        if !(300..400).contains(&self.status) {
            return None;
        }
        let (_, rest) = self.header("location")?.split_once("//")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        (!host.is_empty()).then(|| host.to_ascii_lowercase())
    }

    /// The value of a kept header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
