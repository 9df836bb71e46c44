//! `random-rerank`: one random query for a whole run, and random documents to be ranked by it, drawn as vLLM draws them.
//!
//! A query takes about half of the tokens of a pair and its document the rest. How a model joins the two is its own affair;
//! one token between them is reckoned with, as vLLM does. Nothing is generated, so there is no length of an output.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::RngExt;
use serde::Deserialize;
use tokometer_wire::Prompt;

use super::args::{args_with_common, wrong};
use super::exact::{Exact, Form, Measured};
use super::once::Once;
use super::random_vllm::{INPUT_LEN, RangeRatio, around, stretch};
use super::{Dataset, DatasetError, Drawn, Entry, Spec};
use crate::seed::Seed;
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "random-rerank",
    help: "a random query, and random documents to be ranked by it",
    file: None,
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| match tokenizer {
        Some(tokenizer) => Ok(Box::new(Rerank::new(spec, tokenizer)?)),
        None => Err(DatasetError::NoTokenizer { what: "--dataset random-rerank".to_owned() }),
    },
};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Args {
    /// Tokens of a query and a document together; of each, without a reranker.
    input_len: u32,
    /// Read, for vLLM's command line has it, and nothing else.
    #[serde(rename = "output_len")]
    _output_len: Option<u32>,
    range_ratio: RangeRatio,
    /// Documents of a request; without a reranker inputs, the query being one.
    batch_size: u32,
    /// Whether the model reads the query together with each document.
    reranker: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            input_len: INPUT_LEN,
            _output_len: None,
            range_ratio: RangeRatio::default(),
            batch_size: 1,
            reranker: true,
        }
    }
}

#[derive(Debug)]
struct Rerank {
    exact: Exact,
    offset: u64,
    input: u32,
    reranker: bool,
    /// Documents of a request.
    documents: u64,
    /// How far lengths lie from those asked for.
    ratio: f64,
    special: u32,
    /// The query of a run, and its length.
    query: Once<(String, u32)>,
}

impl Rerank {
    fn new(spec: &Spec, tokenizer: Arc<dyn Tokenizer>) -> Result<Self, DatasetError> {
        let (_, args) = args_with_common::<Args>(spec)?;
        if spec.tokenize_prompt {
            let why = "queries and documents are sent as text, not as token ids".to_owned();
            return Err(DatasetError::Setting { dataset: ENTRY.name, why });
        }
        let ratio = args.range_ratio.ratios(spec)?.input;
        let (documents, too_few) = match args.reranker {
            true => (args.batch_size, "a request has at least 1 document"),
            false => (
                args.batch_size.saturating_sub(1),
                "without a reranker the query is one of the batch, which so takes at least 2",
            ),
        };
        if documents == 0 {
            return Err(wrong(spec, "batch_size", too_few));
        }
        let exact = Exact::new(ENTRY.name, tokenizer, Form::Text, Measured::Alone)?;
        let special = exact.special()?;
        let rerank = Self {
            exact,
            offset: spec.offset,
            input: args.input_len,
            reranker: args.reranker,
            documents: u64::from(documents),
            ratio,
            special,
            query: Once::default(),
        };
        let queries = rerank.queries();
        let longest = u64::from(*queries.end())
            .max(u64::from(*rerank.documents_beside(*queries.start()).end()));
        Exact::check(spec, "input_len", longest.saturating_mul(2))?;
        Exact::check(spec, "batch_size", longest.saturating_mul(2 * rerank.documents))?;
        if *queries.start() == 0 || *rerank.documents_beside(*queries.end()).start() == 0 {
            let why = format!(
                "{} tokens leave none for the shortest query or document, beside {special} special tokens and a \
                 range_ratio of {ratio}",
                args.input_len
            );
            return Err(wrong(spec, "input_len", why));
        }
        Ok(rerank)
    }

    /// How long a query may be.
    fn queries(&self) -> RangeInclusive<u32> {
        self.lengths(match self.reranker {
            true => (self.input / 2).saturating_sub(SEPARATOR),
            false => self.input,
        })
    }

    /// How long documents may be beside a query of that length.
    fn documents_beside(&self, query: u32) -> RangeInclusive<u32> {
        self.lengths(match self.reranker {
            true => self.input.saturating_sub(query + SEPARATOR),
            false => self.input,
        })
    }

    fn lengths(&self, length: u32) -> RangeInclusive<u32> {
        around(length.saturating_sub(self.special), self.ratio)
    }

    /// A text of a length out of `lengths`, and that length.
    fn text(
        &self,
        lengths: RangeInclusive<u32>,
        number: u64,
        address: Seed,
    ) -> Result<(String, u32), DatasetError> {
        let length = address.stream("length").rng().random_range(lengths);
        let shift = number.wrapping_add(self.offset);
        let text = self.exact.text(length as usize, address, |rng| {
            stretch(self.exact.plain(), length as usize, shift, rng).collect()
        })?;
        Ok((text, length))
    }
}

impl Dataset for Rerank {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let address = seed.stream("query");
        let (query, asked) = self.query.at(address, 1, || self.text(self.queries(), 0, address))?;
        // A reranker reads the query anew with each document; another model reads it once.
        let mut tokens = if self.reranker { 0 } else { asked };
        let first = index.saturating_mul(self.documents);
        let mut documents = Vec::new();
        for number in first..first.saturating_add(self.documents) {
            let address = seed.stream("prompts").at(number);
            let (document, length) =
                self.text(self.documents_beside(asked), number + 1, address)?;
            tokens += length + if self.reranker { asked + SEPARATOR } else { 0 };
            documents.push(document);
        }
        Ok(Drawn::of(Prompt::Rerank { query, documents }, Some(tokens)))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

/// Tokens between a query and a document.
const SEPARATOR: u32 = 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::dataset;
    use crate::fixtures::{spec_of, tiny, with_special};

    fn spec(args: Value) -> Spec {
        spec_of(ENTRY.name, args)
    }

    fn drawn(
        args: Value,
        tokenizer: &Arc<dyn Tokenizer>,
        index: u64,
    ) -> (String, Vec<String>, u32) {
        let data = dataset::open(&spec(args), Some(Arc::clone(tokenizer))).unwrap();
        let drawn = data.draw(index, Seed::new(1)).unwrap();
        assert_eq!(drawn, data.draw(index, Seed::new(1)).unwrap());
        assert_eq!(drawn.max_tokens, None);
        match drawn.prompt {
            Prompt::Rerank { query, documents } => (query, documents, drawn.tokens.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_has_half_of_a_pair_and_its_documents_the_rest() {
        let tiny = tiny();
        let length = |text: &str| tiny.encode(text).unwrap().len();
        let (query, documents, tokens) =
            drawn(json!({ "input_len": 41, "batch_size": 3 }), &tiny, 0);
        assert_eq!(length(&query), 19);
        assert_eq!(documents.iter().map(|it| length(it)).collect::<Vec<_>>(), [21; 3]);
        assert_eq!(tokens, 3 * 41, "a pair has one token between its two");
    }

    #[test]
    fn all_requests_of_a_run_ask_the_same_and_none_ranks_the_same() {
        let tiny = tiny();
        let args = || json!({ "input_len": 60, "batch_size": 2 });
        let requests: Vec<_> = (0..10).map(|index| drawn(args(), &tiny, index)).collect();
        let queries: BTreeSet<&str> = requests.iter().map(|it| it.0.as_str()).collect();
        let documents: BTreeSet<&String> = requests.iter().flat_map(|it| &it.1).collect();
        assert_eq!((queries.len(), documents.len()), (1, 20));
    }

    #[test]
    fn without_a_reranker_the_query_is_one_of_the_batch() {
        let special = with_special();
        let args = json!({ "input_len": 30, "batch_size": 4, "reranker": false });
        let (query, documents, tokens) = drawn(args, &special, 7);
        let length = |text: &str| special.encode(text).unwrap().len();
        assert_eq!(length(&query), 29, "a special token is taken off");
        assert_eq!(documents.iter().map(|it| length(it)).collect::<Vec<_>>(), [29; 3]);
        assert_eq!(tokens, 4 * 29);
    }

    #[test]
    fn what_leaves_no_text_is_refused_by_name() {
        let refusal = |args| dataset::open(&spec(args), Some(tiny())).unwrap_err().to_string();
        let error = refusal(json!({ "input_len": 3 }));
        assert!(
            error.starts_with(
                "prompts.args.input_len of the dataset random-rerank: 3 tokens leave none"
            ),
            "{error}"
        );
        assert!(refusal(json!({ "input_len": u32::MAX })).contains("prompts.args.input_len"));
        assert!(refusal(json!({ "batch_size": u32::MAX })).contains("prompts.args.batch_size"));
        assert!(refusal(json!({ "batch_size": 0 })).contains("at least 1 document"));
        assert!(refusal(json!({ "batch_size": 1, "reranker": false })).contains("at least 2"));
        assert!(refusal(json!({ "range_ratio": -0.1 })).contains("prompts.args.range_ratio"));
        assert!(refusal(json!({ "prefix_len": 3 })).contains("prompts.args.prefix_len"));
    }
}
