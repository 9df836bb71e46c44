//! The peers: how each is called, and where its result file has which figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Allowed;
use crate::Failed;

/// A tool whose command line this program answers to.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// What is compared.
    pub(crate) figures: &'static [Figure],
    /// Its arguments in a scene.
    arguments: fn(&Scene<'_>, &Path, seed: usize) -> Vec<String>,
    /// Reads its result, an object whose keys the figures name.
    result: fn(&Path) -> Result<Value, Failed>,
}

/// A figure under the key that the peer's result has it.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    key: &'static str,
    pub(crate) allowed: Allowed,
}

/// What both are to do.
pub(crate) struct Scene<'a> {
    /// `host:port`.
    pub(crate) address: &'a str,
    pub(crate) model: &'a str,
    pub(crate) tokenizer: &'a str,
    pub(crate) concurrency: usize,
    pub(crate) requests: usize,
    /// Tokens of each answer.
    pub(crate) tokens: usize,
    /// Whether conversations are sent, or plain prompts.
    pub(crate) chat: bool,
    pub(crate) seed: usize,
    /// Where results go.
    pub(crate) folder: PathBuf,
}

impl Peer {
    /// Runs `program` in the scene and reads the figures from its result; `turn` tells the seeds of a pair apart.
    pub(crate) fn run(
        &self,
        program: &Path,
        scene: &Scene<'_>,
        side: &str,
        turn: usize,
    ) -> Result<Vec<f64>, Failed> {
        let folder = scene.folder.join(side);
        fs::create_dir_all(&folder)?;
        let output = Command::new(program)
            .args((self.arguments)(scene, &folder, scene.seed + turn))
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        // Ours says with its exit code that it was the limit; the figures are there, and the table will show it.
        if !matches!(output.status.code(), Some(0 | 4)) {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed: {words}", program.display()).into());
        }
        let result = (self.result)(&folder)?;
        let figure = |figure: &Figure| {
            let value = result.get(figure.key).and_then(Value::as_f64);
            value.ok_or_else(|| format!("{} has no {}", folder.display(), figure.key).into())
        };
        self.figures.iter().map(figure).collect()
    }
}

/// Every peer.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "vllm",
        figures: &[
            same("total input tokens", "total_input_tokens"),
            same("total output tokens", "total_output_tokens"),
            throughput("requests per second", "request_throughput"),
            throughput("output tokens per second", "output_throughput"),
            latency("mean TTFT (ms)", "mean_ttft_ms"),
            latency("median TTFT (ms)", "median_ttft_ms"),
            latency("mean TPOT (ms)", "mean_tpot_ms"),
            latency("median TPOT (ms)", "median_tpot_ms"),
            latency("mean ITL (ms)", "mean_itl_ms"),
            latency("median ITL (ms)", "median_itl_ms"),
        ],
        arguments: vllm,
        result: |folder| read(&folder.join("result.json")),
    },
    Peer {
        name: "evalscope",
        figures: &[
            same("mean input tokens", "Avg Input Tokens"),
            same("mean output tokens", "Avg Output Tokens"),
            throughput("requests per second", "Req Throughput (req/s)"),
            throughput("output tokens per second", "Output Throughput (tok/s)"),
            latency("mean TTFT (ms)", "Avg TTFT (ms)"),
            latency("median TTFT (ms)", "50% TTFT (ms)"),
            latency("mean TPOT (ms)", "Avg TPOT (ms)"),
            latency("median TPOT (ms)", "50% TPOT (ms)"),
            latency("mean ITL (ms)", "Avg ITL (ms)"),
            latency("median ITL (ms)", "50% ITL (ms)"),
        ],
        arguments: evalscope,
        result: evalscope_result,
    },
];

const fn same(title: &'static str, key: &'static str) -> Figure {
    Figure { title, key, allowed: Allowed::Share(0.005) }
}

const fn throughput(title: &'static str, key: &'static str) -> Figure {
    Figure { title, key, allowed: Allowed::Share(0.02) }
}

const fn latency(title: &'static str, key: &'static str) -> Figure {
    Figure { title, key, allowed: Allowed::Latency }
}

fn vllm(scene: &Scene<'_>, folder: &Path, seed: usize) -> Vec<String> {
    let (host, port) = scene.address.split_once(':').unwrap_or((scene.address, "8000"));
    words(&[
        match scene.chat {
            true => "bench serve --backend openai-chat --endpoint /v1/chat/completions",
            false => "bench serve --backend openai --endpoint /v1/completions",
        },
        &format!("--host {host} --port {port} --model {}", scene.model),
        &format!("--tokenizer {} --dataset-name random", scene.tokenizer),
        &format!("--random-input-len 100 --random-output-len {}", scene.tokens),
        &format!("--num-prompts {} --max-concurrency {}", scene.requests, scene.concurrency),
        &format!("--seed {seed} --ignore-eos --save-result --result-filename result.json"),
        &format!("--percentile-metrics ttft,tpot,itl,e2el --result-dir {}", folder.display()),
    ])
}

fn evalscope(scene: &Scene<'_>, folder: &Path, seed: usize) -> Vec<String> {
    let path = if scene.chat { "chat/completions" } else { "completions" };
    let mut words = words(&[
        &format!("perf --api openai --url http://{}/v1/{path}", scene.address),
        &format!("--model {} --tokenizer-path {} --stream", scene.model, scene.tokenizer),
        "--dataset random --min-prompt-length 100 --max-prompt-length 100 --prefix-length 0",
        &format!("--max-tokens {0} --min-tokens {0} --seed {seed}", scene.tokens),
        &format!("--number {} --parallel {}", scene.requests, scene.concurrency),
        &format!("--outputs-dir {} --name parity --no-timestamp", folder.display()),
    ]);
    words.extend(["--extra-args".to_owned(), r#"{"ignore_eos": true}"#.to_owned()]);
    words
}

fn words(lines: &[&str]) -> Vec<String> {
    lines.iter().flat_map(|line| line.split(' ')).map(str::to_owned).collect()
}

/// The summary, and the medians from the file of percentiles.
fn evalscope_result(folder: &Path) -> Result<Value, Failed> {
    let mut result = read(&found(folder, "benchmark_summary.json")?)?;
    let percentiles = read(&found(folder, "benchmark_percentile.json")?)?;
    let rows = percentiles.as_array().ok_or("the percentiles are no list")?;
    let is_median = |row: &&Value| row.get("Percentiles").and_then(Value::as_str) == Some("50%");
    let median = rows.iter().find(is_median).ok_or("there is no row of medians")?;
    for key in ["TTFT (ms)", "TPOT (ms)", "ITL (ms)"] {
        result[format!("50% {key}")] = median.get(key).cloned().unwrap_or_default();
    }
    Ok(result)
}

/// The file of that name, wherever it lies below the folder.
fn found(folder: &Path, name: &str) -> Result<PathBuf, Failed> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|found| found == name) {
                return Ok(path);
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Err(format!("there is no {name} below {}", folder.display()).into())
}

fn read(path: &Path) -> Result<Value, Failed> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
