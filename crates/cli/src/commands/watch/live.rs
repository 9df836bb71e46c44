//! The panel on a terminal: what is heard is drawn, keys are obeyed, and the terminal is left as it was found, also by a panic.
//!
//! Deliberately no figure is made here, and nothing is said beside the panel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::SigSet;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokometer_record::Offset;
use tokometer_telemetry::watch::Watch;

use super::Clock;
use super::figures::{View, Watched};
use super::panel::{Panel, draw};
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// Shows the panel until the user has seen enough.
///
/// # Errors
/// If there is no terminal to draw on.
pub(super) fn show(
    watch: &Watch,
    watched: Watched,
    clock: &Clock,
    signals: SigSet,
) -> Result<Exit, Trouble> {
    let stopped = stopped_by(signals)?;
    let unusable = |error: io::Error| {
        Trouble::caused("cannot draw on the terminal", &error)
            .with_hint("--plain writes a line of figures for each interval")
    };
    let mut terminal = ratatui::try_init().map_err(|error| {
        // Half of what was changed may stand.
        ratatui::restore();
        unusable(error)
    })?;
    let ended = show_on(&mut terminal, watch, watched, clock, &stopped);
    ratatui::restore();
    ended.map(|()| Exit::Done).map_err(unusable)
}

fn show_on(
    terminal: &mut DefaultTerminal,
    watch: &Watch,
    watched: Watched,
    clock: &Clock,
    stopped: &AtomicBool,
) -> io::Result<()> {
    // The first reading is wanted at once, and waited for by nobody.
    watch.read_now(Duration::ZERO);
    let mut shown = Shown::new(watched, clock());
    let dress = Screen::style();
    while !stopped.load(Ordering::Relaxed) {
        let now = clock();
        shown.hear(watch, now);
        let (view, paused) = shown.at(now);
        terminal.draw(|frame| draw(frame, &Panel { view: &view, paused, dress }))?;
        if !event::poll(REDRAWN)? {
            continue;
        }
        // Of all else that happens, a new size is seen by the next drawing.
        let Event::Key(key) = event::read()? else { continue };
        match wish(key) {
            Some(Wish::Quit) => return Ok(()),
            Some(wish) => shown.obey(wish, clock()),
            None => {}
        }
    }
    Ok(())
}

/// Whether Ctrl-C or SIGTERM has come from outside; from the keyboard Ctrl-C comes as a key.
fn stopped_by(signals: SigSet) -> Result<Arc<AtomicBool>, Trouble> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    let waiting = thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.wait().is_ok() {
            stop.store(true, Ordering::Relaxed);
        }
    });
    waiting.map_err(|error| Trouble::caused("cannot listen for Ctrl-C", &error))?;
    Ok(stopped)
}

/// What is shown, as it stands still or goes on.
struct Shown {
    watched: Watched,
    /// When the next tick of the history is due.
    due: Offset,
    /// Since when it stands still, and what it shows.
    still: Option<(Offset, View)>,
}

impl Shown {
    fn new(watched: Watched, now: Offset) -> Self {
        let due = now + watched.every();
        Self { watched, due, still: None }
    }

    fn hear(&mut self, watch: &Watch, now: Offset) {
        for heard in watch.heard() {
            self.watched.hear(heard);
        }
        self.pass(now);
    }

    /// Lets time pass: a tick for every interval that is over, those that were slept through included, up to what is drawn.
    fn pass(&mut self, now: Offset) {
        let every = self.watched.every();
        while self.due <= now {
            self.watched.tick(self.due);
            self.due = self.due + every;
        }
    }

    /// What to draw, and how long it has stood still.
    fn at(&self, now: Offset) -> (View, Option<Duration>) {
        match &self.still {
            Some((since, view)) => (view.clone(), Some(now - *since)),
            None => (self.watched.view(now), None),
        }
    }

    fn obey(&mut self, wish: Wish, now: Offset) {
        match wish {
            Wish::Quit => {}
            Wish::Pause => {
                self.still = match self.still.take() {
                    Some(_) => None,
                    None => Some((now, self.watched.view(now))),
                };
            }
            Wish::Reset => self.watched.reset(now),
        }
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Pause,
    Reset,
}

fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match (key.code, control) {
        (KeyCode::Char('c'), true) | (KeyCode::Char('q' | 'Q') | KeyCode::Esc, false) => {
            Some(Wish::Quit)
        }
        (KeyCode::Char('p' | 'P' | ' '), false) => Some(Wish::Pause),
        (KeyCode::Char('r' | 'R'), false) => Some(Wish::Reset),
        _ => None,
    }
}

/// How long a drawing stands if no key is pressed.
const REDRAWN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use tokometer_record::Signal;

    use super::super::figures::testing::{A, at, page};
    use super::*;

    fn shown() -> Shown {
        Shown::new(Watched::new(vec![A.to_owned()], Duration::from_secs(1)), at(0))
    }

    #[test]
    fn keys_ask_for_what_the_panel_says() {
        let key = |code, modifiers| wish(KeyEvent::new(code, modifiers));
        let letter = |letter| key(KeyCode::Char(letter), KeyModifiers::NONE);
        assert_eq!(letter('q'), Some(Wish::Quit));
        assert_eq!(letter('p'), Some(Wish::Pause));
        assert_eq!(letter('r'), Some(Wish::Reset));
        assert_eq!(letter('c'), None);
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('r'), KeyModifiers::CONTROL), None);
    }

    #[test]
    fn a_pause_stands_still_and_keeps_listening() {
        let mut shown = shown();
        let running = |shown: &Shown, millis| shown.at(at(millis)).0.level(Signal::Running);
        shown.watched.hear(page(A, 0, &[(Signal::Running, 1.0)]));
        shown.obey(Wish::Pause, at(500));
        shown.watched.hear(page(A, 1_000, &[(Signal::Running, 2.0)]));
        assert_eq!(running(&shown, 1_500), Some(1.0));
        assert_eq!(shown.at(at(1_500)).1, Some(Duration::from_secs(1)));
        shown.obey(Wish::Pause, at(2_000));
        assert_eq!(running(&shown, 2_000), Some(2.0));
        assert_eq!(shown.at(at(2_000)).1, None);
    }

    #[test]
    fn a_tick_passes_for_every_interval() {
        let mut shown = shown();
        shown.pass(at(900));
        assert_eq!(shown.watched.view(at(900)).history.len(), 0);
        shown.pass(at(3_100));
        assert_eq!(shown.watched.view(at(3_100)).history.len(), 3);
    }
}
