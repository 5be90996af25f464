//! The lab's certificate authorities: made once for each process, one leaf for each name, on demand.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

/// Who signs a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Signer {
    /// The lab's public root, which the lab's line trusts.
    Public,
    /// The lab's stand-in for the private root with this id.
    Private(String),
    /// Nobody but itself, as portals and block pages do.
    Itself,
}

/// One leaf to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// Who signs it.
    pub signer: Signer,
    /// The DNS name, or the address, it is for.
    pub name: String,
    /// When it is good.
    pub validity: Validity,
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Now and for a long time.
    #[default]
    Lasting,
    /// It ended in 2024.
    Past,
    /// It begins in 2100.
    Future,
}

/// The root of a signer that has one, in DER.
pub fn root(signer: &Signer) -> io::Result<CertificateDer<'static>> {
    Ok(AUTHORITY.root(signer)?.certificate.clone())
}

/// The same in PEM, as command-line clients take it.
pub fn root_pem(signer: &Signer) -> io::Result<String> {
    Ok(AUTHORITY.root(signer)?.pem.clone())
}

/// A leaf with its key, from the cache or new.
pub fn certify(leaf: &Leaf) -> io::Result<Arc<CertifiedKey>> {
    let mut leaves = lock(&AUTHORITY.leaves);
    if let Some(made) = leaves.get(leaf) {
        return Ok(Arc::clone(made));
    }
    let made = Arc::new(AUTHORITY.sign(leaf)?);
    leaves.insert(leaf.clone(), Arc::clone(&made));
    Ok(made)
}

/// Every site of the process shares these: making keys is what costs time when a lab opens.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::default);

#[derive(Default)]
struct Authority {
    roots: Mutex<HashMap<Signer, Arc<Root>>>,
    leaves: Mutex<HashMap<Leaf, Arc<CertifiedKey>>>,
}

struct Root {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn root(&self, signer: &Signer) -> io::Result<Arc<Root>> {
        let mut roots = lock(&self.roots);
        if let Some(made) = roots.get(signer) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make_root(signer).map_err(io::Error::other)?);
        roots.insert(signer.clone(), Arc::clone(&made));
        Ok(made)
    }

    fn sign(&self, leaf: &Leaf) -> io::Result<CertifiedKey> {
        let params = leaf_params(leaf).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = match &leaf.signer {
            Signer::Itself => params.self_signed(&key),
            signer => params.signed_by(&key, &self.root(signer)?.issuer),
        }
        .map_err(io::Error::other)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing_key = aws_lc_rs::sign::any_ecdsa_type(&der).map_err(io::Error::other)?;
        Ok(CertifiedKey::new(
            vec![certificate.der().clone()],
            signing_key,
        ))
    }
}

fn make_root(signer: &Signer) -> Result<Root, rcgen::Error> {
    let mut params = CertificateParams::default();
    let name = match signer {
        Signer::Public => "Lab Root CA".to_owned(),
        Signer::Private(id) => format!("Lab Private Root CA {id}"),
        Signer::Itself => "Lab".to_owned(),
    };
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Root {
        pem: certificate.pem(),
        certificate: certificate.der().clone(),
        issuer: Issuer::new(params, key),
    })
}

fn leaf_params(leaf: &Leaf) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![leaf.name.clone()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, leaf.name.clone());
    let (begin, end) = match leaf.validity {
        Validity::Lasting => (2020, 2120),
        Validity::Past => (2020, 2024),
        Validity::Future => (2100, 2120),
    };
    params.not_before = date_time_ymd(begin, 1, 1);
    params.not_after = date_time_ymd(end, 1, 1);
    // Command-line clients refuse a chain whose leaf does not name its issuer's key.
    params.use_authority_key_identifier_extension = leaf.signer != Signer::Itself;
    Ok(params)
}

/// A lock whose holder panicked still guards whole certificates.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(signer: Signer, validity: Validity) -> Leaf {
        let name = "web.whatsapp.com".to_owned();
        Leaf {
            signer,
            name,
            validity,
        }
    }

    fn not_after(certified: &CertifiedKey) -> i64 {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certified.cert[0]).unwrap();
        parsed.validity().not_after.timestamp()
    }

    #[test]
    fn a_leaf_is_made_once_for_each_process() {
        let first = certify(&leaf(Signer::Public, Validity::Lasting)).unwrap();
        let second = certify(&leaf(Signer::Public, Validity::Lasting)).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn an_expired_leaf_has_ended_and_an_ordinary_one_has_not() {
        let ended = certify(&leaf(Signer::Public, Validity::Past)).unwrap();
        let lasting = certify(&leaf(Signer::Public, Validity::Lasting)).unwrap();
        assert_eq!(not_after(&ended), 1_704_067_200);
        assert!(not_after(&lasting) > 4_000_000_000);
    }

    #[test]
    fn a_private_root_is_another_root() {
        let private = Signer::Private("apple".to_owned());
        assert_ne!(root(&Signer::Public).unwrap(), root(&private).unwrap());
    }
}
