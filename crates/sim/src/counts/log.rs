//! vLLM's periodic log lines: what each engine did since the last ones.
//!
//! The rules are those of vLLM 0.32's `v1/metrics/loggers.py` and `v1/spec_decode/metrics.py`. An engine that did nothing in this
//! interval and the one before says nothing. Prompt throughput counts what was computed, not what the prefix cache had. vLLM means to
//! tell preemptions too, but empties their count right before it looks at it, so that its line never has them; nor has ours.
//!
//! Deliberately has no clock and prints nothing: whoever prints the lines says what time it is.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::counts::engine::Engine;
use crate::counts::{Counts, lock};
use crate::model::MOST_DRAFTED;

/// What stands before each line, and which engine it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'s> {
    /// The process.
    pub(crate) pid: u32,
    /// `MM-DD hh:mm:ss`, of the clock on the wall.
    pub(crate) time: &'s str,
}

/// Whether engines speak for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Speakers {
    /// A line for each engine, as vLLM has it.
    #[default]
    EachEngine,
    /// One line for all (`--aggregate-engine-logging`).
    AllTogether,
}

/// Writes the lines.
#[derive(Debug)]
pub(crate) struct Logger {
    counts: Arc<Counts>,
    speakers: Vec<Speaker>,
}

/// Engines that are told of in one line.
#[derive(Debug)]
struct Speaker {
    prefix: String,
    engines: std::ops::Range<usize>,
    last: Snapshot,
    /// When that was.
    at: Duration,
    /// Tokens per second of prompts and of outputs, in the last interval.
    rates: [f64; 2],
    /// When speculation was last told of.
    speculation_at: Duration,
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    prompt: u64,
    generated: u64,
    drafts: u64,
    draft_tokens: u64,
    accepted: [u64; MOST_DRAFTED],
}

impl Logger {
    /// The lines of `counts`, from the server's start on.
    pub(crate) fn new(counts: &Arc<Counts>, speakers: Speakers) -> Self {
        let engines = counts.engines.len();
        let speakers = match speakers {
            Speakers::EachEngine => (0..engines)
                .map(|index| Speaker::new(format!("Engine {index:03}: "), index..index + 1))
                .collect(),
            Speakers::AllTogether => {
                vec![Speaker::new(format!("{engines} Engines Aggregated: "), 0..engines)]
            }
        };
        Self { counts: Arc::clone(counts), speakers }
    }

    /// The lines of the interval that ends at `now`, without line ends. None from engines that have nothing to say.
    pub(crate) fn interval(&mut self, now: Duration, stamp: Stamp<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for speaker in &mut self.speakers {
            speaker.speak(&self.counts, now, &mut |place, text| {
                let Stamp { pid, time } = stamp;
                lines.push(format!("(APIServer pid={pid}) INFO {time} [{place}] {text}"));
            });
        }
        lines
    }
}

impl Speaker {
    fn new(prefix: String, engines: std::ops::Range<usize>) -> Self {
        Self {
            prefix,
            engines,
            last: Snapshot::default(),
            at: Duration::ZERO,
            rates: [0.0; 2],
            speculation_at: Duration::ZERO,
        }
    }

    fn speak(&mut self, counts: &Counts, now: Duration, say: &mut dyn FnMut(&str, &str)) {
        let engines = &counts.engines[self.engines.clone()];
        let snapshot = Snapshot::of(engines);
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        let rate = |tokens: u64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
        let rates = [
            rate(snapshot.prompt - self.last.prompt),
            rate(snapshot.generated - self.last.generated),
        ];
        let idle = rates.iter().chain(&self.rates).all(|rate| *rate == 0.0);
        self.rates = rates;
        self.at = now;
        if !idle {
            say("loggers.py:335", &self.line(counts, engines));
        }
        let done = snapshot.since(&self.last);
        self.last = snapshot;
        if done.drafts > 0 {
            let drafted = counts.about.fleet.as_ref().and_then(|fleet| fleet.drafted);
            let seconds = now.saturating_sub(self.speculation_at).as_secs_f64();
            let positions = drafted.map_or(0, |drafted| drafted.get() as usize);
            self.speculation_at = now;
            if !idle {
                say("metrics.py:120", &speculation(&done, seconds, positions));
            }
        }
    }

    fn line(&self, counts: &Counts, engines: &[Engine]) -> String {
        let [prompt, generated] = self.rates;
        let running: u64 = engines.iter().map(running).sum();
        let waiting: u64 = engines.iter().map(waiting).sum();
        let usage = engines.iter().map(Engine::cache_usage).sum::<f64>() / engines.len() as f64;
        let mut line = format!(
            "{}Avg prompt throughput: {prompt:.1} tokens/s, Avg generation throughput: {generated:.1} tokens/s, \
             Running: {running} reqs, Waiting: {waiting} reqs, {} KV cache usage: {:.1}%",
            self.prefix,
            counts.about.device,
            usage * 100.0
        );
        if let Some(rate) = hit_rate(engines) {
            // Writing to a string cannot fail.
            let _ = write!(line, ", Prefix cache hit rate: {:.1}%", rate * 100.0);
        }
        line
    }
}

fn running(engine: &Engine) -> u64 {
    engine.now.running.load(Relaxed).into()
}

fn waiting(engine: &Engine) -> u64 {
    engine.now.waiting.load(Relaxed).into()
}

/// vLLM looks back over a thousand requests: of each engine, or of all together where they speak so.
fn hit_rate(engines: &[Engine]) -> Option<f64> {
    let mut total = [0; 3];
    for engine in engines {
        let of_engine = lock(&engine.prefixes).total();
        total.iter_mut().zip(of_engine).for_each(|(total, part)| *total += part);
    }
    let [requests, queried, hit] = total;
    (requests > 0).then(|| if queried == 0 { 0.0 } else { hit as f64 / queried as f64 })
}

/// What speculation did in as many seconds, with drafts of that many `positions`.
fn speculation(done: &Snapshot, seconds: f64, positions: usize) -> String {
    let accepted: u64 = done.accepted.iter().sum();
    let rate = |tokens: u64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    let per_draft = |tokens: u64| tokens as f64 / done.drafts as f64;
    let at_positions = done.accepted.iter().take(positions);
    let at_positions: Vec<_> =
        at_positions.map(|accepted| format!("{:.3}", per_draft(*accepted))).collect();
    format!(
        "SpecDecoding metrics: Mean acceptance length: {:.2}, Accepted throughput: {:.2} tokens/s, \
         Drafted throughput: {:.2} tokens/s, Accepted: {accepted} tokens, Drafted: {} tokens, \
         Per-position acceptance rate: {}, Avg Draft acceptance rate: {:.1}%",
        1.0 + per_draft(accepted),
        rate(accepted),
        rate(done.draft_tokens),
        done.draft_tokens,
        at_positions.join(", "),
        100.0 * accepted as f64 / done.draft_tokens as f64,
    )
}

impl Snapshot {
    fn of(engines: &[Engine]) -> Self {
        let mut all = Self::default();
        for totals in engines.iter().map(|engine| &engine.totals) {
            all.prompt += totals.prompt_computed.load(Relaxed);
            all.generated += totals.generated.load(Relaxed);
            all.drafts += totals.drafts.load(Relaxed);
            all.draft_tokens += totals.draft_tokens.load(Relaxed);
            for (all, accepted) in all.accepted.iter_mut().zip(&totals.accepted) {
                *all += accepted.load(Relaxed);
            }
        }
        all
    }

    fn since(&self, last: &Self) -> Self {
        let mut accepted = self.accepted;
        accepted.iter_mut().zip(last.accepted).for_each(|(now, then)| *now -= then);
        Self {
            prompt: self.prompt - last.prompt,
            generated: self.generated - last.generated,
            drafts: self.drafts - last.drafts,
            draft_tokens: self.draft_tokens - last.draft_tokens,
            accepted,
        }
    }
}
