//! A client that keeps what it read as it came: every chunk of HTTP with the moment of the read that completed it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_sim::{Options, Server, Truth, Words};
use tokometer_wire::Delta;

/// One response as it came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    /// Each chunk of the body, and when it was complete. A body of known length is one chunk.
    pub(crate) chunks: Vec<(Instant, Vec<u8>)>,
    /// Whether the body came to its end.
    pub(crate) complete: bool,
    /// What broke the connection, if anything did.
    pub(crate) broken: Option<io::ErrorKind>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        let bytes = self.chunks.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        String::from_utf8(bytes).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The data of every event, read the way the events are written when no fault changes it.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text();
        let events = text.split("\n\n").filter(|event| !event.is_empty());
        events.map(|event| event.strip_prefix("data: ").unwrap_or(event).to_owned()).collect()
    }

    /// What the events tell to a client.
    pub(crate) fn deltas<R>(&self, api: &str, read: impl Fn(&Delta<'_>) -> R) -> Vec<R> {
        let api = tokometer_wire::by_name(api).unwrap();
        self.events().iter().map(|event| read(&api.delta(event.as_bytes()).unwrap())).collect()
    }

    /// Milliseconds from `start` to each chunk of the body.
    pub(crate) fn millis(&self, start: Instant) -> Vec<f64> {
        self.chunks.iter().map(|(at, _)| (*at - start).as_micros() as f64 / 1e3).collect()
    }
}

/// Writes one request and reads its response, to the end of the one or of the connection.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut head = format!("{request} HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut answer = Answer::default();
    if let Err(error) = socket.write_all(format!("{head}\r\n{body}").as_bytes()).await {
        answer.broken = Some(error.kind());
        return answer;
    }
    read(socket, &mut answer).await;
    answer
}

async fn read<S: AsyncRead + Unpin>(socket: &mut S, answer: &mut Answer) {
    let mut bytes = Vec::new();
    while !answer.complete {
        match socket.read_buf(&mut bytes).await {
            Ok(0) => {
                answer.broken = Some(io::ErrorKind::UnexpectedEof);
                return;
            }
            Ok(_) => answer.take(&mut bytes),
            Err(error) => {
                answer.broken = Some(error.kind());
                return;
            }
        }
    }
}

impl Answer {
    /// Takes off what is complete.
    fn take(&mut self, bytes: &mut Vec<u8>) {
        if self.head.is_empty() {
            let Some(end) = find(bytes, b"\r\n\r\n") else { return };
            self.head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap().to_lowercase();
            self.status = self.head[9..12].parse().unwrap();
        }
        if let Some((_, after)) = self.head.split_once("content-length: ") {
            let length: usize = after.lines().next().unwrap().parse().unwrap();
            if bytes.len() == length {
                self.chunks.push((Instant::now(), bytes.clone()));
                self.complete = true;
            }
            return;
        }
        while let Some(line) = find(bytes, b"\r\n") {
            let length =
                usize::from_str_radix(str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
            if bytes.len() < line + length + 4 {
                return;
            }
            if length == 0 {
                self.complete = true;
                return;
            }
            self.chunks.push((Instant::now(), bytes[line + 2..line + 2 + length].to_vec()));
            bytes.drain(..line + length + 4);
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A simulator behind pipes, in virtual time.
pub(crate) struct Piped {
    server: Arc<Server>,
    pub(crate) truth: Truth,
    /// When it was made, from which its truth counts.
    pub(crate) start: Instant,
}

impl Piped {
    pub(crate) fn new(query: &str) -> Self {
        Self::of(Options::from_query(query).unwrap())
    }

    /// One with these options.
    pub(crate) fn of(options: Options) -> Self {
        let start = Instant::now();
        let truth = Truth::memory(start);
        let server = Server::new(options, Arc::new(Words), Timer::tokio(), truth.clone());
        Self { server, truth, start }
    }

    /// Opens a connection whose pipe holds `room` bytes.
    pub(crate) fn connect(&self, room: usize) -> DuplexStream {
        let (client, server) = tokio::io::duplex(room);
        tokio::spawn(tokometer_sim::serve_connection(Arc::clone(&self.server), server));
        client
    }

    /// One request over a connection of its own.
    pub(crate) async fn ask(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        ask(&mut self.connect(1 << 16), request, headers, &body.to_string()).await
    }

    /// One streamed chat of `tokens` tokens.
    pub(crate) async fn chat(&self, tokens: u32) -> Answer {
        self.ask(CHAT, &[("x-request-id", "r")], &chat(tokens)).await
    }

    /// When chunks of which tokens were written, in milliseconds since the start, by the simulator's truth of the only request.
    pub(crate) fn written(&self) -> Vec<(f64, u32)> {
        let served = self.truth.served();
        assert_eq!(served.len(), 1);
        served[0]
            .emissions
            .iter()
            .map(|emitted| (emitted.at as f64 / 1e6, emitted.tokens))
            .collect()
    }
}

/// The body of a streamed chat that goes on to `tokens` tokens.
pub(crate) fn chat(tokens: u32) -> Value {
    json!({
        "model": "m", "messages": [{ "role": "user", "content": " the people" }], "stream": true,
        "max_tokens": tokens, "ignore_eos": true, "stream_options": { "include_usage": true },
    })
}

/// `body` with other values for some fields.
pub(crate) fn with(mut body: Value, fields: Value) -> Value {
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

pub(crate) const CHAT: &str = "POST /v1/chat/completions";
pub(crate) const COMPLETIONS: &str = "POST /v1/completions";
pub(crate) const MILLI: Duration = Duration::from_millis(1);
