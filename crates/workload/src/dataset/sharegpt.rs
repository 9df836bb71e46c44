//! `sharegpt`: the first question of each conversation of ShareGPT, with an answer as long as the one it was given.
//!
//! What is kept, and how long the answer may be, is as in vLLM's benchmarks. Later turns are not looked at.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::args::{self, Common};
use super::file::{self, kind};
use super::length::Fate;
use super::media::{self, text_part, video_part};
use super::rows::{self, Place, Row};
use super::sample::{Sample, Skip, Taking, Wrong};
use super::wording::{Asked, Limits, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::Tokenizer;

pub(super) const ENTRY: Entry = Entry {
    name: "sharegpt",
    help: "first questions of ShareGPT's conversations, answers as long as the original (vLLM's; ShareGPT_V3_unfiltered_cleaned_split.json)",
    file: Some(File { form: FORM, usual: Some("ShareGPT_V3_unfiltered_cleaned_split.json") }),
    needs_tokenizer: true,
    length_control: false,
    takes_args: true,
    open,
};

/// Its own settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Tokens of every answer, in place of the original's.
    output_len: Option<NonZero<u32>>,
}

fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    let path = file::path(&ENTRY, spec)?;
    let wording = Wording::new(spec, tokenizer, Template::Leave)?;
    let make = move |row: &Row, place: &Place| first_turn(row, place, &wording, own.output_len);
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

fn first_turn(
    row: &Row,
    place: &Place,
    wording: &Wording,
    chosen: Option<NonZero<u32>>,
) -> Result<Fate, Wrong> {
    let (question, answer) = turns(row)?;
    let asked = match picture(row, place)? {
        Some(_) if !wording.chat() => {
            return Err(Wrong::Row("an image or a video needs a chat endpoint".to_owned()));
        }
        Some(part) => Asked::Parts(vec![text_part(question), part]),
        None => Asked::Text(question.to_owned()),
    };
    measured(wording, asked, question, answer, chosen, Some(Limits::USUAL))
}

/// The prompt, with an answer as long as the original or as chosen; passed over if the lengths are beyond the limits.
pub(super) fn measured(
    wording: &Wording,
    asked: Asked,
    question: &str,
    answer: &str,
    chosen: Option<NonZero<u32>>,
    limits: Option<Limits>,
) -> Result<Fate, Wrong> {
    let answer = match chosen {
        Some(chosen) => chosen.get(),
        None => wording.counts(answer)?,
    };
    if let Some(limits) = limits {
        limits.keep(wording.counts(question)?, answer, chosen.is_some())?;
    }
    wording.word(asked, Some(answer.max(1)))
}

/// What was asked first and answered. A row without a conversation of two turns is passed over.
pub(super) fn turns(row: &Row) -> Result<(&str, &str), Wrong> {
    let turns = match row.get("conversations") {
        None => return Err(Skip::Form("field conversations is missing".to_owned()).into()),
        Some(Value::Array(turns)) => turns,
        Some(other) => {
            return Err(Wrong::Row(format!("field conversations is {}, not a list", kind(other))));
        }
    };
    let [question, answer, ..] = turns.as_slice() else {
        let why = format!(
            "field conversations has no question with an answer: its turns are {}",
            turns.len()
        );
        return Err(Skip::Form(why).into());
    };
    Ok((said(1, question)?, said(2, answer)?))
}

fn said(number: usize, turn: &Value) -> Result<&str, String> {
    let place = |why| format!("turn {number} of conversations: {why}");
    match turn {
        Value::Object(turn) => file::field(turn, "value").map_err(place),
        other => Err(place(format!("it is {}, not an object", kind(other)))),
    }
}

/// The image or video that goes with a conversation.
fn picture(row: &Row, place: &Place) -> Result<Option<Value>, Wrong> {
    let named =
        |field: &str| row.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (named("image"), named("video")) {
        (Some(image), _) => Ok(Some(media::image_part(&media::image_named(image, place, None)?))),
        (None, Some(video)) if media::is_url(video) => Ok(Some(video_part(video))),
        (None, Some(video)) => {
            let video = Path::new(video).display();
            Err(Wrong::Row(format!("field video is {video}: only a URL can be sent")))
        }
        (None, None) => Ok(None),
    }
}

const FORM: &str = r#"a JSON list of conversations such as {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}, as in ShareGPT_V3_unfiltered_cleaned_split.json"#;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::fixtures::{file, spec_of, tiny};
    use crate::seed::Seed;

    fn spec(path: &Path, args: Value) -> Spec {
        Spec { path: Some(path.to_owned()), ..spec_of("sharegpt", args) }
    }

    fn open(path: &Path, args: Value) -> Box<dyn Dataset> {
        dataset::open(&spec(path, args), Some(tiny())).unwrap()
    }

    fn conversation(question: &str, answer: &str) -> Value {
        json!({ "id": "x", "conversations": [{ "from": "human", "value": question }, { "from": "gpt", "value": answer }] })
    }

    fn drawn(data: &dyn Dataset, count: u64) -> Vec<(String, Option<u32>)> {
        let text = |prompt| match prompt {
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        };
        let draws = (0..count).map(|index| data.draw(index, Seed::new(3)).unwrap());
        draws.map(|drawn| (text(drawn.prompt), drawn.max_tokens)).collect()
    }

    fn numbered(count: usize) -> String {
        let all: Vec<Value> = (0..count)
            .map(|number| {
                conversation(
                    &format!("please count to number {number} for me"),
                    "one two three four five six",
                )
            })
            .collect();
        serde_json::to_string(&all).unwrap()
    }

    #[test]
    fn the_answer_may_be_as_long_as_the_original() {
        let (_folder, path) = file(numbered(1));
        let answer = tiny().count("one two three four five six").unwrap();
        assert_eq!(
            drawn(&*open(&path, json!({})), 1),
            [("please count to number 0 for me".to_owned(), Some(answer))]
        );
        assert_eq!(drawn(&*open(&path, json!({ "output_len": 7 })), 1)[0].1, Some(7));
    }

    #[test]
    fn what_is_too_short_too_long_or_no_answer_is_passed_over() {
        let long = "word ".repeat(1100);
        let fine = conversation("tell me a story about the sea", "there once was a great sea");
        let content = json!([
            conversation("hi", "there once was a great sea"),
            conversation("tell me a story about the sea", "no"),
            conversation(&long, "there once was a great sea"),
            conversation("tell me a story about the sea", &long.repeat(2)),
            json!({ "conversations": [{ "value": "alone in the world" }] }),
            json!({ "id": "none" }),
            fine,
        ]);
        let (_folder, path) = file(content.to_string());
        let data = open(&path, json!({ "shuffle": false }));
        assert_eq!(data.available(10).unwrap(), 1);
        assert_eq!(drawn(&*data, 1)[0].0, "tell me a story about the sea");
        // A chosen length is not looked at for being short, but for the sum it is.
        let data = open(&path, json!({ "shuffle": false, "output_len": 1 }));
        assert_eq!(data.available(10).unwrap(), 3);
        let error = open(&path, json!({ "output_len": 2047 })).draw(0, Seed::new(1)).unwrap_err();
        assert!(
            error.to_string().contains("none of its 7 rows will do; line 1: the prompt has "),
            "{error}"
        );
    }

    #[test]
    fn the_seed_draws_the_order_and_without_it_the_file_does() {
        let (_folder, path) = file(numbered(200));
        let all = |args, seed| {
            let data = open(&path, args);
            (0..200)
                .map(|index| format!("{:?}", data.prompt(index, Seed::new(seed)).unwrap()))
                .collect::<Vec<_>>()
        };
        let (one, other) = (all(json!({}), 1), all(json!({}), 2));
        assert_ne!(one, other);
        assert_eq!(one, all(json!({}), 1));
        let filed = all(json!({ "shuffle": false }), 1);
        assert_ne!(one, filed);
        assert!(filed[0].contains("number 0 ") && filed[199].contains("number 199 "));
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        assert_eq!(sorted(one), sorted(filed));
    }

    #[test]
    fn a_draw_is_the_same_whatever_was_drawn_before() {
        let (_folder, path) = file(numbered(150));
        let fresh = |index, seed| open(&path, json!({})).draw(index, Seed::new(seed)).unwrap();
        let used = open(&path, json!({}));
        for (index, seed) in [(149, 1), (3, 1), (3, 2), (700, 1), (0, 2)] {
            assert_eq!(used.draw(index, Seed::new(seed)).unwrap(), fresh(index, seed));
        }
    }

    #[test]
    fn it_begins_anew_unless_it_is_not_to() {
        let (_folder, path) = file(numbered(3));
        let data = open(&path, json!({}));
        assert_eq!(data.draw(4, Seed::new(1)).unwrap(), data.draw(1, Seed::new(1)).unwrap());
        assert_eq!((data.available(2).unwrap(), data.available(9).unwrap()), (2, 3));
        let once = open(&path, json!({ "oversample": false }));
        let error = once.draw(3, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains("has only 3 prompts"), "{error}");
    }

    #[test]
    fn a_wrong_element_is_named_with_its_line_and_field() {
        let (_folder, path) =
            file("[\n{\"conversations\": [{\"value\": 3}, {\"value\": \"b\"}]}\n]");
        let error = open(&path, json!({})).draw(0, Seed::new(1)).unwrap_err().to_string();
        let expected = format!(
            "{}:2: turn 1 of conversations: field value is a number, not a string;",
            path.display()
        );
        assert!(error.starts_with(&expected), "{error}");
        let (_folder, path) = file("[{\"conversations\": []}");
        let error = dataset::open(&spec(&path, json!({})), Some(tiny())).unwrap_err().to_string();
        assert!(
            error.contains("data:1: a comma or ] is missing")
                || error.contains("ends inside its list"),
            "{error}"
        );
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_the_first_row_and_what_it_lacks() {
        let refusal = |content: &str| {
            let (_folder, path) = file(content);
            let error = open(&path, json!({})).draw(0, Seed::new(1)).unwrap_err().to_string();
            error.replace(path.to_str().unwrap(), "FILE")
        };
        for content in ["{\"a\": 1}", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n"] {
            let error = refusal(content);
            assert!(
                error.starts_with("FILE:1: field conversations is missing; the file"),
                "{error}"
            );
        }
        let error = refusal("[\n\n{\"conversations\": [{\"value\": \"alone\"}]}, {}]");
        assert!(
            error.starts_with("FILE:3: field conversations has no question with an"),
            "{error}"
        );
        assert!(refusal("[]").starts_with("FILE gives no prompt: it has no rows;"));
        assert!(refusal("3").starts_with("FILE:1: it is a number, not an object"));
    }

    #[test]
    fn settings_that_it_does_not_have_are_refused() {
        let (_folder, path) = file(numbered(1));
        for (args, expected) in [
            (json!({ "output_length": 3 }), "prompts.args.output_length of the dataset sharegpt"),
            (json!({ "output_len": 0 }), "prompts.args.output_len of the dataset sharegpt"),
        ] {
            let error = dataset::open(&spec(&path, args), Some(tiny())).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn an_image_beside_the_file_goes_into_the_message() {
        let (folder, path) = file(
            json!([{ "image": "dot.gif", "conversations": [{ "value": "what is in this picture here" }, { "value": "there is a dot in the middle" }] }])
                .to_string(),
        );
        std::fs::write(folder.path().join("dot.gif"), b"GIF89a-and-more").unwrap();
        let chat = Spec { apply_chat_template: true, ..spec(&path, json!({})) };
        let drawn = dataset::open(&chat, Some(tiny())).unwrap().draw(0, Seed::new(1)).unwrap();
        let Prompt::Messages(messages) = drawn.prompt else { panic!("it is a conversation") };
        assert_eq!(
            messages[0].content,
            json!([
                { "type": "text", "text": "what is in this picture here" },
                { "type": "image_url", "image_url": { "url": "data:image/gif;base64,R0lGODlhLWFuZC1tb3Jl" } },
            ])
        );
        let error = open(&path, json!({})).draw(0, Seed::new(1)).unwrap_err().to_string();
        assert!(error.contains("needs a chat endpoint"), "{error}");
    }
}
