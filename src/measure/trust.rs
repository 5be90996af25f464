//! Whom a chain can be trusted by: name, trust and validity are asked one by one, and the handshake is let finish.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::measure::certificate;
use crate::model::catalog::Catalog;
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::model::observation::CertificateFacts;

/// Certificates of one chain that are looked at.
const MAX_CHAIN: usize = 10;

/// Everybody who may vouch for a chain, and the cryptography that checks it.
pub struct Trust {
    /// Installed explicitly; the process default is never touched.
    pub provider: Arc<CryptoProvider>,
    public: RootCertStore,
    added: RootCertStore,
    private: HashMap<String, RootCertStore>,
}

impl Trust {
    /// The built-in roots, those added on this line, and the private ones of the definitions.
    pub fn new(catalog: &Catalog, line: &Line) -> Self {
        let private = catalog.private_roots.iter();
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            public: RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
            added: store(&line.added_roots),
            private: private
                .map(|root| (root.id.clone(), store(&root.certificates)))
                .collect(),
        }
    }

    /// What the chain ends under at that time.
    fn trusted_by(
        &self,
        chain: &[CertificateDer<'_>],
        private_root: Option<&str>,
        at: UnixTime,
    ) -> Option<String> {
        let (leaf, intermediates) = chain.split_first()?;
        let leaf = ParsedCertificate::try_from(leaf).ok()?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let ends_under = |roots: &RootCertStore| {
            verify_server_cert_signed_by_trust_anchor(&leaf, roots, intermediates, at, algorithms)
                .is_ok()
        };
        if ends_under(&self.public) {
            return Some("public".to_owned());
        }
        if ends_under(&self.added) {
            return Some("added".to_owned());
        }
        private_root
            .filter(|id| self.private.get(*id).is_some_and(ends_under))
            .map(str::to_owned)
    }
}

/// What was found of one chain.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The chain as sent, leaf first.
    pub chain: Vec<CertificateFacts>,
    /// Whether the leaf is for the name; `None` if none was asked.
    pub name_matches: Option<bool>,
    /// What the chain ends under.
    pub trusted_by: Option<String>,
    /// Whether the leaf's validity includes now.
    pub valid_now: bool,
}

impl Judged {
    /// What is wrong, the weightiest first.
    pub fn failure(&self) -> Option<Failure> {
        if self.trusted_by.is_none() {
            Some(Failure::SslUnknownAuthority)
        } else if self.name_matches == Some(false) {
            Some(Failure::SslInvalidHostname)
        } else if !self.valid_now {
            Some(Failure::SslInvalidCertificate)
        } else {
            None
        }
    }
}

/// Keeps the chain and what is to be said of it, and lets the handshake finish. The handshake's own signatures are
/// checked for real: whoever sends a chain must hold its key.
pub struct Recorder {
    trust: Arc<Trust>,
    server_name: Option<ServerName<'static>>,
    private_root: Option<String>,
    judged: Mutex<Option<Judged>>,
}

impl Recorder {
    /// For one handshake: the name to check, if any, and the private root that is right here.
    pub fn new(
        trust: Arc<Trust>,
        server_name: Option<ServerName<'static>>,
        private_root: Option<String>,
    ) -> Self {
        Self {
            trust,
            server_name,
            private_root,
            judged: Mutex::default(),
        }
    }

    /// What was found, once a chain came.
    pub fn judged(&self) -> Option<Judged> {
        self.judged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Judged {
        let leaf = chain.first();
        let validity = leaf.and_then(certificate::validity);
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let valid_now = validity.is_some_and(|(from, to)| from <= seconds && seconds <= to);
        let moments = match validity {
            // An expired leaf says nothing of who made it: trust is asked of a time when it was valid.
            Some((from, to)) if !valid_now => vec![to, from + (to - from) / 2, from],
            _ => vec![seconds],
        };
        let trusted_by = moments.into_iter().find_map(|moment| {
            let moment = u64::try_from(moment).ok()?;
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(moment));
            self.trust
                .trusted_by(chain, self.private_root.as_deref(), at)
        });
        let name_matches = self.server_name.as_ref().map(|name| {
            leaf.and_then(|leaf| ParsedCertificate::try_from(leaf).ok())
                .is_some_and(|leaf| verify_server_name(&leaf, name).is_ok())
        });
        let facts = |(at, der)| certificate::facts(der, at == 0);
        Judged {
            chain: chain.iter().enumerate().map(facts).collect(),
            name_matches,
            trusted_by,
            valid_now,
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let rest = intermediates.iter().take(MAX_CHAIN - 1);
        let chain: Vec<_> = std::iter::once(end_entity).chain(rest).cloned().collect();
        let judged = self.judge(&chain, now);
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = Some(judged);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust
            .provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Roots from DER; what is no certificate was refused where it was loaded, and vouches for nobody here.
fn store(certificates: &[Vec<u8>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(
        certificates
            .iter()
            .map(|der| CertificateDer::from(der.as_slice())),
    );
    store
}
