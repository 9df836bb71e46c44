//! A server of pages for tests, on a real socket: it answers as it is told to, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With these bytes.
    Raw(String),
    /// With these bytes, and then by closing the connection.
    Half(String),
    /// Not at all, for as long as the client waits.
    Hang,
    /// By closing the connection.
    Close,
}

impl Reply {
    pub(crate) fn page(page: &str) -> Self {
        Self::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len()))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Raw(format!("HTTP/1.1 {status} Thus\r\ncontent-length: 2\r\n\r\nno"))
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::Raw(format!("HTTP/1.1 307 There\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
    }
}

/// A server that ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    reply: Reply,
    asked: Vec<String>,
    connections: Vec<TcpStream>,
    ended: bool,
}

impl Server {
    pub(crate) fn new(reply: Reply) -> Self {
        Self::start(reply, None)
    }

    /// A server over TLS, with this certificate and its key.
    pub(crate) fn secure(
        reply: Reply,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider);
        let builder = versions.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certificate], key).unwrap();
        Self::start(reply, Some(Arc::new(config)))
    }

    fn start(reply: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { reply, asked: Vec::new(), connections: Vec::new(), ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let its = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut state = its.lock();
                if state.ended {
                    return;
                }
                state.connections.push(stream.try_clone().unwrap());
                let (its, tls) = (Arc::clone(&its), tls.clone());
                thread::spawn(move || match tls {
                    None => its.serve(stream.try_clone().unwrap(), &stream),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        let raw = stream.try_clone().unwrap();
                        its.serve(StreamOwned::new(connection, stream), &raw);
                    }
                });
            }
        });
        Self { address, scheme, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// From now on answers thus.
    pub(crate) fn reply(&self, reply: Reply) {
        self.shared.lock().reply = reply;
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.lock().asked.clone()
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections.len()
    }

    /// Waits until so many requests have come.
    pub(crate) fn wait_for(&self, requests: usize) {
        let few = |state: &mut State| state.asked.len() < requests;
        let patience = Duration::from_secs(30);
        let (state, waited) =
            self.shared.changed.wait_timeout_while(self.shared.lock(), patience, few).unwrap();
        assert!(!waited.timed_out(), "{} requests instead of {requests}", state.asked.len());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        // One more connection wakes the thread, which then lets go of the port.
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
        for connection in &self.shared.lock().connections {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, mut stream: impl Read + Write, raw: &TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
                    _ => return,
                }
                continue;
            };
            let head: Vec<_> = bytes.drain(..end + 4).collect();
            let reply = {
                let mut state = self.lock();
                state.asked.push(String::from_utf8(head).unwrap());
                self.changed.notify_all();
                state.reply.clone()
            };
            match reply {
                Reply::Raw(answer) => {
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
                Reply::Hang => {}
                Reply::Half(answer) => {
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = raw.shutdown(Shutdown::Both);
                    return;
                }
                Reply::Close => {
                    let _ = raw.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    }
}
