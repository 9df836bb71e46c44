//! What a plan needs of the world: variables, files, a seed.
//!
//! Deliberately nothing else is asked of it: no clock, no network.

use std::io;
use std::path::Path;

/// What a plan needs of the world.
pub trait Environment {
    /// The environment variable of that name.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// A seed for a plan that names none: a new one for each run.
    fn fresh_seed(&self) -> u64;
}

#[cfg(test)]
pub(crate) mod testing {
    //! A world of a few variables and files.

    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    /// An environment with these variables and files, and the seed 7.
    #[derive(Default)]
    pub(crate) struct Fixed {
        variables: BTreeMap<String, String>,
        files: BTreeMap<PathBuf, String>,
    }

    impl Fixed {
        pub(crate) fn with<const N: usize>(variables: [(&str, &str); N]) -> Self {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            Self { variables: variables.into_iter().map(owned).collect(), files: BTreeMap::new() }
        }

        pub(crate) fn and_file(mut self, path: &str, text: &str) -> Self {
            self.files.insert(path.into(), text.into());
            self
        }
    }

    impl Environment for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).cloned()
        }

        fn read(&self, path: &Path) -> io::Result<String> {
            let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
            self.files.get(path).cloned().ok_or_else(missing)
        }

        fn fresh_seed(&self) -> u64 {
            7
        }
    }
}
