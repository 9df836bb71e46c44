//! One request and its response: the hot path.
//!
//! From the stamp before the request's first byte to the stamp of a chunk's bytes there is no logging, no lock, no tokenizer and
//! no parsing ahead of a stamp. The request's body is ready before it starts, its connection is polled by the exchange itself,
//! and its moments are taken at the socket (see `transport`). Deliberately without retries: what failed is recorded as failed.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;
use tokometer_record::{
    Connection as Opened, Failure, FailureKind, Offset, Outcome, OutputTokens, Phase, PromptTokens,
    Record, TimeoutPhase, TokenSource,
};
use tokometer_wire::{Answers, Api};
use tokometer_workload::Ask;

use crate::connection::{Body, Connection, Pool};
use crate::failures;
use crate::guard::Guard;
use crate::live::{Interrupt, Live};
use crate::reading::{Read, Reading};
use crate::settings::{Settings, SettingsError, Timeouts};
use crate::transport::Connect;

/// What every exchange of one worker shares.
pub(crate) struct Carrier<C: Connect> {
    pub(crate) pool: Arc<Pool<C>>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) live: Arc<Live>,
    pub(crate) origin: Instant,
    /// What begins every `x-request-id` of this load: no two requests of a run share one.
    pub(crate) request_id_prefix: String,
}

/// What every request of a run shares.
pub(crate) struct Terms {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) api: &'static dyn Api,
    pub(crate) stream: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) keep_output: bool,
    pub(crate) keep_prompt: bool,
    /// What must not be repeated, even if the server does.
    pub(crate) secrets: Vec<String>,
}

/// Which request of a load is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) index: u64,
    pub(crate) phase: Phase,
    pub(crate) scheduled: Offset,
}

/// A request that ended: what happened, and what it said where that is still wanted.
pub(crate) type Ended = (Record, Option<String>);

impl<C: Connect> Carrier<C> {
    /// The moment now.
    pub(crate) fn now(&self) -> Offset {
        Offset::after(self.origin.elapsed())
    }

    /// Sends one request and reads its response to the end.
    pub(crate) async fn exchange(&self, order: Order, ask: &Ask, interrupt: &Interrupt) -> Ended {
        let request_id = format!("{}{}", self.request_id_prefix, order.index);
        let request = self.terms.request(ask.body.clone(), &request_id);
        self.live.started.fetch_add(1, Relaxed);
        let mut attempt = Attempt {
            carrier: self,
            guard: Guard::new(self.origin, self.terms.timeouts, interrupt),
            expected_chunks: ask.asked_output.map_or(0, |tokens| tokens as usize),
            inputs: ask.inputs,
            started: self.now(),
            connection: Opened::None,
            connected: None,
            sent: None,
            headers: None,
            status: None,
            streamed: self.terms.stream,
            end: Offset::ZERO,
        };
        let read = attempt.run(request).await;
        self.live.ended.fetch_add(1, Relaxed);
        let (record, output) = attempt.record(order, ask, request_id, read);
        if !record.succeeded() {
            self.live.failed.fetch_add(1, Relaxed);
        }
        (record, output)
    }
}

impl Terms {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let target = &settings.target;
        let uri = settings.uri(&target.path)?;
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            let failed = |why: String| SettingsError::Header { name: name.into(), why };
            let key = HeaderName::try_from(name).map_err(|error| failed(error.to_string()))?;
            let value = HeaderValue::try_from(value).map_err(|error| failed(error.to_string()))?;
            headers.insert(key, value);
            Ok::<_, SettingsError>(())
        };
        if !settings.http2 {
            set("host", &target.authority())?;
        }
        let stream = settings.stream && settings.api.answers() == Answers::Output;
        set("content-type", settings.api.content_type())?;
        set("accept", if stream { "text/event-stream" } else { "application/json" })?;
        set("user-agent", concat!("tokometer/", env!("CARGO_PKG_VERSION")))?;
        for (name, value) in settings.api.headers() {
            set(name, value)?;
        }
        for (name, value) in &settings.headers {
            if FRAMING.contains(&name.to_ascii_lowercase().as_str()) {
                let why = "it frames the request, which is for the client to do".to_owned();
                return Err(SettingsError::Header { name: name.clone(), why });
            }
            set(name, value)?;
        }
        Ok(Self {
            uri,
            headers,
            api: settings.api,
            stream,
            timeouts: settings.timeouts,
            keep_output: settings.keep_output,
            keep_prompt: settings.keep_prompt,
            secrets: settings.secrets.clone(),
        })
    }

    /// A request to another path of the same server.
    pub(crate) fn sibling(&self, uri: Uri, method: Method, body: &[u8]) -> Request<Body> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json.clone());
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    }

    fn request(&self, body: Bytes, request_id: &str) -> Request<Body> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Ok(value) = HeaderValue::from_str(request_id) {
            request.headers_mut().insert(REQUEST_ID, value);
        }
        request
    }
}

/// A request on its way, and what is known of it so far.
struct Attempt<'a, C: Connect> {
    carrier: &'a Carrier<C>,
    guard: Guard<'a>,
    expected_chunks: usize,
    inputs: Option<u32>,
    started: Offset,
    connection: Opened,
    connected: Option<Offset>,
    sent: Option<Offset>,
    headers: Option<Offset>,
    status: Option<u16>,
    streamed: bool,
    end: Offset,
}

impl<C: Connect> Attempt<'_, C> {
    /// What was read. A failure before anything could be read is a `Read` that holds nothing else.
    async fn run(&mut self, request: Request<Body>) -> Read {
        let api = self.carrier.terms.api;
        let failed = |failure| Reading::whole(api, None).abandon(failure);
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(failure) => {
                self.end = self.carrier.now();
                return failed(failure);
            }
        };
        let response = match self.send(&mut connection, request).await {
            Ok(response) => response,
            Err(failure) => {
                self.end = self.carrier.now();
                return failed(failure);
            }
        };
        if response.status().is_success() {
            self.read(connection, response).await
        } else {
            let failure = self.refusal(&mut connection, response).await;
            self.end = self.carrier.now();
            self.carrier.pool.give_back(connection).await;
            failed(failure)
        }
    }

    async fn connect(&mut self) -> Result<Connection<C>, Failure> {
        let carrier = self.carrier;
        let pool = &carrier.pool;
        if let Some(connection) = pool.take().await {
            self.connection = Opened::Reused;
            self.connected = Some(self.started);
            return Ok(connection);
        }
        self.guard.enter(TimeoutPhase::Connect, self.started);
        let mut opening = pin!(pool.open());
        let guard = &mut self.guard;
        let opened = poll_fn(|cx| match opening.as_mut().poll(cx) {
            Poll::Ready(opened) => Poll::Ready(opened),
            Poll::Pending => guard.poll(cx).map(Err),
        });
        let (connection, steps) = opened.await?;
        self.connection = Opened::Opened { dns: steps.dns, tcp: steps.tcp, tls: steps.tls };
        self.connected = Some(self.carrier.now());
        Ok(connection)
    }

    async fn send(
        &mut self,
        connection: &mut Connection<C>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        self.guard.enter(TimeoutPhase::FirstByte, self.connected.unwrap_or(self.started));
        let mut answer = connection.send(request);
        let guard = &mut self.guard;
        let outcome = poll_fn(|cx| {
            connection.drive(cx);
            match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => {
                    Poll::Ready(answer.map_err(|error| failures::of_hyper(&error, 0)))
                }
                Poll::Pending => guard.poll(cx).map(Err),
            }
        })
        .await;
        self.sent = connection.written().filter(|at| *at >= self.started);
        let response = outcome?;
        self.headers = Some(connection.stamps.read());
        self.status = Some(response.status().as_u16());
        Ok(response)
    }

    async fn read(&mut self, mut connection: Connection<C>, response: Response<Incoming>) -> Read {
        let api = self.carrier.terms.api;
        let mut reading = match form(&response) {
            Form::Page(content_type) => Reading::page(api, &content_type),
            Form::Json => Reading::whole(api, self.inputs),
            Form::Unsaid if !self.streamed => Reading::whole(api, self.inputs),
            Form::Events | Form::Unsaid => Reading::events(api, self.expected_chunks),
        };
        self.streamed = reading.is_streamed();
        let mut body = response.into_body();
        let arrived = connection.stamps.read();
        self.guard.enter(TimeoutPhase::BetweenChunks, arrived);
        loop {
            match self.frame(&mut connection, &mut body, &reading).await {
                Next::Bytes(bytes, at) => {
                    let last = reading.last();
                    let progress = reading.push(&bytes, at);
                    self.guard.alive(at);
                    if progress.chunks > 0 && self.streamed {
                        self.count(progress.chunks, last, at);
                    }
                    if reading.is_done() {
                        self.guard.enter_goodbye(at, GOODBYE);
                    }
                }
                Next::End(at) => {
                    self.end = at;
                    self.carrier.pool.give_back(connection).await;
                    return reading.finish_aside(at).await;
                }
                Next::Failed(failure, at) => {
                    self.end = at;
                    return reading.abandon(failure);
                }
            }
        }
    }

    async fn frame(
        &mut self,
        connection: &mut Connection<C>,
        body: &mut Incoming,
        reading: &Reading,
    ) -> Next {
        let guard = &mut self.guard;
        let carrier = self.carrier;
        poll_fn(|cx| {
            connection.drive(cx);
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => Poll::Ready(Next::Bytes(bytes, connection.stamps.read())),
                    // Trailers say nothing of the output.
                    Err(_) => Poll::Ready(Next::Bytes(Bytes::new(), connection.stamps.read())),
                },
                Poll::Ready(None) => Poll::Ready(Next::End(connection.stamps.read())),
                Poll::Ready(Some(Err(error))) => {
                    let chunks = reading.chunks();
                    Poll::Ready(Next::Failed(failures::of_hyper(&error, chunks), carrier.now()))
                }
                Poll::Pending => guard.poll(cx).map(|failure| Next::Failed(failure, carrier.now())),
            }
        })
        .await
    }

    /// Why the server refused: its status, its words, and when to come again.
    async fn refusal(
        &mut self,
        connection: &mut Connection<C>,
        response: Response<Incoming>,
    ) -> Failure {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(|after| format!(" (retry after {after} s)"));
        let mut body = response.into_body();
        let mut words = Vec::new();
        let reading = Reading::whole(self.carrier.terms.api, None);
        while let Next::Bytes(bytes, at) = self.frame(connection, &mut body, &reading).await {
            self.guard.alive(at);
            let room = LONGEST_WORDS.saturating_sub(words.len());
            words.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        let words = if words.is_empty() {
            status.canonical_reason().unwrap_or("no body").to_owned()
        } else {
            let words = String::from_utf8_lossy(&words);
            let words = failures::redacted(&words, &self.carrier.terms.secrets);
            tokometer_wire::error_message(words.as_bytes())
        };
        let words = words + retry_after.as_deref().unwrap_or_default();
        Failure::new(FailureKind::Status(StatusCode::as_u16(&status)), words)
    }

    /// Tells spectators of a read that bore output.
    fn count(&self, chunks: u64, last: Option<Offset>, at: Offset) {
        let live = &self.carrier.live;
        live.chunks.fetch_add(chunks, Relaxed);
        match last {
            None => {
                live.ttft_sum.fetch_add(nanos(at - self.started), Relaxed);
                live.ttft_count.fetch_add(1, Relaxed);
                live.gap_count.fetch_add(chunks - 1, Relaxed);
            }
            Some(last) => {
                live.gap_sum.fetch_add(nanos(at - last), Relaxed);
                live.gap_count.fetch_add(chunks, Relaxed);
            }
        }
    }

    fn record(self, order: Order, ask: &Ask, request_id: String, read: Read) -> Ended {
        let terms = &self.carrier.terms;
        let redacted = |words: &str| failures::redacted(words, &terms.secrets);
        let estimated = |counted: OutputTokens| counted.source == TokenSource::ChunkCount;
        let uncounted = read.failure.is_none() && read.output_tokens.is_none_or(estimated);
        let outcome = match read.failure {
            None => Outcome::Ok,
            Some(failure) => Outcome::Failed(failures::presentable(failure, &terms.secrets)),
        };
        let record = Record {
            index: order.index,
            phase: order.phase,
            scheduled: order.scheduled,
            started: self.started,
            connection: self.connection,
            connected: self.connected,
            sent: self.sent,
            headers: self.headers,
            chunks: read.chunks.into(),
            end: self.end,
            streamed: self.streamed,
            outcome,
            status: self.status,
            prompt_tokens: PromptTokens {
                local: ask.prompt_tokens,
                server: read.usage.and_then(|usage| usage.prompt_tokens),
                cached: read.usage.and_then(|usage| usage.cached_tokens),
            },
            output_tokens: read.output_tokens,
            asked_output: ask.asked_output,
            audio: ask.audio,
            inputs: ask.inputs,
            finish_reason: read.finish_reason.map(|reason| redacted(&reason)),
            request_id,
            prompt: ask.prompt.clone().filter(|_| terms.keep_prompt),
            output: terms.keep_output.then(|| redacted(&read.text)),
        };
        let output = (uncounted || terms.keep_output).then_some(read.text);
        (record, output)
    }
}

/// What a poll of the response's body brings.
enum Next {
    Bytes(Bytes, Offset),
    End(Offset),
    Failed(Failure, Offset),
}

/// What a response says it is. What it says counts, not what was asked for.
enum Form {
    Events,
    Json,
    /// Something that no API sends, such as a login page.
    Page(String),
    Unsaid,
}

fn form(response: &Response<Incoming>) -> Form {
    let named = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match named {
        Some(named) if named.starts_with("text/event-stream") => Form::Events,
        Some(named) if named.starts_with("application/json") => Form::Json,
        Some(named) if named.starts_with("text/html") => Form::Page(named.to_owned()),
        // Some servers call their events text/plain, or nothing.
        _ => Form::Unsaid,
    }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// Headers that say where a message ends and what becomes of its connection.
const FRAMING: [&str; 6] =
    ["content-length", "transfer-encoding", "connection", "upgrade", "te", "expect"];

/// The header by which a request is found again in the server's log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long the end of a response is awaited after the response has said that it is complete.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much of a refusal's body is kept.
const LONGEST_WORDS: usize = 64 << 10;
