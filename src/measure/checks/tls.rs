//! ClientHello to Finished, with the chain, the alert and the first bytes that came back.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::pki_types::ServerName;
use rustls::version::TLS12;
use rustls::{ClientConfig, DEFAULT_VERSIONS, ProtocolVersion, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::measure::checks::Context;
use crate::measure::places::Place;
use crate::measure::tee::{Passed, Tee};
use crate::measure::trace::Stopped;
use crate::measure::trust::Recorder;
use crate::model::catalog::Protocol;
use crate::model::check::{Climb, Hello};
use crate::model::failure::Failure;
use crate::model::observation::{Operation, Step, TlsFacts};
use crate::wire::text;

/// First bytes received that are told in hex.
pub const MAX_FIRST: usize = 32;
/// Clear text that is told, bytes.
const MAX_CLEAR: usize = 1 << 10;

/// How the ClientHello shall look and whom the chain is checked against.
pub struct Wish {
    address: IpAddr,
    server_name: Option<ServerName<'static>>,
    alpn: Vec<Vec<u8>>,
    private_root: Option<String>,
    hello: Hello,
}

impl Wish {
    /// What a climb asks for; `None` if its server name is none.
    pub fn of(climb: &Climb) -> Option<Self> {
        let alpn = match (climb.alpn.as_slice(), climb.protocol) {
            ([], Protocol::Https) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ([], Protocol::Quic) => vec![b"h3".to_vec()],
            (offered, _) => offered.iter().map(|id| id.clone().into_bytes()).collect(),
        };
        let private_root = climb.private_root.clone();
        let wish = Self::new(
            climb.address.ip(),
            climb.server_name.as_deref(),
            alpn,
            private_root,
        )?;
        Some(Self {
            hello: climb.hello,
            ..wish
        })
    }

    /// The same from its parts.
    pub fn new(
        address: IpAddr,
        server_name: Option<&str>,
        alpn: Vec<Vec<u8>>,
        private_root: Option<String>,
    ) -> Option<Self> {
        let server_name = match server_name {
            Some(name) => Some(ServerName::try_from(name.to_owned()).ok()?),
            None => None,
        };
        Some(Self {
            address,
            server_name,
            alpn,
            private_root,
            hello: Hello::Plain,
        })
    }

    /// The name that is asked for, if any.
    pub fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }

    /// The bytes that a box on the way looks for.
    fn name(&self) -> &[u8] {
        match &self.server_name {
            Some(ServerName::DnsName(name)) => name.as_ref().as_bytes(),
            _ => &[],
        }
    }
}

/// What the library tells besides the chain.
#[derive(Default)]
struct Session {
    version: Option<&'static str>,
    alpn: Option<String>,
    alert: Option<u8>,
}

/// Shakes hands, lets it finish whatever the chain is, and then says what is wrong with the chain.
pub async fn handshake(
    context: &Context,
    place: &Place,
    stream: Tee<TcpStream>,
    wish: Wish,
) -> Result<TlsStream<Tee<TcpStream>>, Stopped> {
    let limits = &context.room.limits;
    place.take().await;
    let recorder = Arc::new(recorder(context, &wish));
    let session = Arc::new(Mutex::new(Session::default()));
    let stream = match wish.hello {
        Hello::Split => stream.cut_in(wish.name()),
        _ => stream,
    };
    let passed = stream.passed();
    context.trace.sample(sampler(&passed, &recorder, &session));
    let shaking = async {
        let config = config(context, &wish, &recorder)?;
        let name = wish
            .server_name
            .unwrap_or(ServerName::IpAddress(wish.address.into()));
        let outcome = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        let stream = outcome.map_err(|error| {
            lock(&session).alert = alert(&error);
            Failure::from(error)
        })?;
        note(&session, stream.get_ref().1);
        match recorder.judged().and_then(|judged| judged.failure()) {
            Some(failure) => Err(failure),
            None => Ok(stream),
        }
    };
    let patient = place.patiently(limits.patience_talk, || passed.received(), shaking);
    context
        .trace
        .step(Operation::TlsHandshake, limits.tls, patient)
        .await
}

/// Who keeps the chain of one handshake.
pub fn recorder(context: &Context, wish: &Wish) -> Recorder {
    let trust = Arc::clone(&context.room.trust);
    Recorder::new(trust, wish.server_name.clone(), wish.private_root.clone())
}

/// A configuration of its own for every handshake: nothing is resumed, so every handshake shows its chain.
pub fn config(
    context: &Context,
    wish: &Wish,
    recorder: &Arc<Recorder>,
) -> Result<ClientConfig, Failure> {
    let provider = shaped(&context.room.trust.provider, wish.hello);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(wish.hello))
        .map_err(|error| Failure::Unknown(error.to_string()))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(recorder) as _)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols.clone_from(&wish.alpn);
    config.enable_sni = matches!(wish.server_name, Some(ServerName::DnsName(_)));
    Ok(config)
}

/// The cryptography whose ClientHello has that shape.
fn shaped(plain: &Arc<CryptoProvider>, hello: Hello) -> Arc<CryptoProvider> {
    if hello != Hello::Large {
        return Arc::clone(plain);
    }
    let large = kx_group::X25519MLKEM768;
    let mut groups = vec![large];
    let others = plain.kx_groups.iter().copied();
    groups.extend(others.filter(|group| group.name() != large.name()));
    Arc::new(CryptoProvider {
        kx_groups: groups,
        ..CryptoProvider::clone(plain)
    })
}

fn versions(hello: Hello) -> &'static [&'static SupportedProtocolVersion] {
    const OLD: &[&SupportedProtocolVersion] = &[&TLS12];
    match hello {
        Hello::Old => OLD,
        Hello::Plain | Hello::Split | Hello::Large | Hello::Greased => DEFAULT_VERSIONS,
    }
}

fn note(session: &Mutex<Session>, connection: &rustls::ClientConnection) {
    let mut session = lock(session);
    session.version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Some("TLS1.2"),
        Some(ProtocolVersion::TLSv1_3) => Some("TLS1.3"),
        _ => None,
    };
    session.alpn = connection
        .alpn_protocol()
        .map(|id| text::escape_bytes(id, 64));
}

fn alert(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}

/// Adds to the handshake's step what was seen, whether it finished or not.
fn sampler(
    passed: &Arc<Passed>,
    recorder: &Arc<Recorder>,
    session: &Arc<Mutex<Session>>,
) -> impl Fn(&mut Step) + Send + 'static {
    let (passed, recorder, session) = (
        Arc::clone(passed),
        Arc::clone(recorder),
        Arc::clone(session),
    );
    move |step| {
        if step.operation != Operation::TlsHandshake {
            return;
        }
        let session = lock(&session);
        let judged = recorder.judged();
        let head = if session.version.is_none() {
            passed.head()
        } else {
            Vec::new()
        };
        let first = head.get(..MAX_FIRST).unwrap_or(&head);
        let mut facts = TlsFacts {
            client_hello_bytes: u32::try_from(passed.sent_first()).unwrap_or(u32::MAX),
            received_bytes: passed.received(),
            first_received: (!first.is_empty()).then(|| text::hex(first)),
            clear_text: clear_text(&head),
            version: session.version.map(str::to_owned),
            alpn: session.alpn.clone(),
            alert: session.alert,
            ..TlsFacts::default()
        };
        if let Some(judged) = judged {
            facts.valid_now = Some(judged.valid_now);
            facts.name_matches = judged.name_matches;
            facts.trusted_by = judged.trusted_by;
            facts.chain = judged.chain;
        }
        step.tls = Some(Box::new(facts));
    }
}

/// The bytes as text, if that is what they are: somebody answered in clear where TLS or another protocol was due.
pub fn clear_text(head: &[u8]) -> Option<String> {
    let is_text =
        |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || *byte >= 0x80;
    let printable = head.iter().filter(|byte| is_text(byte)).count();
    // TLS records begin with 20 to 24, never with a printable byte.
    let begins = head
        .first()
        .is_some_and(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if !begins || printable * 20 < head.len() * 19 {
        return None;
    }
    let kept = head.get(..MAX_CLEAR).unwrap_or(head);
    Some(text::escape_bytes(kept, MAX_CLEAR))
}

fn lock(session: &Mutex<Session>) -> std::sync::MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_clear_is_text_and_a_record_is_not() {
        let page =
            clear_text(b"HTTP/1.1 302 Found\r\nLocation: http://block.example/\r\n\r\n").unwrap();
        assert!(page.starts_with("HTTP/1.1 302 Found\\u{d}\\u{a}"), "{page}");
        assert_eq!(clear_text(&[0x15, 3, 3, 0, 2, 2, 40]), None);
        assert_eq!(clear_text(b"SSH\x00\x01\x02\x03\x04\x05"), None);
        assert_eq!(clear_text(b""), None);
    }
}
