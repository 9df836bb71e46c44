//! What the server has done so far, counted: the numbers of `/metrics`.
//!
//! They are counted where the truth is noted, after the bytes have left. Only what the simulator does is told: it has no queue,
//! no cache and no batches, and says nothing of them.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::Finish;

/// The counters of one server. The server's tasks run on one thread, and atomics are what they can share.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    prompt_tokens: AtomicU64,
    generation_tokens: AtomicU64,
    running: AtomicU64,
    ended: [AtomicU64; Ended::ALL.len()],
}

/// What one request adds. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    tally: Arc<Tally>,
    finished: Option<Ended>,
    emitted: bool,
}

/// How a request ended, by the names of vLLM's label.
#[derive(Clone, Copy, Debug)]
enum Ended {
    Stop,
    Length,
    Abort,
    Error,
}

impl Ended {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Stop, "stop"),
        (Self::Length, "length"),
        (Self::Abort, "abort"),
        (Self::Error, "error"),
    ];
}

impl Tally {
    /// Counts a request that is answered from now on, and its prompt.
    pub(crate) fn begin(tally: &Arc<Self>, prompt_tokens: u32) -> Share {
        tally.running.fetch_add(1, Relaxed);
        tally.prompt_tokens.fetch_add(prompt_tokens.into(), Relaxed);
        Share { tally: Arc::clone(tally), finished: None, emitted: false }
    }

    /// The counters as Prometheus reads them, with vLLM's names. Requests of every model count under the server's own name.
    pub(crate) fn prometheus(&self, model: &str) -> String {
        let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let plain = format!("engine=\"0\",model_name=\"{model}\"");
        let one = |counter: &AtomicU64| vec![(plain.clone(), counter.load(Relaxed))];
        let ended = Ended::ALL.iter().map(|(ended, name)| {
            let labels = format!("engine=\"0\",finished_reason=\"{name}\",model_name=\"{model}\"");
            (labels, self.ended[*ended as usize].load(Relaxed))
        });
        let families = [
            (
                "vllm:num_requests_running",
                "gauge",
                "Number of requests that are being answered.",
                one(&self.running),
            ),
            (
                "vllm:num_requests_waiting",
                "gauge",
                "Number of requests that wait: none, for the simulator has no queue.",
                vec![(plain.clone(), 0)],
            ),
            (
                "vllm:prompt_tokens_total",
                "counter",
                "Number of prompt tokens of the requests that were answered.",
                one(&self.prompt_tokens),
            ),
            (
                "vllm:generation_tokens_total",
                "counter",
                "Number of generated tokens that were sent.",
                one(&self.generation_tokens),
            ),
            (
                "vllm:request_success_total",
                "counter",
                "Number of requests that ended, by reason.",
                ended.collect(),
            ),
        ];
        let mut text = String::new();
        for (name, kind, help, samples) in families {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{{{labels}}} {value}.0");
            }
        }
        text
    }
}

impl Share {
    /// Counts tokens that were sent.
    pub(crate) fn emitted(&mut self, chunks: &[u32]) {
        self.emitted = true;
        let tokens: u32 = chunks.iter().sum();
        self.tally.generation_tokens.fetch_add(tokens.into(), Relaxed);
    }

    /// Notes that the response is complete.
    pub(crate) const fn finished(&mut self, finish: Option<Finish>) {
        self.finished = Some(match finish {
            Some(Finish::Stop) => Ended::Stop,
            Some(Finish::Length) => Ended::Length,
            None => Ended::Error,
        });
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.tally.running.fetch_sub(1, Relaxed);
        // A response that never left was complete for nobody.
        let ended = match self.finished {
            Some(ended @ (Ended::Stop | Ended::Length)) if self.emitted => ended,
            Some(Ended::Error) => Ended::Error,
            _ => Ended::Abort,
        };
        self.tally.ended[ended as usize].fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_while_it_runs_and_by_the_reason_of_its_end() {
        let tally = Arc::<Tally>::default();
        let mut share = Tally::begin(&tally, 7);
        share.emitted(&[1, 2]);
        let running = |tally: &Tally| tally.running.load(Relaxed);
        assert_eq!((running(&tally), tally.generation_tokens.load(Relaxed)), (1, 3));
        share.finished(Some(Finish::Length));
        drop(share);
        drop(Tally::begin(&tally, 1));
        let ended: Vec<u64> = tally.ended.iter().map(|count| count.load(Relaxed)).collect();
        assert_eq!((running(&tally), ended), (0, vec![0, 1, 1, 0]));
    }

    #[test]
    fn a_models_name_is_quoted_as_prometheus_wants_it() {
        let text = Tally::default().prometheus("a\"b\\c");
        assert!(
            text.contains(r#"vllm:prompt_tokens_total{engine="0",model_name="a\"b\\c"} 0.0"#),
            "{text}"
        );
    }
}
