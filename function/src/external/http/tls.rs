//! TLS as a `tls_config` asks for it.
//!
//! Input: a connection and the settings. Output: the same, encrypted, its server's
//! certificate judged by the settings.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version};
use target_allocator_core::scrape_config::http_client::TlsConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::chain;
use crate::external::file::read_file;

/// Encrypts a connection to `host`.
pub async fn wrap<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    settings: &TlsConfig,
    folder: &Path,
) -> Result<TlsStream<S>, String> {
    let name = if settings.server_name.is_empty() { host } else { &settings.server_name };
    let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("not a server name: {name}"))?;
    let connector = TlsConnector::from(Arc::new(client_config(settings, folder)?));
    connector.connect(name, stream).await.map_err(|error| chain(&error))
}

fn client_config(settings: &TlsConfig, folder: &Path) -> Result<ClientConfig, String> {
    let pem = |inline: &str, file: &str| -> Result<Vec<u8>, String> {
        if file.is_empty() {
            return Ok(inline.as_bytes().to_vec());
        }
        read_file(&folder.join(file)).map_err(|reason| format!("{file}: {reason}"))
    };
    let versions: &[&rustls::SupportedProtocolVersion] =
        match (settings.min_version.as_str(), settings.max_version.as_str()) {
            ("TLS13", _) => &[&version::TLS13],
            (_, "TLS12") => &[&version::TLS12],
            _ => &[&version::TLS13, &version::TLS12],
        };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions);
    let builder = builder.map_err(|error| chain(&error))?;
    let builder = if settings.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        let ca = pem(&settings.ca, &settings.ca_file)?;
        let roots = if ca.is_empty() { system_roots() } else { Arc::new(roots(&ca)?) };
        builder.with_root_certificates(roots)
    };
    let certificate = pem(&settings.cert, &settings.cert_file)?;
    if certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_slice(&pem(settings.key.expose(), &settings.key_file)?);
    let key = key.map_err(|_| "tls_config has a key that is no pem key")?;
    builder.with_client_auth_cert(certificates(&certificate)?, key).map_err(|error| chain(&error))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| format!("tls_config has a certificate that is no pem: {error}"))?;
    if all.is_empty() { Err("tls_config has a text without a certificate".to_owned()) } else { Ok(all) }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| chain(&error))?;
    }
    Ok(roots)
}

/// The system's roots, read once.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        // Those that cannot be read are missing; a server that needs them is refused.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}

/// `insecure_skip_verify`: takes any certificate, but not a wrong signature.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
