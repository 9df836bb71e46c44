//! A tokenizer for those who have none: it knows the simulator's words, and takes anything else byte by byte.
//!
//! Tests and benchmarks use it. Deliberately no model's tokenizer: figures that count tokens by it say nothing of a real one.

use std::collections::HashMap;
use std::sync::LazyLock;

use tokometer_wire::Message;

use crate::said::Tokens;
use crate::said::english::WORDS;

/// A tokenizer whose tokens are common English words with the space before them, and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words;

impl Tokens for Words {
    fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match word(rest) {
                Some((id, length)) => {
                    ids.push(id);
                    length
                }
                None => {
                    ids.extend(rest[..first.len_utf8()].bytes().map(u32::from));
                    first.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        ids
    }

    fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for id in ids {
            match u8::try_from(*id) {
                Ok(byte) => bytes.push(byte),
                Err(_) => {
                    let word = WORDS.get((id - BYTES) as usize).copied().unwrap_or("?");
                    bytes.push(b' ');
                    bytes.extend(word.bytes());
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Eight bytes around every message, and eight before the answer.
    fn chat(&self, messages: &[Message]) -> Option<String> {
        let texts = messages.iter().map(|message| match message.content.as_str() {
            Some(text) => format!("<user>\n{text}\n"),
            None => format!("<user>\n{}\n", message.content),
        });
        Some(texts.chain(["<reply>\n".to_owned()]).collect())
    }
}

/// The word that a text begins with, if it is one that has a token, and its length with the space before it.
fn word(text: &str) -> Option<(u32, usize)> {
    let after = text.strip_prefix(' ')?;
    let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
    IDS.get(&after[..letters]).map(|id| (*id, 1 + letters))
}

/// The token of each word.
static IDS: LazyLock<HashMap<&'static str, u32>> =
    LazyLock::new(|| WORDS.iter().copied().zip(BYTES..).collect());

/// How many tokens are bytes. Words are numbered after them.
const BYTES: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_list_is_one_token_after_a_space() {
        let words = Words;
        let text: String = WORDS.iter().map(|word| format!(" {word}")).collect();
        assert_eq!(words.encode(&text).len(), WORDS.len());
        assert_eq!(words.decode(&words.encode(&text)), text);
    }

    #[test]
    fn any_text_comes_back_from_its_tokens() {
        let words = Words;
        for text in ["", " ", "the", " the the", " theatre ünïcode 你好 \u{1f680}", "  of\n of."]
        {
            assert_eq!(words.decode(&words.encode(text)), text);
        }
    }
}
