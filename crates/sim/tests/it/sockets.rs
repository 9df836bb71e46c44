//! Over real sockets, in real time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokometer_sim::{Options, Running, Served, Truth, Words, spawn, spawn_with};

use crate::client::{Answer, CHAT, MILLI, ask, chat};

fn start(query: &str) -> (Running, Truth) {
    let truth = Truth::memory(Instant::now());
    let options = Options::from_query(query).unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    (spawn_with(options, Arc::new(Words), address, truth.clone()).unwrap(), truth)
}

async fn one(running: &Running, tokens: u32) -> Answer {
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    ask(&mut socket, CHAT, &[("x-request-id", "r")], &chat(tokens).to_string()).await
}

/// Waits until the server has told of that many requests.
async fn told(truth: &Truth, requests: usize) -> Vec<Served> {
    let patience = Instant::now() + Duration::from_secs(30);
    while truth.served().len() < requests {
        assert!(Instant::now() < patience, "the server told of {} requests", truth.served().len());
        tokio::task::yield_now().await;
    }
    truth.served()
}

#[tokio::test]
async fn emissions_are_written_at_their_deadlines_and_never_before() {
    let mut medians = Vec::new();
    // A machine that is busy with something else gets another chance.
    for _ in 0..10 {
        let (running, truth) = start("ttft_ms=20&itl_ms=5");
        assert!(one(&running, 40).await.complete);
        let served = told(&truth, 1).await.remove(0);
        let moments = served.emissions.iter().map(|emitted| emitted.at - served.arrival);
        let deadlines = (0..40).map(|i| (20 + 5 * i) * 1_000_000);
        let mut late: Vec<u64> = moments
            .zip(deadlines)
            .map(|(at, due)| at.checked_sub(due).expect("not early"))
            .collect();
        late.sort_unstable();
        medians.push(late[20]);
        // A timer that ticks in milliseconds and rounds up has a median near one.
        if late[20] < 500_000 {
            return;
        }
    }
    panic!("median lateness in ns, run by run: {medians:?}");
}

#[tokio::test]
async fn a_reset_connection_is_reset_and_not_closed() {
    let (running, _) = start("ttft_ms=5&itl_ms=1&fault=reset_mid_stream");
    assert_eq!(one(&running, 9).await.broken, Some(io::ErrorKind::ConnectionReset));
    let (running, _) = start("fault=reset");
    assert_eq!(one(&running, 9).await.broken, Some(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_server_that_is_dropped_is_gone() {
    let (running, _) = start("");
    let address = running.address();
    drop(running);
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let (running, _) = start("");
    let second = spawn(Options::default(), Arc::new(Words), running.address(), None);
    assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn the_truth_file_is_complete_once_the_server_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth.jsonl");
    let options = Options::from_query("ttft_ms=5&itl_ms=1").unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let running = spawn(options, Arc::new(Words), address, Some(path.clone())).unwrap();
    for _ in 0..3 {
        assert!(one(&running, 4).await.complete);
    }
    drop(running);
    let text = std::fs::read_to_string(path).unwrap();
    let served: Vec<Served> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(&str, usize)> =
        served.iter().map(|one| (one.request_id.as_str(), one.emissions.len())).collect();
    assert_eq!(told, [("r", 4); 3]);
}

#[tokio::test]
async fn connections_are_accepted_late() {
    let begun = Instant::now();
    let (running, _) = start("ttft_ms=0&itl_ms=0&fault=slow_accept&fault_ms=50");
    assert!(one(&running, 1).await.complete);
    assert!(begun.elapsed() >= 50 * MILLI);
}

#[tokio::test]
async fn http2_streams_share_a_connection() {
    let (running, truth) = start("ttft_ms=10&itl_ms=2");
    let socket = TcpStream::connect(running.address()).await.unwrap();
    let (sender, connection) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let streams = (0..5).map(|i| {
        let mut sender = sender.clone();
        let request = Request::post("http://sim/v1/chat/completions")
            .header("x-request-id", i.to_string())
            .body(Full::new(chat(10).to_string().into_bytes().into()))
            .unwrap();
        tokio::spawn(async move {
            let response = sender.send_request(request).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        let body = stream.await.unwrap();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    }
    let served = told(&truth, 5).await;
    assert!(served.iter().all(|one| one.emissions.len() == 10));
    assert!(served.iter().all(|one| one.emissions[9].at - one.arrival >= 28_000_000));
}

#[tokio::test]
async fn two_hundred_streams_at_once_are_all_complete() {
    let (running, truth) = start("ttft_ms=50&itl_ms=5");
    let address = running.address();
    let streams = (0..200).map(|_| {
        tokio::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            ask(&mut socket, CHAT, &[], &chat(20).to_string()).await.complete
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        assert!(stream.await.unwrap());
    }
    let served = told(&truth, 200).await;
    assert!(served.iter().all(|one| one.emissions.len() == 20));
}

#[tokio::test]
async fn connections_beyond_the_most_are_reset_and_those_that_leave_make_room() {
    let (running, _) = start("ttft_ms=1&itl_ms=1&connections=1");
    let address = running.address();
    let mut first = TcpStream::connect(address).await.unwrap();
    let body = chat(1).to_string();
    assert_eq!(ask(&mut first, CHAT, &[], &body).await.status, 200);
    let mut second = TcpStream::connect(address).await.unwrap();
    let turned_away = ask(&mut second, CHAT, &[], &body).await;
    assert_eq!((turned_away.status, turned_away.broken.is_some()), (0, true));
    drop(first);
    // The server learns of it in its own time.
    let admitted = async {
        loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            if ask(&mut third, CHAT, &[], &body).await.status == 200 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), admitted).await.unwrap();
}
