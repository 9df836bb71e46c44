//! Which API is spoken at a URL, and the URL's completion: the rules of `evalscope perf`.
//!
//! A path that ends in a known endpoint is taken as it is; any other gets the API's endpoint appended, and the user is told.

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
    /// Conversations.
    Chat,
    /// Text, or token ids.
    Completions,
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
    let found = APIS.iter().copied().find(|api| url.ends_in(endpoint(*api)));
    let api = match (found, wanted) {
        (Some(found), Some(wanted)) if found.name() != wanted.name() => {
            let problem =
                format!("{url} is an endpoint of {}, not of {}", found.name(), wanted.name());
            return Err(PlanError::at("target.url", problem)
                .with_hint(format!("end it in {}", wanted.path())));
        }
        (Some(found), _) => found,
        (None, wanted) => {
            if let Some(other) = OTHERS.iter().find(|other| url.ends_in(other)) {
                return Err(PlanError::at(
                    "target.url",
                    format!("this version does not speak the API behind /{other}"),
                )
                .with_hint("it speaks chat/completions and completions"));
            }
            let api = wanted.or_else(|| by_name(DEFAULT)).unwrap_or(APIS[0]);
            complete(&mut url, api, advice);
            api
        }
    };
    let typed = if api.name() == DEFAULT { Kind::Chat } else { Kind::Completions };
    if (form, typed) != (Form::TokenIds, Kind::Chat) {
        return Ok(Endpoint { url, api, typed });
    }
    let api = by_name(COMPLETIONS).unwrap_or(api);
    if wanted.is_some() {
        return Err(PlanError::at("prompts.tokenize", "a chat endpoint takes no token ids")
            .with_hint(format!("use {}", api.path())));
    }
    let path = url.path.trim_end_matches('/');
    url.path = match path.strip_suffix(endpoint(APIS[0])) {
        Some(above) => format!("{above}{}", endpoint(api)),
        None => api.path().to_owned(),
    };
    if url.scheme != Scheme::Sim {
        advice.push(format!("token ids go to the completions endpoint: {url}"));
    }
    Ok(Endpoint { url, api, typed })
}

fn complete(url: &mut Url, api: &'static dyn Api, advice: &mut Vec<String>) {
    // The simulator needs no path for its first API, and `sim://?ttft_ms=200` is how people write it.
    if url.scheme == Scheme::Sim {
        if api.name() != DEFAULT {
            url.path = api.path().to_owned();
        }
        return;
    }
    url.path = format!("{}/{}", url.path.trim_end_matches('/'), endpoint(api));
    advice.push(format!("the URL names no endpoint, so requests go to {url}"));
}

/// The path of an API below `/v1/`: what a URL for it ends in.
fn endpoint(api: &'static dyn Api) -> &'static str {
    api.path().trim_start_matches("/v1/")
}

/// The name that leaves the choice to the URL.
const BY_URL: &str = "openai";
const DEFAULT: &str = "openai-chat";
const COMPLETIONS: &str = "openai-completions";

/// Endpoints of APIs that are known by name only.
const OTHERS: &[&str] = &["responses", "embeddings", "reranks", "rerank", "systemone", "decide"];
