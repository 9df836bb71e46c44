//! The rows of a sample that are passed over for what they are, and what is told of them where no row is left.
//!
//! Passing over some rows is no error: data sets have conversations without an answer, and texts that are too long. What was passed
//! over for a length that the load sets is counted elsewhere, for text files have that too.

use std::collections::BTreeSet;
use std::path::Path;

use super::DatasetError;
use super::rows::Place;
use super::sample::Address;

/// Why a row is passed over.
#[derive(Debug)]
pub(super) enum Skip {
    /// It lacks what is asked, as some rows of the data set do: how so.
    Form(String),
    /// It is beyond a bound: which, and where it is itself.
    Bounds(String),
    /// It is of another category than the one that is wanted.
    Category { dataset: &'static str, wanted: String, found: String },
}

/// The rows that were passed over for what they are.
#[derive(Default)]
pub(super) struct Skipped {
    count: u64,
    /// The first in the files, of each kind.
    form: Option<(Address, Place, String)>,
    bounds: Option<(Address, Place, String)>,
    /// The data set, the category that is wanted, and those that there are.
    category: Option<(&'static str, String, BTreeSet<String>)>,
}

impl Skipped {
    /// Notes a row.
    pub(super) fn note(&mut self, address: Address, place: Place, skip: Skip) {
        self.count += 1;
        let first = |held: &mut Option<(Address, Place, String)>, why| {
            if held.as_ref().is_none_or(|(before, ..)| address < *before) {
                *held = Some((address, place, why));
            }
        };
        match skip {
            Skip::Form(why) => first(&mut self.form, why),
            Skip::Bounds(why) => first(&mut self.bounds, why),
            Skip::Category { dataset, wanted, found } => {
                let (.., there) =
                    self.category.get_or_insert_with(|| (dataset, wanted, BTreeSet::new()));
                if there.len() < MOST_CATEGORIES {
                    there.insert(found);
                }
            }
        }
    }

    /// Why no row will do, where all were passed over.
    pub(super) fn error(&self, path: &Path, form: &'static str) -> DatasetError {
        let empty = |why| DatasetError::Empty { path: path.to_owned(), why };
        match self {
            Self { bounds: Some((_, place, why)), count, .. } => {
                empty(format!("none of its {count} rows will do; {}: {why}", place.within()))
            }
            Self { category: Some((dataset, wanted, there)), .. } => {
                let there = there.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                DatasetError::Argument {
                    dataset: (*dataset).to_owned(),
                    field: "category".to_owned(),
                    why: format!("there is no category {wanted}; those there are: {there}"),
                }
            }
            Self { form: Some((_, place, why)), .. } => place.wrong(why.clone(), form),
            _ => empty(format!("it has no rows; it should be {form}")),
        }
    }
}

/// Categories that are told: a file of another kind may have one a row.
const MOST_CATEGORIES: usize = 40;
