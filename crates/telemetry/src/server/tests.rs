//! What every table has in common, and vLLM's own pages read to the values that stand on them.

use proptest::prelude::*;

use super::*;

/// Three requests with speculation, as vLLM 0.32 told of them.
const SPECULATIVE: &str = include_str!("../testdata/vllm.txt");

/// Seventy-one requests without.
const PLAIN: &str = include_str!("../testdata/vllm-without-speculation.txt");

fn whole(page: &str) -> Option<Reading> {
    reading(page, "a", Offset::ZERO, Detail::Whole)
}

fn values(page: &str) -> Vec<(Signal, f64)> {
    whole(page).map(|reading| reading.values.into_iter().collect()).unwrap_or_default()
}

#[test]
fn a_page_of_vllm_with_speculation_is_read_to_its_values() {
    let reading = whole(SPECULATIVE).unwrap();
    assert_eq!(
        (reading.server.as_str(), reading.source.as_str(), reading.origin),
        ("vllm", "a", Origin::Metrics)
    );
    let expected = [
        (Signal::Running, 0.0),
        (Signal::Waiting, 0.0),
        (Signal::WaitingForCapacity, 0.0),
        (Signal::WaitingDeferred, 0.0),
        (Signal::KvUsage, 0.0),
        (Signal::KvTokens, 8_388_608.0),
        (Signal::Preemptions, 0.0),
        (Signal::PromptTokens, 60.0),
        (Signal::CachedPromptTokens, 0.0),
        (Signal::GenerationTokens, 360.0),
        (Signal::PrefixQueries, 60.0),
        (Signal::PrefixHits, 0.0),
        (Signal::ExternalQueries, 0.0),
        (Signal::ExternalHits, 0.0),
        (Signal::MultimodalQueries, 0.0),
        (Signal::MultimodalHits, 0.0),
        (Signal::Drafts, 75.0),
        (Signal::DraftTokens, 288.0),
        (Signal::AcceptedTokens, 288.0),
        (Signal::Finished, 3.0),
        (Signal::Aborted, 0.0),
        (Signal::Errored, 0.0),
        (Signal::Rejected, 0.0),
    ];
    assert_eq!(reading.values.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(reading.accepted_by_position, [75.0, 75.0, 69.0, 69.0]);
}

#[test]
fn a_page_of_vllm_without_speculation_says_nothing_of_drafts() {
    let reading = whole(PLAIN).unwrap();
    assert_eq!(reading.values[&Signal::PromptTokens], 6_966.0);
    assert_eq!(reading.values[&Signal::GenerationTokens], 6_477.0);
    assert_eq!(reading.values[&Signal::Finished], 71.0);
    assert_eq!(reading.values.get(&Signal::Drafts), None);
    assert_eq!(reading.accepted_by_position, [0.0; 0]);
}

#[test]
fn times_of_vllm_are_seconds_and_lengths_are_tokens() {
    let timings = whole(PLAIN).unwrap().timings;
    let sums: Vec<_> =
        timings.iter().map(|(timing, told)| (*timing, told.count, told.sum)).collect();
    let expected = [
        (Timing::Ttft, 71.0, 18.495131015777588),
        (Timing::Itl, 6_406.0, 1_006.2916028149978),
        (Timing::E2e, 71.0, 1_024.9214000701904),
        (Timing::Queue, 71.0, 0.003165666000541023),
        (Timing::Prefill, 71.0, 12.030793495000353),
        (Timing::Decode, 71.0, 1_006.2916028149978),
        (Timing::PromptLength, 71.0, 6_966.0),
        (Timing::OutputLength, 71.0, 6_477.0),
        (Timing::StepTokens, 496.0, 13_443.0),
    ];
    assert_eq!(sums, expected);
}

#[test]
fn buckets_are_kept_whole_and_left_out_in_brief() {
    let timings = whole(SPECULATIVE).unwrap().timings;
    let ttft = &timings[&Timing::Ttft].buckets;
    assert_eq!(ttft.len(), 22);
    assert_eq!(ttft[7..10], [(0.1, 0.0), (0.25, 2.0), (0.5, 2.0)]);
    assert_eq!(ttft[21], (2_560.0, 3.0));
    assert_eq!(
        timings[&Timing::StepTokens].buckets[..4],
        [(1.0, 9.0), (8.0, 81.0), (16.0, 81.0), (32.0, 84.0)]
    );
    let brief = reading(SPECULATIVE, "", Offset::ZERO, Detail::Brief).unwrap();
    assert!(brief.timings.values().all(|histogram| histogram.buckets.is_empty()));
    assert_eq!(brief.timings[&Timing::Ttft].sum, timings[&Timing::Ttft].sum);
}

#[test]
fn engines_of_vllm_are_added_up_and_the_fullest_cache_counts() {
    let page = r#"
vllm:num_requests_running{engine="0"} 3
vllm:num_requests_running{engine="1"} 4
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1
vllm:num_requests_waiting_by_reason{engine="1",reason="capacity"} 2
vllm:num_requests_waiting_by_reason{engine="1",reason="deferred"} 9
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:cache_config_info{engine="0",block_size="16",num_gpu_blocks="100",kv_cache_size_tokens="None"} 1
vllm:cache_config_info{engine="1",block_size="16",num_gpu_blocks="50",kv_cache_size_tokens="700"} 1
vllm:request_success_total{engine="0",finished_reason="stop"} 5
vllm:request_success_total{engine="1",finished_reason="length"} 6
vllm:request_success_total{engine="1",finished_reason="repetition"} 7
vllm:request_success_total{engine="0",finished_reason="abort"} 8
vllm:request_success_total{engine="1",finished_reason="abort"} 1
vllm:request_success_total{engine="0",finished_reason="error"} 2
vllm:admission_rejections_total{reason="max_num_queued_reqs"} 3
vllm:admission_rejections_total{reason="max_num_queued_tokens"} 1
"#;
    let expected = [
        (Signal::Running, 7.0),
        (Signal::WaitingForCapacity, 3.0),
        (Signal::WaitingDeferred, 9.0),
        (Signal::KvUsage, 0.75),
        (Signal::KvTokens, 2_300.0),
        (Signal::Finished, 18.0),
        (Signal::Aborted, 9.0),
        (Signal::Errored, 2.0),
        (Signal::Rejected, 4.0),
    ];
    assert_eq!(values(page), expected);
}

#[test]
fn positions_are_added_up_over_engines_and_may_be_missing() {
    let accepted = |page: &str| whole(page).unwrap().accepted_by_position;
    let page = r#"
vllm:num_requests_running 1
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="0"} 5
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="0"} 6
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="2"} 1
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="4000000000"} 1
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="x"} 1
"#;
    assert_eq!(accepted(page), [11.0, 0.0, 1.0]);
}

#[test]
fn older_names_of_vllm_are_known_and_newer_ones_come_first() {
    let older = r#"
vllm:gpu_cache_usage_perc 0.5
vllm:gpu_prefix_cache_queries_total 100
vllm:gpu_prefix_cache_hits_total 40
vllm:gpu_prefix_cache_hit_rate -1
vllm:avg_generation_throughput_toks_per_s 12.5
vllm:time_per_output_token_seconds_sum 3
vllm:time_per_output_token_seconds_count 30
"#;
    let expected = [
        (Signal::KvUsage, 0.5),
        (Signal::GenerationThroughput, 12.5),
        (Signal::PrefixQueries, 100.0),
        (Signal::PrefixHits, 40.0),
    ];
    assert_eq!(values(older), expected, "-1 says that it was not told");
    assert_eq!(whole(older).unwrap().timings[&Timing::Itl].count, 30.0);
    let both = format!("{older}vllm:kv_cache_usage_perc 0.75\n");
    assert_eq!(whole(&both).unwrap().values[&Signal::KvUsage], 0.75);
}

#[test]
fn counters_are_known_with_and_without_their_ending_and_gauges_without() {
    assert_eq!(values("vllm:generation_tokens 5\n"), [(Signal::GenerationTokens, 5.0)]);
    let both = "vllm:generation_tokens 5\nvllm:generation_tokens_total 6\nvllm:generation_tokens_created 1.7e9\n";
    assert_eq!(values(both), [(Signal::GenerationTokens, 6.0)]);
    assert_eq!(values("vllm:num_requests_running_total 100\n"), []);
}

#[test]
fn openmetrics_says_the_same_as_prometheus() {
    let page = "# TYPE vllm:generation_tokens counter\n\
                vllm:generation_tokens_total{engine=\"0\"} 6.0 1700000000.5 # {trace_id=\"a} b\"} 1.0 1700000000.1\n\
                vllm:generation_tokens_created{engine=\"0\"} 1.7e9\n\
                # TYPE vllm:time_to_first_token_seconds histogram\n\
                vllm:time_to_first_token_seconds_bucket{le=\"0.1\"} 2 # {trace_id=\"x\"} 0.05\n\
                vllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 3\n\
                vllm:time_to_first_token_seconds_count 3\n\
                vllm:time_to_first_token_seconds_sum 0.9\n\
                # EOF\n";
    assert_eq!(values(page), [(Signal::GenerationTokens, 6.0)]);
    let ttft = Histogram { sum: 0.9, count: 3.0, buckets: vec![(0.1, 2.0)] };
    assert_eq!(whole(page).unwrap().timings[&Timing::Ttft], ttft);
}

#[test]
fn a_page_that_was_cut_in_half_is_read_as_far_as_it_goes() {
    let place = SPECULATIVE.find("vllm:request_prompt_tokens_bucket").unwrap();
    let half = whole(&SPECULATIVE[..place + 20]).unwrap();
    assert_eq!(half.values[&Signal::GenerationTokens], 360.0);
    assert_eq!(half.timings.len(), 0);
    let number = SPECULATIVE.find(" 360.0").unwrap();
    let cut = whole(&SPECULATIVE[..number + 3]).unwrap();
    assert_eq!(cut.values.get(&Signal::GenerationTokens), None, "the 3 of 360 is not told as 3");
}

#[test]
fn of_several_servers_on_one_page_the_first_is_heard() {
    let page =
        "trtllm_num_requests_running 1\nsglang:num_running_reqs 2\nvllm:num_requests_running 3\n";
    let reading = whole(page).unwrap();
    assert_eq!((reading.server.as_str(), reading.values[&Signal::Running]), ("vllm", 3.0));
    let without = page.replace("vllm:", "other:");
    assert_eq!(whole(&without).unwrap().server, "sglang");
}

#[test]
fn what_is_no_page_of_a_known_server_is_none() {
    for page in [
        "",
        "<html></html>\n",
        "up 1\n",
        "vllm:something_new 1\n",
        "vllm:num_requests_running NaN\n",
        "python_info{version=\"3\"} 1\n",
    ] {
        assert_eq!(whole(page), None, "{page}");
    }
}

/// Every name that a table has, as a page might have it.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for server in SERVERS {
        let mut own: Vec<String> = Vec::new();
        for (_, figure) in server.signals {
            match figure {
                Figure::Told(told, ..) => own.extend(told.iter().map(|name| (*name).to_owned())),
                Figure::Product((one, _), (other, _)) | Figure::Ratio((one, _), (other, _)) => {
                    own.extend([one, other].map(|name| (*name).to_owned()))
                }
                Figure::InLabels(name, _) => own.push((*name).to_owned()),
            }
        }
        own.extend(server.accepted.map(|(name, _)| name.to_owned()));
        for (_, told) in server.timings {
            own.extend(told.iter().flat_map(|name| {
                ["_sum", "_count", "_bucket"].map(|ending| format!("{name}{ending}"))
            }));
        }
        for prefix in server.prefixes {
            names.extend(
                own.iter().flat_map(|name| {
                    ["", "_total"].map(|ending| format!("{prefix}{name}{ending}"))
                }),
            );
        }
    }
    names
}

#[test]
fn no_table_has_a_line_that_cannot_be_reached() {
    for server in SERVERS {
        for (signal, figure) in server.signals {
            let Figure::Told(told, ..) = figure else { continue };
            for name in *told {
                assert!(
                    !signal.is_counter() || !name.ends_with("_total"),
                    "{}: {name}",
                    server.name
                );
            }
        }
    }
}

fn labels() -> impl Strategy<Value = String> {
    let label = "(engine|tp_rank|dp_rank|reason|finished_reason|err|position|le|block_size|num_gpu_blocks|kv_cache_block_type|priority|model)";
    let value = r"0|1|2|1e308|-1|NaN|\+Inf|capacity|stop|abort|max|used|tokens_per|fraction|x|";
    let one = (label, value).prop_map(|(label, value)| format!("{label}=\"{value}\""));
    prop::collection::vec(one, 0..4).prop_map(|labels| labels.join(","))
}

/// Shares that a table takes as they are: every gauge of a share, under every name that it has.
fn shares() -> Vec<(Signal, String)> {
    let is_share = |signal: Signal| {
        matches!(signal, Signal::KvUsage | Signal::PrefixHitRate | Signal::AcceptanceRate)
    };
    let mut shares = Vec::new();
    for server in SERVERS {
        for (signal, figure) in server.signals.iter().filter(|(signal, _)| is_share(*signal)) {
            let Figure::Told(told, which, _) = figure else { continue };
            let labels = match which {
                figure::Which::Only(label, values) => format!("{{{label}=\"{}\"}}", values[0]),
                _ => String::new(),
            };
            for name in *told {
                shares.extend(
                    server
                        .prefixes
                        .iter()
                        .map(|prefix| (*signal, format!("{prefix}{name}{labels}"))),
                );
            }
        }
    }
    shares
}

proptest! {
    #[test]
    fn whatever_the_page_every_value_is_a_number_and_none_is_below_zero(
        lines in prop::collection::vec((prop::sample::select(names()), labels(), r"[0-9]{1,4}(\.[0-9]{1,3})?|-?1e308|NaN|\+Inf|-1|x"), 0..60),
        cut in 0_usize..4000,
    ) {
        let page: String = lines.iter().map(|(name, labels, value)| format!("{name}{{{labels}}} {value}\n")).collect();
        let page = &page[..page.len().min(cut)];
        let Some(reading) = whole(page) else { return Ok(()) };
        let is_number = |value: &f64| value.is_finite() && 0.0 <= *value;
        prop_assert!(reading.values.values().all(is_number), "{:?}", reading.values);
        prop_assert!(reading.accepted_by_position.iter().all(is_number));
        for told in reading.timings.values() {
            prop_assert!(is_number(&told.sum) && is_number(&told.count));
            prop_assert!(told.buckets.iter().all(|(bound, below)| bound.is_finite() && is_number(below)));
            prop_assert!(told.buckets.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn a_share_is_kept_as_it_was_told(share in 0.001_f64..=1.0, which in prop::sample::select(shares())) {
        let (signal, name) = which;
        let values = values(&format!("{name} {share}\n"));
        prop_assert!(values.contains(&(signal, share)), "{name}: {values:?}");
    }

    #[test]
    fn no_text_makes_it_panic(page in "(vllm:|sglang:|[a-z_]{1,9}|[{}=\",\\\\ 0-9\n]|.){0,80}") {
        let _ = whole(&page);
    }
}
