//! Whether certificates and keys can be used.
//!
//! In: the PEM texts that a monitor refers to; out: nothing, or why the operator
//! refuses them. Follows `pem.Decode`, `x509.ParseCertificate` and `tls.X509KeyPair`
//! of Go: of a bundle only the first certificate is looked at, and the key must be that
//! of the certificate. Validity periods, issuers and signatures play no part.

mod key;
mod pem;

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;

use key::{PrivateKey, PublicKey};
use pem::Block;

/// Why a certificate or a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum CertificateError {
    #[error("holds no PEM block, it must start with -----BEGIN CERTIFICATE-----")]
    NoPem,
    #[error("holds no certificate in its PEM blocks")]
    NoCertificate,
    #[error("holds a PEM block that is not a certificate")]
    MalformedCertificate,
    #[error("holds a certificate whose public key cannot be used")]
    UnusablePublicKey,
    #[error("goes with a key that holds no PEM block of a private key")]
    NoKey,
    #[error("goes with a key that is not a private key in PKCS#1, PKCS#8 or SEC 1, without a passphrase")]
    MalformedKey,
    #[error("goes with a key that belongs to another certificate")]
    AnotherKey,
}

/// Refuses what cannot be the certificate of an authority.
///
/// # Errors
/// If the first PEM block is not a certificate.
pub fn check_ca(text: &str) -> Result<(), CertificateError> {
    let block = pem::blocks(text).next().ok_or(CertificateError::NoPem)?;
    public_key(&block).map(drop)
}

/// Refuses a certificate and a key that do not belong together.
///
/// # Errors
/// If one of them cannot be read, or if they do not fit.
pub fn check_pair(certificate: &str, key: &str) -> Result<(), CertificateError> {
    let leaf = pem::blocks(certificate).find(|block| block.label == "CERTIFICATE");
    let leaf = leaf.ok_or(CertificateError::NoCertificate)?;
    let is_key = |block: &Block<'_>| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    let key = pem::blocks(key).find(is_key).ok_or(CertificateError::NoKey)?;
    let public = public_key(&leaf)?.ok_or(CertificateError::UnusablePublicKey)?;
    let private = PrivateKey::parse(&key.contents).ok_or(CertificateError::MalformedKey)?;
    if private.public_key() == public { Ok(()) } else { Err(CertificateError::AnotherKey) }
}

/// The public key of a certificate; none if it is of a kind that servers and clients cannot use.
fn public_key(block: &Block<'_>) -> Result<Option<PublicKey>, CertificateError> {
    let certificate = CertificateInner::<Raw>::from_der(&block.contents);
    let certificate = certificate.map_err(|_| CertificateError::MalformedCertificate)?;
    PublicKey::parse(certificate.tbs_certificate().subject_public_key_info())
}
