//! The history of runs: listed, shown, tagged and removed.

use std::fs;

use serde_json::Value;

use crate::{QUICK, Workplace, measured};

fn place() -> Workplace {
    let place = Workplace::new();
    measured(
        &place,
        &format!(
            "perf --url {QUICK} --model acme/first --prompt hello --max-tokens 4 --parallel 1 2 --number 2 4"
        ),
    );
    measured(
        &place,
        &format!(
            "perf --url {QUICK} --model second --prompt hello --max-tokens 4 --parallel 1 --number 3"
        ),
    );
    place
}

fn list(place: &Workplace, filters: &str) -> Vec<Value> {
    let text = place.run_to(0, &format!("runs list --json {filters}")).stdout;
    serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().clone()
}

fn text<'v>(entry: &'v Value, key: &str) -> &'v str {
    entry[key].as_str().unwrap()
}

#[test]
fn runs_are_listed_the_newest_first_and_found_by_model_time_and_tag() {
    let place = place();
    let all = list(&place, "");
    assert_eq!(
        all.iter().map(|run| text(run, "model")).collect::<Vec<_>>(),
        ["second", "acme/first"]
    );
    assert_eq!((&all[1]["requests"], &all[1]["succeeded"]), (&Value::from(6), &Value::from(6)));
    assert_eq!(all[1]["points"].as_array().unwrap().len(), 2);
    assert_eq!((text(&all[0], "kind"), text(&all[0], "state")), ("perf", "complete"));
    let id = text(&all[1], "id");
    assert_eq!(place.run_to(0, &format!("runs tag {id} baseline v0.9")).stdout, "");
    for (filters, expected) in [
        ("--model FIRST", 1),
        ("--model nosuch", 0),
        ("--tag baseline", 1),
        ("--tag baseline --tag other", 0),
        ("--since 1d", 2),
        ("--since 2999-01-01", 0),
    ] {
        assert_eq!(list(&place, filters).len(), expected, "{filters}");
    }
    let lines = place.run_to(0, "runs").stdout;
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.lines().nth(2).unwrap().ends_with("baseline v0.9"), "{lines}");
    let ended = place.run_to(2, "runs --since yesterday");
    assert!(ended.stderr.contains("--since yesterday: takes a date"), "{}", ended.stderr);
    assert_eq!(place.run_to(0, "runs --outputs-dir nosuch").stdout, "");
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id_by_its_folder_and_by_its_tag() {
    let place = place();
    let all = list(&place, "");
    let (id, folder) = (text(&all[0], "id"), text(&all[0], "folder"));
    place.run_to(0, &format!("runs tag {id} mine"));
    // Short enough to be typed, long enough to be one run's.
    let shortest = (1..=id.len()).map(|length| &id[..length]);
    let own = shortest.into_iter().find(|short| !text(&all[1], "id").starts_with(short)).unwrap();
    for which in [id, own, folder, "mine"] {
        let shown = place.run_to(0, &format!("runs show {which}")).stdout;
        assert!(shown.starts_with(&format!("run      {id} (perf)\n")), "{which}: {shown}");
        assert!(shown.contains("parallel_1_number_3") && shown.contains("run.jsonl"), "{shown}");
        assert!(
            shown.contains(&format!("tokometer report {folder} --html report.html")),
            "{shown}"
        );
    }
    let ended = place.run_to(2, "runs show nosuch");
    assert!(ended.stderr.starts_with("error: there is no run nosuch\nhint: "), "{}", ended.stderr);
    place.run_to(0, &format!("runs tag {} mine", text(&all[1], "id")));
    let ended = place.run_to(2, "runs show mine");
    assert!(ended.stderr.starts_with("error: mine fits 2 runs"), "{}", ended.stderr);
}

#[test]
fn tags_stand_in_a_file_of_their_own_and_the_log_is_not_touched() {
    let place = place();
    let run = &list(&place, "")[0];
    let folder = place.path().join(text(run, "folder"));
    let log = fs::read(folder.join("run.jsonl")).unwrap();
    let id = text(run, "id");
    place.run_to(0, &format!("runs tag {id} a b a"));
    assert_eq!(fs::read_to_string(folder.join("tags.txt")).unwrap(), "a\nb\n");
    let ended = place.run_to(2, &format!("runs tag {id} c --remove"));
    assert!(ended.stderr.contains("has no tag c\nhint: it has a, b"), "{}", ended.stderr);
    place.run_to(0, &format!("runs tag {id} a b --remove"));
    assert!(!folder.join("tags.txt").exists());
    place.run_to(2, &format!("runs tag {id} 'two words'"));
    assert_eq!(fs::read(folder.join("run.jsonl")).unwrap(), log);
}

#[test]
fn a_run_is_removed_only_when_that_is_confirmed() {
    let place = place();
    let all = list(&place, "");
    let (id, folder) = (text(&all[0], "id"), place.path().join(text(&all[0], "folder")));
    let ended = place.run_to(2, &format!("runs rm {id}"));
    assert!(ended.stderr.contains("hint: say so with --yes"), "{}", ended.stderr);
    assert!(folder.exists());
    let ended = place.run_to(0, &format!("runs rm {id} --yes"));
    assert!(ended.stderr.contains("removed 1 run: "), "{}", ended.stderr);
    // The folder of the moment held nothing else.
    assert!(!folder.parent().unwrap().exists());
    assert_eq!(list(&place, "").len(), 1);
}

#[test]
fn what_is_not_ours_or_is_reached_by_a_link_is_never_removed() {
    let place = place();
    place.write("foreign.json", "{\"completed\": 1, \"duration\": 1.0, \"model_id\": \"m\"}");
    let foreign = place.path().join("results/theirs");
    fs::create_dir_all(&foreign).unwrap();
    fs::rename(place.path().join("foreign.json"), foreign.join("bench.json")).unwrap();
    let ended = place.run_to(2, "runs rm results/theirs --yes");
    assert!(
        ended.stderr.contains("is not removed: this program did not make it"),
        "{}",
        ended.stderr
    );
    assert!(foreign.join("bench.json").exists());
    // A run outside of both folders is no run of this history, also behind a link inside.
    let away = place.path().join("away");
    let run = place.path().join(text(&list(&place, "--model second")[0], "folder"));
    fs::rename(&run, &away).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&away, &run).unwrap();
    for which in ["away", run.to_str().unwrap()] {
        let ended = place.run_to(2, &format!("runs rm {which} --yes"));
        assert!(ended.stderr.contains("there is no run"), "{}", ended.stderr);
    }
    assert!(away.join("run.jsonl").exists());
}

#[test]
fn a_run_without_an_end_and_a_damaged_one_are_listed_as_such() {
    let place = place();
    let [second, first] = list(&place, "").try_into().unwrap();
    let folder = |run: &Value| place.path().join(text(run, "folder"));
    // What a killed run leaves: its log, cut off, and no summary.
    fs::remove_file(folder(&second).join("summary.json")).unwrap();
    let log = fs::read_to_string(folder(&second).join("run.jsonl")).unwrap();
    fs::write(folder(&second).join("run.jsonl"), &log[..log.len() * 4 / 5]).unwrap();
    fs::remove_file(folder(&first).join("summary.json")).unwrap();
    fs::write(folder(&first).join("run.jsonl"), "{\"head").unwrap();
    let all = list(&place, "");
    let state = |model: &str| {
        all.iter().find(|run| text(run, "model") == model).map(|run| text(run, "state"))
    };
    assert_eq!(state("second"), Some("in progress"));
    assert_eq!(state(""), Some("damaged"));
    // It may still go on, and then it must not be removed.
    let ended = place.run_to(2, &format!("runs rm {} --yes", text(&second, "id")));
    assert!(ended.stderr.contains("its log is still being written"), "{}", ended.stderr);
    // What it had measured is told where one log is read for it.
    let shown = place.run_to(0, &format!("runs show {}", text(&second, "id"))).stdout;
    assert!(shown.contains("parallel_1_number_3"), "{shown}");
}
