//! A small tokenizer that is always there, for when the server's own is not to be had. Its counts are estimates.
//!
//! It knows some thousand common English words, each one token behind a space or without, capitalised or not, as in nearly
//! every vocabulary. Everything else is cut about as large vocabularies cut it on average, and carried in the id itself, so
//! that nothing is ever lost: decoding what was encoded gives the same text. It deliberately imitates no one vocabulary.

mod packed;
mod words;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Map;

use super::{ChatTemplate, Tokenizer, TokenizerError, length};

/// The words that are one token each in nearly every vocabulary.
pub(crate) fn common_words() -> impl Iterator<Item = &'static str> {
    words::COMMON.split_ascii_whitespace()
}

/// The embedded tokenizer.
#[derive(Debug)]
pub(super) struct Embedded {
    plain: Vec<u32>,
    template: ChatTemplate,
}

impl Embedded {
    pub(super) fn new() -> Self {
        let plain =
            (0..common_words().count()).map(|word| id_of(word, 0, Capital::No, 0)).collect();
        let template = ChatTemplate::parse(CHATML, Map::new(), LABEL, jiff::Zoned::now())
            .expect("ChatML is a well-formed template: the tests render it");
        Self { plain, template }
    }
}

impl Tokenizer for Embedded {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        let mut rest = text;
        while !rest.is_empty() {
            rest = &rest[take(rest, &mut ids)..];
        }
        Ok(ids)
    }

    fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        let mut text = String::with_capacity(ids.len() * 5);
        for &id in ids {
            match packed::is_packed(id) {
                true => packed::write(id, &mut text),
                false => write_word(id, &mut text),
            }
        }
        Ok(text)
    }

    fn plain(&self) -> &[u32] {
        &self.plain
    }

    fn is_special(&self, id: u32) -> bool {
        (id as usize) < SPECIALS.len()
    }

    fn template(&self) -> Option<&ChatTemplate> {
        Some(&self.template)
    }

    fn count(&self, text: &str) -> Result<u32, TokenizerError> {
        Ok(length(&self.encode(text)?))
    }

    fn label(&self) -> String {
        LABEL.to_owned()
    }

    fn estimates(&self) -> bool {
        true
    }
}

/// Encodes the beginning of `text`, which is not empty, and returns how many bytes that was: at least one character.
fn take(text: &str, ids: &mut Vec<u32>) -> usize {
    for (id, special) in (0..).zip(SPECIALS) {
        if text.starts_with(special) {
            ids.push(id);
            return special.len();
        }
    }
    let space = usize::from(text.starts_with(' '));
    match text[space..].bytes().next() {
        Some(byte) if byte.is_ascii_alphabetic() => take_letters(text, space, ids),
        Some(byte) if byte.is_ascii_punctuation() => {
            let bytes = text.as_bytes();
            let joins = space == 0 && bytes.get(1).is_some_and(u8::is_ascii_alphabetic);
            if joins && PREFIXES.iter().any(|prefix| prefix.as_bytes() == &bytes[..1]) {
                return take_letters(text, 1, ids);
            }
            take_punctuation(text, space, ids)
        }
        _ => packed::take_other(text, ids),
    }
}

/// Encodes a run of punctuation with the newlines behind it, up to where a special token may begin.
fn take_punctuation(text: &str, space: usize, ids: &mut Vec<u32>) -> usize {
    let marks = text[space..].bytes().take_while(u8::is_ascii_punctuation).count();
    let marks = text[space + 1..space + marks].find('<').map_or(marks, |at| at + 1);
    let newlines = text[space + marks..].bytes().take_while(|byte| *byte == b'\n').count();
    let run = space + marks + newlines;
    ids.extend(text.as_bytes()[..run].chunks(MARKS_AT_ONCE).map(packed::ascii));
    run
}

/// Encodes a run of letters behind `before` bytes, a space or a mark: camel humps one by one, each a word or fragments.
fn take_letters(text: &str, before: usize, ids: &mut Vec<u32>) -> usize {
    let letters = text[before..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let run = &text[..before + letters];
    let bytes = run.as_bytes();
    let (mut start, mut word) = (0, before);
    while word < bytes.len() {
        let mut end = word + 1;
        while end < bytes.len() && !is_hump(bytes, end) {
            end += 1;
        }
        let prefix = PREFIXES.iter().position(|prefix| *prefix == &run[start..word]);
        match (look_up(&run[word..end]), prefix) {
            (Some((number, ending, capital)), Some(prefix)) => {
                ids.push(id_of(number, ending, capital, prefix));
            }
            _ => {
                if start < word && !run.starts_with(' ') {
                    ids.push(packed::ascii(&bytes[start..word]));
                    start = word;
                }
                packed::fragments(&run[start..end], ids);
            }
        }
        (start, word) = (end, end);
    }
    run.len()
}

/// Whether a new hump begins at `at`: a capital behind a small letter, or before one and behind another capital.
fn is_hump(bytes: &[u8], at: usize) -> bool {
    let capital = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    let small = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    capital(at) && (small(at - 1) || (capital(at - 1) && small(at + 1)))
}

/// The id's parts for a word as it is spelt, save its space. `None` if neither it nor what it is an ending of is known.
fn look_up(word: &str) -> Option<(usize, Ending, Capital)> {
    let small = word.to_ascii_lowercase();
    let capital = match (word == small, word[1..] == small[1..]) {
        (true, _) => Capital::No,
        (false, true) => Capital::Yes,
        (false, false) => return None,
    };
    if let Some(&number) = NUMBERS.get(small.as_str()) {
        return Some((number, 0, capital));
    }
    let inflected = (0..).zip(ENDINGS).skip(1).find_map(|(ending, (cut, added))| {
        let stem = small.strip_suffix(added)?;
        let number = match cut {
            "" => NUMBERS.get(stem),
            cut => NUMBERS.get(format!("{stem}{cut}").as_str()),
        };
        Some((*number?, ending))
    });
    inflected.map(|(number, ending)| (number, ending, capital))
}

fn write_word(id: u32, text: &mut String) {
    let id = id as usize;
    let Some(id) = id.checked_sub(SPECIALS.len()) else {
        text.push_str(SPECIALS[id]);
        return;
    };
    let (id, prefix) = (id / PREFIXES.len(), PREFIXES[id % PREFIXES.len()]);
    let (id, is_capital) = (id / 2, id % 2 == 1);
    let (number, (cut, added)) = (id / ENDINGS.len(), ENDINGS[id % ENDINGS.len()]);
    let Some(word) = WORDS.get(number) else {
        text.push(char::REPLACEMENT_CHARACTER);
        return;
    };
    let stem = word.strip_suffix(cut).unwrap_or(word);
    text.push_str(prefix);
    let initial = text.len();
    text.push_str(stem);
    text.push_str(added);
    if is_capital {
        text[initial..=initial].make_ascii_uppercase();
    }
}

/// The number of an ending in [`ENDINGS`].
type Ending = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capital {
    Yes,
    No,
}

fn id_of(word: usize, ending: Ending, capital: Capital, prefix: usize) -> u32 {
    let capital = usize::from(capital == Capital::Yes);
    let form = ((word * ENDINGS.len() + ending) * 2 + capital) * PREFIXES.len() + prefix;
    u32::try_from(SPECIALS.len() + form)
        .expect("some thousand words have some hundred thousand forms")
}

/// Every word, the common ones first.
static WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| common_words().chain(words::MORE.split_ascii_whitespace()).collect());

static NUMBERS: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| WORDS.iter().enumerate().map(|(number, word)| (*word, number)).collect());

const LABEL: &str = "embedded (estimates)";
const SPECIALS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// What may stand before a word in the same token: a space first, then nothing, then the marks that join most often.
const PREFIXES: [&str; 8] = [" ", "", "_", ".", "(", "-", "<", "="];
/// What is cut off a word and what is added to it, to make another that is as common.
const ENDINGS: [(&str, &str); 9] = [
    ("", ""),
    ("", "s"),
    ("", "es"),
    ("", "ed"),
    ("", "d"),
    ("", "ing"),
    ("e", "ing"),
    ("", "er"),
    ("", "ly"),
];
const MARKS_AT_ONCE: usize = 4;
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
    '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::user;

    fn embedded() -> Embedded {
        Embedded::new()
    }

    fn pieces(text: &str) -> Vec<String> {
        let ids = embedded().encode(text).unwrap();
        ids.iter().map(|id| embedded().decode(&[*id]).unwrap()).collect()
    }

    #[test]
    fn words_are_one_token_each_in_every_form() {
        assert_eq!(
            pieces("The people worked, making JSON."),
            ["The", " people", " worked", ",", " making", " JS", "ON", "."]
        );
    }

    #[test]
    fn names_in_code_are_cut_at_their_humps() {
        assert_eq!(
            pieces("self.readLine(page_size)"),
            ["self", ".read", "Line", "(page", "_size", ")"]
        );
    }

    #[test]
    fn unknown_words_are_cut_into_fragments() {
        assert_eq!(pieces(" zyxwvutsrq Zyxwvutsrq"), [" zyxwvu", "tsrq", " Zyx", "wvutsr", "q"]);
    }

    #[test]
    fn the_last_of_several_spaces_goes_with_the_word() {
        assert_eq!(pieces("a);\n    if"), ["a", ");\n", "   ", " if"]);
    }

    #[test]
    fn five_ideographs_are_three_tokens() {
        assert_eq!(pieces("模型部署压测"), ["模型", "部署", "压", "测"]);
    }

    #[test]
    fn special_tokens_are_one_token_each() {
        assert_eq!(pieces("=<|im_end|>"), ["=", "<|im_end|>"]);
    }

    #[test]
    fn common_words_stay_what_they_are() {
        let embedded = embedded();
        let text = embedded.decode(embedded.plain()).unwrap();
        assert_eq!(embedded.encode(&text).unwrap(), embedded.plain());
    }

    #[test]
    fn no_word_is_listed_twice() {
        assert_eq!(NUMBERS.len(), WORDS.len());
        assert!(embedded().plain().len() > 2000);
    }

    #[test]
    fn its_template_takes_eight_tokens() {
        assert_eq!(embedded().count_messages(&[user(" people work")]).unwrap(), Some(10));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in ".*") {
            let ids = embedded().encode(&text).unwrap();
            prop_assert_eq!(embedded().decode(&ids).unwrap(), text);
        }

        #[test]
        fn nothing_of_code_and_prose_is_lost(text in r"([ \n]|[a-z]{1,12}|[A-Z][a-z]*|[A-Z]{1,5}|[0-9]|<|\||im_end|[-_.,;:(){}=]|[一-龥]|[а-я]|é|<\|im_start\|>){0,60}") {
            let ids = embedded().encode(&text).unwrap();
            prop_assert_eq!(embedded().decode(&ids).unwrap(), text);
        }

        #[test]
        fn any_id_has_a_text(id: u32) {
            embedded().decode(&[id]).unwrap();
        }

        #[test]
        fn common_words_in_any_order_stay_what_they_are(picks in proptest::collection::vec(0..2000_usize, 0..50)) {
            let embedded = embedded();
            let ids: Vec<u32> = picks.iter().map(|pick| embedded.plain()[*pick]).collect();
            prop_assert_eq!(embedded.encode(&embedded.decode(&ids).unwrap()).unwrap(), ids);
        }
    }
}
