//! The form of Rust sources: an opening that says what the file is for, a length that can be read, nothing left unfinished.

use super::{File, Problem, lines};

/// Finds what a source may not have.
pub(super) fn check(file: &File) -> Vec<Problem> {
    let File { path, text } = file;
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if !text.starts_with("//!") {
        let mend = "open it with `//!`: what it is for, then what it deliberately does not do";
        problems.push(Problem::new(path, 1, "does not say what it is for", mend));
    }
    let length = length(text);
    if length > LONGEST && !is_test(path) {
        let what = format!("{length} lines before its tests, more than {LONGEST}");
        problems.push(Problem::new(path, LONGEST + 1, what, "split it by meaning"));
    }
    for (number, line) in lines(text) {
        let found = FORBIDDEN.iter().filter(|(found, ..)| has(line, found));
        problems.extend(
            found.map(|(found, mend)| Problem::new(path, number, format!("`{found}`"), *mend)),
        );
    }
    problems
}

/// How many lines come before the tests: the module in this file that only tests have.
fn length(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let tests = (0..lines.len()).find(|&start| {
        let mut below = lines[start + 1..].iter().skip_while(|line| line.starts_with("#["));
        lines[start] == "#[cfg(test)]"
            && below.next().is_some_and(|item| item.contains("mod ") && item.ends_with('{'))
    });
    tests.unwrap_or(lines.len())
}

/// Whether a file is all tests.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// Whether `line` has `found`, and not as a part of a longer word.
fn has(line: &str, found: &str) -> bool {
    let part_of_word = |neighbour: Option<char>| {
        neighbour.is_some_and(|neighbour| neighbour.is_alphanumeric() || neighbour == '_')
    };
    line.match_indices(found).any(|(start, _)| {
        let word = found.starts_with(char::is_alphanumeric);
        let before = line[..start].chars().next_back();
        let after = line[start + found.len()..].chars().next();
        !(word && (part_of_word(before) || !found.ends_with('(') && part_of_word(after)))
    })
}

/// The most lines before a file's tests.
const LONGEST: usize = 500;

// In two parts, so that this file does not have them.
const FORBIDDEN: [(&str, &str); 8] = [
    (concat!("#[", "ignore]"), "give the reason: `#[ignore = \"…\"]`"),
    (concat!("#[", "allow("), "use `#[expect(…, reason = \"…\")]`"),
    (concat!("#![", "allow("), "use `#![expect(…, reason = \"…\")]`"),
    (concat!("todo", "!("), "finish it"),
    (concat!("unimplemented", "!("), "finish it"),
    (concat!("dbg", "!("), "take it out"),
    (concat!("TO", "DO"), "do it, or file an issue"),
    (concat!("FIX", "ME"), "do it, or file an issue"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: impl Into<String>) -> Vec<(usize, String)> {
        let file = File { path: path.into(), text: text.into() };
        check(&file).into_iter().map(|problem| (problem.line, problem.what)).collect()
    }

    #[test]
    fn a_source_opens_with_what_it_is_for() {
        assert_eq!(problems("a.rs", "//! For this.\n"), []);
        assert_eq!(
            problems("a.rs", "use b;\n//! For this.\n"),
            [(1, "does not say what it is for".into())]
        );
        assert_eq!(problems("a.rs", ""), [(1, "does not say what it is for".into())]);
        assert_eq!(problems("a.md", "text"), []);
    }

    #[test]
    fn lines_are_counted_up_to_the_tests() {
        let long = |lines: usize| format!("//!\n{}", "x\n".repeat(lines - 1));
        let tests = "#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(problems("a.rs", long(500)), []);
        for tests in [tests, "#[cfg(test)]\n#[expect(x)]\npub(crate) mod tests {\n}\n"] {
            assert_eq!(problems("a.rs", long(500) + tests), []);
        }
        let what = "501 lines before its tests, more than 500".to_owned();
        assert_eq!(problems("a.rs", long(501) + tests), [(501, what)]);
        assert_eq!(problems("crates/a/tests/it/b.rs", long(501)), []);
        assert_eq!(problems("crates/a/src/b/tests.rs", long(501)), []);
        assert_eq!(problems("crates/a/src/b/latests.rs", long(501)).len(), 1);
    }

    #[test]
    fn a_test_only_item_does_not_begin_the_tests() {
        for item in ["use x;", "mod x;"] {
            let text = format!("//!\n#[cfg(test)]\n{item}\n{}", "x\n".repeat(498));
            assert_eq!(problems("a.rs", text).len(), 1, "{item}");
        }
    }

    #[test]
    fn what_is_unfinished_or_silenced_is_found() {
        for (found, _) in FORBIDDEN {
            let text = format!("//!\n    {found}\n// {found}: x\n");
            let expected = [(2, format!("`{found}`")), (3, format!("`{found}`"))];
            assert_eq!(problems("a.rs", text), expected);
        }
    }

    #[test]
    fn words_that_only_look_like_it_are_not() {
        let (todo, fixme) = (FORBIDDEN[6].0, FORBIDDEN[7].0);
        let text = format!(
            "//!\n#[ignore = \"needs a network\"]\n#[expect(dead_code, reason = \"x\")]\n{todo}S MAS{todo} {fixme}_NOT my{}\n",
            FORBIDDEN[3].0
        );
        assert_eq!(problems("a.rs", text), []);
    }
}
