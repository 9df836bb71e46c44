//! A server by hand: it says what a test wants said, and reads requests no further than tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A request as it came.
pub(crate) struct Asked {
    /// The request line and the headers, as they came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Asked {
    /// The path, without its query.
    pub(crate) fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }
}

/// Serves until the test's process ends: each connection for one request, answered with what `answer` returns.
pub(crate) fn serve(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            // A client that goes away in the middle of it is nothing to a test.
            thread::spawn(move || stream.ok().and_then(|stream| serve_one(&stream, &*answer)));
        }
    });
    address
}

/// An answer of this status, type and body, after which the connection is closed.
pub(crate) fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// An answer of JSON.
pub(crate) fn json(body: &serde_json::Value) -> String {
    response("200 OK", "application/json", &body.to_string())
}

/// An answer as a stream of these events.
pub(crate) fn events(events: &[&str]) -> String {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    response("200 OK", "text/event-stream", &body)
}

/// A whole chat completion of this content, without usage.
pub(crate) fn completion(content: &str) -> String {
    let delta = serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": content } }] });
    let end = r#"{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}"#;
    events(&[&delta.to_string(), end, "[DONE]"])
}

fn serve_one(stream: &TcpStream, answer: &dyn Fn(&Asked) -> String) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let asked = Asked { head, body: String::from_utf8_lossy(&body).into_owned() };
    let answer = answer(&asked);
    (&mut &*stream).write_all(answer.as_bytes()).ok()
}
