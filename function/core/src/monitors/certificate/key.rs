//! Public keys of certificates, and private keys from which the public key is derived for comparison.

use ed25519_dalek::SigningKey;
use num_bigint::BigUint;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use pkcs1::der::Decode;
use pkcs1::{RsaPrivateKey, RsaPublicKey, UintRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::CertificateError;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A public key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa { modulus: BigUint, exponent: BigUint },
    Elliptic { curve: Curve, point: Vec<u8> },
    Ed25519([u8; 32]),
}

/// The elliptic curves that Go supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

impl Curve {
    fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        [
            (Self::P224, "1.3.132.0.33"),
            (Self::P256, "1.2.840.10045.3.1.7"),
            (Self::P384, "1.3.132.0.34"),
            (Self::P521, "1.3.132.0.35"),
        ]
        .into_iter()
        .find(|(_, text)| ObjectIdentifier::new(text).is_ok_and(|known| known == oid))
        .map(|(curve, _)| curve)
    }

    /// The length of a private scalar, in bytes.
    const fn length(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Whether an uncompressed point lies on the curve. Points of P-224 are not checked, because certificates with
    /// P-224 are not in use.
    fn has_point(self, point: &[u8]) -> bool {
        let uncompressed = point.first() == Some(&4) && point.len() == 2 * self.length() + 1;
        uncompressed
            && match self {
                Self::P224 => true,
                Self::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
                Self::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
                Self::P521 => p521::PublicKey::from_sec1_bytes(point).is_ok(),
            }
    }

    /// The public point of a private key. For P-224, the point that the file contains beside the scalar.
    fn point(self, scalar: &[u8], written: Option<&[u8]>) -> Option<Vec<u8>> {
        let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
        let significant = &scalar[zeros..];
        let mut padded = vec![0; self.length().checked_sub(significant.len())?];
        padded.extend_from_slice(significant);
        match self {
            Self::P224 => written.map(<[u8]>::to_vec),
            Self::P256 => {
                let key = p256::SecretKey::from_slice(&padded).ok()?;
                Some(key.public_key().to_sec1_point(false).as_bytes().to_vec())
            }
            Self::P384 => {
                let key = p384::SecretKey::from_slice(&padded).ok()?;
                Some(key.public_key().to_sec1_point(false).as_bytes().to_vec())
            }
            Self::P521 => {
                let key = p521::SecretKey::from_slice(&padded).ok()?;
                Some(key.public_key().to_sec1_point(false).as_bytes().to_vec())
            }
        }
    }
}

impl PublicKey {
    /// The public key of a certificate. `None` for another kind of key.
    pub(super) fn parse(info: &SubjectPublicKeyInfoOwned) -> Result<Option<Self>, CertificateError> {
        let unusable = || CertificateError::UnusablePublicKey;
        let bytes = info.subject_public_key.raw_bytes();
        let parameters = info.algorithm.parameters.as_ref();
        match info.algorithm.oid {
            RSA => {
                if !parameters.is_some_and(x509_cert::der::Any::is_null) {
                    return Err(unusable());
                }
                let key = RsaPublicKey::<UintRef<'_>>::from_der(bytes).map_err(|_| unusable())?;
                let (modulus, exponent) = (number(key.modulus), number(key.public_exponent));
                let zero = BigUint::ZERO;
                if modulus == zero || exponent == zero || exponent.bits() > 63 {
                    return Err(unusable());
                }
                Ok(Some(Self::Rsa { modulus, exponent }))
            }
            ELLIPTIC => {
                let oid = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
                let curve = oid.and_then(Curve::from_oid).ok_or_else(unusable)?;
                if !curve.has_point(bytes) {
                    return Err(unusable());
                }
                Ok(Some(Self::Elliptic { curve, point: bytes.to_vec() }))
            }
            ED25519 => match (parameters, <[u8; 32]>::try_from(bytes)) {
                (None, Ok(key)) => Ok(Some(Self::Ed25519(key))),
                _ => Err(unusable()),
            },
            _ => Ok(None),
        }
    }
}

/// A private key. Only its public key is stored.
pub(super) struct PrivateKey(PublicKey);

impl PrivateKey {
    /// Parses PKCS#1, PKCS#8 and SEC 1, in this order.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        rsa(der).or_else(|| pkcs8(der)).or_else(|| elliptic(der, None)).map(Self)
    }

    /// The public key.
    pub(super) fn public_key(self) -> PublicKey {
        self.0
    }
}

fn pkcs8(der: &[u8]) -> Option<PublicKey> {
    let info = PrivateKeyInfoRef::from_der(der).ok()?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA => rsa(key),
        ELLIPTIC => {
            let oid = info.algorithm.parameters.and_then(|parameters| parameters.decode_as().ok());
            elliptic(key, oid)
        }
        ED25519 => {
            // PKCS#8 wraps the seed in an octet string inside an octet string.
            let seed: [u8; 32] = key.strip_prefix(&[4, 32])?.try_into().ok()?;
            Some(PublicKey::Ed25519(SigningKey::from_bytes(&seed).verifying_key().to_bytes()))
        }
        _ => None,
    }
}

fn elliptic(der: &[u8], curve: Option<ObjectIdentifier>) -> Option<PublicKey> {
    let key = EcPrivateKey::from_der(der).ok()?;
    let own = key.parameters.and_then(sec1::EcParameters::named_curve);
    let curve = Curve::from_oid(curve.or(own)?)?;
    Some(PublicKey::Elliptic { curve, point: curve.point(key.private_key, key.public_key)? })
}

/// Accepts only keys of two primes with consistent numbers. A key with a mistyped character is thereby refused.
fn rsa(der: &[u8]) -> Option<PublicKey> {
    let key = RsaPrivateKey::<UintRef<'_>>::from_der(der).ok()?;
    if key.other_prime_infos.is_some() {
        return None;
    }
    let (modulus, exponent) = (number(key.modulus), number(key.public_exponent));
    let (private, p, q) = (number(key.private_exponent), number(key.prime1), number(key.prime2));
    let one = BigUint::from(1u8);
    if p <= one || q <= one || &p * &q != modulus {
        return None;
    }
    let product = &private * &exponent;
    let inverse = |prime: &BigUint| &product % (prime - &one) == one;
    let consistent = inverse(&p)
        && inverse(&q)
        && number(key.exponent1) == &private % (&p - &one)
        && number(key.exponent2) == &private % (&q - &one)
        && number(key.coefficient) * &q % &p == one;
    consistent.then_some(PublicKey::Rsa { modulus, exponent })
}

fn number(number: UintRef<'_>) -> BigUint {
    BigUint::from_bytes_be(number.as_bytes())
}
