//! Which API is spoken at a URL, and the URL's completion: the rules of `evalscope perf`, for every API there is.
//!
//! A path that ends in a known endpoint is taken as it is; any other gets the API's endpoint appended, and the user is told.
//! Several APIs may share an endpoint (`embeddings`): there the name decides, and without one the first of the registry.

use tokometer_wire::{APIS, Api, by_name};

use crate::error::{PlanError, known_words};
use crate::url::{Scheme, Url};

/// What is spoken where.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The completed URL.
    pub(crate) url: Url,
    /// The API.
    pub(crate) api: &'static dyn Api,
    /// What the URL led to before it was turned to completions for token ids.
    pub(crate) typed: Kind,
}

/// What an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Conversations, around which the server puts its chat template.
    Chat,
    /// Text or token ids, as they are.
    Plain,
}

/// What prompts are sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text, or conversations.
    Words,
    /// Token ids.
    TokenIds,
}

/// Chooses by the API's name, where one is given, and by the URL.
pub(crate) fn choose(
    url: Url,
    api: Option<&str>,
    form: Form,
    advice: &mut Vec<String>,
) -> Result<Endpoint, PlanError> {
    let wanted = match api.unwrap_or(BY_URL) {
        BY_URL => None,
        name => Some(by_name(name).ok_or_else(|| {
            let names = std::iter::once(BY_URL).chain(APIS.iter().map(|api| api.name()));
            PlanError::at("target.api", format!("there is no API {name}"))
                .with_hint(known_words(name, names))
        })?),
    };
    let mut url = url;
    let api = match (spoken_at(&url), wanted) {
        (found, Some(wanted)) if found.iter().any(|api| api.name() == wanted.name()) => wanted,
        (found, Some(wanted)) if !found.is_empty() => {
            let names: Vec<_> = found.iter().map(|api| api.name()).collect();
            let problem =
                format!("{url} is an endpoint of {}, not of {}", names.join(", "), wanted.name());
            return Err(PlanError::at("target.url", problem)
                .with_hint(format!("end it in {}", wanted.path())));
        }
        (found, None) if !found.is_empty() => found[0],
        (_, wanted) => {
            refuse_others(&url)?;
            let api = wanted.or_else(|| by_name(DEFAULT)).unwrap_or(APIS[0]);
            complete(&mut url, api, advice);
            api
        }
    };
    let typed = kind(api);
    if (form, typed) != (Form::TokenIds, Kind::Chat) {
        return Ok(Endpoint { url, api, typed });
    }
    let completions = by_name(COMPLETIONS).unwrap_or(api);
    if wanted.is_some() || api.name() != DEFAULT {
        return Err(PlanError::at("prompts.tokenize", "a chat endpoint takes no token ids")
            .with_hint(format!("use {}", completions.path())));
    }
    let path = url.path.trim_end_matches('/');
    url.path = match path.strip_suffix(endpoint(api)) {
        Some(above) => format!("{above}{}", endpoint(completions)),
        None => completions.path().to_owned(),
    };
    if url.scheme != Scheme::Sim {
        advice.push(format!("token ids go to the completions endpoint: {url}"));
    }
    Ok(Endpoint { url, api: completions, typed })
}

/// The APIs that have the longest endpoint that the URL ends in. Empty if it ends in none.
fn spoken_at(url: &Url) -> Vec<&'static dyn Api> {
    let fit = |api: &&'static dyn Api| {
        let ends = endpoints(*api).filter(|endpoint| url.ends_in(endpoint));
        ends.map(str::len).max().map(|length| (length, *api))
    };
    let fits: Vec<_> = APIS.iter().filter_map(fit).collect();
    let longest = fits.iter().map(|(length, _)| *length).max();
    let best = fits.into_iter().filter(|(length, _)| Some(*length) == longest);
    best.map(|(_, api)| api).collect()
}

fn refuse_others(url: &Url) -> Result<(), PlanError> {
    let Some(other) = OTHERS.iter().find(|other| url.ends_in(other)) else { return Ok(()) };
    let spoken: Vec<_> = APIS.iter().map(|api| endpoint(*api)).collect();
    let problem = format!("this version does not speak the API behind /{other}");
    Err(PlanError::at("target.url", problem)
        .with_hint(format!("it speaks {}", deduplicated(&spoken).join(", "))))
}

fn deduplicated<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let mut once: Vec<&str> = Vec::with_capacity(words.len());
    for word in words {
        if !once.contains(word) {
            once.push(word);
        }
    }
    once
}

fn complete(url: &mut Url, api: &'static dyn Api, advice: &mut Vec<String>) {
    // The simulator needs no path for its first API, and `sim://?ttft_ms=200` is how people write it.
    if url.scheme == Scheme::Sim {
        if api.name() != DEFAULT {
            url.path = api.path().to_owned();
        }
        return;
    }
    let above = url.path.trim_end_matches('/');
    // Below a bare host evalscope asks for `/chat/completions`; what it does not know stands where servers have it.
    url.path = match (above, [DEFAULT, COMPLETIONS].contains(&api.name())) {
        ("", false) => api.path().to_owned(),
        _ => format!("{above}/{}", endpoint(api)),
    };
    advice.push(format!("the URL names no endpoint, so requests go to {url}"));
}

fn kind(api: &'static dyn Api) -> Kind {
    if CHAT.contains(&api.name()) { Kind::Chat } else { Kind::Plain }
}

/// What a URL for an API may end in; the first is the usual one.
fn endpoints(api: &'static dyn Api) -> impl Iterator<Item = &'static str> {
    let further = FURTHER.iter().filter(move |(name, _)| *name == api.name());
    [endpoint(api), whole_endpoint(api)].into_iter().chain(further.map(|(_, endpoint)| *endpoint))
}

/// Turns the URL to where the API answers as is wanted: some have one endpoint for streams, and another for whole responses.
pub(crate) fn turn(url: &mut Url, api: &'static dyn Api, stream: bool) {
    let (streaming, whole) = (endpoint(api), whole_endpoint(api));
    let (from, to) = if stream { (whole, streaming) } else { (streaming, whole) };
    if from != to
        && let Some(above) = url.path.trim_end_matches('/').strip_suffix(from)
        && above.ends_with('/')
    {
        url.path = format!("{above}{to}");
    }
}

/// The same for a response that is not streamed.
fn whole_endpoint(api: &'static dyn Api) -> &'static str {
    api.whole_path().trim_start_matches("/v1/").trim_start_matches('/')
}

/// The path of an API below `/v1/`, or below the root: what a URL for it ends in.
fn endpoint(api: &'static dyn Api) -> &'static str {
    api.path().trim_start_matches("/v1/").trim_start_matches('/')
}

/// The name that leaves the choice to the URL.
const BY_URL: &str = "openai";
const DEFAULT: &str = "openai-chat";
const COMPLETIONS: &str = "openai-completions";

/// APIs whose servers put a chat template around what they are sent.
const CHAT: &[&str] =
    &[DEFAULT, "openai-responses", "openai-embeddings-chat", "anthropic-messages"];

/// Endpoints at which an API is spoken beside its usual one.
const FURTHER: &[(&str, &str)] = &[("openai-audio", "audio/translations")];

/// Endpoints of APIs that are known by name only.
const OTHERS: &[&str] = &["reranks", "systemone", "decide"];
