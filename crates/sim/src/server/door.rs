//! Who comes in: connections are accepted, left waiting, turned away, or led to TLS.
//!
//! Deliberately knows nothing of what is asked over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, drive, socket, tls};

/// Accepts connections for as long as it is polled. Each is served by a task of its own.
pub(crate) async fn serve(server: Arc<Server>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let open = Arc::new(AtomicU32::new(0));
    loop {
        let (number, since) = (server.next_connection(), server.since_start(Instant::now()));
        if let Some(wait) = server.faults().wait_before_accept(server.options.seed, number, since) {
            tokio::time::sleep(wait).await;
        }
        match listener.accept().await {
            Ok((socket, _)) => match Guest::enter(&open, server.faults().connections) {
                Some(guest) => {
                    tokio::spawn(receive(Arc::clone(&server), socket, tls.clone(), guest));
                }
                None => {
                    // Resets it. Only a socket that is closed already refuses this.
                    let _ = socket.set_zero_linger();
                }
            },
            // Out of descriptors, or a client that was gone before it was accepted: others may fare better.
            Err(_) => tokio::time::sleep(AFTER_FAILED_ACCEPT).await,
        }
    }
}

async fn receive(server: Arc<Server>, socket: TcpStream, tls: Option<TlsAcceptor>, guest: Guest) {
    // Only a socket that is closed already refuses this.
    let _ = socket.set_nodelay(true);
    match tls {
        None => {
            let ways = socket::ways(&socket);
            drive(server, socket, ways).await;
        }
        Some(acceptor) => {
            // A client that speaks no TLS, or nothing at all, is left alone.
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(socket)).await {
                drive(server, stream, tls::ways()).await;
            }
        }
    }
    drop(guest);
}

/// A connection that is open, counted for as long as it is.
struct Guest(Arc<AtomicU32>);

impl Guest {
    /// Lets one in, unless there are `most` already.
    fn enter(open: &Arc<AtomicU32>, most: Option<u32>) -> Option<Self> {
        // Only this task lets anybody in, so that the count can only have become less since it was read.
        if most.is_some_and(|most| open.load(Ordering::Relaxed) >= most) {
            return None;
        }
        open.fetch_add(1, Ordering::Relaxed);
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long to wait after a connection could not be accepted.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(10);

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_let_in_for_each_that_leaves() {
        let open = Arc::default();
        let first = Guest::enter(&open, Some(1));
        assert!(first.is_some() && Guest::enter(&open, Some(1)).is_none());
        assert!(Guest::enter(&open, None).is_some());
        drop(first);
        assert!(Guest::enter(&open, Some(1)).is_some());
    }
}
