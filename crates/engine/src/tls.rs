//! What TLS trusts: the system's authorities, those of a file, or, where the user insists, anyone.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::settings::{Settings, SettingsError};

/// The connector for the settings' target, and the name to check its certificate against.
pub(crate) fn connector(
    settings: &Settings,
) -> Result<(TlsConnector, ServerName<'static>), SettingsError> {
    let target = &settings.target;
    let name = ServerName::try_from(target.host.clone()).map_err(|error| SettingsError::Url {
        url: target.host.clone(),
        why: format!("a certificate cannot bear such a name: {error}"),
    })?;
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for the default versions");
    let trust = if settings.tls.insecure { Trust::Anyone } else { trusted(settings, &provider)? };
    let verifier = Arc::new(Verifier { provider, trust });
    let builder = versions.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols =
        vec![if settings.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The system's authorities and the user's.
fn trusted(settings: &Settings, provider: &Arc<CryptoProvider>) -> Result<Trust, SettingsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let path = settings.tls.ca_cert.clone().unwrap_or_else(|| "the system's store".into());
    let failed = |why: String| SettingsError::Certificates { path: path.clone(), why };
    let mut named = Vec::new();
    if settings.tls.ca_cert.is_some() {
        let read = CertificateDer::pem_file_iter(&path).and_then(|found| found.collect());
        named = read.map_err(|error| failed(error.to_string()))?;
        if named.is_empty() {
            return Err(failed("the file holds no PEM certificate".into()));
        }
    }
    for certificate in &named {
        store.add(certificate.clone()).map_err(|error| failed(error.to_string()))?;
    }
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| failed(format!("there is no authority to trust: {error}")))?;
    Ok(Trust::Authorities { usual, named })
}

/// Checks a server's certificate as far as the user wants it checked, and in any case that the server holds its key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
}

#[derive(Debug)]
enum Trust {
    Anyone,
    /// Whom the authorities vouch for, and a server that presents the very certificate that the user named: a self-signed one is often
    /// marked as an authority, which a verifier by the book does not accept from a server.
    Authorities {
        usual: Arc<WebPkiServerVerifier>,
        named: Vec<CertificateDer<'static>>,
    },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Authorities { usual, named } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = usual.verify_server_cert(presented, intermediates, name, stapled, now);
        if verified.is_err() && named.iter().any(|named| named == presented) {
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
