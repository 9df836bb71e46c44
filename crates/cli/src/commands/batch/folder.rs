//! The folder of a batch: `<results>/<model>_<time>/`, with a result for every combination that has one, an explanation for every one
//! that failed, their runs under `runs/`, and the batch itself as `batch.yaml`.
//!
//! A result appears whole or not at all, and only of a combination that came to its end: whatever reads the folder needs not ask.
//! Nothing that was measured is deleted: an earlier attempt is set aside under `earlier/`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use serde_json::Value;

use crate::commands::aggregate::quoted;
use crate::dialect::llm_benchmark::{Config, read};
use crate::session::{LOG, basename, safe};
use crate::trouble::Trouble;

/// The folder of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Refuses a folder of results that nothing can be written into: that is not to be found out after a load.
    ///
    /// # Errors
    /// If it cannot be made, or takes no file.
    pub(crate) fn check(results: &Path) -> Result<(), Trouble> {
        let trial = results.join(format!(".tokometer-{}", std::process::id()));
        fs::create_dir_all(results)
            .and_then(|()| fs::write(&trial, ""))
            .and_then(|()| fs::remove_file(&trial))
            .map_err(|error| unwritable(results, &error))
    }

    /// Makes the folder of a batch that begins then, with `batch.yaml` in it.
    ///
    /// # Errors
    /// If it cannot be made or written into.
    pub(crate) fn create(config: &Config, began: &Zoned) -> Result<Self, Trouble> {
        let results = config.results_dir();
        let name = name(&config.model, began);
        let mut again = 1;
        let path = loop {
            // Batches that begin in the same second stand side by side.
            let folder = if again == 1 { name.clone() } else { format!("{name}_{again}") };
            let path = results.join(folder);
            let made = fs::create_dir_all(results).and_then(|()| fs::create_dir(&path));
            match made {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => again += 1,
                Err(error) => return Err(unwritable(&path, &error)),
            }
        };
        let folder = Self { path };
        let yaml = format!("{}{}", as_file(&folder.path), config.to_yaml());
        let file = folder.path.join(BATCH);
        fs::write(&file, yaml).map_err(|error| unwritable(&file, &error))?;
        Ok(folder)
    }

    /// The folder of this batch that was named, or else the newest.
    ///
    /// # Errors
    /// If there is none, or the one that was named is another batch's.
    pub(crate) fn of_before(config: &Config, named: Option<&Path>) -> Result<Self, Trouble> {
        let results = config.results_dir();
        let Some(named) = named else {
            let all = batches(results);
            let differing_from = |folder: &Self| {
                let before = folder.batch().ok().filter(|before| before.model == config.model)?;
                Some(differing(&before, config))
            };
            let same = |folder: &&Self| differing_from(folder).is_some_and(|keys| keys.is_empty());
            if let Some(newest) = all.iter().find(same) {
                return Ok(newest.clone());
            }
            let trouble =
                Trouble::input(format!("{} holds no folder of this batch", results.display()));
            let other = all.iter().find_map(|folder| Some((folder, differing_from(folder)?)));
            return Err(match other {
                None => trouble.with_hint("leave out --resume to begin it, or name the folder: --resume DIR"),
                Some((folder, keys)) => trouble.with_hint(format!(
                    "the newest of this model, {}, differs in {}; leave out --resume to begin anew, or go on with that one: {}",
                    folder.path.display(),
                    keys.join(", "),
                    folder.going_on()
                )),
            });
        };
        let path = match named.is_dir() {
            true => named.to_owned(),
            false => results.join(named),
        };
        let folder = Self { path };
        let before = folder.batch()?;
        let keys = differing(&before, config);
        if keys.is_empty() {
            return Ok(folder);
        }
        let path = folder.path.display();
        let problem = format!("{path} holds another batch, which differs in {}", keys.join(", "));
        Err(Trouble::input(problem).with_hint(format!(
            "go on with its own: {}; or leave out --resume to begin anew",
            folder.going_on()
        )))
    }

    /// The command that goes on with what the folder itself says.
    fn going_on(&self) -> String {
        let (config, path) = (quoted(&self.path.join(BATCH)), quoted(&self.path));
        format!("tokometer batch --config {config} --resume {path}")
    }

    /// Takes the folder away again where no run has begun in it.
    pub(crate) fn forget(&self) {
        if !self.runs().exists() {
            // What cannot be taken away stays, and harms nobody.
            let _ = fs::remove_file(self.path.join(BATCH));
            let _ = fs::remove_file(self.path.join(STATUS));
            let _ = fs::remove_dir(&self.path);
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that the runs are kept in.
    pub(crate) fn runs(&self) -> PathBuf {
        self.path.join(RUNS)
    }

    /// The combination's result. `None` if it has none that can be read and used.
    pub(crate) fn result(&self, name: &str) -> Option<Value> {
        let text = fs::read_to_string(self.path.join(format!("{name}.json"))).ok()?;
        let result: Value = serde_json::from_str(&text).ok()?;
        result.get("completed")?.as_u64().filter(|completed| *completed > 0)?;
        Some(result)
    }

    /// Why the combination has no result, where that was written down.
    pub(crate) fn error(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path.join(error_file(name))).ok()?;
        text.lines().next().map(|line| {
            let own = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
            own.unwrap_or(line).to_owned()
        })
    }

    /// Sets an earlier attempt at the combination aside, so that there is room for another.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub(crate) fn make_room(&self, name: &str) -> Result<(), Trouble> {
        let run = self.runs().join(name);
        if !run.exists() {
            return Ok(());
        }
        let earlier = self.path.join(EARLIER);
        let free = free(&earlier, name, "");
        let log = free.join(LOG);
        let moved =
            fs::create_dir_all(&earlier).and_then(|()| fs::rename(&run, &free)).and_then(|()| {
                // Under its own name the log would be one of the batch's runs.
                if log.exists() { fs::rename(&log, free.join(EARLIER_LOG)) } else { Ok(()) }
            });
        moved.map_err(|error| unwritable(&earlier, &error))
    }

    /// Keeps the result that a run has written.
    ///
    /// # Errors
    /// If it cannot be read, or not written here.
    pub(crate) fn keep_result(&self, name: &str, written: &Path) -> Result<(), Trouble> {
        let file = self.path.join(format!("{name}.json"));
        let half = self.path.join(format!(".{name}.json.part"));
        fs::copy(written, &half)
            .and_then(|_| fs::rename(&half, &file))
            .and_then(|()| self.set_error_aside(name))
            .map_err(|error| unwritable(&file, &error))
    }

    /// Writes down why the combination has no result.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep_error(&self, name: &str, why: &str) -> Result<(), Trouble> {
        let file = self.path.join(error_file(name));
        fs::write(&file, why).map_err(|error| unwritable(&file, &error))
    }

    /// Sets an explanation aside, to the earlier attempts: there is a result now.
    fn set_error_aside(&self, name: &str) -> io::Result<()> {
        let file = self.path.join(error_file(name));
        if !file.exists() {
            return Ok(());
        }
        let earlier = self.path.join(EARLIER);
        fs::create_dir_all(&earlier)?;
        fs::rename(&file, free(&earlier, name, ERROR))
    }

    /// Writes down how far the batch came, and which combinations it has.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep_status<'n>(
        &self,
        state: State,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<(), Trouble> {
        let file = self.path.join(STATUS);
        let half = self.path.join(format!(".{STATUS}.part"));
        let mut text = format!(
            "# How far this batch came, and what there is to be.\nstate: {}\ncombinations:\n",
            state.word()
        );
        // A name that YAML could take for something else stands in JSON's quotation marks.
        names.for_each(|name| text.push_str(&format!("  - {}\n", Value::from(name))));
        fs::write(&half, text)
            .and_then(|()| fs::rename(&half, &file))
            .map_err(|error| unwritable(&file, &error))
    }

    /// The batch that the folder is of.
    fn batch(&self) -> Result<Config, Trouble> {
        let file = self.path.join(BATCH);
        let text = fs::read_to_string(&file).map_err(|error| {
            Trouble::input(format!("{} is no folder of a batch: cannot read {BATCH}: {error}", self.path.display()))
                .with_hint("name a folder that tokometer batch has made: tokometer aggregate --list shows them")
        })?;
        Ok(read(&text, &file.display().to_string())?.spelt_out())
    }
}

/// How far a batch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs; or it was killed, and could not say so.
    Running,
    /// Every combination had its turn.
    Ended,
    /// The user wanted no more.
    Interrupted,
}

impl State {
    /// Its stable name.
    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The first path of an earlier attempt at a combination that is not taken yet.
fn free(earlier: &Path, name: &str, suffix: &str) -> PathBuf {
    let paths = (1..).map(|again| earlier.join(format!("{name}-{again}{suffix}")));
    paths.into_iter().find(|path| !path.exists()).unwrap_or_default()
}

/// The folders of batches, the newest first.
fn batches(results: &Path) -> Vec<Folder> {
    let entries = fs::read_dir(results).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<Folder> = entries
        .map(|entry| Folder { path: entry.path() })
        .filter(|folder| folder.path.join(BATCH).is_file())
        .collect();
    // Of one model the names are in the order of time; and two batches are the same only if they are of one model.
    folders.sort_by(|a, b| b.path.cmp(&a.path));
    folders
}

/// The keys in which two batches differ. Where results are kept is none of what is run.
fn differing(before: &Config, now: &Config) -> Vec<String> {
    let fields = |config: &Config| match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (fields(before), fields(now));
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = |key: &&String| *key != "results_dir" && before.get(*key) != now.get(*key);
    keys.into_iter().filter(differs).cloned().collect()
}

/// What the folder of a batch is called: the model's own name without what tells how it was quantized, and the time.
pub(super) fn name(model: &str, began: &Zoned) -> String {
    let mut model = basename(model);
    while let Some(bare) = QUANTIZED.iter().find_map(|suffix| without(model, suffix)) {
        model = bare;
    }
    format!("{}_{}", safe(model), time(began))
}

/// A moment as the names of files have it.
pub(crate) fn time(began: &Zoned) -> String {
    began.strftime("%Y%m%d_%H%M%S").to_string()
}

/// The name without the suffix, unless nothing would be left.
fn without<'n>(name: &'n str, suffix: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(suffix.len()).filter(|at| *at > 0)?;
    let (bare, end) = (name.get(..at)?, name.get(at..)?);
    end.eq_ignore_ascii_case(suffix).then_some(bare)
}

fn error_file(name: &str) -> String {
    format!("{name}{ERROR}")
}

fn as_file(folder: &Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let name = folder.file_name().unwrap_or_default().display();
    format!(
        "# The batch {name} of tokometer {version}, with the batch's own defaults spelt out: docs/batch.md explains it.\n"
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Trouble {
    Trouble::failed(format!("cannot write {}: {error}", path.display()))
        .with_hint("check the permissions and the disk there, or give another results_dir")
}

/// The batch itself, in its folder.
pub(super) const BATCH: &str = "batch.yaml";
const STATUS: &str = "status.yaml";
const ERROR: &str = ".error.txt";
const RUNS: &str = "runs";
const EARLIER: &str = "earlier";
const EARLIER_LOG: &str = "run.earlier.jsonl";
const QUANTIZED: [&str; 3] = ["-awq", "-gptq", "-gguf"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn model_of(model: &str) -> String {
        let name = name(model, &Zoned::default());
        name.strip_suffix("_19700101_000000").unwrap().to_owned()
    }

    #[test]
    fn a_folder_is_named_after_the_model_itself() {
        assert_eq!(model_of("/data/model/cognitivecomputations/DeepSeek-R1-awq"), "DeepSeek-R1");
        assert_eq!(model_of("Qwen/Qwen3-32B-GPTQ"), "Qwen3-32B");
        assert_eq!(model_of("TheBloke/Llama-2-7B-GGUF/"), "Llama-2-7B");
        assert_eq!(model_of("a-awq-gguf"), "a");
        assert_eq!(model_of("-awq"), "-awq");
        assert_eq!(model_of("qwen-awq-v2"), "qwen-awq-v2");
        assert_eq!(model_of("org/a:b"), "a_b");
    }

    proptest! {
        #[test]
        fn the_folder_of_any_model_is_one_folder(model in ".{0,40}") {
            let name = name(&model, &Zoned::default());
            prop_assert!(!name.contains(['/', '\\', '\0']) && name.ends_with("_19700101_000000"));
            prop_assert!(!name.starts_with("../"), "{}", name);
        }
    }

    #[test]
    fn batches_that_begin_in_the_same_second_stand_side_by_side() {
        let place = tempfile::tempdir().unwrap();
        let mut config = Config::new("m".into(), "sim://".into()).spelt_out();
        config.results_dir = Some(place.path().join("results"));
        let first = Folder::create(&config, &Zoned::default()).unwrap();
        let second = Folder::create(&config, &Zoned::default()).unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(Folder::of_before(&config, None).unwrap().path(), second.path());
        config.model = "other".into();
        let refused = Folder::of_before(&config, Some(first.path())).unwrap_err().to_string();
        assert!(refused.contains("holds another batch, which differs in model"), "{refused}");
        config.model = "m".into();
        (config.pause, config.seed) = (Some(Default::default()), Some(7));
        config.pause = Some(tokometer_plan::Span(std::time::Duration::from_secs(3)));
        let refused = Folder::of_before(&config, None).unwrap_err().to_string();
        assert!(refused.contains("differs in pause, seed;"), "{refused}");
    }

    #[test]
    fn only_what_can_be_used_is_a_result() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder { path: place.path().to_owned() };
        let write = |text: &str| fs::write(place.path().join("a.json"), text).unwrap();
        assert_eq!(folder.result("a"), None);
        for unusable in ["{\"completed\": 3", "[]", "{\"completed\": 0}", "{}"] {
            write(unusable);
            assert_eq!(folder.result("a"), None, "{unusable}");
        }
        write("{\"completed\": 3}");
        assert!(folder.result("a").is_some());
    }

    #[test]
    fn a_result_sets_the_explanation_before_it_aside() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder { path: place.path().to_owned() };
        let written = place.path().join("written");
        fs::write(&written, "{\"completed\": 3}").unwrap();
        for attempt in 1..3 {
            folder.keep_error("a", "a: gone\n").unwrap();
            folder.keep_result("a", &written).unwrap();
            assert_eq!(folder.error("a"), None);
            assert!(place.path().join(format!("earlier/a-{attempt}.error.txt")).exists());
        }
    }

    #[test]
    fn how_far_it_came_is_told_to_whoever_reads_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder { path: place.path().to_owned() };
        fs::write(place.path().join(BATCH), "model: m\n").unwrap();
        folder.keep_status(State::Interrupted, ["a", "yes"].into_iter()).unwrap();
        let entry = tokometer_report::gathered::entry(place.path()).unwrap().unwrap();
        assert_eq!(entry.not_run, ["a", "yes"]);
        assert_eq!(entry.state, tokometer_report::gathered::State::Open(None));
    }

    #[test]
    fn an_earlier_attempt_is_set_aside_and_its_log_is_no_run() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder { path: place.path().to_owned() };
        for _ in 0..2 {
            fs::create_dir_all(folder.runs().join("a")).unwrap();
            fs::write(folder.runs().join("a").join(LOG), "log").unwrap();
            folder.make_room("a").unwrap();
            assert!(!folder.runs().join("a").exists());
        }
        for attempt in ["earlier/a-1", "earlier/a-2"] {
            assert!(place.path().join(attempt).join(EARLIER_LOG).exists());
        }
    }
}
