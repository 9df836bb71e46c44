//! Whom TLS trusts: the system's authorities, those of a file, or, where the user insists, anyone.
//!
//! The load and whoever reads a service's own side trust the same, or a service that can be measured could not be read. Deliberately no
//! connection is made here, and no error is worded: each caller tells it in terms of what it was asked for.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Who may be a server.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'p> {
    /// Anyone that holds the key of its certificate.
    Anyone,
    /// Whom the system's authorities vouch for.
    System,
    /// Those as well whom the authorities of this PEM file vouch for, and who present one of its very certificates.
    SystemAnd(&'p Path),
}

/// Why nobody can be trusted so.
#[derive(Debug)]
pub enum Distrust {
    /// The file cannot be read as PEM.
    Unreadable(pem::Error),
    /// The file holds no certificate.
    Empty,
    /// A certificate of the file cannot be an authority's.
    Refused(rustls::Error),
    /// There is no authority at all, neither the system's nor the file's; rustls' words.
    NoAuthority(String),
}

/// The configuration of a client that trusts these.
///
/// # Errors
/// If the file cannot be used, or nobody is left to trust.
pub fn client(whom: Whom<'_>) -> Result<ClientConfig, Distrust> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for the default versions");
    let trust = match whom {
        Whom::Anyone => Trust::Anyone,
        Whom::System => trusted(Vec::new(), &provider)?,
        Whom::SystemAnd(file) => trusted(certificates(file)?, &provider)?,
    };
    let verifier = Arc::new(Verifier { provider, trust });
    let builder = versions.dangerous().with_custom_certificate_verifier(verifier);
    Ok(builder.with_no_client_auth())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Distrust> {
    let read = CertificateDer::pem_file_iter(file).and_then(|found| found.collect());
    let found: Vec<_> = read.map_err(Distrust::Unreadable)?;
    if found.is_empty() { Err(Distrust::Empty) } else { Ok(found) }
}

/// The system's authorities and those that the user named.
fn trusted(
    named: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Trust, Distrust> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in &named {
        store.add(certificate.clone()).map_err(Distrust::Refused)?;
    }
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| Distrust::NoAuthority(error.to_string()))?;
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
    ) -> Result<ServerCertVerified, rustls::Error> {
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
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
