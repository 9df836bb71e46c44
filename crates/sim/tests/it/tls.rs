//! Over TLS, on loopback.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokometer_sim::{Options, Truth, Words, check_certificate, spawn_with};

use crate::client::{CHAT, ask, chat};

/// A folder with `cert.pem`, `key.pem` and another's `other.pem`.
fn certified() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let own = made();
    write("cert.pem", own.cert.pem());
    write("key.pem", own.signing_key.serialize_pem());
    write("both.pem", own.cert.pem() + &own.signing_key.serialize_pem());
    write("other.pem", made().signing_key.serialize_pem());
    write("empty.pem", String::new());
    folder
}

fn options(folder: &Path, certificate: &str, key: &str) -> Options {
    let path = |name: &str| folder.join(name).display().to_string();
    let query = format!("ssl_certfile={}&ssl_keyfile={}", path(certificate), path(key));
    Options::from_query(&query).unwrap()
}

#[tokio::test]
async fn a_chat_is_streamed_over_tls() {
    let folder = certified();
    let truth = Truth::memory(tokio::time::Instant::now());
    let options = Options {
        ttft: tokometer_sim::Delay::Constant(std::time::Duration::from_millis(5)),
        itl: tokometer_sim::Delay::Constant(std::time::Duration::from_millis(1)),
        ..options(folder.path(), "cert.pem", "key.pem")
    };
    let address = "127.0.0.1:0".parse().unwrap();
    let running = spawn_with(options, Arc::new(Words), address, truth.clone()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(running.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    let answer = ask(&mut tls, CHAT, &[], &chat(4).to_string()).await;
    assert_eq!((answer.status, answer.complete), (200, true));
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    // Plain HTTP is not understood at the same port.
    let mut plain = TcpStream::connect(running.address()).await.unwrap();
    assert_eq!(ask(&mut plain, CHAT, &[], &chat(1).to_string()).await.status, 0);
    drop((tls, running));
    let served = truth.served();
    assert_eq!(served[0].emissions.iter().map(|emitted| emitted.tokens).sum::<u32>(), 4);
}

#[test]
fn files_that_make_no_tls_are_refused_by_name_before_anything_is_served() {
    let folder = certified();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let error = |certificate, key| {
        let options = options(folder.path(), certificate, key);
        let address = "127.0.0.1:0".parse().unwrap();
        assert!(spawn_with(options.clone(), Arc::new(Words), address, Truth::none()).is_err());
        check_certificate(&options).unwrap_err().to_string()
    };
    assert_eq!(
        error("none.pem", "key.pem"),
        format!("cannot read the certificate {}", at("none.pem"))
    );
    assert_eq!(
        error("cert.pem", "none.pem"),
        format!("cannot read the private key {}", at("none.pem"))
    );
    assert_eq!(
        error("empty.pem", "key.pem"),
        format!("there is no certificate in {}", at("empty.pem"))
    );
    assert_eq!(
        error("cert.pem", "cert.pem"),
        format!("there is no private key in {}", at("cert.pem"))
    );
    let (certificate, key) = (at("cert.pem"), at("other.pem"));
    assert_eq!(
        error("cert.pem", "other.pem"),
        format!("the certificate {certificate} and the key {key} do not go together")
    );
    assert!(check_certificate(&options(folder.path(), "both.pem", "both.pem")).is_ok());
    assert!(check_certificate(&Options::default()).is_ok());
}
