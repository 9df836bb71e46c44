//! `tokometer watch`: what a running server says of itself, live, without putting load on it.
//!
//! Nothing is asked of the server but its page of metrics. On a terminal it is a panel ([`panel`], [`live`]), elsewhere a line of figures
//! for each interval ([`lines`]); the figures are made in [`figures`].

mod advice;
mod amounts;
mod asked;
mod figures;
mod growth;
mod lines;
mod live;
mod panel;
mod rows;
mod turns;
mod view;

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::{ArgAction, Args};
use jiff::{Timestamp, Unit};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use ratatui::crossterm::terminal;
use tokometer_record::{Offset, Remark, RemarkKind};
use tokometer_telemetry::watch::{Sources, Watch};

use crate::dialect::values::number;
use crate::exit::Exit;
use crate::interruption::block_signals;
use crate::screen::Screen;
use crate::surroundings::{self, Surroundings};
use crate::trouble::Trouble;
use figures::{Marks, Seen, View, Watched, Whose};

/// What `watch` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The servers, before the flags; an address without a path means its /metrics
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Follow servers' logs, files on this machine, for the figures that they tell (vLLM, SGLang)
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Read the metrics of GPUs, such as a DCGM exporter's; nvidia-smi is asked anyway if a server is on this machine
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "URL")]
    gpu_metrics: Vec<String>,
    /// Seconds from one reading to the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = number, allow_negative_numbers = true)]
    every: f64,
    /// The key, sent to the servers as `Authorization: Bearer …` [env: OPENAI_API_KEY]
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Further headers for the servers
    #[arg(action = ArgAction::Set, long, num_args = 1.., value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
    /// A PEM file of authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<String>,
    /// Read once, tell, and end
    #[arg(long)]
    once: bool,
    /// A line of figures for each interval instead of the panel, as where stdout is no terminal
    #[arg(long)]
    plain: bool,
}

/// The clock of a watch: moments since it began.
type Clock = Arc<dyn Fn() -> Offset + Send + Sync>;

/// Watches until the user has seen enough.
///
/// # Errors
/// If what was typed cannot be watched, nothing answers a single reading, or stdout cannot be written.
pub(crate) fn watch(arguments: &Arguments) -> Result<Exit, Trouble> {
    let mut surroundings = Surroundings::default();
    let sources = asked::sources(arguments, &mut surroundings)?;
    let began = surroundings::now();
    let clock: Clock = Arc::new(move || Offset::after(surroundings::now().saturating_sub(began)));
    let addresses = sources.metrics.iter().map(|page| page.shown.clone()).collect();
    let watched = Watched::new(addresses, sources.every);
    let for_eyes = io::stdout().is_terminal() && !arguments.plain && !is_dumb();
    let watching = |sources: Sources| Watch::start(sources, Arc::clone(&clock));
    if arguments.once {
        // There is nothing to put back: a signal ends it as it ends any program.
        return once(&watching(sources), watched, &clock, for_eyes);
    }
    // Before any thread is started: threads inherit what is blocked.
    let signals = block_signals()?;
    match for_eyes {
        true => live::show(&watching(sources), watched, &clock, signals),
        false => {
            let stop = stopping(signals)?;
            write_lines(&watching(sources), watched, &clock, &stop)
        }
    }
}

/// Whether the terminal cannot redraw.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Reads once and tells: for eyes the rows of the panel, else a header and a line.
fn once(
    watch: &Watch,
    mut watched: Watched,
    clock: &Clock,
    for_eyes: bool,
) -> Result<Exit, Trouble> {
    let screen = Screen::new();
    watch.read_now(PATIENCE);
    let remarks: Vec<Remark> =
        watch.heard().into_iter().filter_map(|heard| watched.hear(heard)).collect();
    let view = watched.view(clock());
    let is_read = view.servers.iter().any(|seen| seen.whose != Whose::Unread);
    if is_read {
        screen.print(match for_eyes {
            true => as_text(&view, width()),
            false => {
                let line = lines::line(&time(), &view, &view.whole);
                format!("{}\n{line}\n", lines::header())
            }
        });
        screen.check()?;
    }
    let missing = unheard(&view);
    if !(for_eyes && is_read) {
        // The panel's rows hold them; else they would be nowhere. The first that failed is told by how this ends.
        let told = missing.map(|seen| seen.shown.as_str());
        let others = remarks.iter().filter(|remark| Some(remark.source.as_str()) != told);
        others.for_each(|remark| screen.say(note(remark)));
    }
    missing.map_or(Ok(Exit::Done), |seen| Err(failure(seen, &remarks)))
}

/// The first server of which there are no figures.
fn unheard(view: &View) -> Option<&Seen> {
    view.servers.iter().find(|seen| !matches!(seen.whose, Whose::Known(_)))
}

/// Why there are no figures of it.
fn failure(seen: &Seen, remarks: &[Remark]) -> Trouble {
    if let Whose::Unknown(samples) = seen.whose {
        return Trouble::failed(format!("{}: {samples} samples, of no server that is known", seen.shown))
            .with_hint("vLLM, SGLang, TGI, TensorRT-LLM and Triton are known; perf keeps any server's samples in its log");
    }
    let why = seen.trouble.clone().unwrap_or_else(|| "no answer in time".into());
    let answered = remarks
        .iter()
        .any(|remark| remark.source == seen.shown && remark.kind == RemarkKind::NoMetrics);
    let hint = match answered {
        true => {
            "an address without a path means its /metrics, which SGLang serves with --enable-metrics only, and a gateway perhaps elsewhere"
        }
        false => {
            "is the server up, and the address right? without --once it is tried until it answers"
        }
    };
    Trouble::failed(format!("{}: {why}", seen.shown)).with_hint(hint)
}

fn note(remark: &Remark) -> String {
    format!("note: {}: {}", remark.source, remark.detail)
}

/// The width of the terminal; where it tells none, one with room for long words.
fn width() -> usize {
    match terminal::size() {
        Ok((columns, _)) if columns > 0 => usize::from(columns),
        _ => WIDTH,
    }
}

/// The rows of the panel as they stand on a terminal of that width, without how it went: there is one reading.
fn as_text(view: &View, width: usize) -> String {
    let rows = rows::rows(view, width);
    let lines =
        rows.iter().map(|row| panel::line(row, width, tokometer_report::Style::Plain).to_string());
    let text: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", text.join("\n").trim_end())
}

/// Writes a line for each interval until the user, or whoever reads, has seen enough.
fn write_lines(
    watch: &Watch,
    watched: Watched,
    clock: &Clock,
    stop: &Receiver<()>,
) -> Result<Exit, Trouble> {
    let unwritten = |error: io::Error| Trouble::caused("cannot write to stdout", &error);
    let mut out = io::stdout().lock();
    let every = watched.every();
    let mut listener = Listener { watch, watched, clock, stop };
    watch.read_now(Duration::ZERO);
    let mut due = clock() + every;
    let mut marks = listener.watched.marks();
    let header = lines::hand_out(&mut out, &lines::header()).map_err(unwritten)?;
    // The first line's rates begin with the first reading.
    let mut going = header && listener.listen(&marks, clock(), due);
    marks = listener.watched.marks();
    while going && listener.listen(&marks, due, due + LATE) {
        let view = listener.watched.view_since(clock(), &marks);
        let line = lines::line(&time(), &view, &listener.watched.since(&marks));
        marks = listener.watched.marks();
        going = lines::hand_out(&mut out, &line).map_err(unwritten)?;
        while due <= clock() {
            due = due + every;
        }
    }
    Ok(Exit::Done)
}

/// Whoever waits for what is to be written.
struct Listener<'w> {
    watch: &'w Watch,
    watched: Watched,
    clock: &'w Clock,
    stop: &'w Receiver<()>,
}

impl Listener<'_> {
    /// Waits until `from`, and on until every server has answered since `marks`, but not past `until`. Whether anybody wants more.
    /// Servers are read at the same moments at which lines are due, and answer a little later.
    fn listen(&mut self, marks: &Marks, from: Offset, until: Offset) -> bool {
        let screen = Screen::without_progress();
        let mut wait = from - (self.clock)();
        while self.stop.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            for heard in self.watch.heard() {
                if let Some(remark) = self.watched.hear(heard) {
                    screen.say(note(&remark));
                }
            }
            if !self.watched.awaits(marks) || until <= (self.clock)() {
                return true;
            }
            wait = GLANCE;
        }
        false
    }
}

/// Hears of Ctrl-C and SIGTERM, and that nobody reads stdout any more.
fn stopping(signals: SigSet) -> Result<Receiver<()>, Trouble> {
    let (stop, stopped) = mpsc::channel();
    let gone = stop.clone();
    let begin = |name: &str, wait: Box<dyn FnOnce() + Send>| {
        let begun = thread::Builder::new().name(name.into()).spawn(wait);
        begun.map(drop).map_err(|error| Trouble::caused("cannot listen for Ctrl-C", &error))
    };
    // Whoever would hear it may have ended already.
    begin(
        "signals",
        Box::new(move || {
            if signals.wait().is_ok() {
                let _ = stop.send(());
            }
        }),
    )?;
    begin(
        "stdout",
        Box::new(move || {
            if is_left() {
                let _ = gone.send(());
            }
        }),
    )?;
    Ok(stopped)
}

/// Waits until stdout is a pipe, or the like, whose reader is gone: true then. What is none never is.
fn is_left() -> bool {
    let stdout = io::stdout();
    loop {
        // Nothing is asked for: that the other end is gone is told unasked.
        match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::empty())], PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            told => return told.is_ok(),
        }
    }
}

/// The time of day, in UTC, to the second.
fn time() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// How long a single reading may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after its moment a line waits for answers at the most: longer than a page may take.
const LATE: Duration = Duration::from_secs(6);

/// How often it is looked whether answers have come.
const GLANCE: Duration = Duration::from_millis(10);

/// The width of what `--once` tells a terminal that does not tell its own: with long words.
const WIDTH: usize = 120;

/// Examples for the help.
pub(crate) const EXAMPLES: &str = "\
Examples:
  A server, and its log on this machine:
    tokometer watch http://127.0.0.1:8000 --log ./logs/vllm.log
  Two servers behind one balancer, and their GPUs:
    tokometer watch http://a:8000 http://b:8000 --gpu-metrics http://a:9400
  Figures for a script, every ten seconds:
    tokometer watch http://a:8000 --plain --every 10 > figures.txt
  One reading:
    tokometer watch http://a:8000 --once

Keys: q or Ctrl-C quits, p pauses, r begins the averages anew.
Only the page of metrics is read: nothing is asked of the model.";
