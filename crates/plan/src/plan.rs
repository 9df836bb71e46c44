//! A plan: what will be done, with nothing left to find out but the model and the server's tokenizer.
//!
//! A [`Plan`] comes only from `resolve`, so that every one is sound: there is a point, every point has a cap or a rate, the
//! URL is one for its API, every variable that it refers to is set. It writes itself as the native form, secrets by their
//! variables' names, and read back that form makes the same plan.

mod point;
mod reporting;
mod telemetry;

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use tokometer_wire::{Api, LimitName, Options};
use tokometer_workload::dataset::{self, InputLengthMode, LengthControl, LongPrefix, Spec};
use tokometer_workload::prepare::{self, Body};
use tokometer_workload::seed::Seed;

use crate::config::{self, Config, FitMode, Lora, LoraAssignment, PrefixRole};
use crate::secret::{self, Filled};
use crate::url::Url;
use crate::written::{Amount, Between, Limit, Rate, Span};

pub use point::{Pacing, Point, Ramp};
pub use reporting::{Reporting, Save, Vllm};
pub use telemetry::{OwnMetrics, Telemetry};

/// What will be done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The model to name in requests. `None`: the server is asked for its only one.
    pub model: Option<String>,
    /// The tokenizer: a folder, a file, or the name of a model on a hub. `None`: the server's own, or the embedded one.
    pub tokenizer: Option<String>,
    /// What prompts and arrivals are drawn from.
    pub seed: Seed,
    /// Threads that carry the load. `None`: as many as it needs.
    pub workers: Option<NonZeroUsize>,
    /// Where requests go, and how.
    pub target: Target,
    /// Where the service's own side is heard.
    pub telemetry: Telemetry,
    /// The points of the sweep: at least one.
    pub points: Vec<Point>,
    /// The warm-up of each point, as it was asked for.
    pub warmup: Amount,
    /// Whether the warm-up ends before the first measured request is sent, in closed loop too.
    pub warmup_apart: bool,
    /// The longest time that a point sends.
    pub duration: Option<Duration>,
    /// The pause between two points.
    pub pause: Duration,
    /// How long requests in flight are awaited after an interruption.
    pub drain: Duration,
    /// Small requests per second that are sent beside the load, past every cap. `None`: none.
    pub probe_rate: Option<Rate>,
    /// What is asked.
    pub prompts: Prompts,
    /// How the server is to generate.
    pub generation: Generation,
    /// What is written, and where.
    pub output: Output,
    /// Whose reports are written.
    pub report: Reporting,
}

/// Where requests go, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The endpoint.
    pub url: Url,
    /// What is spoken there.
    pub api: Spoken,
    /// The key to show.
    pub key: Option<Key>,
    /// Further headers: names and values.
    pub headers: Vec<(String, Filled)>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Accept any certificate.
    pub insecure: bool,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// Speak HTTP/2.
    pub http2: bool,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// Send one request before the load.
    pub test_connection: bool,
    /// How long the server is waited for before the load begins. Zero: it must answer at once.
    pub ready_within: Duration,
    /// Have the server record a profile of itself during the load.
    pub profile: bool,
    /// What the `x-request-id` of every request begins with. `None`: one made for each run.
    pub request_id_prefix: Option<String>,
}

/// An API, compared by its name.
#[derive(Clone, Copy, Debug)]
pub struct Spoken(pub &'static dyn Api);

/// An API key and the environment variable that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The variable's name.
    pub variable: String,
    /// The key itself.
    pub secret: Filled,
}

/// Time limits of a request. `None`: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For resolving the name, connecting and the TLS handshake.
    pub connect: Option<Duration>,
    /// From the request to the first byte of its response.
    pub first_byte: Option<Duration>,
    /// From one read of the response to the next.
    pub between_chunks: Option<Duration>,
    /// For the whole request.
    pub total: Option<Duration>,
}

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompts {
    /// Where prompts come from.
    pub source: Source,
    /// A body to start from.
    pub template: Option<Template>,
    /// Whether prompts are conversations, to which a chat template applies.
    pub chat_template: bool,
    /// Whether prompts are sent as token ids.
    pub tokenize: bool,
}

/// Where prompts come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// One text for every request.
    Text(Text),
    /// A dataset.
    Dataset(Dataset),
}

/// A text, and whence it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The file that it was read from. `None` if it stands in the plan itself.
    pub file: Option<PathBuf>,
    /// The text.
    pub text: String,
}

/// A body to start from, and whence it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The file that it was read from. `None` if it stands in the plan itself.
    pub file: Option<PathBuf>,
    /// The body.
    pub body: Map<String, Value>,
}

/// A dataset and how prompts are taken from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Its name in the registry.
    pub name: String,
    /// Its file.
    pub path: Option<PathBuf>,
    /// Its own settings.
    pub args: Map<String, Value>,
    /// Whether it begins anew when it has fewer prompts than are asked for. If not, only those that it has are sent.
    pub oversample: bool,
    /// Where the first point begins.
    pub offset: u64,
    /// The shortest prompt.
    pub min_length: u32,
    /// The longest prompt.
    pub max_length: u32,
    /// Tokens of the shared prefix.
    pub prefix_length: u32,
    /// Different prefixes.
    pub prefix_count: u32,
    /// The length that prompts are fitted to.
    pub fit: Option<Fit>,
}

/// How the prompts of a text dataset are fitted to a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The length, in tokens.
    pub length: u32,
    /// What becomes of shorter prompts.
    pub mode: FitMode,
    /// A text file that fills shorter prompts up.
    pub prefix_file: Option<PathBuf>,
    /// Where that text goes.
    pub prefix_role: PrefixRole,
}

/// How the server is to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The most tokens to generate: each request draws its own between these, both included. `None`: what the dataset says.
    pub max_tokens: Option<Between>,
    /// The most tokens to generate where the dataset does not say either.
    pub default_max_tokens: Option<NonZeroU32>,
    /// Adapters to name in place of the model.
    pub lora: Option<Lora>,
    /// Everything else. Its own `max_tokens` stays empty.
    pub options: Options,
}

/// What is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The folder that holds runs.
    pub dir: PathBuf,
    /// The run's folder inside it. `None`: the model's name.
    pub name: Option<String>,
    /// Another name for the model.
    pub alias: Option<String>,
    /// Whether the run's folder lies in one named after the time.
    pub timestamp: bool,
    /// After how many requests the figures so far are logged.
    pub log_every: NonZeroU64,
    /// Whether the log keeps prompts.
    pub prompts: bool,
    /// Whether the log keeps outputs.
    pub outputs: bool,
    /// Whether `benchmark.log` has a line for every request.
    pub debug: bool,
}

impl Plan {
    /// The plan as YAML, to be read by people and by `tokometer run`. Secrets stand in it by their variables' names.
    pub fn to_yaml(&self) -> String {
        let options = serde_saphyr::ser_options! { compact_list_indent: false };
        let yaml = serde_saphyr::to_string_with_options(&self.to_config(), options)
            .expect("a configuration has string keys and finite numbers only");
        yaml.trim_end_matches('\n').to_owned() + "\n"
    }

    /// The plan in the native form, every default spelt out.
    pub fn to_config(&self) -> Config {
        Config {
            model: self.model.clone(),
            tokenizer: self.tokenizer.clone(),
            seed: Some(self.seed.number()),
            workers: self.workers.and_then(|n| u32::try_from(n.get()).ok()?.try_into().ok()),
            target: self.target.to_config(),
            telemetry: self.telemetry.to_config(),
            load: config::Load {
                points: self.points.iter().map(Point::to_config).collect(),
                warmup: Some(self.warmup),
                warmup_apart: Some(self.warmup_apart),
                duration: self.duration.map(Span),
                pause: Some(Span(self.pause)),
                drain: Some(Span(self.drain)),
                probe_rate: self.probe_rate,
            },
            prompts: self.prompts.to_config(),
            generation: self.generation.to_config(),
            output: config::Output {
                vllm: match &self.report {
                    Reporting::Evalscope => None,
                    Reporting::Vllm(told) => Some(told.to_config()),
                },
                ..self.output.to_config()
            },
        }
    }

    /// What prompts are to be drawn, beginning at `offset`.
    pub fn spec(&self, offset: u64) -> Spec {
        let mut spec = Spec {
            offset,
            apply_chat_template: self.prompts.chat_template,
            tokenize_prompt: self.prompts.tokenize,
            ..Spec::default()
        };
        match &self.prompts.source {
            Source::Text(text) => spec.prompt = Some(text.text.clone()),
            Source::Dataset(dataset) => dataset.specify(&mut spec),
        }
        spec
    }

    /// What every request's body has in common, for the model of that name.
    pub fn body(&self, model: &str) -> Body {
        Body {
            api: self.target.api.0,
            model: Some(model.to_owned()),
            options: self.generation.options.clone(),
            max_tokens: self.generation.max_tokens.map(Between::bounds),
            default_max_tokens: self.generation.default_max_tokens.map(NonZeroU32::get),
            template: self.prompts.template.as_ref().map(|template| template.body.clone()),
            apply_chat_template: self.prompts.chat_template,
            lora: self.generation.lora.as_ref().map(|lora| prepare::Lora {
                modules: lora.modules.clone(),
                assignment: match lora.assignment {
                    LoraAssignment::Random => prepare::Assignment::Random,
                    LoraAssignment::RoundRobin => prepare::Assignment::RoundRobin,
                },
            }),
            keep_prompt: self.output.prompts,
        }
    }

    /// What stands for the dataset where one is shown: its name, or `prompt` for a text of the user's own.
    pub fn dataset_name(&self) -> &str {
        match &self.prompts.source {
            Source::Text(_) => "prompt",
            Source::Dataset(dataset) => &dataset.name,
        }
    }
}

impl Target {
    /// What no message may repeat, though a server does: the key, whatever a variable stands for, and the values of headers and
    /// parameters whose names speak of a secret. Longer ones come first, none is empty.
    pub fn secrets(&self) -> Vec<String> {
        let key = self.key.iter().flat_map(|key| secret::of_header("Authorization", &key.secret));
        let headers = self.headers.iter().flat_map(|(name, value)| secret::of_header(name, value));
        let url = self.url.secrets();
        secret::sought(key.chain(headers).chain(url.iter().map(String::as_str)))
    }

    fn to_config(&self) -> config::Target {
        let limit = |limit| Some(Limit(limit));
        let written = |(name, value): &(String, Filled)| (name.clone(), value.written().to_owned());
        config::Target {
            url: Some(self.url.to_string()),
            api: Some(self.api.0.name().to_owned()),
            api_key_env: self.key.as_ref().map(|key| key.variable.clone()),
            headers: self.headers.iter().map(written).collect(),
            timeouts: config::Timeouts {
                connect: limit(self.timeouts.connect),
                first_byte: limit(self.timeouts.first_byte),
                between_chunks: limit(self.timeouts.between_chunks),
                total: limit(self.timeouts.total),
            },
            tls: config::Tls { insecure: Some(self.insecure), ca_cert: self.ca_cert.clone() },
            http2: Some(self.http2),
            proxy: self.proxy.as_ref().map(ToString::to_string),
            test_connection: Some(self.test_connection),
            ready_within: Some(Span(self.ready_within)),
            profile: Some(self.profile),
            request_id_prefix: self.request_id_prefix.clone(),
        }
    }
}

impl Prompts {
    fn to_config(&self) -> config::Prompts {
        let mut prompts = config::Prompts {
            chat_template: Some(self.chat_template),
            tokenize: Some(self.tokenize),
            ..config::Prompts::default()
        };
        match &self.source {
            Source::Text(Text { file: Some(file), .. }) => prompts.text_file = Some(file.clone()),
            Source::Text(Text { file: None, text }) => prompts.text = Some(text.clone()),
            Source::Dataset(dataset) => dataset.write(&mut prompts),
        }
        match &self.template {
            Some(Template { file: Some(file), .. }) => prompts.template_file = Some(file.clone()),
            Some(Template { file: None, body }) => prompts.template = Some(body.clone()),
            None => {}
        }
        prompts
    }
}

impl Dataset {
    fn specify(&self, spec: &mut Spec) {
        spec.name = self.name.clone();
        spec.path = self.path.clone();
        spec.args = self.args.clone();
        spec.min_prompt_length = self.min_length;
        spec.max_prompt_length = self.max_length;
        spec.prefix_length = self.prefix_length;
        spec.prefix_count = self.prefix_count;
        spec.length = self.fit.as_ref().map(|fit| LengthControl {
            target: fit.length,
            mode: match fit.mode {
                FitMode::Cap => InputLengthMode::Cap,
                FitMode::Drop => InputLengthMode::Drop,
            },
            prefix: fit.prefix_file.clone().map(|file| LongPrefix {
                file,
                role: match fit.prefix_role {
                    PrefixRole::System => dataset::PrefixRole::System,
                    PrefixRole::User => dataset::PrefixRole::User,
                },
            }),
        });
    }

    fn write(&self, prompts: &mut config::Prompts) {
        prompts.dataset = Some(self.name.clone());
        prompts.path = self.path.clone();
        prompts.args = self.args.clone();
        prompts.oversample = Some(self.oversample);
        prompts.offset = Some(self.offset);
        prompts.min_length = Some(self.min_length);
        prompts.max_length = Some(self.max_length);
        prompts.prefix_length = Some(self.prefix_length);
        prompts.prefix_count = self.prefix_count.try_into().ok();
        if let Some(fit) = &self.fit {
            prompts.fit = config::Fit {
                length: fit.length.try_into().ok(),
                mode: Some(fit.mode),
                prefix_file: fit.prefix_file.clone(),
                prefix_role: Some(fit.prefix_role),
            };
        }
    }
}

impl Generation {
    fn to_config(&self) -> config::Generation {
        let options = &self.options;
        config::Generation {
            max_tokens: self.max_tokens,
            default_max_tokens: self.default_max_tokens,
            min_tokens: options.min_tokens,
            temperature: options.temperature,
            top_p: options.top_p,
            top_k: options.top_k,
            min_p: options.min_p,
            presence_penalty: options.presence_penalty,
            frequency_penalty: options.frequency_penalty,
            repetition_penalty: options.repetition_penalty,
            logprobs: options.logprobs,
            top_logprobs: options.top_logprobs,
            limit_name: match options.limit {
                LimitName::MaxTokens => None,
                LimitName::MaxCompletionTokens => Some(config::LimitName::MaxCompletionTokens),
            },
            lora: self.lora.clone(),
            n: options.n.and_then(|n| n.try_into().ok()),
            seed: options.seed,
            stop: options.stop.clone(),
            stop_token_ids: options.stop_token_ids.clone(),
            stream: Some(options.stream),
            extra: options.extra.clone(),
        }
    }
}

impl Output {
    fn to_config(&self) -> config::Output {
        config::Output {
            dir: Some(self.dir.clone()),
            name: self.name.clone(),
            alias: self.alias.clone(),
            timestamp: Some(self.timestamp),
            log_every: Some(self.log_every),
            prompts: Some(self.prompts),
            outputs: Some(self.outputs),
            debug: Some(self.debug),
            vllm: None,
        }
    }
}

impl PartialEq for Spoken {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "http://[{}]:{}", self.host, self.port),
            false => write!(f, "http://{}:{}", self.host, self.port),
        }
    }
}
