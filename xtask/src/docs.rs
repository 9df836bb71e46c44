//! The documents that are generated from code: written by `cargo xtask docs`, checked by `cargo xtask tidy`.
//!
//! Deliberately no text of its own: each comes whole from the crate that knows it.

use std::path::Path;

use crate::Failed;
use crate::tidy::Problem;

/// A document and where its text comes from.
struct Generated {
    path: &'static str,
    text: fn() -> String,
}

const GENERATED: [Generated; 2] = [
    Generated { path: "docs/metrics.md", text: tokometer_metrics::catalog::markdown },
    Generated { path: "docs/diagnosis.md", text: tokometer_metrics::diagnosis::markdown },
];

/// Writes them all.
pub(crate) fn write(root: &Path) -> Result<(), Failed> {
    for generated in GENERATED {
        let path = root.join(generated.path);
        std::fs::write(&path, (generated.text)())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("wrote {}", generated.path);
    }
    Ok(())
}

/// Those that are not what they would be written as.
pub(crate) fn outdated(root: &Path) -> Vec<Problem> {
    let outdated = GENERATED.iter().filter_map(|generated| {
        // One that cannot be read differs from its first line on.
        let found = std::fs::read_to_string(root.join(generated.path)).unwrap_or_default();
        let line = first_difference(&found, &(generated.text)())?;
        Some(Problem::new(
            generated.path,
            line,
            "differs from the code it is generated from",
            "run `cargo xtask docs`",
        ))
    });
    outdated.collect()
}

/// The first line, counted from 1, in which two texts differ. `None` if they are equal.
fn first_difference(found: &str, expected: &str) -> Option<usize> {
    let same = found
        .split('\n')
        .zip(expected.split('\n'))
        .take_while(|(found, expected)| found == expected);
    (found != expected).then(|| same.count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("", "a\n"), Some(1));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
