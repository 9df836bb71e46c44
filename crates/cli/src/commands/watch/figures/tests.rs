//! What follows from readings made by hand.

use std::collections::BTreeMap;

use tokometer_record::{Scrape, Timing};

use super::testing::{A, B, at, busy, line, page, remark};
use super::*;

fn watched(addresses: &[&str]) -> Watched {
    let asked = addresses.iter().map(|address| (*address).to_owned()).collect();
    Watched::new(asked, Duration::from_secs(1))
}

const TOKENS: Signal = Signal::GenerationTokens;

#[test]
fn recent_is_the_last_ten_seconds_and_whole_is_everything() {
    let mut watched = watched(&[A]);
    for second in 0..=30_u32 {
        let tokens = if second <= 20 { 0.0 } else { f64::from(second - 20) * 100.0 };
        watched.hear(page(A, u64::from(second) * 1000, &[(TOKENS, tokens)]));
    }
    let view = watched.view(at(30_200));
    assert_eq!(view.recent.seconds, 10.0);
    assert_eq!(view.generation(&view.recent), Some(100.0));
    assert_eq!(view.whole.seconds, 30.0);
    assert!((view.generation(&view.whole).unwrap() - 1000.0 / 30.0).abs() < 1e-9);
    assert_eq!(view.step.seconds, 1.0);
}

#[test]
fn a_window_says_how_long_it_is_while_there_is_less_or_a_gap() {
    let mut watched = watched(&[A]);
    watched.hear(page(A, 0, &[(TOKENS, 0.0)]));
    watched.hear(page(A, 4_000, &[(TOKENS, 40.0)]));
    assert_eq!(watched.view(at(4_000)).recent.seconds, 4.0);
    watched.hear(page(A, 60_000, &[(TOKENS, 600.0)]));
    let view = watched.view(at(60_000));
    assert_eq!(view.recent.seconds, 56.0, "nothing was read in between");
    assert_eq!(view.generation(&view.recent), Some(10.0));
}

#[test]
fn averages_begin_anew_when_they_are_reset() {
    let mut watched = watched(&[A]);
    watched.hear(page(A, 0, &[(TOKENS, 0.0)]));
    watched.hear(page(A, 1_000, &[(TOKENS, 1000.0)]));
    watched.reset(at(1_000));
    watched.hear(page(A, 2_000, &[(TOKENS, 1010.0)]));
    let view = watched.view(at(3_000));
    assert_eq!(view.generation(&view.whole), Some(10.0));
    assert_eq!(view.generation(&view.recent), Some(505.0), "the last seconds stay what they were");
    assert_eq!(view.whole_for, Duration::from_secs(2));
}

#[test]
fn a_server_that_began_anew_gives_no_figure_until_its_next_reading() {
    let mut watched = watched(&[A]);
    watched.hear(page(A, 0, &[(TOKENS, 4000.0)]));
    watched.hear(page(A, 500, &[(TOKENS, 5000.0)]));
    watched.hear(page(A, 1_000, &[(TOKENS, 10.0)]));
    let view = watched.view(at(1_000));
    assert_eq!(view.generation(&view.step), None);
    assert_eq!(view.recent.seconds, 0.0, "what was before is not of now");
    assert_eq!((view.remarks[0].kind, view.remarks[0].at), (RemarkKind::Reset, at(1_000)));
    watched.hear(page(A, 2_000, &[(TOKENS, 60.0)]));
    let view = watched.view(at(2_000));
    assert_eq!(view.generation(&view.step), Some(50.0));
    assert_eq!(view.generation(&view.recent), Some(50.0));
    assert_eq!(view.generation(&view.whole), Some(700.0), "1000 and 50 in a second and a half");
}

#[test]
fn of_servers_that_answer_in_turn_no_rates_are_told_and_no_restart_either() {
    let mut watched = watched(&[A, B]);
    let mut said = Vec::new();
    for second in 0..20_u32 {
        // One server at 1000 tokens, one at 50000, and both generate 50 a second.
        let tokens = f64::from(second * 50 + [50_000, 1_000][second as usize % 2]);
        let at = u64::from(second) * 1000;
        said.extend(watched.hear(page(A, at, &[(TOKENS, tokens), (Signal::Running, 2.0)])));
        watched.hear(page(B, at, &[(TOKENS, f64::from(second))]));
        let view = watched.view(self::at(at));
        let rate = view.generation(&view.step);
        assert!(rate.is_none_or(|rate| rate == 1.0), "{second}: {rate:?}");
    }
    let view = watched.view(at(20_000));
    assert_eq!((view.generation(&view.recent), view.generation(&view.whole)), (None, None));
    assert_eq!(view.level(Signal::Running), Some(2.0));
    assert_eq!(view.servers.iter().map(|seen| seen.in_turn).collect::<Vec<_>>(), [true, false]);
    assert_eq!(
        said.iter().map(|remark| remark.detail.as_str()).collect::<Vec<_>>(),
        [ANEW, IN_TURN]
    );
    assert_eq!(view.remarks.len(), 1, "the restart that was none is taken back");
    watched.reset(at(20_000));
    watched.hear(page(A, 21_000, &[(TOKENS, 90_000.0)]));
    watched.hear(page(A, 22_000, &[(TOKENS, 90_007.0)]));
    let view = watched.view(at(22_000));
    assert_eq!(
        view.generation(&view.step),
        Some(8.0),
        "A's 7 and B's 1: it is found out again who answers"
    );
}

#[test]
fn no_interval_is_too_long() {
    let mut watched = Watched::new(vec![A.to_owned()], Duration::MAX);
    watched.hear(page(A, 0, &[]));
    assert!(!watched.view(at(9_000)).servers[0].stale);
}

#[test]
fn requests_of_servers_are_added_up_and_the_fullest_cache_is_told() {
    let mut watched = watched(&[A, B]);
    let values = |running, kv| [(Signal::Running, running), (Signal::KvUsage, kv)];
    watched.hear(page(A, 0, &values(3.0, 0.2)));
    watched.hear(page(B, 0, &values(4.0, 0.7)));
    let view = watched.view(at(100));
    assert_eq!(view.level(Signal::Running), Some(7.0));
    assert_eq!(view.level(Signal::KvUsage), Some(0.7));
}

#[test]
fn a_server_that_fell_silent_is_not_counted_among_those_that_answer() {
    let mut watched = watched(&[A, B]);
    watched.hear(page(A, 0, &[(Signal::Running, 3.0)]));
    watched.hear(page(B, 0, &[(Signal::Running, 4.0)]));
    watched.hear(page(A, 5_000, &[(Signal::Running, 5.0)]));
    watched.hear(remark(B, 5_000, RemarkKind::Unreachable, "connection refused"));
    let view = watched.view(at(5_000));
    assert_eq!(view.level(Signal::Running), Some(5.0));
    let stale: Vec<_> = view.servers.iter().map(|seen| seen.stale).collect();
    assert_eq!(stale, [false, true]);
    assert_eq!(view.servers[1].trouble.as_deref(), Some("connection refused"));
}

#[test]
fn when_nobody_answers_the_last_figures_stand_and_are_stale() {
    let mut watched = watched(&[A]);
    watched.hear(page(A, 0, &[(Signal::Running, 3.0)]));
    let view = watched.view(at(9_000));
    assert_eq!(view.level(Signal::Running), Some(3.0));
    assert!(view.servers[0].stale);
    watched.tick(at(9_000));
    assert_eq!(watched.view(at(9_000)).history, [Tick::default()], "but are not drawn as of now");
}

#[test]
fn an_answer_takes_the_trouble_away() {
    let mut watched = watched(&[A]);
    watched.hear(remark(A, 0, RemarkKind::Unreachable, "connection refused"));
    assert_eq!(watched.view(at(0)).servers[0].whose, Whose::Unread);
    watched.hear(page(A, 1_000, &[]));
    let seen = watched.view(at(1_000)).servers.remove(0);
    assert_eq!((seen.whose, seen.trouble), (Whose::Known("vllm".into()), None));
}

#[test]
fn a_page_of_no_known_server_is_told_by_its_samples() {
    let mut watched = watched(&[A]);
    let samples = BTreeMap::from([("x".to_owned(), 1.0), ("y".to_owned(), 2.0)]);
    watched.hear(Heard::Scrape(Scrape { at: at(0), source: A.to_owned(), samples }));
    assert_eq!(watched.view(at(0)).servers[0].whose, Whose::Unknown(2));
}

#[test]
fn the_servers_own_figure_stands_in_where_it_counts_nothing() {
    let mut watched = watched(&[A]);
    watched.hear(page(A, 0, &[(Signal::GenerationThroughput, 77.0)]));
    watched.hear(page(A, 1_000, &[(Signal::GenerationThroughput, 78.0)]));
    let view = watched.view(at(1_000));
    assert_eq!(view.generation(&view.recent), Some(78.0));
}

#[test]
fn lines_of_a_log_are_put_together_by_engine_and_forgotten_when_they_are_old() {
    let mut watched = watched(&[]);
    watched.hear(line("000", 0, &[(Signal::Running, 1.0)]));
    watched.hear(line("000", 10, &[(Signal::AcceptanceLength, 2.5)]));
    watched.hear(line("001", 10, &[(Signal::Running, 9.0)]));
    let said = |watched: &Watched| watched.view(at(0)).logs.remove(0);
    assert_eq!(said(&watched).value(Signal::Running), Some(1.0));
    assert_eq!(said(&watched).value(Signal::AcceptanceLength), Some(2.5));
    watched.hear(line("000", 60_000, &[(Signal::Running, 2.0)]));
    assert_eq!(said(&watched).value(Signal::AcceptanceLength), None);
}

#[test]
fn a_remark_that_is_repeated_is_told_once() {
    let mut watched = watched(&[A]);
    watched.hear(remark(A, 0, RemarkKind::Unreachable, "connection refused"));
    watched.hear(remark(B, 500, RemarkKind::NoMetrics, "HTTP 404"));
    watched.hear(remark(A, 1_000, RemarkKind::Unreachable, "connection refused"));
    let view = watched.view(at(2_000));
    let told: Vec<_> =
        view.remarks.iter().map(|remark| (remark.at, remark.detail.as_str())).collect();
    assert_eq!(told, [(at(1_000), "connection refused"), (at(500), "HTTP 404")]);
}

#[test]
fn history_goes_back_five_minutes_and_no_further() {
    let mut watched = Watched::new(vec![A.to_owned()], Duration::from_secs(10));
    for step in 0..=40_u32 {
        watched.hear(page(A, u64::from(step) * 10_000, &[(Signal::Running, f64::from(step))]));
        watched.tick(at(u64::from(step) * 10_000));
    }
    let running: Vec<_> =
        watched.view(at(0)).history.iter().filter_map(|tick| tick.running).collect();
    assert_eq!((running.len(), running.first()), (30, Some(&11.0)));
}

#[test]
fn a_busy_server_is_understood() {
    let view = busy().view(at(100_300));
    assert_eq!(view.recent.prefix_hits(), Some(0.4));
    assert_eq!(view.recent.share(Signal::ExternalHits, Signal::ExternalQueries), None);
    assert_eq!(view.recent.grown(Signal::Preemptions), Some(3.0));
    assert!((view.recent.mean(Timing::Ttft).unwrap() - 0.312).abs() < 1e-9);
    assert_eq!(view.recent.speculation().unwrap().length, 2.5);
    assert_eq!(view.history.len(), 101);
    assert_eq!(view.history[0].generation, None, "one reading tells no throughput");
}

#[test]
fn a_column_of_the_past_does_not_change_when_time_goes_on() {
    let mut watched = watched(&[A]);
    let mut before: Vec<Option<f64>> = Vec::new();
    for second in 0..700_u32 {
        let waiting = f64::from(second * 7919 % 100);
        watched.hear(page(A, u64::from(second) * 1000, &[(Signal::Waiting, waiting)]));
        watched.tick(at(u64::from(second) * 1000));
        let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let columns = watched.view(at(0)).columns(60, |tick| tick.waiting, highest);
        assert!(columns.len() <= 60);
        let settled = &before[..before.len().saturating_sub(1)];
        let moved = settled.get(1..).unwrap_or_default();
        // The oldest column loses ticks as they are forgotten; all between it and the newest stay as they are.
        let stays =
            columns.windows(moved.len().max(1)).any(|part| part == moved) || moved.is_empty();
        // From three hundred on the history is full, and a column is five ticks wide.
        assert!(stays || second <= 300, "{second}: {before:?} {columns:?}");
        before = columns;
    }
    assert_eq!(before.len(), 60);
}
