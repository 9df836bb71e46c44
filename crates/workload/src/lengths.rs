//! Making a text exactly so many tokens long.
//!
//! Tokenizers do not promise that decoding and encoding again gives the same ids: neighbours merge, and halves of characters
//! turn into U+FFFD. So a text is decoded, encoded and corrected until what is measured is what is wanted. This module only
//! fits lengths; which ids to begin with, and what else a prompt needs, is its callers' affair.

use crate::tokenizer::{Tokenizer, TokenizerError, common_words};

/// What came of fitting a text.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    /// The text.
    pub(crate) text: String,
    /// The ids that it was decoded from, each as an encoder gave it.
    pub(crate) ids: Vec<u32>,
    /// Whether it measures what was wanted.
    pub(crate) exact: bool,
}

/// Decodes `ids` and encodes the text again, cutting or filling at its end, until `measure` gives `goal`.
///
/// `measure` tells the tokens of the whole that a text is part of: they are taken to be `around` more than its own until it was
/// asked. `fill` gives as many further ids as it is asked for. After ten rounds the last text is given back as it is.
pub(crate) fn converge(
    tokenizer: &dyn Tokenizer,
    ids: Vec<u32>,
    goal: usize,
    around: usize,
    mut measure: impl FnMut(&str) -> Result<usize, TokenizerError>,
    mut fill: impl FnMut(usize) -> Vec<u32>,
) -> Result<Fitted, TokenizerError> {
    let mut resized = |mut ids: Vec<u32>, length: usize| {
        ids.truncate(length);
        ids.extend(fill(length - ids.len()));
        ids
    };
    // Ids that no encoder gave are seldom those of their own text, so that is seen to before anything is measured.
    let text = decode(tokenizer, &ids)?;
    let mut ids = resized(encode(tokenizer, &text)?, goal.saturating_sub(around));
    let mut round = 1;
    loop {
        let text = decode(tokenizer, &ids)?;
        let measured = measure(&text)?;
        if measured == goal || round == ROUNDS {
            return Ok(Fitted { text, ids, exact: measured == goal });
        }
        let own = encode(tokenizer, &text)?;
        let length = (own.len() + goal).saturating_sub(measured);
        ids = resized(own, length);
        round += 1;
    }
}

fn decode(tokenizer: &dyn Tokenizer, ids: &[u32]) -> Result<String, TokenizerError> {
    if ids.is_empty() { Ok(String::new()) } else { tokenizer.decode(ids) }
}

fn encode(tokenizer: &dyn Tokenizer, text: &str) -> Result<Vec<u32>, TokenizerError> {
    if text.is_empty() { Ok(Vec::new()) } else { tokenizer.encode(text) }
}

/// The text of at most `most` tokens that `text` begins with: the text itself if it is no longer.
pub(crate) fn cut(
    tokenizer: &dyn Tokenizer,
    text: &str,
    most: usize,
) -> Result<Fitted, TokenizerError> {
    let ids = tokenizer.encode(text)?;
    if ids.len() <= most {
        return Ok(Fitted { text: text.to_owned(), exact: ids.len() == most, ids });
    }
    let mut best: Option<Fitted> = None;
    let mut keep = most;
    for _ in 0..ROUNDS {
        let mut begun = tokenizer.decode(&ids[..keep])?;
        if !text.starts_with(&begun) {
            // The cut went through a character.
            begun.truncate(begun.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        }
        let measured = tokenizer.encode(&begun)?;
        let fitted = Fitted { exact: measured.len() == most, text: begun, ids: measured };
        if fitted.exact {
            return Ok(fitted);
        }
        let length = fitted.ids.len();
        if length < most && best.as_ref().is_none_or(|best| best.ids.len() < length) {
            best = Some(fitted);
        }
        let next = if length > most { keep.saturating_sub(length - most) } else { keep + 1 };
        if next == 0 || next >= ids.len() {
            break;
        }
        keep = next;
    }
    Ok(best.unwrap_or_else(|| Fitted { text: String::new(), ids: Vec::new(), exact: most == 0 }))
}

/// Ids of words that stay one token each, wherever they are put. Empty if the vocabulary has none of those asked after.
pub(crate) fn stable_words(tokenizer: &dyn Tokenizer) -> Result<Vec<u32>, TokenizerError> {
    let words: Vec<&str> = common_words().take(WORDS).collect();
    let mut stable = Vec::with_capacity(words.len());
    let mut groups = vec![words.as_slice()];
    while let Some(group) = groups.pop() {
        // Behind another word, so that the first stands no other than the rest.
        let ids = tokenizer.encode(&format!("{ANCHOR} {}", group.join(" ")))?;
        if ids.len() == group.len() + 1 {
            stable.extend(&ids[1..]);
        } else if group.len() > 1 {
            let (left, right) = group.split_at(group.len() / 2);
            groups.extend([right, left]);
        }
    }
    Ok(stable)
}

/// As many rounds as EvalScope takes.
const ROUNDS: usize = 10;
const WORDS: usize = 128;
const ANCHOR: &str = "a";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::tiny;
    use crate::tokenizer;

    #[test]
    fn a_text_that_is_short_is_filled_and_one_that_is_long_is_cut() {
        let tiny = tiny();
        let word = tiny.encode(" people").unwrap();
        assert_eq!(word.len(), 1);
        let measure = |text: &str| tiny.count(text).map(|count| count as usize);
        for begin in [0, 3, 30] {
            let fitted =
                converge(&*tiny, word.repeat(begin), 10, 0, measure, |count| word.repeat(count))
                    .unwrap();
            assert!(fitted.exact);
            assert_eq!(fitted.text, " people".repeat(10));
        }
    }

    #[test]
    fn what_is_measured_decides_and_not_what_was_expected() {
        let tiny = tiny();
        let word = tiny.encode(" people").unwrap();
        for around in [0, 3, 7, 20] {
            let measure = |text: &str| tiny.count(text).map(|count| count as usize + 3);
            let fitted =
                converge(&*tiny, word.clone(), 10, around, measure, |count| word.repeat(count))
                    .unwrap();
            assert!(fitted.exact);
            assert_eq!(fitted.ids.len(), 7);
        }
    }

    #[test]
    fn what_does_not_settle_is_given_back_as_it_is() {
        let tiny = tiny();
        let fitted = converge(&*tiny, vec![0], 10, 0, |_| Ok(9), |_| Vec::new()).unwrap();
        assert!(!fitted.exact);
    }

    #[test]
    fn a_cut_goes_through_no_character() {
        let tiny = tiny();
        let text = "龥龥龥";
        let ids = tiny.encode(text).unwrap();
        assert!(ids.len() > 6, "the fixture spells rare characters in bytes");
        let cut = cut(&*tiny, text, 4).unwrap();
        assert_eq!(cut.text, "龥");
        assert!(cut.ids.len() <= 4);
    }

    #[test]
    fn stable_words_are_found_in_any_vocabulary() {
        for tokenizer in [tiny(), tokenizer::embedded()] {
            let words = stable_words(&*tokenizer).unwrap();
            assert!(words.len() > 50, "{} in {}", words.len(), tokenizer.label());
            let text = tokenizer.decode(&words).unwrap();
            assert_eq!(tokenizer.encode(&text).unwrap().len(), words.len());
        }
    }

    proptest! {
        #[test]
        fn a_cut_is_a_beginning_and_not_too_long(text in ".{0,40}", most in 0..30_usize) {
            let tiny = tiny();
            let cut = cut(&*tiny, &text, most).unwrap();
            // The tokenizer's normalizer may have spelt it otherwise.
            let normal = tiny.decode(&tiny.encode(&text).unwrap()).unwrap();
            prop_assert!(text == cut.text || normal.starts_with(&cut.text));
            prop_assert!(tiny.encode(&cut.text).unwrap().len() <= most);
        }
    }
}
