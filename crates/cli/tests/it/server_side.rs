//! What a user sees of listening to the server's own side: what it costs, and what is said where it cannot be heard.

use std::net::SocketAddr;
use std::thread;

use tokometer_record::RemarkKind;

use crate::by_hand::{self, Asked};
use crate::{QUICK, Workplace};

/// A server that answers requests, and never those for its metrics.
fn hanging() -> SocketAddr {
    by_hand::serve(|asked: &Asked| match asked.path() {
        "/metrics" => loop {
            thread::park();
        },
        _ => by_hand::completion("hello"),
    })
}

#[test]
fn a_page_that_hangs_holds_no_load_up_and_is_said_once() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url http://{}/v1/chat/completions --prompt hi --parallel 1 2 3 --number 2 2 2 --max-tokens 2 \
         --sleep-interval 0 --no-test-connection",
        hanging()
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let said = ended.stderr.matches("its page did not answer within 1s").count();
    assert_eq!(said, 1, "{}", ended.stderr);
    let log = place.log();
    let remarks = log.points.iter().flat_map(|point| &point.telemetry.remarks);
    let kinds: Vec<_> = remarks.map(|remark| remark.kind).collect();
    assert_eq!(kinds, [RemarkKind::Unreachable]);
    // Were it waited for, each point would take ten seconds and more.
    let ends: Vec<_> = log.points.iter().map(|point| point.end.as_ref().unwrap().at).collect();
    let between = ends[2].since(ends[0]);
    assert!(between.as_secs() < 8, "{between:?}");
}

#[test]
fn what_cannot_be_heard_is_said_before_the_load() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url {QUICK} --prompt hi --number 2 --max-tokens 2 --server-log nowhere.log --gpu-metrics \
         http://127.0.0.1:1/gpus"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let load = ended.stderr.find("parallel_1_number_2").unwrap();
    for note in [
        "note: nowhere.log: the log cannot be read: ",
        "note: http://127.0.0.1:1/gpus: connection refused",
    ] {
        let at = ended.stderr.find(note);
        assert!(at.is_some_and(|at| at < load), "{note}: {}", ended.stderr);
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let place = Workplace::new();
    let refused = |flags: &str| {
        let line = format!("perf --model m --url {QUICK} --prompt hi --number 1 {flags}");
        place.run_to(2, &line).stderr
    };
    insta::assert_snapshot!(refused("--server-metrics http://a --no-server-metrics"), @"
    error: --server-metrics and --no-server-metrics contradict each other
    hint: leave one of them out
    ");
    insta::assert_snapshot!(refused("--server-log ''"), @"
    error: --server-log: names nothing
    hint: name a file on this machine, such as ./logs/vllm.log
    ");
    insta::assert_snapshot!(refused("--gpu-metrics a:9400"), @"
    error: --gpu-metrics: not a URL: it has no http:// or https:// before the host
    hint: for example http://127.0.0.1:8000/metrics
    ");
}
