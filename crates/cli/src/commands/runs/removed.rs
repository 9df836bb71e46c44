//! Removing runs, with care: only what this program made, only inside the folders that runs are kept in, never through a link, and only
//! after it was confirmed.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use clap::Args;
use tokometer_report::gathered::{Kind, State};

use super::found::{self, Found, amount, size};
use super::{IN_PROGRESS, Places, state, told};
use crate::commands::counted;
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `runs rm` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The runs: the beginning of an id, a folder, or a tag that only one run has
    #[arg(value_name = "ID", required = true)]
    runs: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Removes runs.
///
/// # Errors
/// If one of them is not there or must not be removed, before any is; if nobody confirmed it; or if a file cannot be removed.
pub(super) fn remove(
    arguments: &Arguments,
    places: &Places,
    screen: &Screen,
) -> Result<(), Trouble> {
    let mut chosen: Vec<Found> = Vec::new();
    for which in &arguments.runs {
        let found = found::one(which, places)?;
        if !chosen.iter().any(|other| other.id == found.id) {
            check(&found)?;
            chosen.push(found);
        }
    }
    let sizes: Vec<u64> = chosen.iter().map(|found| size(&found.entry.folder)).collect();
    for (found, size) in chosen.iter().zip(&sizes) {
        let state = told(&found.entry).map_or(String::new(), |state| format!(", {state}"));
        screen.say(format!(
            "{}  {}  {} of {}{state}, {}",
            found.id,
            found.entry.folder.display(),
            found.entry.kind.words(),
            if found.entry.model.is_empty() { "an unknown model" } else { &found.entry.model },
            amount(*size)
        ));
    }
    if !arguments.yes && !confirmed(&chosen, screen)? {
        screen.say("nothing was removed");
        return Ok(());
    }
    for found in &chosen {
        // What it is may have changed while somebody thought about it.
        check(found)?;
        gone(found)?;
    }
    screen.say(format!(
        "removed {}: {} freed",
        counted(chosen.len(), "run"),
        amount(sizes.iter().sum())
    ));
    Ok(())
}

/// Refuses what must not be removed.
fn check(found: &Found) -> Result<(), Trouble> {
    let folder = &found.entry.folder;
    let shown = folder.display();
    let refused = |why: &str| Trouble::input(format!("{shown} is not removed: {why}"));
    let about = fs::symlink_metadata(folder)
        .map_err(|error| Trouble::failed(format!("cannot look at {shown}: {error}")))?;
    if !about.is_dir() {
        return Err(refused("it is no folder")
            .with_hint("a link is removed by rm, and what it leads to by its own path"));
    }
    let (root, whole) = (found.root.canonicalize(), folder.canonicalize());
    let inside = match (&root, &whole) {
        (Ok(root), Ok(whole)) => whole != root && whole.starts_with(root),
        _ => false,
    };
    if !inside {
        return Err(refused("it is not inside the folder that runs are kept in"));
    }
    if !found.entry.ours {
        return Err(refused("this program did not make it")
            .with_hint("remove it by hand if it is not needed"));
    }
    if matches!(found.entry.state, State::Open(Some(_)))
        && state(&found.entry).as_deref() == Some(IN_PROGRESS)
    {
        return Err(refused("its log is still being written")
            .with_hint("end the run first, or wait half a minute after it was killed"));
    }
    // What lies in the folder of a run was made by that run, and is no other.
    if matches!(found.entry.kind, Kind::Perf | Kind::BenchServe) && holds_another(folder) {
        return Err(refused("there is another run inside it"));
    }
    Ok(())
}

fn holds_another(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.any(|entry| {
        entry.path().join(crate::session::LOG).exists() || holds_another(&entry.path())
    })
}

fn confirmed(chosen: &[Found], screen: &Screen) -> Result<bool, Trouble> {
    if !io::stdin().is_terminal() {
        return Err(Trouble::input("nobody is there to confirm that they are removed")
            .with_hint("say so with --yes"));
    }
    screen.say(format!("remove {} for good? [y/N]", counted(chosen.len(), "run")));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Trouble::failed(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn gone(found: &Found) -> Result<(), Trouble> {
    let folder = &found.entry.folder;
    // Follows no link: of one inside it, the link itself goes.
    fs::remove_dir_all(folder).map_err(|error| {
        Trouble::failed(format!("cannot remove all of {}: {error}", folder.display()))
    })?;
    // The folder of the moment, where it held this run alone. One that holds more is not empty, and stays.
    if let Some(parent) = folder.parent().filter(|parent| *parent != found.root) {
        drop(fs::remove_dir(parent));
    }
    Ok(())
}
