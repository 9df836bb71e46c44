//! Plans as files: what is printed runs, and runs the same.

use crate::{QUICK, Workplace, json};

#[test]
fn what_a_dry_run_prints_runs_the_same() {
    let place = Workplace::new();
    let flags = format!(
        "--model m --url {QUICK} --dataset random --min-prompt-length 20 --max-prompt-length 40 --parallel 2 --number 6 \
         --max-tokens 2 8 --seed 7 --temperature 0.5 --extra-args '{{\"ignore_eos\": true}}' --log-prompts"
    );
    let dry = place.run_to(0, &format!("perf {flags} --dry-run"));
    place.write("plan.yaml", &dry.stdout);
    let again = place.run_to(0, "run plan.yaml --dry-run");
    assert_eq!(again.stdout, dry.stdout);

    let ended = place.run("run plan.yaml");
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let from_plan = place.log();
    let other = Workplace::new();
    let ended = other.run(&format!("perf {flags}"));
    assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
    let from_flags = other.log();
    let asked = |log: &tokometer_record::RunLog| {
        let mut asked: Vec<_> = log.points[0]
            .records
            .iter()
            .map(|r| (r.index, r.prompt.clone(), r.output_tokens))
            .collect();
        asked.sort_by_key(|(index, ..)| *index);
        asked
    };
    assert_eq!(asked(&from_plan), asked(&from_flags));
    assert_eq!(from_plan.header.plan, from_flags.header.plan);
}

#[test]
fn how_long_an_answer_may_be_is_typed_or_the_datasets_or_the_default() {
    let lengths = |typed: &str| {
        let place = Workplace::new();
        place.write("own.jsonl", "{\"prompt\": \"a\", \"output_tokens\": 3}\n");
        let ended = place.run(&format!(
            "perf --model m --url {QUICK} --dataset custom --dataset-path own.jsonl --number 2 \
             --extra-args '{{\"ignore_eos\": true}}' --no-test-connection {typed}"
        ));
        assert!(matches!(ended.code, 0 | 4), "{}{}", ended.stdout, ended.stderr);
        let arguments = json(&place.run_folder().join("parallel_1_number_2/benchmark_args.json"));
        let records = &place.log().points[0].records;
        let lengths: Vec<_> = records.iter().map(|r| r.output_tokens.unwrap().count).collect();
        (lengths, arguments["max_tokens"].clone())
    };
    assert_eq!(lengths(""), (vec![3, 3], 2048.into()));
    assert_eq!(lengths("--max-tokens 5"), (vec![5, 5], 5.into()));
    let place = Workplace::new();
    let dry = place.run_to(0, &format!("perf --model m --url {QUICK} --prompt hi --dry-run"));
    assert!(dry.stdout.contains("\n  default_max_tokens: 2048\n"), "{}", dry.stdout);
    assert!(!dry.stdout.contains("\n  max_tokens:"), "{}", dry.stdout);
}

#[test]
fn the_plan_in_a_log_is_one_that_runs() {
    let place = Workplace::new();
    let line = format!(
        "perf --model m --url {QUICK} --prompt hi --number 2 --max-tokens 2 --no-timestamp --name first"
    );
    let ended = place.run(&line);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    place.write("plan.yaml", &place.log().header.plan.replace("name: first", "name: second"));
    let ended = place.run("run plan.yaml");
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stderr);
    assert!(place.path().join("outputs/second/run.jsonl").exists());
}

#[test]
fn the_examples_are_plans_that_can_be_resolved() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "yaml") {
            seen += 1;
            let place = Workplace::new();
            place.write("prompts.txt", "Tell me a story.\n");
            let output = place
                .command(&format!("run {} --dry-run", path.display()))
                .env("INFERENCE_KEY", "k")
                .output()
                .unwrap();
            let ended = crate::Ended::of(output);
            assert_eq!(ended.code, 0, "{}: {}", path.display(), ended.stderr);
        }
    }
    assert!(seen >= 3, "{seen} examples");
}

#[test]
fn of_a_flag_given_twice_the_last_one_counts() {
    let place = Workplace::new();
    let dry = place.run_to(
        0,
        "perf --parallel 1 --parallel 2 --number 5 --model a --model b --url sim:// --prompt x --stream --no-stream --dry-run",
    );
    for line in ["model: b", "    - parallel: 2", "  stream: false"] {
        assert!(dry.stdout.lines().any(|shown| shown == line), "{line}: {}", dry.stdout);
    }
}

#[test]
fn the_demonstration_is_a_plan_like_any_other() {
    let place = Workplace::new();
    place.write("demo.yaml", include_str!("../../src/commands/demo.yaml"));
    let dry = place.run_to(0, "run demo.yaml --dry-run");
    assert_eq!(dry.stdout.matches("- parallel: ").count(), 3);
    assert_eq!(dry.stderr, "");
}
