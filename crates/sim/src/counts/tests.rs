//! The whole page and the log's lines against what a real vLLM 0.32 said, and courses of events whose numbers are known by hand.

use std::collections::BTreeMap;

use tokometer_telemetry::prometheus::samples;

use super::*;
use crate::model::{
    Batch, Engine, Event, Finish, Fleet as Engines, Frontend, Job, Linear, Policy, Routing,
    Speculation, StepTime,
};

/// Of a server whose requests came from 4 and were 7 more, 1556 in all.
const CAPTURED: &str = include_str!("testdata/vllm-0.32.0.txt");

/// What a server with speculation had besides, which stood before `vllm:estimated_flops_per_gpu_total`.
const SPECULATING: &str = include_str!("testdata/vllm-0.32.0-speculation.txt");

const LOGGED: &str = include_str!("testdata/vllm-0.32.0.log");

const MILLI: Duration = Duration::from_millis(1);

const SECOND: Duration = Duration::from_secs(1);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The server of the captures.
fn captured() -> About {
    About {
        model: "tiny-qwen".to_owned(),
        max_model_len: 4096,
        fleet: Some(Fleet {
            replicas: number(1),
            cache: Cache {
                blocks: number(65536),
                usable_blocks: 65535,
                block_size: number(128),
                prefix_caching: true,
            },
            drafted: None,
        }),
        loras: None,
        device: "CPU",
        started: Duration::from_secs(1_795_425_994),
    }
}

fn with(change: impl FnOnce(&mut About, &mut Fleet)) -> Arc<Counts> {
    let mut about = captured();
    let mut fleet = about.fleet.take().unwrap();
    change(&mut about, &mut fleet);
    Counts::new(About { fleet: Some(fleet), ..about })
}

fn asked(prompt_tokens: u32, max_tokens: u32, at: Duration) -> Asked {
    Asked { prompt_tokens, max_tokens: Some(max_tokens), choices: 1, lora: None, at }
}

/// All samples: the name and the labels with their value.
fn values(counts: &Counts) -> BTreeMap<String, f64> {
    let page = counts.page(Duration::ZERO);
    samples(&page).map(|sample| (sample.key.to_owned(), sample.value)).collect()
}

/// The value of vLLM's family, of engine 0 and with these labels besides.
#[track_caller]
fn value(counts: &Counts, name: &str) -> f64 {
    values(counts)[&format!("vllm:{name}{{engine=\"0\",model_name=\"tiny-qwen\"}}")]
}

/// How many values of a histogram there are, and their sum.
#[track_caller]
fn observed(counts: &Counts, name: &str) -> (f64, f64) {
    (value(counts, &format!("{name}_count")), value(counts, &format!("{name}_sum")))
}

/// A page without its values, and without what only Python says.
fn skeleton(page: &str) -> Vec<String> {
    let lines = page.lines().filter(|line| !line.contains("python_"));
    let lines = lines.filter(|line| cfg!(target_os = "linux") || !line.contains("process_"));
    lines
        .map(|line| match line.rsplit_once(' ') {
            _ if line.starts_with('#') => line.to_owned(),
            Some((key, _)) if key.starts_with("vllm:cache_config_info") => names_of_labels(key),
            Some((key, _)) => key.to_owned(),
            None => line.to_owned(),
        })
        .collect()
}

fn names_of_labels(key: &str) -> String {
    let pairs = key.split('"').step_by(2);
    pairs.collect::<String>()
}

/// What the captured server answered over HTTP, each for the first time in this order.
fn as_captured(counts: &Counts) {
    for (handler, method, status) in [
        ("/v1/models", "GET", 200),
        ("/v1/completions", "POST", 200),
        ("/openapi.json", "GET", 200),
        ("/v1/chat/completions", "POST", 200),
        ("/v1/chat/completions", "POST", 400),
        ("/v1/completions", "POST", 404),
        ("/v1/messages/count_tokens", "POST", 200),
        ("/health", "GET", 200),
        ("/metrics", "GET", 200),
    ] {
        counts.http(
            Duration::ZERO,
            &Exchange {
                handler,
                method,
                status,
                took: SECOND,
                request_bytes: 5,
                response_bytes: 7,
            },
        );
    }
}

#[test]
fn the_page_has_vllms_families_labels_buckets_and_words_in_its_order() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    let (ours, theirs) = (skeleton(&counts.page(SECOND)), skeleton(CAPTURED));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    // What is left out is Python's alone.
    let left_out = CAPTURED.lines().count() - theirs.len();
    assert!(!cfg!(target_os = "linux") || left_out == 18, "{left_out}");
}

#[test]
fn speculation_adds_vllms_families_and_nothing_else() {
    let without = skeleton(&Counts::new(captured()).page(SECOND));
    let with = with(|_, fleet| fleet.drafted = Some(number(4))).page(SECOND);
    let (with, theirs) = (skeleton(&with), skeleton(SPECULATING));
    let place = with.iter().position(|line| line.contains("spec_decode")).unwrap();
    assert_eq!(with[place..place + theirs.len()], theirs);
    assert!(with[place + theirs.len()].starts_with("# HELP vllm:estimated_flops_per_gpu_total "));
    let rest: Vec<_> = [&with[..place], &with[place + theirs.len()..]].concat();
    assert_eq!(rest, without);
}

#[test]
fn what_is_said_of_the_cache_is_what_vllm_said_of_one_of_that_size() {
    let labels = |page: &str| -> BTreeMap<String, String> {
        let line = page.lines().find(|line| line.starts_with("vllm:cache_config_info{")).unwrap();
        let (_, labels) = line.split_once('{').unwrap();
        let parts: Vec<_> = labels.split('"').collect();
        let pairs = parts.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
        pairs.collect()
    };
    let (ours, theirs) = (labels(&Counts::new(captured()).page(SECOND)), labels(CAPTURED));
    let other: Vec<_> = theirs.iter().filter(|(name, value)| ours[*name] != **value).collect();
    // Theirs was on a CPU, where the memory of the cache is given in bytes.
    assert_eq!(other, [(&",kv_cache_memory_bytes=".to_owned(), &"2147483648".to_owned())]);
}

#[test]
fn every_number_of_the_captures_is_written_as_it_stood() {
    let lines = CAPTURED.lines().chain(SPECULATING.lines());
    let mut seen = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let (_, number) = line.rsplit_once(' ').unwrap();
        let mut page = text::Page::default();
        page.sample("x", &[], number.parse().unwrap());
        assert_eq!(page.into_text(), format!("x {number}\n"));
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn our_own_reader_reads_every_sample_of_the_page() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    let page = counts.page(SECOND);
    let written = page.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&page).count(), written);
}

#[test]
fn each_replica_has_samples_of_its_own() {
    let counts = with(|_, fleet| fleet.replicas = number(2));
    let mut share = Counts::begin(&counts, asked(10, 5, Duration::ZERO));
    share.scheduled(SECOND, 1, 4);
    share.emitted(2 * SECOND, 3);
    let page = counts.page(SECOND);
    let of = |engine: &str| {
        let lines = page.lines().filter(|line| line.contains(&format!("engine=\"{engine}\"")));
        lines.filter_map(|line| Some(line.split_once('{')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(of("0").len(), of("1").len());
    assert!(of("2").is_empty());
    let first: String = page
        .lines()
        .filter(|line| !line.contains("engine=\"1\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(skeleton(&first), skeleton(&Counts::new(captured()).page(SECOND)));
    let generated = |engine: &str| {
        values(&counts)[&format!(
            "vllm:generation_tokens_total{{engine=\"{engine}\",model_name=\"tiny-qwen\"}}"
        )]
    };
    assert_eq!((generated("0"), generated("1")), (0.0, 3.0));
}

#[test]
fn the_intervals_of_a_request_are_vllms() {
    let counts = Counts::new(captured());
    let mut share = Counts::begin(&counts, asked(100, 50, 10 * SECOND));
    share.scheduled(10 * SECOND + 300 * MILLI, 0, 36);
    share.preempted();
    share.emitted(11 * SECOND, 1);
    share.emitted(11 * SECOND + 20 * MILLI, 3);
    share.emitted(11 * SECOND + 60 * MILLI, 1);
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (0.0, 0.0));
    share.finished(Some(Finish::Length));
    drop(share);
    for (name, expected) in [
        ("time_to_first_token_seconds", (1.0, 1.0)),
        // One for each emission, however many tokens it has.
        ("inter_token_latency_seconds", (2.0, 0.060)),
        ("e2e_request_latency_seconds", (1.0, 1.060)),
        ("request_queue_time_seconds", (1.0, 0.300)),
        ("request_prefill_time_seconds", (1.0, 0.700)),
        ("request_decode_time_seconds", (1.0, 0.060)),
        ("request_inference_time_seconds", (1.0, 0.760)),
        // 60 ms over the four tokens after the first.
        ("request_time_per_output_token_seconds", (1.0, 0.015)),
        ("request_num_preemptions", (1.0, 1.0)),
        ("request_prefill_kv_computed_tokens", (1.0, 64.0)),
        ("request_prompt_tokens", (1.0, 100.0)),
        ("request_generation_tokens", (1.0, 5.0)),
        ("request_max_num_generation_tokens", (1.0, 5.0)),
        ("request_params_max_tokens", (1.0, 50.0)),
        ("request_params_n", (1.0, 1.0)),
    ] {
        assert_eq!(observed(&counts, name), expected, "{name}");
    }
    for (name, expected) in [
        ("num_preemptions_total", 1.0),
        ("prompt_tokens_total", 100.0),
        ("prompt_tokens_cached_total", 36.0),
        ("prefix_cache_queries_total", 100.0),
        ("prefix_cache_hits_total", 36.0),
        ("generation_tokens_total", 5.0),
    ] {
        assert_eq!(value(&counts, name), expected, "{name}");
    }
    let values = values(&counts);
    let by_source = |source: &str| {
        values[&format!(
            "vllm:prompt_tokens_by_source_total{{engine=\"0\",model_name=\"tiny-qwen\",source=\"{source}\"}}"
        )]
    };
    assert_eq!((by_source("local_compute"), by_source("local_cache_hit")), (64.0, 36.0));
}

/// How many requests ended by each reason.
fn ended(counts: &Counts) -> [f64; 4] {
    let values = values(counts);
    ["stop", "length", "abort", "error"].map(|reason| {
        values[&format!(
            "vllm:request_success_total{{engine=\"0\",finished_reason=\"{reason}\",model_name=\"tiny-qwen\"}}"
        )]
    })
}

#[test]
fn a_request_ends_by_its_reason_and_one_that_was_given_up_has_no_latency() {
    let counts = Counts::new(captured());
    let end = |emits: bool, finish: Option<Option<Finish>>| {
        let mut share = Counts::begin(&counts, asked(7, 5, Duration::ZERO));
        if emits {
            share.emitted(SECOND, 1);
        }
        if let Some(finish) = finish {
            share.finished(finish);
        }
    };
    end(true, Some(Some(Finish::Stop)));
    end(true, Some(Some(Finish::Length)));
    // Complete, and never sent.
    end(false, Some(Some(Finish::Length)));
    end(true, None);
    end(false, None);
    end(true, Some(None));
    end(false, Some(None));
    assert_eq!(ended(&counts), [1.0, 1.0, 3.0, 2.0]);
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (3.0, 3.0));
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (4.0, 4.0));
}

#[test]
fn choices_are_sequences_of_their_own_and_one_request() {
    let counts = Counts::new(captured());
    let shares = Counts::begin_all(&counts, Asked { choices: 3, ..asked(10, 9, SECOND) });
    for (share, tokens) in shares.into_iter().zip([2, 9, 4]) {
        let mut share = share;
        share.scheduled(SECOND, 0, 0);
        share.emitted(2 * SECOND, tokens);
        share.finished(Some(Finish::Stop));
    }
    assert_eq!(ended(&counts), [3.0, 0.0, 0.0, 0.0]);
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (3.0, 3.0));
    assert_eq!(observed(&counts, "request_prompt_tokens"), (3.0, 30.0));
    assert_eq!(observed(&counts, "request_params_max_tokens"), (3.0, 27.0));
    assert_eq!(observed(&counts, "request_params_n"), (1.0, 3.0));
    assert_eq!(observed(&counts, "request_max_num_generation_tokens"), (1.0, 9.0));
}

#[test]
fn a_server_without_engines_counts_who_is_answered_and_tells_of_no_cache() {
    let counts = Counts::new(About { fleet: None, ..captured() });
    let mut share = Counts::begin(&counts, asked(7, 5, SECOND));
    let other = Counts::begin(&counts, asked(7, 5, SECOND));
    assert_eq!(value(&counts, "num_requests_running"), 2.0);
    drop(other);
    share.emitted(3 * SECOND, 5);
    share.finished(Some(Finish::Stop));
    drop(share);
    assert_eq!(value(&counts, "num_requests_running"), 0.0);
    // Nobody waits, and no prompt is looked for.
    assert_eq!(observed(&counts, "request_queue_time_seconds"), (1.0, 0.0));
    assert_eq!(observed(&counts, "request_prefill_time_seconds"), (1.0, 2.0));
    assert_eq!(value(&counts, "prefix_cache_queries_total"), 0.0);
    assert!(!counts.page(SECOND).contains("cache_config_info"));
}

#[test]
fn http_is_counted_by_handler_method_and_class_of_status() {
    let counts = Counts::new(captured());
    as_captured(&counts);
    as_captured(&counts);
    let values = values(&counts);
    let requests = |labels: &str| values[&format!("http_requests_total{{{labels}}}")];
    let chat = "handler=\"/v1/chat/completions\",method=\"POST\"";
    assert_eq!(requests(&format!("{chat},status=\"2xx\"")), 2.0);
    assert_eq!(requests(&format!("{chat},status=\"4xx\"")), 2.0);
    assert_eq!(values["http_request_size_bytes_sum{handler=\"/v1/chat/completions\"}"], 20.0);
    assert_eq!(values["http_response_size_bytes_sum{handler=\"/v1/models\"}"], 14.0);
    assert_eq!(values[&format!("http_request_duration_seconds_count{{{chat}}}")], 4.0);
    // Neither /health nor /metrics.
    assert_eq!(values["http_request_duration_highr_seconds_count"], 14.0);
}

#[test]
fn adapters_are_told_by_name_with_the_moment_at_which_it_was_so() {
    let counts = with(|about, _| about.loras = Some(number(1)));
    let lora = |name: &str| Asked { lora: Some(name.into()), ..asked(1, 1, Duration::ZERO) };
    let mut first = Counts::begin(&counts, lora("a"));
    let second = Counts::begin(&counts, lora("b"));
    first.scheduled(SECOND, 0, 0);
    counts.stepped(0, SECOND, &Speculated::default());
    drop((first, second));
    counts.stepped(0, 2 * SECOND, &Speculated::default());
    let page = counts.page(3 * SECOND);
    let told: Vec<_> = page.lines().filter(|line| line.contains("lora_requests_info")).collect();
    assert_eq!(
        told,
        [
            "# HELP vllm:lora_requests_info Running stats on lora requests.",
            "# TYPE vllm:lora_requests_info gauge",
            "vllm:lora_requests_info{max_lora=\"1\",running_lora_adapters=\"a\",waiting_lora_adapters=\"b\"} 1.795425995e+09",
            "vllm:lora_requests_info{max_lora=\"1\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"} 1.795425996e+09",
        ]
    );
}

/// Steps of 10 ms; 8 tokens in one, of prompts in parts.
fn deployment(speculation: Option<Speculation>) -> Deployment {
    Deployment {
        name: "test".to_owned(),
        engine: Engine {
            max_num_seqs: number(8),
            max_num_batched_tokens: number(8),
            chunked_prefill: true,
            policy: Policy::Fcfs,
            blocks: number(101),
            block_size: number(4),
            prefix_caching: false,
            speculation,
        },
        step: StepTime::Linear(Linear { base: 0.010, ..Linear::default() }),
        frontend: Frontend::default(),
        replicas: number(1),
        routing: Routing::RoundRobin,
        noise: 0.0,
    }
}

/// Lets engines do their work and counts it, as the server does. What was computed in each step.
fn run(deployment: &Deployment, jobs: &[(u32, u32)], counts: &Arc<Counts>) -> Vec<Batch> {
    let mut engines = Engines::new(deployment.clone(), 1);
    let mut shares = BTreeMap::new();
    for (request, (prompt_tokens, output_tokens)) in (0..).zip(jobs.iter().copied()) {
        let ticket = engines.submit(
            Duration::ZERO,
            Job {
                request,
                choice: 0,
                prompt_tokens,
                output_tokens,
                finish: Finish::Length,
                priority: 0,
                chain: Arc::default(),
            },
        );
        shares.insert(
            ticket,
            Counts::begin(counts, asked(prompt_tokens, output_tokens, Duration::ZERO)),
        );
    }
    let mut steps = Vec::new();
    while let Some(next) = engines.next() {
        engines.advance(next, &mut |event| match event {
            Event::Scheduled { ticket, at, replica, cached } => {
                shares.get_mut(&ticket).unwrap().scheduled(at, replica, cached);
            }
            Event::Emitted { ticket, emission } => {
                let share = shares.get_mut(&ticket).unwrap();
                share.emitted(emission.at, emission.tokens);
                if emission.finish.is_some() {
                    share.finished(emission.finish);
                    shares.remove(&ticket);
                }
            }
            Event::Preempted { ticket, .. } => shares.get_mut(&ticket).unwrap().preempted(),
            Event::Stepped { replica, at, batch, speculated, .. } => {
                counts.stepped(replica, at, &speculated);
                steps.push(batch);
            }
        });
        counts.occupied(&engines.occupancy());
    }
    steps
}

#[test]
fn a_prompt_in_parts_counts_in_the_step_of_its_last_part() {
    let deployment = deployment(None);
    let options = Options { deployment: Some(deployment.clone()), ..Options::default() };
    let counts =
        Counts::new(About { model: "tiny-qwen".to_owned(), ..About::of(&options, Duration::ZERO) });
    // 20 tokens take three steps, of which only the third emits; then two more emit one token each.
    let steps = run(&deployment, &[(20, 3)], &counts);
    let prefilled: Vec<_> = steps.iter().map(|step| step.prefill_tokens).collect();
    assert_eq!(prefilled, [8, 8, 4, 0, 0]);
    assert_eq!(observed(&counts, "iteration_tokens_total"), (3.0, 20.0 + 3.0));
    assert_eq!(observed(&counts, "time_to_first_token_seconds"), (1.0, 0.030));
    assert_eq!(observed(&counts, "e2e_request_latency_seconds"), (1.0, 0.050));
    assert_eq!(observed(&counts, "inter_token_latency_seconds"), (2.0, 0.020));
    assert_eq!(ended(&counts), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(value(&counts, "num_requests_running"), 0.0);
    assert_eq!(value(&counts, "prefix_cache_queries_total"), 0.0);
}

#[test]
fn what_speculation_did_is_told_and_agrees_with_the_tokens() {
    let speculation =
        Speculation { method: "mtp".to_owned(), tokens: number(2), acceptance: vec![1.0, 0.0] };
    let deployment = deployment(Some(speculation));
    let options = Options { deployment: Some(deployment.clone()), ..Options::default() };
    let counts =
        Counts::new(About { model: "tiny-qwen".to_owned(), ..About::of(&options, Duration::ZERO) });
    // One token with the prompt, then two a step: 1 + 4 · 2.
    run(&deployment, &[(4, 9)], &counts);
    assert_eq!(value(&counts, "generation_tokens_total"), 9.0);
    assert_eq!(value(&counts, "spec_decode_num_drafts_total"), 4.0);
    assert_eq!(value(&counts, "spec_decode_num_accepted_tokens_total"), 4.0);
    let values = values(&counts);
    let at = |position: u32| {
        values[&format!(
            "vllm:spec_decode_num_accepted_tokens_per_pos_total{{engine=\"0\",model_name=\"tiny-qwen\",position=\"{position}\"}}"
        )]
    };
    assert_eq!((at(0), at(1)), (4.0, 0.0));
    assert_eq!(observed(&counts, "inter_token_latency_seconds").0, 4.0);
}

fn stamped(pid: u32, time: &str) -> Stamp<'_> {
    Stamp { pid, time }
}

/// A request of so many tokens that goes on.
fn going(counts: &Arc<Counts>, prompt_tokens: u32, tokens: u32) -> Share {
    let mut share = Counts::begin(counts, asked(prompt_tokens, 1000, Duration::ZERO));
    share.scheduled(Duration::ZERO, 0, 0);
    share.emitted(SECOND, tokens);
    counts.stepped(0, SECOND, &Speculated::default());
    share
}

fn busy(counts: &Counts, running: u32) {
    counts.occupied(&[Occupancy { running, ..Occupancy::default() }]);
}

#[test]
fn the_logs_lines_are_vllms_and_idle_engines_are_silent() {
    let counts = Counts::new(captured());
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let mut lines = Vec::new();
    let at = |seconds: u64| Duration::from_secs(seconds);
    let _first = going(&counts, 6, 3);
    lines.extend(logger.interval(at(10), stamped(18992, "11-22 10:22:17")));
    lines.extend(logger.interval(at(20), stamped(18992, "11-22 10:22:27")));
    for seconds in [30, 40, 50, 60] {
        assert_eq!(logger.interval(at(seconds), stamped(18992, "")), [""; 0]);
    }
    let _second = going(&counts, 1727, 48);
    busy(&counts, 16);
    lines.extend(logger.interval(at(70), stamped(18992, "11-22 10:23:17")));

    let counts = with(|_, fleet| fleet.drafted = Some(number(4)));
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let speculated = |drafts: u32, accepted: [u32; 4]| {
        let draft_tokens = accepted.iter().sum();
        let mut speculated = Speculated { drafts, draft_tokens, ..Speculated::default() };
        speculated.accepted[..4].copy_from_slice(&accepted);
        counts.stepped(0, SECOND, &speculated);
    };
    // Speculation is told of over the time since it last was, and not over the interval.
    assert_eq!(logger.interval(at(16), stamped(25449, "")), [""; 0]);
    let mut share = going(&counts, 60, 294);
    speculated(61, [61, 61, 55, 55]);
    busy(&counts, 1);
    lines.extend(logger.interval(at(26), stamped(25449, "11-22 10:27:23")));
    share.emitted(27 * SECOND, 66);
    speculated(14, [14; 4]);
    busy(&counts, 0);
    lines.extend(logger.interval(at(36), stamped(25449, "11-22 10:27:33")));
    assert_eq!(lines, LOGGED.lines().collect::<Vec<_>>());
}

#[test]
fn what_the_cache_had_is_not_in_the_logs_throughput_and_its_rate_is_of_the_last_requests() {
    let counts = with(|about, _| about.device = "GPU");
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let admit = |prompt: u32, cached: u32| {
        let mut share = Counts::begin(&counts, asked(prompt, 9, Duration::ZERO));
        share.scheduled(Duration::ZERO, 0, cached);
        share.emitted(SECOND, 1);
        share.finished(Some(Finish::Stop));
        counts.stepped(0, SECOND, &Speculated::default());
    };
    let told = |logger: &mut Logger, seconds: u64| {
        logger.interval(Duration::from_secs(seconds), stamped(1, "01-02 03:04:05")).concat()
    };
    admit(100, 75);
    counts.occupied(&[Occupancy { running: 3, waiting: 4, blocks: 32768, free: 32767 }]);
    assert_eq!(
        told(&mut logger, 10),
        "(APIServer pid=1) INFO 01-02 03:04:05 [loggers.py:335] Engine 000: Avg prompt throughput: 2.5 tokens/s, \
         Avg generation throughput: 0.1 tokens/s, Running: 3 reqs, Waiting: 4 reqs, GPU KV cache usage: 50.0%, \
         Prefix cache hit rate: 75.0%"
    );
    // A thousand more, and the first is forgotten.
    (0..1000).for_each(|_| admit(100, 0));
    assert!(told(&mut logger, 20).ends_with("Prefix cache hit rate: 0.0%"));
    admit(1000, 1000);
    assert!(told(&mut logger, 30).ends_with("Prefix cache hit rate: 1.0%"));
    counts.cache_reset();
    admit(10, 0);
    assert!(told(&mut logger, 40).ends_with("Prefix cache hit rate: 0.0%"));
}

#[test]
fn engines_speak_for_themselves_or_all_together() {
    let counts = with(|_, fleet| fleet.replicas = number(2));
    let mut each = Logger::new(&counts, Speakers::EachEngine);
    let mut all = Logger::new(&counts, Speakers::AllTogether);
    for replica in [0, 1, 1] {
        let mut share = Counts::begin(&counts, asked(10, 9, Duration::ZERO));
        share.scheduled(Duration::ZERO, replica, 5);
        share.emitted(SECOND, 10);
        counts.stepped(replica, SECOND, &Speculated::default());
    }
    let half = |running| Occupancy { running, blocks: 65535 / 5, ..Occupancy::default() };
    counts.occupied(&[half(1), Occupancy { waiting: 2, ..Occupancy::default() }]);
    let said = |logger: &mut Logger| -> Vec<String> {
        let lines = logger.interval(10 * SECOND, stamped(1, "t"));
        lines.iter().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(
        said(&mut each),
        [
            "Engine 000: Avg prompt throughput: 0.5 tokens/s, Avg generation throughput: 1.0 tokens/s, Running: 1 reqs, \
             Waiting: 0 reqs, CPU KV cache usage: 20.0%, Prefix cache hit rate: 50.0%",
            "Engine 001: Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 tokens/s, Running: 0 reqs, \
             Waiting: 2 reqs, CPU KV cache usage: 0.0%, Prefix cache hit rate: 50.0%",
        ]
    );
    assert_eq!(
        said(&mut all),
        [
            "2 Engines Aggregated: Avg prompt throughput: 1.5 tokens/s, Avg generation throughput: 3.0 tokens/s, \
             Running: 1 reqs, Waiting: 2 reqs, CPU KV cache usage: 10.0%, Prefix cache hit rate: 50.0%",
        ]
    );
}
