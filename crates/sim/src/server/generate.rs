//! The endpoints of the APIs of `wire`: from the bytes of a request to a response under way.
//!
//! Deliberately knows no API by name: what a request says and what an event looks like is for the codecs to know.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Response, StatusCode, Uri};
use rand::Rng;
use tokio::time::Instant;
use tokometer_wire::{Answers, Api, Prompt};

use crate::counts::Asked;
use crate::faults::{Given, Kind};
use crate::model::{Purpose, rng};
use crate::said::playback::{ERROR, Head, Playback, Told};
use crate::server::Server;
use crate::server::body::{Reply, Sharing, UnderWay};
use crate::server::limits::{check_limits, check_prompt, check_sampling};
use crate::server::line::Line;
use crate::server::prompt::{Want, measure};
use crate::server::refusal::Refusal;
use crate::server::response::{EVENTS, JSON, respond};
use crate::server::sequences::{self, Order};
use crate::server::wishes;
use crate::truth::Served;

/// A request that was read to its end.
pub(crate) struct Read {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When its last bytes were read.
    pub(crate) arrival: Instant,
    pub(crate) line: Arc<Line>,
    pub(crate) sharing: Sharing,
}

/// Answers a request of `api`.
///
/// # Errors
/// If a fault breaks the connection before the response.
pub(crate) async fn generate(
    server: &Arc<Server>,
    api: &'static dyn Api,
    read: Read,
) -> io::Result<Response<Reply>> {
    let number = server.next_number();
    let request_id = header(&read.headers, "x-request-id").map_or_else(
        || format!("{:016x}", rng(server.options.seed, Purpose::Name, number, 0).next_u64()),
        str::to_owned,
    );
    let since = server.since_start(read.arrival);
    let mut given = server.faults().of_request(server.options.seed, number, since);
    let asked = header(&read.headers, "x-sim-fault").map_or(Ok(()), |asked| given.add(asked));
    let mut entry = server.truth.entry(Served {
        request_id: request_id.clone(),
        number,
        arrival: server.truth.nanos(read.arrival),
        faults: given.names(),
        ..Served::default()
    });
    entry.holds(server.busy());
    if given.has(Kind::Reset) {
        return Err(read.sharing.reset(&read.line));
    }
    if let Some(stall) = given.get(Kind::StallFirst) {
        server.timer.sleep_until(read.arrival + stall.length).await;
    }
    let page = given.has(Kind::NotJson);
    let begun = match asked {
        Ok(()) => begin(server, api, &read, given, (number, &request_id)).await,
        Err(error) => Err(Refusal::unreadable(&error)),
    };
    let (under_way, form, counted) = match begun {
        Ok(begun) => begun,
        Err(refusal) => {
            entry.answered(refusal.status.as_u16());
            return Ok(refusal.of(api).respond(read.line));
        }
    };
    entry.answered(StatusCode::OK.as_u16());
    if let Some(counted) = counted {
        entry.begun(&server.counts, counted);
    }
    if page {
        let reply = Reply::plain(Bytes::from_static(PAGE), read.line);
        return Ok(respond(StatusCode::OK, HeaderValue::from_static("text/html"), reply));
    }
    Ok(match form {
        Form::Stream => {
            let carrier = (read.line, read.sharing);
            let reply = Reply::stream(under_way, &server.timer, entry, carrier);
            respond(StatusCode::OK, EVENTS, reply)
        }
        Form::Whole => {
            let whole = under_way.whole(&mut entry).await;
            let due = read.arrival + whole.at;
            server.timer.sleep_until(due).await;
            respond(
                StatusCode::OK,
                JSON,
                Reply::whole(whole, due, entry, (read.line, read.sharing)),
            )
        }
    })
}

/// How a response is sent.
enum Form {
    Stream,
    Whole,
}

/// Reads what is asked and begins to generate.
async fn begin(
    server: &Arc<Server>,
    api: &'static dyn Api,
    read: &Read,
    given: Given,
    (number, request_id): (u64, &str),
) -> Result<(UnderWay, Form, Option<Asked>), Refusal> {
    if let Some(fault) = given.refusal() {
        return Err(Refusal::fault(fault));
    }
    let mut asked =
        api.parse(&read.body).map_err(|error| Refusal::undecoded(&error, &read.body))?;
    server.check_model(asked.model.as_deref())?;
    if api.whole_path() != api.path() {
        asked.stream = read.uri.path() != api.whole_path();
    }
    // Some servers say little unless they are asked to; vLLM's chat goes on to the end of the context.
    asked.max_tokens = asked.max_tokens.or(api.usual_limit());
    let generates = api.answers() == Answers::Output;
    if generates {
        check_limits(&asked, server.options.max_model_len)?;
    }
    let manner = wishes::manner(&asked, api, &server.options.serving, &given)?;
    let prompt = std::mem::replace(&mut asked.prompt, Prompt::Tokens(Vec::new()));
    let inputs = if generates { Vec::new() } else { inputs(&prompt) };
    let want = if generates && server.caches_prefixes() { Want::Ids } else { Want::Count };
    let prompt = measure(server, prompt, want, read.body.len()).await?;
    check_prompt(&prompt, server.options.max_model_len)?;
    if generates {
        check_sampling(&asked, prompt.tokens, server.options.max_model_len)?;
    }
    if !asked.stream && given.has(Kind::ErrorEvent) {
        return Err(Refusal::internal(ERROR));
    }
    if !server.counts.admits(asked.n, server.options.serving.max_num_queued_reqs) {
        return Err(Refusal::busy());
    }
    let stalled = given.get(Kind::StallFirst).map_or(Duration::ZERO, |stall| stall.length);
    let head = Head {
        api,
        id: format!("{}{request_id}", api.id_prefix()),
        model: server.answers_as(asked.model.as_deref()),
        created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        prompt_tokens: prompt.tokens,
        usage: match asked.include_usage {
            _ if given.has(Kind::NoUsage) => Told::Never,
            _ if given.has(Kind::ContinuousUsage) => Told::Always,
            false => Told::Never,
            true if asked.continuous_usage => Told::Always,
            true => Told::AtTheEnd,
        },
        choices: asked.n,
        given,
        inputs,
    };
    let form = if asked.stream { Form::Stream } else { Form::Whole };
    let order = Order { number, arrival: read.arrival + stalled, generates };
    let counted = Asked {
        prompt_tokens: prompt.tokens,
        max_tokens: asked.max_tokens,
        choices: asked.n,
        lora: asked.model.as_deref().filter(|name| server.is_adapter(name)).map(Arc::from),
        at: server.since_start(read.arrival),
    };
    let (choices, seats) =
        sequences::start(server, &asked, &prompt, (&order, counted.clone()), &manner);
    let playback = Playback::new(head, Arc::clone(&server.vocabulary), choices);
    let tells_cached = server.options.serving.enable_prompt_tokens_details;
    let counted = Some(counted).filter(|_| seats.is_empty());
    Ok((UnderWay { playback, arrival: read.arrival, seats, tells_cached }, form, counted))
}

/// The inputs for each of which there is a result, with their texts where an answer repeats those.
fn inputs(prompt: &Prompt) -> Vec<String> {
    match prompt {
        Prompt::Rerank { documents, .. } => documents.clone(),
        Prompt::Batch(inputs) => vec![String::new(); inputs.len()],
        _ => vec![String::new()],
    }
}

/// The value of a header, if it is there and is text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What stands where a proxy's error page would.
const PAGE: &[u8] = b"<html><body><h1>It works!</h1></body></html>\n";
