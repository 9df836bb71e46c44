//! `sim fit`: a preset from measured runs.

use crate::Workplace;

/// A server with engines of known times, measured at three loads.
const MEASURED: &str = "perf --url 'sim://?base_us=5000&per_prefill_token_us=20&per_decode_token_us=100&per_request_us=500&max_num_seqs=32' \
                        --api openai --dataset random --model m --parallel 1 4 12 --number 4 16 48 --min-prompt-length 60 --max-prompt-length 60 \
                        --min-tokens 16 --max-tokens 16 --sleep-interval 0 --no-timestamp --name measured";

#[test]
fn a_preset_is_made_of_a_run_and_can_be_planned_with() {
    let place = Workplace::new();
    // The client may have been too slow on a busy machine: the run is there all the same.
    let measured = place.run(MEASURED);
    assert!([0, 4].contains(&measured.code), "{}", measured.stderr);
    let fitted = place
        .run_to(0, "sim fit outputs/measured --points 1,12 --holdout 4 --options max_num_seqs=32");
    let base = fitted.stdout.lines().find_map(|line| line.trim().strip_prefix("base_us: "));
    let base: f64 = base.unwrap().parse().unwrap();
    // Real time passes: the server's steps are at least as long as they should be.
    assert!((3_000.0..15_000.0).contains(&base), "{}", fitted.stdout);
    for words in
        ["max_num_seqs: 32", "fitted: false", "- measured", "per_context_token, held at 0: "]
    {
        assert!(fitted.stdout.contains(words), "{words}\n{}", fitted.stdout);
    }
    for words in [
        "fitted to (measured → forecast)",
        "held out: forecast with",
        "taken as usual: max_num_batched_tokens 2048",
    ] {
        assert!(fitted.stderr.contains(words), "{words}\n{}", fitted.stderr);
    }
    place.write("mine.yaml", &fitted.stdout);
    let line = "sim plan --preset mine.yaml --input-tokens 60 --output-tokens 16 --requests 300 --repetitions 1 --rate 1..100 --figure none \
                --slo ttft:p90:500ms";
    place.run_to(0, line);
    // A fitted preset is a base for the next fit.
    let again = place.run_to(0, "sim fit outputs --base mine.yaml --name 'my server'");
    assert!(again.stdout.starts_with("description: my server\n"), "{}", again.stdout);
}

#[test]
fn what_cannot_be_fitted_is_refused_with_what_could_be() {
    let place = Workplace::new();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let refused = |line: &str, words: &str| {
        let ended = place.run_to(2, line);
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    };
    refused("sim fit", "RUN_DIR");
    refused("sim fit nowhere", "there is no folder nowhere");
    refused("sim fit empty", "there is no run in empty");
    refused("sim fit empty --points 1,4 --holdout 4", "--holdout: 4 is among the --points too");
    refused("sim fit empty --points one", "--points takes a number, not one");
}
