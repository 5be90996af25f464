//! Private roots and block pages: facts about third parties that rules and checks look up.

use std::collections::BTreeSet;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use crate::catalog::fields::{Fields, Kind, Text};
use crate::catalog::targets::unique_id;
use crate::catalog::words::{self, Purpose};
use crate::model::catalog::{BlockPage, PrivateRoot};

pub(super) const PRIVATE_ROOT: Kind = Kind {
    name: "a private root",
    keys: &["id", "name", "certificates"],
};
pub(super) const BLOCK_PAGE: Kind = Kind {
    name: "a block page",
    keys: &["operator", "addresses", "hosts", "texts"],
};

/// The longest root in public stores is under 3 KiB.
const MAX_PEM: usize = 16 * 1024;
/// A name that a person reads.
const MAX_NAME: usize = 100;
/// A text that a page is known by.
const MAX_TEXT: usize = 200;

/// Every `[[private_root]]` of the file.
pub(super) fn private_roots(file: &Fields<'_>) -> Vec<PrivateRoot> {
    let mut taken = BTreeSet::new();
    let tables = file.tables("private_root", &PRIVATE_ROOT);
    tables
        .iter()
        .map(|fields| private_root(fields, &mut taken))
        .collect()
}

fn private_root(fields: &Fields<'_>, taken: &mut BTreeSet<String>) -> PrivateRoot {
    let problems = fields.problems();
    let id = unique_id(fields, "private root", taken);
    let name = fields
        .required_text("name")
        .and_then(|text| words::name(&text, "`name`", MAX_NAME, problems));
    PrivateRoot {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        certificates: fields
            .required_texts("certificates")
            .iter()
            .filter_map(|text| certificate(text, fields))
            .collect(),
    }
}

fn certificate(text: &Text<'_>, fields: &Fields<'_>) -> Option<Vec<u8>> {
    let problems = fields.problems();
    let pem = words::phrase(text, "the certificate", MAX_PEM, problems)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let trouble = match found.as_slice() {
        [Ok(der)] if is_authority(der) => return Some(der.to_vec()),
        [Ok(_)] => "this is not the X.509 certificate of a certification authority",
        [Err(_)] | [] => "this is not a certificate in PEM",
        _ => "there is more than one certificate in this text",
    };
    let hint =
        "one text for each, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`";
    problems.add(&text.span(), trouble.to_owned(), Some(hint.to_owned()));
    None
}

fn is_authority(der: &[u8]) -> bool {
    parse_x509_certificate(der)
        .is_ok_and(|(rest, certificate)| rest.is_empty() && certificate.is_ca())
}

/// Every `[[block_page]]` of the file.
pub(super) fn block_pages(file: &Fields<'_>) -> Vec<BlockPage> {
    let tables = file.tables("block_page", &BLOCK_PAGE);
    tables.iter().map(block_page).collect()
}

fn block_page(fields: &Fields<'_>) -> BlockPage {
    let problems = fields.problems();
    let operator = fields
        .required_text("operator")
        .and_then(|text| words::name(&text, "`operator`", MAX_NAME, problems));
    let addresses = fields.texts("addresses");
    let hosts = fields.texts("hosts");
    let texts = fields.texts("texts");
    if addresses.is_empty() && hosts.is_empty() && texts.is_empty() {
        let message =
            "a block page is known by its addresses, its hosts or a text on it".to_owned();
        let hint = "write `addresses`, `hosts` or `texts`".to_owned();
        problems.absent(fields.span(), message, Some(hint));
    }
    BlockPage {
        operator: operator.unwrap_or_default(),
        addresses: addresses
            .iter()
            .filter_map(|text| words::address(text, Purpose::Measured, problems))
            .collect(),
        hosts: hosts
            .iter()
            .filter_map(|text| words::host(text, problems))
            .collect(),
        texts: texts
            .iter()
            .filter_map(|text| words::phrase(text, "the text", MAX_TEXT, problems))
            .collect(),
    }
}
