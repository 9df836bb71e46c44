//! The backends of `vllm bench serve`, and three of its own: which API each speaks, and where.
//!
//! A backend is a name for an API and for what is expected of it; the APIs themselves are in `tokometer_wire`.

use tokometer_plan::known_words;
use tokometer_wire::{Answers, Api, by_name};

use crate::trouble::Trouble;

/// A backend.
#[derive(Debug)]
pub(super) struct Backend {
    /// What it is called.
    pub(super) name: &'static str,
    /// The API that it speaks.
    api: &'static str,
    /// What paths for it end in.
    ends: &'static [&'static str],
}

impl Backend {
    /// Its API.
    ///
    /// # Errors
    /// If this program does not speak it.
    pub(super) fn api(&self) -> Result<&'static dyn Api, Trouble> {
        by_name(self.api).ok_or_else(|| {
            Trouble::input(format!(
                "--backend {}: this version does not speak {}",
                self.name, self.api
            ))
            .with_hint("tokometer bench serve --help lists the backends there are")
        })
    }

    /// The path that requests go to: the one that was typed, if it is one of the backend's, else its own.
    ///
    /// # Errors
    /// If the path that was typed is none of the backend's.
    pub(super) fn path(&self, typed: Option<&str>) -> Result<String, Trouble> {
        let own = self.api()?.path();
        let Some(typed) = typed else { return Ok(own.to_owned()) };
        let bare = typed.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let fits = |end: &&str| {
            bare.strip_suffix(*end).is_some_and(|above| above.ends_with('/') || above.is_empty())
        };
        // A chat endpoint ends in `completions` too, and is none of them.
        let other = self.api == COMPLETIONS && bare.ends_with("chat/completions");
        if other || !self.ends.iter().any(fits) {
            let ends: Vec<_> = self.ends.iter().map(|end| format!("/{end}")).collect();
            return Err(Trouble::input(format!(
                "--endpoint {typed} is no endpoint of --backend {}, which ends in {}",
                self.name,
                ends.join(" or ")
            ))
            .with_hint(match for_path(bare) {
                Some(fitting) => {
                    format!("leave --endpoint out for {own}, or use --backend {fitting}")
                }
                None => format!("leave --endpoint out for {own}"),
            }));
        }
        Ok(format!("/{}", typed.trim_start_matches('/')))
    }

    /// Whether it is one of those that vLLM counts as OpenAI's generating ones: sampling settings are for them.
    pub(super) fn samples(&self) -> bool {
        !matches!(self.api, "openai-audio") && !self.pools()
    }

    /// Whether random prompts are answered up to the limit of every request, the end of the text not heeded.
    pub(super) fn ignores_eos(&self) -> bool {
        self.samples() && self.api != "anthropic-messages" && self.api != "tgi-generate"
    }

    /// Whether it takes text or token ids as they are.
    pub(super) fn completes(&self) -> bool {
        self.api == COMPLETIONS
    }

    /// Whether it takes conversations, and the server puts its chat template around them.
    pub(super) fn converses(&self) -> bool {
        matches!(
            self.api,
            "openai-chat" | "openai-responses" | "openai-embeddings-chat" | "anthropic-messages"
        )
    }

    /// Whether it answers with a result and generates nothing.
    pub(super) fn pools(&self) -> bool {
        by_name(self.api).is_some_and(|api| api.answers() == Answers::Result)
    }
}

/// The backend of that name.
///
/// # Errors
/// If there is none.
pub(super) fn named(name: &str) -> Result<&'static Backend, Trouble> {
    if let Some(backend) = BACKENDS.iter().find(|backend| backend.name == name) {
        return Ok(backend);
    }
    let names = BACKENDS.iter().map(|backend| backend.name);
    match UNSPOKEN.iter().find(|(unspoken, _)| *unspoken == name) {
        Some((_, instead)) => Err(Trouble::input(format!(
            "--backend {name} is not in this version: it rewrites prompts for one model's images"
        ))
        .with_hint(format!("--backend {instead} sends them as they are"))),
        None => Err(Trouble::input(format!("--backend: there is no backend {name}"))
            .with_hint(known_words(name, names))),
    }
}

/// The backend that a path would be right for.
fn for_path(bare: &str) -> Option<&'static str> {
    let fits = |end: &str| bare.ends_with(&format!("/{end}")) || bare == end;
    let candidates = BACKENDS.iter().flat_map(|backend| {
        backend.ends.iter().filter(|end| fits(end)).map(|end| (end.len(), backend.name))
    });
    // Of several the first one with the longest ending: chat/completions before completions.
    candidates.rev().max_by_key(|(length, _)| *length).map(|(_, name)| name)
}

/// The help of `--backend`.
pub(super) fn help() -> String {
    let names: Vec<_> = BACKENDS.iter().map(|backend| backend.name).collect();
    format!("What the server speaks: {}", names.join(", "))
}

const fn backend(name: &'static str, api: &'static str, ends: &'static [&'static str]) -> Backend {
    Backend { name, api, ends }
}

const COMPLETIONS: &str = "openai-completions";

/// vLLM's, in its order, and ours.
pub(super) const BACKENDS: &[Backend] = &[
    backend("vllm", COMPLETIONS, &["completions"]),
    backend("openai", COMPLETIONS, &["completions"]),
    backend("openai-chat", "openai-chat", &["chat/completions"]),
    backend("openai-responses", "openai-responses", &["responses"]),
    backend("openai-audio", "openai-audio", &["transcriptions", "translations"]),
    backend("openai-embeddings", "openai-embeddings", &["embeddings"]),
    backend("openai-embeddings-chat", "openai-embeddings-chat", &["embeddings"]),
    backend("infinity-embeddings", "infinity-embeddings", &["embeddings"]),
    backend("vllm-pooling", "pooling", &["pooling"]),
    backend("vllm-rerank", "rerank", &["rerank"]),
    backend("anthropic", "anthropic-messages", &["messages"]),
    backend("sglang", "sglang-generate", &["generate"]),
    backend("tgi", "tgi-generate", &["generate_stream"]),
];

/// Backends of vLLM's that this program has not, and the nearest that it has.
const UNSPOKEN: &[(&str, &str)] = &[
    ("openai-embeddings-clip", "openai-embeddings-chat"),
    ("openai-embeddings-vlm2vec", "openai-embeddings-chat"),
    ("infinity-embeddings-clip", "infinity-embeddings"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, endpoint: &str) -> String {
        named(name).unwrap().path(Some(endpoint)).unwrap_err().to_string()
    }

    #[test]
    fn every_backend_speaks_an_api_at_a_path_of_its_own() {
        for backend in BACKENDS {
            let path = backend.path(None).unwrap();
            assert_eq!(backend.path(Some(&path)).unwrap(), path, "{}", backend.name);
        }
    }

    #[test]
    fn a_path_above_the_usual_one_is_taken() {
        let path = |name: &str, typed: &str| named(name).unwrap().path(Some(typed)).unwrap();
        assert_eq!(path("vllm-rerank", "/v2/rerank"), "/v2/rerank");
        assert_eq!(path("openai-audio", "/v1/audio/translations"), "/v1/audio/translations");
        assert_eq!(path("openai", "v1/completions/"), "/v1/completions/");
    }

    #[test]
    fn an_endpoint_of_another_backend_is_refused_with_both() {
        insta::assert_snapshot!(refused("openai-chat", "/v1/completions"), @"
        error: --endpoint /v1/completions is no endpoint of --backend openai-chat, which ends in /chat/completions
        hint: leave --endpoint out for /v1/chat/completions, or use --backend vllm
        ");
        insta::assert_snapshot!(refused("openai", "/v1/chat/completions"), @"
        error: --endpoint /v1/chat/completions is no endpoint of --backend openai, which ends in /completions
        hint: leave --endpoint out for /v1/completions, or use --backend openai-chat
        ");
        insta::assert_snapshot!(refused("openai-audio", "/v1/audio"), @"
        error: --endpoint /v1/audio is no endpoint of --backend openai-audio, which ends in /transcriptions or /translations
        hint: leave --endpoint out for /v1/audio/transcriptions
        ");
    }

    #[test]
    fn a_backend_that_does_not_exist_is_refused_with_what_was_meant() {
        insta::assert_snapshot!(named("openai-chatt").unwrap_err(), @"
        error: --backend: there is no backend openai-chatt
        hint: did you mean openai-chat?
        ");
        insta::assert_snapshot!(named("openai-embeddings-clip").unwrap_err(), @"
        error: --backend openai-embeddings-clip is not in this version: it rewrites prompts for one model's images
        hint: --backend openai-embeddings-chat sends them as they are
        ");
    }
}
