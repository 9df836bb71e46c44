//! What the simulated server says: words whose number of tokens is known before they are said.
//!
//! A client that counts tokens with the same tokenizer must come to the same number. So only words are said that are one token each,
//! wherever they stand. Deliberately makes no sense.

use std::fmt::Debug;

use rand::Rng;
use tokometer_wire::Message;

use crate::model::{GOLDEN, Purpose, rng, split_mix};
use crate::said::english::WORDS;

/// A tokenizer, as the simulator needs one. The program hands in the one that the client counts with.
pub trait Tokens: Send + Sync + Debug {
    /// The tokens of a text, without special ones.
    fn encode(&self, text: &str) -> Vec<u32>;

    /// How many tokens a completion's prompt has on the server, which may put special ones around it.
    fn count(&self, text: &str) -> usize {
        self.encode(text).len()
    }

    /// The text of tokens.
    fn decode(&self, ids: &[u32]) -> String;

    /// The text that a chat template makes of a conversation, the opening of the answer included. `None` without a template.
    fn chat(&self, messages: &[Message]) -> Option<String>;
}

/// The words of one tokenizer.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Each as it stands at the beginning of a text and as it stands after another word.
    words: Vec<(String, String)>,
    /// The tokens of each, at the beginning and after another word. Empty where words are not one token each.
    ids: Vec<(u32, u32)>,
}

/// Where one choice of one response is in its text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    draws: Draws,
    begun: bool,
}

/// A stream of random numbers, a few nanoseconds each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws(u64);

impl Vocabulary {
    /// The words that are one token each.
    ///
    /// A tokenizer that has no such words gets all of them: its counts are then the model's, and a client that counts for
    /// itself comes to others.
    pub(crate) fn of(tokens: &dyn Tokens) -> Self {
        let one = |text: &str| tokens.encode(text).len() == 1;
        let opening =
            |word: &str| [format!(" {word}"), word.to_owned()].into_iter().find(|text| one(text));
        let first = WORDS.iter().find_map(|word| opening(word)).unwrap_or_default();
        let words = WORDS.iter().filter_map(|word| {
            let after = format!(" {word}");
            let stands_after = tokens.encode(&format!("{first}{after}")).len() == 2;
            opening(word).filter(|_| stands_after).map(|opening| (opening, after))
        });
        let words: Vec<_> = words.collect();
        let id = |text: &str| tokens.encode(text).last().copied().unwrap_or_default();
        let ids =
            words.iter().map(|(opening, after)| (id(opening), id(&format!("{first}{after}"))));
        let ids = ids.collect();
        let all = || WORDS.iter().map(|word| (format!(" {word}"), format!(" {word}"))).collect();
        Self { words: if words.is_empty() { all() } else { words }, ids }
    }

    /// The tokens that `text` goes on with, without end. None where words are not one token each.
    pub(crate) fn ids(&self, mut text: Text) -> impl Iterator<Item = u32> + '_ {
        std::iter::from_fn(move || {
            let (opening, after) = self.ids.get(text.next() as usize % self.words.len())?;
            let begun = std::mem::replace(&mut text.begun, true);
            Some(if begun { *after } else { *opening })
        })
    }

    /// Appends the next `tokens` words of `text`.
    pub(crate) fn say(&self, text: &mut Text, tokens: u32, into: &mut String) {
        for _ in 0..tokens {
            into.push_str(self.word(text));
        }
    }

    /// The next word of `text`.
    pub(crate) fn word(&self, text: &mut Text) -> &str {
        let (opening, after) = &self.words[text.next() as usize % self.words.len()];
        if std::mem::replace(&mut text.begun, true) { after } else { opening }
    }

    /// How many words there are: one at least.
    pub(crate) const fn size(&self) -> usize {
        self.words.len()
    }

    /// The word of that number, as it stands after another.
    pub(crate) fn nth(&self, number: usize) -> &str {
        &self.words[number].1
    }
}

impl Text {
    /// The text of that choice of that request.
    pub(crate) fn new(seed: u64, request: u64, choice: u32) -> Self {
        Self { draws: Draws::new(seed).at(request, choice), begun: false }
    }

    /// What follows is a text of its own, which begins with its first word.
    pub(crate) const fn begin_again(&mut self) {
        self.begun = false;
    }

    fn next(&mut self) -> u64 {
        self.draws.next()
    }
}

impl Draws {
    /// The stream of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of that choice of that request.
    pub(crate) fn at(self, request: u64, choice: u32) -> Self {
        Self(rng(self.0, Purpose::Text, request, choice).next_u64())
    }

    /// A number from 0 on that is less than `count`, which is 1 at least.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// A number from 0 on that is less than 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next number, by SplitMix64: a word every few nanoseconds.
    pub(crate) fn next(&mut self) -> u64 {
        let drawn = split_mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Words;

    /// Puts a space before every text, as SentencePiece does: ` the` is two tokens where a text begins.
    #[derive(Debug)]
    struct SpaceAdded(Words);

    impl Tokens for SpaceAdded {
        fn encode(&self, text: &str) -> Vec<u32> {
            self.0.encode(&format!(" {text}"))
        }
        fn decode(&self, ids: &[u32]) -> String {
            self.0.decode(ids).trim_start().to_owned()
        }
        fn chat(&self, _: &[Message]) -> Option<String> {
            None
        }
    }

    /// A token for every byte.
    #[derive(Debug)]
    struct Letters;

    impl Tokens for Letters {
        fn encode(&self, text: &str) -> Vec<u32> {
            text.bytes().map(u32::from).collect()
        }
        fn decode(&self, ids: &[u32]) -> String {
            ids.iter().filter_map(|id| char::from_u32(*id)).collect()
        }
        fn chat(&self, _: &[Message]) -> Option<String> {
            None
        }
    }

    #[track_caller]
    fn assert_counts(tokens: &dyn Tokens) {
        let vocabulary = Vocabulary::of(tokens);
        for request in 0..50 {
            let (mut text, mut said) = (Text::new(1, request, 0), String::new());
            for chunk in [1, 4, 2] {
                vocabulary.say(&mut text, chunk, &mut said);
            }
            assert_eq!(tokens.encode(&said).len(), 7, "{said:?}");
        }
    }

    #[test]
    fn what_is_said_has_the_tokens_that_were_asked_for() {
        assert_counts(&Words);
        assert_counts(&SpaceAdded(Words));
    }

    #[test]
    fn the_same_request_says_the_same_and_another_something_else() {
        let vocabulary = Vocabulary::of(&Words);
        let say = |request, choice| {
            let mut said = String::new();
            vocabulary.say(&mut Text::new(1, request, choice), 8, &mut said);
            said
        };
        assert_eq!(say(1, 0), say(1, 0));
        assert_ne!(say(1, 0), say(2, 0));
        assert_ne!(say(1, 0), say(1, 1));
    }

    #[test]
    fn a_tokenizer_without_whole_words_still_makes_a_text() {
        let mut said = String::new();
        Vocabulary::of(&Letters).say(&mut Text::new(1, 0, 0), 3, &mut said);
        assert_eq!(said.split_whitespace().count(), 3);
    }
}
