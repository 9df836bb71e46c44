//! Which files of a data set hold a subset and a split of it, by the names that such files usually have.
//!
//! `data/{split}-00000-of-00001.parquet`, `{subset}/{split}-….parquet`, `{subset}/{split}/0000.parquet`, `{split}.jsonl`. Where no
//! file is named after a split, all of them are `train`, as for Hugging Face's own tools. What is in a file is not looked at.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::super::rows::ending;
use crate::tokenizer::{Hub, Remote};

/// Which files are wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) subset: Option<&'a str>,
    /// Where none is chosen: this one, or the only one there is.
    pub(super) usual_subset: Option<&'a str>,
    pub(super) split: Option<&'a str>,
    /// Where none is chosen: this one, or the only one there is.
    pub(super) usual_split: &'a str,
    /// Just these, in this order, whatever subset and split.
    pub(super) names: Vec<String>,
}

/// The files.
#[derive(Debug)]
pub(super) struct Chosen {
    /// In the order of their names.
    pub(super) files: Vec<Remote>,
    /// What was taken in place of what is usual.
    notes: Vec<String>,
}

impl Chosen {
    /// Says of the data set of that name what was taken in place of what is usual.
    pub(super) fn told(&self, name: &str, hub: &Hub) {
        for note in &self.notes {
            hub.tell(&format!("{name}: {note}"));
        }
    }
}

/// Why no files could be chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unchosen {
    /// There are none that can be read.
    NoData,
    /// There is none of that name.
    NoFile(String),
    /// None is of that subset: those there are.
    NoSubset(String, BTreeSet<String>),
    /// None is of that split: those there are.
    NoSplit(String, BTreeSet<String>),
    /// It has several subsets, and none was chosen.
    Subsets(BTreeSet<String>),
}

impl Unchosen {
    /// Whether there was nothing to choose from.
    pub(super) fn has_no_data(&self) -> bool {
        *self == Self::NoData
    }

    /// The setting that would choose others.
    pub(super) fn setting(&self) -> Option<&'static str> {
        match self {
            Self::NoData | Self::NoFile(_) => None,
            Self::NoSubset(..) | Self::Subsets(_) => Some("subset"),
            Self::NoSplit(..) => Some("split"),
        }
    }
}

impl fmt::Display for Unchosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &BTreeSet<String>| {
            let names = names.iter().map(|name| match name.as_str() {
                "" => "files in no folder of a subset",
                name => name,
            });
            names.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::NoData => f.write_str("it has no file of Parquet, JSON lines, JSON or CSV"),
            Self::NoFile(name) => write!(f, "it has no file {name}"),
            Self::NoSubset(wanted, there) => {
                write!(f, "it has no subset {wanted}; it has {}", list(there))
            }
            Self::NoSplit(wanted, there) if there.is_empty() => {
                write!(f, "it has no split {wanted}")
            }
            Self::NoSplit(wanted, there) => {
                write!(f, "it has no split {wanted}; it has {}", list(there))
            }
            Self::Subsets(there) => {
                write!(f, "it has several subsets, of which one must be chosen: {}", list(there))
            }
        }
    }
}

/// A file as its path describes it.
#[derive(Clone, Debug)]
struct Named<'a> {
    file: &'a Remote,
    /// The split that its name or its folder tells.
    split: Option<String>,
    /// The folders that are neither `data` nor the split.
    subset: String,
}

impl Wanted<'_> {
    /// The files that are wanted.
    pub(super) fn choose(&self, files: &[Remote]) -> Result<Chosen, Unchosen> {
        if !self.names.is_empty() {
            return Ok(Chosen { files: self.by_name(files)?, notes: Vec::new() });
        }
        let mut notes = Vec::new();
        let mut all: Vec<Named<'_>> =
            files.iter().filter(|file| is_data(&file.path)).map(|file| self.named(file)).collect();
        if all.is_empty() {
            return Err(Unchosen::NoData);
        }
        // A data set is often there twice, as it was made and as Parquet.
        if all.iter().any(|named| ending(Path::new(&named.file.path)) == "parquet") {
            all.retain(|named| ending(Path::new(&named.file.path)) == "parquet");
        }
        if let Some(wanted) = self.subset.or(self.usual_subset) {
            let there = subsets(&all);
            match only(&there) {
                Some(only) if self.subset.is_none() && only != wanted => {
                    // Files in no folder are all there is: nothing that could be taken for something else.
                    if !only.is_empty() {
                        notes.push(format!("its only subset is taken, which is {only}"));
                    }
                }
                _ => all.retain(|named| named.subset == wanted),
            }
            if all.is_empty() {
                return Err(Unchosen::NoSubset(wanted.to_owned(), there));
            }
        }
        let split = self.split.unwrap_or(self.usual_split);
        let there: BTreeSet<String> = all.iter().filter_map(|named| named.split.clone()).collect();
        match only(&there) {
            Some(only) if self.split.is_none() && only != split => {
                all.retain(|named| named.split.as_deref() == Some(only));
                notes.push(format!("its only split is taken, which is {only}"));
            }
            // No file is named after a split, and what is usual is all there is.
            None if there.is_empty() && (split == "train" || self.split.is_none()) => {}
            _ => all.retain(|named| named.split.as_deref() == Some(split)),
        }
        if all.is_empty() {
            return Err(Unchosen::NoSplit(split.to_owned(), there));
        }
        let there = subsets(&all);
        if there.len() > 1 {
            return Err(Unchosen::Subsets(there));
        }
        let mut chosen: Vec<Remote> = all.into_iter().map(|named| named.file.clone()).collect();
        chosen.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Chosen { files: chosen, notes })
    }

    fn by_name(&self, files: &[Remote]) -> Result<Vec<Remote>, Unchosen> {
        let find = |name: &String| {
            let found = files.iter().find(|file| file.path == *name);
            found.cloned().ok_or_else(|| Unchosen::NoFile(name.clone()))
        };
        self.names.iter().map(find).collect()
    }

    fn named<'f>(&self, file: &'f Remote) -> Named<'f> {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let mut folders: Vec<&str> =
            folder.split('/').filter(|part| !part.is_empty() && *part != "data").collect();
        let wanted = self.split.unwrap_or(self.usual_split);
        let mut split = split_of(stem, Some(wanted));
        if split.is_none()
            && let Some(last) = folders.last()
            && (is_split(last) || wanted == *last)
        {
            split = Some((*last).to_owned());
            folders.pop();
        }
        Named { file, split, subset: folders.join("/") }
    }
}

/// The split that opens the stem of a file's name: `test` of `test-00000-of-00001`, and of `test_2`.
fn split_of(stem: &str, wanted: Option<&str>) -> Option<String> {
    let opens = |split: &str| {
        let rest = stem.strip_prefix(split)?;
        (rest.is_empty() || rest.starts_with(['-', '_'])).then(|| split.to_owned())
    };
    if let Some(split) = wanted.and_then(opens) {
        return Some(split);
    }
    // `name-00000-of-00001` is a shard of the split `name`, whatever that is.
    let mut parts = stem.rsplitn(4, '-');
    let (last, of, first, name) = (parts.next(), parts.next(), parts.next(), parts.next());
    let numeric = |part: Option<&str>| {
        part.is_some_and(|part| part.len() == 5 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if let (true, Some("of"), true, Some(name)) = (numeric(last), of, numeric(first), name) {
        return Some(name.to_owned());
    }
    USUAL.iter().find_map(|split| opens(split))
}

fn is_split(folder: &str) -> bool {
    USUAL.iter().any(|split| {
        folder
            .strip_prefix(split)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']))
    })
}

/// The only one there is.
fn only(there: &BTreeSet<String>) -> Option<&str> {
    there.first().filter(|_| there.len() == 1).map(String::as_str)
}

fn subsets(files: &[Named<'_>]) -> BTreeSet<String> {
    files.iter().map(|named| named.subset.clone()).collect()
}

fn is_data(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    let name = path.rsplit('/').next().unwrap_or(path);
    !hidden
        && !NO_DATA.contains(&name)
        && matches!(
            ending(Path::new(path)).as_str(),
            "parquet" | "jsonl" | "ndjson" | "json" | "csv"
        )
}

const USUAL: [&str; 7] = ["train", "test", "validation", "val", "dev", "valid", "eval"];
const NO_DATA: [&str; 4] =
    ["dataset_infos.json", "dataset_info.json", "state.json", "package.json"];

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        paths: &[&str],
        subset: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let files: Vec<Remote> =
            paths.iter().map(|path| Remote { path: (*path).to_owned(), size: None }).collect();
        let wanted =
            Wanted { subset, usual_subset: None, split, usual_split: "train", names: Vec::new() };
        let chosen = wanted.choose(&files);
        chosen
            .map(|chosen| chosen.files.into_iter().map(|file| file.path).collect())
            .map_err(|why| why.to_string())
    }

    #[test]
    fn shards_of_a_split_are_chosen_in_order() {
        let paths = [
            "README.md",
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
            "data/test-00000-of-00001.parquet",
        ];
        assert_eq!(
            chosen(&paths, None, None).unwrap(),
            ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
        );
        assert_eq!(
            chosen(&paths, None, Some("test")).unwrap(),
            ["data/test-00000-of-00001.parquet"]
        );
        assert_eq!(
            chosen(&paths, None, Some("dev")).unwrap_err(),
            "it has no split dev; it has test, train"
        );
    }

    #[test]
    fn subsets_are_folders() {
        let gsm8k = [
            "main/test-00000-of-00001.parquet",
            "main/train-00000-of-00001.parquet",
            "socratic/test-00000-of-00001.parquet",
        ];
        assert_eq!(chosen(&gsm8k, Some("main"), Some("test")).unwrap(), [gsm8k[0]]);
        assert_eq!(
            chosen(&gsm8k, None, Some("test")).unwrap_err(),
            "it has several subsets, of which one must be chosen: main, socratic"
        );
        assert_eq!(
            chosen(&gsm8k, Some("other"), None).unwrap_err(),
            "it has no subset other; it has main, socratic"
        );
        let speech = [
            "all/test.clean/0000.parquet",
            "all/train.clean.100/0000.parquet",
            "clean/test/0000.parquet",
        ];
        assert_eq!(chosen(&speech, Some("clean"), Some("test")).unwrap(), [speech[2]]);
        assert_eq!(chosen(&speech, Some("all"), Some("train.clean.100")).unwrap(), [speech[1]]);
    }

    #[test]
    fn one_folder_with_the_split_needs_no_subset() {
        assert_eq!(
            chosen(&["openai_humaneval/test-00000-of-00001.parquet"], None, Some("test")).unwrap(),
            ["openai_humaneval/test-00000-of-00001.parquet"]
        );
    }

    #[test]
    fn splits_may_be_files_and_splits_of_another_name_folders_or_shards() {
        let zeta = ["dpo.jsonl", "eval.jsonl", "train.jsonl"];
        assert_eq!(chosen(&zeta, None, None).unwrap(), ["train.jsonl"]);
        assert_eq!(
            chosen(&["data/best-00000-of-00001.parquet"], None, Some("best")).unwrap().len(),
            1
        );
        assert_eq!(chosen(&["en/odd/0000.parquet"], Some("en"), Some("odd")).unwrap().len(), 1);
    }

    #[test]
    fn without_any_split_all_of_it_is_train() {
        assert_eq!(chosen(&["question.jsonl"], None, Some("train")).unwrap(), ["question.jsonl"]);
        assert_eq!(
            chosen(&["question.jsonl"], None, Some("test")).unwrap_err(),
            "it has no split test"
        );
    }

    #[test]
    fn what_is_usual_gives_way_to_the_only_one_there_is_and_what_is_chosen_does_not() {
        let choose = |paths: &[&str], subset, split| {
            let files: Vec<Remote> =
                paths.iter().map(|path| Remote { path: (*path).to_owned(), size: None }).collect();
            let wanted = Wanted {
                subset,
                usual_subset: Some("main"),
                split,
                usual_split: "train",
                names: Vec::new(),
            };
            let chosen = wanted.choose(&files).map_err(|why| why.to_string());
            chosen.map(|Chosen { files, notes }| (files[0].path.clone(), notes))
        };
        let (file, notes) = choose(&["test.csv"], None, None).unwrap();
        assert_eq!(
            (&*file, &*notes.concat()),
            ("test.csv", "its only split is taken, which is test")
        );
        let (_, notes) = choose(&["other/train.csv"], None, None).unwrap();
        assert_eq!(notes, ["its only subset is taken, which is other"]);
        assert_eq!(choose(&["rows.csv"], None, None).unwrap().1, [""; 0]);
        for (paths, subset, split, why) in [
            (
                &["test.csv"][..],
                Some("main"),
                None,
                "it has no subset main; it has files in no folder of a subset",
            ),
            (&["test.csv"], None, Some("train"), "it has no split train; it has test"),
            (&["dev.csv", "test.csv"], None, None, "it has no split train; it has dev, test"),
            (&["a/train.csv", "b/train.csv"], None, None, "it has no subset main; it has a, b"),
        ] {
            assert_eq!(choose(paths, subset, split).unwrap_err(), why);
        }
    }

    #[test]
    fn what_is_no_data_is_not_chosen() {
        let none = ["README.md", ".cache/train.jsonl", "dataset_infos.json", "data/a.tar.gz"];
        assert_eq!(
            chosen(&none, None, None).unwrap_err(),
            "it has no file of Parquet, JSON lines, JSON or CSV"
        );
        let twice = ["train.csv", "data/train-00000-of-00001.parquet"];
        assert_eq!(chosen(&twice, None, None).unwrap(), ["data/train-00000-of-00001.parquet"]);
    }
}
