//! Curve25519 keys, for shared secrets and for signatures with the same keys (Signal's XEdDSA).

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};

/// What is hashed before a nonce's input: 2^256 - 2, little-endian, which no point or key begins with (XEdDSA, 2.5).
const NONCE_PREFIX: [u8; 32] = {
    let mut prefix = [0xff; 32];
    prefix[0] = 0xfe;
    prefix
};

/// The bit of a signature's last byte that tells which of two Edwards points the key stands for.
const SIGN: u8 = 0x80;

/// The public key of any 32 bytes.
pub fn public_of(private: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*private).to_bytes()
}

/// X25519; `None` for a public key that makes the secret everybody's.
pub fn shared(private: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
    let secret = MontgomeryPoint(*public).mul_clamped(*private).to_bytes();
    (secret != [0; 32]).then_some(secret)
}

/// Whether the holder of this X25519 key signed these bytes.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let (nonce_point, scalar) = signature.split_at(32);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(scalar);
    let sign = bytes[31] & SIGN;
    bytes[31] &= !SIGN;
    let Some(scalar) = Option::<Scalar>::from(Scalar::from_canonical_bytes(bytes)) else {
        return false;
    };
    let Some(key) = MontgomeryPoint(*public).to_edwards(sign >> 7) else {
        return false;
    };
    let challenge = challenge(nonce_point, &key.compress().to_bytes(), message);
    let expected =
        EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &-key, &scalar).compress();
    expected.as_bytes() == nonce_point
}

/// Signs with an X25519 key. The random bytes must be new for every signature.
pub fn sign(private: &[u8; 32], message: &[u8], random: &[u8; 64]) -> [u8; 64] {
    let clamped = clamp_integer(*private);
    let secret = Scalar::from_bytes_mod_order(clamped);
    let key = EdwardsPoint::mul_base(&secret).compress().to_bytes();
    let nonce = wide(
        Sha512::new_with_prefix(NONCE_PREFIX)
            .chain_update(clamped)
            .chain_update(message)
            .chain_update(random),
    );
    let nonce_point = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let challenge = challenge(&nonce_point, &key, message);
    let mut scalar = (challenge * secret + nonce).to_bytes();
    scalar[31] |= key[31] & SIGN;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&nonce_point);
    signature[32..].copy_from_slice(&scalar);
    signature
}

/// What a signature answers, as in Ed25519.
fn challenge(nonce_point: &[u8], key: &[u8; 32], message: &[u8]) -> Scalar {
    wide(
        Sha512::new_with_prefix(nonce_point)
            .chain_update(key)
            .chain_update(message),
    )
}

fn wide(hash: Sha512) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::text::{hex, unhex};

    /// RFC 7748, 6.1.
    #[test]
    fn two_sides_share_the_secret_of_the_rfc() {
        let key = |text| unhex::<32>(text).unwrap();
        let alice = key("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bob = key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
        let secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(hex(&public_of(&bob)), public);
        assert_eq!(shared(&bob, &alice), Some(key(secret)));
    }

    proptest! {
        #[test]
        fn a_signature_holds_for_its_key_and_message_alone(
            private: [u8; 32], other: [u8; 32], random: [[u8; 32]; 2], message: Vec<u8>, flip in 0_usize..512,
        ) {
            let random: [u8; 64] = random.concat().try_into().unwrap();
            let signature = sign(&private, &message, &random);
            let public = public_of(&private);
            prop_assert!(verify(&public, &message, &signature));
            let mut longer = message.clone();
            longer.push(0);
            prop_assert!(!verify(&public, &longer, &signature));
            if public_of(&other) != public {
                prop_assert!(!verify(&public_of(&other), &message, &signature));
            }
            let mut broken = signature;
            broken[flip / 8] ^= 1 << (flip % 8);
            prop_assert!(!verify(&public, &message, &broken));
        }

        #[test]
        fn any_key_and_signature_are_borne(public: [u8; 32], halves: [[u8; 32]; 2], message: Vec<u8>) {
            let signature: [u8; 64] = halves.concat().try_into().unwrap();
            prop_assert!(!verify(&public, &message, &signature));
            let _ = shared(&public, &halves[0]);
        }

        #[test]
        fn two_sides_share_one_secret(one: [u8; 32], other: [u8; 32]) {
            prop_assert_eq!(shared(&one, &public_of(&other)), shared(&other, &public_of(&one)));
        }
    }

    #[test]
    fn a_key_that_makes_the_secret_everybodys_is_refused() {
        assert_eq!(shared(&[7; 32], &[0; 32]), None);
    }
}
