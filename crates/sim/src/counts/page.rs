//! The page of `/metrics`: the families of vLLM 0.32, in its order and words.
//!
//! A family whose subject does not exist here (an external cache, images, flops) is told as vLLM tells it while there is nothing to
//! count: as zero. What is said of Python is left out. Nothing is counted here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use smallvec::SmallVec;

use crate::counts::engine::{Ended, Engine};
use crate::counts::histogram::Histogram;
use crate::counts::text::Page;
use crate::counts::{Counts, config, lock, process};

/// The page at `now`.
pub(super) fn page(counts: &Counts, now: Duration) -> String {
    let mut telling = Telling::new(counts);
    process::write(&mut telling.page);
    telling.speculation();
    telling.estimates();
    telling.state();
    telling.caches();
    telling.totals();
    telling.requests();
    for (name, help, which) in HISTOGRAMS {
        telling.histogram(name, help, *which);
    }
    telling.loras(now);
    telling.cache_config();
    let Telling { mut page, .. } = telling;
    lock(&counts.http).write(counts.about.started, &mut page);
    page.into_text()
}

/// A page under way.
struct Telling<'c> {
    counts: &'c Counts,
    page: Page,
    /// The engines' names: their numbers.
    names: Vec<String>,
    created: f64,
}

/// What an engine's sample of a family is.
type Value = fn(&Engine) -> f64;

/// A label besides those of every sample.
type Label<'l> = (&'l str, &'l str);

impl<'c> Telling<'c> {
    fn new(counts: &'c Counts) -> Self {
        let names = (0..counts.engines.len()).map(|index| index.to_string()).collect();
        Self { counts, page: Page::default(), names, created: counts.about.started.as_secs_f64() }
    }

    fn speculation(&mut self) {
        let Some(drafted) = self.counts.about.fleet.as_ref().and_then(|fleet| fleet.drafted) else {
            return;
        };
        self.counter("vllm:spec_decode_num_drafts", "Number of spec decoding drafts.", |engine| {
            read(&engine.totals.drafts)
        });
        self.counter("vllm:spec_decode_num_draft_tokens", "Number of draft tokens.", |engine| {
            read(&engine.totals.draft_tokens)
        });
        self.counter(
            "vllm:spec_decode_num_accepted_tokens",
            "Number of accepted tokens.",
            |engine| engine.totals.accepted.iter().map(read).sum(),
        );
        let (name, help) =
            ("vllm:spec_decode_num_accepted_tokens_per_pos", "Accepted tokens per draft position.");
        let positions: Vec<String> = (0..drafted.get()).map(|place| place.to_string()).collect();
        self.page.family(&format!("{name}_total"), "counter", help);
        for engine in 0..self.names.len() {
            for (place, position) in positions.iter().enumerate() {
                let accepted = self.counts.engines[engine].totals.accepted.get(place);
                let value = accepted.map_or(0.0, read);
                self.sample(&format!("{name}_total"), engine, Some(("position", position)), value);
            }
        }
        self.page.created(name, help);
        for engine in 0..self.names.len() {
            for position in &positions {
                let label = Some(("position", position.as_str()));
                self.sample(&format!("{name}_created"), engine, label, self.created);
            }
        }
    }

    /// vLLM counts these only where it was started with `--enable-mfu-metrics`, and tells them as 0 elsewhere.
    fn estimates(&mut self) {
        for (name, what) in [
            ("vllm:estimated_flops_per_gpu", "floating point operations per GPU"),
            ("vllm:estimated_read_bytes_per_gpu", "bytes read from memory per GPU"),
            ("vllm:estimated_write_bytes_per_gpu", "bytes written to memory per GPU"),
        ] {
            let help =
                format!("Estimated number of {what} (for Model Flops Utilization calculations).");
            self.counter(name, &help, |_| 0.0);
        }
    }

    fn state(&mut self) {
        self.gauge(
            "vllm:num_requests_running",
            "Number of requests in model execution batches.",
            &[(None, |engine| engine.now.running.load(Relaxed).into())],
        );
        let waiting: Value = |engine| engine.now.waiting.load(Relaxed).into();
        self.gauge(
            "vllm:num_requests_waiting",
            "Number of requests waiting to be processed.",
            &[(None, waiting)],
        );
        self.gauge(
            "vllm:num_requests_waiting_by_reason",
            "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; \
             'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). \
             Sum of all reasons equals vllm:num_requests_waiting.",
            &[
                (Some(("reason", "capacity")), waiting),
                (Some(("reason", "deferred")), |_| 0.0),
            ],
        );
        self.gauge(
            "vllm:engine_sleep_state",
            "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; \
             weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.",
            &[
                (Some(("sleep_state", "awake")), |_| 1.0),
                (Some(("sleep_state", "weights_offloaded")), |_| 0.0),
                (Some(("sleep_state", "discard_all")), |_| 0.0),
            ],
        );
        self.gauge(
            "vllm:kv_cache_usage_perc",
            "KV-cache usage. 1 means 100 percent usage.",
            &[(None, Engine::cache_usage)],
        );
    }

    fn caches(&mut self) {
        self.counter(
            "vllm:prefix_cache_queries",
            "Prefix cache queries, in terms of number of queried tokens.",
            |engine| read(&engine.totals.cache_queried),
        );
        self.counter(
            "vllm:prefix_cache_hits",
            "Prefix cache hits, in terms of number of cached tokens.",
            |engine| read(&engine.totals.cache_hit),
        );
        let external = "External prefix cache";
        let connector = "from KV connector cross-instance cache sharing, in terms of number of";
        for (name, help) in [
            (
                "vllm:external_prefix_cache_queries",
                format!("{external} queries {connector} queried tokens."),
            ),
            (
                "vllm:external_prefix_cache_hits",
                format!("{external} hits {connector} cached tokens."),
            ),
            (
                "vllm:mm_cache_queries",
                "Multi-modal cache queries, in terms of number of queried items.".to_owned(),
            ),
            (
                "vllm:mm_cache_hits",
                "Multi-modal cache hits, in terms of number of cached items.".to_owned(),
            ),
        ] {
            self.counter(name, &help, |_| 0.0);
        }
    }

    fn totals(&mut self) {
        self.counter(
            "vllm:num_preemptions",
            "Cumulative number of preemption from the engine.",
            |engine| read(&engine.totals.preemptions),
        );
        let computed: Value = |engine| read(&engine.totals.prompt_computed);
        let cached: Value = |engine| read(&engine.totals.prompt_cached);
        self.counter("vllm:prompt_tokens", "Number of prefill tokens processed.", |engine| {
            read(&engine.totals.prompt_computed) + read(&engine.totals.prompt_cached)
        });
        self.counters(
            "vllm:prompt_tokens_by_source",
            "Number of prompt tokens by source.",
            &[
                (Some(("source", "local_compute")), computed),
                (Some(("source", "local_cache_hit")), cached),
                (Some(("source", "external_kv_transfer")), |_| 0.0),
            ],
        );
        self.counter(
            "vllm:prompt_tokens_cached",
            "Number of cached prompt tokens (local + external).",
            cached,
        );
        self.counters(
            "vllm:prompt_tokens_cached_by_source",
            "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), \
             disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; \
             sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.",
            &[
                (Some(("source", "device")), |engine| read(&engine.totals.cache_hit)),
                (Some(("source", "host")), |_| 0.0),
                (Some(("source", "p2p")), |_| 0.0),
                (Some(("source", "disk")), |_| 0.0),
                (Some(("source", "external_unspecified")), |_| 0.0),
            ],
        );
        self.counter(
            "vllm:generation_tokens",
            "Number of generation tokens processed.",
            |engine| read(&engine.totals.generated),
        );
    }

    fn requests(&mut self) {
        let (name, help) = ("vllm:request_success", "Count of successfully processed requests.");
        let ended = |engine: &Engine, index: usize| read(&engine.totals.ended[index]);
        self.page.family("vllm:request_success_total", "counter", help);
        for (index, reason) in Ended::NAMES.iter().enumerate() {
            for engine in 0..self.names.len() {
                let value = ended(&self.counts.engines[engine], index);
                let label = Some(("finished_reason", *reason));
                self.sample("vllm:request_success_total", engine, label, value);
            }
        }
        self.page.created(name, help);
        for reason in Ended::NAMES {
            for engine in 0..self.names.len() {
                let label = Some(("finished_reason", reason));
                self.sample("vllm:request_success_created", engine, label, self.created);
            }
        }
        // Of the frontend. There is no limit on the tokens that wait.
        let help = "Number of admission attempts rejected by a queue limit, by reason.";
        let model = self.counts.about.model.as_str();
        let labels = |reason| [("model_name", model), ("reason", reason)];
        let rejected = self.counts.rejected.load(Relaxed) as f64;
        let reasons = ["max_num_queued_reqs", "max_num_queued_tokens"];
        self.page.family("vllm:admission_rejections_total", "counter", help);
        for (reason, rejected) in reasons.into_iter().zip([rejected, 0.0]) {
            self.page.sample("vllm:admission_rejections_total", &labels(reason), rejected);
        }
        self.page.created("vllm:admission_rejections", help);
        for reason in reasons {
            self.page.sample("vllm:admission_rejections_created", &labels(reason), self.created);
        }
    }

    fn loras(&mut self, now: Duration) {
        let Some(most) = self.counts.about.loras else { return };
        let mut loras = lock(&self.counts.loras);
        if self.counts.about.fleet.is_none() {
            loras.note(now);
        }
        loras.write(most.get(), self.counts.about.started, &mut self.page);
    }

    fn cache_config(&mut self) {
        if let Some(fleet) = &self.counts.about.fleet {
            let context = self.counts.about.max_model_len;
            config::write(&fleet.cache, context, &self.names, &mut self.page);
        }
    }

    fn gauge(&mut self, name: &str, help: &str, values: &[(Option<Label<'_>>, Value)]) {
        self.page.family(name, "gauge", help);
        self.samples(name, values);
    }

    fn counter(&mut self, name: &str, help: &str, value: Value) {
        self.counters(name, help, &[(None, value)]);
    }

    fn counters(&mut self, name: &str, help: &str, values: &[(Option<Label<'_>>, Value)]) {
        let total = format!("{name}_total");
        self.page.family(&total, "counter", help);
        self.samples(&total, values);
        self.page.created(name, help);
        let created = format!("{name}_created");
        for (label, _) in values {
            for engine in 0..self.names.len() {
                self.sample(&created, engine, *label, self.created);
            }
        }
    }

    fn histogram(&mut self, name: &str, help: &str, which: Which) {
        self.page.family(name, "histogram", help);
        let model = self.counts.about.model.as_str();
        for (engine, index) in self.counts.engines.iter().zip(&self.names) {
            let labels = [("engine", index.as_str()), ("model_name", model)];
            self.page.histogram(name, &labels, which(engine));
        }
        self.page.created(name, help);
        for engine in 0..self.names.len() {
            self.sample(&format!("{name}_created"), engine, None, self.created);
        }
    }

    fn samples(&mut self, name: &str, values: &[(Option<Label<'_>>, Value)]) {
        for (label, value) in values {
            for (index, engine) in self.counts.engines.iter().enumerate() {
                self.sample(name, index, *label, value(engine));
            }
        }
    }

    fn sample(&mut self, name: &str, engine: usize, label: Option<Label<'_>>, value: f64) {
        let mut labels: SmallVec<[Label<'_>; 3]> = SmallVec::new();
        labels.push(("engine", &self.names[engine]));
        labels.push(("model_name", &self.counts.about.model));
        labels.extend(label);
        labels.sort_unstable();
        self.page.sample(name, &labels, value);
    }
}

fn read(counter: &AtomicU64) -> f64 {
    counter.load(Relaxed) as f64
}

/// A histogram of every engine.
type Which = fn(&Engine) -> &Histogram;

/// The histograms, in vLLM's order: lengths, times, and what requests cost.
const HISTOGRAMS: &[(&str, &str, Which)] = &[
    ("vllm:request_prompt_tokens", "Number of prefill tokens processed.", |engine| &engine.prompt),
    ("vllm:request_generation_tokens", "Number of generation tokens processed.", |engine| {
        &engine.generation
    }),
    ("vllm:iteration_tokens_total", "Histogram of number of tokens per engine_step.", |engine| {
        &engine.iteration
    }),
    (
        "vllm:request_max_num_generation_tokens",
        "Histogram of maximum number of requested generation tokens.",
        |engine| &engine.longest_generation,
    ),
    ("vllm:request_params_n", "Histogram of the n request parameter.", |engine| &engine.choices),
    (
        "vllm:request_params_max_tokens",
        "Histogram of the max_tokens request parameter.",
        |engine| &engine.max_tokens,
    ),
    (
        "vllm:time_to_first_token_seconds",
        "Histogram of time to first token in seconds.",
        |engine| &engine.first_token,
    ),
    (
        "vllm:inter_token_latency_seconds",
        "Histogram of inter-token latency in seconds.",
        |engine| &engine.inter_token,
    ),
    (
        "vllm:request_time_per_output_token_seconds",
        "Histogram of time_per_output_token_seconds per request.",
        |engine| &engine.per_output_token,
    ),
    (
        "vllm:e2e_request_latency_seconds",
        "Histogram of e2e request latency in seconds.",
        |engine| &engine.end_to_end,
    ),
    (
        "vllm:request_queue_time_seconds",
        "Histogram of time spent in WAITING phase for request.",
        |engine| &engine.queue,
    ),
    (
        "vllm:request_inference_time_seconds",
        "Histogram of time spent in RUNNING phase for request.",
        |engine| &engine.inference,
    ),
    (
        "vllm:request_prefill_time_seconds",
        "Histogram of time spent in PREFILL phase for request.",
        |engine| &engine.prefill,
    ),
    (
        "vllm:request_decode_time_seconds",
        "Histogram of time spent in DECODE phase for request.",
        |engine| &engine.decode,
    ),
    (
        "vllm:request_num_preemptions",
        "Histogram of the number of times a request was preempted.",
        |engine| &engine.preempted,
    ),
    (
        "vllm:request_prefill_kv_computed_tokens",
        "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
        |engine| &engine.computed,
    ),
];
