//! From what was typed to a plan: defaults applied, settings held against each other, variables looked up.
//!
//! Here, and in the two files below, every rule stands that concerns more than one setting. No connection is opened and no dataset is read; the only files
//! touched are those whose contents are part of the plan (a prompt, a template), through [`Environment`].

mod prompts;
mod target;

use std::io;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokometer_wire::Options;
use tokometer_workload::arrivals::Arrivals;
use tokometer_workload::load::{Load, Stop, Warmup};
use tokometer_workload::seed::Seed;

use crate::config::{self, Config};
use crate::endpoint::Form;
use crate::error::PlanError;
use crate::plan::{Generation, Output, Plan, Point};
use crate::secret::refuse_secrets;
use crate::written::{Amount, Between, Span};
use crate::yaml;

/// What a plan needs of the world.
pub trait Environment {
    /// The environment variable of that name.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// A seed for a plan that names none: a new one for each run.
    fn fresh_seed(&self) -> u64;
}

/// A plan, and what its maker should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The plan.
    pub plan: Plan,
    /// What was changed or looks unwise, one sentence each.
    pub advice: Vec<String>,
}

/// Makes the plan that `config` describes.
///
/// # Errors
/// If a setting is missing, contradicts another one, or refers to a variable or file that is not there.
pub fn resolve(config: Config, environment: &dyn Environment) -> Result<Resolved, PlanError> {
    let mut advice = Vec::new();
    let seed = Seed::new(config.seed.unwrap_or_else(|| environment.fresh_seed()));
    let form = match config.prompts.tokenize {
        Some(true) => Form::TokenIds,
        _ => Form::Words,
    };
    let (target, typed) = target::resolve(config.target, form, environment, &mut advice)?;
    let offset = config.prompts.offset.unwrap_or(0);
    let warmup = config.load.warmup.unwrap_or(Amount::Count(0));
    let duration = config.load.duration.map(|Span(length)| length);
    if duration.is_some_and(|length| length.is_zero()) {
        return Err(PlanError::at("load.duration", "a run of no length sends nothing")
            .with_hint("leave it out to be limited by the number of requests alone"));
    }
    let points = points(&config.load.points, warmup, duration, seed, offset)?;
    let prompts = prompts::resolve(config.prompts, typed, &target, environment, &mut advice)?;
    advice.extend(points.iter().filter_map(partial_warmup).next());
    let plan = Plan {
        model: config.model.filter(|model| !model.is_empty()),
        tokenizer: config.tokenizer,
        seed,
        workers: config.workers.map(to_usize),
        target,
        points,
        warmup,
        duration,
        pause: config.load.pause.map_or(PAUSE, |Span(length)| length),
        drain: config.load.drain.map_or(DRAIN, |Span(length)| length),
        prompts,
        generation: generation(config.generation)?,
        output: output(config.output)?,
    };
    Ok(Resolved { plan, advice })
}

/// Reads the plan `text` and resolves it; `file` is what errors call it.
///
/// # Errors
/// As [`yaml::from_yaml`] and [`resolve`], with the line and the column.
pub fn load(text: &str, file: &str, environment: &dyn Environment) -> Result<Resolved, PlanError> {
    let config = yaml::from_yaml(text, file)?;
    resolve(config, environment).map_err(|error| yaml::locate(error, text, file))
}

fn points(
    config: &[config::Point],
    warmup: Amount,
    duration: Option<Duration>,
    seed: Seed,
    offset: u64,
) -> Result<Vec<Point>, PlanError> {
    if config.is_empty() {
        return Err(PlanError::at("load.points", "there is no point to run")
            .with_hint("for example - {parallel: 10, number: 100}"));
    }
    let mut offset = offset;
    let mut points = Vec::with_capacity(config.len());
    for (index, point) in config.iter().enumerate() {
        if point.parallel.is_none() && point.rate.is_none() {
            let setting = format!("load.points.{index}");
            return Err(PlanError::at(
                setting,
                "has neither parallel nor rate, so nothing limits it",
            )
            .with_hint("parallel: 10 for ten requests at a time, rate: 5 for five a second"));
        }
        let requests = warmup.of(point.number.get());
        let load = Load {
            arrivals: match point.rate {
                Some(rate) => Arrivals::Poisson { rate: rate.per_second() },
                None => Arrivals::AtOnce,
            },
            in_flight: point.parallel.map(to_usize),
            stop: Stop { requests: point.number.get(), after: duration },
            warmup: match (requests, point.parallel) {
                (0, _) => Warmup::None,
                (n, Some(_)) => Warmup::Leading(n),
                (n, None) => Warmup::Separate(n),
            },
        };
        let seed = seed.at(index as u64);
        let (parallel, rate, number) = (point.parallel.map(to_usize), point.rate, point.number);
        points.push(Point { load, parallel, rate, number, seed, offset });
        offset = offset.saturating_add(number.get());
    }
    Ok(points)
}

/// EvalScope's warning: a warm-up that covers only some of the places lets the rest begin cold, all at once.
fn partial_warmup(point: &Point) -> Option<String> {
    let parallel = point.parallel?.get();
    match point.load.warmup {
        Warmup::Leading(n) if n < parallel as u64 => Some(format!(
            "a warm-up of {n} leaves {} of {parallel} places to begin cold with measured requests; \
             one of {parallel} covers them all",
            parallel as u64 - n
        )),
        _ => None,
    }
}

fn generation(config: config::Generation) -> Result<Generation, PlanError> {
    let finite = |name: &str, number: Option<f64>| match number {
        Some(number) if !number.is_finite() => {
            Err(PlanError::at(format!("generation.{name}"), "is not a finite number"))
        }
        number => Ok(number),
    };
    if let (Some(min), Some((low, _))) = (config.min_tokens, config.max_tokens.map(Between::bounds))
        && min > low
    {
        return Err(PlanError::at(
            "generation.min_tokens",
            format!("a request of at most {low} tokens cannot have at least {min}"),
        )
        .with_hint("raise max_tokens or lower min_tokens"));
    }
    for field in ["stream", "max_tokens", "n"] {
        if config.extra.contains_key(field) {
            return Err(PlanError::at(
                format!("generation.extra.{field}"),
                "would override a setting that this program relies on",
            )
            .with_hint(format!("{field} has a setting of its own")));
        }
    }
    refuse_secrets(&config.extra, "generation.extra")?;
    let options = Options {
        max_tokens: None,
        min_tokens: config.min_tokens,
        temperature: finite("temperature", config.temperature)?,
        top_p: finite("top_p", config.top_p)?,
        top_k: config.top_k,
        frequency_penalty: finite("frequency_penalty", config.frequency_penalty)?,
        repetition_penalty: finite("repetition_penalty", config.repetition_penalty)?,
        logprobs: config.logprobs,
        n: config.n.map(NonZeroU32::get),
        seed: config.seed,
        stop: config.stop,
        stop_token_ids: config.stop_token_ids,
        stream: config.stream.unwrap_or(true),
        extra: config.extra,
    };
    Ok(Generation { max_tokens: config.max_tokens, options })
}

fn output(config: config::Output) -> Result<Output, PlanError> {
    Ok(Output {
        dir: utf8(config.dir.unwrap_or_else(|| OUTPUTS.into()), "output.dir")?,
        name: config.name.filter(|name| !name.is_empty()),
        alias: config.alias,
        timestamp: config.timestamp.unwrap_or(true),
        log_every: config.log_every.unwrap_or(LOG_EVERY),
        prompts: config.prompts.unwrap_or(false),
        outputs: config.outputs.unwrap_or(false),
        debug: config.debug.unwrap_or(false),
    })
}

/// A path that can be written into a plan.
fn utf8(path: PathBuf, setting: &str) -> Result<PathBuf, PlanError> {
    match path.to_str() {
        Some(_) => Ok(path),
        None => Err(PlanError::at(setting, format!("{} is not a path in UTF-8", path.display()))),
    }
}

fn to_usize(number: NonZeroU32) -> NonZeroUsize {
    NonZeroUsize::try_from(number).unwrap_or(NonZeroUsize::MAX)
}

const PAUSE: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(30);
const LOG_EVERY: NonZeroU64 = NonZeroU64::new(100).expect("a hundred is not zero");
const OUTPUTS: &str = "outputs";

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::plan::Proxy;
    use crate::written::Limit;

    /// An environment with these variables and files, and the seed 7.
    #[derive(Default)]
    pub(crate) struct Fixed {
        variables: BTreeMap<String, String>,
        files: BTreeMap<PathBuf, String>,
    }

    impl Fixed {
        pub(crate) fn with<const N: usize>(variables: [(&str, &str); N]) -> Self {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            Self { variables: variables.into_iter().map(owned).collect(), files: BTreeMap::new() }
        }

        fn and_file(mut self, path: &str, text: &str) -> Self {
            self.files.insert(path.into(), text.into());
            self
        }
    }

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).cloned()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
            self.files.get(path).cloned().ok_or_else(missing)
        }

        fn fresh_seed(&self) -> u64 {
            7
        }
    }

    fn environment() -> Fixed {
        Fixed::with([("KEY", "s3cret"), ("TOKEN", "t0ken")])
            .and_file("prompt.txt", "Tell me.\n")
            .and_file("body.json", "{\"top_p\": 0.9}")
            .and_file("broken.json", "{\"top_p\": }")
    }

    const SMALLEST: &str = "\
target: {url: 'http://127.0.0.1:8000/v1/chat/completions'}
load: {points: [{parallel: 1, number: 10}]}
prompts: {dataset: random}
";

    /// The smallest plan with lines of `changes` put in their sections' places.
    fn plan_of(changes: &str) -> Result<Resolved, PlanError> {
        let mut whole: Value = serde_saphyr::from_str(SMALLEST).unwrap();
        let changes: Value = serde_saphyr::from_str(changes).unwrap();
        for (section, values) in changes.as_object().unwrap() {
            match values {
                Value::Object(values) => {
                    for (key, value) in values {
                        whole[section][key] = value.clone();
                    }
                }
                value => whole[section] = value.clone(),
            }
        }
        resolve(serde_json::from_value(whole).unwrap(), &environment())
    }

    fn refused(changes: &str) -> String {
        let error = plan_of(changes).unwrap_err();
        match error.hint() {
            Some(hint) => format!("{error}\nhint: {hint}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn every_default_is_spelt_out_in_the_plan() {
        let resolved = load(SMALLEST, "plan.yaml", &environment()).unwrap();
        insta::assert_snapshot!(resolved.plan.to_yaml(), @"
        seed: 7
        target:
          url: http://127.0.0.1:8000/v1/chat/completions
          api: openai-chat
          timeouts:
            connect: none
            first_byte: none
            between_chunks: none
            total: 6h
          tls:
            insecure: false
          http2: false
          test_connection: true
        load:
          points:
            - parallel: 1
              number: 10
          warmup: 0
          pause: 5s
          drain: 30s
        prompts:
          dataset: random
          offset: 0
          min_length: 0
          max_length: 131072
          prefix_length: 0
          prefix_count: 1
          chat_template: true
          tokenize: false
        generation:
          stream: true
        output:
          dir: outputs
          timestamp: true
          log_every: 100
          prompts: false
          outputs: false
          debug: false
        ");
        assert_eq!(resolved.advice, [""; 0]);
    }

    #[test]
    fn a_path_without_an_endpoint_is_completed_and_said() {
        let completed = |url: &str| {
            let resolved = plan_of(&format!("target: {{url: '{url}'}}")).unwrap();
            (resolved.plan.target.url.to_string(), resolved.advice.len())
        };
        assert_eq!(completed("http://h:1/v1"), ("http://h:1/v1/chat/completions".into(), 1));
        assert_eq!(completed("http://h:1"), ("http://h:1/chat/completions".into(), 1));
        assert_eq!(completed("http://h/a/?v=1"), ("http://h/a/chat/completions?v=1".into(), 1));
        assert_eq!(completed("http://h/v1/completions"), ("http://h/v1/completions".into(), 0));
        assert_eq!(completed("sim://?itl_ms=5"), ("sim://?itl_ms=5".into(), 0));
    }

    #[test]
    fn the_url_chooses_the_api_unless_one_is_named() {
        let api = |changes: &str| plan_of(changes).unwrap().plan.target.api.0.name();
        assert_eq!(api("target: {url: 'http://h/v1/completions'}"), "openai-completions");
        assert_eq!(api("target: {url: 'http://h/v1/chat/completions/'}"), "openai-chat");
        assert_eq!(
            api("target: {url: 'http://h/v1', api: openai-completions}"),
            "openai-completions"
        );
        insta::assert_snapshot!(refused("target: {url: 'http://h/v1/completions', api: openai-chat}"), @"
        target.url: http://h/v1/completions is an endpoint of openai-completions, not of openai-chat
        hint: end it in /v1/chat/completions
        ");
        insta::assert_snapshot!(refused("target: {url: 'http://h/v1/embeddings'}"), @"
        target.url: this version does not speak the API behind /embeddings
        hint: it speaks chat/completions and completions
        ");
        insta::assert_snapshot!(refused("target: {api: openai-chatt}"), @"
        target.api: there is no API openai-chatt
        hint: did you mean openai-chat?
        ");
    }

    #[test]
    fn token_ids_turn_a_chat_url_to_completions() {
        let resolved = plan_of("prompts: {tokenize: true}").unwrap();
        assert_eq!(resolved.plan.target.url.to_string(), "http://127.0.0.1:8000/v1/completions");
        assert_eq!(resolved.plan.target.api.0.name(), "openai-completions");
        assert!(resolved.plan.prompts.chat_template, "decided before the URL was turned");
        let resolved = plan_of("{target: {url: 'sim://'}, prompts: {tokenize: true}}").unwrap();
        assert_eq!(resolved.plan.target.url.to_string(), "sim:///v1/completions");
    }

    #[test]
    fn a_point_with_both_limits_is_a_rate_under_a_cap() {
        let resolved = plan_of("load: {points: [{parallel: 4, rate: 2.5, number: 10}]}").unwrap();
        let load = &resolved.plan.points[0].load;
        assert_eq!(load.arrivals, Arrivals::Poisson { rate: 2.5 });
        assert_eq!(load.in_flight, NonZeroUsize::new(4));
    }

    #[test]
    fn a_warm_up_leads_a_closed_loop_and_precedes_an_open_one() {
        let load =
            "load: {warmup: 10%, points: [{parallel: 2, number: 50}, {rate: 5, number: 20}]}";
        let resolved = plan_of(load).unwrap();
        let warmups: Vec<_> = resolved.plan.points.iter().map(|p| p.load.warmup).collect();
        assert_eq!(warmups, [Warmup::Leading(5), Warmup::Separate(2)]);
    }

    #[test]
    fn a_warm_up_smaller_than_the_concurrency_is_advised_against() {
        let resolved = plan_of("load: {warmup: 3, points: [{parallel: 8, number: 50}]}").unwrap();
        insta::assert_snapshot!(resolved.advice[0], @"a warm-up of 3 leaves 5 of 8 places to begin cold with measured requests; one of 8 covers them all");
    }

    #[test]
    fn points_have_seeds_of_their_own_and_begin_where_the_last_one_ended() {
        let load = "load: {points: [{parallel: 1, number: 10}, {parallel: 1, number: 10}]}";
        let points = plan_of(load).unwrap().plan.points;
        assert_ne!(points[0].seed, points[1].seed);
        assert_eq!([points[0].offset, points[1].offset], [0, 10]);
    }

    #[test]
    fn secrets_are_sent_and_never_shown() {
        let changes =
            "target: {api_key_env: KEY, headers: {X-Auth-Token: '${TOKEN}', X-Team: blue}}";
        let plan = plan_of(changes).unwrap().plan;
        assert_eq!(plan.target.key.as_ref().unwrap().secret.expose(), "s3cret");
        assert_eq!(plan.target.headers[0].1.expose(), "t0ken");
        let shown = format!("{plan:?}{}", plan.to_yaml());
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn everything_secret_is_known_to_whoever_repeats_a_servers_words() {
        let changes = "target: {url: 'http://h/v1?sig=${KEY}', headers: {Authorization: 'Bearer ${TOKEN}', X-Team: blue}}";
        let secrets = plan_of(changes).unwrap().plan.target.secrets();
        assert_eq!(secrets, ["Bearer t0ken", "s3cret", "t0ken"]);
        let secrets = plan_of("target: {api_key_env: KEY}").unwrap().plan.target.secrets();
        assert_eq!(secrets, ["s3cret"]);
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        insta::assert_snapshot!(refused("load: {points: []}"), @"
        load.points: there is no point to run
        hint: for example - {parallel: 10, number: 100}
        ");
        insta::assert_snapshot!(refused("load: {points: [{number: 5}]}"), @"
        load.points.0: has neither parallel nor rate, so nothing limits it
        hint: parallel: 10 for ten requests at a time, rate: 5 for five a second
        ");
        insta::assert_snapshot!(refused("load: {duration: 0}"), @"
        load.duration: a run of no length sends nothing
        hint: leave it out to be limited by the number of requests alone
        ");
        insta::assert_snapshot!(refused("prompts: {dataset: randon}"), @"
        prompts.dataset: there is no dataset randon
        hint: did you mean random?
        ");
        insta::assert_snapshot!(refused("prompts: {dataset: openqa}"), @r#"
        prompts.path: the dataset openqa is read from a file, and none is given
        hint: give JSON lines such as {"question": "…"}, for example open_qa.jsonl of HC3-Chinese
        "#);
        insta::assert_snapshot!(refused("prompts: {text: hello}"), @"
        prompts.dataset: random stands beside a text for every request
        hint: leave out one of them
        ");
        insta::assert_snapshot!(refused("prompts: {min_length: 9, max_length: 3}"), @"
        prompts.min_length: no prompt is at least 9 and at most 3 long
        hint: raise the maximum or lower the minimum
        ");
        insta::assert_snapshot!(refused("prompts: {prefix_count: 3}"), @"
        prompts.prefix_count: prefixes without a length are all the same
        hint: give the prefixes a length as well
        ");
        insta::assert_snapshot!(refused("prompts: {chat_template: false}"), @"
        prompts.chat_template: a chat endpoint takes conversations only, and applies the chat template itself
        hint: for prompts without one use a URL that ends in /v1/completions
        ");
        insta::assert_snapshot!(refused("prompts: {fit: {mode: drop}}"), @"
        prompts.fit: says how prompts are fitted, but not to which length
        hint: give the length as well
        ");
        insta::assert_snapshot!(refused("prompts: {template_file: broken.json}"), @r#"
        prompts.template_file: broken.json:1:11: not a JSON object: expected value at line 1 column 11
        hint: a template is the body of a request: {"messages": [], "top_p": 0.9}
        "#);
        insta::assert_snapshot!(refused("prompts: {template_file: nowhere.json}"), @"prompts.template_file: cannot read nowhere.json: no such file");
        insta::assert_snapshot!(refused("generation: {min_tokens: 9, max_tokens: [5, 20]}"), @"
        generation.min_tokens: a request of at most 5 tokens cannot have at least 9
        hint: raise max_tokens or lower min_tokens
        ");
        insta::assert_snapshot!(refused("generation: {extra: {stream: false}}"), @"
        generation.extra.stream: would override a setting that this program relies on
        hint: stream has a setting of its own
        ");
        insta::assert_snapshot!(refused("target: {api_key_env: sk-123}"), @"
        target.api_key_env: holds the name of an environment variable, not the key itself
        hint: export OPENAI_API_KEY=… and write api_key_env: OPENAI_API_KEY
        ");
        insta::assert_snapshot!(refused("target: {api_key_env: NOWHERE}"), @"
        target.api_key_env: the environment variable NOWHERE is not set
        hint: set it first: export NOWHERE=…
        ");
        insta::assert_snapshot!(refused("target: {headers: {Authorization: s3cret}}"), @"
        target.headers.Authorization: holds a secret in plain sight
        hint: name an environment variable instead: Authorization: ${VARIABLE}
        ");
        insta::assert_snapshot!(refused("target: {headers: {'X Team': blue}}"), @"
        target.headers.X Team: not a name that a header can have
        hint: names are made of letters, digits and -
        ");
        insta::assert_snapshot!(refused("target: {headers: {X-Team: \"a\\nb\"}}"), @"target.headers.X-Team: holds a line break or another control character, which no header can");
        insta::assert_snapshot!(refused("target: {proxy: 'http://h'}"), @"
        target.proxy: the proxy's port is missing
        hint: for example http://127.0.0.1:3128
        ");
        insta::assert_snapshot!(refused("target: {proxy: 'http://me:s3cret@h:3128'}"), @"
        target.proxy: a proxy that wants a user name and a password is not in this version
        hint: leave them out, or go through a proxy that wants none
        ");
        insta::assert_snapshot!(
            refused("target: {api_key_env: KEY, headers: {Authorization: 'x ${TOKEN}'}}"),
            @"
        target.headers: Authorization is given twice: here, and by the key
        hint: leave one of them out
        "
        );
    }

    #[test]
    fn what_is_wrong_in_a_file_is_shown_with_line_and_column() {
        let text = "target:\n  url: http://h/v1\nload:\n  points:\n    - {number: 5}\n";
        let error = load(text, "plan.yaml", &environment()).unwrap_err();
        insta::assert_snapshot!(error, @"plan.yaml:5:7: load.points.0: has neither parallel nor rate, so nothing limits it");
    }

    #[test]
    fn an_empty_model_is_no_model() {
        assert_eq!(plan_of("model: ''").unwrap().plan.model, None);
    }

    #[test]
    fn a_proxy_is_read_with_its_port() {
        let proxy = |url: &str| {
            plan_of(&format!("target: {{proxy: '{url}'}}")).unwrap().plan.target.proxy.unwrap()
        };
        assert_eq!(proxy("http://p:3128/"), Proxy { host: "p".into(), port: 3128 });
        assert_eq!(proxy("http://[::1]:3128"), Proxy { host: "::1".into(), port: 3128 });
    }

    /// Any text that YAML can hold, awkward ones included.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{1,12}",
            "\\PC{1,12}",
            Just("no".to_owned()),
            Just("1e3".to_owned()),
            Just("a: b\n- c #d\t\"'\u{85}\u{feff}".to_owned()),
            Just("null".to_owned()),
            Just("  lead and trail \n\n".to_owned()),
        ]
    }

    fn extra() -> impl Strategy<Value = Map<String, Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z]{5,9}_", value, 0..4)
            .prop_map(|map| map.into_iter().collect())
    }

    prop_compose! {
        fn generation()(
            max in prop::option::of((1..5000_u32, 0..5000_u32)),
            temperature in prop::option::of(0.0..2.0_f64),
            top_k in prop::option::of(any::<i64>()),
            seed in prop::option::of(any::<i64>()),
            stop in prop::collection::vec(text(), 0..3),
            ids in prop::collection::vec(any::<u32>(), 0..3),
            stream in prop::option::of(any::<bool>()),
            extra in extra(),
        ) -> config::Generation {
            config::Generation {
                max_tokens: max.and_then(|(low, more)| Between::new(low, low + more)),
                temperature, top_k, seed, stop, stop_token_ids: ids, stream, extra,
                ..config::Generation::default()
            }
        }
    }

    prop_compose! {
        fn load_config()(
            points in prop::collection::vec((0..3_u8, 1..9999_u32, 0.001..1e6_f64, 1..u64::MAX / 8), 1..4),
            warmup in prop::option::of(prop_oneof![0.0..1.0_f64, (1..99_u32).prop_map(f64::from)]),
            duration in prop::option::of(1..10_u64.pow(9)),
            pause in prop::option::of(0..10_u64.pow(9)),
        ) -> config::Load {
            let micros = |micros| Span(Duration::from_micros(micros));
            config::Load {
                points: points.into_iter().map(|(kind, parallel, rate, number)| config::Point {
                    parallel: NonZeroU32::new(parallel).filter(|_| kind != 1),
                    rate: crate::Rate::new(rate).filter(|_| kind != 0),
                    number: number.try_into().unwrap(),
                }).collect(),
                warmup: warmup.and_then(Amount::from_number),
                duration: duration.map(micros),
                pause: pause.map(micros),
                drain: None,
            }
        }
    }

    prop_compose! {
        fn config()(
            load in load_config(),
            generation in generation(),
            model in prop::option::of(text()),
            seed in prop::option::of(any::<u64>()),
            url in prop_oneof![
                Just("http://h:8000/v1/chat/completions"),
                Just("https://[::1]/base?api-version=1&key=${TOKEN}"),
                Just("sim://?ttft_ms=200"),
                Just("http://h/v1/completions"),
            ],
            header in text(),
            prompt in prop::option::of(text()),
            tokenize in any::<bool>(),
            dir in text(),
            name in prop::option::of(text()),
            seconds in prop::option::of(0..100_u64),
        ) -> Config {
            let header = header.replace("${", "").replace(char::is_control, "");
            Config {
                model, seed, load, generation,
                target: config::Target {
                    url: Some(url.into()),
                    api_key_env: Some("KEY".into()),
                    headers: [("X-Team".to_owned(), header)].into(),
                    timeouts: config::Timeouts {
                        connect: seconds.map(|s| Limit::from(Span(Duration::from_secs(s)))),
                        ..config::Timeouts::default()
                    },
                    ..config::Target::default()
                },
                prompts: config::Prompts {
                    dataset: prompt.is_none().then(|| "random".to_owned()),
                    text: prompt,
                    tokenize: Some(tokenize),
                    ..config::Prompts::default()
                },
                output: config::Output { dir: Some(dir.into()), name, ..config::Output::default() },
                ..Config::default()
            }
        }
    }

    proptest! {
        #[test]
        fn a_plan_written_and_read_back_is_the_same_plan(config in config()) {
            let plan = resolve(config, &environment()).unwrap().plan;
            let yaml = plan.to_yaml();
            let again = load(&yaml, "again", &environment()).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
            prop_assert_eq!(again.plan, plan, "{}", yaml);
            prop_assert_eq!(again.advice.iter().filter(|advice| !advice.contains("warm-up")).count(), 0);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            drop(load(&text, "any", &environment()));
        }
    }

    #[test]
    fn the_published_schema_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.schema.json");
        let schema = serde_json::to_string_pretty(&crate::json_schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == schema,
            "run this test with UPDATE_SCHEMA=1 to renew docs/plan.schema.json"
        );
    }

    #[test]
    fn every_setting_is_documented() {
        let documented = include_str!("../../../docs/plan.md");
        let schema = crate::json_schema();
        let mut settings = Vec::new();
        collect(&schema, &schema, "", &mut settings);
        assert!(settings.len() > 50, "{settings:?}");
        for setting in settings {
            assert!(documented.contains(&format!("| `{setting}` |")), "{setting}");
        }
    }

    /// The paths of all settings of a schema that are not sections themselves.
    fn collect(root: &Value, schema: &Value, path: &str, settings: &mut Vec<String>) {
        let of = schema["$ref"].as_str().and_then(|name| root.pointer(&name[1..]));
        if let Some(items) = schema.get("items").filter(|items| items.get("$ref").is_some()) {
            settings.push(path.to_owned());
            return collect(root, items, &format!("{path}[]"), settings);
        }
        match of.unwrap_or(schema).get("properties").and_then(Value::as_object) {
            Some(properties) => {
                for (name, schema) in properties {
                    let dot = if path.is_empty() { "" } else { "." };
                    collect(root, schema, &format!("{path}{dot}{name}"), settings);
                }
            }
            None => settings.push(path.to_owned()),
        }
    }

    #[test]
    fn a_template_is_read_from_its_file() {
        let plan = plan_of("prompts: {template_file: body.json}").unwrap().plan;
        assert_eq!(Value::Object(plan.prompts.template.unwrap().body), json!({ "top_p": 0.9 }));
    }
}
