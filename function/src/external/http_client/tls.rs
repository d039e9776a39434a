//! TLS with the settings of a `tls_config`.
//!
//! Input: a connection and the settings. Output: the encrypted connection. The certificate of the server is verified as
//! the settings require.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, version};
use target_allocator_core::scrape_config::http_client::TlsConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::external::file::{ReadError, read_file};

/// The reason why a connection cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("not a server name: {0}")]
    ServerName(String),
    #[error("{path}")]
    File {
        path: String,
        #[source]
        source: ReadError,
    },
    #[error("tls_config has a key that is no pem key")]
    Key,
    #[error("tls_config has a certificate that is no pem")]
    Certificate(#[from] pem::Error),
    #[error("tls_config has a text without a certificate")]
    NoCertificate,
    #[error(transparent)]
    Settings(#[from] rustls::Error),
    #[error(transparent)]
    Handshake(#[from] io::Error),
}

/// Encrypts a connection to `host`.
pub async fn wrap<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    settings: &TlsConfig,
    folder: &Path,
) -> Result<TlsStream<S>, TlsError> {
    let name = if settings.server_name.is_empty() { host } else { &settings.server_name };
    let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))?;
    let connector = TlsConnector::from(Arc::new(client_config(settings, folder)?));
    Ok(connector.connect(name, stream).await?)
}

fn client_config(settings: &TlsConfig, folder: &Path) -> Result<ClientConfig, TlsError> {
    let text = |inline: &str, file: &str| -> Result<Vec<u8>, TlsError> {
        if file.is_empty() {
            return Ok(inline.as_bytes().to_vec());
        }
        read_file(&folder.join(file)).map_err(|source| TlsError::File { path: file.to_owned(), source })
    };
    let versions: &[&rustls::SupportedProtocolVersion] =
        match (settings.min_version.as_str(), settings.max_version.as_str()) {
            ("TLS13", _) => &[&version::TLS13],
            (_, "TLS12") => &[&version::TLS12],
            _ => &[&version::TLS13, &version::TLS12],
        };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
    let builder = if settings.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        let ca = text(&settings.ca, &settings.ca_file)?;
        let roots = if ca.is_empty() { system_roots() } else { Arc::new(roots(&ca)?) };
        builder.with_root_certificates(roots)
    };
    let certificate = text(&settings.cert, &settings.cert_file)?;
    if certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_slice(&text(settings.key.expose(), &settings.key_file)?);
    let key = key.map_err(|_| TlsError::Key)?;
    Ok(builder.with_client_auth_cert(certificates(&certificate)?, key)?)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() { Err(TlsError::NoCertificate) } else { Ok(all) }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The root certificates of the system. They are read once.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        // Certificates that cannot be read are skipped. A server that needs them is refused.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}

/// The verifier for `insecure_skip_verify`. It accepts every certificate, but it still checks signatures.
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
