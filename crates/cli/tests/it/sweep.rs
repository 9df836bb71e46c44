//! Sweeps: servers started and stopped, every combination run, resumed, summed up and drawn.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::{Ended, Workplace, json as read_json};

/// A benchmark that writes what it was asked, and a throughput that grows with the concurrency: 1.2 and 2 a place more.
const SCRIPT: &str = r#"
c=1; r=inf
while [ $# -gt 0 ]; do
  case $1 in
    --result-dir) dir=$2;; --result-filename) file=$2;;
    --max-concurrency) c=$2;; --request-rate) r=$2;; --fail) exit 7;;
  esac
  shift
done
printf '{"completed": 10, "failed": 0, "duration": 2.0, "request_rate": "%s", "max_concurrency": %s, "request_throughput": %s.2, "output_throughput": %s, "mean_e2el_ms": 500.0, "median_ttft_ms": %s}' "$r" "$c" "$((c * 2))" "$((c * 100))" "$((c * 3))" > "$dir/$file"
"#;

/// A server that answers every request with one status, and tells of each.
struct Answering {
    port: u16,
    asked: Receiver<String>,
}

impl Answering {
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                let mut first = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if first.is_empty() {
                        first = line.split(" HTTP").next().unwrap_or_default().to_owned();
                    }
                    line.clear();
                }
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let status = if first.contains("/health") {
                    answer.replace(status, "200 OK")
                } else {
                    answer
                };
                drop(reader.get_mut().write_all(status.as_bytes()));
                if tell.send(first).is_err() {
                    break;
                }
            }
        });
        Self { port, asked }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A place with the benchmark in it, whose sweeps need no real load.
fn place() -> Workplace {
    let place = Workplace::new();
    place.write("bench.sh", SCRIPT);
    place
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A server of this program's own, started by the sweep.
fn sim(port: u16) -> String {
    format!("--serve-cmd 'tokometer sim --port {port} --ttft-ms 2 --itl-ms 1'")
}

#[test]
fn every_combination_is_measured_and_summed_up() {
    let (place, port) = (Workplace::new(), free_port());
    place.write(
        "params.json",
        r#"{"one": {"max_concurrency": 1}, "two": {"max_concurrency": 2, "num-prompts": 4}}"#,
    );
    let ended = place.run(&format!(
        "bench sweep serve {} --bench-cmd 'tokometer bench serve --backend openai-chat --model m --port {port} --dataset-name random \
         --random-input-len 8 --random-output-len 4 --num-prompts 3' --bench-params params.json --num_runs 2 -e try --warmup-num-prompts 1",
        sim(port)
    ));
    // A machine that is busy with other tests may be called too slow.
    assert!([0, 4].contains(&ended.code), "{}{}", ended.stdout, ended.stderr);
    assert!(!is_open(port), "the server is stopped");
    assert!(ended.stdout.contains("│ Failed │ Verdict"), "{}", ended.stdout);
    assert_eq!(names(place.path()), ["params.json", "results"]);
    assert_eq!(names(&place.path().join("results")), ["try", "try.outputs"]);
    let experiment = place.path().join("results/try");
    assert_eq!(names(&experiment), ["BENCH--one", "BENCH--two", "server.log", "summary.csv"]);
    let two = experiment.join("BENCH--two");
    let run = read_json(&two.join("run=1.json"));
    assert_eq!(
        (&run["completed"], &run["run_number"], &run["_benchmark_name"]),
        (&json!(4), &json!(1), &json!("two"))
    );
    assert_eq!(read_json(&two.join("warmup.json"))["completed"], 1);
    let summary = read_json(&two.join("summary.json"));
    let throughputs: Vec<f64> =
        (0..2).map(|run| summary[run]["output_throughput"].as_f64().unwrap()).collect();
    let mean = summary[0]["output_throughput_over_runs_mean"].as_f64().unwrap();
    assert!((mean - (throughputs[0] + throughputs[1]) / 2.0).abs() < 1e-6);
    let csv = fs::read_to_string(experiment.join("summary.csv")).unwrap();
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    assert!(header.starts_with(",date,endpoint_type,backend,"), "{header}");
    assert!(header.contains(",output_throughput_over_runs_ci95_low,"), "{header}");
    let first_cells: Vec<_> = lines.map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first_cells, ["0", "1", "2", "3"]);
    assert!(ended.stdout.contains("│ BENCH--two  │    2 │"), "{}", ended.stdout);
    // The logs' own summaries are no combinations.
    place.run_to(0, "bench sweep plot results --dry-run");
}

#[test]
fn a_server_that_starts_others_is_stopped_with_them() {
    let (place, port) = (place(), free_port());
    let program = env!("CARGO_BIN_EXE_tokometer");
    place.write("serve.sh", &format!("'{program}' sim --port {port} &\nwait\n"));
    place.run_to(0, &format!("bench sweep serve --serve-cmd 'sh serve.sh' --bench-cmd 'sh bench.sh --port {port}' --num-runs 1 -e x"));
    assert!(!is_open(port));
}

#[test]
fn a_server_that_runs_already_has_its_caches_cleared_after_each_run() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = format!(
        "bench sweep serve --bench-cmd 'sh bench.sh --port {}' --num-runs 2 -e x",
        server.port
    );
    let ended = place.run_to(0, &line);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let asked: Vec<String> =
        server.asked.try_iter().filter(|asked| asked.starts_with("POST")).collect();
    let once = ["POST /reset_prefix_cache", "POST /reset_mm_cache", "POST /reset_encoder_cache"];
    assert_eq!(asked, [once, once].concat());
}

#[test]
fn a_server_that_cannot_clear_its_caches_is_told_of_once() {
    let (place, server) = (place(), Answering::start("404 Not Found"));
    let line = format!(
        "bench sweep serve --bench-cmd 'sh bench.sh --port {}' --num-runs 3 -e x",
        server.port
    );
    let ended = place.run_to(0, &line);
    assert_eq!(ended.stderr.matches("no way to clear its caches").count(), 1, "{}", ended.stderr);
}

#[test]
fn something_that_answers_already_is_not_taken_for_the_server() {
    let (place, other) = (place(), Answering::start("200 OK"));
    let line = format!(
        "bench sweep serve {} --bench-cmd 'sh bench.sh' --num-runs 1 -e x",
        sim(other.port)
    );
    let ended = place.run_to(1, &line);
    assert!(
        ended
            .stderr
            .contains(&format!("something answers at http://127.0.0.1:{} already", other.port)),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_server_that_ends_before_it_is_ready_is_told_with_its_last_words() {
    let (place, port) = (place(), free_port());
    let line = format!(
        "bench sweep serve --serve-cmd 'tokometer sim --port {port} --ttft-ms soon' --bench-cmd 'sh bench.sh --port {port}' -e x"
    );
    let ended = place.run_to(1, &line);
    let said = &ended.stderr;
    assert!(
        said.contains("not \"soon\"") && said.contains("error: the server has ended"),
        "{said}"
    );
    assert!(said.contains("results/x/server.log"), "{said}");
}

#[test]
fn a_dry_run_prints_commands_without_secrets_and_starts_nothing() {
    let place = place();
    let ended = place.run_to(
        0,
        "bench sweep serve --serve-cmd 'no-such-server --api-key hunter2' --serve-params [{\"tp\":2}] --bench-cmd 'tokometer bench serve' \
         --bench-params [{\"stream\":false,\"extra_body\":{\"a\":1}}] --num-runs 1 -e x --dry-run",
    );
    assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "server:    no-such-server --api-key *** --tp 2");
    let begins = "benchmark: tokometer bench serve --no-stream --extra-body '{\"a\":1}' --percentile-metrics ttft,tpot,itl,e2el --save-result --result-dir ";
    assert!(lines[1].starts_with(begins), "{}", lines[1]);
    assert!(!place.path().join("results").exists());
}

#[test]
fn resuming_runs_what_has_no_result_and_nothing_else() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = format!(
        "bench sweep serve --bench-cmd 'sh bench.sh --port {}' --bench-params [{{\"max_concurrency\":2}}] --num-runs 3 -e x",
        server.port
    );
    place.run_to(0, &line);
    place.run_to(2, &line);
    let folder = place.path().join("results/x/BENCH--max_concurrency=2");
    let mut kept = read_json(&folder.join("run=0.json"));
    kept["marked"] = json!(true);
    fs::write(folder.join("run=0.json"), kept.to_string()).unwrap();
    fs::remove_file(folder.join("run=1.json")).unwrap();
    fs::write(folder.join("run=2.json"), "{\"broken").unwrap();
    let ended = place.run_to(0, &format!("{line} --resume"));
    assert!(ended.stderr.contains("it is measured anew"), "{}", ended.stderr);
    let summary = read_json(&folder.join("summary.json"));
    let marked: Vec<&Value> = (0..3).map(|run| &summary[run]["marked"]).collect();
    assert_eq!(marked, [&json!(true), &Value::Null, &Value::Null]);
    place.run_to(2, &line.replace("-e x", "-e other --resume"));
}

#[test]
fn a_result_of_this_program_s_counts_by_its_code_whatever_started_it() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = |script: &str| {
        format!(
            "bench sweep serve --bench-cmd 'sh {script} --port {}' --num-runs 1 -e {script}",
            server.port
        )
    };
    place.write("theirs.sh", &format!("{SCRIPT}\nexit 3"));
    place.run_to(1, &line("theirs.sh"));
    assert!(place.path().join("results/theirs.sh/run=0.partial.json").exists());
    let ours = SCRIPT.replace("{\"completed\"", "{\"tokometer_version\": \"1\", \"completed\"");
    let ours = ours.replace("\"failed\": 0", "\"failed\": 1");
    place.write("ours.sh", &format!("{ours}\nexit 3"));
    place.run_to(3, &line("ours.sh"));
    assert!(place.path().join("results/ours.sh/run=0.json").exists());
    // The failures are as bad when the result is an old one.
    let ended = place.run_to(3, &format!("{} --resume", line("ours.sh")));
    let said = &ended.stderr;
    assert!(said.contains("a result already, with 1 of 11 requests failed"), "{said}");
    assert!(said.contains("1 of 1 runs had failed requests"), "{said}");
    assert!(said.contains("(hence exit code 3)"), "{said}");
    assert!(ended.stdout.contains("1 of 11"), "{}", ended.stdout);
}

#[test]
fn results_of_another_command_are_not_resumed() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = |more: &str| {
        format!(
            "bench sweep serve --bench-cmd 'sh bench.sh --port {}{more}' --num-runs 1 -e x",
            server.port
        )
    };
    place.run_to(0, &line(" --output-len 4"));
    let resumed = format!("{} --resume --continue-on-error", line(" --output-len 5"));
    let ended = place.run_to(2, &resumed);
    let said = &ended.stderr;
    assert!(said.contains("results/x/run=0.json was made by another command: sh"), "{said}");
    assert!(!place.path().join("results/x/run=0.failure.json").exists());
    // Where it is not kept what made a result, the result's own settings tell.
    fs::remove_dir_all(place.path().join("results/x.outputs")).unwrap();
    let other = format!("{} --resume", line(" --max-concurrency 7"));
    let ended = place.run_to(2, &other);
    assert!(ended.stderr.contains("another command: --max-concurrency 1"), "{}", ended.stderr);
    place.run_to(0, &format!("{} --resume", line(" --output-len 4")));
}

#[test]
fn a_combination_that_did_not_come_to_its_end_is_summed_up_and_marked() {
    let (place, server) = (place(), Answering::start("200 OK"));
    // The second run fails.
    let script = format!("[ -e second ] && exit 7\ntouch second\n{SCRIPT}");
    place.write("once.sh", &script);
    let line = format!(
        "bench sweep serve --bench-cmd 'sh once.sh --port {}' --after-bench-cmd 'echo cleared' --num-runs 3 -e x",
        server.port
    );
    let ended = place.run_to(1, &line);
    assert!(ended.stdout.contains("(all) (incomplete: 1 of 3)"), "{}", ended.stdout);
    let summary = read_json(&place.path().join("results/x/summary.json"));
    assert_eq!((&summary[0]["incomplete"], &summary[1]), (&json!(true), &Value::Null));
    let csv = fs::read_to_string(place.path().join("results/x/summary.csv")).unwrap();
    assert!(csv.lines().nth(1).unwrap().ends_with(",True"), "{csv}");
}

#[test]
fn what_failed_between_two_runs_is_told_by_its_own_words() {
    let (place, server) = (place(), Answering::start("200 OK"));
    place.write("talks.sh", &format!("echo all is well\n{SCRIPT}"));
    place.write("after.sh", "echo no such cache\nexit 1\n");
    let line = format!(
        "bench sweep serve --bench-cmd 'sh talks.sh --port {}' --after-bench-cmd 'sh after.sh' --num-runs 1 -e x",
        server.port
    );
    let said = place.run_to(1, &line).stderr;
    assert!(said.contains("| no such cache") && !said.contains("all is well"), "{said}");
}

#[test]
fn what_kept_a_server_from_starting_is_forgotten_once_it_starts() {
    let (place, port) = (place(), free_port());
    let line = |serve: &str| {
        format!(
            "bench sweep serve --serve-cmd 'sh {serve}' --bench-cmd 'sh bench.sh --port {port}' --num-runs 1 -e x --continue-on-error"
        )
    };
    place.write("serve.sh", "exit 1");
    place.run_to(1, &line("serve.sh"));
    let failure = place.path().join("results/x/SERVE-default-failure.json");
    assert!(failure.exists());
    let program = env!("CARGO_BIN_EXE_tokometer");
    place.write("serve.sh", &format!("exec '{program}' sim --port {port}"));
    place.run_to(0, &format!("{} --resume", line("serve.sh")));
    assert!(!failure.exists());
}

#[test]
fn a_failed_run_ends_the_sweep_or_is_noted() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = format!(
        "bench sweep serve --bench-cmd 'sh bench.sh --port {}' --bench-params {{\"bad\":{{\"fail\":true}},\"good\":{{}}}} --num-runs 1",
        server.port
    );
    let ended = place.run_to(1, &format!("{line} -e stops"));
    assert!(ended.stderr.contains("the benchmark failed (exit status: 7)"), "{}", ended.stderr);
    assert_eq!(names(&place.path().join("results/stops")), ["BENCH--bad"]);
    place.run_to(1, &format!("{line} -e goes-on --continue-on-error"));
    let experiment = place.path().join("results/goes-on");
    let failure = read_json(&experiment.join("BENCH--bad/run=0.failure.json"));
    assert_eq!(
        (&failure["run_number"], &failure["bench_overrides"]["fail"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(names(&experiment.join("BENCH--good")), ["run=0.json", "run=0.log", "summary.json"]);
}

#[test]
fn an_interrupted_sweep_stops_its_server_and_can_go_on() {
    let (place, port) = (Workplace::new(), free_port());
    // It would take an hour.
    let bench = format!(
        "tokometer bench serve --backend openai-chat --model m --port {port} --dataset-name random --random-input-len 8 \
         --random-output-len 4 --num-prompts 3600 --request-rate 1"
    );
    let mut command =
        place.command(&format!("bench sweep serve {} --bench-cmd '{bench}' -e x", sim(port)));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("run 1 of 3") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended too soon");
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{rest}");
    assert!(rest.contains("-e x --resume"), "{rest}");
    assert!(!is_open(port), "the server is stopped");
    assert!(
        !place.path().join("results/x/run=0.json").exists(),
        "what was broken off is no result"
    );
}

#[test]
fn workloads_are_explored_between_one_at_a_time_and_all_at_once() {
    let (place, server) = (place(), Answering::start("200 OK"));
    let line = format!(
        "bench sweep serve_workload --bench-cmd 'sh bench.sh --port {} --num-prompts 10' --num-runs 1 --workload-iters 4",
        server.port
    );
    // 2.2 req/s one at a time, 20.2 all at once: 3 and 20, and two between them.
    place.run_to(0, &format!("{line} -e rate"));
    let folders = |experiment: &str| {
        let mut names = names(&place.path().join(experiment));
        names.retain(|name| name.starts_with("WL--"));
        names
    };
    let rate = [
        "WL--request_rate=14",
        "WL--request_rate=9",
        "WL--request_rate=batch",
        "WL--request_rate=serial",
    ];
    assert_eq!(folders("results/rate"), rate);
    let serial = read_json(&place.path().join("results/rate/WL--request_rate=serial/run=0.json"));
    assert_eq!((&serial["request_rate"], &serial["max_concurrency"]), (&json!("inf"), &json!(1)));
    // By Little's law 1.1 and 10.1 in the server: 2 and 10.
    place.run_to(0, &format!("{line} -e places --workload-var max_concurrency"));
    let places = [
        "WL--max_concurrency=1",
        "WL--max_concurrency=10",
        "WL--max_concurrency=5",
        "WL--max_concurrency=7",
    ];
    assert_eq!(folders("results/places"), places);
}

/// Width and height of a PNG.
fn pixels(path: &Path) -> (u32, u32) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn figures_of_an_experiment_stand_where_vllm_puts_them() {
    let (place, server) = (place(), Answering::start("200 OK"));
    place.run_to(0, &format!(
        "bench sweep serve --bench-cmd 'sh bench.sh --port {}' --bench-params [{{\"max_concurrency\":1}},{{\"max_concurrency\":4}}] -e x",
        server.port
    ));
    let experiment = place.path().join("results/x");
    place.run_to(
        0,
        "bench sweep plot results/x --var-x max_concurrency --fig-height 2 --fig-dpi 80 --fig-dpi 50",
    );
    assert_eq!(pixels(&experiment.join("FIGURE.png")), (100, 100));
    let line = "bench sweep plot results/x --var-x request_throughput --fig-by max_concurrency --fig-dir figures --fig-name F --fig-dpi 30 --curve-by failed";
    let ended = place.run_to(0, line);
    assert_eq!(
        names(&experiment.join("figures")),
        ["F-max_concurrency=1.png", "F-max_concurrency=4.png"]
    );
    assert_eq!(ended.stdout.lines().count(), 2);
    for command in ["plot_pareto", "plot-pareto"] {
        place.run_to(0, &format!("bench sweep {command} results/x"));
    }
    assert!(pixels(&experiment.join("pareto/PARETO.png")).0 > 1_000);
    for flag in ["--user-count-var", "--gpu-count-var", "--label-by"] {
        let ended = place.run_to(2, &format!("bench sweep plot_pareto results/x {flag} nosuch"));
        let said = format!("error: {flag}: no run has a nosuch");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        assert!(ended.stderr.contains("output_throughput, "), "{}", ended.stderr);
    }
    let ended = place.run_to(2, "bench sweep plot results/x --var-x request_rate --fig-name EMPTY");
    let said = "there is nothing to draw: request_rate is infinite in 6 of 6 runs";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(!experiment.join("EMPTY.png").exists());
    let ended =
        place.run_to(2, "bench sweep plot results/x --var-x max_concurrency --var-y nothing");
    assert!(
        ended.stderr.contains("--var-y: no run has a nothing")
            && ended.stderr.contains("median_ttft_ms"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_is_started() {
    let place = place();
    place.write("bad.json", "[{\"a\": 1},\n{\"a\": }]");
    for (line, part) in [
        ("sweep serve", "--bench-cmd is missing"),
        ("sweep serve --bench-cmd ''", "--bench-cmd is empty"),
        ("sweep serve --bench-cmd x --serve-params [{}]", "--serve-params needs --serve-cmd"),
        (
            "sweep serve --bench-cmd x --bench-params bad.json",
            "bad.json: not JSON: expected value at line 2 column 7",
        ),
        (
            "sweep serve --bench-cmd x --bench-params [{\"a\":1},{\"a\":1}]",
            "two combinations would share the folder BENCH--a=1",
        ),
        (
            "sweep serve --bench-cmd x --bench-params [{\"header\":\"X-Api-Key=hunter2\"}]",
            "--bench-params: header holds a secret",
        ),
        (
            "sweep serve --serve-cmd x --bench-cmd x --serve-params [{\"api_key\":\"hunter2\"}]",
            "--serve-params: api_key holds a secret",
        ),
        ("sweep serve --bench-cmd x --num-runs 0", "--num-runs: must be at least 1"),
        ("sweep serve --bench-cmd x --link-vars a=b", "--link-vars: in no combination"),
        (
            "sweep serve_workload --bench-cmd x --workload-iters 1",
            "--workload-iters: must be at least 2",
        ),
        (
            "sweep serve_workload --bench-cmd x --bench-params [{\"request-rate\":1}]",
            "--bench-params sets request_rate",
        ),
        (
            "sweep serve --bench-cmd 'tokometer bench serve' --bench-params {\"a\":{},\"b\":{\"no_such_flag\":1}} --dry-run",
            "--bench-params: b: there is no flag --no-such-flag",
        ),
        (
            "sweep serve --bench-cmd 'tokometer bench serve --backend nope'",
            "--bench-cmd: --backend: there is no backend nope",
        ),
        ("sweep plot nowhere", "there is no folder nowhere"),
        ("sweep plot . --nosuch", "tokometer bench sweep plot --help shows every flag"),
        ("sweep plot .", "there are no results of a sweep below ."),
        ("sweep startup --serve-cmd x", "bench sweep startup times how vLLM itself starts"),
    ] {
        let ended = place.run_to(2, &format!("bench {line}"));
        assert!(ended.stderr.contains(part), "{line}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{line}: {}", ended.stderr);
    }
    assert!(!place.path().join("results").exists());
}
