//! Engines behind `tokometer sim` and behind `sim://` URLs: what is told of them, and what is refused before anything is served.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tokometer_record::Outcome;

use crate::Workplace;

#[test]
fn a_server_says_what_its_engines_are() {
    let place = Workplace::new();
    let line = "sim --port 0 --preset h100-llama-3.1-8b --max-num-seqs 64 -dp 2 --routing prefix";
    let mut child = place.command(line).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("until Ctrl-C") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let engines = said.lines().next().unwrap();
    insta::assert_snapshot!(engines, @"2 engines h100-llama-3.1-8b, max_num_seqs 64, max_num_batched_tokens 8192, KV cache of 29205 blocks of 16 tokens (467280 tokens), prefix caching on, requests go to the one that has most of the prompt cached");
}

#[test]
fn a_preset_stands_in_a_url_in_place_of_a_host() {
    let place = Workplace::new();
    place.write(
        "mine.yaml",
        "description: mine\nmodel: mine\nstep: {coefficients: {base_us: 2000, per_prefill_token_us: 10}}\n",
    );
    let rest = "--model m --dataset random --min-prompt-length 20 --max-prompt-length 20 --max-tokens 4 --parallel 2 --number 6";
    let line = format!("perf --url 'sim://?preset=./mine.yaml&max_num_seqs=1' {rest}");
    let ended = place.run(&line);
    // A machine that is busy with other tests may limit the client, which has a code of its own.
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    let records = place.log().points.remove(0).records;
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|record| matches!(record.outcome, Outcome::Ok)));
    let dry = place.run_to(
        0,
        &format!("perf --url 'sim://h100-llama-3.1-8b?max_num_seqs=64' {rest} --dry-run"),
    );
    assert!(dry.stdout.contains("sim://h100-llama-3.1-8b?max_num_seqs=64"), "{}", dry.stdout);
}

#[test]
fn what_makes_no_sense_is_refused_by_the_name_that_was_typed() {
    let place = Workplace::new();
    for (line, expected) in [
        (
            "perf --model m --prompt hi --url sim://h100-llama-8b",
            "error: no preset is called \"h100-llama-8b\"\nhint: did you mean h100-llama-3.1-8b, or ",
        ),
        (
            "bench serve --model m --base-url sim://nosuch",
            "error: no preset is called \"nosuch\"\nhint: there are a100-",
        ),
        (
            "perf --model m --prompt hi --url sim://localhost:8000",
            "error: --url: the simulator has no host and no port: in their place stands the name of a preset, or nothing\n",
        ),
        (
            "perf --model m --prompt hi --url sim://?ssl_certfile=c.pem",
            "error: a sim:// URL is no place for ssl_certfile: it is spoken to in plain HTTP\nhint: start tokometer sim",
        ),
        ("sim --preset nosuch", "error: no preset is called \"nosuch\"\nhint: there are a100-"),
        ("sim --preset no/such.yaml", "error: cannot read the preset no/such.yaml: "),
        (
            "sim --gpu h100 --architecture llama-3.3-70b",
            "error: llama-3.3-70b on h100 does not fit: its weights take 131.4 GiB and its work 3.5 GiB, and 73.6 GiB may be used\n\
             hint: tensor_parallel_size=4, or gpu=mi300x would\n",
        ),
        (
            "sim --preset h100-llama-3.1-8b -tp 2",
            "error: --tensor-parallel-size does not go with coefficients",
        ),
        (
            "sim --preset h100-qwen3-8b --block-size 0",
            "error: --block-size takes a whole number in its range, not \"0\"\n",
        ),
        (
            "sim --preset h100-qwen3-8b --ttft-ms 5",
            "error: --ttft-ms is the pace of a server without engines",
        ),
        (
            "sim --preset h100-qwen3-8b --speculative-config '{\"tokens\":2}'",
            "error: --speculative-config is not what vLLM takes, such as {\"method\":\"mtp\",\"num_speculative_tokens\":2}: unknown field",
        ),
        (
            "sim --max-num-seqs 8",
            "error: --max-num-seqs needs preset=NAME, gpu=… and architecture=…, or base_us=… beside it\n",
        ),
        ("sim --ssl-certfile no.pem", "error: --ssl-certfile: "),
    ] {
        let ended = place.run_to(2, line);
        assert_eq!(ended.stdout, "");
        let said: Vec<_> =
            ended.stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
        let said = format!("{}\n", said.join("\n"));
        assert!(said.starts_with(expected), "{line}\n{said}");
    }
}

#[test]
fn help_teaches_presets_hardware_and_options() {
    let help = Workplace::new().run_to(0, "sim --help").stdout;
    for part in [
        "--tensor-parallel-size",
        "--num-gpu-blocks-override",
        "h100x4-llama-3.3-70b",
        "rtx-4090",
        "qwen3-30b-a3b",
        "per_prefill_token_us",
        "tokometer sim --preset h100-llama-3.1-8b --max-num-seqs 64",
    ] {
        assert!(help.contains(part), "{part}");
    }
}
