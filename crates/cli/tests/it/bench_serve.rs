//! `bench serve`: vLLM's command line, from flags to its result file.

use crate::{Workplace, files_below, json};

/// A small load on the simulator.
const SMALL: &str = "bench serve --base-url 'sim://?ttft_ms=5&itl_ms=1' --backend openai-chat --model m --num-prompts 8 \
                     --max-concurrency 4 --random-input-len 20 --random-output-len 4";

/// The first two lines that are no notes: what is wrong, and the hint.
fn refused(place: &Workplace, line: &str) -> String {
    let ended = place.run_to(2, line);
    assert_eq!(ended.stdout, "", "a refusal is no data");
    let mut left = Vec::new();
    files_below(&place.path().join("outputs"), &mut left);
    assert!(left.is_empty(), "{left:?}");
    let lines: Vec<_> = ended.stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
    lines.join("\n")
}

#[test]
fn a_run_prints_its_block_and_saves_its_result() {
    let place = Workplace::new();
    let line = format!(
        "{SMALL} --save-result --result-dir results --result-filename a.json --metadata tp=2 --goodput ttft:60000 \
         --percentile-metrics ttft,e2el --metric-percentiles 50,99.9"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    for row in ["Serving Benchmark Result", "Maximum request concurrency:", "P99.9 E2EL (ms):"] {
        assert!(ended.stdout.contains(row), "{row}: {}", ended.stdout);
    }
    let result = json(&place.path().join("results/a.json"));
    assert_eq!(result["completed"], 8);
    assert_eq!(result["total_output_tokens"], 32);
    assert_eq!((&result["backend"], &result["tp"]), (&"openai-chat".into(), &"2".into()));
    assert_eq!(result["request_rate"], "inf");
    assert!(result["request_goodput"].as_f64().is_some_and(|good| good > 0.0), "{result}");
    assert!(result.get("ttfts").is_none(), "only --save-detailed keeps them");
    assert!(place.run_folder().join("parallel_4_number_8/result.json").exists());
}

#[test]
fn a_plan_that_was_shown_does_the_same_run() {
    let place = Workplace::new();
    let dry = place.run_to(0, &format!("{SMALL} --dry-run"));
    place.write("plan.yaml", &dry.stdout);
    assert_eq!(place.run_to(0, "run plan.yaml --dry-run").stdout, dry.stdout);
    let ended = place.run("run plan.yaml");
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    assert!(ended.stdout.contains("Serving Benchmark Result"), "{}", ended.stdout);
    let other = Workplace::new();
    assert!(matches!(other.run(SMALL).code, 0 | 4));
    let (by_plan, by_flags) = (place.log(), other.log());
    let tokens = |log: &tokometer_record::RunLog| {
        let mut tokens: Vec<_> = log.points[0]
            .records
            .iter()
            .map(|record| (record.index, record.prompt_tokens, record.output_tokens))
            .collect();
        tokens.sort_by_key(|(index, ..)| *index);
        tokens
    };
    assert_eq!(tokens(&by_plan), tokens(&by_flags));
    assert_eq!(by_plan.header.arguments, by_flags.header.arguments);
}

#[test]
fn flags_come_from_a_file_and_typed_ones_win() {
    let place = Workplace::new();
    place.write(
        "bench.yaml",
        "backend: openai-chat\nbase_url: 'sim://?ttft_ms=5'\nmodel: m\nnum-prompts: 500\nmax-concurrency: 3\n",
    );
    let dry = place.run_to(0, "bench serve --config bench.yaml --num_p 7 --dry-run").stdout;
    assert!(dry.contains("- parallel: 3\n      number: 7\n"), "{dry}");
    assert!(dry.contains("url: sim:///v1/chat/completions?ttft_ms=5"), "{dry}");
}

#[test]
fn what_is_wrong_in_a_file_of_flags_is_told_with_its_line() {
    let place = Workplace::new();
    place.write("bad.yaml", "model: m\nnum-promts: 5\n");
    insta::assert_snapshot!(refused(&place, "bench serve --config bad.yaml"), @"
    error: bad.yaml:2: there is no flag num-promts
    hint: did you mean num-prompts?
    ");
    place.write("late.yaml", "model: m\n\nrequest-rate: 0\n");
    insta::assert_snapshot!(refused(&place, "bench serve --config late.yaml"), @"
    error: late.yaml:3: --request-rate: must be from one request a year to 1,000,000 a second, or inf, not 0
    hint: requests per second, or inf for all at once
    ");
    insta::assert_snapshot!(refused(&place, "bench serve --config nowhere.yaml"), @"
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    hint: check --config
    ");
    insta::assert_snapshot!(refused(&place, "bench serve --config flags.txt"), @"
    error: --config: flags.txt is no YAML file by its name
    hint: the file's name must end in .yaml or .yml
    ");
}

#[test]
fn a_line_that_cannot_be_meant_is_refused() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, "bench serve --num 5"), @"
    error: --num could be --num-prompts, --num-warmups
    hint: write as much of it as tells them apart
    ");
    insta::assert_snapshot!(refused(&place, "bench serve --num-promts 5"), @"
    error: there is no flag --num-promts
    hint: did you mean --num-prompts? tokometer bench serve --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, "bench serve --backend openai-chat --endpoint /v1/completions"), @"
    error: --endpoint /v1/completions is no endpoint of --backend openai-chat, which ends in /chat/completions
    hint: leave --endpoint out for /v1/chat/completions, or use --backend vllm
    ");
    insta::assert_snapshot!(refused(&place, "bench serve --lora-assignment x"), @r#"
    error: --lora-assignment: "x" is none of random, round-robin
    hint: tokometer bench serve --help shows every flag
    "#);
    insta::assert_snapshot!(refused(&place, "bench latency --model m"), @"
    error: bench latency measures vLLM inside its own process, and this program measures servers from outside
    hint: use vllm bench latency; tokometer bench serve --max-concurrency 1 measures one request at a time
    ");
    insta::assert_snapshot!(refused(&place, "bench srve"), @"
    error: there is no command srve
    hint: did you mean serve? tokometer bench --help shows every command
    ");
}

#[test]
fn what_is_wrong_with_a_dataset_is_told_by_vllms_flags() {
    let place = Workplace::new();
    let line = |flags: &str| format!("bench serve --base-url sim:// --model m {flags}");
    let said = refused(&place, &line("--dataset-name sharegpt --dataset-path nowhere.json"));
    assert!(said.starts_with("error: cannot read nowhere.json"), "{said}");
    place.write("rows.json", "{\"no\": \"list\"}");
    let said = refused(&place, &line("--dataset-name sharegpt --dataset-path rows.json"));
    assert!(
        said.starts_with(
            "error: rows.json:1: field conversations is missing\nhint: the file should be"
        ),
        "{said}"
    );
    place.write("questions.jsonl", "{\"category\": \"math\", \"turns\": [\"add\"]}\n");
    let said = refused(
        &place,
        &line("--dataset-name spec_bench --dataset-path questions.jsonl --spec-bench-category mth"),
    );
    assert_eq!(
        said,
        "error: --spec-bench-category: there is no category mth; those there are: math"
    );
    std::fs::create_dir(place.path().join("folder")).unwrap();
    place.write("folder/test.csv", "question,answer\nwho,me\n");
    let said = refused(
        &place,
        &line("--dataset-name hf --dataset-path folder --hf-name openai/gsm8k --hf-split train"),
    );
    assert_eq!(said, "error: --hf-split: folder: it has no split train; it has test");
    insta::assert_snapshot!(
        refused(&place, &line("--random-input-len 0")).lines().next().unwrap(),
        @"error: --random-input-len: 0 leaves no token for the shortest prompt, beside 0 special tokens and a range_ratio of 0"
    );
    let said = refused(
        &place,
        &line("--dataset-name sharegpt --dataset-path rows.json --tokenizer ./nowhere"),
    );
    assert!(said.contains("hint: give --tokenizer a folder"), "{said}");
}

#[test]
fn recorded_moments_are_kept() {
    let place = Workplace::new();
    let row = |at: u32| {
        format!(
            "{{\"timestamp\": {at}, \"input_length\": 20, \"output_length\": 2, \"hash_ids\": [1, 2]}}\n"
        )
    };
    place.write("trace.jsonl", &[9_000, 9_150, 9_300].map(row).concat());
    let line = "bench serve --base-url sim://?ttft_ms=2 --model m --dataset-name timed_trace --dataset-path trace.jsonl \
                --timed-trace-sec-multiplier 0.001 --num-prompts 3";
    let ended = place.run(line);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    let log = place.log();
    let mut scheduled: Vec<_> =
        log.points[0].records.iter().map(|record| record.scheduled.as_nanos()).collect();
    scheduled.sort_unstable();
    let gaps: Vec<_> = scheduled.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    assert_eq!(gaps, [150, 150]);
}
