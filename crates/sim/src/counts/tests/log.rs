//! The log's lines, against those of a real server.

use super::*;
use crate::model::Finish;

const LOGGED: &str = include_str!("../testdata/vllm-0.32.0.log");

fn stamped(pid: u32, time: &str) -> Stamp<'_> {
    Stamp { pid, time }
}

/// A request of so many tokens that goes on.
fn going(counts: &Arc<Counts>, prompt_tokens: u32, tokens: u32) -> Share {
    let mut share = Counts::begin(counts, asked(prompt_tokens, 1000, Duration::ZERO));
    share.scheduled(Duration::ZERO, 0, 0);
    share.emitted(SECOND, tokens);
    counts.stepped(0, SECOND, &Speculated::default());
    share
}

fn busy(counts: &Counts, running: u32) {
    counts.occupied(&[Occupancy { running, ..Occupancy::default() }]);
}

#[test]
fn the_logs_lines_are_vllms_and_idle_engines_are_silent() {
    let counts = Counts::new(captured());
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let mut lines = Vec::new();
    let at = |seconds: u64| Duration::from_secs(seconds);
    let _first = going(&counts, 6, 3);
    lines.extend(logger.interval(at(10), stamped(18992, "11-22 10:22:17")));
    lines.extend(logger.interval(at(20), stamped(18992, "11-22 10:22:27")));
    for seconds in [30, 40, 50, 60] {
        assert_eq!(logger.interval(at(seconds), stamped(18992, "")), [""; 0]);
    }
    let _second = going(&counts, 1727, 48);
    busy(&counts, 16);
    lines.extend(logger.interval(at(70), stamped(18992, "11-22 10:23:17")));

    let counts = with(|_, fleet| fleet.drafted = Some(number(4)));
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let speculated = |drafts: u32, accepted: [u32; 4]| {
        let draft_tokens = accepted.iter().sum();
        let mut speculated = Speculated { drafts, draft_tokens, ..Speculated::default() };
        speculated.accepted[..4].copy_from_slice(&accepted);
        counts.stepped(0, SECOND, &speculated);
    };
    // Speculation is told of over the time since it last was, and not over the interval.
    assert_eq!(logger.interval(at(16), stamped(25449, "")), [""; 0]);
    let mut share = going(&counts, 60, 294);
    speculated(61, [61, 61, 55, 55]);
    busy(&counts, 1);
    lines.extend(logger.interval(at(26), stamped(25449, "11-22 10:27:23")));
    share.emitted(27 * SECOND, 66);
    speculated(14, [14; 4]);
    busy(&counts, 0);
    lines.extend(logger.interval(at(36), stamped(25449, "11-22 10:27:33")));
    assert_eq!(lines, LOGGED.lines().collect::<Vec<_>>());
}

#[test]
fn what_the_cache_had_is_not_in_the_logs_throughput_and_its_rate_is_of_the_last_requests() {
    let counts = with(|about, _| about.device = "GPU");
    let mut logger = Logger::new(&counts, Speakers::EachEngine);
    let admit = |prompt: u32, cached: u32| {
        let mut share = Counts::begin(&counts, asked(prompt, 9, Duration::ZERO));
        share.scheduled(Duration::ZERO, 0, cached);
        share.emitted(SECOND, 1);
        share.finished(Some(Finish::Stop));
        counts.stepped(0, SECOND, &Speculated::default());
    };
    let told = |logger: &mut Logger, seconds: u64| {
        logger.interval(Duration::from_secs(seconds), stamped(1, "01-02 03:04:05")).concat()
    };
    admit(100, 75);
    counts.occupied(&[Occupancy { running: 3, waiting: 4, blocks: 32768, free: 32767 }]);
    assert_eq!(
        told(&mut logger, 10),
        "(APIServer pid=1) INFO 01-02 03:04:05 [loggers.py:335] Engine 000: Avg prompt throughput: 2.5 tokens/s, \
         Avg generation throughput: 0.1 tokens/s, Running: 3 reqs, Waiting: 4 reqs, GPU KV cache usage: 50.0%, \
         Prefix cache hit rate: 75.0%"
    );
    // A thousand more, and the first is forgotten.
    (0..1000).for_each(|_| admit(100, 0));
    assert!(told(&mut logger, 20).ends_with("Prefix cache hit rate: 0.0%"));
    admit(1000, 1000);
    assert!(told(&mut logger, 30).ends_with("Prefix cache hit rate: 1.0%"));
    counts.cache_reset();
    admit(10, 0);
    assert!(told(&mut logger, 40).ends_with("Prefix cache hit rate: 0.0%"));
}

#[test]
fn engines_speak_for_themselves_or_all_together() {
    let counts = with(|_, fleet| fleet.replicas = number(2));
    let mut each = Logger::new(&counts, Speakers::EachEngine);
    let mut all = Logger::new(&counts, Speakers::AllTogether);
    for replica in [0, 1, 1] {
        let mut share = Counts::begin(&counts, asked(10, 9, Duration::ZERO));
        share.scheduled(Duration::ZERO, replica, 5);
        share.emitted(SECOND, 10);
        counts.stepped(replica, SECOND, &Speculated::default());
    }
    let half = |running| Occupancy { running, blocks: 65535 / 5, ..Occupancy::default() };
    counts.occupied(&[half(1), Occupancy { waiting: 2, ..Occupancy::default() }]);
    let said = |logger: &mut Logger| -> Vec<String> {
        let lines = logger.interval(10 * SECOND, stamped(1, "t"));
        lines.iter().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
    };
    assert_eq!(
        said(&mut each),
        [
            "Engine 000: Avg prompt throughput: 0.5 tokens/s, Avg generation throughput: 1.0 tokens/s, Running: 1 reqs, \
             Waiting: 0 reqs, CPU KV cache usage: 20.0%, Prefix cache hit rate: 50.0%",
            "Engine 001: Avg prompt throughput: 1.0 tokens/s, Avg generation throughput: 2.0 tokens/s, Running: 0 reqs, \
             Waiting: 2 reqs, CPU KV cache usage: 0.0%, Prefix cache hit rate: 50.0%",
        ]
    );
    assert_eq!(
        said(&mut all),
        [
            "2 Engines Aggregated: Avg prompt throughput: 1.5 tokens/s, Avg generation throughput: 3.0 tokens/s, \
             Running: 1 reqs, Waiting: 2 reqs, CPU KV cache usage: 10.0%, Prefix cache hit rate: 50.0%",
        ]
    );
}
