//! The command line of `vllm bench serve`, from words to a plan.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokometer_plan::config::Config;
use tokometer_plan::{Plan, Reporting, from_yaml, resolve};

use super::{Flags, flag_of, settings as rules, typed};
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Every flag of `vllm bench serve`, of 0.32 and of 0.33, in the order of its help.
const FLAGS: &str = "\
    trust-remote-code seed num-prompts dataset-name no-stream dataset-path no-oversample skip-chat-template \
    enable-multimodal-chat disable-shuffle custom-output-len custom-ensure-client-side-data spec-bench-output-len \
    spec-bench-category sharegpt-output-len timed-trace-chunk-hash-size timed-trace-sec-multiplier \
    timed-trace-label-timestamp timed-trace-label-input-length timed-trace-label-output-length timed-trace-label-hash-ids \
    blazedit-min-distance blazedit-max-distance asr-max-audio-len-sec asr-min-audio-len-sec random-input-len \
    random-output-len random-range-ratio random-prefix-len random-batch-size no-reranker random-mm-base-items-per-request \
    random-mm-num-mm-items-range-ratio random-mm-limit-mm-per-prompt random-mm-bucket-config hf-subset hf-split hf-name \
    hf-output-len bfcl-categories prefix-repetition-prefix-len prefix-repetition-suffix-len prefix-repetition-num-prefixes \
    prefix-repetition-output-len speed-bench-dataset-subset speed-bench-output-len speed-bench-category label backend \
    base-url host port endpoint header max-concurrency model input-len output-len tokenizer tokenizer-mode use-beam-search \
    logprobs request-rate burstiness probe-request-rate disable-tqdm num-warmups profile save-result save-detailed \
    append-result metadata result-dir result-filename ignore-eos self-timed no-self-timed percentile-metrics \
    metric-percentiles goodput request-id-prefix top-p top-k min-p temperature frequency-penalty presence-penalty \
    repetition-penalty served-model-name lora-modules lora-assignment ramp-up-strategy ramp-up-start-rps ramp-up-end-rps \
    ready-check-timeout-sec chat-template-kwargs extra-body skip-tokenizer-init insecure plot-timeline \
    timeline-itl-thresholds plot-dataset-stats config";

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    _bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    #[command(subcommand)]
    Bench(Serve),
}

#[derive(Debug, Subcommand)]
enum Serve {
    #[command(args_override_self = true)]
    Serve(Box<Flags>),
}

fn program() -> Command {
    Line::command()
}

fn flags(line: &str) -> Result<Flags, Trouble> {
    let words = ["t", "bench", "serve"].into_iter().chain(split(line)).map(OsString::from);
    let typed = typed::plain(words.collect(), &program())?;
    let line =
        program().try_get_matches_from(typed.words).unwrap_or_else(|error| panic!("{error}"));
    let Bench::Bench(Serve::Serve(flags)) = Bench::from_arg_matches(&line).unwrap();
    Ok(*flags)
}

/// Words at blanks, but for those in single quotes.
fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace()),
            _ => words.push(part),
        }
    }
    words
}

fn config(line: &str) -> Result<(Config, Vec<String>), Trouble> {
    let mut surroundings = Surroundings::default();
    let config = rules(flags(line)?, &mut surroundings, &|model| model == "at-hand")?;
    Ok((config, surroundings.notes().to_vec()))
}

fn plan(line: &str) -> Plan {
    let (config, _) = config(line).unwrap();
    resolve(config, &Surroundings::default()).unwrap().plan
}

fn notes(line: &str) -> Vec<String> {
    config(line).unwrap().1
}

fn refused(line: &str) -> String {
    match config(line) {
        Err(trouble) => trouble.to_string(),
        Ok((config, _)) => {
            let dataset = config.prompts.dataset.clone().unwrap_or_default();
            let error = resolve(config, &Surroundings::default()).unwrap_err();
            let flag = error.setting().and_then(|setting| flag_of(setting, &dataset));
            let error = match flag {
                Some(flag) => error.with_place(flag),
                None => error,
            };
            Trouble::from(error).to_string()
        }
    }
}

fn known() -> Vec<String> {
    let serve = program();
    let serve = serve.find_subcommand("bench").and_then(|bench| bench.find_subcommand("serve"));
    let flags = serve.unwrap().get_arguments();
    flags.filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

#[test]
fn every_flag_of_vllm_is_known() {
    let known = known();
    for flag in FLAGS.split_whitespace() {
        assert!(known.iter().any(|known| known == flag), "--{flag}");
    }
}

#[test]
fn every_flag_is_explained_or_changes_nothing() {
    let serve = program();
    let serve = serve.find_subcommand("bench").and_then(|bench| bench.find_subcommand("serve"));
    for arg in serve.unwrap().get_arguments() {
        let explained = arg.get_help().is_some_and(|help| !help.to_string().is_empty());
        assert!(explained || arg.is_hide_set(), "{arg}");
    }
}

#[test]
fn what_errors_call_settings_are_flags() {
    let known = known();
    for (_, flag) in super::settings::FLAGS {
        assert!(known.iter().any(|known| format!("--{known}") == *flag), "{flag}");
    }
}

#[test]
fn the_first_line_of_the_manual_is_the_plan_it_says() {
    let plan = plan(
        "--max-concurrency 50 --num-prompts 500 --host 127.0.0.1 --port 8801 --backend openai-chat \
         --model Qwen2.5-0.5B-Instruct --dataset-name random --random-input-len 100 --random-output-len 100 \
         --tokenizer PATH --endpoint /v1/chat/completions --ignore-eos",
    );
    insta::assert_snapshot!(plan.to_yaml());
}

#[test]
fn the_second_line_of_the_manual_is_the_plan_it_says() {
    let plan = plan(
        "--backend vllm --model M --dataset-name sharegpt --dataset-path FILE --num-prompts 1000 \
         --request-rate 10 --burstiness 0.5 --goodput ttft:500 tpot:50 --percentile-metrics ttft,tpot,itl,e2el \
         --metric-percentiles 25,50,90,99,99.9 --save-result --save-detailed --result-dir results --metadata tp=2",
    );
    insta::assert_snapshot!(plan.to_yaml());
}

#[test]
fn a_plan_that_was_shown_is_the_same_plan_again() {
    for line in [
        "",
        "--ramp-up-strategy linear --ramp-up-start-rps 0 --ramp-up-end-rps 50 --probe-request-rate 2 --num-warmups 3",
        "--request-rate 5 --burstiness inf --lora-modules a b --lora-assignment round-robin",
        "--dataset-name timed_trace --dataset-path t.jsonl --logprobs 3 --served-model-name s --model m",
        "--backend openai-chat --dataset-name random-mm --metadata a=1 'b= two words' --append-result",
    ] {
        let plan = plan(line);
        let again = from_yaml(&plan.to_yaml(), "again").unwrap();
        assert_eq!(resolve(again, &Surroundings::default()).unwrap().plan, plan, "{line}");
    }
}

#[test]
fn ways_of_writing_make_no_difference() {
    let plain =
        plan("--num-prompts 7 --random-range-ratio 0.2 --extra-body '{\"top_k\": 5}' --top-p 0.5");
    let other =
        plan("--num_p=7 --random_range-ratio 0.2 --extra_body.top_k 5 --top_p 0.9 --top-p 0.5");
    assert_eq!(plain, other);
}

#[test]
fn without_a_flag_defaults_are_vllms() {
    let plan = plan("--model m");
    assert_eq!(plan.target.url.to_string(), "http://127.0.0.1:8000/v1/completions");
    assert_eq!((plan.seed.number(), plan.points[0].number.get()), (0, 1000));
    assert_eq!(plan.points[0].at_once(), Some(1000));
    assert_eq!(plan.generation.options.extra["ignore_eos"], true);
    assert_eq!(plan.generation.options.temperature, None);
    let Reporting::Vllm(told) = plan.report else { panic!("reports are vLLM's") };
    assert_eq!(told.percentile_metrics, ["ttft", "tpot", "itl"]);
    assert_eq!((told.percentiles, told.backend), (vec![99.0], "openai".to_owned()));
}

#[test]
fn the_path_follows_from_the_backend() {
    let url = |line: &str| plan(line).target.url.to_string();
    assert_eq!(url("--backend openai-chat"), "http://127.0.0.1:8000/v1/chat/completions");
    assert_eq!(url("--backend vllm-pooling --host ::1"), "http://[::1]:8000/pooling");
    assert_eq!(url("--base-url https://h:9/"), "https://h:9/v1/completions");
    assert_eq!(url("--base-url http://h/api/v1"), "http://h/api/v1/completions");
    assert_eq!(url("--base-url http://h --endpoint v1/completions"), "http://h/v1/completions");
    assert_eq!(url("--base-url sim://?itl_ms=5"), "sim:///v1/completions?itl_ms=5");
}

#[test]
fn every_backend_makes_a_plan_of_its_own_api() {
    for backend in super::backends::BACKENDS {
        let plan = plan(&format!("--backend {} --model m", backend.name));
        assert_eq!(plan.target.api.0.name(), backend.api().unwrap().name());
        assert_eq!(plan.generation.options.stream, !backend.pools(), "{}", backend.name);
        let Reporting::Vllm(told) = plan.report else { panic!("reports are vLLM's") };
        let shown = if backend.pools() { vec!["e2el"] } else { vec!["ttft", "tpot", "itl"] };
        assert_eq!(
            (told.percentile_metrics, told.backend.as_str()),
            (shown.iter().map(|s| (*s).to_owned()).collect(), backend.name)
        );
    }
}

#[test]
fn names_of_model_and_tokenizer_follow_from_each_other() {
    let names = |line: &str| {
        let plan = plan(line);
        let Reporting::Vllm(told) = &plan.report else { panic!("reports are vLLM's") };
        (plan.model.clone(), told.model_id.clone(), plan.tokenizer.clone(), told.tokenizer_id)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(names(""), (None, None, None, true));
    assert_eq!(names("--model m"), (some("m"), None, None, true));
    assert_eq!(names("--model at-hand"), (some("at-hand"), None, some("at-hand"), true));
    assert_eq!(names("--model m --served-model-name s"), (some("s"), some("m"), None, true));
    assert_eq!(names("--model at-hand --tokenizer t"), (some("at-hand"), None, some("t"), true));
    assert_eq!(
        names("--model at-hand --skip-tokenizer-init"),
        (some("at-hand"), None, None, false)
    );
}

#[test]
fn bodies_say_what_vllms_client_says() {
    let generation = |line: &str| plan(line).generation.options;
    assert_eq!(generation("--backend vllm").repetition_penalty, Some(1.0));
    assert_eq!(generation("--backend openai-chat").repetition_penalty, None);
    let chat = generation(
        "--backend openai-chat --dataset-name sharegpt --dataset-path f --temperature 0",
    );
    assert_eq!((chat.temperature, chat.extra.get("ignore_eos")), (Some(0.0), None));
    assert_eq!(chat.limit, tokometer_wire::LimitName::MaxCompletionTokens);
    let logged = generation("--logprobs 4");
    assert_eq!((logged.logprobs, logged.top_logprobs), (Some(true), Some(4)));
    let over =
        generation("--top-k 3 --extra-body '{\"top_k\": 9, \"ignore_eos\": false, \"n\": 2}'");
    assert_eq!((over.top_k, &over.extra["top_k"], over.n), (Some(3), &9.into(), Some(2)));
    assert_eq!(over.extra["ignore_eos"], false);
    let templated = generation(
        "--backend openai-chat --dataset-name custom --dataset-path f --chat-template-kwargs '{\"thinking\": true}'",
    );
    assert_eq!(templated.extra["chat_template_kwargs"]["thinking"], true);
}

#[test]
fn flags_of_a_dataset_become_its_settings() {
    let args = |line: &str| serde_json::to_string(&plan(line).spec(0).args).unwrap();
    insta::assert_snapshot!(args("--input-len 50 --output-len 5 --random-range-ratio '{\"input\": 0.1, \"output\": 0}'"), @r#"{"input_len":50,"output_len":5,"range_ratio":{"input":0.1,"output":0},"prefix_len":0,"batch_size":1}"#);
    insta::assert_snapshot!(args("--backend vllm-rerank --dataset-name random-rerank --random-batch-size 4 --no-reranker"), @r#"{"input_len":1024,"range_ratio":0.0,"batch_size":4,"reranker":false}"#);
    insta::assert_snapshot!(args("--backend openai-chat --dataset-name random-mm --random-mm-bucket-config '{(64, 32, 1): 1}' --random-mm-limit-mm-per-prompt '{\"image\": 2, \"video\": 0}'"), @r#"{"input_len":1024,"output_len":128,"range_ratio":0.0,"prefix_len":0,"base_items_per_request":1,"num_mm_items_range_ratio":0.0,"limit_mm_per_prompt":{"image":2,"video":0},"bucket_config":[{"width":32,"height":64,"frames":1,"probability":1.0}]}"#);
    insta::assert_snapshot!(args("--dataset-name prefix_repetition --prefix-repetition-num-prefixes 3 --disable-shuffle"), @r#"{"prefix_len":256,"suffix_len":256,"num_prefixes":3,"output_len":128,"shuffle":false}"#);
    insta::assert_snapshot!(args("--dataset-name custom --dataset-path f --custom-output-len -1"), @r#"{"output_len":-1,"chat_template":true}"#);
    insta::assert_snapshot!(args("--backend openai-chat --dataset-name custom --dataset-path f"), @r#"{"output_len":256}"#);
    insta::assert_snapshot!(args("--dataset-name speed_bench --dataset-path f --speed-bench-category math"), @r#"{"subset":"qualitative","output_len":4096,"category":"math"}"#);
    insta::assert_snapshot!(args("--dataset-name hf --dataset-path a/b --hf-split train --hf-output-len 9 --bfcl-categories 'simple, multiple' --asr-max-audio-len-sec inf"), @r#"{"split":"train","output_len":9,"bfcl_categories":["simple","multiple"]}"#);
    insta::assert_snapshot!(args("--dataset-name sonnet --dataset-path f"), @r#"{"input_len":550,"output_len":150,"prefix_len":200}"#);
    insta::assert_snapshot!(args("--dataset-name burstgpt --dataset-path f --self-timed --output-len 9"), @r#"{"in_order":true,"output_len":9}"#);
    insta::assert_snapshot!(args("--dataset-name spec_bench --dataset-path f --skip-chat-template"), @r#"{"output_len":256,"chat_template":false}"#);
    assert_eq!(
        plan("--dataset-name line_by_line --dataset-path f --output-len 9").body("m").max_tokens,
        Some((9, 9))
    );
}

#[test]
fn recorded_moments_are_kept_where_there_are_any() {
    let pacing = |line: &str| format!("{:?}", plan(line).points[0].pacing);
    assert_eq!(pacing("--dataset-name timed_trace --dataset-path f"), "Recorded");
    assert_eq!(pacing("--dataset-name timed_trace --dataset-path f --no-self-timed"), "AtOnce");
    assert_eq!(pacing("--dataset-name burstgpt --dataset-path f"), "AtOnce");
    assert_eq!(pacing("--dataset-name burstgpt --dataset-path f --self-timed"), "Recorded");
    insta::assert_snapshot!(refused("--self-timed"), @"
    error: --self-timed is for datasets that tell when requests were sent, and random does not
    hint: leave it out, or use --dataset-name timed_trace or burstgpt
    ");
    insta::assert_snapshot!(refused("--no-self-timed --dataset-name sharegpt --dataset-path f").lines().next().unwrap(), @"error: --no-self-timed is for datasets that tell when requests were sent, and sharegpt does not");
}

#[test]
fn what_changes_nothing_is_said() {
    insta::assert_snapshot!(
        notes("--use-beam-search --no-stream --trust-remote-code --burstiness 2 --hf-name x --logprobs 2 --backend openai-chat \
               --disable-shuffle --ramp-up-end-rps 5 --save-detailed --tokenizer-mode auto --chat-template-kwargs '{}'").join("\n"), @"
    --use-beam-search changes nothing: vllm bench serve reads it nowhere either
    --no-stream changes nothing: datasets are read as far as they are needed
    --trust-remote-code changes nothing: no code of a tokenizer's is run
    --tokenizer-mode changes nothing: every tokenizer is read from its tokenizer.json
    --ramp-up-end-rps changes nothing: without --ramp-up-strategy there is no ramp
    --save-detailed changes nothing: without --save-result or --append-result no file of its own is saved; the log keeps every request all the same
    --hf-name changes nothing: it is for --dataset-name hf
    --disable-shuffle changes nothing: prompts that are drawn have no order
    --burstiness changes nothing: no rate paces the requests
    --chat-template-kwargs changes nothing: it is for custom and speed_bench, whose prompts get a chat template
    --logprobs changes nothing: it is for --backend vllm and openai
    ");
    assert_eq!(notes("--model m --num-prompts 5"), [""; 0]);
    let pooling = "--backend openai-embeddings --percentile-metrics";
    assert_eq!(
        notes(&format!("{pooling} ttft,e2el,itl")),
        [
            "--percentile-metrics: nothing is shown for ttft, itl: openai-embeddings generates nothing"
        ]
    );
    assert_eq!(notes(&format!("{pooling} e2el --goodput e2el:5")), [""; 0]);
}

#[test]
fn secrets_of_headers_are_in_no_plan() {
    let mut surroundings = Surroundings::default();
    let line =
        "--header 'Authorization=Bearer s3cret' X-Team=blue --base-url 'http://h?sig=s3cret'";
    let config = rules(flags(line).unwrap(), &mut surroundings, &|_| false).unwrap();
    let plan = resolve(config, &surroundings).unwrap().plan;
    let shown = format!("{plan:?}{}", plan.to_yaml());
    assert!(!shown.contains("s3cret") && shown.contains("X-Team: blue"), "{shown}");
    assert_eq!(plan.target.headers.len(), 2);
    assert!(refused("--header Bearer s3cret").starts_with("error: --header: value 1 is not"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    insta::assert_snapshot!(refused("--ramp-up-strategy linear --ramp-up-start-rps 1"), @"
    error: --ramp-up-strategy goes from --ramp-up-start-rps to --ramp-up-end-rps, and one of them is missing
    hint: for example --ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 50
    ");
    insta::assert_snapshot!(refused("--request-rate 5 --ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 5"), @"
    error: --request-rate stands beside --ramp-up-strategy, which says the rate
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused("--ramp-up-strategy linear --ramp-up-start-rps 9 --ramp-up-end-rps 5"), @"
    error: --ramp-up-start-rps: 9 is above --ramp-up-end-rps 5
    hint: a ramp goes up here; a plan may have one that goes down (docs/plan.md)
    ");
    insta::assert_snapshot!(refused("--ramp-up-strategy exponential --ramp-up-start-rps 0 --ramp-up-end-rps 5"), @"
    error: --ramp-up-start-rps: an exponential ramp never leaves 0
    hint: begin at 1, or use --ramp-up-strategy linear
    ");
    insta::assert_snapshot!(refused("--dataset-path f.json"), @"
    error: --dataset-path: random draws its prompts and reads no file: f.json
    hint: leave it out, or name the file's dataset: --dataset-name sharegpt, custom, hf
    ");
    insta::assert_snapshot!(refused("--dataset-name timed_trace --dataset-path f --backend openai-chat"), @"
    error: --dataset-name timed_trace sends token ids, which --backend openai-chat does not take
    hint: use --backend vllm or openai
    ");
    insta::assert_snapshot!(refused("--dataset-name random-mm"), @"
    error: --dataset-name random-mm sends images, which --backend openai does not take
    hint: use --backend openai-chat
    ");
    insta::assert_snapshot!(refused("--backend openai-embeddings --goodput e2el:9 ttft:5"), @"
    error: --goodput: with --backend openai-embeddings there is no ttft: nothing is generated
    hint: for example --goodput e2el:500
    ");
    insta::assert_snapshot!(refused("--extra-body '{\"stream\": false}'"), @"
    error: --extra-body: stream would override what this program relies on
    hint: leave it out: what generates is always streamed here, for latencies are taken from the stream
    ");
    insta::assert_snapshot!(refused("--backend nope").lines().nth(1).unwrap().split(',').next().unwrap(), @"hint: known: vllm");
    insta::assert_snapshot!(refused("--backend openai-audio --temperature 1"), @"
    error: --temperature does not go with --backend openai-audio
    hint: leave it out
    ");
    insta::assert_snapshot!(refused("--tokenizer-mode mistral").lines().next().unwrap(), @"error: --tokenizer-mode mistral is not in this version");
    insta::assert_snapshot!(refused("--dataset-name custom --dataset-path f --chat-template-kwargs '{\"a\": 1}'").lines().next().unwrap(), @"error: --chat-template-kwargs is not in this version for --backend openai");
}

#[test]
fn values_out_of_range_are_refused() {
    let first = |line: &str| refused(line).lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        first("--request-rate 0"),
        "error: --request-rate: must be from one request a year to 1,000,000 a second, or inf, not 0"
    );
    assert_eq!(first("--burstiness -1"), "error: --burstiness: must be above 0, not -1");
    assert_eq!(
        first("--random-range-ratio 1.0"),
        "error: --random-range-ratio: 1 is not from 0 to less than 1"
    );
    assert_eq!(
        first("--metric-percentiles 50,101"),
        "error: --metric-percentiles: 101 is no percentile: they go from 0 to 100"
    );
    assert_eq!(
        first("--percentile-metrics ttft,latency"),
        "error: --percentile-metrics: there is no metric latency"
    );
    assert_eq!(first("--goodput itl:5"), "error: --goodput: itl is no metric of goodput");
    assert_eq!(first("--goodput ttft"), "error: --goodput: ttft is not METRIC:MILLISECONDS");
    assert_eq!(
        first("--extra-body '{\"max_tokens\": 5}'"),
        "error: --extra-body: max_tokens would override what this program relies on"
    );
    assert_eq!(
        first("--dataset-name sharegpt"),
        "error: --dataset-path: the dataset sharegpt is read from a file, and none is given"
    );
    assert_eq!(
        first("--timeline-itl-thresholds 25"),
        "error: --timeline-itl-thresholds takes two numbers, not 1"
    );
    assert_eq!(first("--dataset-name sonet"), "error: --dataset-name: there is no dataset sonet");
    assert_eq!(first("--output-len 0"), "error: --output-len: 0 is no number of tokens");
    assert_eq!(
        first("--probe-request-rate -2"),
        "error: --probe-request-rate: must be from one request a year to 1,000,000 a second, not -2"
    );
}

#[test]
fn metadata_is_no_place_for_a_secret() {
    let refused = refused("--model m --metadata tp=2 hub_token=s3cret");
    assert!(refused.contains("--metadata: hub_token is what secrets are called"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
}

#[test]
fn prompts_in_batches_stay_what_was_typed_for_the_report() {
    let batches = "--backend openai-embeddings --model m --num-prompts 1000 --random-batch-size 8";
    let plan = plan(batches);
    let Reporting::Vllm(told) = &plan.report else { panic!("reports are vLLM's") };
    let prompts = told.num_prompts.map(std::num::NonZeroU64::get);
    assert_eq!((plan.points[0].number.get(), prompts), (125, Some(1_000)));
    assert_eq!(
        notes(batches),
        ["--num-prompts 1000 are 125 requests: one request is a whole batch"]
    );
    let Reporting::Vllm(told) = self::plan("--model m").report else {
        panic!("reports are vLLM's")
    };
    assert_eq!(told.num_prompts, None);
}
