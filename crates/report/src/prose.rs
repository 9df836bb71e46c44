//! Lines of text: their width on a terminal, wrapping, and what a stranger's words may contain.

use unicode_width::UnicodeWidthStr;

/// The width to which paragraphs are wrapped.
pub(crate) const WIDTH: usize = 100;

/// The columns that a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text and as many blanks as make it `width` columns.
pub(crate) fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// As [`pad`], with the blanks in front.
pub(crate) fn pad_left(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text))))
}

/// The text in the middle of `width` columns, without blanks behind it.
pub(crate) fn centred(text: &str, within: usize) -> String {
    format!("{}{text}", " ".repeat(within.saturating_sub(width(text)) / 2))
}

/// Breaks a text into lines of at most `limit` columns: between words where it can, within a word where it must.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text) {
        for piece in pieces(&word, limit.max(2)) {
            let line = lines.last_mut().expect("there is always a last line");
            let gap = usize::from(!line.is_empty());
            if width(line) + gap + width(&piece) <= limit || line.is_empty() {
                line.push_str(if gap == 1 { " " } else { "" });
                line.push_str(&piece);
            } else {
                lines.push(piece);
            }
        }
    }
    lines
}

/// The lines of a text, at most `limit` columns wide: the first one behind `lead`, the others as far in.
pub(crate) fn hanging(lead: &str, text: &str, limit: usize) -> Vec<String> {
    let indent = width(lead);
    let lines = wrap(text, limit.saturating_sub(indent)).into_iter().enumerate();
    let lead = |index| if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
    lines.map(|(index, line)| lead(index) + &line).collect()
}

/// A paragraph: the first line behind `lead`, the others as far in.
pub(crate) fn paragraph(lead: &str, text: &str) -> String {
    hanging(lead, text, WIDTH).join("\n") + "\n"
}

/// The text as it stands at the beginning of a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A stranger's words, fit to be printed: no control characters, no change of direction, blanks run together, and at most
/// `limit` characters.
pub(crate) fn quoted(words: &str, limit: usize) -> String {
    let harmless = words.replace(|c: char| c.is_control() || is_directional(c), " ");
    let plain = harmless.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= limit {
        return plain;
    }
    let kept: String = plain.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The words of a text. A figure and its unit are one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let unit =
            UNITS.contains(&word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '%'));
        match words
            .last_mut()
            .filter(|before| unit && before.ends_with(|c: char| c.is_ascii_digit()))
        {
            Some(figure) => {
                figure.push(' ');
                figure.push_str(word);
            }
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// Units that do not begin a line.
const UNITS: [&str; 4] = ["%", "s", "ms", "tok/s"];

/// A word cut into pieces of at most `limit` columns.
fn pieces(word: &str, limit: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in word.chars() {
        let piece = pieces.last_mut().expect("there is always a last piece");
        let longer = width(piece) + width(c.encode_utf8(&mut [0; 4]));
        if longer > limit {
            pieces.push(c.to_string());
        } else {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_move_to_the_next_line_whole() {
        assert_eq!(wrap("try a higher load", 8), ["try a", "higher", "load"]);
    }

    #[test]
    fn a_unit_stays_with_its_figure() {
        assert_eq!(wrap("it used 85.2 % of it", 12), ["it used", "85.2 % of it"]);
        assert_eq!(wrap("for 12 ms, then", 6), ["for", "12 ms,", "then"]);
        assert_eq!(wrap("a % b", 1), ["a", "%", "b"]);
    }

    #[test]
    fn a_word_that_is_too_long_is_cut() {
        assert_eq!(wrap("/models/Qwen3-32B", 8), ["/models/", "Qwen3-32", "B"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("模型"), 4);
        assert_eq!(pad("模型", 6), "模型  ");
        assert_eq!(wrap("模型模型", 4), ["模型", "模型"]);
    }

    #[test]
    fn a_paragraph_hangs_from_its_lead() {
        let text = paragraph("• ", &"word ".repeat(25));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("• word") && lines[1].starts_with("  word"));
    }

    #[test]
    fn a_server_s_words_cannot_steer_the_terminal() {
        assert_eq!(quoted("bad\u{1b}[31m\r\n\tnews\u{202e}", 80), "bad [31m news");
        assert_eq!(quoted("0123456789", 5), "0123…");
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_word_is_lost(text in "\\PC{0,60}", limit in 2_usize..30) {
            let lines = wrap(&text, limit);
            prop_assert!(lines.iter().all(|line| width(line) <= limit), "{lines:?}");
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
