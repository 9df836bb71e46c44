//! The panel as it stands on terminals of several sizes.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokometer_record::{RemarkKind, Signal};

use super::super::figures::Watched;
use super::super::figures::testing::{A, B, at, busy, page, remark};
use super::*;

fn drawn(panel: &Panel<'_>, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, panel)).unwrap();
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

fn plain(view: &View) -> Panel<'_> {
    Panel { view, paused: None, dress: Dress::Plain }
}

#[test]
fn a_busy_server_on_a_wide_terminal() {
    let view = busy().view(at(100_300));
    insta::assert_snapshot!(drawn(&plain(&view), 120, 40));
}

#[test]
fn a_busy_server_on_a_small_terminal() {
    let view = busy().view(at(100_300));
    insta::assert_snapshot!(drawn(&plain(&view), 60, 20));
}

#[test]
fn a_server_that_fell_silent_is_told_in_words() {
    let mut watched = busy();
    watched.hear(remark(
        A,
        104_000,
        RemarkKind::Unreachable,
        "nothing listens there: connection refused",
    ));
    watched.tick(at(112_000));
    let view = watched.view(at(112_000));
    insta::assert_snapshot!(drawn(&plain(&view), 80, 24));
}

#[test]
fn servers_that_never_answered_show_no_figure() {
    let mut watched = Watched::new(vec![A.to_owned(), B.to_owned()], Duration::from_secs(1));
    watched.hear(remark(A, 0, RemarkKind::Unreachable, "connection refused"));
    let view = watched.view(at(2_000));
    insta::assert_snapshot!(drawn(&plain(&view), 80, 24));
}

#[test]
fn a_pause_is_told_where_the_keys_are() {
    let view = busy().view(at(100_300));
    let panel = Panel { paused: Some(Duration::from_secs(12)), ..plain(&view) };
    let drawn = drawn(&panel, 60, 20);
    let last = drawn.lines().last().unwrap();
    assert_eq!(last, " PAUSED for 12 s, and still listening   p goes on   q quits");
}

#[test]
fn no_size_is_too_small() {
    let mut watched = busy();
    watched.hear(page(B, 100_000, &[(Signal::Running, 1.0)]));
    let view = watched.view(at(100_300));
    for width in (0..40).chain([60, 99, 100, 300]) {
        for height in (0..12).chain([20, 40, 100]) {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &plain(&view))).unwrap();
        }
    }
}

#[test]
fn the_first_server_and_the_gauges_stay_whatever_is_left_out() {
    let view = busy().view(at(100_300));
    let drawn = drawn(&plain(&view), 60, 5);
    let starts: Vec<_> = drawn.lines().map(|line| line.split_whitespace().next()).collect();
    assert_eq!(starts, [Some("vLLM"), Some("Running"), Some("Waiting"), Some("KV"), Some("q")]);
}

#[test]
fn colours_only_repeat_what_words_say() {
    let view = busy().view(at(100_300));
    let text = |dress| {
        let panel = Panel { dress, ..plain(&view) };
        drawn(&panel, 120, 40)
    };
    assert_eq!(text(Dress::Plain), text(Dress::Colour));
    assert_eq!(of(Tone::Bad, Dress::Plain).fg, None, "NO_COLOR is honoured");
    assert_eq!(of(Tone::Bad, Dress::Colour).fg, Some(Color::Red));
}

#[test]
fn a_bar_is_filled_to_an_eighth_of_a_cell() {
    assert_eq!(filled(0.0, 4), "····");
    assert_eq!(filled(0.5, 4), "██··");
    assert_eq!(filled(0.28, 4), "█▏··");
    assert_eq!(filled(1.0, 4), "████");
    assert_eq!(filled(7.0, 4), "████");
}

#[test]
fn one_that_waits_is_seen_beside_a_thousand() {
    assert_eq!(column(Some(1.0), 1000.0, 1), SparklineBar::from(1_000));
    assert_eq!(column(Some(0.0), 1000.0, 1), SparklineBar::from(0));
    assert_eq!(column(None, 1000.0, 1), SparklineBar::from(None));
}
