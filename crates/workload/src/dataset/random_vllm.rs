//! `random` as vLLM draws it, where it is given settings of its own, and what vLLM's other random datasets share with it.
//!
//! Lengths are drawn evenly from a range around the one asked for; a prompt is a stretch of the vocabulary from a drawn
//! place on, behind a prefix that all prompts of a run have. As in vLLM the lengths are those of the bare text: special
//! tokens that a completion server adds are taken off first, a chat template comes on top. Other than in vLLM, whose texts
//! may come out a few tokens off, they are exact; only plain tokens are used; and a batch is never a smaller one for being
//! the last.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tokometer_wire::{Input, Prompt};

use super::args::{args_with_common, wrong};
use super::exact::{Exact, Form, Measured};
use super::{Dataset, DatasetError, Drawn, Spec, random};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

/// The settings of `random`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    input_len: u32,
    output_len: Option<u32>,
    range_ratio: RangeRatio,
    prefix_len: u32,
    batch_size: u32,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            input_len: INPUT_LEN,
            output_len: None,
            range_ratio: RangeRatio::default(),
            prefix_len: 0,
            batch_size: 1,
        }
    }
}

/// Tokens of an input where no other number is given.
pub(super) const INPUT_LEN: u32 = 1024;

/// How far lengths lie from the one asked for, as a part of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a number from 0 to 1, or {input, output} with one each")]
pub(super) enum RangeRatio {
    /// The same for input and output.
    Both(f64),
    /// One for each.
    Each(Ratios),
}

/// How far the lengths of input and output lie from those asked for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ratios {
    pub(super) input: f64,
    pub(super) output: f64,
}

impl Default for RangeRatio {
    fn default() -> Self {
        Self::Both(0.0)
    }
}

impl RangeRatio {
    /// Both ratios, each from 0 to less than 1.
    pub(super) fn ratios(self, spec: &Spec) -> Result<Ratios, DatasetError> {
        let (ratios, fields) = match self {
            Self::Both(ratio) => {
                (Ratios { input: ratio, output: ratio }, ["range_ratio", "range_ratio"])
            }
            Self::Each(ratios) => (ratios, ["range_ratio.input", "range_ratio.output"]),
        };
        for (ratio, field) in [ratios.input, ratios.output].into_iter().zip(fields) {
            if !(0.0..1.0).contains(&ratio) {
                let why =
                    format!("{ratio} is outside [0, 1): give a part of the length, such as 0.2");
                return Err(wrong(spec, field, why));
            }
        }
        Ok(ratios)
    }
}

/// The lengths from `ratio` of `length` below it to as much above it.
pub(super) fn around(length: u32, ratio: f64) -> RangeInclusive<u32> {
    let length = f64::from(length);
    // What a float cannot hold in 32 bits is held to their bounds.
    let low = (length * (1.0 - ratio)).floor() as u32;
    low..=(length * (1.0 + ratio)).ceil() as u32
}

/// What vLLM's datasets of random lengths are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Tokens of the input, special tokens included.
    pub(super) input: u32,
    /// The most tokens of the output. `None`: as the load has it.
    pub(super) output: Option<u32>,
    /// How far both lie from that.
    pub(super) range: RangeRatio,
    /// Tokens of the prefix, on top.
    pub(super) prefix: u32,
}

/// Stretches of the vocabulary of drawn lengths.
#[derive(Debug)]
pub(super) struct Stretches {
    exact: Exact,
    offset: u64,
    inputs: RangeInclusive<u32>,
    outputs: Option<RangeInclusive<u32>>,
    prefix: usize,
}

impl Stretches {
    /// Checks what is wanted.
    pub(super) fn new(spec: &Spec, exact: Exact, wanted: Wanted) -> Result<Self, DatasetError> {
        let ratios = wanted.range.ratios(spec)?;
        let special = exact.special()?;
        let inputs = around(wanted.input.saturating_sub(special), ratios.input);
        if wanted.prefix.saturating_add(*inputs.start()) == 0 {
            let why = format!(
                "{} leaves no token for the shortest prompt, beside {special} special tokens and a range_ratio of {}",
                wanted.input, ratios.input
            );
            return Err(wrong(spec, "input_len", why));
        }
        Exact::check(spec, "prefix_len", wanted.prefix.into())?;
        Exact::check(spec, "input_len", u64::from(wanted.prefix) + u64::from(*inputs.end()))?;
        let outputs = wanted.output.map(|output| {
            let range = around(output, ratios.output);
            (*range.start()).max(1)..=(*range.end()).max(1)
        });
        Ok(Self { exact, offset: spec.offset, inputs, outputs, prefix: wanted.prefix as usize })
    }

    /// Tokens of the longest prompt.
    pub(super) fn longest(&self) -> u64 {
        self.prefix as u64 + u64::from(*self.inputs.end())
    }

    /// How prompts are made.
    pub(super) const fn exact(&self) -> &Exact {
        &self.exact
    }

    /// The prompt of that number.
    pub(super) fn drawn(&self, number: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let (prefix, own) = (self.prefix(seed)?, self.input_length(number, seed));
        let address = seed.stream("prompts").at(number);
        let begin = |rng: &mut ChaCha8Rng| self.begin(&prefix, own, number, rng);
        let drawn = self.exact.drawn(self.prefix + own, address, begin)?;
        Ok(drawn.answered_within(self.output(number, seed)))
    }

    /// The input of that number, outside any template.
    pub(super) fn input(&self, number: u64, seed: Seed) -> Result<Input, DatasetError> {
        let (prefix, own) = (self.prefix(seed)?, self.input_length(number, seed));
        let address = seed.stream("prompts").at(number);
        self.exact.input(self.prefix + own, address, |rng| self.begin(&prefix, own, number, rng))
    }

    /// The most tokens that the answer to the prompt of that number may have.
    pub(super) fn output(&self, number: u64, seed: Seed) -> Option<u32> {
        let outputs = self.outputs.clone()?;
        Some(seed.stream("max_tokens").at(number).rng().random_range(outputs))
    }

    fn input_length(&self, number: u64, seed: Seed) -> usize {
        seed.stream("lengths").at(number).rng().random_range(self.inputs.clone()) as usize
    }

    /// The ids that all prompts of a run begin with.
    fn prefix(&self, seed: Seed) -> Result<Arc<[u32]>, DatasetError> {
        self.exact.ids(self.prefix, seed.stream("prefixes"))
    }

    fn begin(&self, prefix: &[u32], own: usize, number: u64, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let mut ids = prefix.to_vec();
        ids.extend(stretch(self.exact.plain(), own, number.wrapping_add(self.offset), rng));
        ids
    }
}

/// So many consecutive ids of a vocabulary, from a drawn place on that is moved by `shift`.
pub(super) fn stretch<'a>(
    plain: &'a [u32],
    length: usize,
    shift: u64,
    rng: &mut ChaCha8Rng,
) -> impl Iterator<Item = u32> + use<'a> {
    let size = plain.len() as u64;
    let begin = (rng.random_range(0..size) + shift % size) % size;
    plain.iter().copied().cycle().skip(begin as usize).take(length)
}

/// Prompts one by one, or in batches.
#[derive(Debug)]
struct Random {
    stretches: Stretches,
    batch: u64,
}

/// Opens `random` with settings of its own.
pub(super) fn open(
    spec: &Spec,
    tokenizer: Arc<dyn Tokenizer>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (_, args) = args_with_common::<Args>(spec)?;
    if args.batch_size == 0 {
        return Err(wrong(spec, "batch_size", "a batch has at least 1 prompt"));
    }
    if spec.prefix_length > 0 {
        let why = "--prefix-length is for random without settings of its own: give prefix_len";
        return Err(DatasetError::Setting { dataset: random::ENTRY.name, why: why.to_owned() });
    }
    let exact = Exact::new(random::ENTRY.name, tokenizer, Form::of(spec), Measured::Alone)?;
    let wanted = Wanted {
        input: args.input_len,
        output: args.output_len,
        range: args.range_ratio,
        prefix: args.prefix_len,
    };
    let stretches = Stretches::new(spec, exact, wanted)?;
    Exact::check(spec, "batch_size", stretches.longest().saturating_mul(args.batch_size.into()))?;
    Ok(Box::new(Random { stretches, batch: u64::from(args.batch_size) }))
}

impl Dataset for Random {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        if self.batch == 1 {
            return self.stretches.drawn(index, seed);
        }
        let first = index.saturating_mul(self.batch);
        let mut inputs = Vec::new();
        let mut tokens = 0_u32;
        for number in first..first.saturating_add(self.batch) {
            let input = self.stretches.input(number, seed)?;
            tokens = tokens.saturating_add(self.stretches.exact().count(&input)?);
            inputs.push(input);
        }
        Ok(Drawn::of(Prompt::Batch(inputs), Some(tokens)))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::dataset;
    use crate::fixtures::{spec_of, tiny, with_special};
    use crate::tokenizer;

    fn spec(args: Value) -> Spec {
        spec_of("random", args)
    }

    fn random(spec: &Spec, tokenizer: &Arc<dyn Tokenizer>) -> Box<dyn Dataset> {
        dataset::open(spec, Some(Arc::clone(tokenizer))).unwrap()
    }

    fn refusal(args: Value) -> String {
        dataset::open(&spec(args), Some(tiny())).unwrap_err().to_string()
    }

    fn text(prompt: Prompt) -> String {
        match prompt {
            Prompt::Text(text) => text,
            Prompt::Messages(messages) => messages[0].content.as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lengths_are_drawn_evenly_from_around_the_one_asked_for() {
        let tiny = tiny();
        let args = json!({ "input_len": 30, "output_len": 10, "range_ratio": { "input": 0.1, "output": 0.5 } });
        let data = random(&spec(args), &tiny);
        let drawn: Vec<Drawn> =
            (0..600).map(|index| data.draw(index, Seed::new(1)).unwrap()).collect();
        let times = |lengths: Vec<u32>| {
            let each: BTreeSet<u32> = lengths.iter().copied().collect();
            each.into_iter().map(|n| (n, lengths.iter().filter(|m| **m == n).count())).collect()
        };
        let inputs: Vec<(u32, usize)> = times(drawn.iter().map(|it| it.tokens.unwrap()).collect());
        let outputs: Vec<(u32, usize)> =
            times(drawn.iter().map(|it| it.max_tokens.unwrap()).collect());
        assert!(inputs.iter().map(|(length, _)| *length).eq(27..=33), "{inputs:?}");
        assert!(outputs.iter().map(|(length, _)| *length).eq(5..=15), "{outputs:?}");
        for (lengths, kinds) in [(inputs, 7.0), (outputs, 11.0)] {
            let wanted: f64 = 600.0 / kinds;
            let chi: f64 = lengths.iter().map(|(_, n)| (*n as f64 - wanted).powi(2) / wanted).sum();
            // The 0.1 % point of chi-squared with 10 degrees of freedom.
            assert!(chi < 29.6, "{lengths:?}");
        }
    }

    #[test]
    fn the_bounds_are_rounded_outwards_as_vllm_does() {
        assert_eq!(around(100, 0.0), 100..=100);
        assert_eq!(around(15, 0.1), 13..=17);
        assert_eq!(around(1, 0.99), 0..=2);
        assert_eq!(around(u32::MAX, 0.9), 429_496_729..=u32::MAX);
    }

    #[test]
    fn special_tokens_are_taken_off_and_a_template_comes_on_top() {
        let special = with_special();
        let completions = random(&spec(json!({ "input_len": 40 })), &special);
        let drawn = completions.draw(5, Seed::new(1)).unwrap();
        assert_eq!(drawn.tokens, Some(40));
        let said = text(drawn.prompt);
        assert_eq!(special.encode(&said).unwrap().len(), 39);
        assert_eq!(special.count(&said).unwrap(), 40);

        let tiny = tiny();
        let chat = Spec { apply_chat_template: true, ..spec(json!({ "input_len": 40 })) };
        let drawn = random(&chat, &tiny).draw(5, Seed::new(1)).unwrap();
        let around = tiny.count_messages(&[crate::fixtures::user("")]).unwrap().unwrap();
        assert_eq!(drawn.tokens, Some(40 + around));
        assert_eq!(tiny.encode(&text(drawn.prompt)).unwrap().len(), 40);
    }

    #[test]
    fn ids_are_consecutive_entries_of_the_vocabulary() {
        let tiny = tiny();
        let ids = |offset, index| {
            let spec = Spec { tokenize_prompt: true, offset, ..spec(json!({ "input_len": 2000 })) };
            match random(&spec, &tiny).prompt(index, Seed::new(1)).unwrap() {
                Prompt::Tokens(ids) => ids,
                other => panic!("{other:?}"),
            }
        };
        let plain = tiny.plain();
        let place = |id: u32| plain.iter().position(|plain| *plain == id).unwrap();
        let first = ids(0, 0);
        assert_eq!(first.len(), 2000);
        assert!(first.windows(2).all(|pair| place(pair[1]) == (place(pair[0]) + 1) % plain.len()));
        assert_eq!(place(ids(3, 0)[0]), (place(first[0]) + 3) % plain.len());
        let begins: BTreeSet<u32> = (0..50).map(|index| ids(0, index)[0]).collect();
        assert!(begins.len() > 40, "places are drawn anew for each prompt");
    }

    #[test]
    fn a_prefix_is_the_same_for_all_and_on_top_of_the_length() {
        let tiny = tiny();
        let data = random(&spec(json!({ "input_len": 20, "prefix_len": 30 })), &tiny);
        let ids: Vec<Vec<u32>> = (0..20)
            .map(|index| tiny.encode(&text(data.prompt(index, Seed::new(3)).unwrap())).unwrap())
            .collect();
        assert!(ids.iter().all(|ids| ids.len() == 50));
        for other in &ids[1..] {
            let shared = ids[0].iter().zip(other).take_while(|(a, b)| a == b).count();
            // The prefix's last token may merge with what follows.
            assert!((28..=33).contains(&shared), "{shared} tokens are shared");
        }
        let other = tiny.encode(&text(data.prompt(0, Seed::new(4)).unwrap())).unwrap();
        assert_ne!(ids[0][..20], other[..20], "another run has another prefix");
    }

    #[test]
    fn batches_hold_the_prompts_that_would_come_one_by_one() {
        let tiny = tiny();
        let single = random(&spec(json!({ "input_len": 12, "range_ratio": 0.5 })), &tiny);
        let args = json!({ "input_len": 12, "range_ratio": 0.5, "batch_size": 3, "output_len": 9 });
        let batched = random(&spec(args), &tiny);
        let drawn = batched.draw(2, Seed::new(1)).unwrap();
        let singles: Vec<Drawn> =
            (6..9).map(|index| single.draw(index, Seed::new(1)).unwrap()).collect();
        assert_eq!(drawn.tokens, singles.iter().map(|it| it.tokens).sum());
        assert_eq!(drawn.max_tokens, None, "inputs to be encoded have no answer");
        let inputs = singles.into_iter().map(|it| Input::Text(text(it.prompt))).collect();
        assert_eq!(drawn.prompt, Prompt::Batch(inputs));
    }

    #[test]
    fn an_answer_is_limited_only_if_asked() {
        let data = random(&spec(json!({ "input_len": 30, "range_ratio": 0.9 })), &tiny());
        assert_eq!(data.draw(0, Seed::new(1)).unwrap().max_tokens, None);
        let args = json!({ "input_len": 30, "output_len": 1, "range_ratio": 0.9 });
        let data = random(&spec(args), &tiny());
        assert!((0..50).all(|index| data.draw(index, Seed::new(1)).unwrap().max_tokens >= Some(1)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert_eq!(
            refusal(json!({ "range_ratio": 1.0 })),
            "prompts.args.range_ratio of the dataset random: 1 is outside [0, 1): give a part of the length, such as 0.2"
        );
        let error = refusal(json!({ "range_ratio": { "input": 0.1, "output": -0.1 } }));
        assert!(error.starts_with("prompts.args.range_ratio.output of"), "{error}");
        let error = refusal(json!({ "range_ratio": "wide" }));
        assert!(
            error.contains("prompts.args.range_ratio of the dataset random: ")
                && error.contains("a number from 0 to 1"),
            "{error}"
        );
        let error = refusal(json!({ "range_ratio": { "input": 0.1 } }));
        assert!(error.contains("prompts.args.range_ratio"), "{error}");
        let error = refusal(json!({ "input_len": 0 }));
        assert!(
            error.starts_with("prompts.args.input_len of the dataset random: 0 leaves no token"),
            "{error}"
        );
        assert!(
            refusal(json!({ "input_len": 1, "range_ratio": 0.5 })).contains("a range_ratio of 0.5")
        );
        assert!(refusal(json!({ "batch_size": 0 })).contains("prompts.args.batch_size"));
        for (field, most) in
            [("input_len", u32::MAX), ("prefix_len", u32::MAX), ("batch_size", 1 << 20)]
        {
            let error = refusal(json!({ field: most }));
            assert!(error.contains(&format!("prompts.args.{field}")), "{error}");
            assert!(error.contains("at most 67108864 can be made"), "{error}");
        }
        assert!(refusal(json!({ "num_prefixes": 1 })).contains("there is no such setting"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn a_text_is_as_long_as_asked(
            length in 1..300_u32,
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
            let special = if which == 1 { 1 } else { 0 };
            let args = json!({ "input_len": length + special, "prefix_len": prefix });
            let data = random(&Spec { apply_chat_template: chat, ..spec(args) }, &tokenizer);
            let drawn = data.draw(index, Seed::new(seed)).unwrap();
            let ids = tokenizer.encode(&text(drawn.prompt.clone())).unwrap();
            prop_assert_eq!(ids.len() as u32, length + prefix);
            prop_assert!(!ids.iter().any(|id| tokenizer.is_special(*id)));
            prop_assert_eq!(data.draw(index, Seed::new(seed)).unwrap(), drawn);
        }
    }
}
