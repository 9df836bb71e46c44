//! What is seen while trials run, and what they came to: a line that is redrawn on a terminal, a plain line every few seconds elsewhere.
//!
//! Nothing is shown of what takes no time. Deliberately no estimate of what is left: how many trials a search takes is not known before.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokometer_report::capacity::Trial;
use tokometer_report::count;

use crate::screen::Screen;
use crate::surroundings::now;

/// How far trials are. Told by several threads.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    screen: &'a Screen,
    began: Duration,
    searches: u64,
    searched: AtomicU64,
    trials: AtomicU64,
    requests: AtomicU64,
    /// Milliseconds of the service's time.
    simulated: AtomicU64,
    /// The same, times the engines that worked in it.
    worked: AtomicU64,
    bar: OnceLock<ProgressBar>,
    /// How many plain lines were due by now.
    said: AtomicU64,
}

impl<'a> Progress<'a> {
    /// Nothing done yet, of so many searches.
    pub(super) fn new(screen: &'a Screen, searches: u64) -> Self {
        Self {
            screen,
            began: now(),
            searches,
            searched: AtomicU64::new(0),
            trials: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            simulated: AtomicU64::new(0),
            worked: AtomicU64::new(0),
            bar: OnceLock::new(),
            said: AtomicU64::new(0),
        }
    }

    /// A trial was made.
    pub(super) fn tried(&self, trial: &Trial) {
        self.trials.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(trial.requests, Ordering::Relaxed);
        let lasted = (trial.lasted * 1e3) as u64;
        self.simulated.fetch_add(lasted, Ordering::Relaxed);
        self.worked.fetch_add(lasted * u64::from(trial.replicas), Ordering::Relaxed);
        let elapsed = now().saturating_sub(self.began);
        if elapsed < UNSEEN {
            return;
        }
        if self.screen.is_live() {
            let bar = self.bar.get_or_init(|| self.bar());
            bar.set_position(self.searched.load(Ordering::Relaxed));
            bar.set_message(self.so_far(elapsed).to_string());
            return;
        }
        let due = elapsed.as_secs() / PLAIN.as_secs();
        if self.said.fetch_max(due, Ordering::Relaxed) < due {
            let searched = self.searched.load(Ordering::Relaxed);
            self.screen.say(format!(
                "searched {searched} of {}: {}",
                self.searches,
                self.so_far(elapsed)
            ));
        }
    }

    /// A search ended.
    pub(super) fn searched(&self) {
        self.searched.fetch_add(1, Ordering::Relaxed);
    }

    /// Says what it came to.
    pub(super) fn done(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
        self.screen.say(self.so_far(now().saturating_sub(self.began)));
    }

    fn so_far(&self, elapsed: Duration) -> SoFar {
        SoFar {
            trials: self.trials.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            simulated: self.simulated.load(Ordering::Relaxed) as f64 / 1e3,
            worked: self.worked.load(Ordering::Relaxed) as f64 / 1e3,
            elapsed: elapsed.as_secs_f64(),
        }
    }

    fn bar(&self) -> ProgressBar {
        let style = ProgressStyle::with_template("searching {bar:8} {pos}/{len}  {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ");
        self.screen.live_line(self.searches, style)
    }
}

/// What trials came to.
struct SoFar {
    trials: u64,
    requests: u64,
    simulated: f64,
    worked: f64,
    elapsed: f64,
}

impl fmt::Display for SoFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trials, requests, simulated, worked, elapsed } = self;
        write!(
            f,
            "{} requests in {trials} trials: {} of service simulated ({} of engines) in {elapsed:.1} s",
            count(*requests),
            long(*simulated),
            long(*worked),
        )?;
        match simulated / elapsed {
            times if times.is_finite() && times >= 10.0 => {
                write!(f, ", {} times as fast as it would take", count(times as u64))
            }
            _ => Ok(()),
        }
    }
}

/// `73 s`, `4.2 h`.
fn long(seconds: f64) -> String {
    match seconds {
        ..600.0 => format!("{seconds:.0} s"),
        ..7_200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// What takes no longer is not shown.
const UNSEEN: Duration = Duration::from_secs(1);

/// Between plain lines.
const PLAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trials_came_to_is_told_in_a_line() {
        let told = SoFar {
            trials: 12,
            requests: 24_000,
            simulated: 5_400.0,
            worked: 21_600.0,
            elapsed: 1.5,
        };
        assert_eq!(
            told.to_string(),
            "24,000 requests in 12 trials: 90 min of service simulated (6.0 h of engines) in 1.5 s, 3,600 times as fast as it would take"
        );
        let told = SoFar { trials: 1, requests: 10, simulated: 1.0, worked: 1.0, elapsed: 0.0 };
        assert!(told.to_string().ends_with("in 0.0 s"), "{told}");
    }
}
