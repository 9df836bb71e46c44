//! No file names a place on the machine of whoever wrote it.

use super::{File, Problem, lines};

/// Finds the absolute paths of one machine.
pub(super) fn check(file: &File) -> Vec<Problem> {
    if file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let found = lines(&file.text).filter_map(|(number, line)| {
        let place = PLACES.iter().find(|place| names(line, place))?;
        let what = format!("names `{place}`, a place on one machine");
        Some(Problem::new(&file.path, number, what, "use a relative path, or a temporary folder"))
    });
    found.collect()
}

/// Whether `line` has a path that begins with `place`: not one that goes through a folder of that name.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-~/*$}])>".contains(before))
    })
}

// In two parts, so that this file does not name them.
const PLACES: [&str; 5] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("/", "tmp/bg"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: String) -> Vec<usize> {
        let file = File { path: "a.md".into(), text };
        check(&file).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn each_place_is_found_wherever_it_stands() {
        for place in PLACES {
            for line in [
                format!("{place}x"),
                format!("see `{place}x`"),
                format!("\"{place}x\""),
                format!("file://{place}x ({place}y)"),
            ] {
                assert_eq!(problems(format!("first\n{line}\n")), [2], "{line}");
            }
        }
    }

    #[test]
    fn a_folder_of_the_same_name_within_a_path_is_no_place() {
        for place in PLACES {
            for line in [
                format!("a{place}x"),
                format!("..{place}x"),
                format!("{{dir}}{place}x"),
                format!("<dir>{place}x"),
            ] {
                assert_eq!(problems(line.clone()), [0; 0], "{line}");
            }
        }
    }

    #[test]
    fn the_lock_file_is_not_ours_to_mend() {
        let file = File { path: "fuzz/Cargo.lock".into(), text: PLACES.concat() };
        assert_eq!(check(&file), []);
    }
}
