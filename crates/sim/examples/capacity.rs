//! How much one core of simulator can serve, and how late it writes.
//!
//! ```text
//! cargo run --release -p tokometer-sim --example capacity -- [STREAMS] [SECONDS]
//! ```
//!
//! The server runs on one core and a client that only reads and discards on another. First a bare loop of writes shows what the
//! kernel allows; then the simulator writes as fast as it can; then it is asked for fixed rates. Each chunk is a write of its
//! own. Lateness is the moment of each write by the server's own truth, less the moment that the model gave it.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

/// Cores and the time that threads spend on them are known on Linux only.
#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this measurement needs Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
#[expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
mod linux {
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpListener, TcpStream as StdStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::thread;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::runtime::{Builder, Runtime};
    use tokio::time::{Instant, sleep_until, timeout_at};
    use tokometer_sim::{Options, Truth, Words, spawn_with};

    pub(super) fn main() {
        let arguments: Vec<u64> =
            std::env::args().skip(1).map(|argument| argument.parse().unwrap()).collect();
        let streams = arguments.first().copied().unwrap_or(1000);
        let length = Duration::from_secs(arguments.get(1).copied().unwrap_or(5));
        raise_descriptor_limit();
        println!(
            "{streams} streams, {} s each, server and client on a core each\n",
            length.as_secs()
        );
        println!(
            "{:<24} {:>9} {:>9} {:>11} {:>10} {:>10} {:>10}",
            "", "chunks/s", "busy %", "CPU/chunk", "late p50", "late p99", "late max"
        );
        bare(streams, length);
        for rate in [None, Some(10_000), Some(25_000), Some(50_000), Some(75_000)] {
            simulated(streams, length, rate);
        }
    }

    /// A loop that does nothing but write.
    fn bare(streams: u64, length: Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        on_core(0);
        let writer = thread::Builder::new().name("simulator".into()).spawn(move || {
            let mut sockets: Vec<StdStream> =
                (0..streams).map(|_| listener.accept().unwrap().0).collect();
            let chunk = [b'x'; 250];
            let mut chunks = 0_u64;
            let begun = Instant::now();
            while !ended.load(Relaxed) {
                for socket in &mut sockets {
                    socket.write_all(&chunk).unwrap();
                    chunks += 1;
                }
            }
            (chunks, begun.elapsed(), busy())
        });
        let writer = writer.unwrap();
        on_core(1);
        let runtime = runtime();
        runtime.block_on(async {
            let end = Instant::now() + length;
            for _ in 0..streams {
                let mut socket = TcpStream::connect(address).await.unwrap();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1 << 14];
                    while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                });
            }
            sleep_until(end).await;
            over.store(true, Relaxed);
            while !writer.is_finished() {
                tokio::task::yield_now().await;
            }
        });
        let (chunks, elapsed, busy) = writer.join().unwrap();
        row("bare writes", chunks, elapsed, busy, &mut []);
    }

    /// The simulator, at a rate of chunks per second over all streams, or as fast as it can.
    fn simulated(streams: u64, length: Duration, rate: Option<u64>) {
        const TTFT: Duration = Duration::from_millis(200);
        let gap = rate
            .map_or(Duration::ZERO, |rate| Duration::from_secs(1) * streams as u32 / rate as u32);
        let ttft = if rate.is_some() { TTFT } else { Duration::ZERO };
        let query =
            format!("ttft_ms={}&itl_ms={}", ttft.as_secs_f64() * 1e3, gap.as_secs_f64() * 1e3);
        let truth = Truth::memory(Instant::now());
        on_core(0);
        let options = Options::from_query(&query).unwrap();
        let server =
            spawn_with(options, Arc::new(Words), "127.0.0.1:0".parse().unwrap(), truth.clone())
                .unwrap();
        on_core(1);
        let begun = Instant::now();
        let busy_before = busy_of("simulator");
        runtime().block_on(async {
            let end = begun + length;
            let readers = (0..streams).map(|i| {
                // Streams begin apart, so that their moments do not coincide.
                let start = begun + gap.max(Duration::from_millis(1)) * i as u32 / streams as u32;
                tokio::spawn(read(server.address(), start, end))
            });
            for reader in readers.collect::<Vec<_>>() {
                reader.await.unwrap();
            }
        });
        let (elapsed, busy) = (begun.elapsed(), busy_of("simulator") - busy_before);
        drop(server);
        let served = truth.served();
        let chunks = served.iter().map(|one| one.emissions.len() as u64).sum();
        let mut late: Vec<u64> = Vec::new();
        for one in &served {
            for (emitted, k) in one.emissions.iter().zip(0..) {
                let due = one.arrival + (ttft + gap * k).as_nanos() as u64;
                late.push(emitted.at.saturating_sub(due));
            }
        }
        if rate.is_none() {
            late.clear();
        }
        let name = rate.map_or("as fast as it can".to_owned(), |rate| format!("{rate} chunks/s"));
        row(&name, chunks, elapsed, busy, &mut late);
    }

    /// Makes requests over one connection until `end`, and discards what comes.
    async fn read(address: SocketAddr, start: Instant, end: Instant) {
        const TOKENS: u32 = 256;
        let body = format!(
            "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\" hello\"}}],\"stream\":true,\
         \"max_tokens\":{TOKENS},\"ignore_eos\":true,\"stream_options\":{{\"include_usage\":true}}}}"
        );
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut buffer = vec![0; 1 << 14];
        sleep_until(start).await;
        while Instant::now() < end {
            socket.write_all(request.as_bytes()).await.unwrap();
            loop {
                let Ok(read) = timeout_at(end, socket.read(&mut buffer)).await else { return };
                let read = read.unwrap();
                assert!(read > 0, "the server closed the connection");
                if buffer[..read].ends_with(b"0\r\n\r\n") {
                    break;
                }
            }
        }
    }

    fn row(name: &str, chunks: u64, elapsed: Duration, busy: Duration, late: &mut [u64]) {
        late.sort_unstable();
        let quantile = |q: f64| match late.len() {
            0 => "-".to_owned(),
            n => format!("{:.0} µs", late[((n - 1) as f64 * q) as usize] as f64 / 1e3),
        };
        println!(
            "{name:<24} {:>9.0} {:>9.0} {:>8.2} µs {:>10} {:>10} {:>10}",
            chunks as f64 / elapsed.as_secs_f64(),
            100.0 * busy.as_secs_f64() / elapsed.as_secs_f64(),
            busy.as_secs_f64() * 1e6 / chunks as f64,
            quantile(0.5),
            quantile(0.99),
            quantile(1.0),
        );
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Pins this thread, and those that it starts, to a core.
    fn on_core(core: usize) {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        rustix::thread::sched_setaffinity(None, &cores).unwrap();
    }

    /// How long this thread has run.
    fn busy() -> Duration {
        busy_at("/proc/thread-self/schedstat")
    }

    /// How long the thread of that name has run.
    fn busy_of(name: &str) -> Duration {
        let threads =
            std::fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
        let named = |path: &std::path::PathBuf| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        threads.filter(named).map(|path| busy_at(path.join("schedstat"))).sum()
    }

    fn busy_at(path: impl AsRef<std::path::Path>) -> Duration {
        let text = std::fs::read_to_string(path).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    fn raise_descriptor_limit() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
            .unwrap();
    }
}
