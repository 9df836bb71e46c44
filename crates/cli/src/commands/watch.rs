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

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::{ArgAction, Args};
use jiff::{Timestamp, Unit};
use nix::sys::signal::SigSet;
use tokometer_record::{Offset, RemarkKind};
use tokometer_telemetry::watch::{Heard, Sources, Watch};

use crate::dialect::values::number;
use crate::exit::Exit;
use crate::interruption::block_signals;
use crate::screen::Screen;
use crate::surroundings::{self, Surroundings};
use crate::trouble::Trouble;
use figures::{Marks, View, Watched, Whose};

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
    // Before any thread is started: threads inherit what is blocked.
    let signals = block_signals()?;
    let began = surroundings::now();
    let clock: Clock = Arc::new(move || Offset::after(surroundings::now().saturating_sub(began)));
    let addresses = sources.metrics.iter().map(|page| page.shown.clone()).collect();
    let watched = Watched::new(addresses, sources.every);
    let every = sources.every;
    let for_eyes = io::stdout().is_terminal() && !arguments.plain && !is_dumb();
    let watching = |sources: Sources| Watch::start(sources, Arc::clone(&clock));
    match (arguments.once, for_eyes) {
        (true, _) => once(&watching(sources), watched, &clock, for_eyes),
        (false, true) => live::show(&watching(sources), watched, &clock, signals),
        (false, false) => {
            let stop = stopping(signals)?;
            write_lines(&watching(sources), watched, &clock, every, &stop)
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
    let mut remarks = Vec::new();
    for heard in watch.heard() {
        if let Heard::Remark(remark) = &heard {
            remarks.push((remark.source.clone(), remark.kind));
        }
        watched.hear(heard);
    }
    let view = watched.view(clock());
    if view.servers.iter().any(|seen| seen.whose != Whose::Unread) {
        screen.print(match for_eyes {
            true => as_text(&view),
            false => {
                let line = lines::line(&time(), &view, &view.whole);
                format!("{}\n{line}\n", lines::header())
            }
        });
        screen.check()?;
    }
    match unheard(&view, &remarks) {
        Some(trouble) => Err(trouble),
        None => Ok(Exit::Done),
    }
}

/// The first server of which there are no figures, and why.
fn unheard(view: &View, remarks: &[(String, RemarkKind)]) -> Option<Trouble> {
    let missing = |seen: &&figures::Seen| !matches!(seen.whose, Whose::Known(_));
    let seen = view.servers.iter().find(missing)?;
    if let Whose::Unknown(samples) = seen.whose {
        return Some(
            Trouble::failed(format!("{}: {samples} samples, of no server that is known", seen.shown))
                .with_hint("vLLM, SGLang, TGI, TensorRT-LLM and Triton are known; perf keeps any server's samples in its log"),
        );
    }
    let why = seen.trouble.clone().unwrap_or_else(|| "no answer in time".into());
    let answered = remarks
        .iter()
        .any(|(source, kind)| *source == seen.shown && *kind == RemarkKind::NoMetrics);
    let hint = match answered {
        true => {
            "an address without a path means its /metrics, which SGLang serves with --enable-metrics only, and a gateway perhaps elsewhere"
        }
        false => {
            "is the server up, and the address right? without --once it is tried until it answers"
        }
    };
    Some(Trouble::failed(format!("{}: {why}", seen.shown)).with_hint(hint))
}

/// The rows of the panel as they stand on a wide terminal, without how it went: there is one reading.
fn as_text(view: &View) -> String {
    let rows = rows::rows(view, WIDTH);
    let lines =
        rows.iter().map(|row| panel::line(row, WIDTH, tokometer_report::Style::Plain).to_string());
    let text: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", text.join("\n").trim_end())
}

/// Writes a line for each interval until the user, or whoever reads, has seen enough.
fn write_lines(
    watch: &Watch,
    mut watched: Watched,
    clock: &Clock,
    every: Duration,
    stop: &Receiver<()>,
) -> Result<Exit, Trouble> {
    let screen = Screen::without_progress();
    let unwritten = |error: io::Error| Trouble::caused("cannot write to stdout", &error);
    let mut out = io::stdout().lock();
    let mut marks = Marks::new();
    watch.read_now(Duration::ZERO);
    let mut going = lines::hand_out(&mut out, &lines::header()).map_err(unwritten)?;
    while going && stop.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        for heard in watch.heard() {
            if let Heard::Remark(remark) = &heard {
                screen.say(format!("note: {}: {}", remark.source, remark.detail));
            }
            watched.hear(heard);
        }
        let line = lines::line(&time(), &watched.view(clock()), &watched.since(&marks));
        marks = watched.marks();
        going = lines::hand_out(&mut out, &line).map_err(unwritten)?;
    }
    Ok(Exit::Done)
}

/// Hears of Ctrl-C and SIGTERM.
fn stopping(signals: SigSet) -> Result<Receiver<()>, Trouble> {
    let (stop, stopped) = mpsc::channel();
    let waiting = thread::Builder::new().name("signals".into()).spawn(move || {
        if signals.wait().is_ok() {
            // Whoever would hear it has ended already.
            let _ = stop.send(());
        }
    });
    waiting.map_err(|error| Trouble::caused("cannot listen for Ctrl-C", &error))?;
    Ok(stopped)
}

/// The time of day, in UTC, to the second.
fn time() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// How long a single reading may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The width of what `--once` tells a terminal: with long words.
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
