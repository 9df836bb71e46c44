//! `random`: prompts of consecutive vocabulary entries, exactly as long as asked.
//!
//! The length is what the server will count: the chat template, or the special tokens around a text, are taken off first,
//! and the finished prompt is measured inside them, where its ends may merge with theirs. The prompts mean nothing, and no
//! two share more than the prefix asked for. With settings of its own the dataset is drawn as vLLM draws it, which is
//! [`super::random_vllm`]'s affair.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::exact::{Exact, Form, Measured};
use super::{Dataset, DatasetError, Drawn, Entry, Spec, random_vllm};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "random",
    help: "random tokens of an exact number",
    file: None,
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) if !spec.args.is_empty() => random_vllm::open(spec, tokenizer),
        Some(tokenizer) => Ok(Box::new(Random::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset random".to_owned() }),
    },
};

#[derive(Debug)]
struct Random {
    exact: Exact,
    /// Tokens of the content, without template and prefix.
    lengths: RangeInclusive<u32>,
    offset: u64,
    prefix_length: usize,
    prefix_count: u64,
}

impl Random {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let setting = |why| DatasetError::Setting { dataset: ENTRY.name, why };
        let exact = Exact::new(ENTRY.name, tokenizer, Form::of(spec), Measured::Served)?;
        let room = (exact.plain().len() as u64).saturating_pow(spec.prefix_length.min(2));
        if u64::from(spec.prefix_count) > room {
            return Err(setting(format!(
                "there are only {room} different prefixes of that length"
            )));
        }
        let overhead = exact.overhead();
        let Some(longest) = spec.max_prompt_length.checked_sub(overhead) else {
            return Err(setting(format!(
                "--max-prompt-length {} leaves no room beside the {overhead} tokens of the chat template",
                spec.max_prompt_length
            )));
        };
        let shortest = spec.min_prompt_length.saturating_sub(overhead);
        Ok(Self {
            exact,
            lengths: shortest..=longest,
            offset: spec.offset,
            prefix_length: spec.prefix_length as usize,
            prefix_count: u64::from(spec.prefix_count),
        })
    }

    /// The ids to begin with: the prefix, and a stretch of the vocabulary.
    fn begin(&self, index: u64, length: usize, seed: Seed, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let plain = self.exact.plain();
        let size = plain.len() as u64;
        let mut ids = self.prefix(index % self.prefix_count, seed);
        let offset = rng.random_range(0..size).wrapping_add(self.offset);
        let begin = offset.wrapping_add(index) % size;
        let at = |step: u64| match size >= LARGE {
            true => (begin + step) % size,
            // Stretches of a small vocabulary would coincide, and the server's prefix cache would know them.
            false => (begin + rng.random_range(0..size)) % size,
        };
        ids.extend((0..length as u64).map(at).map(|at| plain[at as usize]));
        ids
    }

    /// The prefix of that number. Different numbers have different prefixes: their first two ids count them.
    fn prefix(&self, number: u64, seed: Seed) -> Vec<u32> {
        let plain = self.exact.plain();
        let size = plain.len() as u64;
        let mut own = seed.stream("prefixes").at(number).rng();
        let mut common = seed.stream("prefixes").rng();
        let (first, second) = (common.random_range(0..size), common.random_range(0..size));
        (0..self.prefix_length)
            .map(|position| match position {
                0 => (first + number) % size,
                1 if self.prefix_count > size => (second + number / size) % size,
                _ => own.random_range(0..size),
            })
            .map(|at| plain[at as usize])
            .collect()
    }
}

impl Dataset for Random {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let own =
            seed.stream("lengths").at(index).rng().random_range(self.lengths.clone()) as usize;
        let address = seed.stream("prompts").at(index);
        self.exact.drawn(own + self.prefix_length, address, |rng| self.begin(index, own, seed, rng))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

/// A vocabulary of so many ids has stretches enough for every request to have its own.
const LARGE: u64 = 1 << 14;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use tokometer_wire::Prompt;

    use super::*;
    use crate::dataset::{self, length::user};
    use crate::fixtures::{tiny, with_special};
    use crate::tokenizer::{self, TokenizerError};

    fn spec(min: u32, max: u32) -> Spec {
        Spec {
            name: ENTRY.name.to_owned(),
            min_prompt_length: min,
            max_prompt_length: max,
            ..Spec::default()
        }
    }

    fn random(spec: &Spec, tokenizer: &Arc<dyn Tokenizer>) -> Box<dyn Dataset> {
        dataset::open(spec, Some(Arc::clone(tokenizer))).unwrap()
    }

    /// The tokens of a prompt as a server with this tokenizer would count them, and its text.
    fn served(prompt: &Prompt, tokenizer: &dyn Tokenizer) -> (u32, String) {
        match prompt {
            Prompt::Messages(messages) => {
                let text = messages[0].content.as_str().unwrap().to_owned();
                (tokenizer.count_messages(messages).unwrap().unwrap(), text)
            }
            Prompt::Text(text) => (tokenizer.count(text).unwrap(), text.clone()),
            Prompt::Tokens(ids) => (ids.len() as u32, String::new()),
            other => panic!("random prompts are no {other:?}"),
        }
    }

    #[test]
    fn lengths_are_drawn_from_the_whole_range() {
        let tiny = tiny();
        let data = random(&spec(20, 24), &tiny);
        let counts: BTreeSet<u32> = (0..100)
            .map(|index| served(&data.prompt(index, Seed::new(1)).unwrap(), &*tiny).0)
            .collect();
        assert_eq!(counts, (20..=24).collect());
    }

    #[test]
    fn a_length_below_the_templates_own_is_the_templates_own() {
        let tiny = tiny();
        let around = tiny.count_messages(&[user(String::new())]).unwrap().unwrap();
        let data = random(&spec(0, around), &tiny);
        assert_eq!(data.draw(0, Seed::new(1)).unwrap().tokens, Some(around));
    }

    #[test]
    fn no_room_beside_the_template_is_refused() {
        let error = dataset::open(&spec(0, 3), Some(tiny())).unwrap_err().to_string();
        assert!(error.contains("--max-prompt-length 3 leaves no room beside the"), "{error}");
    }

    #[test]
    fn ids_are_sent_as_they_are() {
        let spec = Spec { tokenize_prompt: true, ..spec(100, 100) };
        let Prompt::Tokens(ids) = random(&spec, &tiny()).prompt(3, Seed::new(1)).unwrap() else {
            panic!("ids were asked for");
        };
        assert_eq!(ids.len(), 100);
    }

    #[test]
    fn a_large_vocabulary_is_gone_through_in_order() {
        #[derive(Debug)]
        struct Large(Vec<u32>);
        impl Tokenizer for Large {
            fn encode(&self, _text: &str) -> Result<Vec<u32>, TokenizerError> {
                Ok(Vec::new())
            }
            fn decode(&self, _ids: &[u32]) -> Result<String, TokenizerError> {
                Ok(String::new())
            }
            fn plain(&self) -> &[u32] {
                &self.0
            }
            fn is_special(&self, _id: u32) -> bool {
                false
            }
            fn template(&self) -> Option<&crate::tokenizer::ChatTemplate> {
                None
            }
            fn count(&self, _text: &str) -> Result<u32, TokenizerError> {
                Ok(0)
            }
            fn label(&self) -> String {
                "large".to_owned()
            }
            fn estimates(&self) -> bool {
                false
            }
        }
        let large: Arc<dyn Tokenizer> = Arc::new(Large((0..50_000).map(|id| id * 2).collect()));
        let ids = |index, offset| {
            let spec = Spec { tokenize_prompt: true, offset, ..spec(60_000, 60_000) };
            match random(&spec, &large).prompt(index, Seed::new(1)).unwrap() {
                Prompt::Tokens(ids) => ids,
                other => panic!("{other:?}"),
            }
        };
        let first = ids(0, 0);
        assert!(first.windows(2).all(|pair| pair[1] == (pair[0] + 2) % 100_000));
        assert_eq!(ids(0, 7)[0], (first[0] + 14) % 100_000);
        assert_ne!(ids(1, 0)[0], first[0]);
    }

    #[test]
    fn prefixes_come_in_turn_and_on_top_of_the_length() {
        let tiny = tiny();
        let spec =
            Spec { prefix_length: 12, prefix_count: 3, tokenize_prompt: true, ..spec(20, 20) };
        let data = random(&spec, &tiny);
        let prefix = |index| match data.prompt(index, Seed::new(5)).unwrap() {
            Prompt::Tokens(ids) => {
                assert_eq!(ids.len(), 32);
                ids[..12].to_vec()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(prefix(0), prefix(3));
        assert_eq!((0..3).map(prefix).collect::<BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn prefixes_of_one_token_are_still_different() {
        let tiny = tiny();
        let spec =
            Spec { prefix_length: 1, prefix_count: 1400, tokenize_prompt: true, ..spec(1, 1) };
        let data = random(&spec, &tiny);
        let firsts: BTreeSet<u32> = (0..1400)
            .map(|index| match data.prompt(index, Seed::new(5)).unwrap() {
                Prompt::Tokens(ids) => ids[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(firsts.len(), 1400);
        let error = dataset::open(&Spec { prefix_count: 1401, ..spec }, Some(tiny))
            .unwrap_err()
            .to_string();
        assert!(error.contains("there are only 1400 different prefixes"), "{error}");
    }

    #[test]
    fn requests_with_the_same_prefix_share_its_text() {
        let tiny = tiny();
        let data = random(&Spec { prefix_length: 40, ..spec(60, 60) }, &tiny);
        let text = |index| served(&data.prompt(index, Seed::new(5)).unwrap(), &*tiny).1;
        let (first, second) = (text(0), text(1));
        let shared = first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count();
        assert!(shared > 60, "{shared} bytes are shared");
        assert_ne!(first, second);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_prompt_is_as_long_as_asked(
            length in 0..300_u32,
            prefix in prop_oneof![Just(0_u32), 1..40_u32],
            seed: u64,
            index in 0..10_000_u64,
            chat: bool,
            which in 0..3,
        ) {
            let tokenizer = match which {
                0 => tiny(),
                1 => with_special(),
                _ => tokenizer::embedded(),
            };
            let spec = Spec {
                apply_chat_template: chat,
                prefix_length: prefix,
                ..spec(length + 12, length + 12)
            };
            let data = random(&spec, &tokenizer);
            let drawn = data.draw(index, Seed::new(seed)).unwrap();
            let (count, text) = served(&drawn.prompt, &*tokenizer);
            prop_assert_eq!(count, length + 12 + prefix);
            prop_assert_eq!(drawn.tokens, Some(count));
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(!ids.iter().any(|id| tokenizer.is_special(*id)), "{}", text);
            prop_assert_eq!(data.draw(index, Seed::new(seed)).unwrap(), drawn);
        }
    }
}
