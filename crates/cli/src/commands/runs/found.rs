//! The runs that there are, each with a short name of its own.
//!
//! An id follows from the run's path below `results/` or `outputs/`: it stays when those are moved, and changes when the run is renamed.

use std::fs;
use std::path::{Path, PathBuf};

use tokometer_report::gathered::{Entry, history};

use super::{Places, tags};
use crate::trouble::Trouble;

/// A run with what it is called.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) entry: Entry,
    pub(super) tags: Vec<String>,
    /// The folder of runs or results that it lies in.
    pub(super) root: PathBuf,
}

/// Every run, the newest first.
///
/// # Errors
/// If a folder that is there cannot be read.
pub(super) fn all(places: &Places) -> Result<Vec<Found>, Trouble> {
    let mut all = Vec::new();
    let mut seen = Vec::new();
    for root in [&places.results_dir, &places.outputs_dir] {
        let Ok(whole) = root.canonicalize() else { continue };
        if seen.contains(&whole) {
            continue;
        }
        let entries = history(root).map_err(|error| {
            Trouble::failed(format!("cannot read the folder {}: {error}", root.display()))
        })?;
        all.extend(entries.into_iter().map(|entry| found(entry, root)));
        seen.push(whole);
    }
    all.sort_by(|a, b| {
        b.entry.began.cmp(&a.entry.began).then_with(|| b.entry.folder.cmp(&a.entry.folder))
    });
    Ok(all)
}

/// The one run that is meant: by the beginning of its id, by its folder, or by a tag that no other has.
///
/// # Errors
/// If there is none, or several.
pub(super) fn one(which: &str, places: &Places) -> Result<Found, Trouble> {
    let all = all(places)?;
    let path = Path::new(which);
    let whole = path.canonicalize().ok();
    let at = |found: &Found| whole.as_ref().is_some_and(|whole| is_at(&found.entry.folder, whole));
    let exact = |found: &Found| found.id == which;
    let begins = |found: &Found| found.id.starts_with(&which.to_lowercase());
    let tagged = |found: &Found| found.tags.iter().any(|tag| tag == which);
    let rules: [&dyn Fn(&Found) -> bool; 4] = [&at, &exact, &tagged, &begins];
    let fits = rules.iter().map(|rule| all.iter().filter(|found| rule(found)).count());
    let Some((rule, number)) = rules.iter().zip(fits).find(|(_, number)| *number > 0) else {
        return Err(Trouble::input(format!("there is no run {which}"))
            .with_hint("tokometer runs lists those that there are, with their ids and tags"));
    };
    if number > 1 {
        let ids: Vec<String> = all
            .iter()
            .filter(|found| rule(found))
            .take(MOST)
            .map(|found| format!("{} ({})", found.id, found.entry.folder.display()))
            .collect();
        return Err(Trouble::input(format!("{which} fits {number} runs"))
            .with_hint(format!("give more of the id: {}", ids.join(", "))));
    }
    let mut all = all;
    all.retain(|found| rule(found));
    all.pop().ok_or_else(|| Trouble::input(format!("there is no run {which}")))
}

fn found(entry: Entry, root: &Path) -> Found {
    let below = entry.folder.strip_prefix(root).unwrap_or(&entry.folder);
    let kind = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let id = id(&format!("{kind}/{}", below.display()));
    let tags = tags::of(&entry.folder);
    Found { id, tags, entry, root: root.to_owned() }
}

fn is_at(folder: &Path, whole: &Path) -> bool {
    folder.canonicalize().is_ok_and(|folder| folder == whole)
}

/// Six letters and digits that are easily told apart, of the 64-bit FNV-1a hash of the path: 30 bits, so that among a thousand runs two
/// are alike once in two thousand histories.
fn id(path: &str) -> String {
    let hash =
        path.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // The low bits of FNV are its weakest.
    let mixed = hash ^ (hash >> 32);
    (0..6).map(|place| char::from(LETTERS[(mixed >> (5 * place) & 31) as usize])).collect()
}

/// Everything that lies in a folder, in bytes. Follows no link.
pub(super) fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => size(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// A size for people.
pub(super) fn amount(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 10.0 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

const PRIME: u64 = 0x0100_0000_01b3;

/// As many runs as are named where several fit.
const MOST: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_six_letters_that_follow_from_the_path_alone() {
        let one = id("outputs/20260102_110437/m");
        assert_eq!(one.len(), 6);
        assert_eq!(one, id("outputs/20260102_110437/m"));
        assert_ne!(one, id("outputs/20260102_110438/m"));
        let ids: std::collections::HashSet<String> =
            (0..1000).map(|number| id(&format!("outputs/{number}/m"))).collect();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn sizes_are_told_in_three_figures_at_most() {
        let told = [0, 999, 1000, 1_234_567, 45_600_000, 999_600, 7_000_000_000].map(amount);
        assert_eq!(told, ["0 B", "999 B", "1.0 kB", "1.2 MB", "46 MB", "1.0 MB", "7.0 GB"]);
    }
}
