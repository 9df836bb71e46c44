//! `prefix_repetition`: a few long prefixes, each shared by many prompts, to see what a prefix cache is worth.
//!
//! Every prefix has as many prompts as any other, one more at most; vLLM drops the requests that do not divide evenly. All
//! prefixes have come once before one comes again, in an order drawn anew for every round, or without `shuffle` always in
//! turn; vLLM shuffles them as a whole, or sends those of one prefix after the other. Lengths are exact, and only plain
//! tokens are used.

use std::sync::Arc;

use rand::RngExt;
use serde::Deserialize;

use super::args::{args_with_common, wrong};
use super::exact::{Exact, Form, Measured};
use super::order::shuffled;
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "prefix_repetition",
    help: "random prefixes, each shared by many prompts",
    file: None,
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) => Ok(Box::new(Repeated::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset prefix_repetition".to_owned() }),
    },
};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    prefix_len: u32,
    suffix_len: u32,
    num_prefixes: u32,
    output_len: Option<u32>,
}

impl Default for Args {
    fn default() -> Self {
        Self { prefix_len: 256, suffix_len: 256, num_prefixes: 10, output_len: None }
    }
}

#[derive(Debug)]
struct Repeated {
    exact: Exact,
    args: Args,
    shuffle: bool,
    offset: u64,
}

impl Repeated {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let (common, args) = args_with_common::<Args>(spec)?;
        if args.num_prefixes == 0 {
            return Err(wrong(spec, "num_prefixes", "there must be at least 1"));
        }
        if args.prefix_len.saturating_add(args.suffix_len) == 0 {
            return Err(wrong(spec, "suffix_len", "a prompt has at least 1 token"));
        }
        Exact::check(spec, "prefix_len", args.prefix_len.into())?;
        let whole = u64::from(args.prefix_len) + u64::from(args.suffix_len);
        Exact::check(spec, "suffix_len", whole)?;
        let exact = Exact::new(ENTRY.name, tokenizer, Form::of(spec), Measured::Alone)?;
        Ok(Self { exact, args, shuffle: common.shuffle, offset: spec.offset })
    }

    /// The number of the prefix that the request with this index has.
    fn prefix_of(&self, index: u64, seed: Seed) -> u64 {
        let count = u64::from(self.args.num_prefixes);
        let (round, place) = (index / count, index % count);
        match self.shuffle {
            true => shuffled(place, count, seed.stream("order").at(round)),
            false => place,
        }
    }
}

impl Dataset for Repeated {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let (prefix_len, suffix_len) =
            (self.args.prefix_len as usize, self.args.suffix_len as usize);
        let number = self.prefix_of(index, seed);
        let prefix = self.exact.ids(prefix_len, seed.stream("prefixes").at(number))?;
        let plain = self.exact.plain();
        let address = seed.stream("prompts").at(self.offset.wrapping_add(index));
        let drawn = self.exact.drawn(prefix_len + suffix_len, address, |rng| {
            let suffix = (0..suffix_len).map(|_| plain[rng.random_range(0..plain.len())]);
            prefix.iter().copied().chain(suffix).collect()
        })?;
        Ok(drawn.answered_within(self.args.output_len))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokometer_wire::Prompt;

    use super::*;
    use crate::dataset;
    use crate::fixtures::{spec_of, tiny, with_special};

    fn spec(args: Value) -> Spec {
        spec_of(ENTRY.name, args)
    }

    fn ids(data: &dyn Dataset, index: u64) -> Vec<u32> {
        match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Tokens(ids) => ids,
            Prompt::Text(text) => tiny().encode(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn numbers(args: Value, count: u64) -> Vec<u64> {
        let repeated = Repeated::new(&spec(args), tiny()).unwrap();
        (0..count).map(|index| repeated.prefix_of(index, Seed::new(1))).collect()
    }

    #[test]
    fn every_prefix_has_as_many_prompts_as_any_other() {
        let numbers = numbers(json!({ "num_prefixes": 7 }), 7 * 20 + 3);
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        numbers.iter().for_each(|number| *times.entry(*number).or_default() += 1);
        assert!(times.keys().copied().eq(0..7));
        assert!(times.values().all(|times| [20, 21].contains(times)), "{times:?}");
        assert_ne!(numbers[..7], numbers[7..14], "every round has an order of its own");
    }

    #[test]
    fn without_shuffling_prefixes_come_in_turn() {
        assert_eq!(numbers(json!({ "num_prefixes": 3, "shuffle": false }), 5), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn prompts_of_a_prefix_share_it_and_no_more() {
        let args = json!({ "prefix_len": 40, "suffix_len": 20, "num_prefixes": 2, "shuffle": false, "output_len": 5 });
        let data = dataset::open(&spec(args), Some(tiny())).unwrap();
        let shared = |a: u64, b: u64| {
            let (a, b) = (ids(&*data, a), ids(&*data, b));
            assert_eq!((a.len(), b.len()), (60, 60));
            a.iter().zip(&b).take_while(|(a, b)| a == b).count()
        };
        // The prefix's last token may merge with what follows.
        assert!((38..=43).contains(&shared(0, 2)), "{}", shared(0, 2));
        assert!((38..=43).contains(&shared(1, 3)), "{}", shared(1, 3));
        assert!(shared(0, 1) < 5, "{}", shared(0, 1));
        assert_eq!(data.draw(0, Seed::new(1)).unwrap().max_tokens, Some(5));
    }

    #[test]
    fn a_prefix_is_made_once_for_each_seed() {
        let args = json!({ "prefix_len": 40, "num_prefixes": 2 });
        let repeated = Repeated::new(&spec(args), tiny()).unwrap();
        let ids = |seed, number| repeated.exact.ids(40, Seed::new(seed).at(number)).unwrap();
        assert!(Arc::ptr_eq(&ids(1, 0), &ids(1, 0)));
        assert!(ids(1, 0) != ids(1, 1) && ids(1, 0) != ids(2, 0));
    }

    #[test]
    fn ids_share_their_prefix_exactly() {
        let args = json!({ "prefix_len": 40, "suffix_len": 20, "num_prefixes": 1 });
        let spec = Spec { tokenize_prompt: true, ..spec(args) };
        let data = dataset::open(&spec, Some(tiny())).unwrap();
        let (first, second) = (ids(&*data, 0), ids(&*data, 1));
        assert_eq!(first[..40], second[..40]);
        assert_ne!(first[40..], second[40..]);
        assert_eq!(first.len(), 60);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refusal = |args| dataset::open(&spec(args), Some(tiny())).unwrap_err().to_string();
        assert!(refusal(json!({ "num_prefixes": 0 })).contains("prompts.args.num_prefixes"));
        assert!(refusal(json!({ "prefix_len": 0, "suffix_len": 0 })).contains("suffix_len"));
        assert!(refusal(json!({ "prefix_len": u32::MAX })).contains("prompts.args.prefix_len"));
        assert!(refusal(json!({ "suffix_len": u32::MAX })).contains("prompts.args.suffix_len"));
        assert!(refusal(json!({ "input_len": 1 })).contains("prompts.args.input_len"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn prompts_are_as_long_as_asked(
            prefix in 0..60_u32,
            suffix in 1..60_u32,
            seed: u64,
            index in 0..1000_u64,
            special: bool,
        ) {
            let tokenizer = if special { with_special() } else { tiny() };
            let args = json!({ "prefix_len": prefix, "suffix_len": suffix, "num_prefixes": 3 });
            let data = dataset::open(&spec(args), Some(Arc::clone(&tokenizer))).unwrap();
            let drawn = data.draw(index, Seed::new(seed)).unwrap();
            let Prompt::Text(text) = &drawn.prompt else { panic!("text was asked for") };
            prop_assert_eq!(tokenizer.encode(text).unwrap().len() as u32, prefix + suffix);
            prop_assert_eq!(drawn.tokens, Some(prefix + suffix + u32::from(special)));
            prop_assert_eq!(data.draw(index, Seed::new(seed)).unwrap(), drawn);
        }
    }
}
