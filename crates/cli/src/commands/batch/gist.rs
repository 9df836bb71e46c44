//! Reasons in short, for lines that have no room for the whole of them.

/// The first line, and of a long one its beginning: the rest stands in the combination's file.
pub(super) fn gist(text: &str) -> String {
    let line = first_line(text);
    match line.char_indices().nth(GIST) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}

/// The first line of a text.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Characters of a reason that are shown.
const GIST: usize = 160;
