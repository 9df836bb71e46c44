//! Where things are said: tables and plans on stdout, everything else on stderr.
//!
//! While a live line is shown, what is said goes above it. A run that is one of many says less ([`Screen::of_part`]). A stream that is closed is no reason to stop a run: what cannot be
//! said is dropped, for it stands in the run's folder too. That data could not be written is remembered until the end.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokometer_report::Style;

use crate::trouble::Trouble;

/// The two output streams of this process.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    bars: MultiProgress,
    live: bool,
    /// Why data could not be handed out.
    unwritten: Arc<OnceLock<String>>,
    /// What has been said, where nothing is to be said twice. Runs of several threads share it.
    said: Option<Arc<Mutex<BTreeSet<String>>>>,
}

impl Screen {
    /// The screen of this process: with live lines where stderr is a terminal.
    pub(crate) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = io::stderr().is_terminal() && !dumb;
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        Self { bars, live, unwritten: Arc::default(), said: None }
    }

    /// A screen on which nothing is redrawn, whatever it could show.
    pub(crate) fn without_progress() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { bars, live: false, unwritten: Arc::default(), said: None }
    }

    /// The same for a run that is one of many: it hands out no data, does not tell of its steps, and what one of them has said the others
    /// do not repeat.
    #[must_use]
    pub(crate) fn of_part(&self) -> Self {
        Self { said: Some(Arc::default()), ..self.clone() }
    }

    /// Whether lines can be redrawn in place.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// A line that is redrawn in place. Only where [`Screen::is_live`].
    pub(crate) fn live_line(&self, length: u64, style: ProgressStyle) -> ProgressBar {
        self.bars.add(ProgressBar::new(length).with_style(style))
    }

    /// Says something, on stderr.
    pub(crate) fn say(&self, text: impl Display) {
        let text = text.to_string();
        if let Some(said) = &self.said
            && !said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone())
        {
            return;
        }
        self.bars.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }

    /// Says which step is being taken, on stderr: what nobody needs to know of each of many runs.
    pub(crate) fn step(&self, text: impl Display) {
        if self.said.is_none() {
            self.say(text);
        }
    }

    /// Hands out data, on stdout.
    pub(crate) fn print(&self, text: impl Display) {
        if self.said.is_some() {
            return;
        }
        self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            if let Err(error) = write!(out, "{text}").and_then(|()| out.flush()) {
                // Whoever closed the stream has read enough; of all else the first is told.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    drop(self.unwritten.set(error.to_string()));
                }
            }
        });
    }

    /// Whether all data reached stdout, as far as anybody wanted it.
    ///
    /// # Errors
    /// If it did not.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        match self.unwritten.get() {
            None => Ok(()),
            Some(why) => Err(Trouble::failed(format!("cannot write to stdout: {why}")).with_hint(
                "what belongs to a run stands in its folder too; tokometer report shows it again",
            )),
        }
    }

    /// How data on stdout is dressed: plainly, unless a person looks at it and did not ask otherwise.
    pub(crate) fn style() -> Style {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !plain { Style::Colour } else { Style::Plain }
    }
}
