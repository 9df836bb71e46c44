//! Bad input: one clear line, a hint, the documented exit code, and nothing left behind, before any load.

use std::net::TcpListener;

use crate::{Ended, Workplace, by_hand, files_below};

/// What is said of the line, which must end with this code and leave nothing behind.
fn refused(place: &Workplace, code: i32, line: &str) -> String {
    let ended = place.run_to(code, line);
    assert_eq!(ended.stdout, "", "a refusal is no data");
    let mut left = Vec::new();
    files_below(&place.path().join("outputs"), &mut left);
    assert!(left.is_empty(), "{left:?}");
    let asides = ["note: ", "testing the connection to ", "asking "];
    let is_aside = |line: &&str| asides.iter().any(|aside| line.starts_with(aside));
    let lines: Vec<_> = ended.stderr.lines().filter(|line| !is_aside(line)).collect();
    let [what, hint] = lines[..] else { panic!("not a line and a hint: {}", ended.stderr) };
    assert!(what.starts_with("error: ") && hint.starts_with("hint: "), "{}", ended.stderr);
    lines.join("\n")
}

#[test]
fn lists_of_unequal_length_are_refused() {
    let place = Workplace::new();
    let line = "perf --model m --parallel 1 10 50 --number 10 20";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: --parallel has 3 values (1 10 50) and --number has 2 values (10 20): each point of the sweep needs one of both
    hint: for example --number 10 20 20
    ");
}

#[test]
fn a_missing_tokenizer_is_refused() {
    let place = Workplace::new();
    let line = "perf --model m --dataset random --tokenizer-path ./nowhere";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: there is no tokenizer at ./nowhere
    hint: give --tokenizer-path a folder with a tokenizer.json, such a file, or a hub's name such as Qwen/Qwen2.5-0.5B-Instruct
    ");
}

#[test]
fn a_missing_dataset_is_refused() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --dataset openqa"), @r#"
    error: --dataset-path: the dataset openqa is read from a file, and none is given
    hint: give JSON lines such as {"question": "…"}, for example open_qa.jsonl of HC3-Chinese
    "#);
    let line = "perf --model m --dataset openqa --dataset-path nowhere.jsonl";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: cannot read nowhere.jsonl: No such file or directory (os error 2)
    hint: check --dataset-path
    ");
}

#[test]
fn a_bad_line_of_a_dataset_is_named() {
    let place = Workplace::new();
    place.write("questions.jsonl", "{\"question\": \"Why?\"}\n{\"quest\": \"How?\"}\n");
    let line = "perf --model m --dataset openqa --dataset-path questions.jsonl --number 5";
    insta::assert_snapshot!(refused(&place, 2, line), @r#"
    error: questions.jsonl:2: field question is missing
    hint: the file should be JSON lines such as {"question": "…"}, for example open_qa.jsonl of HC3-Chinese
    "#);
}

#[test]
fn malformed_json_in_a_flag_is_refused() {
    let place = Workplace::new();
    let line = "perf --model m --dataset random --extra-args '{ignore_eos: true}'";
    insta::assert_snapshot!(refused(&place, 2, line), @r#"
    error: --extra-args: not a JSON object: key must be a string at line 1 column 2
    hint: for example --extra-args '{"ignore_eos": true}' (single quotes keep the shell from taking the double ones)
    "#);
    let line = "perf --model m --dataset random --extra-args '[1]'";
    insta::assert_snapshot!(refused(&place, 2, line), @r#"
    error: --extra-args: not a JSON object: it is not in braces
    hint: for example --extra-args '{"ignore_eos": true}' (single quotes keep the shell from taking the double ones)
    "#);
    let line =
        "perf --model m --dataset openqa --dataset-path x --dataset-args '{\"target_len\": 5}'";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: --dataset-args: unknown key target_len
    hint: did you mean target_input_len?
    ");
}

#[test]
fn no_server_is_told() {
    let place = Workplace::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let line =
        format!("perf --model m --dataset random --url http://{address}/v1/chat/completions");
    let said = refused(&place, 1, &line).replace(&address, "HOST:PORT");
    insta::assert_snapshot!(said, @"
    error: http://HOST:PORT/v1/chat/completions does not answer: connection refused: HOST:PORT: Connection refused (os error 111)
    hint: nothing listens there: start the server, or check the host and the port of --url
    ");
}

#[test]
fn what_fails_at_the_server_is_told_with_the_flag_to_turn() {
    let place = Workplace::new();
    let test = |flags: &str| refused(&place, 1, &format!("perf --model m --prompt hi {flags}"));
    insta::assert_snapshot!(test("--url sim://?ttft_ms=60000 --total-timeout 0.2"), @"
    error: sim://?ttft_ms=60000 does not answer: timeout of the whole request after 200ms
    hint: if the server needs longer, raise --total-timeout; else see whether it is up
    ");
    insta::assert_snapshot!(test("--url sim://?fault=status_503"), @"
    error: sim://?fault=status_503 answered HTTP 503: The server is overloaded
    hint: the server is there and cannot answer now: look into its log, or try again later
    ");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    drop(listener);
    let said = test(&format!("--url http://192.0.2.1/v1/chat/completions --proxy http://{proxy}"));
    insta::assert_snapshot!(said.replace(&proxy, "HOST:PORT"), @"
    error: the proxy http://HOST:PORT leads nowhere: connection refused: HOST:PORT: Connection refused (os error 111)
    hint: check the host and the port of --proxy, or leave it out
    ");
    let first = by_hand::serve(|_| by_hand::completion("hello"));
    let said = test(&format!("--url http://{first}/v1/chat/completions --http2"));
    assert!(said.ends_with("hint: the server may not speak HTTP/2: leave out --http2"), "{said}");
}

#[test]
fn what_a_simulator_cannot_have_is_told_with_its_flag() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 1, "sim --port 0 --truth nowhere/truth"), @"
    error: --truth: cannot write nowhere/truth: No such file or directory (os error 2)
    hint: name a file in a folder that exists and may be written
    ");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let said = refused(&place, 1, &format!("sim --port {port}"));
    insta::assert_snapshot!(said.replace(&port.to_string(), "PORT"), @"
    error: --port: cannot listen at 127.0.0.1:PORT: Address already in use (os error 98)
    hint: choose another --port; 0 takes a free one
    ");
    let help = place.run_to(0, "sim --help").stdout;
    assert!(help.contains("  ttft_dist") && help.contains("  status_503"), "{help}");
}

#[test]
fn prompts_that_cannot_be_are_told_with_what_to_change() {
    let place = Workplace::new();
    place.write("lines.txt", "hello\n");
    let line = "perf --model m --url sim:// --dataset line_by_line --dataset-path lines.txt \
                --dataset-args '{\"target_input_len\": 20, \"prefix_file\": \"nowhere\"}'";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: cannot read nowhere: No such file or directory (os error 2)
    hint: check prefix_file in --dataset-args
    ");
    let line = "perf --model m --url sim:// --dataset random --max-prompt-length 5";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: --dataset random cannot be used so: --max-prompt-length 5 leaves no room beside the 8 tokens of the chat template
    hint: raise --max-prompt-length: the prompt needs at least one token more than the chat template takes
    ");
}

#[test]
fn flags_that_others_overrule_are_said() {
    let place = Workplace::new();
    let ended = place.run_to(
        0,
        "perf --model '' --url sim:// --dataset random --dataset-path x --parallel 5 --open-loop --rate 5 --ca-cert x --dry-run",
    );
    insta::assert_snapshot!(ended.stderr, @"
    note: --parallel changes nothing with --open-loop, which holds to --rate
    note: --model is empty: the server is asked for its model
    note: the file of authorities (ca_cert) changes nothing: only https:// has certificates
    note: the dataset random reads no file: x changes nothing
    ");
    place.write("lines.txt", "hello\n");
    let ended = place.run_to(
        0,
        "perf --model m --url sim:// --dataset line_by_line --dataset-path lines.txt --prefix-length 5 --dry-run",
    );
    insta::assert_snapshot!(ended.stderr, @"note: only the dataset random has prefixes: their length changes nothing for line_by_line");
}

#[test]
fn data_that_cannot_be_written_to_stdout_is_a_failure() {
    let place = Workplace::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.command("perf --model m --url sim:// --prompt hi --dry-run");
    let ended = Ended::of(command.stdout(full).output().unwrap());
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("error: cannot write to stdout: No space left"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_refused_key_is_told_and_not_repeated() {
    let place = Workplace::new();
    let line = "perf --model m --dataset random --url sim://?api_key=right";
    insta::assert_snapshot!(refused(&place, 1, line), @"
    error: sim://?api_key=${TOKOMETER_URL_API_KEY} wants a key, and none was given (HTTP 401: Unauthorized)
    hint: give it as --api-key, or better in the environment: export OPENAI_API_KEY=…
    ");
    let said = refused(&place, 1, &format!("{line} --api-key wr0ng"));
    assert!(!said.contains("wr0ng"));
    insta::assert_snapshot!(said, @"
    error: sim://?api_key=${TOKOMETER_URL_API_KEY} refuses the key (HTTP 401: Unauthorized)
    hint: check it: it was taken from OPENAI_API_KEY, or given as --api-key
    ");
}

#[test]
fn an_unknown_model_is_told_with_those_there_are() {
    let place = Workplace::new();
    let line = "perf --model qwen3-23b --dataset random --url sim://?model=qwen3-32b";
    insta::assert_snapshot!(refused(&place, 1, line), @"
    error: sim://?model=qwen3-32b has no model qwen3-23b
    hint: did you mean qwen3-32b? it has qwen3-32b
    ");
}

#[test]
fn a_request_that_is_refused_for_something_else_is_not_blamed_on_its_model() {
    let place = Workplace::new();
    let line = "perf --model m --dataset random --n-choices 2 --temperature 0 --number 4 --url sim://h100-llama-3.1-8b";
    insta::assert_snapshot!(refused(&place, 1, line), @"
    error: sim://h100-llama-3.1-8b answered HTTP 400: n must be 1 when using greedy sampling, got 2.
    hint: the server does not take such a request: check the generation settings and --extra-args
    ");
}

#[test]
fn a_choice_of_models_is_left_to_the_user() {
    let place = Workplace::new();
    let line = "perf --dataset random --url sim://?model=small,large";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: no model is named, and sim://?model=small,large has 2
    hint: name one of them: --model small | large
    ");
}

#[test]
fn a_plan_with_an_unknown_key_or_a_wrong_type_is_told_with_its_place() {
    let place = Workplace::new();
    place.write(
        "plan.yaml",
        "target:\n  url: http://h/v1\nload:\n  points:\n    - {paralel: 1, number: 5}\n",
    );
    insta::assert_snapshot!(refused(&place, 2, "run plan.yaml"), @"
    error: plan.yaml:5:8: unknown key paralel
    hint: did you mean parallel?
    ");
    place.write("plan.yaml", "target:\n  url: http://h/v1\nload:\n  points:\n    - {number: 5}\n");
    insta::assert_snapshot!(refused(&place, 2, "run plan.yaml"), @"
    error: plan.yaml:5:7: load.points.0: has neither parallel nor rate, so nothing limits it
    hint: parallel: 10 for ten requests at a time, rate: 5 for five a second, rate: inf for all at once
    ");
    place.write("plan.yaml", "target:\n  url: http://h/v1\nload: {duration: soon}\n");
    insta::assert_snapshot!(refused(&place, 2, "run plan.yaml"), @r#"
    error: plan.yaml:3:18: load.duration: expected a length of time such as 500ms, 10s, 2m or 6h, or a number of seconds, found string "soon"
    hint: docs/plan.md tells of every setting
    "#);
    insta::assert_snapshot!(refused(&place, 2, "run nowhere.yaml"), @"
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    hint: tokometer perf … --dry-run > plan.yaml makes one
    ");
}

#[test]
fn settings_of_a_dataset_are_told_with_their_place_in_the_plan() {
    let place = Workplace::new();
    place.write("rows.json", "[]");
    let said = |args: &str| {
        let plan = format!(
            "model: m\ntarget: {{url: 'sim://'}}\nload: {{points: [{{parallel: 1, number: 1}}]}}\n\
             prompts: {{dataset: sharegpt, path: rows.json, args: {{{args}}}}}\n"
        );
        place.write("plan.yaml", &plan);
        place.run_to(2, "run plan.yaml").stderr
    };
    insta::assert_snapshot!(said("output_len: abc"), @r#"error: prompts.args.output_len of the dataset sharegpt: expected a whole number above 0, found string "abc""#);
    insta::assert_snapshot!(said("output_lenn: 3"), @"error: prompts.args.output_lenn of the dataset sharegpt: there is no such setting (did you mean output_len?); there are output_len, shuffle, oversample");
}

#[test]
fn flags_of_later_versions_are_refused_by_name() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --sla-auto-tune"), @"
    error: --sla-auto-tune is not in this version: it does not search for the highest load within limits yet
    hint: leave it out, or use evalscope perf for this; docs/differences-from-evalscope.md lists what is to come
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --multi-turn"), @"
    error: --multi-turn is not in this version: it has no conversations of several turns yet
    hint: leave it out, or use evalscope perf for this; docs/differences-from-evalscope.md lists what is to come
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --api embedding"), @"
    error: --api embedding is not in this version
    hint: --api openai-embeddings speaks it, with the datasets there are
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --dataset random_vl"), @"
    error: --dataset random_vl is not in this version
    hint: this version has random, random-mm, random-rerank, prefix_repetition, burstgpt, timed_trace, openqa, longalpaca, line_by_line, custom, sharegpt, sonnet, custom_image, custom_audio, spec_bench, speed_bench, hf, share_gpt_zh, share_gpt_en
    ");
    let said = refused(&place, 2, "perf --model m --wandb-api-key s3cret");
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn flags_that_change_nothing_are_taken_and_said() {
    let place = Workplace::new();
    let ended = place.run_to(
        0,
        "perf --model m --url sim:// --prompt hi --db-commit-interval 5 --num-workers 2 --dry-run",
    );
    insta::assert_snapshot!(ended.stderr, @"
    note: --db-commit-interval changes nothing here: records reach the disk several times a second
    note: --num-workers changes nothing here: prompts are prepared on every core
    ");
}

#[test]
fn misspelt_flags_and_commands_get_what_was_meant() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --paralel 5"), @"
    error: there is no flag --paralel
    hint: did you mean --parallel? tokometer perf --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, 2, "prf"), @"
    error: there is no command prf
    hint: did you mean perf? tokometer --help shows every command
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --dataset randm"), @"
    error: --dataset: there is no dataset randm
    hint: did you mean random?
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --url sim://?ttft=5 --prompt hi"), @"
    error: the simulator has no option ttft
    hint: did you mean ttft_ms?
    ");
}

#[test]
fn values_that_cannot_be_are_refused() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --parallel 0"), @"
    error: --parallel: must be at least 1, not 0
    hint: tokometer perf --help shows every flag
    ");
    for flag in ["--number", "--workers", "--prefix-count", "--n-choices"] {
        let said = refused(&place, 2, &format!("perf --model m {flag} -1"));
        assert!(
            said.starts_with(&format!("error: {flag}: must be at least 1, not -1\n")),
            "{said}"
        );
    }
    for flag in ["--prefix-length", "--sleep-interval", "--dataset-offset", "--max-tokens"] {
        let said = refused(&place, 2, &format!("perf --model m {flag} -1"));
        assert!(
            said.starts_with(&format!("error: {flag}: must be at least 0, not -1\n")),
            "{said}"
        );
    }
    for (flag, kind) in
        [("--rate", "number"), ("--top-k", "whole number"), ("--number", "whole number")]
    {
        let said = refused(&place, 2, &format!("perf --model m {flag} abc"));
        assert!(said.starts_with(&format!("error: {flag} takes a {kind}, not abc\n")), "{said}");
    }
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --url 127.0.0.1:8000"), @"
    error: --url: not a URL: it has no http:// or https:// before the host
    hint: for example http://127.0.0.1:8000/v1/chat/completions
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --rate 1 2"), @"
    error: --rate has several values, which only an open loop sweeps
    hint: add --open-loop, or leave one --rate to pace every --parallel
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --open-loop"), @"
    error: --open-loop sends by the schedule of --rate, and every --rate must be from one request a year to 1,000,000 a second
    hint: for example --open-loop --rate 5 10 --number 100 200
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --max-tokens 5 2"), @"
    error: --max-tokens: 5 is above 2
    hint: the least comes first
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --model m --headers s3cret"), @"
    error: --headers: value 1 is not NAME=VALUE
    hint: quote values with blanks: --headers 'Authorization=Bearer …'
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --api-key Bearer s3cret"), @"
    error: argument 4 belongs to no flag
    hint: put values that hold blanks into quotes; tokometer perf --help shows every flag
    ");
    insta::assert_snapshot!(refused(&place, 2, "perf --max-tokens 5 10 15"), @"
    error: 15 belongs to no flag
    hint: put values that hold blanks into quotes; tokometer perf --help shows every flag
    ");
}

#[test]
fn more_connections_than_descriptors_are_refused() {
    let place = Workplace::new();
    let line = "perf --model m --url sim:// --prompt hi --parallel 400000000 --number 1";
    let said = refused(&place, 2, line);
    let numbers = |c: char| c.is_ascii_digit();
    let said: Vec<_> =
        said.split(' ').map(|word| if word.starts_with(numbers) { "N" } else { word }).collect();
    insta::assert_snapshot!(said.join(" "), @"error: N requests in flight need N file descriptors, and this process may have N raise the limit (ulimit -n N as root if it must be), or ask for at most N at once");
}

#[test]
fn more_requests_than_memory_are_refused() {
    let place = Workplace::new();
    let line = "perf --model m --url sim:// --prompt hi --parallel 1 1 --number 5 90000000000";
    let said = refused(&place, 2, line);
    let numbers = |c: char| c.is_ascii_digit();
    let said: Vec<_> =
        said.split(' ').map(|word| if word.starts_with(numbers) { "N" } else { word }).collect();
    insta::assert_snapshot!(said.join(" "), @"
    error: N requests ready to be sent take about N MiB of memory, and N MiB are available
    hint: at most N of them fit: lower --number, or ask shorter prompts
    ");
}

#[test]
fn a_url_that_would_show_a_variable_and_a_proxy_with_a_password_are_refused() {
    let place = Workplace::new();
    let line = "perf --model m --prompt hi --url 'http://h/${HOME}/v1'";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: --url: only the query of a URL may refer to variables: its host and path are shown
    hint: write the host and the path out, and secrets as parameters: ?api_key=${VARIABLE}
    ");
    let line = "perf --model m --prompt hi --url http://h/v1/chat/completions --proxy http://me:s3cret@p:3128";
    insta::assert_snapshot!(refused(&place, 2, line), @"
    error: --proxy: a proxy that wants a user name and a password is not in this version
    hint: leave them out, or go through a proxy that wants none
    ");
}

#[test]
fn a_report_of_nothing_is_refused() {
    let place = Workplace::new();
    insta::assert_snapshot!(refused(&place, 2, "report nowhere"), @"
    error: there is no folder nowhere
    hint: give the folder of a run, such as outputs/20260102_110437/qwen3-32b
    ");
    std::fs::create_dir(place.path().join("empty")).unwrap();
    insta::assert_snapshot!(refused(&place, 2, "report empty"), @"
    error: there is no run in empty
    hint: a run's folder holds run.jsonl
    ");
}
