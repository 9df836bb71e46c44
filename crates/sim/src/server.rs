//! The server: connections, paths, keys, models.
//!
//! One task drives a connection, and all of them run on one thread. The only clock is tokio's, so that in virtual time, over a pipe,
//! everything happens at exactly the model's moments. What a response says is for `playback`; when its bytes leave, for `body` and
//! `line`.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokometer_clock::Timer;
use tokometer_wire::api::served_at;
use tokometer_wire::{Api, Message};

use crate::about;
use crate::body::{Reply, Sharing};
use crate::content;
use crate::generate::{Read, generate};
use crate::line::{Line, Watched, Ways};
use crate::model::Model;
use crate::options::Options;
use crate::refusal::Refusal;
use crate::response::{JSON, METRICS, respond};
use crate::socket;
use crate::tally::Tally;
use crate::text::{Tokens, Vocabulary};
use crate::truth::Truth;

/// A simulated inference server, whatever it is reached through.
#[derive(Debug)]
pub struct Server {
    pub(crate) options: Options,
    pub(crate) model: Model,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) timer: Timer,
    pub(crate) truth: Truth,
    pub(crate) tally: Arc<Tally>,
    /// Seconds since 1970.
    pub(crate) started: u64,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Server {
    /// A server that waits by `timer`, counts with `tokens` and tells `truth` what it did.
    pub fn new(options: Options, tokens: Arc<dyn Tokens>, timer: Timer, truth: Truth) -> Arc<Self> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        Arc::new(Self {
            model: options.model(),
            vocabulary: Arc::new(Vocabulary::of(tokens.as_ref())),
            started: started.map_or(0, |since| since.as_secs()),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            tally: Arc::default(),
            options,
            tokens,
            timer,
            truth,
        })
    }

    /// What the server calls itself where a request names no model.
    pub(crate) fn name(&self) -> &str {
        self.options.models.first().map_or("simulated", String::as_str)
    }

    /// Refuses a model that is not served.
    pub(crate) fn check_model(&self, asked: Option<&str>) -> Result<(), Refusal> {
        let served = &self.options.models;
        match asked {
            Some(name) if !served.is_empty() && !served.iter().any(|served| served == name) => {
                Err(Refusal::unknown_model(name, served))
            }
            _ => Ok(()),
        }
    }

    /// The number of the request that comes next, counted from 0.
    pub(crate) fn next_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The tokens of a conversation's texts. Without a chat template: of its texts, one after the other.
    pub(crate) fn encode_chat(&self, messages: &[Message]) -> Vec<u32> {
        let flat = content::flattened(messages);
        let texts = || flat.iter().filter_map(|message| message.content.as_str()).collect();
        self.tokens.encode(&self.tokens.chat(&flat).unwrap_or_else(texts))
    }

    /// How many tokens a conversation takes: those of its texts, and [`content::PICTURE`] for each image, video or sound.
    pub(crate) fn count_chat(&self, messages: &[Message]) -> usize {
        self.encode_chat(messages).len() + content::PICTURE * content::pictures(messages)
    }

    /// Refuses a request below `/v1` that does not bear the key, where there is one.
    fn check_key(&self, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(key) = self.options.api_key.as_ref().filter(|_| path.starts_with("/v1")) else {
            return Ok(());
        };
        let given =
            headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        match given {
            Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && key.is(given) => {
                Ok(())
            }
            _ => Err(Refusal::unauthorized()),
        }
    }
}

/// Serves one connection, until the client closes it or a fault breaks it. It may be a socket or a pipe in memory.
pub async fn serve_connection(
    server: Arc<Server>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    drive(server, io, Ways::of_a_pipe()).await;
}

/// Accepts connections for as long as it is polled. Each is served by a task of its own.
pub async fn serve(server: Arc<Server>, listener: TcpListener) {
    loop {
        let number = server.connections.fetch_add(1, Ordering::Relaxed);
        if let Some(wait) = server.options.faults.wait_before_accept(server.options.seed, number) {
            tokio::time::sleep(wait).await;
        }
        match listener.accept().await {
            Ok((socket, _)) => {
                // Only a socket that is closed already refuses this.
                let _ = socket.set_nodelay(true);
                let ways = socket::ways(&socket);
                tokio::spawn(drive(Arc::clone(&server), socket, ways));
            }
            // Out of descriptors, or a client that was gone before it was accepted: others may fare better.
            Err(_) => tokio::time::sleep(AFTER_FAILED_ACCEPT).await,
        }
    }
}

async fn drive<S>(server: Arc<Server>, socket: S, ways: Ways<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = Line::new();
    let service = {
        let line = Arc::clone(&line);
        service_fn(move |request| answer(Arc::clone(&server), Arc::clone(&line), request))
    };
    let watched = TokioIo::new(Watched::new(socket, Arc::clone(&line), ways));
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.serve_connection(watched, service));
    // An error means that the client went away, or a fault broke the connection: neither is news to anybody.
    let _ = poll_fn(|cx| {
        let polled = connection.as_mut().poll(cx);
        if line.has_news() {
            // HTTP polls a body again after its bytes were written, unless they were written at the very end of its turn.
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await;
}

async fn answer(
    server: Arc<Server>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> io::Result<Response<Reply>> {
    let (head, body) = request.into_parts();
    if let Err(refusal) = server.check_key(head.uri.path(), &head.headers) {
        return Ok(refusal.respond(line));
    }
    let body = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(Refusal::too_large().respond(line));
        }
        Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    let path = head.uri.path();
    if let Some(api) = api_at(path, &body) {
        if head.method != Method::POST {
            return Ok(Refusal::method().respond(line));
        }
        let alone = head.version < Version::HTTP_2;
        let sharing = if alone { Sharing::Alone } else { Sharing::Shared };
        let arrival = line.last_read();
        // Requests that wait in their sockets are read first: a request has arrived when its bytes have, not when the server has
        // finished preparing the answers to those before it.
        tokio::task::yield_now().await;
        return generate(
            &server,
            api,
            Read { uri: head.uri, headers: head.headers, body, arrival, line, sharing },
        )
        .await;
    }
    let told = match (&head.method, path) {
        (&Method::GET, "/health") | (&Method::POST, "/start_profile" | "/stop_profile") => {
            return Ok(respond(StatusCode::OK, JSON, Reply::plain(body.slice(..0), line)));
        }
        (&Method::GET, "/metrics") => {
            let text = server.tally.prometheus(server.name());
            return Ok(respond(StatusCode::OK, METRICS, Reply::plain(text.into(), line)));
        }
        (&Method::POST, "/reset_prefix_cache" | "/reset_mm_cache" | "/reset_encoder_cache") => {
            Ok(about::reset())
        }
        (&Method::GET, "/v1/models") => Ok(about::models(&server)),
        (&Method::GET, "/version") => Ok(about::version()),
        (&Method::POST, "/tokenize") => about::tokenize(&server, &body),
        (&Method::POST, "/detokenize") => about::detokenize(&server, &body),
        (_, path) if about::PATHS.iter().any(|(known, _)| *known == path) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    };
    Ok(match told {
        Ok(told) => respond(StatusCode::OK, JSON, Reply::plain(told.to_string().into(), line)),
        Err(refusal) => refusal.respond(line),
    })
}

/// The API that is served at a path. Of several at one, the first that understands the body.
fn api_at(path: &str, body: &[u8]) -> Option<&'static dyn Api> {
    let mut apis = served_at(path);
    let first = apis.next()?;
    let Some(second) = apis.next() else { return Some(first) };
    let understands = |api: &&dyn Api| api.parse(body).is_ok();
    Some([first, second].into_iter().chain(apis).find(understands).unwrap_or(first))
}

/// The longest body that is read, in bytes: some hundred times the longest context of today.
const LONGEST_BODY: usize = 256 << 20;

/// How long to wait after a connection could not be accepted.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(10);
