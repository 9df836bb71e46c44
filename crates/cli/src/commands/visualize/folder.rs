//! A folder that charts are written into: known to be writable before anything is drawn.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::trouble::Trouble;

/// A folder that was written to.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, where it is missing, and writes and removes a file in it.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) fn ready(path: &Path) -> Result<Self, Trouble> {
        let refused = |error: &std::io::Error| {
            Trouble::caused(format!("cannot write into {}", path.display()), error)
                .with_hint("--output names another folder")
        };
        fs::create_dir_all(path).map_err(|error| refused(&error))?;
        let probe = path.join(format!(".tokometer-{}", std::process::id()));
        File::create(&probe).map_err(|error| refused(&error))?;
        fs::remove_file(&probe).map_err(|error| refused(&error))?;
        Ok(Self(path.to_owned()))
    }

    /// Where a file of this name lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file; says where it lies.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, name: &str, what: impl AsRef<[u8]>) -> Result<PathBuf, Trouble> {
        let path = self.path(name);
        fs::write(&path, what)
            .map_err(|error| Trouble::caused(format!("cannot write {}", path.display()), &error))?;
        Ok(path)
    }
}
