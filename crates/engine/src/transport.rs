//! Opens connections and stamps what passes over them.
//!
//! A [`Stamped`] stream notes the moment of every read and write right at the socket, below TLS and HTTP, so that no decoding
//! stands between the network and a stamp. Deliberately knows nothing of requests: `exchange` does.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokometer_record::{Failure, FailureKind, Offset};

use crate::settings::{Settings, SettingsError, Target};
use crate::tls;

/// A way to the server: real sockets, or pipes to a simulator in the same process.
pub(crate) trait Connect: Clone + Send + Sync + 'static {
    /// The stream it makes.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens a stream whose reads and writes are noted in `stamps`.
    fn connect(
        &self,
        stamps: Arc<Stamps>,
    ) -> impl Future<Output = Result<(Self::Stream, Steps), Failure>> + Send;
}

/// How long each step of opening a connection took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    pub(crate) dns: Duration,
    pub(crate) tcp: Duration,
    pub(crate) tls: Duration,
}

/// The moments of the latest read and the latest write of a connection.
#[derive(Debug)]
pub(crate) struct Stamps {
    origin: Instant,
    read: AtomicU64,
    written: AtomicU64,
}

impl Stamps {
    pub(crate) fn new(origin: Instant) -> Arc<Self> {
        Arc::new(Self { origin, read: AtomicU64::new(0), written: AtomicU64::new(0) })
    }

    /// When bytes last left the socket.
    pub(crate) fn read(&self) -> Offset {
        Offset::from_nanos(self.read.load(Ordering::Relaxed))
    }

    /// When bytes were last handed to the socket.
    pub(crate) fn written(&self) -> Offset {
        Offset::from_nanos(self.written.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        Offset::after(self.origin.elapsed()).as_nanos()
    }
}

/// A stream that notes the moments of its reads and writes.
#[derive(Debug)]
pub(crate) struct Stamped<S> {
    stream: S,
    stamps: Arc<Stamps>,
}

impl<S> Stamped<S> {
    pub(crate) const fn new(stream: S, stamps: Arc<Stamps>) -> Self {
        Self { stream, stamps }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stamped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if polled.is_ready() {
            self.stamps.read.store(self.stamps.now(), Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if polled.is_ready() {
            self.stamps.written.store(self.stamps.now(), Ordering::Relaxed);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if polled.is_ready() {
            self.stamps.written.store(self.stamps.now(), Ordering::Relaxed);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Connections over TCP, with TLS where the target asks for it and through a proxy where the user did.
#[derive(Clone)]
pub(crate) struct Network(Arc<Route>);

struct Route {
    target: Target,
    /// Whom to dial: the target, or the proxy.
    dial: (String, u16),
    /// Whether to ask a proxy for a tunnel first.
    tunnel: bool,
    tls: Option<(tokio_rustls::TlsConnector, ServerName<'static>)>,
    /// Addresses found by the latest look-up; the one that answered stands first. Locked only while a connection is opened.
    addresses: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Network {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let target = settings.target.clone();
        let tls = target.tls.then(|| tls::connector(settings)).transpose()?;
        let dial = settings.proxy.as_ref().map_or_else(
            || (target.host.clone(), target.port),
            |proxy| (proxy.host.clone(), proxy.port),
        );
        let tunnel = settings.proxy.is_some() && target.tls;
        Ok(Self(Arc::new(Route { target, dial, tunnel, tls, addresses: Mutex::default() })))
    }
}

impl Connect for Network {
    type Stream = Stream;

    async fn connect(&self, stamps: Arc<Stamps>) -> Result<(Stream, Steps), Failure> {
        let route = &*self.0;
        let begun = Instant::now();
        let addresses = route.resolve().await?;
        let resolved = Instant::now();
        let tcp = route.dial(&addresses).await?;
        let mut tcp = Stamped::new(tcp, stamps);
        if route.tunnel {
            route.open_tunnel(&mut tcp).await?;
        }
        let connected = Instant::now();
        let stream = match &route.tls {
            None => Stream::Plain(tcp),
            Some((connector, name)) => {
                let handshake = connector.connect(name.clone(), tcp).await;
                Stream::Tls(Box::new(handshake.map_err(|error| tls_failure(&error))?))
            }
        };
        let steps =
            Steps { dns: resolved - begun, tcp: connected - resolved, tls: connected.elapsed() };
        let steps =
            if route.tls.is_some() { steps } else { Steps { tls: Duration::ZERO, ..steps } };
        Ok((stream, steps))
    }
}

impl Route {
    async fn resolve(&self) -> Result<Vec<SocketAddr>, Failure> {
        let cached = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, addresses)) = cached
            && at.elapsed() < RESOLVED_FOR
        {
            return Ok(addresses);
        }
        let (host, port) = &self.dial;
        let found = lookup_host((host.as_str(), *port)).await;
        let failed = |why: String| Failure::new(FailureKind::Dns, format!("{host}: {why}"));
        let addresses: Vec<_> = found.map_err(|error| failed(error.to_string()))?.collect();
        if addresses.is_empty() {
            return Err(failed("the name has no address".into()));
        }
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    /// The first address that answers. It is tried first from then on.
    async fn dial(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
        let mut failure = None;
        for (tried, address) in addresses.iter().enumerate() {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it, a small request could wait for an acknowledgement of the one before.
                    stream.set_nodelay(true).map_err(|error| connect_failure(*address, &error))?;
                    if tried > 0 {
                        let mut cached =
                            self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
                        if let Some((_, addresses)) = &mut *cached {
                            addresses.sort_by_key(|other| other != address);
                        }
                    }
                    return Ok(stream);
                }
                Err(error) => failure = Some(connect_failure(*address, &error)),
            }
        }
        Err(failure.expect("addresses are non-empty: checked in resolve"))
    }

    async fn open_tunnel(&self, proxy: &mut Stamped<TcpStream>) -> Result<(), Failure> {
        let failed = |why: String| {
            let (host, port) = &self.dial;
            Failure::new(FailureKind::Connect, format!("proxy {host}:{port}: {why}"))
        };
        let authority = self.target.authority();
        let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        proxy.write_all(request.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            let byte = proxy.read_u8().await.map_err(|error| failed(error.to_string()))?;
            head.push(byte);
            if head.len() > LONGEST_PROXY_HEAD {
                return Err(failed("answers with an endless head".into()));
            }
        }
        let status = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        match status.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => Err(failed(format!("refuses a tunnel to {authority}: {status}"))),
        }
    }
}

fn connect_failure(address: SocketAddr, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::ConnectRefused,
        _ if out_of_descriptors(error) => FailureKind::OutOfDescriptors,
        _ => FailureKind::Connect,
    };
    Failure::new(kind, format!("{address}: {error}"))
}

fn tls_failure(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Tls, error.to_string())
}

/// Whether the process or the system has no descriptor left (EMFILE, ENFILE; the numbers are the same on every Unix).
pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// A connection of [`Network`].
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Stamped<TcpStream>),
    Tls(Box<TlsStream<Stamped<TcpStream>>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// How long a look-up holds: long enough for the connections opened before a load, short enough to follow a moved service.
const RESOLVED_FOR: Duration = Duration::from_secs(30);

/// More than any proxy has to say about a tunnel.
const LONGEST_PROXY_HEAD: usize = 16 << 10;
