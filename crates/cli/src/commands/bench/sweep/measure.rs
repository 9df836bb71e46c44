//! Runs: each a process of its own, whose result is read, completed with what was varied, and kept.
//!
//! A run counts once its result stands in its file; one that was broken off leaves nothing there, so that `--resume` runs it again.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;

use serde_json::{Map, Value, json};
use tokometer_report::compare::{Outcome, is_client_limited};

use super::child::{Group, Output, say_last_lines};
use super::design::Sweep;
use super::experiment::{self, create_parent, set_aside, write_json};
use super::halt::Halt;
use super::origin;
use super::parameters::Combination;
use super::server::{Order, Server};
use super::signals::Signals;
use super::summary::{self, Measured};
use super::words::Words;
use crate::exit::Exit;
use crate::screen::Screen;
use crate::trouble::Trouble;

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
    /// What there are results of, in the order in which it is shown.
    measured: Vec<Measured>,
    /// The server's command that a dry run has printed last.
    printed: Option<String>,
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
            measured: Vec::new(),
            printed: None,
        })
    }

    /// Makes the runs of a combination that have no result yet, and sums up all that there are, also where it does not come to its
    /// end. Tells the combination's place among [`Self::measured`]; none where all failed, or nothing is to be run.
    pub(crate) fn combination(
        &mut self,
        serve: &Combination,
        bench: &Combination,
        folder: &Path,
    ) -> Result<Option<usize>, Halt> {
        let mut runs = Vec::new();
        let halted = self.runs(serve, bench, folder, &mut runs);
        let summed = self.sum_up(folder, runs, halted.is_err());
        halted?;
        Ok(summed?)
    }

    fn runs(
        &mut self,
        serve: &Combination,
        bench: &Combination,
        folder: &Path,
        runs: &mut Vec<Outcome>,
    ) -> Result<(), Halt> {
        if self.sweep.warmup > 0 {
            let bench = bench.with("num_prompts", self.sweep.warmup);
            let file = folder.join("warmup.json");
            self.attempt(&Run { serve, bench: &bench, number: -1, file: &file })?;
        }
        for number in 0..self.sweep.runs {
            let file = experiment::run_file(folder, number);
            runs.extend(self.attempt(&Run { serve, bench, number: number.into(), file: &file })?);
        }
        Ok(())
    }

    fn sum_up(
        &mut self,
        folder: &Path,
        runs: Vec<Outcome>,
        halted: bool,
    ) -> Result<Option<usize>, Trouble> {
        if self.sweep.dry_run || runs.is_empty() {
            if !self.sweep.dry_run && !halted {
                let folder = folder.display();
                self.screen.say(format!("{folder}: no run succeeded; --resume tries them again"));
            }
            return Ok(None);
        }
        let name = match folder == self.sweep.experiment {
            true => "(all)".to_owned(),
            false => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let measured = Measured { name, runs, wanted: self.sweep.runs };
        summary::write_runs(folder, &measured)?;
        self.measured.push(measured);
        Ok(Some(self.measured.len() - 1))
    }

    /// What there are results of.
    pub(crate) fn measured(&self) -> &[Measured] {
        &self.measured
    }

    /// Has the combination at that place shown as the last.
    pub(crate) fn put_last(&mut self, place: usize) {
        let measured = self.measured.remove(place);
        self.measured.push(measured);
    }

    /// Says something of the sweep as a whole.
    pub(crate) fn say(&self, text: &str) {
        self.screen.say(text);
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

    /// The exit that the sweep deserves by all its results, those of earlier executions included; and why.
    pub(crate) fn exit(&self) -> Result<Exit, Trouble> {
        let runs = || self.measured.iter().flat_map(|of| &of.runs);
        let all = runs().count();
        let found = [
            (
                Exit::RequestsFailed,
                runs().filter(|run| failed(run).is_some()).count(),
                "had failed requests: latencies are those of the others alone",
            ),
            (
                Exit::ClientLimited,
                runs().filter(|run| is_client_limited(run)).count(),
                "client-limited: this machine was too slow for the load, and the figures are partly its own",
            ),
        ];
        let found = found.into_iter().filter(|(_, count, _)| *count > 0).collect::<Vec<_>>();
        let deserved = Exit::of_run(&found.iter().map(|(exit, ..)| *exit).collect::<Vec<_>>());
        for (exit, count, what) in &found {
            let code = match (self.failures, deserved == *exit) {
                (0, true) => format!(" (hence exit code {})", deserved.code()),
                _ => String::new(),
            };
            self.screen.say(format!("{count} of {all} runs {what}{code}"));
        }
        if !found.is_empty() {
            self.screen.say("remove the run=N.json of such a run, and --resume makes it anew");
        }
        match self.failures {
            0 => Ok(deserved),
            1 => Err(Trouble::failed("one run or server failed").with_hint(SEE_FAILURES)),
            failures => Err(Trouble::failed(format!("{failures} runs or servers failed"))
                .with_hint(SEE_FAILURES)),
        }
    }

    /// Makes a run; where it fails and the sweep goes on, notes why.
    fn attempt(&mut self, run: &Run<'_>) -> Result<Option<Outcome>, Halt> {
        let trouble = match self.run(run) {
            Ok(outcome) => return Ok(outcome),
            // What cannot be run is no failed run.
            Err(Halt::Trouble(trouble))
                if self.sweep.continue_on_error
                    && !self.server_failed
                    && trouble.exit() != Exit::Input =>
            {
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
        let words = command(self.sweep, run.bench, run.file);
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
                if run.number >= 0 {
                    origin::check(self.sweep, run.serve, run.bench, run.file, &outcome)?;
                }
                let failed =
                    failed(&outcome).map_or_else(String::new, |failed| format!(", with {failed}"));
                self.screen.say(format!("{}: there is a result already{failed}", self.place(run)));
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
        drop(fs::remove_file(experiment::server_failure(&self.sweep.experiment, run.serve)));
        Ok(())
    }

    /// Runs the benchmark and reads its result.
    fn benchmark(&mut self, words: &Words, log: &Path, run: &Run<'_>) -> Result<Outcome, Halt> {
        let status = self.execute(words, log)?;
        if self.signals.count() > 0 || status.code() == Some(Exit::Interrupted.code().into()) {
            return Err(Halt::Interrupted);
        }
        let result = read_result(run.file);
        if !has_measured(status, result.as_ref().ok()) {
            self.say_log(log, 0);
            if let Some(server) = &mut self.server {
                server.check_alive(self.screen)?;
            }
            let trouble = Trouble::failed(format!("the benchmark failed ({status})"));
            return Err(Halt::from(self.with_log(trouble, log)));
        }
        let outcome = completed(&result?, run)?;
        write_json(run.file, &Value::Object(outcome.fields().clone()))?;
        origin::keep(self.sweep, run.serve, run.bench, run.file)?;
        if is_client_limited(&outcome) {
            self.screen.say(format!(
                "{}: client-limited: this machine was too slow for the load, and the figures are partly its own",
                self.place(run)
            ));
        }
        Ok(outcome)
    }

    /// What is to be done between two runs.
    fn after_run(&mut self, log: &Path) -> Result<(), Halt> {
        match (&self.sweep.after, &self.server) {
            (Some(words), _) => {
                let benchmark = fs::metadata(log).map_or(0, |log| log.len());
                let status = self.execute(words, log)?;
                if self.signals.count() > 0 {
                    return Err(Halt::Interrupted);
                }
                if !status.success() {
                    self.say_log(log, benchmark);
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

    /// Says the end of a log, as far as it stands behind its first `known` bytes.
    fn say_log(&self, log: &Path, known: u64) {
        if !self.sweep.show_stdout {
            say_last_lines(log, known, self.screen);
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

    fn print_commands(&mut self, run: &Run<'_>, words: &Words) {
        let server = self.sweep.server.as_ref().map(|server| run.serve.applied_to(server).shown());
        // It is started once for all that it serves.
        if let Some(server) = server.filter(|server| self.printed.as_ref() != Some(server)) {
            self.screen.print(format!("server:    {server}\n"));
            self.printed = Some(server);
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
pub(crate) fn command(sweep: &Sweep, bench: &Combination, file: &Path) -> Words {
    let mut words = bench.applied_to(&sweep.bench);
    let folder = file.parent().unwrap_or(Path::new(".")).to_string_lossy();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    words.extend(["--percentile-metrics", "ttft,tpot,itl,e2el", "--save-result"]);
    words.extend(["--result-dir", folder.as_ref(), "--result-filename", name.as_ref()]);
    if words.runs_our_benchmark() && !words.says_where_logs_go() {
        let logs = experiment::logs(&sweep.experiment);
        words.extend(["--outputs-dir", logs.to_string_lossy().as_ref()]);
    }
    words
}

/// What a benchmark has left.
fn read_result(file: &Path) -> Result<Outcome, Trouble> {
    let shown = file.display().to_string();
    let unread = |why: &dyn std::fmt::Display| {
        Trouble::failed(format!("the benchmark left no result: {why}")).with_hint(
            "--bench-cmd must take --save-result, --result-dir and --result-filename, as tokometer bench serve and vllm bench serve do",
        )
    };
    let text = fs::read_to_string(file).map_err(|error| unread(&format!("{shown}: {error}")))?;
    let value =
        serde_json::from_str(&text).map_err(|error| unread(&format!("{shown}: {error}")))?;
    Outcome::of(value, &shown).map_err(|error| unread(&error))
}

/// Whether a benchmark that ended so has measured something. This program's own tells failed requests and a slow client by its code,
/// whatever other program started it; that a result is its own stands in it.
fn has_measured(status: ExitStatus, result: Option<&Outcome>) -> bool {
    let telling = [Exit::RequestsFailed, Exit::ClientLimited].map(|exit| i32::from(exit.code()));
    let ours = result.is_some_and(|result| result.field("tokometer_version").is_some());
    status.success() || ours && status.code().is_some_and(|code| telling.contains(&code))
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

/// How many requests failed, if any did: `19 of 50 requests failed`.
fn failed(outcome: &Outcome) -> Option<String> {
    let failed = outcome.number("failed").filter(|failed| *failed > 0.0)?;
    let all = failed + outcome.number("completed").unwrap_or_default();
    Some(format!("{failed} of {all} requests failed"))
}

/// What is said of a run that has ended.
fn in_short(outcome: &Outcome) -> String {
    let figure = |key: &str, text: &dyn Fn(f64) -> String| outcome.number(key).map(text);
    let parts = [
        figure("request_throughput", &|value| format!("{value:.2} req/s")),
        figure("output_throughput", &|value| format!("{value:.1} output tok/s")),
        figure("median_ttft_ms", &|value| format!("median TTFT {value:.1} ms")),
        failed(outcome),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

const SEE_FAILURES: &str =
    "the *failure.json files say why; the same command with --resume tries again";
