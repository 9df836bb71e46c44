//! TLS for pages of metrics: what is trusted is what the load trusts too, by `tokometer-trust`.
//!
//! ureq's own TLS takes authorities and nothing else. It would refuse a self-signed certificate that is marked as an authority, though the
//! user named it, and a service that can be measured could not be read.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokometer_trust::{Distrust, Whom, client};
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
        let whom = match (endpoint.insecure, endpoint.ca_cert.as_deref()) {
            (true, _) => Whom::Anyone,
            (false, None) => Whom::System,
            (false, Some(file)) => Whom::SystemAnd(file),
        };
        let config = client(whom).map_err(|distrust| words(&distrust, endpoint))?;
        Ok(Self { config: Arc::new(config) })
    }
}

fn words(distrust: &Distrust, endpoint: &Endpoint) -> String {
    let cannot_read = |why: &dyn fmt::Display| match &endpoint.ca_cert {
        Some(file) => format!("cannot read certificates from {}: {why}", file.display()),
        None => format!("cannot read certificates: {why}"),
    };
    match distrust {
        Distrust::Unreadable(error) => cannot_read(error),
        Distrust::Empty => cannot_read(&"it holds no PEM certificate"),
        Distrust::Refused(error) => format!("cannot trust a certificate of the file: {error}"),
        Distrust::NoAuthority(why) => format!("there is no authority to trust: {why}"),
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
