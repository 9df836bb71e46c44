//! Where a run is kept: `<outputs>/[<time>/]<name>/`, with a folder for each point, as `evalscope perf` lays it out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use tokometer_plan::{Output, Pacing, Plan, Point, Ramp, Reporting};

use crate::trouble::Trouble;

/// The folder of a run.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Refuses a plan whose folder holds a run already, as far as that is known before the server was asked for its model.
    ///
    /// # Errors
    /// If it does.
    pub(crate) fn check(plan: &Plan) -> Result<(), Trouble> {
        let given = plan.output.name.as_deref().map(safe);
        match given.or_else(|| plan.model.as_deref().map(|model| safe(basename(model)))) {
            Some(name) if !plan.output.timestamp => vacant(&plan.output.dir.join(name)),
            _ => Ok(()),
        }
    }

    /// Makes the folder of a run that began then, with this model.
    ///
    /// # Errors
    /// If it cannot be made, or holds a run already.
    pub(crate) fn create(output: &Output, model: &str, began: &Zoned) -> Result<Self, Trouble> {
        let name = match &output.name {
            Some(name) => safe(name),
            None => safe(basename(model)),
        };
        if !output.timestamp {
            let path = output.dir.join(&name);
            vacant(&path)?;
            fs::create_dir_all(&path).map_err(|error| unmade(&path, &error))?;
            return Ok(Self { path });
        }
        let time = began.strftime("%Y%m%d_%H%M%S").to_string();
        for again in 1.. {
            // Runs that begin in the same second stand side by side.
            let folder = if again == 1 { time.clone() } else { format!("{time}_{again}") };
            let path = output.dir.join(folder).join(&name);
            let parent = path.parent().unwrap_or(&output.dir);
            fs::create_dir_all(parent).map_err(|error| unmade(parent, &error))?;
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unmade(&path, &error)),
            }
        }
        unreachable!("there is a number for every run")
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its own name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The log of records.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// The log in words.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }
}

/// Refuses a plan whose file of results could not be written: that is not to be found out after the load.
///
/// # Errors
/// If its folder cannot be made, or takes no file.
pub(crate) fn check_results(plan: &Plan) -> Result<(), Trouble> {
    let Reporting::Vllm(report) = &plan.report else { return Ok(()) };
    let Some(save) = &report.save else { return Ok(()) };
    let file = save.filename.as_deref().unwrap_or_default();
    let path = save.dir.clone().unwrap_or_default().join(file);
    let folder = match path.parent() {
        Some(parent) if !file.is_empty() => parent,
        _ => path.as_path(),
    };
    let here = Path::new(".");
    let folder = if folder.as_os_str().is_empty() { here } else { folder };
    let trial = folder.join(format!(".tokometer-{}", std::process::id()));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&trial, ""))
        .and_then(|()| fs::remove_file(&trial))
        .map_err(|error| {
            let folder = folder.display();
            Trouble::failed(format!("results cannot be written into {folder}: {error}"))
                .with_hint("give another --result-dir")
        })
}

fn unmade(path: &Path, error: &io::Error) -> Trouble {
    Trouble::failed(format!("cannot make the folder {}: {error}", path.display()))
        .with_hint("choose another --outputs-dir")
}

fn vacant(path: &Path) -> Result<(), Trouble> {
    match path.join(LOG).exists() {
        true => Err(Trouble::input(format!("{} holds a run already", path.display()))
            .with_hint("choose another --name or --outputs-dir, or leave out --no-timestamp")),
        false => Ok(()),
    }
}

/// The names of the points' folders, no two the same.
pub(crate) fn point_names(points: &[Point]) -> Vec<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    points
        .iter()
        .map(|point| {
            let number = point.number;
            let name = match (point.parallel, point.pacing) {
                (Some(parallel), _) => format!("parallel_{parallel}_number_{number}"),
                (None, Pacing::Rate { rate, .. }) => {
                    format!("rate_{:?}_number_{number}", rate.per_second())
                }
                (None, Pacing::Ramp(Ramp { from, to, .. })) => {
                    format!("rate_{from:?}_to_{to:?}_number_{number}")
                }
                (None, Pacing::Recorded) => format!("recorded_number_{number}"),
                (None, Pacing::AtOnce) => format!("at_once_number_{number}"),
            };
            let times = seen.entry(name.clone()).or_default();
            *times += 1;
            match *times {
                1 => name,
                again => format!("{name}_{again}"),
            }
        })
        .collect()
}

/// What follows the last slash.
pub(crate) fn basename(model: &str) -> &str {
    model.trim_end_matches('/').rsplit('/').next().unwrap_or(model)
}

/// A name that is one folder on every system, by evalscope's rule; and never the folder above.
pub(crate) fn safe(name: &str) -> String {
    let safe = name.replace(['<', '>', ':', '"', '|', '?', '*', '\\', '/', '\0'], "_");
    if matches!(safe.as_str(), "" | "." | "..") { "_".to_owned() } else { safe }
}

/// The log of records, at the root of a run's folder.
pub(crate) const LOG: &str = "run.jsonl";

const JOURNAL: &str = "benchmark.log";

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn runs_that_begin_in_the_same_second_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output {
            dir: folder.path().to_owned(),
            name: None,
            alias: None,
            timestamp: true,
            log_every: NonZeroU64::MIN,
            prompts: false,
            outputs: false,
            debug: false,
        };
        let began = Zoned::default();
        let first = Folder::create(&output, "m", &began).unwrap();
        let second = Folder::create(&output, "m", &began).unwrap();
        assert_ne!(first.path(), second.path());
        assert!(second.path().parent().unwrap().to_string_lossy().ends_with("_2"));
    }

    #[test]
    fn a_name_is_one_folder_and_never_the_one_above() {
        assert_eq!(safe("a/b:c"), "a_b_c");
        assert_eq!(safe(".."), "_");
        assert_eq!(basename("/models/Qwen3-32B/"), "Qwen3-32B");
    }
}
