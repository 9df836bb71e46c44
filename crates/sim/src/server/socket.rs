//! TCP sockets: how they are reset, and when what is read from them arrived.
//!
//! A request has arrived when its bytes reach this machine, not when a busy server comes to read them. On Linux the kernel stamps
//! every segment (`SO_TIMESTAMPNS`, see socket(7)), so that a burst of a thousand requests is not taken for a slow one; elsewhere
//! the moment of the read must do.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use crate::server::line::Ways;

/// What this socket can do.
pub(crate) fn ways(socket: &TcpStream) -> Ways<TcpStream> {
    Ways { arm_reset, read: if stamps(socket) { read_stamped } else { read_plain } }
}

fn arm_reset(socket: &TcpStream) {
    // Only a socket that is closed already refuses this.
    let _ = socket.set_zero_linger();
}

fn read_plain(
    socket: &mut TcpStream,
    cx: &mut Context<'_>,
    into: &mut ReadBuf<'_>,
) -> Poll<io::Result<Duration>> {
    Pin::new(socket).poll_read(cx, into).map_ok(|()| Duration::ZERO)
}

#[cfg(target_os = "linux")]
use linux::{read_stamped, stamps};

#[cfg(not(target_os = "linux"))]
fn stamps(_: &TcpStream) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
use read_plain as read_stamped;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd as _;
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use nix::time::{ClockId, clock_gettime};
    use tokio::io::{Interest, ReadBuf};
    use tokio::net::TcpStream;

    /// Asks the kernel for stamps. Whether it will give them.
    pub(super) fn stamps(socket: &TcpStream) -> bool {
        setsockopt(socket, sockopt::ReceiveTimestampns, &true).is_ok()
    }

    pub(super) fn read_stamped(
        socket: &mut TcpStream,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Duration>> {
        loop {
            ready!(socket.poll_read_ready(cx))?;
            match socket.try_io(Interest::READABLE, || receive(socket, into)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received),
            }
        }
    }

    fn receive(socket: &TcpStream, into: &mut ReadBuf<'_>) -> io::Result<Duration> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(into.initialize_unfilled())];
        let flags = MsgFlags::empty();
        let received = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let stamp = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        let bytes = received.bytes;
        into.advance(bytes);
        // The first bytes of a machine's first stamping socket may lack one: they were there before it was asked for.
        Ok(stamp.map_or(Duration::ZERO, age))
    }

    /// How long ago the kernel's clock showed `stamp`.
    fn age(stamp: Duration) -> Duration {
        let now = clock_gettime(ClockId::CLOCK_REALTIME).map_or(stamp, Duration::from);
        now.saturating_sub(stamp)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::server::line::{Line, Watched};

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn bytes_arrive_when_they_reach_the_machine_not_when_they_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        let line = Line::new();
        let ways = ways(&near);
        let mut near = Watched::new(near, line.clone(), ways);
        // The kernel begins to stamp a moment after it was asked, so the first byte is for warming up.
        far.write_all(b"0").await.unwrap();
        near.read_u8().await.unwrap();
        thread::sleep(Duration::from_millis(20));
        far.write_all(b"1").await.unwrap();
        let sent = Instant::now();
        // Not to synchronise: the byte lies in the socket for as long as the thread sleeps.
        thread::sleep(Duration::from_millis(50));
        near.read_u8().await.unwrap();
        let late = line.last_read().saturating_duration_since(sent);
        assert!(late < Duration::from_millis(25), "{late:?}");
    }
}
