//! The engine on real sockets: TLS, HTTP/2, proxies, and the ways in which a connection is not had.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokometer_engine::{
    Engine, Event, Interrupt, Job, Proxy, Settings, SettingsError, Target, Timeouts, Tls,
};
use tokometer_record::{Connection, FailureKind, Record, TimeoutPhase};
use tokometer_sim::{Running, Server, Truth, Words};
use tokometer_wire::{Options, Prompt, Request};
use tokometer_workload::Ask;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

fn simulator(query: &str) -> Running {
    let options = tokometer_sim::Options::from_query(query).unwrap();
    tokometer_sim::spawn(options, Arc::new(Words), (Ipv4Addr::LOCALHOST, 0).into(), None).unwrap()
}

fn settings(url: &str) -> Settings {
    let api = tokometer_wire::by_name("openai-chat").unwrap();
    Settings {
        target: Target::parse(url, api).unwrap(),
        api,
        stream: true,
        headers: Vec::new(),
        secrets: Vec::new(),
        timeouts: Timeouts::default(),
        tls: Tls::default(),
        http2: false,
        proxy: None,
        workers: NonZeroUsize::MIN,
        keep_output: false,
        keep_prompt: false,
        request_id_prefix: "network-".into(),
        drain: Duration::from_secs(5),
    }
}

fn chat(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}/v1/chat/completions")
}

fn run(settings: Settings, in_flight: usize, requests: u64) -> Vec<Record> {
    let options = Options { max_tokens: Some(3), stream: true, ..Options::default() };
    let prompt = Prompt::Text("hello".into());
    let request = Request { model: Some("m"), prompt: &prompt, options: &options, template: None };
    let body = settings.api.request(&request).unwrap();
    let asks: Arc<[Ask]> = Arc::new([Ask { body, ..Ask::default() }]);
    let load = Load {
        arrivals: Arrivals::AtOnce,
        in_flight: NonZeroUsize::new(in_flight),
        stop: Stop { requests, after: None },
        warmup: Warmup::None,
    };
    let engine = Engine::start(settings).unwrap();
    let (events, happened) = channel();
    let job = Job { load: &load, asks: &asks, seed: Seed::new(1), probe: None };
    let finished = engine.run(&job, &events, &Interrupt::default());
    assert!(finished.complete);
    drop(events);
    let records = happened.iter().filter_map(|event| match event {
        Event::Ended { record, .. } => Some(record),
        Event::Pulse(_) => None,
    });
    records.collect()
}

fn only_kind(records: &[Record]) -> FailureKind {
    let kinds: Vec<_> = records.iter().map(|record| record.failure().unwrap().kind).collect();
    assert!(kinds.windows(2).all(|pair| pair[0] == pair[1]), "{kinds:?}");
    kinds[0]
}

#[test]
fn hundreds_of_streams_share_a_process_and_reuse_their_connections() {
    let sim = simulator("ttft_ms=50&itl_ms=5");
    let records = run(settings(&chat("http", sim.address())), 400, 1200);
    assert_eq!(records.iter().filter(|record| record.succeeded()).count(), 1200);
    assert!(records.iter().all(|record| record.connection == Connection::Reused));
}

#[test]
fn several_workers_share_one_load() {
    let sim = simulator("ttft_ms=5&itl_ms=1");
    let workers = NonZeroUsize::new(3).unwrap();
    let records = run(Settings { workers, ..settings(&chat("http", sim.address())) }, 10, 100);
    let mut indices: Vec<u64> = records.iter().map(|record| record.index).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..100).collect::<Vec<_>>());
    assert!(records.iter().all(Record::succeeded));
}

#[test]
fn http2_carries_many_streams_over_few_connections() {
    let sim = simulator("ttft_ms=20&itl_ms=1");
    let records = run(Settings { http2: true, ..settings(&chat("http", sim.address())) }, 50, 150);
    let failed: Vec<_> = records.iter().filter_map(Record::failure).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(records.iter().all(|record| record.chunks.len() == 3));
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let records = run(settings(&chat("http", free)), 2, 3);
    assert_eq!((only_kind(&records), records.len()), (FailureKind::ConnectRefused, 3));
    assert_eq!(records[0].connection, Connection::None);
}

#[test]
fn a_name_that_nobody_has_is_not_resolved() {
    let records = run(settings("http://nobody.invalid/v1/chat/completions"), 1, 1);
    assert_eq!(only_kind(&records), FailureKind::Dns);
}

#[test]
fn a_server_that_accepts_and_says_nothing_times_out_before_the_first_byte() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let first_byte = Some(Duration::from_millis(50));
    let timeouts = Timeouts { first_byte, ..Timeouts::default() };
    let url = chat("http", silent.local_addr().unwrap());
    let records = run(Settings { timeouts, ..settings(&url) }, 1, 1);
    assert_eq!(only_kind(&records), FailureKind::Timeout(TimeoutPhase::FirstByte));
}

#[test]
fn a_server_that_never_shakes_hands_times_out_while_connecting() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let timeouts = Timeouts { connect: Some(Duration::from_millis(50)), ..Timeouts::default() };
    let insecure = Tls { insecure: true, ca_cert: None };
    let url = chat("https", silent.local_addr().unwrap());
    let records = run(Settings { timeouts, tls: insecure, ..settings(&url) }, 1, 1);
    assert_eq!(only_kind(&records), FailureKind::Timeout(TimeoutPhase::Connect));
}

#[test]
fn a_server_that_speaks_no_http_breaks_the_protocol() {
    let rude = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = chat("http", rude.local_addr().unwrap());
    thread::spawn(move || {
        for stream in rude.incoming() {
            let mut stream = stream.unwrap();
            // The client may have gone before it is answered.
            let _ = stream
                .read(&mut [0; 4096])
                .and_then(|_| stream.write_all(b"220 mail ready\r\n\r\n"));
        }
    });
    assert_eq!(only_kind(&run(settings(&url), 1, 1)), FailureKind::Protocol);
}

#[test]
fn a_plain_server_fails_the_tls_handshake() {
    let sim = simulator("");
    let records = run(settings(&chat("https", sim.address())), 1, 1);
    assert_eq!(only_kind(&records), FailureKind::Tls);
}

/// A simulator behind TLS, with a certificate of its own making: its port, and the certificate's file.
fn secured() -> (u16, tempfile::TempDir, PathBuf) {
    // As `openssl req -x509` makes them: signed by itself, and marked as an authority.
    let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = wanted.self_signed(&signing_key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, cert.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from_pem_file(&path).unwrap()], key)
        .unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = Server::new(
                tokometer_sim::Options::default(),
                Arc::new(Words),
                tokometer_clock::Timer::tokio(),
                Truth::none(),
            );
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let listener = tokio::net::TcpListener::bind("localhost:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, acceptor) = (Arc::clone(&server), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        tokometer_sim::serve_connection(server, stream).await;
                    }
                });
            }
        });
    });
    (told.recv().unwrap(), folder, path)
}

#[test]
fn a_certificate_is_trusted_if_the_user_names_its_authority_or_insists() {
    let (port, _folder, path) = secured();
    let url = format!("https://localhost:{port}/v1/chat/completions");
    assert_eq!(only_kind(&run(settings(&url), 1, 1)), FailureKind::Tls);
    let named = Tls { insecure: false, ca_cert: Some(path) };
    let records = run(Settings { tls: named, ..settings(&url) }, 2, 4);
    assert!(records.iter().all(Record::succeeded), "{:?}", records[0].outcome);
    let insecure = Tls { insecure: true, ca_cert: None };
    assert!(run(Settings { tls: insecure, ..settings(&url) }, 1, 1)[0].succeeded());
}

#[test]
fn a_file_that_holds_no_certificate_is_refused_before_any_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pem");
    std::fs::write(&path, "nothing").unwrap();
    let tls = Tls { insecure: false, ca_cert: Some(path) };
    let started = Engine::start(Settings { tls, ..settings("https://localhost/v1/completions") });
    assert!(matches!(started, Err(SettingsError::Certificates { .. })));
}

/// A proxy that opens one tunnel after another; it tells whom it was asked for.
fn proxy() -> (Proxy, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let authority = head.split(' ').nth(1).unwrap().to_owned();
            let mut server = TcpStream::connect(&authority).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            tell.send(authority).unwrap();
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            // Either direction ends when its side goes, in whatever manner.
            thread::spawn(move || drop(std::io::copy(&mut up, &mut server)));
            thread::spawn(move || drop(std::io::copy(&mut down, &mut client)));
        }
    });
    (Proxy { host: "127.0.0.1".into(), port }, told)
}

#[test]
fn tls_passes_a_proxy_through_a_tunnel() {
    let (port, _folder, _path) = secured();
    let (proxy, told) = proxy();
    let url = format!("https://localhost:{port}/v1/chat/completions");
    let tls = Tls { insecure: true, ca_cert: None };
    let records = run(Settings { tls, proxy: Some(proxy), ..settings(&url) }, 1, 2);
    assert!(records.iter().all(Record::succeeded), "{:?}", records[0].outcome);
    assert_eq!(told.recv().unwrap(), format!("localhost:{port}"));
}

#[test]
fn a_key_that_the_server_repeats_is_in_no_record() {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = chat("http", echo.local_addr().unwrap());
    thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            let body = r#"{"error":{"message":"the key sk-very-secret-1 is wrong"}}"#;
            let length = body.len();
            let answer = format!("HTTP/1.1 401 No\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    let headers = vec![("authorization".to_owned(), "Bearer sk-very-secret-1".to_owned())];
    let secrets = vec!["sk-very-secret-1".to_owned()];
    let records = run(Settings { headers, secrets, ..settings(&url) }, 1, 1);
    let failure = records[0].failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Status(401));
    assert_eq!(failure.message, "the key *** is wrong");
}

/// The test runs itself again where descriptors are few: a limit holds for a whole process.
#[cfg(unix)]
#[test]
fn a_process_without_descriptors_left_says_so() {
    const CHILD: &str = "TOKOMETER_TEST_WITH_FEW_DESCRIPTORS";
    if let Ok(address) = std::env::var(CHILD) {
        let records = run(settings(&chat("http", address.parse().unwrap())), 100, 100);
        let failures: Vec<_> = records.iter().filter_map(Record::failure).collect();
        assert!(!failures.is_empty());
        assert!(
            failures.iter().all(|failure| failure.kind == FailureKind::OutOfDescriptors),
            "{failures:?}"
        );
        return;
    }
    let sim = simulator("ttft_ms=300&itl_ms=1");
    let child = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 60 && exec \"$0\" --exact a_process_without_descriptors_left_says_so",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, sim.address().to_string())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
