//! What to make of a figure: the words that stand beside it.
//!
//! Words about one figure at one moment, for a glance. What is wrong with a run, with evidence, is said by the findings of
//! `tokometer-metrics`.

use tokometer_record::Signal;

use super::figures::View;
use super::growth::Speculation;

/// Words beside a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) tone: Tone,
    /// Where there is room.
    pub(super) long: &'static str,
    /// Where there is little: 24 characters at most.
    pub(super) short: &'static str,
}

/// How pressing it is. Only colour depends on it: the words say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// For information.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Look,
    /// Something is short.
    Bad,
}

const fn advice(tone: Tone, long: &'static str, short: &'static str) -> Advice {
    Advice { tone, long, short }
}

/// Beside the number of running requests.
pub(super) fn running(view: &View) -> Advice {
    let running = view.level(Signal::Running).unwrap_or_default();
    match view.level(Signal::MaxRunning) {
        Some(most) if running >= most && most > 0.0 => advice(
            Tone::Look,
            "as many as may run at once: further ones wait",
            "as many as may run",
        ),
        _ if running == 0.0 => advice(Tone::Plain, "nothing is being computed", "idle"),
        _ => advice(
            Tone::Plain,
            "computed at once; the more, the more in all and the slower each",
            "computed at once",
        ),
    }
}

/// Beside the number of waiting requests.
pub(super) fn waiting(view: &View) -> Advice {
    let waiting = view.level(Signal::Waiting).unwrap_or_default();
    let deferred = view.level(Signal::WaitingDeferred).unwrap_or_default();
    if waiting <= 0.0 {
        return advice(Tone::Good, "nobody waits", "nobody waits");
    }
    match deferred >= waiting {
        true => advice(
            Tone::Look,
            "> 0, but for a transfer or the like, not for the GPU",
            "> 0, but not for the GPU",
        ),
        false => {
            advice(Tone::Bad, "> 0: the GPU is full, requests queue", "> 0: GPU full, a queue")
        }
    }
}

/// Beside the share of the KV cache in use.
pub(super) fn kv_usage(share: f64) -> Advice {
    match share {
        FULL.. => advice(
            Tone::Bad,
            "near 100 %: new requests queue or are refused; preemptions threaten",
            "near 100 %: they queue",
        ),
        FILLING.. => advice(
            Tone::Look,
            "little room left; near 100 % new requests queue",
            "little room left",
        ),
        _ => advice(Tone::Good, "there is room; near 100 % new requests queue", "there is room"),
    }
}

/// Beside the tokens generated per second.
pub(super) const GENERATION: Advice = advice(
    Tone::Plain,
    "all requests together; with more of them each is slower",
    "all requests together",
);

/// Beside the prompt tokens per second: higher is better.
pub(super) const PROMPT: Advice =
    advice(Tone::Plain, "taken up, the higher the better", "the higher the better");

/// Beside the prompt tokens per second that no cache had.
pub(super) const COMPUTED: Advice =
    advice(Tone::Plain, "without what caches had: the prefill's work", "without what caches had");

/// Beside the preemptions of the last seconds.
pub(super) fn preemptions(recent: f64) -> Advice {
    match recent > 0.0 {
        true => advice(
            Tone::Bad,
            "> 0: the KV cache ran out, requests are computed anew",
            "> 0: KV cache ran out",
        ),
        false => advice(Tone::Good, "none: the KV cache sufficed", "none"),
    }
}

/// Beside the hit rate of the prefix cache.
pub(super) const PREFIX: Advice = advice(
    Tone::Plain,
    "high where prompts begin alike; a hit spares its prefill",
    "a hit spares its prefill",
);

/// Beside the hit rate of an external cache.
pub(super) const EXTERNAL: Advice =
    advice(Tone::Plain, "of what the prefix cache did not have", "beyond the prefix cache");

/// Beside the hit rate of the multimodal cache.
pub(super) const MULTIMODAL: Advice =
    advice(Tone::Plain, "only of images, sounds and videos", "images, sounds, videos");

/// Beside the number of tokens that a step with a draft brings.
pub(super) const LENGTH: Advice = advice(
    Tone::Plain,
    "a step with a draft; the nearer to the most the better",
    "near the most is better",
);

/// Beside the share of drafted tokens that are accepted.
pub(super) fn acceptance(rate: f64) -> Advice {
    match rate {
        GOOD.. => advice(Tone::Good, "80 % and more is good", "80 % and more is good"),
        POOR.. => advice(
            Tone::Plain,
            "80 % and more is good; under 50 % speculation gains little",
            "80 % and more is good",
        ),
        _ => advice(Tone::Look, "< 50 %: speculation gains little", "< 50 %: gains little"),
    }
}

/// Beside the shares accepted by position.
pub(super) const POSITIONS: Advice =
    advice(Tone::Plain, "falling towards the end is normal: errors add up", "falling is normal");

/// Beside the throughput of drafts.
pub(super) fn drafts(speculation: &Speculation) -> Advice {
    match speculation.rate {
        Some(rate) if rate < POOR => {
            advice(Tone::Look, "most drafted tokens are wasted work", "most are wasted")
        }
        _ => advice(
            Tone::Plain,
            "whether it pays, a run without speculation tells",
            "compare without drafts",
        ),
    }
}

/// From here on the KV cache is as good as full.
const FULL: f64 = 0.95;

/// From here on it is worth a look.
const FILLING: f64 = 0.85;

/// From here on a rate of acceptance is good.
const GOOD: f64 = 0.8;

/// Below this speculation gains little.
const POOR: f64 = 0.5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn with(values: &[(Signal, f64)]) -> View {
        View { levels: values.iter().copied().collect::<BTreeMap<_, _>>(), ..View::default() }
    }

    #[test]
    fn waiting_requests_say_that_the_gpu_is_full_unless_they_wait_for_something_else() {
        let said = |values: &[(Signal, f64)]| waiting(&with(values)).long;
        assert_eq!(said(&[(Signal::Waiting, 0.0)]), "nobody waits");
        assert_eq!(said(&[(Signal::Waiting, 1.0)]), "> 0: the GPU is full, requests queue");
        let deferred = [(Signal::Waiting, 2.0), (Signal::WaitingDeferred, 2.0)];
        assert!(said(&deferred).contains("not for the GPU"));
        let some = [(Signal::Waiting, 3.0), (Signal::WaitingDeferred, 2.0)];
        assert!(said(&some).contains("the GPU is full"));
    }

    #[test]
    fn the_most_that_may_run_is_told_where_the_server_tells_it() {
        let most = [(Signal::Running, 8.0), (Signal::MaxRunning, 8.0)];
        assert!(running(&with(&most)).long.starts_with("as many as may run"));
        assert!(running(&with(&[(Signal::Running, 8.0)])).long.starts_with("computed at once"));
    }

    #[test]
    fn acceptance_is_judged_at_fifty_and_eighty_per_cent() {
        assert_eq!(acceptance(0.8).tone, Tone::Good);
        assert_eq!(acceptance(0.5).tone, Tone::Plain);
        assert_eq!(acceptance(0.499).long, "< 50 %: speculation gains little");
    }

    #[test]
    fn a_cache_that_is_nearly_full_says_that_requests_queue() {
        assert_eq!(kv_usage(0.5).tone, Tone::Good);
        assert_eq!(kv_usage(0.9).tone, Tone::Look);
        assert!(kv_usage(0.95).long.starts_with("near 100 %: new requests queue"));
    }

    #[test]
    fn short_words_fit_a_narrow_terminal() {
        let speculation = |rate| Speculation {
            length: 1.0,
            at_most: None,
            rate: Some(rate),
            accepted: None,
            drafted: None,
            by_position: Vec::new(),
        };
        let busy = [(Signal::Running, 8.0), (Signal::MaxRunning, 8.0), (Signal::Waiting, 1.0)];
        let deferred = [(Signal::Waiting, 2.0), (Signal::WaitingDeferred, 2.0)];
        let every = [
            running(&with(&[])),
            running(&with(&busy)),
            running(&with(&busy[..1])),
            waiting(&with(&[])),
            waiting(&with(&busy)),
            waiting(&with(&deferred)),
            kv_usage(0.1),
            kv_usage(0.9),
            kv_usage(1.0),
            GENERATION,
            PROMPT,
            COMPUTED,
            preemptions(0.0),
            preemptions(1.0),
            PREFIX,
            EXTERNAL,
            MULTIMODAL,
            LENGTH,
            acceptance(0.1),
            acceptance(0.6),
            acceptance(0.9),
            POSITIONS,
            drafts(&speculation(0.1)),
            drafts(&speculation(0.9)),
        ];
        for advice in every {
            assert!(advice.short.chars().count() <= 24, "{}", advice.short);
        }
    }
}
