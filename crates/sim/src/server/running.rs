//! A server on a thread of its own, over TCP.
//!
//! It has one thread and one runtime, as the clients that are measured against it have, and a timer that is right to some
//! microseconds. Deliberately handles no signals: whoever starts it stops it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokometer_clock::Timer;

use crate::counts::{Logger, Speakers, Stamp};
use crate::options::Options;
use crate::said::Tokens;
use crate::server::{Server, door, tls};
use crate::truth::Truth;

/// A server that runs. Dropping it stops it: open connections are broken, and the truth is written to its end.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a server that listens at `address`; port 0 takes a free one. The truth goes to a file, if one is named.
///
/// # Errors
/// If the address cannot be had, the file not be created, or a thread, a runtime or a timer not be had.
pub fn spawn(
    options: Options,
    tokens: Arc<dyn Tokens>,
    address: SocketAddr,
    truth: Option<PathBuf>,
) -> io::Result<Running> {
    spawn_with(options, tokens, address, truth_at(truth)?)
}

/// As [`spawn`], and tells `log` what it does every so often, in vLLM's words.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_logging(
    options: Options,
    tokens: Arc<dyn Tokens>,
    address: SocketAddr,
    truth: Option<PathBuf>,
    log: Log,
) -> io::Result<Running> {
    start_thread(options, tokens, address, truth_at(truth)?, Some(log))
}

/// Where a server's log lines go.
#[expect(missing_debug_implementations, reason = "closures have nothing to show")]
pub struct Log {
    /// How long from one to the next.
    pub every: Duration,
    /// Whether engines speak in one line (vLLM's `--aggregate-engine-logging`).
    pub together: bool,
    /// What the clock on the wall shows, as `MM-DD hh:mm:ss`.
    pub time: Box<dyn Fn() -> String + Send>,
    /// Takes one line, which has no line end.
    pub line: Box<dyn FnMut(&str) + Send>,
}

fn truth_at(path: Option<PathBuf>) -> io::Result<Truth> {
    path.map_or_else(|| Ok(Truth::none()), |path| Truth::file(&path, Instant::now()))
}

/// As [`spawn`], with a truth of the caller's.
///
/// # Errors
/// If the address cannot be had, or a thread, a runtime or a timer not be had.
pub fn spawn_with(
    options: Options,
    tokens: Arc<dyn Tokens>,
    address: SocketAddr,
    truth: Truth,
) -> io::Result<Running> {
    start_thread(options, tokens, address, truth, None)
}

fn start_thread(
    options: Options,
    tokens: Arc<dyn Tokens>,
    address: SocketAddr,
    truth: Truth,
    log: Option<Log>,
) -> io::Result<Running> {
    let tls = options.serving.certified.as_ref().map(tls::acceptor).transpose();
    let tls = tls.map_err(io::Error::other)?;
    let (tell, told) = sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("simulator".to_owned()).spawn(move || {
        match start(address) {
            Ok((runtime, listener, timer)) => {
                run(
                    &runtime,
                    (listener, tls),
                    &tell,
                    || Server::new(options, tokens, timer, truth),
                    (stopped, log),
                );
            }
            Err(error) => {
                // The caller waits for this word.
                let _ = tell.send(Err(error));
            }
        }
    })?;
    let address = told.recv().map_err(|_| io::Error::other("the simulator's thread ended"))??;
    Ok(Running { address, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the thread has ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn start(address: SocketAddr) -> io::Result<(Runtime, TcpListener, Timer)> {
    let runtime =
        Builder::new_current_thread().enable_all().event_interval(TASKS_BETWEEN_READS).build()?;
    let entered = runtime.enter();
    let (listener, timer) = (listen(address)?, Timer::precise()?);
    drop(entered);
    Ok((runtime, listener, timer))
}

fn run(
    runtime: &Runtime,
    (listener, tls): (TcpListener, Option<TlsAcceptor>),
    tell: &SyncSender<io::Result<SocketAddr>>,
    server: impl FnOnce() -> Arc<Server>,
    (stopped, log): (oneshot::Receiver<()>, Option<Log>),
) {
    let server = server();
    let address = listener.local_addr();
    if tell.send(address).is_err() {
        return;
    }
    runtime.block_on(async {
        if let Some(log) = log {
            tokio::spawn(tell_often(Arc::clone(&server), log));
        }
        tokio::select! {
            () = door::serve(server, listener, tls) => {}
            // Also when whoever could have stopped it is gone.
            _ = stopped => {}
        }
    });
}

/// Tells the log what the server does, for as long as it is polled.
pub async fn tell_often(server: Arc<Server>, mut log: Log) {
    let speakers = if log.together { Speakers::AllTogether } else { Speakers::EachEngine };
    let mut logger = Logger::new(&server.counts, speakers);
    let mut ticks = tokio::time::interval(log.every);
    // The first comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (pid, time) = (std::process::id(), (log.time)());
        let now = server.since_start(Instant::now());
        for line in logger.interval(now, Stamp { pid, time: &time }) {
            (log.line)(&line);
        }
    }
}

/// A listening socket at which thousands can knock at once.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that may wait to be accepted. The kernel takes less if `net.core.somaxconn` is less.
const BACKLOG: u32 = 16_384;

/// How many tasks run before sockets and timers are looked at again. tokio's own 61 would let a burst of requests wait for
/// milliseconds to be read.
const TASKS_BETWEEN_READS: u32 = 8;
