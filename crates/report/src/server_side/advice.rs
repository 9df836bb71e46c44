//! What a figure of the service's own side says wherever it is read.
//!
//! The thresholds are those that engineers go by who run such servers; they judge nothing, and findings rest on more than one figure.
//! What begins with `!` is worth a look.

use tokometer_metrics::server::Level;
use tokometer_record::Signal;

use crate::number::{fixed, shortest};

/// What a gauge, or a share or speed of the whole point, says.
pub(super) fn on(signal: Signal, level: &Level) -> String {
    match signal {
        Signal::Running => "requests being computed at once".to_owned(),
        Signal::Waiting => waiting(level),
        Signal::WaitingForCapacity => {
            "of those waiting: for a place, the KV cache or tokens of a step".to_owned()
        }
        Signal::WaitingDeferred => {
            "of those waiting: for something else, such as a transfer".to_owned()
        }
        Signal::MaxRunning => "as many may run at once".to_owned(),
        Signal::KvUsage => kv(level.max).to_owned(),
        Signal::KvTokens => "tokens that the cache holds at most".to_owned(),
        Signal::PromptThroughput => "prefill: the higher, the better".to_owned(),
        Signal::GenerationThroughput => {
            "decode: with more at once it rises, and each request slows".to_owned()
        }
        Signal::PrefixHitRate => prefix(level.mean).to_owned(),
        Signal::ExternalHitRate => {
            "found in a cache outside of the engine, and not computed".to_owned()
        }
        Signal::MultimodalHitRate => "images, sounds and videos that were known".to_owned(),
        Signal::AcceptanceLength => "tokens a step: 1 is no gain".to_owned(),
        Signal::AcceptanceRate => acceptance(level.mean).to_owned(),
        Signal::AcceptedThroughput => {
            "what drafts brought; to see the gain: explain --baseline".to_owned()
        }
        Signal::DraftedThroughput => "wasted computing where little of it is accepted".to_owned(),
        _ => String::new(),
    }
}

fn waiting(level: &Level) -> String {
    let share = format!("in {} % of the readings", fixed(100.0 * level.above_zero, 0));
    if level.max <= 0.0 {
        "none in any reading: who waits, waits for the next step".to_owned()
    } else if level.above_zero >= MOSTLY {
        format!("! above 0 {share}: the server is full, and requests queue")
    } else {
        format!("above 0 {share}: now and then the server is full, and requests queue")
    }
}

/// By the highest share in use.
const fn kv(max: f64) -> &'static str {
    if max >= KV_FULL {
        "! near 100 %: new requests wait, or running ones lose their place"
    } else if max >= KV_FILLING {
        "filling up: near 100 % new requests wait"
    } else {
        "room left"
    }
}

const fn prefix(rate: f64) -> &'static str {
    if rate >= PREFIX_TELLS {
        "hits skip prefill: TTFT is that of partly known prompts"
    } else {
        "low: as it should be, unless prompts share a beginning"
    }
}

const fn acceptance(rate: f64) -> &'static str {
    if rate >= ACCEPTED_WELL {
        "80 % and more is good"
    } else if rate < ACCEPTED_BADLY {
        "! under 50 %: speculation gains little"
    } else {
        "good from 80 % on; under 50 % speculation gains little"
    }
}

/// What the mean acceptance length says of drafts of that many tokens.
pub(super) fn acceptance_length(draft: usize) -> String {
    match draft {
        0 => "tokens a step: 1 is no gain".to_owned(),
        draft => format!("tokens a step, {} at most: the nearer, the better", draft + 1),
    }
}

/// What the shares of accepted drafts by position say.
pub(super) fn by_position(shares: &[f64]) -> &'static str {
    let rises = shares.windows(2).any(|pair| pair[1] > pair[0] + RISE);
    match (shares.len(), rises) {
        (1, _) => "drafts of one token",
        (_, false) => "later positions lower is normal: errors add up",
        (_, true) => "! a later position is higher than one before it: unusual",
    }
}

/// What the length of the queue in time says beside the TTFT of the same requests, and beside the time that a step takes.
pub(super) fn queue(queue: f64, ttft: Option<f64>, step: Option<f64>) -> String {
    let share = ttft.filter(|&ttft| ttft > 0.0).map(|ttft| queue / ttft);
    let for_a_step = step.is_some_and(|step| queue < WAITED_STEPS * step);
    let mark = if share >= Some(MOSTLY) && !for_a_step { "! " } else { "" };
    let what = if for_a_step { "waiting for a step to begin" } else { "waiting for a turn" };
    match share {
        Some(share) => {
            format!("{mark}{what}: {} % of the server's TTFT", shortest(100.0 * share, 1))
        }
        None => what.to_owned(),
    }
}

/// What preemptions say.
pub(super) fn preemptions(times: f64) -> &'static str {
    if times > 0.0 {
        "! requests lost their place and were computed anew"
    } else {
        "no request lost its place"
    }
}

/// What holds half of the time is told as a state, and not as an incident.
const MOSTLY: f64 = 0.5;

/// A wait of less than so many steps is for the next one to begin, or the one after where they are scheduled ahead.
const WAITED_STEPS: f64 = 3.0;

/// From this share of the KV cache on there is hardly room for another request.
const KV_FULL: f64 = 0.95;

/// From this one on there soon is not.
const KV_FILLING: f64 = 0.8;

/// A prefix cache that answers this share of prompt tokens makes a difference.
const PREFIX_TELLS: f64 = 0.01;

const ACCEPTED_WELL: f64 = 0.8;
const ACCEPTED_BADLY: f64 = 0.5;

/// Rounding in a log is no rise.
const RISE: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_wait_is_for_the_next_step() {
        let told = queue(0.0118, Some(0.032), Some(0.0066));
        assert_eq!(told, "waiting for a step to begin: 36.9 % of the server's TTFT");
        assert_eq!(
            queue(5.2, Some(6.1), Some(0.03)),
            "! waiting for a turn: 85.2 % of the server's TTFT"
        );
        assert_eq!(queue(5.2, None, None), "waiting for a turn");
    }
}
