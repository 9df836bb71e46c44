//! The page and the log's lines against what a real vLLM 0.32 said, and courses of events whose numbers are known by hand.

mod course;
mod log;
mod page;

use std::collections::BTreeMap;

use tokometer_telemetry::prometheus::samples;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The server of the captures.
fn captured() -> About {
    About {
        model: "tiny-qwen".to_owned(),
        max_model_len: 4096,
        fleet: Some(Fleet {
            replicas: number(1),
            cache: Cache {
                blocks: number(65536),
                usable_blocks: 65535,
                block_size: number(128),
                prefix_caching: true,
            },
            drafted: None,
        }),
        loras: None,
        device: "CPU",
        started: Duration::from_secs(1_795_425_994),
    }
}

fn with(change: impl FnOnce(&mut About, &mut Fleet)) -> Arc<Counts> {
    let mut about = captured();
    let mut fleet = about.fleet.take().unwrap();
    change(&mut about, &mut fleet);
    Counts::new(About { fleet: Some(fleet), ..about })
}

fn asked(prompt_tokens: u32, max_tokens: u32, at: Duration) -> Asked {
    Asked { prompt_tokens, max_tokens: Some(max_tokens), choices: 1, lora: None, at }
}

/// All samples: the name and the labels with their value.
fn values(counts: &Counts) -> BTreeMap<String, f64> {
    let page = counts.page(Duration::ZERO);
    samples(&page).map(|sample| (sample.key.to_owned(), sample.value)).collect()
}

/// The value of vLLM's family, of engine 0 and with these labels besides.
#[track_caller]
fn value(counts: &Counts, name: &str) -> f64 {
    values(counts)[&format!("vllm:{name}{{engine=\"0\",model_name=\"tiny-qwen\"}}")]
}

/// How many values of a histogram there are, and their sum.
#[track_caller]
fn observed(counts: &Counts, name: &str) -> (f64, f64) {
    (value(counts, &format!("{name}_count")), value(counts, &format!("{name}_sum")))
}
