//! TLS: the certificate and the key that a server shows, read before it serves, and what a connection over TLS can do.
//!
//! Moments are stamped above TLS: an arrival when its bytes have been decrypted, an emission right before they are encrypted, which takes
//! microseconds. Deliberately asks no client for a certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncRead as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::options::{Certified, Options};
use crate::server::line::Ways;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot read the {what} {}", path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds none of what it should.
    #[error("there is no {what} in {}", path.display())]
    Empty {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are none, or not of each other.
    #[error("the certificate {} and the key {} do not go together", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// Reads the certificate and the key that a server is to show, to say what is wrong with them before it serves.
///
/// # Errors
/// If a file cannot be read, holds no such thing, or the two do not go together.
pub fn check_certificate(options: &Options) -> Result<(), TlsError> {
    options.serving.certified.as_ref().map_or(Ok(()), |files| acceptor(files).map(drop))
}

/// What shows this certificate to clients. Both versions of HTTP are offered.
///
/// # Errors
/// If a file cannot be read, holds no such thing, or the two do not go together.
pub(crate) fn acceptor(files: &Certified) -> Result<TlsAcceptor, TlsError> {
    let (path, key_path) = (&files.certificate, &files.key);
    let read = CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    let chain: Vec<_> = read.map_err(|error| unreadable(CERTIFICATE, path, error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { what: CERTIFICATE, path: path.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(key_path);
    let key = key.map_err(|error| unreadable(KEY, key_path, error))?;
    let provider = Arc::new(ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for the default versions");
    let config = versions.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|source| TlsError::Pair {
        certificate: path.clone(),
        key: key_path.clone(),
        source,
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a connection over TLS can do: it is reset below TLS, and read above.
pub(crate) fn ways() -> Ways<TlsStream<TcpStream>> {
    Ways {
        arm_reset: |stream| {
            // Only a socket that is closed already refuses this.
            let _ = stream.get_ref().0.set_zero_linger();
        },
        read: |stream, cx, into| Pin::new(stream).poll_read(cx, into).map_ok(|()| Duration::ZERO),
    }
}

fn unreadable(what: &'static str, path: &Path, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    match error {
        pem::Error::NoItemsFound => TlsError::Empty { what, path },
        pem::Error::Io(source) => TlsError::File { what, path, source },
        other => TlsError::File { what, path, source: io::Error::other(other.to_string()) },
    }
}

const CERTIFICATE: &str = "certificate";

const KEY: &str = "private key";
