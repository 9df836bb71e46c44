//! What a service says of itself, beside what its users feel: read, put into words that all servers share, and kept.
//!
//! Deliberately without judgement: what it means is defined in `tokometer-metrics`. Everything but [`watch`] and what it stands on
//! ([`fetch`], [`follow`], [`nvidia_smi`]) is pure. Nothing here shares a thread with the load.

mod conceal;
pub mod fetch;
pub mod follow;
pub mod gpu;
pub mod log_line;
pub mod nvidia_smi;
pub mod prometheus;
pub mod server;
pub mod watch;

#[cfg(test)]
mod served;

use tokometer_record::{Offset, Scrape};

/// What the page of metrics that was read at this moment tells, thinned out for the log. `None` if the page is not one of metrics.
pub fn scrape(page: &str, source: &str, at: Offset) -> Option<Scrape> {
    let samples: std::collections::BTreeMap<_, _> = prometheus::samples(page)
        .filter(|sample| is_worth_keeping(sample.name))
        .map(|sample| (sample.key.to_owned(), sample.value))
        .collect();
    (!samples.is_empty()).then_some(Scrape { at, source: source.to_owned(), samples })
}

/// Whether a sample says something of the service: buckets are many, the moments at which counters were made say nothing, and
/// the insides of Python and of the process are another matter.
fn is_worth_keeping(name: &str) -> bool {
    let noise = ["_bucket", "_created"].iter().any(|ending| name.ends_with(ending));
    let insides = ["python_", "process_", "http_"].iter().any(|start| name.starts_with(start));
    !noise && !insides
}

#[cfg(test)]
mod tests {
    use super::*;

    const VLLM: &str = include_str!("testdata/vllm.txt");

    #[test]
    fn what_a_real_server_says_is_kept_by_name_and_labels() {
        let scrape = scrape(VLLM, "", Offset::ZERO).unwrap();
        let sample = |key: &str| scrape.samples.get(key).copied();
        let drafts = r#"vllm:spec_decode_num_drafts_total{engine="0",model_name="tiny-qwen"}"#;
        assert_eq!(sample(drafts), Some(75.0));
        let queries = r#"vllm:prefix_cache_queries_total{engine="0",model_name="tiny-qwen"}"#;
        assert_eq!(sample(queries), Some(60.0));
    }

    #[test]
    fn buckets_and_the_process_are_left_out() {
        let scrape = scrape(VLLM, "", Offset::ZERO).unwrap();
        let noise = |key: &&String| key.contains("_bucket{") || key.starts_with("python_");
        assert_eq!(scrape.samples.keys().find(noise), None);
        assert!(scrape.samples.len() < 150, "{}", scrape.samples.len());
    }

    #[test]
    fn a_page_without_metrics_is_none() {
        assert_eq!(scrape("<html>not here</html>", "", Offset::ZERO), None);
        assert_eq!(scrape("", "", Offset::ZERO), None);
    }
}
