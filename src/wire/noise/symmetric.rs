//! The running hash and key of a Noise handshake, as both sides keep them.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// The name of the pattern, filled up to exactly the 32 bytes of a hash: so it is used as it is, and not hashed.
const PATTERN: [u8; 32] = *b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0";

/// What both sides know at the same point of the conversation.
pub(super) struct Symmetric {
    hash: [u8; 32],
    chaining: [u8; 32],
    key: [u8; 32],
    nonce: u32,
}

impl Symmetric {
    /// After the header, before message 1.
    pub(super) fn new(header: &[u8]) -> Self {
        let mut state = Self {
            hash: PATTERN,
            chaining: PATTERN,
            key: PATTERN,
            nonce: 0,
        };
        state.mix_hash(header);
        state
    }

    /// Takes public bytes in.
    pub(super) fn mix_hash(&mut self, bytes: &[u8]) {
        let hash = Sha256::new_with_prefix(self.hash).chain_update(bytes);
        self.hash = hash.finalize().into();
    }

    /// Takes a shared secret in: a new key, and the nonces begin again.
    pub(super) fn mix_key(&mut self, secret: &[u8; 32]) {
        let mut keys = [0; 64];
        Hkdf::<Sha256>::new(Some(&self.chaining), secret)
            .expand(&[], &mut keys)
            .expect("HKDF gives up to 8160 bytes");
        let (chaining, key) = keys.split_at(32);
        self.chaining.copy_from_slice(chaining);
        self.key.copy_from_slice(key);
        self.nonce = 0;
    }

    /// Opens what the peer sealed at this point; `None` if it was not the peer, or not this point.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (cipher, nonce) = self.next();
        let payload = Payload {
            msg: sealed,
            aad: &self.hash,
        };
        let plain = cipher.decrypt(&nonce, payload).ok()?;
        self.mix_hash(sealed);
        Some(plain)
    }

    /// Seals for the peer at this point.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let (cipher, nonce) = self.next();
        let payload = Payload {
            msg: plain,
            aad: &self.hash,
        };
        let sealed = cipher
            .encrypt(&nonce, payload)
            .expect("AES-GCM seals up to 64 GiB");
        self.mix_hash(&sealed);
        sealed
    }

    fn next(&mut self) -> (Aes256Gcm, Nonce<aes_gcm::aead::consts::U12>) {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.nonce.to_be_bytes());
        self.nonce += 1;
        let key = Key::<Aes256Gcm>::from(self.key);
        (Aes256Gcm::new(&key), Nonce::from(nonce))
    }
}
