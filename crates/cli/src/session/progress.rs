//! What is seen while a load runs: a line that is redrawn on a terminal, a plain line every few seconds elsewhere.
//!
//! It looks at the engine's counters from a thread of its own, so that a slow terminal disturbs nothing. The figures are rough
//! on purpose, for the eye; those that count are in the reports.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokometer_engine::Live;
use tokometer_plan::{Point, Rate};
use tokometer_record::Offset;

use super::recorder::Tally;
use crate::screen::Screen;

/// What a load's display looks at.
pub(crate) struct View<'a> {
    /// Where to show it.
    pub(crate) screen: &'a Screen,
    /// What the point is called.
    pub(crate) name: &'a str,
    /// The point.
    pub(crate) point: &'a Point,
    /// The engine's counters.
    pub(crate) live: &'a Live,
    /// The recorder's.
    pub(crate) tally: &'a Tally,
    /// The run's clock.
    pub(crate) now: &'a (dyn Fn() -> Offset + Sync),
}

/// Shows a load until `done` is dropped.
pub(crate) fn show_load(view: &View<'_>, done: &Receiver<()>) {
    let bar = view.screen.is_live().then(|| bar(view.screen, view.point.requests()));
    let every = if bar.is_some() { REDRAWN } else { PLAIN };
    let began = (view.now)();
    let mut window = Window::new(view.glance(began));
    while done.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let glance = view.glance(began);
        let pace = window.pace(glance);
        let line = Line { glance, pace, left: view.left(glance, pace) };
        match &bar {
            Some(bar) => {
                bar.set_position(glance.ended);
                bar.set_prefix(view.name.to_owned());
                bar.set_message(line.to_string());
            }
            None => {
                let total = view.point.requests();
                view.screen.say(format!("{}  {}/{total}  {line}", view.name, glance.ended));
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Shows how many requests have been made ready.
pub(crate) struct Preparing<'a> {
    screen: &'a Screen,
    bar: Option<ProgressBar>,
    total: u64,
    now: &'a (dyn Fn() -> Offset + Sync),
    began: Offset,
    /// How many plain lines were due by now, where lines cannot be redrawn.
    said: AtomicU64,
}

impl<'a> Preparing<'a> {
    pub(crate) fn new(
        screen: &'a Screen,
        total: u64,
        now: &'a (dyn Fn() -> Offset + Sync),
    ) -> Self {
        let bar = screen.is_live().then(|| {
            let bar = bar(screen, total);
            bar.set_prefix("preparing prompts");
            bar
        });
        Self { screen, bar, total, now, began: now(), said: AtomicU64::new(0) }
    }

    /// So many are ready. Told by several threads, not quite in order.
    pub(crate) fn ready(&self, count: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(count.max(bar.position()));
            return;
        }
        let due = ((self.now)() - self.began).as_secs() / PLAIN.as_secs();
        if self.said.fetch_max(due, Ordering::Relaxed) < due {
            self.screen.say(format!("preparing prompts: {count} of {}", self.total));
        }
    }

    /// All are.
    pub(crate) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(screen: &Screen, total: u64) -> ProgressBar {
    // The message is cut where the terminal ends, so that the line stays one.
    let style = ProgressStyle::with_template("{prefix} {bar:8} {pos}/{len}  {wide_msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ");
    screen.live_line(total, style)
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Glance {
    elapsed: Duration,
    ended: u64,
    failed: u64,
    chunks: u64,
    in_flight: u64,
    ttft: Option<Duration>,
    gap: Option<Duration>,
    tokens_per_chunk: f64,
}

impl View<'_> {
    fn glance(&self, began: Offset) -> Glance {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mean = |sum: &AtomicU64, count: &AtomicU64| {
            read(sum).checked_div(read(count)).map(Duration::from_nanos)
        };
        let chunks = read(&self.tally.chunks);
        Glance {
            elapsed: (self.now)() - began,
            ended: read(&self.live.ended),
            failed: read(&self.live.failed),
            chunks: read(&self.live.chunks),
            in_flight: self.live.in_flight(),
            ttft: mean(&self.live.ttft_sum, &self.live.ttft_count),
            gap: mean(&self.live.gap_sum, &self.live.gap_count),
            tokens_per_chunk: match chunks {
                0 => 1.0,
                chunks => read(&self.tally.tokens) as f64 / chunks as f64,
            },
        }
    }

    /// How long the load will go on, if it goes on like this.
    fn left(&self, glance: Glance, pace: Pace) -> Option<Duration> {
        let total = self.point.requests();
        // What has stood still for a while will not be over at any moment that could be told.
        if pace.requests == 0.0 && glance.ended > 0 {
            return None;
        }
        let by_pace = match (self.point.rate(), glance.ended) {
            (Some(rate), _) if self.point.parallel.is_none() => {
                let whole =
                    Duration::try_from_secs_f64(total as f64 / Rate::per_second(rate)).ok()?;
                Some(whole.saturating_sub(glance.elapsed))
            }
            (_, 0) => None,
            (_, ended) => {
                let each = glance.elapsed.as_secs_f64() / ended as f64;
                Duration::try_from_secs_f64(each * total.saturating_sub(ended) as f64).ok()
            }
        };
        let by_time = self.point.load.stop.after.map(|end| end.saturating_sub(glance.elapsed));
        by_pace.into_iter().chain(by_time).min()
    }
}

/// The last few seconds of glances.
struct Window {
    glances: Vec<Glance>,
}

/// Per second, over the last few seconds.
#[derive(Clone, Copy, Debug)]
struct Pace {
    requests: f64,
    tokens: f64,
}

impl Window {
    fn new(first: Glance) -> Self {
        Self { glances: vec![first] }
    }

    fn pace(&mut self, now: Glance) -> Pace {
        self.glances.push(now);
        let recent = |glance: &Glance| now.elapsed - glance.elapsed <= WINDOW;
        let first = self.glances.iter().position(recent).unwrap_or_default();
        // One older glance is kept, so that there always is a span to divide by.
        self.glances.drain(..first.saturating_sub(1));
        let oldest = self.glances[0];
        let seconds = (now.elapsed - oldest.elapsed).as_secs_f64().max(1e-3);
        Pace {
            requests: now.ended.saturating_sub(oldest.ended) as f64 / seconds,
            tokens: now.chunks.saturating_sub(oldest.chunks) as f64 * now.tokens_per_chunk
                / seconds,
        }
    }
}

/// What is shown of a load at one moment.
struct Line {
    glance: Glance,
    pace: Pace,
    left: Option<Duration>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Glance { in_flight, failed, ttft, gap, .. } = self.glance;
        let Pace { requests, tokens } = self.pace;
        // What matters most stands first, for a narrow terminal cuts the line at its end.
        if let Some(left) = self.left {
            write!(f, "{}:{:02} left  ", left.as_secs() / 60, left.as_secs() % 60)?;
        }
        write!(
            f,
            "{in_flight} in flight  {failed} failed  {requests:.1} req/s  {tokens:.0} tok/s"
        )?;
        if let Some(ttft) = ttft {
            write!(f, "  TTFT {:.0} ms", ttft.as_secs_f64() * 1e3)?;
        }
        if let Some(gap) = gap {
            write!(f, "  ITL {:.1} ms", gap.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}

/// How often a line is redrawn.
const REDRAWN: Duration = Duration::from_millis(200);

/// How often a plain line is said.
const PLAIN: Duration = Duration::from_secs(5);

/// Over how long the pace is taken.
const WINDOW: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(seconds: u64, ended: u64, chunks: u64) -> Glance {
        let elapsed = Duration::from_secs(seconds);
        Glance { elapsed, ended, chunks, tokens_per_chunk: 2.0, ..Glance::default() }
    }

    #[test]
    fn the_pace_is_that_of_the_last_few_seconds() {
        let mut window = Window::new(glance(0, 0, 0));
        for second in 1..=10 {
            window.pace(glance(second, second, second * 10));
        }
        let pace = window.pace(glance(11, 18, 400));
        // From the last glance before the window, at 7 s, to now: 11 requests and 330 chunks of 2 tokens in 4 s.
        assert_eq!((pace.requests, pace.tokens), (2.75, 165.0));
    }

    #[test]
    fn a_line_tells_what_is_known_and_nothing_else() {
        let line =
            |glance, left| Line { glance, pace: Pace { requests: 87.54, tokens: 8757.4 }, left };
        let known = Glance {
            in_flight: 50,
            failed: 2,
            ttft: Some(Duration::from_micros(64_100)),
            gap: Some(Duration::from_micros(4_910)),
            ..Glance::default()
        };
        assert_eq!(
            line(known, Some(Duration::from_secs(72))).to_string(),
            "1:12 left  50 in flight  2 failed  87.5 req/s  8757 tok/s  TTFT 64 ms  ITL 4.9 ms"
        );
        let unknown = line(Glance::default(), None).to_string();
        assert_eq!(unknown, "0 in flight  0 failed  87.5 req/s  8757 tok/s");
    }
}
