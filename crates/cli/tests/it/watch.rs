//! `tokometer watch` against the simulator: what it tells, what it says of silence, and how it ends.

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, Stdio};

use crate::Workplace;

/// A simulator with engines, until it is dropped.
struct Server {
    child: Child,
    address: String,
    _stderr: Lines<BufReader<ChildStderr>>,
}

impl Server {
    fn start(place: &Workplace) -> Self {
        let line = "sim --port 0 --max-num-seqs 4 --options base_us=2000";
        let mut child = place.command(line).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let said = stderr.next().unwrap().unwrap();
            if let Some((_, rest)) = said.split_once("http://") {
                break format!("http://{}", rest.split('/').next().unwrap());
            }
        };
        Self { child, address, _stderr: stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address at which nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn one_reading_is_a_header_and_a_line() {
    let place = Workplace::new();
    let server = Server::start(&place);
    let ended = place.run_to(0, &format!("watch {} --once", server.address));
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stdout);
    let names: Vec<_> = lines[0].split_whitespace().collect();
    let values: Vec<_> = lines[1].split_whitespace().collect();
    let value = |name: &str| values[names.iter().position(|column| *column == name).unwrap()];
    assert_eq!((value("answering"), value("running"), value("waiting")), ("1", "0", "0"));
    assert_eq!(value("gen_tok/s"), "-", "one reading tells no rate");
    assert_eq!(ended.stderr, "");
}

#[test]
fn lines_tell_what_was_generated_in_between() {
    let place = Workplace::new();
    let server = Server::start(&place);
    let line = format!("watch {} --plain --every 0.2", server.address);
    let mut child = place.command(&line).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let names: Vec<_> = lines.next().unwrap().split_whitespace().map(str::to_owned).collect();
    let column = names.iter().position(|name| name == "gen_tok/s").unwrap();
    let load = format!(
        "perf --url {}/v1/chat/completions --model m --prompt hi --max-tokens 400 --min-tokens 400 --parallel 4 --number 4",
        server.address
    );
    let mut load =
        place.command(&load).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let generating = |line: &String| {
        let value = line.split_whitespace().nth(column).unwrap();
        value.parse::<f64>().is_ok_and(|rate| rate > 0.0)
    };
    assert!(lines.any(|line| generating(&line)));
    load.kill().unwrap();
    load.wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_line_tells_of_a_reading_of_its_own() {
    let place = Workplace::new();
    let server = Server::start(&place);
    let line = format!("watch {} --plain --every 0.1", server.address);
    let mut child = place.command(&line).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let names: Vec<_> = lines.next().unwrap().split_whitespace().map(str::to_owned).collect();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    for line in lines.by_ref().take(12) {
        let values: Vec<_> = line.split_whitespace().collect();
        // An idle server generates nothing, which is a figure; that nothing is known is none.
        let told = [values[at("answering")], values[at("running")], values[at("gen_tok/s")]];
        assert_eq!(told, ["1", "0", "0.0"], "{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whoever_has_read_enough_is_not_made_to_wait_for_the_next_line() {
    assert_eq!(code_for_a_reader_of_one_line("86400"), Some(0));
}

#[test]
fn whoever_has_read_enough_ends_it() {
    assert_eq!(code_for_a_reader_of_one_line("0.1"), Some(0));
}

/// The exit code if nobody reads on after the heading, lines being so many seconds apart.
fn code_for_a_reader_of_one_line(every: &str) -> Option<i32> {
    let place = Workplace::new();
    let line = format!("watch {} --plain --every {every}", nobody());
    let mut child =
        place.command(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(stdout.next().unwrap().unwrap().starts_with("time"));
    drop(stdout);
    child.wait().unwrap().code()
}

#[test]
fn a_server_that_does_not_answer_is_tried_on_and_told() {
    let place = Workplace::new();
    let line = format!("watch {} --plain --every 0.1", nobody());
    let mut child =
        place.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let note = said.next().unwrap().unwrap();
    assert!(note.starts_with("note: http://127.0.0.1:"), "{note}");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().skip(1);
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.split_whitespace().nth(1), Some("0"), "nobody answers: {line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_single_reading_that_cannot_be_had_is_a_failure_with_a_hint() {
    let place = Workplace::new();
    let address = nobody();
    let ended = place.run_to(1, &format!("watch {address} --once --api-key k3y-s3cret"));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with(&format!("error: {address}/metrics: ")), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nhint: is the server up"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
}

#[test]
fn a_single_reading_tells_whatever_else_could_not_be_had() {
    let place = Workplace::new();
    let server = Server::start(&place);
    let gpus = nobody();
    let line = format!("watch {0} {0} --once --gpu-metrics {gpus}", server.address);
    let ended = place.run_to(0, &line);
    let last = ended.stdout.lines().last().unwrap();
    assert_eq!(last.split_whitespace().nth(1), Some("1"), "one server, named twice: {last}");
    assert!(ended.stderr.starts_with(&format!("note: {gpus}/metrics: ")), "{}", ended.stderr);
}

#[test]
fn a_single_reading_that_is_waited_for_can_be_interrupted() {
    let place = Workplace::new();
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("watch http://{} --once", listener.local_addr().unwrap());
    let mut child =
        place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let connection = listener.accept().unwrap();
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    drop(connection);
}

#[test]
fn a_page_that_is_none_of_metrics_is_a_failure_with_a_hint() {
    let place = Workplace::new();
    let server = Server::start(&place);
    let ended = place.run_to(1, &format!("watch {}/v1/models --once", server.address));
    assert!(ended.stderr.contains("hint: an address without a path means"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_watched_is_refused_before_anything_is_asked() {
    let place = Workplace::new();
    let ended = place.run_to(2, "watch http://a:8000 s3cret");
    assert!(ended.stderr.starts_with("error: address 2: not a URL"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    place.run_to(2, "watch");
    place.run_to(2, "watch http://a:8000 --every 0");
    let ended = place.run_to(2, "watch http://a:8000 --every 1e19");
    assert!(ended.stderr.starts_with("error: --every: 1.00e19 s is too long"), "{}", ended.stderr);
}
