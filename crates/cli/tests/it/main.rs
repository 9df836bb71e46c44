//! The built program, driven as a user drives it, against its own simulator.

#![expect(clippy::unwrap_used, reason = "a test says by a panic that something is wrong")]

mod aggregate;
mod bad_input;
mod batch;
mod bench_serve;
mod by_hand;
mod compare;
mod contrast;
mod explain;
mod history;
mod interruptions;
mod page;
mod plans;
mod runs;
mod secrets;
mod server_side;
mod sim_fit;
mod sim_plan;
mod sim_serve;
mod sweep;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tokometer_record::RunLog;

/// A folder to run the program in, with nothing of the surrounding environment but what it needs.
struct Workplace(TempDir);

/// How a command ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Workplace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// The program with these arguments, which stand in one line with single quotes around those that hold blanks.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokometer"));
        command.args(words(line)).current_dir(self.path()).stdin(Stdio::null());
        for variable in ["OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, line: &str) -> Ended {
        Ended::of(self.command(line).output().unwrap())
    }

    /// Runs the line, which must end with this code.
    fn run_to(&self, code: i32, line: &str) -> Ended {
        let ended = self.run(line);
        assert_eq!(ended.code, code, "{line}\n{}{}", ended.stdout, ended.stderr);
        ended
    }

    /// The one run below `outputs`.
    fn run_folder(&self) -> PathBuf {
        let mut folders = Vec::new();
        files_below(&self.path().join("outputs"), &mut folders);
        folders.retain(|path| path.ends_with("run.jsonl"));
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].parent().unwrap().to_owned()
    }

    fn log(&self) -> RunLog {
        tokometer_record::read(&self.run_folder().join("run.jsonl")).unwrap()
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a load that must come to its end. On a busy machine the client may be its limit, which is not what such a test is about.
fn measured(place: &Workplace, line: &str) {
    let ended = place.run(line);
    assert!([0, 4].contains(&ended.code), "{line}\n{}{}", ended.stdout, ended.stderr);
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, files),
            false => files.push(path),
        }
    }
    files.sort();
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A tokenizer with a chat template, small enough to stand in the repository.
fn tokenizer() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workload/testdata/tiny");
    path.canonicalize().unwrap().display().to_string()
}

/// A simulator that is quick: a request of 8 tokens takes some 20 milliseconds.
const QUICK: &str = "sim://?ttft_ms=5&itl_ms=2";
