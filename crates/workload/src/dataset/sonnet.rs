//! `sonnet`: some lines of a poem, drawn by lot, behind lines that all prompts share. vLLM's oldest dataset, which it has given up.
//!
//! The poem is the user's: nothing is bundled. Lengths are those that the server counts, its chat template included.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tokometer_wire::{Message, Prompt};

use super::args::{self, Common};
use super::exact::Exact;
use super::file;
use super::length::{as_ids, user};
use super::wording::Template;
use super::{Dataset, DatasetError, Drawn, Entry, File, Spec};
use crate::seed::Seed;
use crate::tokenizer::{Tokenizer, TokenizerError};

pub(super) const ENTRY: Entry = Entry {
    name: "sonnet",
    help: "lines of a poem, the first of them shared by all prompts (vLLM's former dataset; bring sonnet.txt)",
    file: Some(File {
        form: "plain text, each line a line of a poem, such as sonnet.txt",
        usual: Some("sonnet.txt"),
    }),
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open,
};

/// Its own settings.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    /// The longest prompt in tokens, as the server counts it.
    input_len: u32,
    /// Tokens of the answer.
    output_len: u32,
    /// Tokens of what all prompts share, the head included.
    prefix_len: u32,
    /// As [`Template`].
    chat_template: Option<bool>,
}

impl Default for Own {
    fn default() -> Self {
        Self { input_len: 550, output_len: 150, prefix_len: 200, chat_template: None }
    }
}

/// Poems out of lines.
#[derive(Debug)]
struct Sonnet {
    tokenizer: Arc<dyn Tokenizer>,
    form: Form,
    lines: Vec<String>,
    /// The head and the lines that all prompts share.
    opening: String,
    /// How many lines are drawn for each.
    drawn: usize,
    own: Own,
    ids: bool,
}

/// What the server puts around a prompt, or is sent with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Its own template.
    Chat,
    /// The tokenizer's template, put around it here.
    Written,
    /// Nothing.
    Plain,
}

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (_, own): (Common, Own) = args::args_with_common(spec)?;
    let Some(tokenizer) = tokenizer else {
        return Err(DatasetError::NoTokenizer { what: "--dataset sonnet".to_owned() });
    };
    let path = file::path(&ENTRY, spec)?;
    let there = tokenizer.template().is_some();
    let form = match Template::of(own.chat_template, Template::IfThere) {
        _ if spec.apply_chat_template => Form::Chat,
        Template::Insist if !there => {
            let why =
                format!("the tokenizer {} has no chat template: give false", tokenizer.label());
            return Err(args::wrong(spec, "chat_template", why));
        }
        Template::Insist | Template::IfThere if there => Form::Written,
        _ => Form::Plain,
    };
    let text = file::whole(&path)?;
    let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if lines.iter().all(|line| line.trim().is_empty()) {
        return Err(DatasetError::Empty { path, why: "it has no lines of text".to_owned() });
    }
    let mut sonnet = Sonnet {
        tokenizer,
        form,
        lines,
        opening: HEAD.to_owned(),
        drawn: 0,
        own,
        ids: spec.tokenize_prompt,
    };
    sonnet.measure(spec)?;
    Ok(Box::new(sonnet))
}

impl Sonnet {
    /// How many lines of average length make up the prefix, and how many the whole.
    fn measure(&mut self, spec: &Spec) -> Result<(), DatasetError> {
        let Own { input_len, prefix_len, output_len, .. } = self.own;
        if output_len == 0 {
            return Err(args::wrong(spec, "output_len", "it must be above 0"));
        }
        if prefix_len > input_len {
            let why = format!("it is {prefix_len}, above the input_len of {input_len}");
            return Err(args::wrong(spec, "prefix_len", why));
        }
        let mut tokens = 0_u64;
        for line in &self.lines {
            tokens += self.tokenizer.encode(line)?.len() as u64;
        }
        Exact::check(spec, "input_len", input_len.into())?;
        let average = tokens as f64 / self.lines.len() as f64;
        let head = self.tokens(HEAD)?;
        if input_len <= head {
            let why = format!(
                "it is {input_len}, and the head of every prompt has {head} tokens, its template included"
            );
            return Err(args::wrong(spec, "input_len", why));
        }
        // A line has a token at least; lines of none would never make up the length.
        let lines = |tokens: u32| {
            let count = (f64::from(tokens) - f64::from(head)) / average.max(1.0);
            count.round().max(0.0) as usize
        };
        let (all, shared) = (lines(input_len), lines(prefix_len).min(self.lines.len()));
        self.opening.extend(self.lines[..shared].iter().map(String::as_str));
        self.drawn = all.saturating_sub(shared);
        let shared = self.tokens(&self.opening)?;
        if shared > input_len {
            let why = format!(
                "the lines that all prompts share have {shared} tokens, above the input_len of {input_len}"
            );
            return Err(args::wrong(spec, "prefix_len", why));
        }
        Ok(())
    }

    /// A text within the length, and its tokens.
    fn within_length(&self, rng: &mut ChaCha8Rng) -> Result<(String, u32), TokenizerError> {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for _ in 0..TRIES {
            (text, ends) = self.lot(rng);
            let tokens = self.tokens(&text)?;
            if tokens <= self.own.input_len {
                return Ok((text, tokens));
            }
        }
        // Where all lines are alike every draw may be too long: then as many lines of the last one as there is room for. For none
        // there is, which was seen to when it was opened.
        let (mut fitting, mut beyond) = (0, ends.len() - 1);
        while beyond - fitting > 1 {
            let middle = usize::midpoint(fitting, beyond);
            match self.tokens(&text[..ends[middle]])? <= self.own.input_len {
                true => fitting = middle,
                false => beyond = middle,
            }
        }
        text.truncate(ends[fitting]);
        let tokens = self.tokens(&text)?;
        Ok((text, tokens))
    }

    /// Lines by lot behind those that all prompts share, and where the text ends after none of them, after one, and so on.
    fn lot(&self, rng: &mut ChaCha8Rng) -> (String, Vec<usize>) {
        let mut text = self.opening.clone();
        let mut ends = vec![text.len()];
        for _ in 0..self.drawn {
            text.push_str(&self.lines[rng.random_range(0..self.lines.len())]);
            ends.push(text.len());
        }
        (text, ends)
    }

    /// Tokens as the server counts them.
    fn tokens(&self, text: &str) -> Result<u32, TokenizerError> {
        match self.form {
            Form::Plain => self.tokenizer.count(text),
            Form::Written => self.tokenizer.count(&self.written(text)?),
            Form::Chat => match self.tokenizer.count_messages(&[user(text.to_owned())])? {
                Some(tokens) => Ok(tokens),
                None => self.tokenizer.count(text),
            },
        }
    }

    fn written(&self, text: &str) -> Result<String, TokenizerError> {
        let messages: [Message; 1] = [user(text.to_owned())];
        let rendered = match self.tokenizer.template() {
            Some(template) => template.render(&messages, true)?,
            None => None,
        };
        Ok(rendered.unwrap_or_else(|| text.to_owned()))
    }
}

impl Dataset for Sonnet {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let (text, tokens) = self.within_length(&mut seed.stream("sonnet").at(index).rng())?;
        let prompt = match self.form {
            Form::Chat => Prompt::Messages(vec![user(text)]),
            Form::Written => Prompt::Text(self.written(&text)?),
            Form::Plain => Prompt::Text(text),
        };
        let drawn = match self.ids {
            true => as_ids(prompt, &*self.tokenizer)?,
            false => Drawn::of(prompt, Some(tokens)),
        };
        Ok(drawn.answered_within(Some(self.own.output_len)))
    }

    fn len(&self) -> Option<u64> {
        None
    }
}

/// What vLLM asks of the model.
const HEAD: &str = "Pick as many lines as you can from these poem lines:\n";
/// How often it is drawn before lines are left out: about every second draw is within the length, which the number of lines is chosen for.
const TRIES: usize = 20;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::super as dataset;
    use super::*;
    use crate::fixtures::{file, spec_of, tiny};

    fn poem() -> (tempfile::TempDir, PathBuf) {
        let lines: Vec<String> = (0..60)
            .map(|number| {
                format!(
                    "From fairest creatures number {number} we desire {}\n",
                    "increase ".repeat(number % 4)
                )
            })
            .collect();
        file(lines.concat())
    }

    fn spec(path: PathBuf, chat: bool, args: Value) -> Spec {
        Spec { path: Some(path), apply_chat_template: chat, ..spec_of("sonnet", args) }
    }

    fn text(drawn: &Drawn) -> String {
        match &drawn.prompt {
            Prompt::Messages(messages) => messages[0].content.as_str().unwrap().to_owned(),
            Prompt::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn prompts_share_their_prefix_and_keep_within_the_length() {
        let (_folder, path) = poem();
        for chat in [true, false] {
            let data = dataset::open(&spec(path.clone(), chat, json!({})), Some(tiny())).unwrap();
            let drawn: Vec<Drawn> =
                (0..20).map(|index| data.draw(index, Seed::new(1)).unwrap()).collect();
            let texts: Vec<String> = drawn.iter().map(text).collect();
            let shared = texts[0].chars().zip(texts[1].chars()).take_while(|(a, b)| a == b).count();
            let shared_tokens = tiny().count(&texts[0][..shared]).unwrap();
            assert!((150..=250).contains(&shared_tokens), "{shared_tokens}");
            for (drawn, text) in drawn.iter().zip(&texts) {
                let tokens = drawn.tokens.unwrap();
                assert!((400..=550).contains(&tokens), "{tokens}");
                assert_eq!(drawn.max_tokens, Some(150));
                let counted = match &drawn.prompt {
                    Prompt::Messages(messages) => tiny().count_messages(messages).unwrap().unwrap(),
                    _ => tiny().count(text).unwrap(),
                };
                assert_eq!(tokens, counted);
            }
            assert_ne!(texts[0], texts[1]);
        }
    }

    #[test]
    fn a_template_is_put_around_text_for_completions_unless_it_is_not_to() {
        let (_folder, path) = poem();
        let drawn = |args| {
            let data = dataset::open(&spec(path.clone(), false, args), Some(tiny())).unwrap();
            text(&data.draw(0, Seed::new(1)).unwrap())
        };
        assert!(drawn(json!({})).starts_with("<|im_start|>"));
        assert!(drawn(json!({ "chat_template": false })).starts_with(HEAD));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let (_folder, path) = poem();
        let refused = |args| {
            dataset::open(&spec(path.clone(), true, args), Some(tiny())).unwrap_err().to_string()
        };
        assert!(refused(json!({ "prefix_len": 600 })).contains("above the input_len of 550"));
        assert!(
            refused(json!({ "input_len": 5, "prefix_len": 1 }))
                .contains("the head of every prompt has")
        );
        assert!(refused(json!({ "output_len": 0 })).contains("prompts.args.output_len"));
        let error = refused(json!({ "input_len": u32::MAX }));
        assert!(
            error.contains("prompts.args.input_len") && error.contains("can be made"),
            "{error}"
        );
    }

    #[test]
    fn a_poem_of_one_line_gives_prompts_within_the_length() {
        let (_folder, path) = file(
            "From fairest creatures we desire increase, that thereby beauty's rose might never die\n",
        );
        let data = dataset::open(&spec(path, true, json!({})), Some(tiny())).unwrap();
        let tokens = data.draw(0, Seed::new(1)).unwrap().tokens.unwrap();
        assert!((450..=550).contains(&tokens), "{tokens}");
    }

    #[test]
    fn an_uneven_poem_gives_prompts_within_the_length() {
        let (_folder, path) = file(format!("{}{}\n", "a\n".repeat(99), "the sea ".repeat(90)));
        for index in 0..40 {
            let data = dataset::open(&spec(path.clone(), true, json!({})), Some(tiny())).unwrap();
            let drawn = data.draw(index, Seed::new(1)).unwrap();
            let Prompt::Messages(messages) = &drawn.prompt else { panic!("it is a conversation") };
            assert_eq!(drawn.tokens, tiny().count_messages(messages).unwrap());
            assert!((200..=550).contains(&drawn.tokens.unwrap()), "{:?}", drawn.tokens);
        }
    }

    #[test]
    fn without_a_file_it_says_that_it_brings_none() {
        let spec = Spec { name: "sonnet".to_owned(), ..Spec::default() };
        let error = dataset::open(&spec, Some(tiny())).unwrap_err().to_string();
        assert!(error.contains("needs --dataset-path") && error.contains("sonnet.txt"), "{error}");
    }
}
