//! Whole runs: the documents' commands scaled down, what they leave behind, and how they end.

use std::fs;

use tokometer_record::{FailureKind, Phase};

use crate::{QUICK, Workplace, by_hand, files_below, json, tokenizer};

#[test]
fn the_sweep_of_the_documents_runs_and_leaves_its_files() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 1 5 --number 3 10 --model qwen3-32b --url {QUICK} --api openai --dataset random \
         --max-tokens 8 --min-tokens 8 --prefix-length 0 --min-prompt-length 32 --max-prompt-length 32 \
         --tokenizer-path {} --extra-args '{{\"ignore_eos\": true}}' --sleep-interval 0",
        tokenizer()
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    for part in ["Benchmarking summary:", "Percentile results:", "Performance Test Summary Report"]
    {
        assert!(ended.stdout.contains(part), "{part} is missing:\n{}", ended.stdout);
    }
    let folder = place.run_folder();
    let mut files = Vec::new();
    files_below(&folder, &mut files);
    let files: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(&folder).unwrap().display().to_string())
        .collect();
    insta::assert_snapshot!(files.join("\n"), @"
    benchmark.log
    parallel_1_number_3/benchmark_args.json
    parallel_1_number_3/benchmark_percentile.json
    parallel_1_number_3/benchmark_summary.json
    parallel_1_number_3/workload_throughput.json
    parallel_1_number_3/workload_timeline.json
    parallel_5_number_10/benchmark_args.json
    parallel_5_number_10/benchmark_percentile.json
    parallel_5_number_10/benchmark_summary.json
    parallel_5_number_10/workload_throughput.json
    parallel_5_number_10/workload_timeline.json
    performance_summary.txt
    run.jsonl
    summary.json
    ");
    assert_eq!(folder.file_name().unwrap(), "qwen3-32b");

    let log = place.log();
    assert!(log.end.unwrap().complete);
    assert_eq!(log.points.iter().map(|point| point.records.len()).collect::<Vec<_>>(), [3, 10]);
    let records = log.points.iter().flat_map(|point| &point.records);
    for record in records.clone() {
        assert!(record.succeeded(), "{record:?}");
        assert_eq!(record.prompt_tokens.local, Some(32));
        assert_eq!(record.prompt_tokens.server, Some(32), "the server confirms the length");
        assert_eq!(record.output_tokens.unwrap().count, 8);
    }
    let arguments = json(&folder.join("parallel_5_number_10/benchmark_args.json"));
    assert_eq!(arguments["parallel"], 5);
    assert_eq!(arguments["dataset_offset"], 3);
    assert_eq!(arguments["extra_args"]["ignore_eos"], true);
}

#[test]
fn the_comparison_of_the_documents_runs() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 5 --number 20 --log-every-n-query 10 --model Qwen2.5-0.5B-Instruct --url {QUICK} --api openai \
         --dataset random --max-tokens 8 --prefix-length 0 --min-prompt-length 24 --max-prompt-length 24 \
         --tokenizer-path {} --extra-args '{{\"ignore_eos\": true}}'",
        tokenizer()
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let journal = fs::read_to_string(place.run_folder().join("benchmark.log")).unwrap();
    for part in [
        "INFO: Save the result to: outputs/",
        "INFO: Test connection successful.",
        "INFO: Starting benchmark with args: ",
        "\"Total Requests\": 10,",
        "\"Total Requests\": 20,",
        "INFO: Performance summary saved to: outputs/",
    ] {
        assert!(journal.contains(part), "{part} is missing:\n{journal}");
    }
}

#[test]
fn a_report_is_made_again_as_it_was() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 2 4 --number 6 8 --model m --url {QUICK}&fault=status_503&fault_requests=3 --prompt hi \
         --max-tokens 8 --sleep-interval 0 --no-test-connection"
    );
    let first = place.run_to(3, &line);
    let folder = place.run_folder();
    let read = || {
        let mut files = Vec::new();
        files_below(&folder, &mut files);
        files.retain(|file| file.extension().is_some_and(|kind| kind == "json" || kind == "txt"));
        files.into_iter().map(|file| (fs::read_to_string(&file).unwrap(), file)).collect::<Vec<_>>()
    };
    let before = read();
    assert!(before.len() > 8);
    for (_, file) in &before {
        fs::remove_file(file).unwrap();
    }
    let again = place.run_to(3, "report outputs");
    assert_eq!(read(), before);
    let table = |text: &str| {
        text[text.find("Benchmarking summary:").unwrap()..].trim_end().replace("\n\n\n", "\n\n")
    };
    let path = folder.strip_prefix(place.path()).unwrap().display().to_string();
    assert!(first.stdout.contains(&path) && again.stdout.contains(&path));
    assert_eq!(table(&again.stdout), table(&first.stdout));
}

#[test]
fn failed_requests_are_told_why_and_by_the_exit_code() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 4 --number 12 --model m --url {QUICK}&fault=status_503&fault_requests=2,5,7 --prompt hi \
         --max-tokens 8 --no-test-connection"
    );
    let ended = place.run_to(3, &line);
    for part in ["3 of 12 failed", "HTTP 503", "\"The server is overloaded\""] {
        assert!(ended.stdout.contains(part), "{part} is missing:\n{}", ended.stdout);
    }
    let log = place.log();
    let kinds: Vec<_> =
        log.points[0].records.iter().filter_map(|r| Some(r.failure()?.kind)).collect();
    assert_eq!(kinds, [FailureKind::Status(503); 3]);
}

#[test]
fn a_run_that_deserves_two_codes_names_both_reasons_beside_its_figures() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 2 --number 6 --model m --url {QUICK}&fault=status_503&fault_requests=3 --prompt hi --max-tokens 8 \
         --no-test-connection"
    );
    place.run_to(3, &line);
    // The same run, had the client's event loop been late by a second.
    let path = place.run_folder().join("run.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let late = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(client) = line.pointer_mut("/point_end/client") {
            client["loop_lag_p99"] = 1_000_000_000_u64.into();
            client["loop_lag_max"] = 1_000_000_000_u64.into();
        }
        line.to_string() + "\n"
    };
    assert!(text.contains("loop_lag_p99"), "{text}");
    fs::write(&path, text.lines().map(late).collect::<String>()).unwrap();
    let ended = place.run_to(3, "report outputs");
    for part in ["1 of 6 failed", "HTTP 503", "CLIENT-LIMITED"] {
        assert!(ended.stdout.contains(part), "{part} is missing:\n{}", ended.stdout);
    }
    let summary = json(&place.run_folder().join("parallel_2_number_6/benchmark_summary.json"));
    assert_eq!(summary["Failed Requests"], 1);
    assert!(summary["Verdict"].as_str().unwrap().starts_with("client"), "{}", summary["Verdict"]);
}

#[test]
fn damaged_lines_of_a_log_are_named_and_the_rest_is_reported() {
    let place = Workplace::new();
    let line = format!("perf --number 3 --model m --url {QUICK} --prompt hi --max-tokens 2");
    place.run(&line);
    let path = place.run_folder().join("run.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let position = text.lines().position(|line| line.starts_with("{\"record\"")).unwrap();
    let damaged: String = text
        .lines()
        .enumerate()
        .map(
            |(index, line)| if index == position { "{\"rec\n".into() } else { format!("{line}\n") },
        )
        .collect();
    fs::write(&path, damaged).unwrap();
    let ended = place.run("report outputs");
    let note = format!("note: of the log, line {} cannot be read", position + 1);
    assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    assert_eq!(place.log().points[0].records.len(), 2);
}

#[test]
fn a_server_that_keeps_its_models_to_itself_is_tried_all_the_same() {
    let place = Workplace::new();
    let address = by_hand::serve(|asked| match asked.path() {
        "/v1/models" => by_hand::response("403 Forbidden", "text/plain", "not for you"),
        _ => by_hand::completion("hello"),
    });
    let line = format!("perf --url http://{address}/v1/chat/completions --prompt hi --number 2");
    let ended = place.run(&format!("{line} --model m"));
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let unnamed = place.run_to(1, &line);
    assert!(unnamed.stderr.contains("wants a key, and none was given (HTTP 403: not for you)"));
}

#[test]
fn an_open_loop_sweeps_rates_and_warms_up_apart() {
    let place = Workplace::new();
    let line = format!(
        "perf --open-loop --rate 50 100 --number 10 20 --warmup-num 0.2 --model m --url {QUICK} --prompt hi \
         --max-tokens 4 --sleep-interval 0"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let log = place.log();
    let names: Vec<_> = log.points.iter().map(|point| point.point.name.as_str()).collect();
    assert_eq!(names, ["rate_50.0_number_10", "rate_100.0_number_20"]);
    let warm = |records: &[tokometer_record::Record]| {
        records.iter().filter(|r| r.phase == Phase::Warmup).count()
    };
    assert_eq!(log.points.iter().map(|p| warm(&p.records)).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn a_duration_ends_a_point_and_the_run_is_whole() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 2 --number 100000 --duration 0.3 --model m --url {QUICK} --prompt hi --max-tokens 4"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let log = place.log();
    assert!(log.points[0].end.as_ref().unwrap().complete);
    assert!((1..2000).contains(&log.points[0].records.len()), "{}", log.points[0].records.len());
}

#[test]
fn outputs_without_usage_are_counted_afterwards() {
    let place = Workplace::new();
    let line = format!(
        "perf --parallel 2 --number 6 --model m --url {QUICK}&fault=no_usage --prompt hi --max-tokens 8"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    for record in &place.log().points[0].records {
        let tokens = record.output_tokens.unwrap();
        assert_eq!(
            (tokens.count, tokens.source),
            (8, tokometer_record::TokenSource::LocalTokenizer)
        );
    }
}

#[test]
fn a_model_that_is_not_named_is_asked_of_the_server() {
    let place = Workplace::new();
    let line = "perf --url sim://?model=org/only-one&ttft_ms=1&itl_ms=1 --prompt hi --number 2 --max-tokens 2";
    let ended = place.run(line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(place.log().header.model, "org/only-one");
    assert_eq!(place.run_folder().file_name().unwrap(), "only-one");
}

#[test]
fn completions_token_ids_and_whole_bodies_go_through() {
    for line in [
        "--url sim:///v1/completions?ttft_ms=1&itl_ms=1 --prompt hi".to_owned(),
        "--url sim:///v1/completions?ttft_ms=1&itl_ms=1 --prompt hi --no-stream".to_owned(),
        "--url sim://?ttft_ms=1&itl_ms=1 --prompt hi --no-stream".to_owned(),
        "--url sim://?ttft_ms=1&itl_ms=1 --prompt hi --http2".to_owned(),
        format!(
            "--url sim://?ttft_ms=1&itl_ms=1 --dataset random --min-prompt-length 16 --max-prompt-length 16 \
             --tokenize-prompt --tokenizer-path {}",
            tokenizer()
        ),
    ] {
        let place = Workplace::new();
        let ended =
            place.run(&format!("perf --model m --number 4 --parallel 2 --max-tokens 4 {line}"));
        assert!(matches!(ended.code, 0 | 4), "{line}\n{}{}", ended.stdout, ended.stderr);
        let log = place.log();
        assert!(log.points[0].records.iter().all(tokometer_record::Record::succeeded), "{line}");
    }
}

#[test]
fn a_folder_that_holds_a_run_is_not_written_over() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url {QUICK} --prompt hi --number 1 --max-tokens 2 --no-timestamp --name same"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    let again = place.run_to(2, &line);
    insta::assert_snapshot!(again.stderr, @"
    error: outputs/same holds a run already
    hint: choose another --name or --outputs-dir, or leave out --no-timestamp
    ");
}

#[test]
fn text_datasets_come_from_files() {
    let place = Workplace::new();
    place.write("prompts.txt", "Tell me a story.\nSing me a song.\n");
    let line = format!(
        "perf --model m --url {QUICK} --dataset line_by_line --dataset-path prompts.txt --number 3 --max-tokens 2 --log-prompts"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let mut prompts: Vec<_> =
        place.log().points[0].records.iter().map(|r| r.prompt.clone().unwrap()).collect();
    prompts.sort();
    assert_eq!(prompts, ["Sing me a song.", "Tell me a story.", "Tell me a story."]);
}

#[test]
fn the_same_concurrency_twice_makes_two_points() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url {QUICK} --prompt hi --parallel 2 2 --number 4 4 --max-tokens 2 --sleep-interval 0"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let log = place.log();
    let names: Vec<_> = log.points.iter().map(|point| point.point.name.as_str()).collect();
    assert_eq!(names, ["parallel_2_number_4", "parallel_2_number_4_2"]);
    assert_ne!(log.points[0].point.seed, log.points[1].point.seed);
}

#[test]
fn a_server_that_is_not_there_fails_requests_where_no_test_is_wanted() {
    let place = Workplace::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let line = format!(
        "perf --model m --url http://{address}/v1/chat/completions --prompt hi --number 3 --no-test-connection"
    );
    let ended = place.run_to(3, &line);
    for part in ["3 of 3 failed", "connection refused"] {
        assert!(ended.stdout.contains(part), "{part} is missing:\n{}", ended.stdout);
    }
}
