//! Secrets: sent to the server, and found nowhere else.

use std::fs;

use serde_json::json;

use crate::by_hand::{self, Asked};
use crate::{Ended, Workplace, files_below};

/// Fails where the output or any file below `place` holds one of `secrets`.
fn assert_kept(place: &Workplace, ended: &[&Ended], secrets: &[&str]) {
    let mut files = Vec::new();
    files_below(place.path(), &mut files);
    let files = files.into_iter().map(|file| {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        (file.display().to_string(), text)
    });
    let said = ended.iter().flat_map(|ended| {
        [("stdout".to_owned(), ended.stdout.clone()), ("stderr".to_owned(), ended.stderr.clone())]
    });
    for (place, text) in said.chain(files) {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
}

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
    assert_kept(&place, &[&ran, &dry, &reported, &refused], &["s3cret"]);
    assert!(place.run_folder().join("benchmark.log").exists());
    assert!(
        dry.stderr.contains("OPENAI_API_KEY, TOKOMETER_HEADER_X_AUTH_TOKEN, TOKOMETER_URL_API_KEY")
    );
}

#[test]
fn a_secret_within_a_body_is_refused_and_not_repeated() {
    let place = Workplace::new();
    for flag in ["--extra-args", "--query-template"] {
        let line = format!(
            "perf --model m --url sim:// --prompt hi --number 1 {flag} '{{\"a\": [{{\"api_key\": \"s3cret\"}}]}}'"
        );
        let refused = place.run_to(2, &line);
        let told = format!(
            "error: {flag}: api_key holds a secret in plain sight\nhint: send it as a header"
        );
        assert!(refused.stderr.starts_with(&told), "{}", refused.stderr);
        assert_kept(
            &place,
            &[&refused, &place.run_to(2, &format!("{line} --dry-run"))],
            &["s3cret"],
        );
    }
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

/// Repeats the request's path and all its headers, as an error of this sort.
fn echo(asked: &Asked, sort: &str) -> String {
    // So that a cut after some hundred characters falls anywhere, one cut secret or another would show.
    let words = format!("{}you sent: {}", "-".repeat(asked.body.len() % 97 * 3), asked.head);
    let error = json!({ "error": { "message": words, "code": 404 } }).to_string();
    match sort {
        "status" => by_hand::response("404 Not Found", "application/json", &error),
        "page" => by_hand::response("404 Not Found", "text/html", &format!("<p>{words}</p>")),
        "event" => by_hand::events(&[&error]),
        _ => by_hand::events(&[&format!("{words} is no JSON").replace(['\r', '\n'], " ")]),
    }
}

#[test]
fn what_a_server_repeats_of_its_request_is_kept_nowhere() {
    const SECRETS: [&str; 5] = ["sk-short", "dXNlcjpw", "q9z", "c00kie", "t3am"];
    for sort in ["status", "page", "event", "garbage"] {
        let place = Workplace::new();
        let address = by_hand::serve(move |asked| echo(asked, sort));
        place.write(
            "plan.yaml",
            &format!(
                "target:\n  url: http://{address}/v1/chat/completions?sig=${{SIG}}&v=1\n  headers:\n    \
                 Authorization: Basic ${{BASIC}}\n    X-Api-Key: ${{KEY}}\n    Cookie: session=${{COOKIE}}\n    \
                 X-Team: ${{TEAM}}\nmodel: m\n\
                 load: {{points: [{{parallel: 2, number: 97}}]}}\nprompts: {{dataset: line_by_line, path: lines.txt}}\n\
                 output: {{debug: true}}\n"
            ),
        );
        // Prompts of every length, so that the echo is shifted by as much.
        let lines: String = (1..98).map(|n| "x".repeat(n) + "\n").collect();
        place.write("lines.txt", &lines);
        let run = |line: &str| {
            let variables = ["KEY", "BASIC", "SIG", "COOKIE", "TEAM"].into_iter().zip(SECRETS);
            Ended::of(place.command(line).envs(variables).output().unwrap())
        };
        let refused = run("run plan.yaml");
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        let dry = run("run plan.yaml --dry-run");
        assert_eq!(dry.code, 0, "{}", dry.stderr);
        let untested = fs::read_to_string(place.path().join("plan.yaml")).unwrap();
        place.write(
            "plan.yaml",
            &untested.replace("  headers:", "  test_connection: false\n  headers:"),
        );
        let failed = run("run plan.yaml");
        assert_eq!(failed.code, 3, "{sort}: {}{}", failed.stdout, failed.stderr);
        let reported = run("report outputs");
        assert!(reported.stdout.contains("***"), "it was repeated: {}", reported.stdout);
        // Nor the first half of any: a message cut in the middle of a secret shows that.
        let halves = ["sk-s", "dXNl", "q9", "c00k", "t3a"];
        assert_kept(&place, &[&refused, &dry, &failed, &reported], &halves);
    }
}

#[test]
fn a_short_key_of_the_command_line_is_not_repeated() {
    for sort in ["status", "event"] {
        let place = Workplace::new();
        let address = by_hand::serve(move |asked| echo(asked, sort));
        let line = format!(
            "perf --model m --url http://{address}/v1/chat/completions?token=q9z --api-key sk-short --headers 'X-Auth=t3am' \
             --prompt hi --number 3 --debug"
        );
        let refused = place.run_to(1, &line);
        let dry = place.run_to(0, &format!("{line} --dry-run"));
        let failed = place.run_to(3, &format!("{line} --no-test-connection"));
        assert_kept(&place, &[&refused, &dry, &failed], &["sk-short", "q9z", "t3am"]);
    }
}

#[test]
fn a_secret_that_no_url_can_hold_is_refused_and_not_repeated() {
    let place = Workplace::new();
    let refused = place.run_to(2, "perf --model m --prompt hi --url 'http://h/v1?api_key=s3 cret'");
    insta::assert_snapshot!(refused.stderr, @"
    error: --url: the query holds a blank, a quote or an angle bracket
    hint: write such characters as %XX: a blank is %20
    ");
}

#[test]
fn what_a_tokenizer_repeats_instead_of_tokens_is_kept_nowhere() {
    let place = Workplace::new();
    place.write("lines.txt", "first\nconfess\n");
    let address = by_hand::serve(|asked| match asked.path() {
        "/tokenize" if asked.body.contains("confess") => {
            by_hand::json(&json!({ "error": asked.head }))
        }
        "/tokenize" => by_hand::json(&json!({ "tokens": [1, 2, 3], "count": 3 })),
        "/detokenize" => by_hand::json(&json!({ "prompt": "word" })),
        _ => by_hand::completion("hello"),
    });
    let line = format!(
        "perf --model m --url http://{address}/v1/chat/completions --api-key sk-short --dataset line_by_line \
         --dataset-path lines.txt --dataset-args '{{\"target_input_len\": 100}}' --number 4"
    );
    let ended = place.run_to(1, &line);
    assert!(ended.stderr.contains("authorization: Bearer ***"), "{}", ended.stderr);
    assert_kept(&place, &[&ended], &["sk-s"]);
}

#[test]
fn what_a_page_of_metrics_repeats_is_kept_nowhere() {
    const SECRETS: [&str; 3] = ["sk-short", "q9z1", "gp4ss"];
    let place = Workplace::new();
    let address = by_hand::serve(|asked| {
        let [key, token, pass] = SECRETS;
        let page = match asked.path() {
            "/metrics" => format!(
                "req_by_key{{api_key=\"{key}\",path=\"/gpus?token={token}\",pass=\"{pass}\"}} 1\n"
            ),
            "/gpus" => format!(
                "DCGM_FI_DEV_GPU_UTIL{{gpu=\"0 {token}\",UUID=\"GPU-{pass}\",modelName=\"H100 {key}\"}} 50\n"
            ),
            _ => return by_hand::completion("hello"),
        };
        by_hand::response("200 OK", "text/plain", &page)
    });
    let ended = place.run(&format!(
        "perf --model m --url http://{address}/v1/chat/completions --api-key sk-short --prompt hi --number 3 --debug \
         --server-metrics --gpu-metrics http://{address}/gpus?token=q9z1&pass=gp4ss"
    ));
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let point = &place.log().points[0];
    let heard = point.scrapes.iter().flat_map(|scrape| scrape.samples.keys()).next();
    let expected = "req_by_key{api_key=\"***\",path=\"/gpus?token=***\",pass=\"***\"}";
    assert_eq!(heard.map(String::as_str), Some(expected));
    let gpus = point.telemetry.gpus.iter().find(|reading| reading.source.contains("/gpus"));
    let gpu = &gpus.unwrap().gpus[0];
    assert_eq!([&gpu.id, &gpu.uuid, &gpu.name], ["0 ***", "GPU-***", "H100 ***"]);
    let told = [place.run("explain outputs"), place.run("report outputs")];
    assert_kept(&place, &[&ended, &told[0], &told[1]], &SECRETS);
}
