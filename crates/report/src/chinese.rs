//! Chinese for what metrics, rules and verdicts call by keys and kinds: fixed tables, none of them made of English at run time.
//!
//! Whoever has English words with figures of a run in them (a finding's sentence, a server's message) shows those beside: they are
//! evidence, and deliberately not translated here. The field's terms (TTFT, TPOT, ITL, KV cache) stand beside the Chinese ones.

mod findings;
mod kinds;
mod metrics;
mod verdicts;

pub use kinds::{ending, failure, over, unit};
pub use verdicts::{doubt, reason, reason_advice, verdict, verdict_means};

use tokometer_metrics::diagnosis::{Severity, Sureness};

/// A metric in Chinese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its key in [`tokometer_metrics::catalog::METRICS`].
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The formula, in words.
    pub definition: &'static str,
}

/// A rule of the diagnosis in Chinese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its key in [`tokometer_metrics::diagnosis::RULES`] or [`tokometer_metrics::diagnosis::SWEEP_RULES`].
    pub key: &'static str,
    /// What it looks for, in a few words.
    pub about: &'static str,
    /// What to do next, in general: a finding's own words may know better.
    pub advice: &'static str,
}

/// The metric of this key. `None` if there is none.
pub fn metric(key: &str) -> Option<&'static Metric> {
    metrics::METRICS.iter().find(|metric| metric.key == key)
}

/// The rule of this key, over a point or over a sweep. `None` if there is none.
pub fn rule(key: &str) -> Option<&'static Rule> {
    findings::RULES.iter().find(|rule| rule.key == key)
}

/// A severity in a word or two.
pub const fn severity(severity: Severity) -> &'static str {
    findings::severity(severity).0
}

/// What a severity means, in a sentence without its full stop.
pub const fn severity_means(severity: Severity) -> &'static str {
    findings::severity(severity).1
}

/// A sureness in a word.
pub const fn sureness(sureness: Sureness) -> &'static str {
    findings::sureness(sureness).0
}

/// What a sureness means, in a sentence without its full stop.
pub const fn sureness_means(sureness: Sureness) -> &'static str {
    findings::sureness(sureness).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a text has Chinese characters.
    pub(super) fn is_chinese(text: &str) -> bool {
        text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
    }

    #[test]
    fn metrics_and_rules_are_found_by_their_keys() {
        assert_eq!(metric("ttft").map(|metric| metric.title), Some("首令牌时间（TTFT）"));
        assert_eq!(rule("knee").map(|rule| rule.key), Some("knee"));
        assert_eq!((metric("knee"), rule("ttft")), (None, None));
    }

    #[test]
    fn what_weighs_more_is_called_otherwise() {
        let severities = [
            Severity::Invalid,
            Severity::Failing,
            Severity::Limiting,
            Severity::Misleading,
            Severity::Notable,
        ];
        let called: std::collections::BTreeSet<_> = severities.map(severity).into();
        assert_eq!(called.len(), severities.len());
        let surenesses = [Sureness::Certain, Sureness::Likely, Sureness::Possible];
        assert_eq!(surenesses.map(sureness), ["确定", "很可能", "可能"]);
    }
}
