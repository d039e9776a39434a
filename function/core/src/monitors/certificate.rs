//! Checks of certificates and private keys.
//!
//! Input: the PEM texts that a monitor refers to. Output: nothing, or the reason why the operator refuses them. Follows
//! `pem.Decode`, `x509.ParseCertificate` and `tls.X509KeyPair` of Go: only the first certificate of a bundle is parsed,
//! and the key must match it. Validity periods, issuers and signatures are not checked.

mod key;
mod pem;

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Any, Decode, Tag, Tagged};
use x509_cert::name::Name;

use crate::scrape_config::http_client::TlsConfig;
use key::{PrivateKey, PublicKey};
use pem::Block;

/// The reason why a certificate or a private key is refused.
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
    #[error("has a private key without a PEM block")]
    NoKey,
    #[error("has a private key that is not in PKCS#1, PKCS#8 or SEC 1, or that has a passphrase")]
    MalformedKey,
    #[error("does not match its private key")]
    AnotherKey,
    #[error(
        "holds no certificate that a collector loads, it must be between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- without headers"
    )]
    NoAuthority,
    #[error("is below min_version, raise it")]
    NoVersion,
}

/// A field of a TLS config that a collector cannot load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct NotLoadable {
    /// `ca`, `cert` or `max_version`.
    pub field: &'static str,
    /// The reason.
    pub reason: CertificateError,
}

/// Refuses certificates, keys and versions that a collector cannot load. A running collector with one unloadable TLS
/// config ignores all later changes of all jobs. Files are not checked, because only the collector can read them.
/// DIFFERENCE(loadable-certificates): the operator serves such a job.
///
/// # Errors
/// [`NotLoadable`] if `ca` contains no certificate, if certificate and key do not match, or if `max_version` is too
/// low.
pub fn check_loadable(config: &TlsConfig) -> Result<(), NotLoadable> {
    let TlsConfig { ca, cert, key, min_version, max_version, .. } = config;
    let within = |field| move |reason| NotLoadable { field, reason };
    if !ca.is_empty() {
        check_authorities(ca).map_err(within("ca"))?;
    }
    if !cert.is_empty() && !key.expose().is_empty() {
        check_pair(cert, key.expose()).map_err(within("cert"))?;
    }
    if !min_version.is_empty() && !max_version.is_empty() && max_version < min_version {
        return Err(within("max_version")(CertificateError::NoVersion));
    }
    Ok(())
}

/// Follows `AppendCertsFromPEM` of Go: one certificate is enough, and all other blocks are ignored.
fn check_authorities(text: &str) -> Result<(), CertificateError> {
    let is_authority =
        |block: Block<'_>| block.label == "CERTIFICATE" && !block.has_headers && public_key(&block).is_ok();
    if pem::blocks(text).any(is_authority) { Ok(()) } else { Err(CertificateError::NoAuthority) }
}

/// Checks the certificate of an authority.
///
/// # Errors
/// [`CertificateError`] if the first PEM block is not a certificate.
pub fn check_ca(text: &str) -> Result<(), CertificateError> {
    let block = pem::blocks(text).next().ok_or(CertificateError::NoPem)?;
    public_key(&block).map(drop)
}

/// Checks that a certificate and a private key match.
///
/// # Errors
/// [`CertificateError`] if one of them cannot be parsed, or if they do not match.
pub fn check_pair(certificate: &str, key: &str) -> Result<(), CertificateError> {
    let leaf = pem::blocks(certificate).find(|block| block.label == "CERTIFICATE");
    let leaf = leaf.ok_or(CertificateError::NoCertificate)?;
    let is_key = |block: &Block<'_>| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    let key = pem::blocks(key).find(is_key).ok_or(CertificateError::NoKey)?;
    let public = public_key(&leaf)?.ok_or(CertificateError::UnusablePublicKey)?;
    let private = PrivateKey::parse(&key.contents).ok_or(CertificateError::MalformedKey)?;
    if private.public_key() == public { Ok(()) } else { Err(CertificateError::AnotherKey) }
}

/// The public key of a certificate. `None` for a kind of key that TLS does not support.
fn public_key(block: &Block<'_>) -> Result<Option<PublicKey>, CertificateError> {
    let certificate = CertificateInner::<Raw>::from_der(&block.contents);
    let certificate = certificate.ok().filter(is_well_formed).ok_or(CertificateError::MalformedCertificate)?;
    PublicKey::parse(certificate.tbs_certificate().subject_public_key_info())
}

/// The checks of Go beyond the ASN.1 structure. Go also checks extensions. They are not checked here, because real
/// certificates contain errors in extensions that Go accepts.
fn is_well_formed(certificate: &CertificateInner<Raw>) -> bool {
    let signed = certificate.tbs_certificate();
    let positive = signed.serial_number().as_bytes().first().is_none_or(|first| *first < 0x80);
    let names = [signed.issuer(), signed.subject()];
    positive
        && signed.signature() == certificate.signature_algorithm()
        && names.into_iter().flat_map(Name::iter).all(|attribute| is_string(&attribute.value))
}

fn is_string(value: &Any) -> bool {
    match value.tag() {
        Tag::PrintableString => value.value().iter().all(|byte| {
            // The standard does not allow `*` and `&`, but Go accepts them.
            byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(byte)
        }),
        Tag::Utf8String => std::str::from_utf8(value.value()).is_ok(),
        Tag::Ia5String => value.value().is_ascii(),
        Tag::NumericString => value.value().iter().all(|byte| byte.is_ascii_digit() || *byte == b' '),
        Tag::TeletexString | Tag::BmpString => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! pem {
        ($name:literal) => {
            include_str!(concat!("certificate/test-data/", $name))
        };
    }

    const P256: &str = pem!("p256.crt");
    const P256_KEY: &str = pem!("p256.key");

    #[test]
    fn keys_belong_to_their_certificates() {
        let pairs = [
            (P256, P256_KEY),
            (P256, pem!("p256-pkcs8.key")),
            (pem!("p384.crt"), pem!("p384.key")),
            (pem!("p521.crt"), pem!("p521.key")),
            (pem!("ed25519.crt"), pem!("ed25519.key")),
            (pem!("rsa.crt"), pem!("rsa.key")),
            (pem!("rsa.crt"), pem!("rsa-pkcs8.key")),
        ];
        for (at, (certificate, key)) in pairs.iter().enumerate() {
            assert_eq!(check_ca(certificate), Ok(()), "{at}");
            for (other, (_, other_key)) in pairs.iter().enumerate() {
                let same = pairs[at].0 == pairs[other].0;
                let expected = if same { Ok(()) } else { Err(CertificateError::AnotherKey) };
                assert_eq!(check_pair(certificate, other_key), expected, "{at} {other}");
            }
            let mistyped = key.replacen(['A', 'B', 'C'], "D", 40);
            assert!(check_pair(certificate, &mistyped).is_err(), "{at}");
        }
    }

    #[test]
    fn certificates_and_keys_that_go_refuses_are_refused() {
        let windows = P256.replace('\n', "\r\n");
        let bundle = format!("a comment\n{P256}{}", pem!("rsa.crt"));
        let key_first = format!("{P256_KEY}{P256}");
        let cut = &P256[..P256.len() / 2];
        let corrupt = P256.replacen("BIN CERTIFICATE-----\nMIIB", "", 1).replacen("-----\nMII", "-----\nNII", 1);
        let authorities = [
            (P256, Ok(())),
            (&windows, Ok(())),
            (&bundle, Ok(())),
            (pem!("k256.crt"), Err(CertificateError::UnusablePublicKey)),
            (&key_first, Err(CertificateError::MalformedCertificate)),
            (cut, Err(CertificateError::NoPem)),
            (&corrupt, Err(CertificateError::MalformedCertificate)),
            ("ca", Err(CertificateError::NoPem)),
        ];
        for (text, expected) in authorities {
            assert_eq!(check_ca(text), expected, "{text}");
        }
        let pairs = [
            (bundle.as_str(), P256_KEY, Ok(())),
            (&key_first, &key_first, Ok(())),
            (P256, P256, Err(CertificateError::NoKey)),
            (P256_KEY, P256, Err(CertificateError::NoCertificate)),
            (P256, pem!("p256-encrypted.key"), Err(CertificateError::MalformedKey)),
            (P256, "key", Err(CertificateError::NoKey)),
        ];
        for (certificate, key, expected) in pairs {
            assert_eq!(check_pair(certificate, key), expected, "{certificate}{key}");
        }
    }

    #[test]
    fn authorities_are_accepted_as_in_go() {
        // Each outcome was compared with `AppendCertsFromPEM` of Go 1.26.
        let trusted = P256.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let with_headers = P256.replace("BEGIN CERTIFICATE-----\n", "BEGIN CERTIFICATE-----\nName: value\n\n");
        let after = |text: &str| format!("{text}{P256}");
        let cases = [
            (P256.to_owned(), Ok(())),
            (P256.replace('\n', "\r\n"), Ok(())),
            (after("a comment\n"), Ok(())),
            (after(&trusted), Ok(())),
            (after(&with_headers), Ok(())),
            (after(pem!("k256.crt")), Ok(())),
            (trusted, Err(CertificateError::NoAuthority)),
            (with_headers, Err(CertificateError::NoAuthority)),
            (pem!("k256.crt").to_owned(), Err(CertificateError::NoAuthority)),
            (P256_KEY.to_owned(), Err(CertificateError::NoAuthority)),
            ("ca".to_owned(), Err(CertificateError::NoAuthority)),
        ];
        for (text, expected) in cases {
            assert_eq!(check_authorities(&text), expected, "{text}");
        }
    }

    #[test]
    fn fields_that_a_collector_cannot_load_are_reported() {
        let config = |ca: &str, cert: &str, key: &str| TlsConfig {
            ca: ca.to_owned(),
            cert: cert.to_owned(),
            key: key.into(),
            ..TlsConfig::default()
        };
        let field = |config| check_loadable(&config).map_err(|error| error.field);
        assert_eq!(field(TlsConfig::default()), Ok(()));
        assert_eq!(field(config(P256, P256, P256_KEY)), Ok(()));
        assert_eq!(field(config("ca", P256, P256_KEY)), Err("ca"));
        assert_eq!(field(config("", P256, pem!("rsa.key"))), Err("cert"));
        let versions = |min: &str, max: &str| TlsConfig {
            min_version: min.to_owned(),
            max_version: max.to_owned(),
            ..TlsConfig::default()
        };
        assert_eq!(field(versions("TLS12", "TLS12")), Ok(()));
        assert_eq!(field(versions("TLS13", "")), Ok(()));
        assert_eq!(field(versions("TLS13", "TLS12")), Err("max_version"));
    }
}
