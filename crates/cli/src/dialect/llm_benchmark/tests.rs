//! What a batch says, and what is said of one that is none.

use std::collections::{BTreeSet, HashSet};
use std::num::{NonZeroU32, NonZeroU64};

use proptest::prelude::*;
use serde_json::json;
use tokometer_plan::config::{Point, Ramp, RampShape};
use tokometer_plan::{Burstiness, Pace, Rate, Reporting, Scheme};

use super::config::Order;
use super::grid::name;
use super::*;
use crate::surroundings::Surroundings;

/// The batch of the document that the dialect comes from, as it stands there.
const DOCUMENT: &str = r#"model: "/data/model/cognitivecomputations/DeepSeek-R1-awq"
base_url: "http://localhost:8010"
tokenizer: "/data/model/cognitivecomputations/DeepSeek-R1-awq"

# 测试不同输入输出长度组合
input_output:
- [512, 512]      # 中等长度对话
- [1024, 1024]    # 长文本处理

# 测试不同并发场景
concurrency_prompts:
- [1, 10]         # 串行基准测试
- [4, 40]         # 中等并发压力
"#;

const SMALLEST: &str = "\
model: m
base_url: http://h:8000
input_output: [[10, 20]]
concurrency_prompts: [[2, 8]]
";

fn batch(text: &str) -> Result<Batch, crate::trouble::Trouble> {
    let config = read(text, "b.yaml")?;
    let origin = Origin::File { name: "b.yaml", text };
    resolve(config, &origin, &mut Surroundings::default(), &|_| false)
}

fn with(lines: &str) -> Batch {
    batch(&format!("{SMALLEST}{lines}\n")).unwrap()
}

fn refused(text: &str) -> String {
    batch(text).unwrap_err().to_string()
}

/// What is said of the smallest batch with these lines behind it: its fifth line is the first of them.
fn refused_with(lines: &str) -> String {
    refused(&format!("{SMALLEST}{lines}\n"))
}

fn names(batch: &Batch) -> Vec<&str> {
    batch.planned.iter().map(|planned| planned.combination.name.as_str()).collect()
}

#[test]
fn the_document_runs_as_it_stands() {
    let batch = batch(DOCUMENT).unwrap();
    assert_eq!(
        names(&batch),
        [
            "bench_io512x512_mc1_np10",
            "bench_io512x512_mc4_np40",
            "bench_io1024x1024_mc1_np10",
            "bench_io1024x1024_mc4_np40",
        ]
    );
    let plan = &batch.planned[3].resolved.plan;
    assert_eq!(plan.target.url.to_string(), "http://localhost:8010/v1/completions");
    assert_eq!(plan.dataset_name(), "random");
    let Reporting::Vllm(report) = &plan.report else { panic!("reports are vLLM's") };
    assert_eq!((report.backend.as_str(), report.percentiles.as_slice()), ("vllm", &[99.0][..]));
    assert_eq!(report.percentile_metrics, ["ttft", "tpot", "itl", "e2el"]);
    assert_eq!(plan.tokenizer, None, "its path is one on the server's machine");
    assert!(
        batch.notes.iter().any(|note| note.contains("is not on this machine")),
        "{:?}",
        batch.notes
    );
}

#[test]
fn a_combination_is_what_bench_serve_would_be_told() {
    insta::assert_snapshot!(with("").planned[0].resolved.plan.to_yaml(), @"
    model: m
    seed: 0
    target:
      url: http://h:8000/v1/completions
      api: openai-completions
      timeouts:
        connect: none
        first_byte: none
        between_chunks: none
        total: 6h
      tls:
        insecure: false
      http2: false
      test_connection: true
      ready_within: 0s
      profile: false
    telemetry:
      own_metrics: if_there
      nvidia_smi: false
      every: 500ms
    load:
      points:
        - parallel: 2
          number: 8
      warmup: 0
      warmup_apart: true
      pause: 5s
      drain: 30s
    prompts:
      dataset: random
      args:
        input_len: 10
        output_len: 20
        range_ratio: 0.0
        prefix_len: 0
        batch_size: 1
      oversample: true
      offset: 0
      min_length: 0
      max_length: 131072
      prefix_length: 0
      prefix_count: 1
      chat_template: false
      tokenize: false
    generation:
      repetition_penalty: 1.0
      stream: true
      extra:
        ignore_eos: true
    output:
      dir: outputs
      timestamp: true
      log_every: 100
      prompts: false
      outputs: false
      debug: false
      vllm:
        backend: vllm
        tokenizer_id: true
        percentile_metrics:
          - ttft
          - tpot
          - itl
          - e2el
        percentiles:
          - 99.0
        detailed: false
        pytorch_format: false
        plot_timeline: false
        timeline_itl_thresholds:
          - 25.0
          - 50.0
        plot_dataset_stats: false
    ");
}

#[test]
fn a_base_url_may_end_in_v1_or_name_a_simulator() {
    let url = |url: &str| {
        let text = SMALLEST.replace("http://h:8000", url);
        let plan = batch(&text).unwrap().planned.remove(0).resolved.plan;
        (plan.target.url.scheme, plan.target.url.to_string())
    };
    assert_eq!(url("http://h:8000/v1").1, "http://h:8000/v1/completions");
    assert_eq!(url("http://h:8000/").1, "http://h:8000/v1/completions");
    assert_eq!(url("sim://h100-llama-3.1-8b").0, Scheme::Sim);
    assert_eq!(url("'sim://?itl_ms=2'").1, "sim:///v1/completions?itl_ms=2");
}

#[test]
fn every_kind_of_load_has_its_combinations() {
    let batch = with(
        "rate_prompts: [[2.5, 100], [inf, 7]]\n\
         points: [{parallel: 4, rate: 8, number: 9}, {ramp: {shape: linear, from: 1, to: 5}, number: 3}, {rate: 2, burstiness: 0.5, number: 4}]\n\
         repetitions: 2",
    );
    assert_eq!(
        names(&batch)[..6],
        [
            "bench_io10x20_mc2_np8",
            "bench_io10x20_rps2.5_np100",
            "bench_io10x20_rpsinf_np7",
            "bench_io10x20_mc4_rps8_np9",
            "bench_io10x20_ramp1.0to5.0_np3",
            "bench_io10x20_rps2_b0.5_np4",
        ]
    );
    assert_eq!(names(&batch)[6], "bench_io10x20_mc2_np8_rep2");
    let told: Vec<String> =
        batch.planned.iter().map(|planned| planned.combination.to_string()).collect();
    assert_eq!(told[1], "10 in, 20 out, 2.5 a second, 100 requests");
    assert_eq!(told[6], "10 in, 20 out, 2 at a time, 8 requests, run 2");
}

#[test]
fn neighbours_draw_from_different_seeds_and_the_same_ones_each_time() {
    let seeds = |lines: &str| -> Vec<u64> {
        let batch = with(lines);
        batch.planned.iter().map(|planned| planned.resolved.plan.seed.number()).collect()
    };
    assert_eq!(seeds("repetitions: 3"), [0, 1, 2]);
    assert_eq!(seeds("repetitions: 3\nseed: 40"), [40, 41, 42]);
}

#[test]
fn a_random_order_is_the_seeds_and_changes_no_combination() {
    let lines = |seed: u64| format!("repetitions: 9\norder: random\nseed: {seed}");
    let (batch, again, other) = (with(&lines(1)), with(&lines(1)), with(&lines(2)));
    assert_eq!(names(&batch), names(&again));
    assert_ne!(names(&batch), names(&other));
    let written = with("repetitions: 9");
    assert_eq!(written.config.order, Some(Order::AsWritten));
    let set = |batch: &Batch| -> BTreeSet<String> {
        names(batch).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(set(&batch), set(&written));
}

#[test]
fn settings_of_a_plan_are_laid_over_every_combination() {
    let batch = with(
        "plan:\n  generation: {temperature: 0.5, extra: {top_k: 3}}\n  target: {timeouts: {total: 30s}, headers: {x-team: a}}\n  \
         prompts: {args: {range_ratio: 0.1}}\n  load: {warmup: 3}\n  output: {vllm: {detailed: true}}",
    );
    let plan = &batch.planned[0].resolved.plan;
    assert_eq!(plan.generation.options.temperature, Some(0.5));
    assert_eq!(plan.generation.options.extra["top_k"], 3);
    assert_eq!(plan.generation.options.extra["ignore_eos"], true, "what was there stays");
    assert_eq!(plan.target.timeouts.total.unwrap().as_secs(), 30);
    assert_eq!(plan.points[0].load.warmup.requests(), 3);
    let yaml = plan.to_yaml();
    assert!(yaml.contains("range_ratio: 0.1") && yaml.contains("input_len: 10"), "{yaml}");
    assert!(yaml.contains("detailed: true"), "{yaml}");
}

#[test]
fn metadata_stand_in_the_results_as_they_were_written() {
    let batch = with(
        "metadata: {tp: 8, gpu: H100, price_per_hour: 24.5, note: 'a: b', tuned: true}\nrepetitions: 2",
    );
    let told = |index: usize| match &batch.planned[index].resolved.plan.report {
        Reporting::Vllm(report) => report.metadata.clone(),
        Reporting::Evalscope => panic!("reports are vLLM's"),
    };
    let expected = [
        ("tp", json!(8)),
        ("gpu", json!("H100")),
        ("price_per_hour", json!(24.5)),
        ("note", json!("a: b")),
        ("tuned", json!(true)),
        ("repetition", json!(2)),
    ];
    assert_eq!(told(1), expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn what_the_service_says_does_not_overrule_what_was_written() {
    let mut batch = with("metadata: {tp: 8}");
    let planned = &mut batch.planned[0];
    planned.tell("tp", json!(4));
    planned.tell("gpus", json!(16));
    let Reporting::Vllm(report) = &planned.resolved.plan.report else { panic!() };
    assert_eq!(report.metadata, [("tp".to_owned(), json!(8)), ("gpus".to_owned(), json!(16))]);
}

#[test]
fn other_datasets_have_lengths_of_their_own() {
    let text = "model: m\nbase_url: http://h\ndataset: sharegpt\ndataset_path: a.json\nconcurrency_prompts: [[2, 8]]\n";
    let batch = batch(text).unwrap();
    assert_eq!(names(&batch), ["bench_sharegpt_mc2_np8"]);
    let said = refused(&format!("{text}input_output: [[5, 5]]\n"));
    insta::assert_snapshot!(said, @"
    error: b.yaml:6:15: input_output: the prompts of sharegpt have lengths of their own
    hint: leave it out: combinations are then the loads alone; plan.prompts.args holds what the dataset can be told
    ");
    let text = "model: m\nbase_url: http://h\nconcurrency_prompts: [[2, 8]]\nplan: {prompts: {text: hello}, generation: {max_tokens: 9}}\n";
    assert_eq!(names(&super::tests::batch(text).unwrap()), ["bench_text_mc2_np8"]);
}

#[test]
fn a_batch_reads_back_as_the_one_that_was_written() {
    for lines in [
        "",
        "rate_prompts: [[inf, 7]]\nrepetitions: 3\norder: random\npause: 90s\nwarmup: 10%\nslo: {ttft: 500}\nmetadata: {tp: 2, a: b}",
        "plan: {target: {headers: {x-a: b}}, generation: {extra: {top_k: 1}}}\nextra_body: {}\nserver_log: [a.log]",
        "points: [{parallel: 3, rate: 1.5, burstiness: inf, number: 4}]",
    ] {
        let written = with(lines).config;
        let again = read(&written.to_yaml(), "batch.yaml").unwrap();
        assert_eq!(again.clone().spelt_out(), written, "{}", written.to_yaml());
        assert_eq!(again.to_yaml(), written.to_yaml());
    }
}

#[test]
fn a_wrong_key_or_type_is_shown_with_its_place() {
    insta::assert_snapshot!(refused("model: m\nbase_ur: http://h\n"), @"
    error: b.yaml:2:1: unknown key base_ur
    hint: did you mean base_url?
    ");
    insta::assert_snapshot!(refused_with("api_key: s3cret"), @"
    error: b.yaml:5:1: unknown key api_key
    hint: did you mean api_key_env?
    ");
    insta::assert_snapshot!(refused("base_url: http://h\n"), @"
    error: b.yaml:1:1: model is missing
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "[[10]]")), @"
    error: b.yaml:3:16: input_output.0: expected two values, found 1 of them
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "[[10, 20, 30]]")), @"
    error: b.yaml:3:16: input_output.0: expected two values, found 3 of them
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "[10, 20]")), @"
    error: b.yaml:3:16: input_output.0: expected a list
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "\n- [512, 0]")), @"
    error: b.yaml:4:9: input_output.0.1: expected a whole number of at least 1, found integer `0`
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[2, 8]]", "[[-1, 8]]")), @"
    error: b.yaml:4:24: concurrency_prompts.0.0: out of range: expected a whole number from 0 to 4294967295
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[2, 8]]", "[[many, 8]]")), @"
    error: b.yaml:4:24: concurrency_prompts.0.0: expected a whole number, not negative
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused_with("plan: {generation: {temprature: 1}}"), @"
    error: b.yaml:5:21: unknown key temprature
    hint: did you mean temperature?
    ");
    insta::assert_snapshot!(refused_with("repetitions: 0"), @"
    error: b.yaml:5:14: repetitions: expected a whole number of at least 1, found integer `0`
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused_with("order: shuffled"), @"
    error: b.yaml:5:8: order: unknown value shuffled
    hint: one of: as_written, random
    ");
    insta::assert_snapshot!(refused_with("rate_prompts: [[0, 10]]"), @"
    error: b.yaml:5:17: rate_prompts.0.0: expected a number of requests per second, from one a year (3.2e-8) to 1,000,000, or inf, found integer `0`
    hint: docs/batch.md tells of every setting
    ");
    insta::assert_snapshot!(refused("\n# nothing\n"), @"
    error: b.yaml: the batch is empty
    hint: docs/batch.md shows the smallest one
    ");
    insta::assert_snapshot!(refused("- [512, 512]\n"), @"
    error: b.yaml:1:1: expected keys and values
    hint: docs/batch.md tells of every setting
    ");
}

#[test]
fn a_list_that_runs_nothing_or_the_same_twice_is_refused() {
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "[]")), @"
    error: b.yaml:3:15: input_output: is an empty list: there is nothing to run
    hint: for example input_output: [[512, 512]]
    ");
    insta::assert_snapshot!(refused("model: m\nbase_url: http://h\ninput_output: [[1, 1]]\n"), @"
    error: b.yaml:1:1: concurrency_prompts: is missing: nothing says how much load
    hint: for example concurrency_prompts: [[1, 10], [4, 40]], the most at once and requests; or rate_prompts, or points
    ");
    insta::assert_snapshot!(refused("model: m\nbase_url: http://h\nconcurrency_prompts: [[1, 1]]\n"), @"
    error: b.yaml:1:1: input_output: is missing: nothing says how long prompts and outputs are
    hint: for example input_output: [[512, 512], [1024, 1024]], tokens of prompts and of outputs
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("[[10, 20]]", "[[10, 20], [5, 5], [10, 20]]")), @"
    error: b.yaml:3:34: input_output.2: is the same as input_output.0
    hint: leave one of them out; repetitions: 3 runs every combination three times
    ");
    insta::assert_snapshot!(refused_with("points: [{parallel: 2, number: 8}]"), @"
    error: b.yaml:5:10: points.0: is the same as concurrency_prompts.0
    hint: leave one of them out; repetitions: 3 runs every combination three times
    ");
    insta::assert_snapshot!(refused("model: ''\nbase_url: http://h\n"), @"
    error: b.yaml:1:8: model: is empty
    hint: a batch needs model: NAME, base_url: http://localhost:8000, input_output: [[512, 512]] and concurrency_prompts: [[4, 40]]
    ");
}

#[test]
fn more_combinations_than_anybody_means_are_refused_before_they_are_made() {
    insta::assert_snapshot!(refused_with("repetitions: 100000000"), @"
    error: b.yaml:5:14: repetitions: makes 100000000 combinations, and a batch has at most 10000
    hint: run fewer of them, or several batches one after the other
    ");
    let pairs: Vec<String> = (1..=200).map(|n| format!("[{n}, 1]")).collect();
    let pairs = pairs.join(", ");
    let told = refused(&format!(
        "model: m\nbase_url: http://h\ninput_output: [{pairs}]\nconcurrency_prompts: [{pairs}]\n"
    ));
    assert!(told.contains("b.yaml:3:15: input_output: makes 40000 combinations"), "{told}");
}

#[test]
fn what_was_shuffled_is_sorted_by_number() {
    let batch = with("rate_prompts: [[10, 5], [2, 5]]\nrepetitions: 2\norder: random");
    let mut all: Vec<&Combination> =
        batch.planned.iter().map(|planned| &planned.combination).collect();
    all.sort_by(|a, b| a.by_number(b));
    let names: Vec<&str> = all.iter().map(|combination| combination.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "bench_io10x20_rps2_np5",
            "bench_io10x20_rps2_np5_rep2",
            "bench_io10x20_rps10_np5",
            "bench_io10x20_rps10_np5_rep2",
            "bench_io10x20_mc2_np8",
            "bench_io10x20_mc2_np8_rep2",
        ]
    );
}

#[test]
fn what_cannot_be_run_is_told_by_its_key() {
    insta::assert_snapshot!(refused(&SMALLEST.replace("http://h:8000", "h:8000")), @"
    error: b.yaml:2:11: base_url: not a URL: it has no http:// or https:// before the host
    hint: for example http://localhost:8000, or sim://h100-llama-3.1-8b for a simulator
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("http://h:8000", "'http://h:8000/v1?api_key=s3cret'")), @"
    error: b.yaml:2:11: base_url: api_key holds a secret in plain sight
    hint: name a variable instead: api_key=${VARIABLE}
    ");
    insta::assert_snapshot!(refused(&SMALLEST.replace("h:8000", "h:8000/v1/chat/completions")), @"
    error: b.yaml:2:11: base_url: ends in an endpoint: /v1/chat/completions
    hint: give the server alone; its endpoint follows from backend (vllm, openai-chat, …), or stands in endpoint
    ");
    insta::assert_snapshot!(refused_with("backend: vlm"), @"
    error: b.yaml:5:10: backend: there is no backend vlm
    hint: did you mean vllm?
    ");
    insta::assert_snapshot!(refused_with("endpoint: /v1/chat/completions"), @"
    error: b.yaml:5:11: endpoint /v1/chat/completions is no endpoint of backend vllm, which ends in /completions
    hint: leave endpoint out for /v1/completions, or use backend openai-chat
    ");
    insta::assert_snapshot!(refused_with("dataset: shargpt"), @"
    error: b.yaml:5:10: dataset: there is no dataset shargpt
    hint: did you mean sharegpt?
    ");
    insta::assert_snapshot!(refused_with("slo: {ttf: 5}"), @"
    error: b.yaml:5:12: slo.ttf: ttf is no metric of goodput
    hint: did you mean ttft? there are ttft, tpot, e2el
    ");
    insta::assert_snapshot!(refused_with("extra_body: {max_tokens: 5}"), @"
    error: b.yaml:5:13: extra_body: max_tokens would override what this program relies on
    hint: give input_output, or the -output-len of the dataset
    ");
    insta::assert_snapshot!(refused_with("server_metrics: ['h:9000']"), @"
    error: b.yaml:5:17: server_metrics: not a URL: it has no http:// or https:// before the host
    hint: for example http://127.0.0.1:8000/metrics
    ");
    insta::assert_snapshot!(refused_with("api_key_env: NO_SUCH_VARIABLE_OF_TOKOMETER"), @"
    error: b.yaml:5:14: api_key_env: the environment variable NO_SUCH_VARIABLE_OF_TOKOMETER is not set
    hint: set it first: export NO_SUCH_VARIABLE_OF_TOKOMETER=…
    ");
    insta::assert_snapshot!(refused_with("points: [{number: 8}]"), @"
    error: b.yaml:5:10: points.0: has neither parallel nor rate, so nothing limits it
    hint: parallel: 10 for ten requests at a time, rate: 5 for five a second, rate: inf for all at once
    ");
    insta::assert_snapshot!(refused_with("plan: {generation: {min_tokens: 5, max_tokens: 2}}"), @"
    error: b.yaml:5:48: plan.generation.max_tokens: stands beside input_output, which says the same
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused_with("plan: {generation: {top_logprobs: 5}}"), @"
    error: b.yaml:5:35: plan.generation.top_logprobs: goes with log-probabilities only
    hint: add logprobs: true
    ");
}

#[test]
fn what_stands_twice_or_is_the_batchs_own_affair_is_refused_by_name() {
    insta::assert_snapshot!(refused_with("plan: {load: {points: [{parallel: 1, number: 1}]}}"), @"
    error: b.yaml:5:23: plan.load.points: is the batch's own affair, and not a combination's
    hint: write them as points at the top of the batch
    ");
    insta::assert_snapshot!(refused_with("plan: {output: {vllm: {save: {dir: x}}}}"), @"
    error: b.yaml:5:30: plan.output.vllm.save: is the batch's own affair, and not a combination's
    hint: every combination's result is saved in the folder of the batch; results_dir says where
    ");
    insta::assert_snapshot!(refused_with("warmup: 3\nplan: {load: {warmup: 4}}"), @"
    error: b.yaml:6:23: plan.load.warmup: stands beside warmup, which says the same
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused_with("plan: {prompts: {args: {input_len: 3}}}"), @"
    error: b.yaml:5:36: plan.prompts.args.input_len: stands beside input_output, which says the same
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused_with("plan: {prompts: {text: hello}}"), @"
    error: b.yaml:3:15: input_output: one text for every request has a length of its own
    hint: leave it out, and give plan.generation.max_tokens; or leave out plan.prompts.text
    ");
}

#[test]
fn metadata_are_what_they_are_called_and_nothing_of_the_results() {
    insta::assert_snapshot!(refused_with("metadata:\n  tp: two"), @r#"
    error: b.yaml:6:7: metadata.tp: must be a whole number of at least 1, not "two"
    hint: for example metadata: {tp: 8, gpu: H100, gpus: 8, price_per_hour: 24.0, currency: USD}
    "#);
    insta::assert_snapshot!(refused_with("metadata: {price_per_hour: 0}"), @"
    error: b.yaml:5:28: metadata.price_per_hour: must be an amount of money above 0, not 0
    hint: for example metadata: {tp: 8, gpu: H100, gpus: 8, price_per_hour: 24.0, currency: USD}
    ");
    insta::assert_snapshot!(refused_with("metadata: {completed: 5}"), @"
    error: b.yaml:5:23: metadata.completed: every result has a completed of its own
    hint: give it another name
    ");
    insta::assert_snapshot!(refused_with("metadata: {hub_token: s3cret}"), @"
    error: b.yaml:5:23: metadata.hub_token: hub_token is what secrets are called, and results show it to all
    hint: leave it out; if it is no secret, give it another name
    ");
    insta::assert_snapshot!(refused_with("metadata: {gpus: [1, 2]}"), @"
    error: b.yaml:5:18: metadata.gpus: must be a whole number of at least 1, not [1,2]
    hint: for example metadata: {tp: 8, gpu: H100, gpus: 8, price_per_hour: 24.0, currency: USD}
    ");
}

#[test]
fn a_load_that_cannot_be_reached_is_told_of() {
    let notes = batch(&SMALLEST.replace("[[2, 8]]", "[[16, 8]]")).unwrap().notes;
    assert_eq!(notes, ["concurrency_prompts.0: 8 requests are never 16 at a time"]);
}

fn any_point() -> impl Strategy<Value = Point> {
    let rate = prop_oneof![
        Just(None),
        Just(Some(Pace::AtOnce)),
        (0.001..1e6_f64).prop_map(|rate| Rate::new(rate).map(Pace::Rate)),
    ];
    let burstiness = prop_oneof![
        Just(None),
        Just(Burstiness::new(f64::INFINITY)),
        (0.01..100_f64).prop_map(Burstiness::new),
    ];
    let ramp = (any::<bool>(), 0.0..1e3_f64, 0.1..1e3_f64).prop_map(|(linear, from, to)| Ramp {
        shape: if linear { RampShape::Linear } else { RampShape::Exponential },
        from,
        to,
    });
    let recorded = prop_oneof![Just(None), Just(Some(true))];
    let all = (0..5_u32, rate, burstiness, proptest::option::of(ramp), recorded, 1..4_u64);
    all.prop_map(|(parallel, rate, burstiness, ramp, recorded, number)| Point {
        parallel: NonZeroU32::new(parallel),
        rate,
        burstiness,
        ramp,
        recorded,
        number: NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN),
    })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (1..12_u32, 1..12_u32).prop_map(|(input, output)| Shape::Lengths { input, output }),
        Just(Shape::Dataset("sharegpt".into())),
        Just(Shape::Text),
    ]
}

proptest! {
    /// Results are told apart by nothing but their names.
    #[test]
    fn different_combinations_have_different_names(
        some in proptest::collection::vec((any_shape(), any_point(), 1..4_u32), 2..12),
    ) {
        let mut seen: Vec<&(Shape, Point, u32)> = Vec::new();
        let mut names = HashSet::new();
        for combination in &some {
            if !seen.contains(&combination) {
                seen.push(combination);
                let (shape, point, repetition) = combination;
                let name = name(shape, point, *repetition);
                prop_assert!(names.insert(name.clone()), "{} stands for two", name);
            }
        }
    }

    /// A name is one file's, whatever it is made of.
    #[test]
    fn a_name_is_that_of_a_file(shape in any_shape(), point in any_point(), repetition in 1..4_u32) {
        let name = name(&shape, &point, repetition);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        prop_assert!(name.starts_with("bench_") && name.chars().all(plain), "{}", name);
        prop_assert!(name.len() <= 200, "{}", name);
    }

    /// The document's tool names a closed loop of the first run so.
    #[test]
    fn a_closed_loop_is_called_as_the_documents_tool_calls_it(
        input in 1..100_000_u32, output in 1..100_000_u32, parallel in 1..10_000_u32, number in 1..1_000_000_u64,
    ) {
        let text = format!(
            "model: m\nbase_url: http://h\ninput_output: [[{input}, {output}]]\nconcurrency_prompts: [[{parallel}, {number}]]\n"
        );
        let config = read(&text, "b.yaml").unwrap();
        let combinations = super::grid::combinations(&config);
        prop_assert_eq!(&combinations[0].name, &format!("bench_io{input}x{output}_mc{parallel}_np{number}"));
        prop_assert_eq!(combinations.len(), 1);
    }
}
