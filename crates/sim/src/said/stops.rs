//! Stop strings: where one first appears in a text, and what of the text is told then.
//!
//! A text is known before it is said, so that its end is known too. Deliberately by vLLM's rules: a string counts once it is completed
//! by a token after the fewest that were asked for, and of two that one token completes the one that ends first.

/// Where a text ends, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// How many tokens are generated: the last one completes the string.
    pub(crate) tokens: u32,
    /// Which of the strings it is.
    pub(crate) which: usize,
    /// How many bytes of the text are told.
    pub(crate) told: usize,
}

/// What ends a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stops {
    /// The strings. None is empty.
    pub(crate) strings: Vec<String>,
    /// Whether the string is told too.
    pub(crate) kept: bool,
}

impl Stops {
    /// How many characters of a text are held back while it is not known whether they begin a stop string.
    pub(crate) fn held_back(&self) -> usize {
        let longest = self.strings.iter().map(|stop| stop.chars().count()).max();
        if self.kept { 0 } else { longest.unwrap_or(0).saturating_sub(1) }
    }
}

/// Where a text of these tokens ends because of a stop string. `None` if it does not. Strings that are complete with the first
/// `min_tokens` tokens do not count.
pub(crate) fn cut<'t>(
    tokens: impl Iterator<Item = &'t str>,
    min_tokens: u32,
    stops: &Stops,
) -> Option<Cut> {
    let longest = stops.strings.iter().map(String::len).max()?;
    let mut text = String::new();
    for (count, token) in (1_u32..).zip(tokens) {
        let before = text.len();
        text.push_str(token);
        if count <= min_tokens {
            continue;
        }
        // A string that this token completes begins no earlier than its own length before.
        let mut from = before.saturating_sub(longest);
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        let ended = |(which, stop): (usize, &String)| {
            let found = text[from..].match_indices(stop.as_str());
            let ends = found.map(|(start, _)| from + start + stop.len());
            ends.filter(|end| *end > before).min().map(|end| (end, which))
        };
        if let Some((end, which)) = stops.strings.iter().enumerate().filter_map(ended).min() {
            let told = if stops.kept { end } else { end - stops.strings[which].len() };
            return Some(Cut { tokens: count, which, told });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stops(strings: &[&str]) -> Stops {
        Stops { strings: strings.iter().map(|stop| (*stop).to_owned()).collect(), kept: false }
    }

    fn found(text: &[&str], min_tokens: u32, strings: &[&str]) -> Option<(u32, usize, usize)> {
        let cut = cut(text.iter().copied(), min_tokens, &stops(strings))?;
        Some((cut.tokens, cut.which, cut.told))
    }

    #[test]
    fn a_text_ends_with_the_token_that_completes_the_string_and_is_told_up_to_it() {
        let text = [" the", " people", " of"];
        assert_eq!(found(&text, 0, &["people"]), Some((2, 0, 5)));
        assert_eq!(found(&text, 0, &["e p"]), Some((2, 0, 3)));
        assert_eq!(found(&text, 0, &["e people o"]), Some((3, 0, 3)));
        assert_eq!(found(&text, 0, &["nowhere"]), None);
        assert_eq!(found(&text, 0, &[]), None);
    }

    #[test]
    fn of_two_strings_the_one_that_ends_first_counts_and_of_those_the_first_named() {
        let text = [" the", " people"];
        assert_eq!(found(&text, 0, &["people", "peo"]), Some((2, 1, 5)));
        assert_eq!(found(&text, 0, &["eo", "peo"]), Some((2, 0, 6)));
    }

    #[test]
    fn a_string_within_the_fewest_tokens_does_not_count() {
        let text = [" the", " the", " the"];
        assert_eq!(found(&text, 1, &["the"]), Some((2, 0, 5)));
        assert_eq!(found(&text, 3, &["the"]), None);
        // It may begin within them.
        assert_eq!(found(&text, 1, &["e the"]), Some((2, 0, 3)));
    }

    #[test]
    fn a_string_that_is_kept_is_told_to_its_end() {
        let kept = Stops { kept: true, ..stops(&["eo"]) };
        assert_eq!(cut([" people"].into_iter(), 0, &kept).unwrap().told, 4);
        assert_eq!((kept.held_back(), stops(&["eo", "peop"]).held_back()), (0, 3));
    }

    proptest! {
        #[test]
        fn what_is_told_holds_no_stop_string_and_is_followed_by_one(
            tokens in prop::collection::vec("[abé]{1,3}", 1..20),
            strings in prop::collection::vec("[abé]{1,4}", 1..4),
        ) {
            let stops = Stops { strings, kept: false };
            let text = tokens.concat();
            match cut(tokens.iter().map(String::as_str), 0, &stops) {
                None => prop_assert!(!stops.strings.iter().any(|stop| text.contains(stop))),
                Some(cut) => {
                    let (told, rest) = text.split_at(cut.told);
                    prop_assert!(!stops.strings.iter().any(|stop| told.contains(stop)));
                    prop_assert!(rest.starts_with(&stops.strings[cut.which]));
                    let end = cut.told + stops.strings[cut.which].len();
                    let through = |count: u32| tokens[..count as usize].concat().len();
                    prop_assert!(through(cut.tokens - 1) < end && end <= through(cut.tokens));
                }
            }
        }
    }
}
