//! The endpoints of the APIs of `wire`: from the bytes of a request to a response under way.
//!
//! Deliberately knows no API by name: what a request says and what an event looks like is for the codecs to know.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Response, StatusCode, Uri};
use rand::Rng;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokometer_wire::{Answers, Api, Asked, Input, Prompt};

use crate::body::{Reply, Sharing};
use crate::faults::{Given, Kind};
use crate::line::Line;
use crate::model::{Purpose, Work, rng};
use crate::playback::{ERROR, Head, Playback, Told};
use crate::refusal::Refusal;
use crate::response::{EVENTS, JSON, respond};
use crate::server::Server;
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
    let mut given = server.options.faults.of_request(server.options.seed, number);
    let asked = header(&read.headers, "x-sim-fault").map_or(Ok(()), |asked| given.add(asked));
    let mut entry = server.truth.entry(Served {
        request_id: request_id.clone(),
        number,
        arrival: server.truth.nanos(read.arrival),
        faults: given.names(),
        ..Served::default()
    });
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
    let (playback, form) = match begun {
        Ok(begun) => begun,
        Err(refusal) => {
            entry.answered(refusal.status.as_u16());
            return Ok(refusal.of(api).respond(read.line));
        }
    };
    entry.answered(StatusCode::OK.as_u16());
    entry.begun(&server.tally, playback.prompt_tokens());
    if page {
        let reply = Reply::plain(Bytes::from_static(PAGE), read.line);
        return Ok(respond(StatusCode::OK, HeaderValue::from_static("text/html"), reply));
    }
    Ok(match form {
        Form::Stream => {
            let (arrival, carrier) = (read.arrival, (read.line, read.sharing));
            let reply = Reply::stream(playback, &server.timer, arrival, entry, carrier);
            respond(StatusCode::OK, EVENTS, reply)
        }
        Form::Whole => {
            let whole = playback.whole();
            server.timer.sleep_until(read.arrival + whole.at).await;
            respond(StatusCode::OK, JSON, Reply::whole(whole, entry, (read.line, read.sharing)))
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
) -> Result<(Playback, Form), Refusal> {
    if let Some(status) = given.status() {
        return Err(Refusal::fault(status));
    }
    let mut asked = api.parse(&read.body).map_err(|error| Refusal::unreadable(&error))?;
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
    let prompt = std::mem::replace(&mut asked.prompt, Prompt::Tokens(Vec::new()));
    let inputs = if generates { Vec::new() } else { inputs(&prompt) };
    let prompt_tokens = count(server, prompt, read.body.len()).await?;
    if generates {
        check_context(&asked, prompt_tokens, server.options.max_model_len)?;
    }
    if !asked.stream && given.has(Kind::ErrorEvent) {
        return Err(Refusal::internal(ERROR));
    }
    let work = Work {
        request: number,
        choice: 0,
        prompt_tokens,
        max_tokens: asked.max_tokens,
        min_tokens: asked.min_tokens.unwrap_or(0),
        ignore_eos: asked.ignore_eos,
    };
    let head = Head {
        api,
        id: format!("{}{request_id}", api.id_prefix()),
        model: asked.model.unwrap_or_else(|| server.name().to_owned()),
        created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        prompt_tokens,
        usage: match (asked.include_usage && !given.has(Kind::NoUsage), asked.continuous_usage) {
            (false, _) => Told::Never,
            (true, false) => Told::AtTheEnd,
            (true, true) => Told::Always,
        },
        given,
        inputs,
    };
    let form = if asked.stream { Form::Stream } else { Form::Whole };
    Ok((Playback::new(head, &server.model, Arc::clone(&server.vocabulary), work, asked.n), form))
}

/// Refuses limits that cannot be met, as vLLM does.
fn check_limits(asked: &Asked, context: u32) -> Result<(), Refusal> {
    let parameter = LIMITS.iter().find(|name| asked.fields.contains_key(**name));
    let parameter = parameter.copied().unwrap_or("max_new_tokens");
    if asked.n > MOST_CHOICES {
        let message = format!("n must be at most {MOST_CHOICES}, got {}.", asked.n);
        return Err(Refusal::parameter(&message, "n", asked.n.into()));
    }
    let Some(most) = asked.max_tokens else { return Ok(()) };
    if most == 0 {
        let message = format!("{parameter} must be at least 1, got 0.");
        return Err(Refusal::parameter(&message, parameter, 0));
    }
    if most > context {
        let message = format!(
            "{parameter}={most} cannot be greater than max_model_len={context}. Please request fewer output tokens."
        );
        return Err(Refusal::parameter(&message, parameter, most.into()));
    }
    match asked.min_tokens {
        Some(least) if least > most => {
            let message =
                format!("min_tokens must be less than or equal to max_tokens={most}, got {least}.");
            Err(Refusal::parameter(&message, "min_tokens", least.into()))
        }
        _ => Ok(()),
    }
}

/// Refuses a prompt that leaves no room for the output, as vLLM does.
fn check_context(asked: &Asked, prompt: u32, context: u32) -> Result<(), Refusal> {
    let output = asked.max_tokens.unwrap_or(1);
    let total = prompt.saturating_add(output);
    if total <= context {
        return Ok(());
    }
    let message = format!(
        "This model's maximum context length is {context} tokens. However, you requested {output} output tokens and \
         your prompt contains {prompt} input tokens, for a total of {total} tokens. Please reduce the length of the \
         input prompt or the number of requested output tokens."
    );
    Err(Refusal::parameter(&message, "input_tokens", prompt.into()))
}

/// The inputs for each of which there is a result, with their texts where an answer repeats those.
fn inputs(prompt: &Prompt) -> Vec<String> {
    match prompt {
        Prompt::Rerank { documents, .. } => documents.clone(),
        Prompt::Batch(inputs) => vec![String::new(); inputs.len()],
        _ => vec![String::new()],
    }
}

/// Counts the tokens of a prompt. A long one is counted on another thread, so that no emission waits for it.
async fn count(server: &Arc<Server>, prompt: Prompt, length: usize) -> Result<u32, Refusal> {
    let count = |server: &Server, prompt: &Prompt| match prompt {
        Prompt::Text(text) => server.tokens.count(text),
        Prompt::Tokens(ids) => ids.len(),
        Prompt::Messages(messages) => server.count_chat(messages),
        Prompt::Batch(inputs) => inputs
            .iter()
            .map(|input| match input {
                Input::Text(text) => server.tokens.count(text),
                Input::Tokens(ids) => ids.len(),
            })
            .sum(),
        Prompt::Rerank { query, documents } => {
            let pairs = documents.iter().map(|document| server.tokens.count(document));
            pairs.sum::<usize>() + server.tokens.count(query) * documents.len()
        }
        // What a server makes of the sound itself is its model's affair.
        Prompt::Audio(audio) => server.tokens.count(&audio.hint),
        Prompt::Body(_) => 0,
    };
    let counted = if length <= SHORT {
        Ok(count(server, &prompt))
    } else {
        let server = Arc::clone(server);
        spawn_blocking(move || count(&server, &prompt)).await
    };
    match counted {
        Ok(tokens) => Ok(u32::try_from(tokens).unwrap_or(u32::MAX)),
        Err(_) => Err(Refusal::internal("the tokenizer failed on this prompt")),
    }
}

/// The value of a header, if it is there and is text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The most choices of a request.
const MOST_CHOICES: u32 = 128;

/// The length in bytes of a request whose prompt is counted at once: with a tokenizer of Hugging Face, some tenths of a millisecond.
const SHORT: usize = 2048;

/// What the most tokens to generate are called, by the APIs that have it among their fields.
const LIMITS: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];

/// What stands where a proxy's error page would.
const PAGE: &[u8] = b"<html><body><h1>It works!</h1></body></html>\n";
