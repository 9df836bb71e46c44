//! The server: connections, paths, keys, models.
//!
//! One task drives a connection, and all of them run on one thread. The only clock is tokio's, so that in virtual time, over a pipe,
//! everything happens at exactly the model's moments. What a response says is for `playback`; when its bytes leave, for `body` and
//! `line`.

pub(crate) mod about;
pub(crate) mod admin;
pub(crate) mod body;
pub(crate) mod conductor;
pub(crate) mod counted;
pub(crate) mod door;
pub(crate) mod generate;
pub(crate) mod limits;
pub(crate) mod line;
pub(crate) mod prompt;
pub(crate) mod refusal;
pub(crate) mod response;
pub(crate) mod running;
pub(crate) mod sequences;
pub(crate) mod socket;
pub(crate) mod tls;
pub(crate) mod wishes;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
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
use tokio::time::Instant;
use tokometer_clock::Timer;
use tokometer_wire::Api;
use tokometer_wire::api::served_at;

use crate::counts::{About, Counts};
use crate::faults::Faults;
use crate::model::Pace;
use crate::options::Options;
use crate::said::{Tokens, Vocabulary};
use crate::server::body::{Reply, Sharing};
use crate::server::conductor::Conductor;
use crate::server::counted::{Counted, CountedReply};
use crate::server::generate::{Read, generate};
use crate::server::line::{Line, Watched, Ways};
use crate::server::refusal::Refusal;
use crate::server::response::{METRICS, respond};
use crate::truth::Truth;

/// A simulated inference server, whatever it is reached through.
#[derive(Debug)]
pub struct Server {
    pub(crate) options: Options,
    pub(crate) pace: Pace,
    /// Conducts the fleet, where requests share steps.
    pub(crate) conductor: Option<Arc<Conductor>>,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) timer: Timer,
    pub(crate) truth: Truth,
    pub(crate) counts: Arc<Counts>,
    /// Seconds since 1970.
    pub(crate) started: u64,
    /// The same moment, from which faults count.
    start: Instant,
    /// What goes wrong. Locked for as long as it takes to copy a pointer, once per request: it can be replaced while it is used.
    faults: RwLock<Arc<Faults>>,
    requests: AtomicU64,
    connections: AtomicU64,
    load: Arc<AtomicU32>,
}

/// A request that is being answered, counted for as long as it is.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicU32>);

impl Server {
    /// A server that waits by `timer`, counts with `tokens` and tells `truth` what it did.
    pub fn new(options: Options, tokens: Arc<dyn Tokens>, timer: Timer, truth: Truth) -> Arc<Self> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Instant::now();
        let counts = Counts::new(About::of(&options, started));
        let conductor = options.deployment.clone().map(|deployment| {
            let clock = (start, timer.clone());
            Conductor::new(deployment, options.seed, clock, Arc::clone(&counts))
        });
        Arc::new(Self {
            conductor,
            pace: options.pace(),
            vocabulary: Arc::new(Vocabulary::of(tokens.as_ref())),
            started: started.as_secs(),
            start,
            faults: RwLock::new(Arc::new(options.faults.clone())),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            load: Arc::default(),
            counts,
            options,
            tokens,
            timer,
            truth,
        })
    }

    /// What the server calls itself where a request names no model.
    pub(crate) fn name(&self) -> &str {
        self.options.name()
    }

    /// Refuses a model that is not served.
    pub(crate) fn check_model(&self, asked: Option<&str>) -> Result<(), Refusal> {
        let served = &self.options.models;
        match asked {
            Some(name)
                if !served.is_empty()
                    && !served.iter().any(|served| served == name)
                    && !self.is_adapter(name) =>
            {
                Err(Refusal::unknown_model(name, served))
            }
            _ => Ok(()),
        }
    }

    /// Whether a LoRA adapter is called so.
    pub(crate) fn is_adapter(&self, name: &str) -> bool {
        self.options.serving.lora_modules.iter().any(|lora| lora.name == name)
    }

    /// What the model is called that answers whoever asks for `asked`: vLLM answers by its own first name, whichever of its names was
    /// used, and by an adapter's.
    pub(crate) fn answers_as(&self, asked: Option<&str>) -> String {
        let own = self.options.models.first().map(String::as_str);
        let adapter = asked.filter(|asked| self.is_adapter(asked));
        adapter.or(own).or(asked).unwrap_or_else(|| self.name()).to_owned()
    }

    /// Whether something is served at a path.
    pub(crate) fn knows(&self, path: &str) -> bool {
        served_at(path).next().is_some() || about::PATHS.iter().any(|(known, _)| *known == path)
    }

    /// Counts a request as being answered until what this gives is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.load.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.load))
    }

    /// How many requests are being answered.
    pub(crate) fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// The number of the connection that comes next, counted from 0.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the request that comes next, counted from 0.
    pub(crate) fn next_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// What goes wrong now.
    pub(crate) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what goes wrong. Requests that are under way keep what they were given.
    pub(crate) fn replace_faults(&self, faults: Faults) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(faults);
    }

    /// How long after the server's start a moment is.
    pub(crate) fn since_start(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    /// Whether a prefix cache wants to know the tokens of prompts.
    pub(crate) fn caches_prefixes(&self) -> bool {
        self.conductor.as_deref().is_some_and(Conductor::caches_prefixes)
    }

    /// Empties the prefix caches. Whether that could be done: not while requests use them.
    pub(crate) fn reset_prefix_cache(&self) -> bool {
        self.conductor.as_deref().is_none_or(Conductor::reset_prefix_cache)
    }

    /// Refuses a request of a guarded path that does not bear the key, where there is one.
    fn check_key(&self, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(key) = self.options.api_key.as_ref().filter(|_| is_guarded(path)) else {
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

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
    door::serve(server, listener, None).await;
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
) -> io::Result<Response<CountedReply>> {
    // Whoever has no key is not counted: vLLM's check stands before its counting.
    if let Err(refusal) = server.check_key(request.uri().path(), request.headers()) {
        return Ok(refusal.respond(line).map(CountedReply::uncounted));
    }
    let counted = Counted::new(&server, &request, Instant::now());
    let (head, reply) = find_answer(server, line, request).await?.into_parts();
    let reply = counted.answered(head.status.as_u16(), reply);
    Ok(Response::from_parts(head, reply))
}

async fn find_answer(
    server: Arc<Server>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> io::Result<Response<Reply>> {
    let (head, body) = request.into_parts();
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
    if (&head.method, path) == (&Method::GET, "/metrics") {
        let text = server.counts.page(server.since_start(Instant::now()));
        return Ok(respond(StatusCode::OK, METRICS, Reply::plain(text.into(), line)));
    }
    let told = about::answer(&server, (&head.method, path, head.uri.query()), &body);
    Ok(match told {
        Ok(told) => told.respond(line),
        Err(refusal) => refusal.respond(line),
    })
}

/// Whether a path asks for the key: those of the APIs, as in vLLM, and those that change the server.
fn is_guarded(path: &str) -> bool {
    ["/v1", "/v2", "/admin"].iter().any(|guarded| path.starts_with(guarded))
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
