//! Texts made to fit: cut in their middle, or broken into lines.
//!
//! Deliberately no sizes are chosen here: whoever places a text knows which it may have.

use super::letters::{advance, width};

/// The signs of a text that may stand in XML and can be seen; a tab becomes a space.
pub(crate) fn clean(text: &str) -> String {
    let kept = |sign: char| match sign {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        '\u{fffe}' | '\u{ffff}' => None,
        sign if sign.is_control() => None,
        sign => Some(sign),
    };
    text.chars().filter_map(kept).collect()
}

/// The text in one line, without its middle if it is wider than the room: its beginning and its end tell most. Empty where there is
/// room for nothing.
pub(crate) fn cut(text: &str, size: f64, room: f64) -> String {
    let line = clean(text).lines().collect::<Vec<_>>().join(" · ");
    if width(&line, size) <= room {
        return line;
    }
    let signs: Vec<char> = line.chars().collect();
    let mut left = room / size - advance(ELLIPSIS);
    if left < 0.0 {
        return String::new();
    }
    let (mut head, mut tail) = (0, 0);
    while head + tail < signs.len() {
        let at_head = head <= tail;
        let sign = if at_head { signs[head] } else { signs[signs.len() - 1 - tail] };
        left -= advance(sign);
        if left < 0.0 {
            break;
        }
        if at_head { head += 1 } else { tail += 1 }
    }
    let beginning: String = signs[..head].iter().collect();
    let end: String = signs[signs.len() - tail..].iter().collect();
    format!("{}{ELLIPSIS}{}", beginning.trim_end(), end.trim_start())
}

/// The text in lines that are no wider than the room, as far as there are places to break it: behind spaces and around signs of
/// scripts that have none.
pub(crate) fn wrapped(text: &str, size: f64, room: f64) -> String {
    let clean = clean(text);
    let mut lines: Vec<String> = Vec::new();
    for given in clean.lines() {
        let mut line = String::new();
        for piece in pieces(given) {
            let longer = width(&line, size) + width(piece.trim_end(), size);
            if !line.is_empty() && longer > room {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            line.push_str(piece);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// The size among these at which each line of the text fits, and the text: cut line by line where none suffices.
pub(crate) fn shrunk(text: &str, sizes: &[f64], room: f64) -> (String, f64) {
    let text = clean(text);
    let fits = |size: &&f64| width(&text, **size) <= room;
    match (sizes.iter().find(fits), sizes.last()) {
        (Some(&size), _) => (text, size),
        (None, Some(&size)) => {
            let lines: Vec<String> = text.lines().map(|line| cut(line, size, room)).collect();
            (lines.join("\n"), size)
        }
        (None, None) => (text, 1.0),
    }
}

/// Parts between which a line may be broken. What stands in parentheses is broken only at its spaces.
fn pieces(line: &str) -> Vec<&str> {
    let is_square = |sign: char| ('\u{2e80}'..'\u{ff00}').contains(&sign);
    let mut pieces = Vec::new();
    let (mut from, mut depth) = (0, 0_usize);
    let mut before: Option<char> = None;
    for (index, sign) in line.char_indices() {
        let may_break = before.is_some_and(|before| {
            let is_beside_square = is_square(before) || is_square(sign) || sign == '（';
            let clings =
                matches!(sign, '。' | '，' | '、' | ',' | '.' | '/' | '%') || before == '/';
            (before == ' ' && sign != ' ')
                || (depth == 0 && is_beside_square && sign != ' ' && !clings)
        });
        if may_break {
            pieces.push(&line[from..index]);
            from = index;
        }
        depth = match sign {
            '（' | '(' => depth + 1,
            // The last one closes behind itself.
            _ if matches!(before, Some('）' | ')')) => depth.saturating_sub(1),
            _ => depth,
        };
        before = Some(sign);
    }
    pieces.push(&line[from..]);
    pieces
}

const ELLIPSIS: char = '…';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_keeps_its_beginning_and_its_end() {
        let short = cut("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", 9.5, 90.0);
        assert!(
            short.starts_with("Qwen/") && short.ends_with("-FP8") && short.contains('…'),
            "{short}"
        );
        assert_eq!(cut("short", 9.5, 90.0), "short");
        assert_eq!(cut("a\nb", 9.5, 90.0), "a · b");
        assert_eq!(cut("nothing", 9.5, 3.0), "");
    }

    #[test]
    fn lines_are_broken_at_spaces_and_between_signs_of_scripts_without_them() {
        assert_eq!(wrapped("Output token throughput", 10.0, 80.0), "Output token\nthroughput");
        assert_eq!(wrapped("输出吞吐量（词元/秒）", 10.0, 60.0), "输出吞吐量\n（词元/秒）");
        assert_eq!(wrapped("TPOT p99（毫秒）", 10.0, 40.0), "TPOT\np99\n（毫秒）");
        assert_eq!(wrapped("unbreakable", 10.0, 5.0), "unbreakable");
    }

    #[test]
    fn signs_that_cannot_be_seen_are_dropped() {
        assert_eq!(clean("a\u{0}\u{1b}[31mb\tc\u{ffff}\r\nd"), "a[31mb c\nd");
    }

    proptest! {
        #[test]
        fn what_is_cut_fits(text in "\\PC{0,60}", room in 0.0_f64..200.0) {
            prop_assert!(width(&cut(&text, 9.0, room), 9.0) <= room + 1e-9 || room <= 0.0);
        }
    }
}
