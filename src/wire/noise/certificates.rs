//! The certificate chain of WhatsApp's servers: a root key signs an intermediate, which signs the server's static key.

use crate::wire::noise::keys;
use crate::wire::protobuf::{Message, bytes_of, number_of};

/// Fields of `CertChain`.
const LEAF: u32 = 1;
const INTERMEDIATE: u32 = 2;

/// Fields of a certificate.
const DETAILS: u32 = 1;
const SIGNATURE: u32 = 2;

/// Fields of a certificate's details.
const SERIAL: u32 = 1;
const ISSUER_SERIAL: u32 = 2;
const KEY: u32 = 3;
const NOT_BEFORE: u32 = 4;
const NOT_AFTER: u32 = 5;

/// The serial of the root, which is not in the chain.
const ROOT_SERIAL: u64 = 0;

/// Why a chain vouches for nobody; the first thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is no chain of two certificates.
    Malformed,
    /// The intermediate names another issuer than the root.
    NotOfTheRoot,
    /// The root key did not sign the intermediate.
    IntermediateSignature,
    /// The intermediate did not sign the leaf.
    LeafSignature,
    /// The leaf names another issuer than the intermediate.
    NotOfTheIntermediate,
    /// The leaf is for another static key than the one that shook hands.
    OtherKey,
    /// A certificate is not yet valid, or no longer.
    NotValidNow,
}

impl Trouble {
    /// As it is told.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Malformed => "the chain cannot be read",
            Self::NotOfTheRoot => "the intermediate is of another root",
            Self::IntermediateSignature => "the root key did not sign the intermediate",
            Self::LeafSignature => "the intermediate did not sign the leaf",
            Self::NotOfTheIntermediate => "the leaf is of another intermediate",
            Self::OtherKey => "the leaf is for another key",
            Self::NotValidNow => "a certificate is not valid now",
        }
    }
}

/// Whether the chain leads from this root key to this static key, at this time (seconds since 1970).
pub fn verify(
    chain: &[u8],
    root: &[u8; 32],
    static_key: &[u8; 32],
    now: u64,
) -> Result<(), Trouble> {
    let certificate = |field| {
        bytes_of(chain, field)
            .and_then(Certificate::read)
            .ok_or(Trouble::Malformed)
    };
    let (intermediate, leaf) = (certificate(INTERMEDIATE)?, certificate(LEAF)?);
    let check = |holds: bool, trouble| if holds { Ok(()) } else { Err(trouble) };
    check(
        intermediate.issuer_serial == ROOT_SERIAL,
        Trouble::NotOfTheRoot,
    )?;
    check(
        intermediate.is_signed_by(root),
        Trouble::IntermediateSignature,
    )?;
    check(leaf.is_signed_by(&intermediate.key), Trouble::LeafSignature)?;
    check(
        leaf.issuer_serial == intermediate.serial,
        Trouble::NotOfTheIntermediate,
    )?;
    check(leaf.key == *static_key, Trouble::OtherKey)?;
    check(
        intermediate.is_valid_at(now) && leaf.is_valid_at(now),
        Trouble::NotValidNow,
    )
}

struct Certificate<'c> {
    details: &'c [u8],
    signature: &'c [u8; 64],
    serial: u64,
    issuer_serial: u64,
    key: [u8; 32],
    not_before: u64,
    not_after: u64,
}

impl<'c> Certificate<'c> {
    fn read(bytes: &'c [u8]) -> Option<Self> {
        let details = bytes_of(bytes, DETAILS)?;
        Some(Self {
            details,
            signature: bytes_of(bytes, SIGNATURE)?.try_into().ok()?,
            serial: number_of(details, SERIAL)?,
            issuer_serial: number_of(details, ISSUER_SERIAL)?,
            key: bytes_of(details, KEY)?.try_into().ok()?,
            not_before: number_of(details, NOT_BEFORE)?,
            not_after: number_of(details, NOT_AFTER)?,
        })
    }

    fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        keys::verify(key, self.details, self.signature)
    }

    const fn is_valid_at(&self, now: u64) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Details {
    /// Its own number.
    pub serial: u64,
    /// Its issuer's number; the root has 0.
    pub issuer_serial: u64,
    /// The public key it is for.
    pub key: [u8; 32],
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
}

impl Details {
    /// A certificate that says so, signed by this key.
    pub fn certify(&self, issuer: &[u8; 32], random: &[u8; 64]) -> Vec<u8> {
        let details = Message::default()
            .number(SERIAL, self.serial)
            .number(ISSUER_SERIAL, self.issuer_serial)
            .bytes(KEY, &self.key)
            .number(NOT_BEFORE, self.not_before)
            .number(NOT_AFTER, self.not_after)
            .finish();
        let signature = keys::sign(issuer, &details, random);
        Message::default()
            .bytes(DETAILS, &details)
            .bytes(SIGNATURE, &signature)
            .finish()
    }
}

/// A chain of these certificates.
pub fn chain(leaf: &[u8], intermediate: &[u8]) -> Vec<u8> {
    Message::default()
        .bytes(LEAF, leaf)
        .bytes(INTERMEDIATE, intermediate)
        .finish()
}
