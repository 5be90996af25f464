//! Certificates for servers that read files: one leaf for each authority, for every name.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

/// Makes an authority and a leaf for these names, writes `LABEL.pem` and `LABEL.key`, and gives the root in DER.
pub fn issue(directory: &Path, label: &str, names: &[String]) -> Vec<u8> {
    let mut root = CertificateParams::default();
    root.distinguished_name = called(&format!("Root of the tests: {label}"));
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = root.self_signed(&key).unwrap();
    let issuer = Issuer::new(root, key);

    let mut leaf = CertificateParams::new(names.to_vec()).unwrap();
    leaf.distinguished_name = called(label);
    let key = KeyPair::generate().unwrap();
    let chain = leaf.signed_by(&key, &issuer).unwrap().pem();
    std::fs::write(directory.join(format!("{label}.pem")), chain).unwrap();
    std::fs::write(directory.join(format!("{label}.key")), key.serialize_pem()).unwrap();
    certificate.der().to_vec()
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}
