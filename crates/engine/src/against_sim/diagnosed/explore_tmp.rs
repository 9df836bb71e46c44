//! tmp
use super::*;
#[tokio::test(start_paused = true)]
async fn explore() {
    let mut cases: Vec<(String, Case)> = Vec::new();
    for (c, seqs) in [(34usize, 32u32), (40, 32), (70, 64), (17, 16), (80, 16)] {
        for o in [&[20u32][..], &[10, 20], &[18, 20, 22]] {
            for noise in ["0.1", "0.3", "0.6"] {
                for budget in [512, 8192] {
                    cases.push((format!("queue c={c} seqs={seqs} o={o:?} noise={noise} budget={budget} unscraped"), case(&format!("base_us=20000&per_prefill_token_us=10&max_num_seqs={seqs}&noise={noise}&max_num_batched_tokens={budget}"), closed(c, 480)).outputs(o).unscraped()));
                }
            }
        }
    }
    for (c, dp) in [(1usize, 2), (5, 2), (9, 2), (16, 4)] {
        cases.push((
            format!("dp={dp} c={c}"),
            case(
                &format!(
                    "base_us=10000&per_prefill_token_us=20&max_num_seqs=64&data_parallel_size={dp}"
                ),
                closed(c, 480),
            )
            .prompts(&[1000])
            .outputs(&[20, 30]),
        ));
    }
    for rate in [10.0, 16.0, 20.0] {
        cases.push((
            format!("open overload-ish {rate}"),
            case("base_us=20000&per_prefill_token_us=10&max_num_seqs=8", open(rate, 600))
                .outputs(&[10, 20, 30])
                .unscraped(),
        ));
    }
    for q in [
        "ttft_ms=60&itl_ms=10&itl_dist=exponential",
        "ttft_ms=60&itl_ms=10&tokens_per_chunk=4",
        "ttft_ms=60&itl_ms=10&fault=coalesce",
        "ttft_ms=60&itl_ms=10&fault=stall_burst&fault_rate=0.05&fault_ms=300",
    ] {
        for c in [1usize, 16] {
            cases.push((format!("{q} c={c}"), case(q, closed(c, 480)).outputs(&[30, 60])));
        }
    }
    for (name, k) in cases {
        let log = observe(&k).await;
        let s = summarize(&log);
        println!(
            "{name}: steady {} {:?}",
            s.steady.as_ref().map_or_else(
                |e| format!("{e:?}"),
                |s| format!("{} of {}", s.requests, log.records.len())
            ),
            found(&log)
        );
        for f in &s.findings {
            if !["too_few_requests"].contains(&f.rule) {
                println!(
                    "     {} | {:?}",
                    f.what,
                    f.evidence.iter().map(|e| &e.fact).collect::<Vec<_>>()
                );
            }
        }
    }
}
