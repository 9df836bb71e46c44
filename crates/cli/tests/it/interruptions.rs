//! Ctrl-C, twice, and a killed program: what had ended is there.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokometer_record::{FailureKind, Outcome, TokenSource};

use crate::by_hand::{self, Asked};
use crate::{Ended, QUICK, Workplace};

/// A program that runs, with what it has said so far.
struct Running {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Running {
    fn start(place: &Workplace, line: &str) -> Self {
        let mut command = place.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Reads on until a line holds this.
    fn wait_to_say(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert_ne!(
                self.said.read_line(&mut line).unwrap(),
                0,
                "it ended without saying {part}"
            );
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn wait(mut self) -> Ended {
        let mut stderr = String::new();
        self.said.read_to_string(&mut stderr).unwrap();
        let ended = Ended::of(self.child.wait_with_output().unwrap());
        Ended { stderr, ..ended }
    }
}

/// Returns once the log holds this many records.
fn wait_for_records(log: &Path, records: usize) {
    let is_record = |line: &&str| line.starts_with("{\"record\"");
    wait_for(log, |text| text.lines().filter(is_record).count() >= records);
}

/// Returns once the file's text is as wanted. It looks again and again, for nothing tells of a file's growth.
fn wait_for(file: &Path, wanted: impl Fn(&str) -> bool) {
    for _ in 0..6_000 {
        if wanted(&std::fs::read_to_string(file).unwrap_or_default()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} never came to be as wanted", file.display());
}

/// A server that tokenizes, and tells no usage. Once it has served so many completions, whoever asks it to tokenize a text that
/// holds [`SLOW`] has to wait.
struct Tokenizing {
    address: SocketAddr,
    /// Told of everybody who waits.
    waiting: Receiver<()>,
    /// While this is there, they wait.
    held: Sender<()>,
}

impl Tokenizing {
    fn start(completions: usize) -> Self {
        let (tell, waiting) = channel();
        let (held, let_go) = channel::<()>();
        let (tell, let_go, served) = (Mutex::new(tell), Mutex::new(let_go), AtomicUsize::new(0));
        let answer = move |asked: &Asked| match asked.path() {
            "/tokenize" => {
                if asked.body.contains(SLOW) && served.load(Ordering::SeqCst) >= completions {
                    // A test that is over listens no more, and holds nobody.
                    let _ = tell.lock().unwrap().send(());
                    let _ = let_go.lock().unwrap().recv();
                }
                by_hand::json(&json!({ "tokens": [1, 2, 3], "count": 3 }))
            }
            "/detokenize" => by_hand::json(&json!({ "prompt": "word" })),
            _ => {
                served.fetch_add(1, Ordering::SeqCst);
                by_hand::completion(SLOW)
            }
        };
        Self { address: by_hand::serve(answer), waiting, held }
    }
}

const SLOW: &str = "slow to tokenize";

const LINE: &str = "perf --model m --url sim://?ttft_ms=20&itl_ms=5 --prompt hi --parallel 4 --number 20000 20000 --max-tokens 4 \
                    --no-timestamp --name run --no-test-connection";

fn line() -> String {
    LINE.replace("--parallel 4", "--parallel 4 8")
}

#[test]
fn the_first_signal_drains_reports_and_marks_the_run_incomplete() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Workplace::new();
        let running = Running::start(&place, &line());
        wait_for_records(&place.path().join("outputs/run/run.jsonl"), 4);
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, 130, "{}", ended.stderr);
        assert!(ended.stdout.contains("Performance Test Summary Report"), "{}", ended.stdout);
        let log = place.log();
        assert_eq!(log.points.len(), 1, "the second point is not begun");
        assert!(!log.points[0].end.as_ref().unwrap().complete);
        assert!(!log.end.unwrap().complete);
        let records = &log.points[0].records;
        assert!((4..20_000).contains(&records.len()), "{}", records.len());
        assert!(
            records.iter().all(tokometer_record::Record::succeeded),
            "what was in flight is awaited"
        );
    }
}

#[test]
fn the_second_signal_ends_at_once_and_the_log_is_whole() {
    let place = Workplace::new();
    let slow = line().replace("ttft_ms=20", "ttft_ms=600000");
    let mut running = Running::start(&place, &slow);
    running.wait_to_say("parallel_4_number_20000");
    running.signal(Signal::SIGINT);
    running.wait_to_say("interrupted: ");
    // Another one, for the same so soon would be taken for an echo of the first.
    running.signal(Signal::SIGTERM);
    let ended = running.wait();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.stderr.contains("interrupted again"), "{}", ended.stderr);
    assert!(ended.stderr.contains("tokometer report outputs/run"), "{}", ended.stderr);
    let log = place.log();
    assert!(!log.end.unwrap().complete);
    for record in &log.points[0].records {
        let Outcome::Failed(failure) = &record.outcome else { panic!("{record:?}") };
        assert_eq!(failure.kind, FailureKind::Cancelled);
    }
    place.run_to(130, "report outputs");
}

#[test]
fn a_killed_run_is_reported_from_its_log() {
    let place = Workplace::new();
    let running = Running::start(&place, &line());
    let path = place.path().join("outputs/run/run.jsonl");
    wait_for_records(&path, 40);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -1);
    let ended = place.run_to(130, "report outputs");
    assert!(ended.stdout.contains("its log has no end"), "{}", ended.stdout);
    let log = place.log();
    assert!(log.end.is_none() && log.points[0].records.len() >= 40);
    let summary = crate::json(
        &place.path().join("outputs/run/parallel_4_number_20000/benchmark_summary.json"),
    );
    assert_eq!(summary["Success Requests"], log.points[0].records.len());
}

#[test]
fn a_signal_before_the_load_ends_the_program_and_leaves_nothing() {
    let place = Workplace::new();
    let slow = "perf --model m --url sim://?ttft_ms=600000 --prompt hi";
    let mut running = Running::start(&place, slow);
    running.wait_to_say("testing the connection");
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait().code, 130);
    assert!(!place.path().join("outputs").exists());
}

#[test]
fn a_signal_while_the_servers_own_side_is_awaited_ends_the_run_without_a_load() {
    let place = Workplace::new();
    let (tell, told) = channel();
    let (tell, sent) = (Mutex::new(tell), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&sent);
    let address = by_hand::serve(move |asked| match asked.path() {
        "/metrics" => {
            // A test that is over listens no more, and hears nothing.
            let _ = tell.lock().unwrap().send(());
            loop {
                thread::park();
            }
        }
        "/v1/chat/completions" => {
            counted.fetch_add(1, Ordering::SeqCst);
            by_hand::completion("hello")
        }
        _ => by_hand::response("404 Not Found", "text/plain", "no"),
    });
    let line = format!(
        "perf --model m --url http://{address}/v1/chat/completions --prompt hi --number 4 --no-test-connection --name run \
         --no-timestamp"
    );
    let running = Running::start(&place, &line);
    told.recv().unwrap();
    running.signal(Signal::SIGINT);
    let ended = running.wait();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(sent.load(Ordering::SeqCst), 0);
    let log = place.log();
    assert_eq!(log.points.len(), 0);
    assert!(!log.end.unwrap().complete);
}

#[test]
fn a_signal_between_two_points_ends_the_run_with_the_points_that_there_are() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url {QUICK} --prompt hi --parallel 1 2 --number 2 2 --max-tokens 2 --sleep-interval 600 \
         --no-timestamp --name run"
    );
    let running = Running::start(&place, &line);
    wait_for(&place.path().join("outputs/run/benchmark.log"), |text| {
        text.contains("Sleeping for 600")
    });
    running.signal(Signal::SIGINT);
    assert_reported_incomplete(&place, running.wait());
}

#[test]
fn a_signal_while_prompts_are_made_ready_ends_the_run_with_the_points_that_there_are() {
    let place = Workplace::new();
    let server = Tokenizing::start(1);
    place.write("lines.txt", &format!("quick\n{SLOW}\n"));
    let mut running = Running::start(&place, &measured_by(&server, "--parallel 1 1 --number 1 50"));
    server.waiting.recv().unwrap();
    wait_for_records(&place.path().join("outputs/run/run.jsonl"), 1);
    running.signal(Signal::SIGINT);
    running.wait_to_say("interrupted: the run ends here");
    drop(server.held);
    assert_reported_incomplete(&place, running.wait());
}

#[test]
fn a_signal_while_the_first_prompts_are_made_ready_leaves_nothing() {
    let place = Workplace::new();
    let server = Tokenizing::start(0);
    place.write("lines.txt", &format!("{SLOW}\n"));
    let running = Running::start(&place, &measured_by(&server, "--parallel 1 --number 1"));
    server.waiting.recv().unwrap();
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait().code, 130);
    assert!(!place.path().join("outputs").exists());
}

#[test]
fn a_signal_while_outputs_are_counted_ends_the_run_with_what_was_counted() {
    let place = Workplace::new();
    let server = Tokenizing::start(1);
    let line = format!(
        "perf --model m --url http://{}/v1/chat/completions --prompt hi --parallel 2 --number 40 --no-timestamp --name run",
        server.address
    );
    let mut running = Running::start(&place, &line);
    running.wait_to_say("counting the tokens of 40 outputs");
    server.waiting.recv().unwrap();
    running.signal(Signal::SIGINT);
    running.wait_to_say("interrupted: the run ends here");
    drop(server.held);
    let ended = running.wait();
    assert!(ended.stderr.contains("were left uncounted"), "{}", ended.stderr);
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.stdout.contains("Performance Test Summary Report"), "{}", ended.stdout);
    let log = place.log();
    assert!(!log.end.unwrap().complete && !log.points[0].end.as_ref().unwrap().complete);
    let sources = log.points[0].records.iter().filter_map(|r| Some(r.output_tokens?.source));
    let counted = sources.filter(|source| *source == TokenSource::LocalTokenizer).count();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(counted <= cores, "each core finishes the one that it was about: {counted}");
}

/// A command whose prompts are measured by the server's tokenizer.
fn measured_by(server: &Tokenizing, load: &str) -> String {
    format!(
        "perf --model m --url http://{}/v1/chat/completions --dataset line_by_line --dataset-path lines.txt \
         --dataset-args '{{\"target_input_len\": 100}}' {load} --sleep-interval 0 --no-timestamp --name run \
         --no-test-connection",
        server.address
    )
}

/// The first of two points is reported, and the run is marked incomplete.
fn assert_reported_incomplete(place: &Workplace, ended: Ended) {
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.stdout.contains("Performance Test Summary Report"), "{}", ended.stdout);
    let log = place.log();
    assert_eq!(log.points.len(), 1);
    assert!(log.points[0].end.as_ref().unwrap().complete);
    assert!(!log.end.unwrap().complete);
    let summary: Value = crate::json(&place.path().join("outputs/run/summary.json"));
    assert_eq!(summary["points"].as_array().unwrap().len(), 1);
    assert_eq!(summary["complete"], false);
    assert!(ended.stdout.contains("Missing here: 1 of the 2 points"), "{}", ended.stdout);
    place.run_to(130, "report outputs");
}

#[test]
fn a_point_that_cannot_be_made_ready_leaves_those_before_it_reported() {
    let place = Workplace::new();
    place.write("lines.txt", "Tell me a story.\n");
    let line = "perf --model m --url sim://?ttft_ms=20&itl_ms=5 --dataset line_by_line --dataset-path lines.txt \
                --parallel 1 2 --number 40 4 --max-tokens 2 --sleep-interval 0 --no-timestamp --name run";
    let running = Running::start(&place, line);
    wait_for_records(&place.path().join("outputs/run/run.jsonl"), 1);
    std::fs::remove_file(place.path().join("lines.txt")).unwrap();
    let ended = running.wait();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(
        ended.stderr.ends_with(
            "error: cannot read lines.txt: No such file or directory (os error 2)\nhint: check --dataset-path\n"
        ),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("Performance Test Summary Report"), "{}", ended.stdout);
    let log = place.log();
    assert_eq!(log.points.len(), 1);
    assert_eq!(log.points[0].records.len(), 40);
    assert!(!log.end.unwrap().complete);
    assert!(place.path().join("outputs/run/performance_summary.txt").exists());
    place.run_to(130, "report outputs");
}

#[test]
fn the_simulator_serves_until_it_is_told_to_stop() {
    let place = Workplace::new();
    let mut simulator = Running::start(
        &place,
        "sim --port 0 --ttft-ms 5 --itl-ms 1 --model served --truth truth.jsonl",
    );
    let mut line = String::new();
    simulator.said.read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let ended = place.run(&format!(
        "perf --url http://{address}/v1 --dataset random --min-prompt-length 40 --max-prompt-length 40 --number 3 \
         --max-tokens 4"
    ));
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(place.log().header.model, "served");
    assert_eq!(place.log().header.tokenizer, "server");
    simulator.signal(Signal::SIGINT);
    assert_eq!(simulator.wait().code, 0);
    let truth = std::fs::read_to_string(place.path().join("truth.jsonl")).unwrap();
    for record in &place.log().points[0].records {
        let tokens = record.prompt_tokens;
        assert_eq!(
            (tokens.local, tokens.server),
            (Some(40), Some(40)),
            "measured by the server's own tokenizer"
        );
        assert!(truth.contains(&record.request_id), "{truth}");
    }
}
