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

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokometer_clock::Timer;

use crate::options::Options;
use crate::server::{Server, serve};
use crate::text::Tokens;
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
    let truth = match truth {
        Some(path) => Truth::file(&path, Instant::now())?,
        None => Truth::none(),
    };
    spawn_with(options, tokens, address, truth)
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
    let (tell, told) = sync_channel(1);
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("simulator".to_owned()).spawn(move || {
        match start(address) {
            Ok((runtime, listener, timer)) => {
                run(
                    &runtime,
                    listener,
                    &tell,
                    || Server::new(options, tokens, timer, truth),
                    stopped,
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
    listener: TcpListener,
    tell: &SyncSender<io::Result<SocketAddr>>,
    server: impl FnOnce() -> Arc<Server>,
    stopped: oneshot::Receiver<()>,
) {
    let server = server();
    let address = listener.local_addr();
    if tell.send(address).is_err() {
        return;
    }
    runtime.block_on(async {
        tokio::select! {
            () = serve(server, listener) => {}
            // Also when whoever could have stopped it is gone.
            _ = stopped => {}
        }
    });
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
