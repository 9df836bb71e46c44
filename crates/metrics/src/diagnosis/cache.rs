//! A prefix cache that makes figures look better than they are.
//!
//! Prompts whose settings ask for a shared beginning are meant to find it there. Deliberately no judgement beyond that: what prompts of a
//! dataset share is known to whoever chose it, and the finding says so.

use super::figures::{count, figure, percent, plural, setting};
use super::{Evidence, Facts, Finding, Severity, Sureness, latencies};
use crate::catalog::{CACHE_HIT_RATE, INPUT_TOKENS, PREFIX_CACHE_HIT_RATE};
use crate::server::Cache;

/// The server took prompt tokens from a cache and not from computing.
pub(super) fn prefix_cache(facts: &Facts<'_>) -> Option<Finding> {
    if !latencies::most_succeeded(facts) {
        return None;
    }
    let rate = hit_rate(facts).filter(|&rate| rate >= WARM)?;
    let side = &facts.summary.side;
    let mut evidence = evidence(facts);
    let asked = Asked::of(facts);
    evidence.extend(asked.map(|asked| Evidence::new(asked.fact())));
    let (severity, what, next) = match asked.filter(|asked| asked.explains(rate)) {
        Some(asked) => (
            Severity::Notable,
            format!(
                "The server took {} of the prompt tokens from its prefix cache: prompts share {} each, as was asked for.",
                percent(rate),
                asked.tokens()
            ),
            "Compare it with runs only whose prompts share as much: TTFT is that of partly known prompts.".to_owned(),
        ),
        None => (
            Severity::Misleading,
            format!(
                "The server took {} of the prompt tokens from its prefix cache: TTFT is that of partly known prompts.",
                percent(rate)
            ),
            format!(
                "If prompts were meant to share {} this is as it should be. Otherwise use another seed or other prompts, empty the cache \
                 before the run ({}), or turn it off ({}).",
                if asked.is_some() { "so much" } else { "a prefix" },
                setting(
                    side,
                    "POST /reset_prefix_cache, with VLLM_SERVER_DEV_MODE=1",
                    "POST /flush_cache"
                ),
                setting(side, "--no-enable-prefix-caching", "--disable-radix-cache")
            ),
        ),
    };
    Some(Finding {
        rule: "prefix_cache",
        severity,
        sureness: Sureness::Certain,
        what,
        evidence,
        next,
        points: vec![facts.summary.point.index],
    })
}

/// A shared prefix that was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// Its tokens.
    prefix: f64,
    /// Those of a whole prompt, at the mean. `None` where nobody counted them.
    prompt: Option<f64>,
}

impl Asked {
    /// `None` where the point's settings, in its dialect's words, tell of none.
    fn of(facts: &Facts<'_>) -> Option<Self> {
        let arguments = &facts.run.point.arguments;
        let tokens = |name: &&str| arguments.get(name)?.as_f64().filter(|&tokens| tokens > 0.0);
        let prefix = PREFIXES.iter().find_map(tokens)?;
        Some(Self { prefix, prompt: facts.summary.mean(&INPUT_TOKENS) })
    }

    /// Whether no more came from the cache than prompts share.
    fn explains(&self, rate: f64) -> bool {
        self.prompt.is_none_or(|prompt| rate * prompt <= self.prefix * (1.0 + ROUNDING))
    }

    fn tokens(&self) -> String {
        plural(self.prefix as u64, "token", "tokens")
    }

    fn fact(&self) -> String {
        let of = self.prompt.map_or_else(String::new, |prompt| {
            format!(
                " of {} on average ({})",
                figure(prompt),
                percent((self.prefix / prompt).min(1.0))
            )
        });
        format!("asked for: prompts that share {}{of}", self.tokens())
    }
}

/// The share of prompt tokens that came from a cache, between 0 and 1: the greatest of what the server's counters and its answers tell.
/// `None` where neither tells anything.
pub(super) fn hit_rate(facts: &Facts<'_>) -> Option<f64> {
    let summary = facts.summary;
    let side = |cache: Option<Cache>| cache.and_then(|cache| cache.hit_rate());
    let figure = |metric| summary.figure(metric).map(|percent| percent / 100.0);
    // The figure of the pages before and after is the same as the side's, for a server that is not known.
    let own = side(summary.side.prefix_cache).or_else(|| figure(&PREFIX_CACHE_HIT_RATE));
    let rates = [own, side(summary.side.external_cache), figure(&CACHE_HIT_RATE)];
    rates.into_iter().flatten().max_by(f64::total_cmp)
}

fn evidence(facts: &Facts<'_>) -> Vec<Evidence> {
    let summary = facts.summary;
    let of_cache = |what: &str, cache: Option<Cache>| {
        let cache = cache?;
        let rate = percent(cache.hit_rate().filter(|&rate| rate > 0.0)?);
        let (hits, queries) = (count(cache.hits as u64), count(cache.queries as u64));
        Some(match cache.queries > 0.0 {
            true => format!(
                "{what}: {hits} of {queries} prompt tokens found ({rate}), by the server's counters"
            ),
            false => format!("{what}: {rate} of prompt tokens found, as the server reckons"),
        })
    };
    let prefix = of_cache("prefix cache", summary.side.prefix_cache).or_else(|| {
        let rate = summary.figure(&PREFIX_CACHE_HIT_RATE)?;
        Some(format!("prefix cache: {} found, by the server's counters", percent(rate / 100.0)))
    });
    let answers = summary.figure(&CACHE_HIT_RATE).map(|rate| {
        format!("cached prompt tokens by the answers' usage: {}", percent(rate / 100.0))
    });
    let external = of_cache("external cache", summary.side.external_cache);
    [prefix, external, answers].into_iter().flatten().map(Evidence::new).collect()
}

/// A cache that answers this share of the prompt tokens makes a difference: the line at which vLLM's client warns.
pub(super) const WARM: f64 = 0.01;

/// What dialects call the tokens that prompts share.
const PREFIXES: [&str; 3] = ["prefix_length", "random_prefix_len", "prefix_len"];

/// A template before the prefix is shared too, and tokens of one tokenizer are not quite another's.
const ROUNDING: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summarize;
    use crate::summary::testing::{Changed, ok, point_log};
    use crate::{Run, ServerSide};

    fn found(cached: Option<u32>, counted: Option<Cache>) -> Option<Finding> {
        let log = point_log((0..4).map(|i| {
            let mut record = ok(i, 0, &[10, 20]);
            record.prompt_tokens.server = Some(1_000);
            record.prompt_tokens.cached = cached;
            record
        }));
        let mut summary = summarize(&log);
        summary.side = ServerSide { prefix_cache: counted, ..ServerSide::default() };
        prefix_cache(&Facts { run: &Run::of(&log), summary: &summary })
    }

    fn counted(hits: f64) -> Option<Cache> {
        Some(Cache { queries: 4_000.0, hits, ..Cache::default() })
    }

    #[test]
    fn a_cache_that_answers_is_told_with_its_tokens() {
        let finding = found(None, counted(1_704.0)).unwrap();
        assert_eq!(finding.severity, Severity::Misleading);
        assert!(finding.what.starts_with("The server took 42.6 % of the prompt tokens"));
        assert_eq!(
            finding.evidence,
            [Evidence::new(
                "prefix cache: 1,704 of 4,000 prompt tokens found (42.6 %), by the server's counters"
            )]
        );
    }

    #[test]
    fn answers_that_tell_of_cached_tokens_are_evidence_too() {
        let finding = found(Some(500), None).unwrap();
        assert_eq!(
            finding.evidence,
            [Evidence::new("cached prompt tokens by the answers' usage: 50 %")]
        );
        assert_eq!(found(Some(500), counted(1_704.0)).unwrap().evidence.len(), 2);
    }

    #[test]
    fn a_rate_of_the_server_s_own_reckoning_is_told_as_that() {
        let reckoned = Some(Cache { reckoned: Some(0.4), ..Cache::default() });
        let told = found(None, reckoned).unwrap().evidence;
        let fact = "prefix cache: 40 % of prompt tokens found, as the server reckons";
        assert_eq!(told, [Evidence::new(fact)]);
    }

    fn asking(name: &str, prefix: u32, hits: f64) -> Finding {
        let mut log = point_log((0..4).map(|i| {
            let mut record = ok(i, 0, &[10, 20]);
            record.prompt_tokens.server = Some(1_000);
            record
        }));
        log.point.arguments = [(name, serde_json::Value::from(prefix))].into_iter().collect();
        let mut summary = summarize(&log);
        summary.side = ServerSide { prefix_cache: counted(hits), ..ServerSide::default() };
        prefix_cache(&Facts { run: &Run::of(&log), summary: &summary }).unwrap()
    }

    #[test]
    fn a_prefix_that_was_asked_for_is_only_worth_a_note() {
        let finding = asking("prefix_length", 450, 1_704.0);
        assert_eq!(finding.severity, Severity::Notable);
        assert_eq!(
            finding.what,
            "The server took 42.6 % of the prompt tokens from its prefix cache: prompts share 450 tokens each, as was asked for."
        );
        assert_eq!(
            finding.evidence[1],
            Evidence::new("asked for: prompts that share 450 tokens of 1,000 on average (45 %)")
        );
        assert_eq!(asking("random_prefix_len", 450, 1_704.0).severity, Severity::Notable);
    }

    #[test]
    fn a_cache_that_finds_more_than_was_asked_for_still_misleads() {
        assert_eq!(asking("prefix_length", 100, 1_704.0).severity, Severity::Misleading);
        assert_eq!(asking("prefix_length", 0, 1_704.0).severity, Severity::Misleading);
    }

    #[test]
    fn less_than_one_per_cent_makes_no_difference() {
        assert_eq!(found(None, counted(39.0)), None);
        assert!(found(None, counted(40.0)).is_some());
        assert_eq!(found(Some(9), None), None);
    }

    #[test]
    fn nothing_is_assumed_where_nothing_is_told() {
        assert_eq!(found(None, None), None);
        assert_eq!(found(None, Some(Cache::default())), None);
    }

    #[test]
    fn a_run_that_failed_has_other_worries() {
        let log = point_log((0..3).map(|i| ok(i, 0, &[]).failing_at(4)));
        let mut summary = summarize(&log);
        summary.side.prefix_cache = counted(4_000.0);
        assert_eq!(prefix_cache(&Facts { run: &Run::of(&log), summary: &summary }), None);
    }
}
