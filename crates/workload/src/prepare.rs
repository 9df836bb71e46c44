//! Making requests ready before the load starts: prompts drawn, bodies written, tokens counted.
//!
//! Every request is a pure function of the dataset, the settings, the seed and its index, so the work is shared among the
//! cores in whatever order, and the outcome is the same. Nothing is sent from here.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rand::RngExt;
use serde_json::{Map, Value};
use tokometer_wire::{Api, EncodeError, Input, Message, Options, Prompt, Request};

use crate::Ask;
use crate::dataset::{Dataset, DatasetError, Drawn};
use crate::seed::Seed;
use crate::tokenizer::{Tokenizer, TokenizerError, length};

/// What every request's body has in common.
#[derive(Clone, Debug)]
pub struct Body {
    /// The API that gives the body its form.
    pub api: &'static dyn Api,
    /// The model to name. `None` leaves the field out.
    pub model: Option<String>,
    /// Adapters to name in its place.
    pub lora: Option<Lora>,
    /// How to generate.
    pub options: Options,
    /// The most tokens to generate, drawn for each request uniformly from these bounds, both included. `None`: what
    /// `options` says, or else the dataset.
    pub max_tokens: Option<(u32, u32)>,
    /// The most tokens to generate where neither of these says, nor the dataset.
    pub default_max_tokens: Option<u32>,
    /// A body to start from.
    pub template: Option<Map<String, Value>>,
    /// Whether the server puts its chat template around a prompt that is plain text.
    pub apply_chat_template: bool,
    /// Whether to keep the prompts' text for the records.
    pub keep_prompt: bool,
}

/// LoRA adapters that the server knows as models of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lora {
    /// Their names. None: the model itself is named.
    pub modules: Vec<String>,
    /// Which request names which.
    pub assignment: Assignment,
}

/// How adapters are given to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignment {
    /// Each request's is drawn by itself, all equally likely.
    #[default]
    Random,
    /// In turn, by the requests' numbers.
    RoundRobin,
}

impl Lora {
    /// The adapter of the request with this index. `None` if there are none.
    fn of(&self, index: u64, seed: Seed) -> Option<&str> {
        let count = self.modules.len() as u64;
        if count == 0 {
            return None;
        }
        let which = match self.assignment {
            Assignment::Random => seed.stream("lora").at(index).rng().random_range(0..count),
            Assignment::RoundRobin => index % count,
        };
        self.modules.get(which as usize).map(String::as_str)
    }
}

/// Why a request could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// There is no prompt.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The API has no place for the prompt.
    #[error("request {index} cannot be written: {source}")]
    Encode {
        /// Which request.
        index: u64,
        /// What the API lacks.
        source: EncodeError,
    },
    /// The prompt's tokens could not be counted.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// There are more requests than this machine can count.
    #[error("{count} requests are too many for this machine's memory")]
    TooMany {
        /// How many were asked for.
        count: u64,
    },
    /// Whoever was told of the progress wanted no more.
    #[error("stopped before all requests were ready")]
    Stopped,
}

/// Makes `count` requests ready, in parallel over the cores. `progress` is told how many are ready, from several threads and
/// so not quite in order; when it breaks off, no further request is begun.
///
/// # Errors
/// The error of the first request, by index, that could not be made ready; [`PrepareError::Stopped`] if `progress` broke off.
pub fn asks(
    dataset: &dyn Dataset,
    body: &Body,
    tokenizer: Option<&dyn Tokenizer>,
    seed: Seed,
    count: u64,
    progress: &(dyn Fn(u64) -> ControlFlow<()> + Sync),
) -> Result<Vec<Ask>, PrepareError> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let job = Job { dataset, body, tokenizer, seed, count, progress };
    job.spread(cores.min(count.div_ceil(BLOCK)).max(1))
}

struct Job<'a> {
    dataset: &'a dyn Dataset,
    body: &'a Body,
    tokenizer: Option<&'a dyn Tokenizer>,
    seed: Seed,
    count: u64,
    progress: &'a (dyn Fn(u64) -> ControlFlow<()> + Sync),
}

/// What threads tell each other.
#[derive(Default)]
struct Shared {
    /// The first index that nobody has taken on.
    next: AtomicU64,
    ready: AtomicU64,
    /// Set at the first error. Lower indices have been taken on by then, and are finished, so that which error is reported
    /// depends on no thread's speed.
    failed: AtomicBool,
    /// Set when nobody wants the requests any more.
    stopped: AtomicBool,
}

/// What one thread has done.
#[derive(Default)]
struct Done {
    /// Requests, with the index of the first.
    blocks: Vec<(u64, Vec<Ask>)>,
    /// The first error, with its index.
    error: Option<(u64, PrepareError)>,
}

impl Job<'_> {
    fn spread(&self, threads: u64) -> Result<Vec<Ask>, PrepareError> {
        let mut asks = Vec::new();
        let size =
            usize::try_from(self.count).map_err(|_| PrepareError::TooMany { count: self.count })?;
        asks.try_reserve_exact(size).map_err(|_| PrepareError::TooMany { count: self.count })?;
        let shared = Shared::default();
        let done: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| self.work(&shared))).collect();
            let joined = workers.into_iter().map(|worker| match worker.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect()
        });
        let mut blocks = Vec::new();
        let mut errors = Vec::new();
        for mut own in done {
            blocks.append(&mut own.blocks);
            errors.extend(own.error);
        }
        if let Some((_, error)) = errors.into_iter().min_by_key(|(index, _)| *index) {
            return Err(error);
        }
        if shared.stopped.into_inner() {
            return Err(PrepareError::Stopped);
        }
        blocks.sort_unstable_by_key(|(start, _)| *start);
        asks.extend(blocks.into_iter().flat_map(|(_, block)| block));
        Ok(asks)
    }

    /// Takes on block after block.
    fn work(&self, shared: &Shared) -> Done {
        let mut done = Done::default();
        while !shared.failed.load(Ordering::Relaxed) {
            let start = shared.next.fetch_add(BLOCK, Ordering::Relaxed);
            if start >= self.count {
                break;
            }
            let mut block = Vec::with_capacity(BLOCK as usize);
            for index in start..self.count.min(start + BLOCK) {
                match self.ask(index) {
                    Ok(ask) => block.push(ask),
                    Err(error) => {
                        shared.failed.store(true, Ordering::Relaxed);
                        done.error = Some((index, error));
                        return done;
                    }
                }
                let ready = shared.ready.fetch_add(1, Ordering::Relaxed) + 1;
                if (self.progress)(ready).is_break() {
                    shared.stopped.store(true, Ordering::Relaxed);
                }
                if shared.stopped.load(Ordering::Relaxed) {
                    return done;
                }
            }
            done.blocks.push((start, block));
        }
        done
    }

    fn ask(&self, index: u64) -> Result<Ask, PrepareError> {
        let drawn = self.dataset.draw(index, self.seed)?;
        let options = self.options(&drawn, index);
        let lora = self.body.lora.as_ref().and_then(|lora| lora.of(index, self.seed));
        let request = Request {
            model: lora.or(self.body.model.as_deref()),
            prompt: &drawn.prompt,
            options: &options,
            template: self.body.template.as_ref(),
        };
        let body = self
            .body
            .api
            .request(&request)
            .map_err(|source| PrepareError::Encode { index, source })?;
        let prompt_tokens = match (drawn.tokens, self.tokenizer) {
            (Some(tokens), _) => Some(tokens),
            (None, Some(tokenizer)) => self.count(&drawn.prompt, tokenizer)?,
            (None, None) => None,
        };
        Ok(Ask {
            asked_output: asked_output(self.body.api, &body),
            prompt_tokens,
            audio: drawn.audio,
            inputs: inputs(&drawn.prompt),
            prompt: self.body.keep_prompt.then(|| text(&drawn.prompt)),
            body,
        })
    }

    /// What the options are for one request: the load's own, with what is drawn for it and what the dataset asks for. How long
    /// the answer may be is for the load to say, then for the dataset, then for the default.
    fn options(&self, drawn: &Drawn, index: u64) -> Cow<'_, Options> {
        let common = &self.body.options;
        let drawn_length = self.body.max_tokens.map(|(low, high)| {
            let bounds = low.min(high)..=low.max(high);
            self.seed.stream("max_tokens").at(index).rng().random_range(bounds)
        });
        let chosen = drawn_length.or(common.max_tokens);
        let max_tokens = chosen.or(drawn.max_tokens).or(self.body.default_max_tokens);
        if max_tokens.is_none() && drawn.extra.is_empty() {
            return Cow::Borrowed(common);
        }
        let mut options = common.clone();
        options.max_tokens = max_tokens;
        options.extra.extend(drawn.extra.clone());
        Cow::Owned(options)
    }

    /// Tokens of the prompt as the server will count them. `None` if that cannot be known here, be it that the template does
    /// not take these messages: whether the server does is for the server to say.
    fn count(
        &self,
        prompt: &Prompt,
        tokenizer: &dyn Tokenizer,
    ) -> Result<Option<u32>, TokenizerError> {
        let counted = match prompt {
            Prompt::Tokens(ids) => return Ok(Some(length(ids))),
            Prompt::Text(text) => self.count_text(text, tokenizer),
            Prompt::Messages(messages) => tokenizer.count_messages(messages),
            Prompt::Batch(inputs) => return count_batch(inputs, tokenizer).map(Some),
            // What separates a query from a document is the model's own affair, and so is the length of audio in tokens.
            Prompt::Rerank { .. } | Prompt::Audio(_) => return Ok(None),
            Prompt::Body(body) => match (body.get("messages"), body.get("prompt")) {
                (Some(messages), _) => {
                    match serde_json::from_value::<Vec<Message>>(messages.clone()) {
                        Ok(messages) => tokenizer.count_messages(&messages),
                        Err(_) => return Ok(None),
                    }
                }
                (None, Some(Value::String(text))) => tokenizer.count(text).map(Some),
                (None, Some(Value::Array(ids))) if ids.iter().all(Value::is_u64) => {
                    return Ok(u32::try_from(ids.len()).ok());
                }
                _ => return Ok(None),
            },
        };
        match counted {
            Err(TokenizerError::Template { .. }) => Ok(None),
            counted => counted,
        }
    }

    fn count_text(
        &self,
        text: &str,
        tokenizer: &dyn Tokenizer,
    ) -> Result<Option<u32>, TokenizerError> {
        if !self.body.apply_chat_template {
            return tokenizer.count(text).map(Some);
        }
        let content = Value::String(text.to_owned());
        tokenizer.count_messages(&[Message { role: "user".to_owned(), content, more: Map::new() }])
    }
}

/// How many inputs a prompt bears, where it is of a kind that can bear several.
fn inputs(prompt: &Prompt) -> Option<u32> {
    let several = match prompt {
        Prompt::Batch(inputs) => inputs.len(),
        Prompt::Rerank { documents, .. } => documents.len(),
        _ => return None,
    };
    u32::try_from(several).ok()
}

fn count_batch(inputs: &[Input], tokenizer: &dyn Tokenizer) -> Result<u32, TokenizerError> {
    let counts = inputs.iter().map(|input| match input {
        Input::Text(text) => tokenizer.count(text),
        Input::Tokens(ids) => Ok(length(ids)),
    });
    counts.sum()
}

/// Tokens of output that the body insists on, over all its choices: read from the body itself, whatever wrote them there.
fn asked_output(api: &dyn Api, body: &[u8]) -> Option<u32> {
    let asked = api.parse(body).ok()?;
    let most = asked.max_tokens?;
    (asked.ignore_eos || asked.min_tokens == Some(most))
        .then(|| most.saturating_mul(asked.n.max(1)))
}

/// The prompt for a person to read: a single message's text, else JSON.
fn text(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Tokens(ids) => Value::from(ids.as_slice()).to_string(),
        Prompt::Messages(messages) => match messages.as_slice() {
            [Message { content: Value::String(text), .. }] => text.clone(),
            _ => serde_json::to_string(messages).unwrap_or_default(),
        },
        Prompt::Batch(inputs) => {
            let said = inputs.iter().map(|input| match input {
                Input::Text(text) => Value::from(text.as_str()),
                Input::Tokens(ids) => Value::from(ids.as_slice()),
            });
            said.collect::<Value>().to_string()
        }
        Prompt::Rerank { query, documents } => {
            serde_json::json!({ "query": query, "documents": documents }).to_string()
        }
        Prompt::Audio(audio) => audio.name.clone(),
        Prompt::Body(body) => Value::Object(body.clone()).to_string(),
    }
}

/// Requests that a thread takes on at once.
const BLOCK: u64 = 8;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;
    use serde_json::json;
    use tokometer_wire::api::{Reply, SoFar};
    use tokometer_wire::{Asked, DecodeError, Delta};

    use super::*;
    use crate::dataset::{self, Spec};
    use crate::fixtures::{file, tiny};

    /// An API with the least that these tests need, so that they stand on no codec.
    #[derive(Debug)]
    struct Plain;

    impl Api for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn path(&self) -> &'static str {
            "/plain"
        }
        fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
            let prompt = match request.prompt {
                Prompt::Text(text) if text == "refused" => {
                    return Err(EncodeError::Unsupported { api: "plain", what: "this" });
                }
                prompt => text(prompt),
            };
            let options = request.options;
            let mut body = json!({ "model": request.model, "prompt": prompt, "max_tokens": options.max_tokens, "min_tokens": options.min_tokens, "n": options.n });
            body.as_object_mut().unwrap().extend(options.extra.clone());
            Ok(Bytes::from(body.to_string()))
        }
        fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
            let fields: Map<String, Value> = serde_json::from_slice(body)?;
            let number = |name: &str| fields.get(name).and_then(Value::as_u64).map(|n| n as u32);
            Ok(Asked {
                include_usage: false,
                max_tokens: number("max_tokens"),
                min_tokens: number("min_tokens"),
                ignore_eos: fields.get("ignore_eos") == Some(&Value::Bool(true)),
                n: number("n").unwrap_or(1),
                ..Asked::plain(None, Prompt::Text(String::new()), Map::new())
            })
        }
        fn delta<'e>(&self, _data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
            Ok(Delta::default())
        }
        fn body<'e>(&self, _body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
            Ok(Delta::default())
        }
        fn event(
            &self,
            _reply: &Reply<'_>,
            _so_far: &mut SoFar,
            _delta: &Delta<'_>,
            _into: &mut BytesMut,
        ) {
        }
        fn whole(&self, _reply: &Reply<'_>, _delta: &Delta<'_>, _into: &mut BytesMut) {}
    }

    fn body(options: Options) -> Body {
        Body {
            api: &Plain,
            model: Some("m".to_owned()),
            lora: None,
            options,
            max_tokens: None,
            default_max_tokens: None,
            template: None,
            apply_chat_template: false,
            keep_prompt: false,
        }
    }

    fn go_on(_ready: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Prompts from the lines of a text.
    fn lines(content: &str) -> Box<dyn Dataset> {
        let (_folder, path) = file(content);
        let spec = Spec {
            name: "line_by_line".to_owned(),
            path: Some(path),
            apply_chat_template: false,
            ..Spec::default()
        };
        let lines = dataset::open(&spec, None).unwrap();
        drop(lines.draw(1000, Seed::new(1)));
        lines
    }

    fn one(content: &str, body: &Body) -> Ask {
        asks(&*lines(content), body, Some(&*tiny()), Seed::new(1), 1, &go_on).unwrap().remove(0)
    }

    fn models(assignment: Assignment, modules: &[&str], count: u64) -> Vec<String> {
        let modules = modules.iter().map(|&name| name.to_owned()).collect();
        let lora = Some(Lora { modules, assignment });
        let body = Body { lora, ..body(Options::default()) };
        let made = asks(&*lines("a"), &body, None, Seed::new(1), count, &go_on).unwrap();
        made.iter()
            .map(|ask| serde_json::from_slice::<Value>(&ask.body).unwrap()["model"].clone())
            .map(|model| model.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn adapters_are_named_in_turn_in_the_models_place() {
        assert_eq!(models(Assignment::RoundRobin, &["x", "y", "z"], 5), ["x", "y", "z", "x", "y"]);
        assert_eq!(models(Assignment::RoundRobin, &[], 2), ["m", "m"]);
    }

    #[test]
    fn adapters_that_are_drawn_come_equally_often() {
        let models = models(Assignment::Random, &["x", "y"], 1000);
        let times = models.iter().filter(|model| *model == "x").count() as f64;
        // 3.29 deviations of 1,000 throws of a coin.
        assert!((times - 500.0).abs() < 3.29 * 250.0_f64.sqrt(), "{times}");
        assert!(models.iter().any(|model| model == "y"));
        let in_turn = models.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(in_turn < 700, "{in_turn} changes are no chance");
    }

    #[test]
    fn tokens_of_a_batch_are_those_of_its_inputs_together() {
        let job = |prompt: &Prompt| {
            let inputs = body(Options::default());
            let dataset = lines("a");
            let job = Job {
                dataset: &*dataset,
                body: &inputs,
                tokenizer: None,
                seed: Seed::new(1),
                count: 1,
                progress: &go_on,
            };
            job.count(prompt, &*tiny()).unwrap()
        };
        let batch =
            Prompt::Batch(vec![Input::Text("one two three".to_owned()), Input::Tokens(vec![7, 8])]);
        assert_eq!(job(&batch), Some(tiny().count("one two three").unwrap() + 2));
    }

    #[test]
    fn bodies_name_the_model_and_bear_the_prompt() {
        let made = asks(&*lines("a\nb"), &body(Options::default()), None, Seed::new(1), 3, &go_on)
            .unwrap();
        let prompts: Vec<Value> = made
            .iter()
            .map(|ask| serde_json::from_slice::<Value>(&ask.body).unwrap()["prompt"].clone())
            .collect();
        assert_eq!(prompts, ["a", "b", "a"]);
        assert!(made.iter().all(|ask| ask.prompt_tokens.is_none() && ask.prompt.is_none()));
    }

    #[test]
    fn most_tokens_are_drawn_from_both_bounds_and_all_between() {
        let body = Body { max_tokens: Some((3, 6)), ..body(Options::default()) };
        let made = asks(&*lines("a"), &body, None, Seed::new(1), 200, &go_on).unwrap();
        let drawn: std::collections::BTreeSet<u64> = made
            .iter()
            .map(|ask| {
                serde_json::from_slice::<Value>(&ask.body).unwrap()["max_tokens"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(drawn, (3..=6).collect());
    }

    #[test]
    fn the_load_says_how_long_an_answer_may_be_then_the_dataset_then_the_default() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("own.jsonl");
        std::fs::write(&path, "{\"prompt\": \"a\", \"output_tokens\": 3}\n{\"prompt\": \"b\"}\n")
            .unwrap();
        let args = json!({ "shuffle": false }).as_object().unwrap().clone();
        let spec = Spec { name: "custom".to_owned(), path: Some(path), args, ..Spec::default() };
        let data = dataset::open(&spec, None).unwrap();
        let most = |body: &Body| {
            let made = asks(&*data, body, None, Seed::new(1), 2, &go_on).unwrap();
            let parsed = made.iter().map(|ask| serde_json::from_slice::<Value>(&ask.body).unwrap());
            parsed.map(|body| body["max_tokens"].as_u64()).collect::<Vec<_>>()
        };
        let nothing = body(Options::default());
        assert_eq!(most(&nothing), [Some(3), None]);
        let default = Body { default_max_tokens: Some(2048), ..nothing };
        assert_eq!(most(&default), [Some(3), Some(2048)]);
        assert_eq!(most(&Body { max_tokens: Some((7, 7)), ..default.clone() }), [Some(7); 2]);
        let options = Options { max_tokens: Some(1), ..Options::default() };
        assert_eq!(most(&Body { options, ..default }), [Some(1); 2]);
    }

    #[test]
    fn another_dataset_leaves_the_most_tokens_as_they_were() {
        let body = Body { max_tokens: Some((1, 1000)), ..body(Options::default()) };
        let drawn = |content| {
            let made = asks(&*lines(content), &body, None, Seed::new(9), 20, &go_on).unwrap();
            made.iter()
                .map(|ask| {
                    serde_json::from_slice::<Value>(&ask.body).unwrap()["max_tokens"].clone()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn("a"), drawn("b\nc"));
    }

    #[test]
    fn prompts_are_counted_as_the_server_will() {
        let text = "the people work";
        let plain = one(text, &body(Options::default()));
        assert_eq!(plain.prompt_tokens, Some(tiny().count(text).unwrap()));

        let messages = tiny().count_messages(&[crate::fixtures::user(text)]).unwrap();
        let chat = one(text, &Body { apply_chat_template: true, ..body(Options::default()) });
        assert_eq!(chat.prompt_tokens, messages);

        let conversation = format!(r#"[{{"role": "user", "content": "{text}"}}]"#);
        assert_eq!(one(&conversation, &body(Options::default())).prompt_tokens, messages);
        let whole = format!(r#"{{"messages": {conversation}}}"#);
        assert_eq!(one(&whole, &body(Options::default())).prompt_tokens, messages);
        let ids = r#"{"prompt": [1, 2, 3]}"#;
        assert_eq!(one(ids, &body(Options::default())).prompt_tokens, Some(3));
        assert_eq!(one(r#"{"prompt": ["a", "b"]}"#, &body(Options::default())).prompt_tokens, None);
    }

    #[test]
    fn messages_that_the_template_refuses_are_not_counted() {
        let odd = r#"[{"role": "user", "content": 3}]"#;
        assert_eq!(one(odd, &body(Options::default())).prompt_tokens, None);
    }

    #[test]
    fn an_exact_number_of_output_tokens_is_noted() {
        let asked = |options| one("a", &body(options)).asked_output;
        let limit = || Options { max_tokens: Some(7), ..Options::default() };
        let extra = |value| json!({ "ignore_eos": value }).as_object().unwrap().clone();
        assert_eq!(asked(limit()), None);
        assert_eq!(asked(Options { extra: extra(json!(true)), ..limit() }), Some(7));
        assert_eq!(asked(Options { extra: extra(json!(false)), ..limit() }), None);
        assert_eq!(asked(Options { min_tokens: Some(7), ..limit() }), Some(7));
        assert_eq!(asked(Options { min_tokens: Some(6), ..limit() }), None);
        assert_eq!(asked(Options { min_tokens: Some(7), n: Some(2), ..limit() }), Some(14));
        assert_eq!(asked(Options { extra: extra(json!(true)), ..Options::default() }), None);
    }

    #[test]
    fn prompts_are_kept_only_if_asked() {
        let kept = Body { keep_prompt: true, ..body(Options::default()) };
        assert_eq!(one("a text", &kept).prompt.as_deref(), Some("a text"));
        assert_eq!(one("a text", &body(Options::default())).prompt, None);
    }

    #[test]
    fn progress_is_told_of_every_request() {
        let told = Mutex::new(Vec::new());
        asks(&*lines("a"), &body(Options::default()), None, Seed::new(1), 50, &|ready| {
            told.lock().unwrap().push(ready);
            ControlFlow::Continue(())
        })
        .unwrap();
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert_eq!(told, (1..=50).collect::<Vec<u64>>());
    }

    #[test]
    fn who_breaks_off_gets_no_requests_and_waits_for_few() {
        let body = body(Options::default());
        for threads in [1, 8] {
            let told = AtomicU64::new(0);
            let job = Job {
                dataset: &*lines("a"),
                body: &body,
                tokenizer: None,
                seed: Seed::new(1),
                count: 100_000,
                progress: &|ready| {
                    told.fetch_add(1, Ordering::Relaxed);
                    if ready >= 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            };
            assert!(matches!(job.spread(threads), Err(PrepareError::Stopped)));
            assert!(told.into_inner() < 20 + threads);
        }
    }

    #[test]
    fn no_requests_are_no_error() {
        assert_eq!(
            asks(&*lines("a"), &body(Options::default()), None, Seed::new(1), 0, &go_on).unwrap(),
            []
        );
    }

    #[test]
    fn more_requests_than_memory_are_refused() {
        let error =
            asks(&*lines("a"), &body(Options::default()), None, Seed::new(1), u64::MAX, &go_on)
                .unwrap_err();
        assert!(matches!(error, PrepareError::TooMany { count: u64::MAX }));
    }

    /// Fails from some index on, and never in the same words.
    #[derive(Debug)]
    struct Failing {
        from: u64,
    }

    impl Dataset for Failing {
        fn draw(&self, index: u64, _seed: Seed) -> Result<Drawn, DatasetError> {
            if index >= self.from {
                return Err(DatasetError::Arguments { why: index.to_string() });
            }
            Ok(Drawn::of(Prompt::Text("a".to_owned()), None))
        }
        fn len(&self) -> Option<u64> {
            None
        }
    }

    #[test]
    fn the_first_error_by_index_is_the_one_reported() {
        let body = body(Options::default());
        for from in [0, 1, 13, 99] {
            let job = Job {
                dataset: &Failing { from },
                body: &body,
                tokenizer: None,
                seed: Seed::new(1),
                count: 100,
                progress: &go_on,
            };
            for threads in [1, 8] {
                let error = job.spread(threads).unwrap_err().to_string();
                assert!(error.ends_with(&format!(": {from}")), "{error}");
            }
        }
    }

    #[test]
    fn a_prompt_that_the_api_cannot_carry_names_its_request() {
        let error =
            asks(&*lines("a\nrefused"), &body(Options::default()), None, Seed::new(1), 9, &go_on)
                .unwrap_err();
        assert_eq!(
            error.to_string(),
            "request 1 cannot be written: the plain API cannot carry this"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn requests_depend_on_no_thread(seed: u64, count in 0..60_u64, threads in 2..9_u64) {
            let tiny = tiny();
            let spec = Spec {
                name: "random".to_owned(),
                min_prompt_length: 20,
                max_prompt_length: 60,
                ..Spec::default()
            };
            let data = dataset::open(&spec, Some(std::sync::Arc::clone(&tiny))).unwrap();
            let body = Body { max_tokens: Some((1, 500)), keep_prompt: true, ..body(Options::default()) };
            let job = Job { dataset: &*data, body: &body, tokenizer: Some(&*tiny), seed: Seed::new(seed), count, progress: &go_on };
            let alone = job.spread(1).unwrap();
            prop_assert_eq!(alone.len() as u64, count);
            prop_assert_eq!(job.spread(threads).unwrap(), alone);
        }
    }
}
