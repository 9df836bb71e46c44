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
    let builder = if settings.tls.insecure {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    } else {
        let (store, named) = authorities(settings)?;
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| SettingsError::Certificates {
                path: settings.tls.ca_cert.clone().unwrap_or_default(),
                why: format!("there is no authority to trust: {error}"),
            })?;
        versions.dangerous().with_custom_certificate_verifier(Arc::new(Named { usual, named }))
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols =
        vec![if settings.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The authorities to trust, and the certificates that the user named.
fn authorities(
    settings: &Settings,
) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), SettingsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = &settings.tls.ca_cert else { return Ok((store, Vec::new())) };
    let failed = |why: String| SettingsError::Certificates { path: path.clone(), why };
    let named: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    let named = named.map_err(|error| failed(error.to_string()))?;
    if named.is_empty() {
        return Err(failed("the file holds no PEM certificate".into()));
    }
    for certificate in &named {
        store.add(certificate.clone()).map_err(|error| failed(error.to_string()))?;
    }
    Ok((store, named))
}

/// Trusts whom the authorities vouch for, and a server that presents the very certificate that the user named: a self-signed one
/// is often marked as an authority, which a verifier by the book does not accept from a server.
#[derive(Debug)]
struct Named {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        presented: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.usual.verify_server_cert(presented, intermediates, name, stapled, now);
        if verified.is_err() && self.named.iter().any(|named| named == presented) {
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
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Accepts every certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
