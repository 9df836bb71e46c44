//! TLS for pages of metrics: what is trusted is what the load trusts too.
//!
//! ureq's own TLS takes authorities and nothing else, and a certificate that was made for one's own server alone is often
//! marked as an authority, which a verifier by the book does not accept from a server. The load accepts the very
//! certificate that its user named; so the pages must, or a service that can be measured could not be read.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::Endpoint;

/// Puts TLS over connections that want it.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
}

impl Tls {
    /// TLS that trusts the authorities of the system and of the endpoint's file, that file's very certificates, or, where
    /// the user insists, anyone. What cannot be trusted is said in words.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the ring provider has suites for the default versions");
        let trust = if endpoint.insecure { Trust::Anyone } else { trusted(endpoint, &provider)? };
        let verifier = Arc::new(Verifier { provider, trust });
        let builder = versions.dangerous().with_custom_certificate_verifier(verifier);
        Ok(Self { config: Arc::new(builder.with_no_client_auth()) })
    }
}

fn trusted(endpoint: &Endpoint, provider: &Arc<CryptoProvider>) -> Result<Trust, String> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let named = endpoint.ca_cert.as_deref().map(authorities).transpose()?.unwrap_or_default();
    for certificate in &named {
        let refused = |why| format!("cannot trust a certificate of the file: {why}");
        store.add(certificate.clone()).map_err(refused)?;
    }
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|why| format!("there is no authority to trust: {why}"))?;
    Ok(Trust::Authorities { usual, named })
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot =
        |why: &dyn fmt::Display| format!("cannot read certificates from {}: {why}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    let found: Vec<_> = read.map_err(|error| cannot(&error))?;
    if found.is_empty() { Err(cannot(&"it holds no PEM certificate")) } else { Ok(found) }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        below: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(below) = below else { return Ok(None) };
        if !details.needs_tls() || below.is_tls() {
            return Ok(Some(Either::A(below)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::Tls("a certificate cannot bear such a name"))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        let mut below = TransportAdapter::new(below.boxed(), Arc::clone(&details.current_time));
        below.set_timeout(details.timeout);
        connection.complete_io(&mut below)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let stream = StreamOwned::new(connection, below);
        Ok(Some(Either::B(Encrypted { buffers, stream })))
    }
}

/// A connection with TLS over it.
pub(super) struct Encrypted {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
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
    /// Whom the authorities vouch for, and whoever presents a certificate that the user named.
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
        match usual.verify_server_cert(presented, intermediates, name, stapled, now) {
            Err(_) if named.iter().any(|named| named == presented) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::PrivateKeyDer;

    use super::super::{Failure, Fetch};
    use super::*;
    use crate::served::{Reply, Server};

    fn authority() -> CertificateParams {
        let mut wanted = named();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted
    }

    fn named() -> CertificateParams {
        CertificateParams::new(["127.0.0.1".to_owned()]).unwrap()
    }

    fn server(certificate: &CertificateDer<'static>, key: &KeyPair) -> Server {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Server::secure(Reply::page("up 1\n"), certificate.clone(), key)
    }

    enum Trusting<'p> {
        Anyone,
        File(&'p str),
    }

    fn page(server: &Server, trusting: Trusting<'_>) -> Result<String, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (insecure, ca_cert) = match trusting {
            Trusting::Anyone => (true, None),
            Trusting::File(pem) => {
                std::fs::write(file.path(), pem).unwrap();
                (false, Some(file.path().to_owned()))
            }
        };
        let url = server.url("/metrics");
        let (shown, headers, secrets) = (url.clone(), Vec::new(), Vec::new());
        let endpoint = Endpoint { url, shown, headers, insecure, ca_cert, proxy: None, secrets };
        Fetch::new(endpoint, Duration::from_secs(30))?.page()
    }

    #[test]
    fn a_certificate_is_trusted_by_its_authority_by_its_file_or_without_asking() {
        let issuer =
            CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = named().signed_by(&key, &issuer).unwrap();
        let server = server(certificate.der(), &key);
        assert_eq!(page(&server, Trusting::File(&issuer.pem())).as_deref(), Ok("up 1\n"));
        assert_eq!(page(&server, Trusting::File(&certificate.pem())).as_deref(), Ok("up 1\n"));
        assert_eq!(page(&server, Trusting::Anyone).as_deref(), Ok("up 1\n"));
    }

    #[test]
    fn a_servers_own_certificate_is_trusted_even_if_it_is_marked_as_an_authority() {
        let key = KeyPair::generate().unwrap();
        let certificate = authority().self_signed(&key).unwrap();
        let server = server(certificate.der(), &key);
        assert_eq!(page(&server, Trusting::File(&certificate.pem())).as_deref(), Ok("up 1\n"));
    }

    #[test]
    fn the_certificate_of_someone_else_is_not_trusted() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let server = server(named().self_signed(&key).unwrap().der(), &key);
        let other = named().self_signed(&other).unwrap().pem();
        let refused = page(&server, Trusting::File(&other)).unwrap_err().to_string();
        assert!(refused.starts_with("its certificate is not trusted: "), "{refused}");
    }

    #[test]
    fn a_file_without_certificates_is_said_in_words() {
        let key = KeyPair::generate().unwrap();
        let server = server(named().self_signed(&key).unwrap().der(), &key);
        let refused = page(&server, Trusting::File("hello")).unwrap_err().to_string();
        assert!(refused.ends_with(": it holds no PEM certificate"), "{refused}");
    }
}
