//! Secrets: sent to the server, and found nowhere else.

use std::fs;

use crate::{Ended, Workplace, files_below};

#[test]
fn a_key_a_header_and_a_parameter_are_sent_and_shown_nowhere() {
    let place = Workplace::new();
    let flags = "--model m --url 'sim://?ttft_ms=1&itl_ms=1&api_key=k3y-s3cret' --api-key k3y-s3cret \
                 --headers X-Auth-Token=h3ad-s3cret X-Team=blue --prompt hi --number 4 --max-tokens 2 --debug";
    let ran = place.run(&format!("perf {flags}"));
    assert!(matches!(ran.code, 0 | 4), "the key was sent: {}{}", ran.stdout, ran.stderr);
    let dry = place.run_to(0, &format!("perf {flags} --dry-run"));
    let reported = place.run("report outputs");
    let refused = place.run_to(
        1,
        &format!("perf {}", flags.replace("--api-key k3y-s3cret", "--api-key oth3r-s3cret")),
    );
    for ended in [&ran, &dry, &reported, &refused] {
        assert!(!ended.stdout.contains("s3cret"), "{}", ended.stdout);
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    }
    let mut files = Vec::new();
    files_below(place.path(), &mut files);
    assert!(files.len() > 5);
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("s3cret"), "{} holds a secret", file.display());
    }
    assert!(
        dry.stderr.contains("OPENAI_API_KEY, TOKOMETER_HEADER_X_AUTH_TOKEN, TOKOMETER_URL_API_KEY")
    );
}

#[test]
fn a_plan_takes_its_key_from_the_environment() {
    let place = Workplace::new();
    place.write(
        "plan.yaml",
        "target: {url: 'sim://?ttft_ms=1&api_key=${KEY}', api_key_env: KEY}\n\
         model: m\nload: {points: [{parallel: 1, number: 1}]}\nprompts: {text: hi}\ngeneration: {max_tokens: 2}\n",
    );
    let output = place.command("run plan.yaml").env("KEY", "k3y-s3cret").output().unwrap();
    let ended = Ended::of(output);
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let unset = place.run_to(2, "run plan.yaml");
    insta::assert_snapshot!(unset.stderr, @"
    error: plan.yaml:1:15: target.url: the environment variable KEY is not set
    hint: set it first: export KEY=…
    ");
}
