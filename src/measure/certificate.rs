//! What a certificate says, as facts: hostile bytes give fewer facts, never a panic.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, Validity, X509Certificate};

use crate::model::observation::CertificateFacts;
use crate::wire::text;

/// DNS names kept of a leaf.
const MAX_NAMES: usize = 16;
/// Characters kept of a subject, an issuer or a name.
const MAX_TEXT: usize = 300;

/// The facts of one certificate; those that cannot be read stay empty.
pub fn facts(der: &CertificateDer<'_>, is_leaf: bool) -> CertificateFacts {
    let mut facts = CertificateFacts {
        sha256: Some(text::hex(&Sha256::digest(der.as_ref()))),
        subject: String::new(),
        issuer: String::new(),
        not_before: String::new(),
        not_after: String::new(),
        names: Vec::new(),
    };
    if let Ok((_, parsed)) = X509Certificate::from_der(der) {
        facts.subject = text::escape(&parsed.subject().to_string(), MAX_TEXT);
        facts.issuer = text::escape(&parsed.issuer().to_string(), MAX_TEXT);
        (facts.not_before, facts.not_after) = written(parsed.validity());
        if is_leaf {
            facts.names = names(&parsed);
        }
    }
    facts
}

/// First and last second in which a certificate is valid, since 1970.
pub fn validity(der: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let validity = parsed.validity();
    Some((
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    ))
}

fn written(validity: &Validity) -> (String, String) {
    let word = |seconds| {
        Timestamp::from_second(seconds)
            .map(|time| time.to_string())
            .unwrap_or_default()
    };
    (
        word(validity.not_before.timestamp()),
        word(validity.not_after.timestamp()),
    )
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(text::escape(name, MAX_TEXT)),
            _ => None,
        });
    names.take(MAX_NAMES).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(subject: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, subject);
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2021, 1, 2);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .clone()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_when() {
        let facts = facts(&certificate("evil\u{1b}[2J"), true);
        assert_eq!(facts.names, ["a.example"]);
        assert!(
            facts.subject.contains("CN=evil") && !facts.subject.contains('\u{1b}'),
            "{}",
            facts.subject
        );
        assert_eq!(facts.not_before, "2020-01-02T00:00:00Z");
        assert_eq!(facts.not_after, "2021-01-02T00:00:00Z");
        assert_eq!(facts.sha256.map(|digits| digits.len()), Some(64));
    }

    proptest! {
        #[test]
        fn no_mutation_of_a_certificate_breaks_the_reader(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            static GOOD: std::sync::LazyLock<CertificateDer<'static>> = std::sync::LazyLock::new(|| certificate("x"));
            let mut bytes = GOOD.to_vec();
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            let read = facts(&CertificateDer::from(bytes), true);
            prop_assert!(!read.subject.chars().any(text::is_commanding));
        }
    }
}
