//! The figures of a result that can be compared: what they are called, and which way is better.
//!
//! A key that is no figure is a setting, a list, or a name; the two must never be mixed up, for a setting has no better side.

/// A figure of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its key in the result: `mean_ttft_ms`.
    pub key: String,
    /// What it is called: `Mean TTFT (ms)`.
    pub title: String,
    /// Which way is better.
    pub better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither way: it says what the load was, not how it was borne.
    Neither,
}

/// The figure of that key, if it is one.
pub fn figure(key: &str) -> Option<Figure> {
    let whole = WHOLE.iter().find(|(known, _, _)| *known == key);
    let (title, better) = match whole {
        Some(&(_, title, better)) => (title.to_owned(), better),
        None => {
            (latency(key)?, if key.starts_with("std_") { Better::Neither } else { Better::Lower })
        }
    };
    Some(Figure { key: key.to_owned(), title, better })
}

/// The title of a key such as `p99_ttft_ms`.
fn latency(key: &str) -> Option<String> {
    let (statistic, rest) = key.split_once('_')?;
    let name = rest.strip_suffix("_ms")?;
    let statistic = match statistic {
        "mean" => "Mean".to_owned(),
        "median" => "Median".to_owned(),
        "std" => "SD of".to_owned(),
        other => {
            let percentile: f64 = other.strip_prefix('p')?.parse().ok()?;
            format!("P{percentile}")
        }
    };
    let name = match name {
        "ttft" | "tpot" | "itl" | "e2el" => name.to_uppercase(),
        "client_queue_time" => "client queueing".to_owned(),
        "e2el_including_client_queue" => "E2EL with client queueing".to_owned(),
        other => other.replace('_', " "),
    };
    Some(format!("{statistic} {name} (ms)"))
}

const WHOLE: &[(&str, &str, Better)] = &[
    ("duration", "Duration (s)", Better::Neither),
    ("completed", "Completed requests", Better::Neither),
    ("failed", "Failed requests", Better::Lower),
    ("total_input_tokens", "Input tokens", Better::Neither),
    ("total_output_tokens", "Output tokens", Better::Neither),
    ("total_input_sequences", "Input sequences", Better::Neither),
    ("request_throughput", "Requests (req/s)", Better::Higher),
    ("request_goodput", "Goodput (req/s)", Better::Higher),
    ("output_throughput", "Output tokens (tok/s)", Better::Higher),
    ("total_token_throughput", "Total tokens (tok/s)", Better::Higher),
    ("input_sequence_throughput", "Input sequences (1/s)", Better::Higher),
    ("max_output_tokens_per_s", "Peak output tokens (tok/s)", Better::Higher),
    ("max_concurrent_requests", "Peak concurrent requests", Better::Neither),
    ("rtfx", "RTFx", Better::Higher),
    ("success_rate", "Success (%)", Better::Higher),
    ("slo_attainment", "SLO attainment (share)", Better::Higher),
    ("achieved_rate", "Achieved rate (req/s)", Better::Neither),
    ("cancelled", "Cancelled requests", Better::Neither),
    ("prefix_cache_hit_rate", "Prefix cache hits (%)", Better::Neither),
    ("probe_failed", "Failed probes", Better::Lower),
    ("probe_median_e2el_ms", "Median probe E2EL (ms)", Better::Lower),
    ("probe_p99_e2el_ms", "P99 probe E2EL (ms)", Better::Lower),
    ("probe_max_e2el_ms", "Max probe E2EL (ms)", Better::Lower),
    ("spec_decode_acceptance_rate", "Accepted drafts (%)", Better::Higher),
    ("spec_decode_acceptance_length", "Acceptance length", Better::Higher),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_by_statistic_and_name() {
        let title = |key| figure(key).map(|figure| figure.title);
        assert_eq!(title("mean_ttft_ms").as_deref(), Some("Mean TTFT (ms)"));
        assert_eq!(title("p99.9_e2el_ms").as_deref(), Some("P99.9 E2EL (ms)"));
        assert_eq!(title("std_itl_ms").as_deref(), Some("SD of ITL (ms)"));
    }

    #[test]
    fn settings_and_lists_are_no_figures() {
        for key in
            ["request_rate", "max_concurrency", "ttfts", "date", "prefix_len_ms", "num_prompts"]
        {
            assert_eq!(figure(key), None, "{key}");
        }
    }

    #[test]
    fn less_latency_and_more_throughput_are_better() {
        let better = |key| figure(key).map(|figure| figure.better);
        assert_eq!(better("p99_ttft_ms"), Some(Better::Lower));
        assert_eq!(better("output_throughput"), Some(Better::Higher));
        assert_eq!(better("std_ttft_ms"), Some(Better::Neither));
        assert_eq!(better("duration"), Some(Better::Neither));
    }
}
