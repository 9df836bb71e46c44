//! Tags: words that a run is found by. They stand in a file of their own in the run's folder, one a line, so that no log and no report
//! is ever touched.

use std::fs;
use std::io;
use std::path::Path;

use clap::Args;

use super::{Places, found};
use crate::screen::Screen;
use crate::trouble::Trouble;

/// What `runs tag` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run: the beginning of its id, its folder, or a tag of its own
    #[arg(value_name = "ID")]
    run: String,
    /// The tags
    #[arg(value_name = "TAG", required = true, value_parser = tag_of)]
    tags: Vec<String>,
    /// Take these tags away
    #[arg(long)]
    remove: bool,
}

/// Gives tags to a run, or takes them away.
///
/// # Errors
/// If there is no such run, or its folder cannot be written into.
pub(super) fn tag(arguments: &Arguments, places: &Places, screen: &Screen) -> Result<(), Trouble> {
    let found = found::one(&arguments.run, places)?;
    let mut tags = found.tags.clone();
    for tag in &arguments.tags {
        let has = tags.contains(tag);
        match arguments.remove {
            true if !has => {
                return Err(Trouble::input(format!("{} has no tag {tag}", found.id)).with_hint(
                    match tags.is_empty() {
                        true => "it has none".to_owned(),
                        false => format!("it has {}", tags.join(", ")),
                    },
                ));
            }
            true => tags.retain(|known| known != tag),
            false if !has => tags.push(tag.clone()),
            false => {}
        }
    }
    write(&found.entry.folder, &tags).map_err(|error| {
        let folder = found.entry.folder.display();
        Trouble::failed(format!("cannot write {FILE} into {folder}: {error}"))
    })?;
    let told = if tags.is_empty() { "no tags".to_owned() } else { tags.join(", ") };
    screen.say(format!("{} ({}): {told}", found.id, found.entry.folder.display()));
    Ok(())
}

/// The tags of a folder. None where there is no file of them, or none that can be read.
pub(super) fn of(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let mut tags: Vec<String> = Vec::new();
    for tag in text.lines().filter_map(|line| tag_of(line.trim()).ok()) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn write(folder: &Path, tags: &[String]) -> io::Result<()> {
    let path = folder.join(FILE);
    if tags.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    // Whole or not at all: a half-written file would lose tags.
    let half = folder.join(format!(".{FILE}.part"));
    fs::write(&half, tags.join("\n") + "\n")?;
    fs::rename(&half, &path)
}

/// A word that can be a tag.
fn tag_of(text: &str) -> Result<String, String> {
    let fits = |character: char| character.is_alphanumeric() || "._-+:/@".contains(character);
    match text.chars().count() {
        1..=LONGEST if text.chars().all(fits) && !text.starts_with('-') => Ok(text.to_owned()),
        _ => Err(format!("a tag is a word of up to {LONGEST} letters, digits and . _ - + : / @")),
    }
}

/// The file of a run's tags.
const FILE: &str = "tags.txt";

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_kept_in_their_order_and_the_file_goes_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let tags = ["baseline", "v0.9.1", "生产"].map(str::to_owned);
        write(folder.path(), &tags).unwrap();
        assert_eq!(of(folder.path()), tags);
        write(folder.path(), &[]).unwrap();
        assert!(!folder.path().join(FILE).exists());
        assert_eq!(of(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_tag_is_one_word() {
        assert!(tag_of("a b").is_err() && tag_of("").is_err() && tag_of("--yes").is_err());
        assert!(tag_of("a\u{1b}[31m").is_err() && tag_of(&"x".repeat(65)).is_err());
        assert!(tag_of("release/2026-01").is_ok());
    }

    #[test]
    fn lines_that_are_no_tags_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "ok\n\nnot a tag\nok\nalso\n").unwrap();
        assert_eq!(of(folder.path()), ["ok", "also"]);
    }
}
