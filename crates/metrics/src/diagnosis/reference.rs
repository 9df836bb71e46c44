//! The reference of the rules, as a document: `docs/diagnosis.md` is generated from it.

use super::{RULES, SWEEP_RULES};

/// The document.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for rule in RULES {
        text.push_str(&format!("| `{}` | {} |\n", rule.key, rule.about));
    }
    text.push_str(SWEEPS);
    for rule in SWEEP_RULES {
        text.push_str(&format!("| `{}` | {} |\n", rule.key, rule.about));
    }
    text
}

const HEAD: &str = "\
# Diagnosis

<!-- Generated from crates/metrics/src/diagnosis.rs: change that file, then run `cargo xtask docs`. -->

What a run's facts say is wrong, or limits it. Each rule looks at the client's records and at what the server said of itself
([server-side.md](server-side.md)), and yields a finding with its evidence, how sure it is, and what to do next; where its evidence is missing it is
silent. A run that is well, and large enough for a p99, has no finding. Findings head the console's text, `summary.json` and `tokometer explain RUN_DIR`, the worst first:

| severity | it means |
|---|---|
| `invalid` | the figures are not the server's, or not of what was asked: do not use them as they stand |
| `failing` | requests fail: users would not be served |
| `limiting` | this limits the service: the bottleneck |
| `misleading` | the figures are right, and can mislead |
| `notable` | good to know |

A finding is *certain* where the evidence admits of nothing else, *likely* where it is the likeliest reading and something else could look the same, and
*possible* where the evidence points that way and is thin. Thresholds stand beside each rule in `crates/metrics/src/diagnosis/`, with their reasons.

## Rules over one point

| rule | what it looks for |
|---|---|
";

const SWEEPS: &str = "
## Rules over a sweep

| rule | what it looks for |
|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_line() {
        let mut keys: Vec<&str> = RULES.iter().map(|rule| rule.key).collect();
        keys.extend(SWEEP_RULES.iter().map(|rule| rule.key));
        let text = markdown();
        for key in &keys {
            assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{key}");
            assert!(text.contains(&format!("| `{key}` |")), "{key}");
        }
    }
}
