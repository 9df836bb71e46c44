//! Runs: each a process of its own, whose result is read, completed with what was varied, and kept.
//!
//! A run counts once its result stands in its file; one that was broken off leaves nothing there, so that `--resume` runs it again.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitStatus;

use serde_json::{Map, Value, json};
use tokometer_report::compare::{Outcome, over_runs};

use super::Halt;
use super::child::{Group, Output};
use super::experiment;
use super::parameters::Combination;
use super::serve::Sweep;
use super::server::{Order, Server};
use super::signals::Signals;
use super::words::Words;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// The runs of a combination.
#[derive(Debug)]
pub(crate) struct Measured {
    /// What it is called.
    pub(crate) name: String,
    /// Its runs, at least one.
    pub(crate) runs: Vec<Outcome>,
}

/// A sweep under way.
pub(crate) struct Sweeping<'a> {
    sweep: &'a Sweep,
    screen: &'a Screen,
    signals: Signals,
    server: Option<Server>,
    /// Whether the last trouble was the server's.
    server_failed: bool,
    told_of_caches: bool,
    failures: u32,
    deserved: Vec<Exit>,
}

/// A run that is to be made.
struct Run<'a> {
    serve: &'a Combination,
    bench: &'a Combination,
    number: i64,
    file: &'a Path,
}

impl<'a> Sweeping<'a> {
    /// Begins to listen for Ctrl-C.
    pub(crate) fn new(sweep: &'a Sweep, screen: &'a Screen) -> Result<Self, Trouble> {
        Ok(Self {
            sweep,
            screen,
            signals: Signals::listen(screen)?,
            server: None,
            server_failed: false,
            told_of_caches: false,
            failures: 0,
            deserved: Vec::new(),
        })
    }

    /// Makes the runs of a combination that have no result yet, and sums them all up. None where all failed, or nothing is to be run.
    pub(crate) fn combination(
        &mut self,
        serve: &Combination,
        bench: &Combination,
        folder: &Path,
    ) -> Result<Option<Measured>, Halt> {
        if self.sweep.warmup > 0 {
            let bench = bench.with("num_prompts", self.sweep.warmup);
            let file = folder.join("warmup.json");
            self.attempt(&Run { serve, bench: &bench, number: -1, file: &file })?;
        }
        let mut runs = Vec::new();
        for number in 0..self.sweep.runs {
            let file = experiment::run_file(folder, number);
            runs.extend(self.attempt(&Run { serve, bench, number: number.into(), file: &file })?);
        }
        if self.sweep.dry_run {
            return Ok(None);
        }
        if runs.is_empty() {
            self.screen
                .say(format!("{}: no run succeeded; --resume tries them again", folder.display()));
            return Ok(None);
        }
        let columns = over_runs(&runs);
        let records: Vec<Value> = runs.iter().map(|run| with_columns(run, &columns)).collect();
        write_json(&folder.join("summary.json"), &Value::Array(records))?;
        let name = match folder == self.sweep.experiment {
            true => "(all)".to_owned(),
            false => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        Ok(Some(Measured { name, runs }))
    }

    /// Whether the trouble just met was the server's.
    pub(crate) const fn server_failed(&self) -> bool {
        self.server_failed
    }

    /// Notes why a server's combinations are not measured.
    pub(crate) fn note_server_failure(
        &mut self,
        serve: &Combination,
        trouble: &Trouble,
    ) -> Result<(), Halt> {
        self.server_failed = false;
        self.failures += 1;
        let file = experiment::server_failure(&self.sweep.experiment, serve);
        let failure = json!({
            "error_type": "ServerFailed",
            "error": trouble.what(),
            "log": experiment::server_log(&self.sweep.experiment, serve),
            "serve_overrides": serve.fields(),
        });
        self.note_failure(&file, &failure, trouble)
    }

    /// Stops the server, if it was started here.
    pub(crate) fn stop_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(self.screen);
        }
    }

    /// The exit that the sweep deserves.
    pub(crate) fn exit(&self) -> Result<Exit, Trouble> {
        match self.failures {
            0 => Ok(Exit::of_run(&self.deserved)),
            1 => Err(Trouble::failed("one run or server failed").with_hint(SEE_FAILURES)),
            failures => Err(Trouble::failed(format!("{failures} runs or servers failed"))
                .with_hint(SEE_FAILURES)),
        }
    }

    /// Makes a run; where it fails and the sweep goes on, notes why.
    fn attempt(&mut self, run: &Run<'_>) -> Result<Option<Outcome>, Halt> {
        let trouble = match self.run(run) {
            Ok(outcome) => return Ok(outcome),
            Err(Halt::Trouble(trouble)) if self.sweep.continue_on_error && !self.server_failed => {
                trouble
            }
            Err(halt) => return Err(halt),
        };
        self.failures += 1;
        let failure = json!({
            "run_number": run.number,
            "error_type": "RunFailed",
            "error": trouble.what(),
            "log": run.file.with_extension("log"),
            "serve_overrides": run.serve.fields(),
            "bench_overrides": run.bench.fields(),
        });
        self.note_failure(&run.file.with_extension("failure.json"), &failure, &trouble)?;
        // A server that has ended is started anew for the next run.
        if self.server.as_mut().is_some_and(|server| server.check_alive(self.screen).is_err()) {
            self.server = None;
        }
        Ok(None)
    }

    fn note_failure(&self, file: &Path, failure: &Value, trouble: &Trouble) -> Result<(), Halt> {
        create_parent(file)?;
        write_json(file, failure)?;
        self.screen.say(format!("{trouble}\nnoted in {}; going on", file.display()));
        Ok(())
    }

    fn run(&mut self, run: &Run<'_>) -> Result<Option<Outcome>, Halt> {
        if self.signals.count() > 0 {
            return Err(Halt::Interrupted);
        }
        if let Some(kept) = self.kept(run)? {
            return Ok(Some(kept));
        }
        let words = command(&self.sweep.bench, run);
        if self.sweep.dry_run {
            self.print_commands(run, &words);
            return Ok(None);
        }
        self.server_failed = true;
        self.ensure_server(run, &words)?;
        self.server_failed = false;
        create_parent(run.file)?;
        match run.number {
            ..=0 => self.screen.say(format!("{}: {}", self.place(run), words.shown())),
            _ => self.screen.say(format!("{} …", self.place(run))),
        }
        let log = run.file.with_extension("log");
        let outcome = match self.benchmark(&words, &log, run) {
            Ok(outcome) => outcome,
            Err(halt) => {
                set_aside(run.file);
                return Err(halt);
            }
        };
        drop(fs::remove_file(run.file.with_extension("failure.json")));
        self.screen.say(format!("{}: {}", self.place(run), in_short(&outcome)));
        self.after_run(&log)?;
        Ok(Some(outcome))
    }

    /// The result of an earlier execution. One that is damaged is no result.
    fn kept(&self, run: &Run<'_>) -> Result<Option<Outcome>, Halt> {
        let Ok(text) = fs::read_to_string(run.file) else { return Ok(None) };
        let shown = run.file.display().to_string();
        match serde_json::from_str(&text)
            .map_err(|error| error.to_string())
            .and_then(|value| Outcome::of(value, &shown).map_err(|error| error.why))
        {
            Ok(outcome) => {
                self.screen.say(format!("{}: there is a result already", self.place(run)));
                Ok(Some(completed(&outcome, run)?))
            }
            Err(why) => {
                self.screen.say(format!("warning: {shown}: {why}; it is measured anew"));
                set_aside(run.file);
                Ok(None)
            }
        }
    }

    fn ensure_server(&mut self, run: &Run<'_>, bench: &Words) -> Result<(), Halt> {
        if let Some(server) = &mut self.server {
            return Ok(server.check_alive(self.screen)?);
        }
        let command = self.sweep.server.as_ref().map(|command| run.serve.applied_to(command));
        let log = experiment::server_log(&self.sweep.experiment, run.serve);
        create_parent(&log)?;
        let order = Order {
            command: command.as_ref(),
            bench,
            log: (!self.sweep.show_stdout).then_some(log.as_path()),
            within: self.sweep.ready_within,
        };
        self.server = Some(Server::start(&order, &self.signals, self.screen)?);
        Ok(())
    }

    /// Runs the benchmark and reads its result.
    fn benchmark(&mut self, words: &Words, log: &Path, run: &Run<'_>) -> Result<Outcome, Halt> {
        let status = self.execute(words, log)?;
        if self.signals.count() > 0 || status.code() == Some(Exit::Interrupted.code().into()) {
            return Err(Halt::Interrupted);
        }
        if !has_a_result(words, status) {
            self.say_log(log);
            if let Some(server) = &mut self.server {
                server.check_alive(self.screen)?;
            }
            let trouble = Trouble::failed(format!("the benchmark failed ({status})"));
            return Err(Halt::from(self.with_log(trouble, log)));
        }
        let shown = run.file.display().to_string();
        let unread = |why: &dyn std::fmt::Display| {
            Trouble::failed(format!("the benchmark left no result: {why}")).with_hint(
                "--bench-cmd must take --save-result, --result-dir and --result-filename, as tokometer bench serve and vllm bench serve do",
            )
        };
        let text =
            fs::read_to_string(run.file).map_err(|error| unread(&format!("{shown}: {error}")))?;
        let value =
            serde_json::from_str(&text).map_err(|error| unread(&format!("{shown}: {error}")))?;
        let outcome = Outcome::of(value, &shown).map_err(|error| unread(&error))?;
        let outcome = completed(&outcome, run)?;
        write_json(run.file, &Value::Object(outcome.fields().clone()))?;
        if outcome.number("failed").is_some_and(|failed| failed > 0.0) {
            self.deserved.push(Exit::RequestsFailed);
        }
        if words.is_ours() && status.code() == Some(Exit::ClientLimited.code().into()) {
            self.screen.say(format!(
                "{}: client-limited: this machine was too slow for the load, and the figures are partly its own",
                self.place(run)
            ));
            self.deserved.push(Exit::ClientLimited);
        }
        Ok(outcome)
    }

    /// What is to be done between two runs.
    fn after_run(&mut self, log: &Path) -> Result<(), Halt> {
        match (&self.sweep.after, &self.server) {
            (Some(words), _) => {
                let status = self.execute(words, log)?;
                if self.signals.count() > 0 {
                    return Err(Halt::Interrupted);
                }
                if !status.success() {
                    self.say_log(log);
                    let trouble = Trouble::failed(format!("--after-bench-cmd failed ({status})"));
                    return Err(Halt::from(self.with_log(trouble, log)));
                }
                Ok(())
            }
            (None, Some(server)) => {
                server.reset_caches(self.screen, &mut self.told_of_caches);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    fn execute(&self, words: &Words, log: &Path) -> Result<ExitStatus, Trouble> {
        let output = if self.sweep.show_stdout { Output::Shown } else { Output::File(log) };
        Group::start(words, output, &[])?.wait(&self.signals)
    }

    fn say_log(&self, log: &Path) {
        if !self.sweep.show_stdout {
            super::say_last_lines(log, self.screen);
        }
    }

    fn with_log(&self, trouble: Trouble, log: &Path) -> Trouble {
        match self.sweep.show_stdout {
            true => trouble,
            false => trouble.with_hint(format!(
                "its whole output is in {}; once the cause is gone, --resume goes on from here",
                log.display()
            )),
        }
    }

    fn print_commands(&self, run: &Run<'_>, words: &Words) {
        if let Some(server) = &self.sweep.server {
            self.screen.print(format!("server:    {}\n", run.serve.applied_to(server).shown()));
        }
        self.screen.print(format!("benchmark: {}\n", words.shown()));
        if let Some(after) = &self.sweep.after {
            self.screen.print(format!("after:     {}\n", after.shown()));
        }
    }

    /// Which run it is, of how many.
    fn place(&self, run: &Run<'_>) -> String {
        let folder =
            run.file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        match run.number {
            ..0 => format!("{folder}, warm-up"),
            number => format!("{folder}, run {} of {}", number + 1, self.sweep.runs),
        }
    }
}

/// The benchmark's command of a run, with what every run is asked for.
fn command(bench: &Words, run: &Run<'_>) -> Words {
    let mut words = run.bench.applied_to(bench);
    let folder = run.file.parent().unwrap_or(Path::new(".")).to_string_lossy();
    let name = run.file.file_name().unwrap_or_default().to_string_lossy();
    words.extend(["--percentile-metrics", "ttft,tpot,itl,e2el", "--save-result"]);
    words.extend(["--result-dir", folder.as_ref(), "--result-filename", name.as_ref()]);
    words
}

/// Whether a benchmark that ended so has measured something. This program's own tells failed requests and a slow client by its code.
fn has_a_result(words: &Words, status: ExitStatus) -> bool {
    let telling = [Exit::RequestsFailed, Exit::ClientLimited].map(|exit| i32::from(exit.code()));
    status.success() || words.is_ours() && status.code().is_some_and(|code| telling.contains(&code))
}

/// The result with its number and what was varied.
fn completed(outcome: &Outcome, run: &Run<'_>) -> Result<Outcome, Halt> {
    let mut fields: Map<String, Value> = outcome.fields().clone();
    fields.insert("run_number".to_owned(), run.number.into());
    let varied = run.serve.fields().iter().chain(run.bench.fields());
    fields.extend(varied.map(|(key, value)| (key.clone(), value.clone())));
    Outcome::of(Value::Object(fields), &outcome.source).map_err(|error| {
        Halt::from(Trouble::input(format!("{error}: a parameter has taken the place of a figure")))
    })
}

fn with_columns(run: &Outcome, columns: &[(String, f64)]) -> Value {
    let mut fields = run.fields().clone();
    fields.extend(columns.iter().map(|(key, value)| (key.clone(), Value::from(*value))));
    Value::Object(fields)
}

/// What is said of a run that has ended.
fn in_short(outcome: &Outcome) -> String {
    let figure = |key: &str, text: &dyn Fn(f64) -> String| outcome.number(key).map(text);
    let parts = [
        figure("request_throughput", &|value| format!("{value:.2} req/s")),
        figure("output_throughput", &|value| format!("{value:.1} output tok/s")),
        figure("median_ttft_ms", &|value| format!("median TTFT {value:.1} ms")),
        figure("failed", &|value| format!("{value} failed"))
            .filter(|_| outcome.number("failed") != Some(0.0)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Takes what a run has left out of the way: it is no result.
fn set_aside(file: &Path) {
    drop(fs::rename(file, file.with_extension("partial.json")));
}

fn create_parent(file: &Path) -> Result<(), Trouble> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .map_err(|error| Trouble::caused(format!("cannot create {}", folder.display()), &error))
}

/// Writes JSON as vLLM does, four blanks deep; whole or not at all.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), Trouble> {
    let cannot =
        |error: std::io::Error| Trouble::caused(format!("cannot write {}", path.display()), &error);
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(value, &mut serializer).map_err(|error| cannot(error.into()))?;
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&part)?;
        file.write_all(&text)?;
        file.write_all(b"\n")?;
        fs::rename(&part, path)
    };
    write().map_err(cannot)
}

const SEE_FAILURES: &str =
    "the *.failure.json files say why; the same command with --resume tries again";
