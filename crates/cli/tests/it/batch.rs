//! `batch` and `single`: a grid from a YAML file, its folder, what fails in it, and going on with it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::by_hand::{self, Asked};
use crate::{Ended, Workplace, files_below, json};

/// The batch of the document that the command comes from, with its server in place of a blank.
const DOCUMENT: &str = r#"model: "/data/model/cognitivecomputations/DeepSeek-R1-awq"
base_url: "BASE_URL"
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

/// Two combinations that a model of 600 tokens takes, and two that it does not.
const HALF: &str = "\
model: org/tiny-AWQ
base_url: 'sim://?ttft_ms=2&itl_ms=1&max_model_len=600'
input_output: [[20, 4], [2000, 4]]
concurrency_prompts: [[2, 6], [1, 3]]
metadata: {tp: 4, gpu: H100, price_per_hour: 12.5}
";

/// The one folder of results.
fn folder(place: &Workplace) -> PathBuf {
    let mut folders: Vec<_> = fs::read_dir(place.path().join("results"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

/// The files in a folder itself, without those below it.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refused(place: &Workplace, line: &str) -> String {
    let ended = place.run_to(2, line);
    assert_eq!(ended.stdout, "", "a refusal is no data");
    ended.stderr.trim_end().to_owned()
}

#[test]
fn the_documents_batch_runs_with_nothing_but_its_server_changed() {
    let place = Workplace::new();
    place.write("config.yaml", &DOCUMENT.replace("BASE_URL", "sim://?ttft_ms=2&itl_ms=0.05"));
    let ended = place.run("batch");
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let folder = folder(&place);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("DeepSeek-R1_").unwrap();
    assert!(time.len() == 15 && time.as_bytes()[8] == b'_', "{name}");
    assert_eq!(
        names(&folder),
        [
            "batch.yaml",
            "bench_io1024x1024_mc1_np10.json",
            "bench_io1024x1024_mc4_np40.json",
            "bench_io512x512_mc1_np10.json",
            "bench_io512x512_mc4_np40.json",
            "status.yaml",
        ]
    );
    for (name, lengths, at_once, requests) in [
        ("bench_io512x512_mc1_np10", 512, 1, 10),
        ("bench_io512x512_mc4_np40", 512, 4, 40),
        ("bench_io1024x1024_mc1_np10", 1024, 1, 10),
        ("bench_io1024x1024_mc4_np40", 1024, 4, 40),
    ] {
        let result = json(&folder.join(format!("{name}.json")));
        let of = |key: &str| result[key].as_u64().unwrap();
        assert_eq!([of("completed"), of("failed"), of("max_concurrency")], [requests, 0, at_once]);
        assert_eq!(of("total_input_tokens"), lengths * requests, "{name}");
        assert_eq!(of("total_output_tokens"), lengths * requests, "{name}");
        assert_eq!((&result["backend"], &result["request_rate"]), (&"vllm".into(), &"inf".into()));
        for figure in ["mean_ttft_ms", "median_tpot_ms", "std_itl_ms", "p99_e2el_ms"] {
            assert!(result[figure].as_f64().is_some_and(|value| value > 0.0), "{name} {figure}");
        }
        let log =
            tokometer_record::read(&folder.join("runs").join(name).join("run.jsonl")).unwrap();
        assert_eq!(log.points[0].records.len() as u64, requests);
        let row = ended.stdout.lines().find(|row| row.starts_with(name)).unwrap();
        assert_eq!(row.split_whitespace().nth(1), Some(requests.to_string().as_str()), "{row}");
    }
    assert!(ended.stderr.contains("combination 4 of 4"), "{}", ended.stderr);
    assert!(ended.stderr.contains("tokometer aggregate --dir results/"), "{}", ended.stderr);
    let again = place.run("batch --resume");
    assert_eq!((again.code, &again.stdout), (ended.code, &ended.stdout), "nothing was left to run");
}

#[test]
fn a_combination_that_fails_is_explained_and_the_rest_stands() {
    let place = Workplace::new();
    place.write("config.yaml", HALF);
    let ended = place.run_to(5, "batch");
    let folder = folder(&place);
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("tiny_"), "{folder:?}");
    assert_eq!(
        names(&folder),
        [
            "batch.yaml",
            "bench_io2000x4_mc1_np3.error.txt",
            "bench_io2000x4_mc2_np6.error.txt",
            "bench_io20x4_mc1_np3.json",
            "bench_io20x4_mc2_np6.json",
            "status.yaml",
        ]
    );
    let result = json(&folder.join("bench_io20x4_mc2_np6.json"));
    assert_eq!(result["completed"], 6);
    assert_eq!((result["tp"].as_u64(), result["price_per_hour"].as_f64()), (Some(4), Some(12.5)));
    let why = fs::read_to_string(folder.join("bench_io2000x4_mc2_np6.error.txt")).unwrap();
    let said = "bench_io2000x4_mc2_np6: no request succeeded: 6 of 6: HTTP 400: This model's maximum context length is 600 tokens.";
    assert!(why.starts_with(said), "{why}");
    assert!(ended.stderr.contains("2 of 4 combinations have no result"), "{}", ended.stderr);
    let failed = ended.stdout.lines().filter(|row| row.ends_with("  failed"));
    assert_eq!(failed.count(), 2, "{}", ended.stdout);
}

#[test]
fn resuming_runs_what_has_no_result_and_leaves_the_rest_alone() {
    let place = Workplace::new();
    place.write("config.yaml", HALF);
    place.run_to(5, "batch");
    let folder = folder(&place);
    let kept = folder.join("bench_io20x4_mc1_np3.json");
    let before = fs::read(&kept).unwrap();
    // One is lost, one was cut short as by a full disk.
    fs::remove_file(folder.join("bench_io20x4_mc2_np6.json")).unwrap();
    let dry = place.run_to(0, "batch --resume --dry-run").stdout;
    assert_eq!(dry.matches("; is there").count(), 1, "{dry}");
    assert!(dry.ends_with("4 combinations, 15 requests to send\n"), "{dry}");
    let ended = place.run_to(5, "batch --resume");
    assert!(
        ended.stderr.contains("1 of 4 combinations have their result already"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read(&kept).unwrap(), before, "what was there is not run again");
    assert_eq!(json(&folder.join("bench_io20x4_mc2_np6.json"))["completed"], 6);
    let mut earlier = Vec::new();
    files_below(&folder.join("earlier"), &mut earlier);
    assert_eq!(earlier.iter().filter(|path| path.ends_with("run.earlier.jsonl")).count(), 3);
    assert!(!earlier.iter().any(|path| path.ends_with("run.jsonl")), "an attempt is no run");
}

#[test]
fn a_folder_of_another_batch_is_not_gone_on_with() {
    let place = Workplace::new();
    place.write("config.yaml", HALF);
    place.run_to(5, "batch");
    let folder = folder(&place);
    let name = folder.file_name().unwrap().to_str().unwrap();
    place.write("other.yaml", &HALF.replace("[[2, 6], [1, 3]]", "[[2, 7]]"));
    let said = refused(&place, &format!("batch --config other.yaml --resume {name}"));
    assert!(
        said.starts_with(&format!(
            "error: results/{name} holds another batch, which differs in concurrency_prompts\nhint: "
        )),
        "{said}"
    );
    let said = refused(&place, "batch --config other.yaml --resume");
    assert!(said.starts_with("error: results holds no folder of this batch\nhint: "), "{said}");
    let said = refused(&place, "batch --resume nowhere");
    assert!(said.starts_with("error: results/nowhere is no folder of a batch"), "{said}");
    // The folder's own batch is the batch.
    place.run_to(5, &format!("batch --config results/{name}/batch.yaml --resume"));
}

#[test]
fn repetitions_pauses_and_open_loops_are_run() {
    let place = Workplace::new();
    place.write(
        "config.yaml",
        "model: m\nbase_url: 'sim://?ttft_ms=2&itl_ms=1'\ninput_output: [[8, 2]]\nrate_prompts: [[100, 5]]\n\
         repetitions: 2\norder: random\npause: 50ms\nslo: {ttft: 60000}\nextra_body: {top_k: 5}\nresults_dir: kept/here\n\
         plan: {generation: {temperature: 0.5}, output: {vllm: {percentiles: [50, 99.9]}}}\n",
    );
    let ended = place.run("batch");
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let mut files = Vec::new();
    files_below(&place.path().join("kept/here"), &mut files);
    let found = |end: &str| files.iter().find(|path| path.ends_with(end)).cloned().unwrap();
    let second = json(&found("bench_io8x2_rps100_np5_rep2.json"));
    assert_eq!((&second["request_rate"], &second["repetition"]), (&100.0.into(), &2.into()));
    assert!(second["p99.9_e2el_ms"].as_f64().is_some(), "{second}");
    assert!(second["request_goodput"].as_f64().is_some_and(|good| good > 0.0), "{second}");
    let log = tokometer_record::read(&found("runs/bench_io8x2_rps100_np5/run.jsonl")).unwrap();
    assert!(log.header.plan.contains("temperature: 0.5"), "{}", log.header.plan);
    assert!(log.header.plan.contains("top_k: 5"), "{}", log.header.plan);
    assert!(ended.stderr.contains("pausing for 0.1 s"), "{}", ended.stderr);
}

/// A server that answers as vLLM does, and signs with this fingerprint.
fn signing(fingerprint: &'static str) -> String {
    let address = by_hand::serve(move |asked: &Asked| match asked.path() {
        "/v1/completions" if asked.body.contains("\"stream\":true") => by_hand::events(&[
            r#"{"choices": [{"index": 0, "text": "word", "finish_reason": "length"}], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}"#,
            "[DONE]",
        ]),
        "/v1/completions" => by_hand::json(&serde_json::json!({
            "choices": [{ "text": "a", "finish_reason": "length" }], "system_fingerprint": fingerprint,
        })),
        "/v1/models" => by_hand::json(&serde_json::json!({ "data": [{ "id": "m" }] })),
        _ => by_hand::json(&serde_json::json!({})),
    });
    format!("http://{address}")
}

#[test]
fn what_vllm_tells_of_its_gpus_stands_in_every_result() {
    let told = |fingerprint: &'static str, own: &str| -> Value {
        let place = Workplace::new();
        place.write(
            "config.yaml",
            &format!(
                "model: m\nbase_url: {}\ninput_output: [[8, 2]]\nconcurrency_prompts: [[1, 2]]\n{own}",
                signing(fingerprint)
            ),
        );
        let ended = place.run("batch");
        assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
        json(&folder(&place).join("bench_io8x2_mc1_np2.json"))
    };
    let result = told("vllm-0.32.0-tp4-dp2-01234567", "");
    assert_eq!((&result["tp"], &result["gpus"]), (&4.into(), &8.into()));
    let result = told("vllm-0.32.0-01234567", "");
    assert!(result.get("tp").is_none() && result.get("gpus").is_none(), "nothing is guessed");
    let result = told("vllm-0.32.0-tp4-01234567", "metadata: {tp: 2}\n");
    assert_eq!(result["tp"], 2, "what was written stands");
}

#[test]
fn a_server_that_is_not_there_is_told_once_and_nothing_is_left_behind() {
    let place = Workplace::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write(
        "config.yaml",
        &HALF.replace(
            "sim://?ttft_ms=2&itl_ms=1&max_model_len=600",
            &format!("http://127.0.0.1:{port}"),
        ),
    );
    let ended = place.run_to(1, "batch");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("does not answer: connection refused"), "{}", ended.stderr);
    assert!(ended.stderr.contains("check the host and the port of base_url"), "{}", ended.stderr);
    let mut left = Vec::new();
    files_below(&place.path().join("results"), &mut left);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_wrong_is_found_before_any_request() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, "batch"), @"
    error: cannot read config.yaml: No such file or directory (os error 2)
    hint: write one, or name another with --config; a batch needs model: NAME, base_url: http://localhost:8000, input_output: [[512, 512]] and concurrency_prompts: [[4, 40]]; tokometer batch --help shows it as a file
    ");
    place.write("config.yaml", "model: m\nbase_url: sim://\ninput_outputs: [[1, 1]]\n");
    insta::assert_snapshot!(refused(&place, "batch"), @"
    error: config.yaml:3:1: unknown key input_outputs
    hint: did you mean input_output?
    ");
    place.write("config.yaml", &HALF.replace("[[20, 4], [2000, 4]]", "[[20, -4]]"));
    insta::assert_snapshot!(refused(&place, "batch"), @"
    error: config.yaml:3:21: input_output.0.1: out of range: expected a whole number from 0 to 4294967295
    hint: docs/batch.md tells of every setting
    ");
    place.write("config.yaml", &HALF.replace("sim://?", "sim://?itl=3&"));
    let said = refused(&place, "batch");
    assert!(said.contains("error: the simulator has no option itl\nhint: "), "{said}");
    place.write("taken", "");
    place.write("config.yaml", &format!("{HALF}results_dir: taken/in\n"));
    let ended = place.run_to(1, "batch");
    assert!(ended.stderr.starts_with("error: cannot write taken/in: "), "{}", ended.stderr);
    let mut left = Vec::new();
    files_below(&place.path().join("results"), &mut left);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_dry_run_lists_the_combinations_and_sends_nothing() {
    let place = Workplace::new();
    place.write("config.yaml", &DOCUMENT.replace("BASE_URL", "http://127.0.0.1:9"));
    let ended = place.run_to(0, "batch --dry-run");
    insta::assert_snapshot!(ended.stdout, @"
    results/DeepSeek-R1_<time>/
       1  bench_io512x512_mc1_np10.json    512 in, 512 out, 1 at a time, 10 requests
       2  bench_io512x512_mc4_np40.json    512 in, 512 out, 4 at a time, 40 requests
       3  bench_io1024x1024_mc1_np10.json  1024 in, 1024 out, 1 at a time, 10 requests
       4  bench_io1024x1024_mc4_np40.json  1024 in, 1024 out, 4 at a time, 40 requests
    4 combinations, 100 requests to send
    ");
    assert!(!place.path().join("results").exists());
}

#[test]
fn ctrl_c_ends_the_batch_and_it_goes_on_where_it_was() {
    let place = Workplace::new();
    place.write(
        "config.yaml",
        "model: m\nbase_url: 'sim://?ttft_ms=2&itl_ms=1'\ninput_output: [[8, 2], [8, 20000]]\nconcurrency_prompts: [[1, 2]]\n\
         plan: {load: {drain: 100ms}}\n",
    );
    let mut child =
        place.command("batch").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // The first of these tells that the load of the second combination is on its way.
    while !(line.contains("parallel_1_number_2") && line.contains("1 in flight")) {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended by itself");
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{rest}");
    assert!(rest.contains("the batch was interrupted; go on with: tokometer batch --config config.yaml --resume results/m_"), "{rest}");
    let folder = folder(&place);
    assert_eq!(names(&folder), ["batch.yaml", "bench_io8x2_mc1_np2.json", "status.yaml"]);
    assert!(folder.join("runs/bench_io8x20000_mc1_np2/run.jsonl").exists(), "its log is kept");
    let row = ended.stdout.lines().last().unwrap();
    assert!(row.starts_with("bench_io8x20000_mc1_np2") && row.ends_with("not run"), "{row}");
}

#[test]
fn a_single_run_is_kept_as_a_batch_is() {
    let place = Workplace::new();
    let line = "single --model /models/Qwen3-GPTQ --base-url 'sim://?ttft_ms=2&itl_ms=1' --num-prompts 6 --max-concurrency 3 \
                --random-input-len 12 --random-output-len 3";
    let ended = place.run(line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("Serving Benchmark Result"), "{}", ended.stdout);
    let folder = folder(&place);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("Qwen3_").unwrap();
    let single = format!("single_bench_{time}");
    assert_eq!(names(&folder), ["batch.yaml".to_owned(), format!("{single}.json")]);
    let result = json(&folder.join(format!("{single}.json")));
    assert_eq!((&result["completed"], &result["total_input_tokens"]), (&6.into(), &72.into()));
    assert!(folder.join("runs").join(&single).join("run.jsonl").exists());
}

#[test]
fn a_single_run_has_the_defaults_of_its_tool_and_refuses_by_its_flags() {
    let place = Workplace::new();
    let dry = place.run_to(0, "single --model m --base-url sim:// --dry-run").stdout;
    for line in
        ["    - parallel: 10", "      number: 100", "    input_len: 256", "    output_len: 256"]
    {
        assert!(dry.lines().any(|shown| shown.trim_end() == line), "{line}: {dry}");
    }
    insta::assert_snapshot!(refused(&place, "single --model m"), @"
    error: --base-url is missing
    hint: tokometer single --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, "single --model m --base-url h:80"), @"
    error: --base-url: not a URL: it has no http:// or https:// before the host
    hint: for example http://localhost:8000, or sim://h100-llama-3.1-8b for a simulator
    ");
    insta::assert_snapshot!(refused(&place, "single --model m --base-url sim:// --num-prompts 0"), @"
    error: --num-prompts: must be at least 1, not 0
    hint: tokometer single --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, "single --model m --base-url sim:// --random-input-len 0"), @"
    error: --random-input-len: must be at least 1, not 0
    hint: tokometer single --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, "single --model m --base-url sim:// --num-promts 5"), @"
    error: there is no flag --num-promts
    hint: did you mean --num-prompts? tokometer single --help shows every flag
    ");
    assert!(!place.path().join("results").exists());
}

#[test]
fn the_examples_are_batches_that_can_be_resolved() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/batch");
    let files = names(&examples);
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let place = Workplace::new();
        let config = examples.join(&file);
        let ended = place.run_to(0, &format!("batch --config {} --dry-run", config.display()));
        assert!(ended.stdout.contains("requests to send"), "{file}: {}", ended.stdout);
    }
}
