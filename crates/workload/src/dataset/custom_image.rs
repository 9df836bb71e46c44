//! `custom_image`: the user's own prompts with images, for chat endpoints.
//!
//! A file is sent as the bytes it has, in a data URL: the server need not share a disk with this program. An address is sent as it
//! stands for the server to fetch, unless it is to be fetched here first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::args::{self, Common};
use super::custom::{OutputLength, Own};
use super::file::{self, kind};
use super::length::Fate;
use super::media::{self, Fetch, image_part, text_part};
use super::rows::{self, Place, Row};
use super::sample::{Sample, Taking, Wrong};
use super::wording::{Asked, Template, Wording};
use super::{Dataset, DatasetError, Entry, File, Spec};
use crate::tokenizer::{Hub, Tokenizer};

pub(super) const ENTRY: Entry = Entry {
    name: "custom_image",
    help: "your own prompts with images: JSON lines with prompt and image_files, or with content",
    file: Some(File { form: FORM, usual: None }),
    needs_tokenizer: false,
    length_control: false,
    takes_args: true,
    open: |spec, tokenizer| open(spec, tokenizer, &Hub::from_env()),
};

/// Opens it. What is at addresses is fetched by way of `hub`, if it is to be.
pub(super) fn open(
    spec: &Spec,
    tokenizer: Option<Arc<dyn Tokenizer>>,
    hub: &Hub,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let (common, own): (Common, Own) = args::args_with_common(spec)?;
    let path = file::path(&ENTRY, spec)?;
    if !spec.apply_chat_template {
        let why = "images need a chat endpoint".to_owned();
        return Err(DatasetError::Setting { dataset: ENTRY.name, why });
    }
    let wording = Wording::new(spec, tokenizer, Template::Leave)?;
    let fetch = own.ensure_client_side_data.then(|| once(hub.clone()));
    let make = move |row: &Row, place: &Place| {
        let parts = parts(row, place, fetch.as_deref())?;
        word(row, &wording, parts, own.output_len)
    };
    let tables = vec![rows::open_json(&path)?];
    let taking = Taking::new(common, spec.offset, FORM);
    Ok(Box::new(Sample::new(path, tables, taking, Box::new(make))))
}

/// Fetches what is at an address, and keeps it, for rows are looked at more than once.
fn once(hub: Hub) -> Box<Fetch> {
    let fetched = Mutex::<HashMap<String, Vec<u8>>>::default();
    Box::new(move |url| {
        let held = || fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held().get(url).cloned();
        if let Some(bytes) = known {
            return Ok(bytes);
        }
        let bytes = hub.get(url)?;
        held().insert(url.to_owned(), bytes.clone());
        Ok(bytes)
    })
}

fn word(
    row: &Row,
    wording: &Wording,
    parts: Vec<Value>,
    output: OutputLength,
) -> Result<Fate, Wrong> {
    wording.word(Asked::Parts(parts), output.of(row)?)
}

/// The content parts of a row: what it gives as such, or its prompt and then its images.
fn parts(row: &Row, place: &Place, fetch: Option<&Fetch>) -> Result<Vec<Value>, String> {
    if let Some(content) = row.get("content") {
        let Value::Array(content) = content else {
            return Err(format!("field content is {}, not a list", kind(content)));
        };
        if content.is_empty() {
            return Err("field content is an empty list".to_owned());
        }
        let numbered = (1..).zip(content);
        return numbered
            .map(|(number, given)| {
                part(given, place, fetch)
                    .map_err(|why| format!("part {number} of field content: {why}"))
            })
            .collect();
    }
    let mut parts = vec![text_part(file::field(row, "prompt")?)];
    let images = match row.get("image_files") {
        Some(Value::Array(images)) if !images.is_empty() => images,
        Some(Value::Array(_)) => return Err("field image_files is an empty list".to_owned()),
        Some(other) => return Err(format!("field image_files is {}, not a list", kind(other))),
        None => return Err("field image_files is missing, and so is field content".to_owned()),
    };
    for image in images {
        let Value::String(image) = image else {
            return Err(format!("field image_files holds {}, not a string", kind(image)));
        };
        let url = media::image_named(image, place, fetch)
            .map_err(|why| format!("field image_files: {why}"))?;
        parts.push(image_part(&url));
    }
    Ok(parts)
}

fn part(given: &Value, place: &Place, fetch: Option<&Fetch>) -> Result<Value, String> {
    let Value::Object(fields) = given else {
        return Err(format!("it is {}, not an object", kind(given)));
    };
    match file::field(fields, "type")? {
        "text" => Ok(text_part(file::field(fields, "text")?)),
        "image" => {
            let named = file::field(fields, "image")?;
            Ok(image_part(&media::image_named(named, place, fetch)?))
        }
        "image_url" => match fields.get("image_url") {
            Some(Value::String(named)) => Ok(image_part(&media::image_named(named, place, fetch)?)),
            Some(Value::Object(image)) => {
                let named = file::field(image, "url").map_err(|why| format!("image_url: {why}"))?;
                // Further fields, as the level of detail, are kept.
                let mut image: Map<String, Value> = image.clone();
                image.insert("url".to_owned(), media::image_named(named, place, fetch)?.into());
                Ok(json!({ "type": "image_url", "image_url": image }))
            }
            Some(other) => {
                Err(format!("field image_url is {}, neither a string nor an object", kind(other)))
            }
            None => Err("field image_url is missing".to_owned()),
        },
        other => Err(format!("its type is {other}, and should be text, image or image_url")),
    }
}

const FORM: &str = r#"JSON lines such as {"prompt": "…", "image_files": ["a.png"]}, or {"content": [{"type": "text", "text": "…"}, {"type": "image", "image": "a.png"}]}"#;

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokometer_wire::Prompt;

    use super::super as dataset;
    use super::*;
    use crate::fixtures::{Imitation, file, response, spec_of};
    use crate::seed::Seed;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";
    const PNG_URL: &str = "data:image/png;base64,iVBORw0KGgpyZXN0";

    fn content(row: &str) -> Result<Value, String> {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(folder.path().join("below/a.png"), PNG).unwrap();
        std::fs::write(folder.path().join("b.png"), "no image").unwrap();
        let path = folder.path().join("own.jsonl");
        std::fs::write(&path, format!("\n{row}\n")).unwrap();
        let spec =
            Spec { name: "custom_image".to_owned(), path: Some(path.clone()), ..Spec::default() };
        let drawn = dataset::open(&spec, None).unwrap().draw(0, Seed::new(1));
        let drawn = drawn.map_err(|error| {
            error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER")
        })?;
        assert_eq!(drawn.max_tokens, None);
        match drawn.prompt {
            Prompt::Messages(messages) => Ok(messages[0].content.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_sent_as_data_and_addresses_as_they_stand() {
        assert_eq!(
            content(r#"{"prompt": "what?", "image_files": ["below/a.png", "https://host/b.jpg"]}"#)
                .unwrap(),
            json!([
                { "type": "text", "text": "what?" },
                { "type": "image_url", "image_url": { "url": PNG_URL } },
                { "type": "image_url", "image_url": { "url": "https://host/b.jpg" } },
            ])
        );
    }

    #[test]
    fn content_keeps_its_order_and_its_details() {
        let row = json!({ "content": [
            { "type": "image", "image": "below/a.png" },
            { "type": "text", "text": "and" },
            { "type": "image_url", "image_url": { "url": "below/a.png", "detail": "low" } },
        ] });
        assert_eq!(
            content(&row.to_string()).unwrap(),
            json!([
                { "type": "image_url", "image_url": { "url": PNG_URL } },
                { "type": "text", "text": "and" },
                { "type": "image_url", "image_url": { "url": PNG_URL, "detail": "low" } },
            ])
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_field() {
        for (row, why) in [
            (
                r#"{"prompt": "a", "image_files": ["none.png"]}"#,
                "FOLDER/own.jsonl:2: field image_files: cannot read FOLDER/none.png",
            ),
            (
                r#"{"prompt": "a", "image_files": ["b.png"]}"#,
                "FOLDER/own.jsonl:2: field image_files: the file b.png: it is no image",
            ),
            (
                r#"{"prompt": "a", "image_files": []}"#,
                "FOLDER/own.jsonl:2: field image_files is an empty list",
            ),
            (r#"{"prompt": "a"}"#, "FOLDER/own.jsonl:2: field image_files is missing"),
            (
                r#"{"content": [{"type": "video"}]}"#,
                "FOLDER/own.jsonl:2: part 1 of field content: its type is video",
            ),
            (r#"{"content": "a"}"#, "FOLDER/own.jsonl:2: field content is a string, not a list"),
        ] {
            let error = content(row).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn what_is_to_be_fetched_is_fetched_once() {
        let site = Imitation::start(|_| response("200 OK", PNG));
        let row = json!({ "prompt": "what?", "image_files": [format!("{}/a", site.url())] });
        let (_folder, path) = file(row.to_string());
        let args = json!({ "ensure_client_side_data": true });
        let spec = Spec { path: Some(path), ..spec_of("custom_image", args) };
        let spec = Spec { apply_chat_template: true, ..spec };
        let hub = Hub::from_variables(|_| None);
        let data = dataset::open_from(&spec, None, &hub).unwrap();
        for index in 0..3 {
            let Prompt::Messages(messages) = data.prompt(index, Seed::new(1)).unwrap() else {
                panic!("it is a conversation")
            };
            assert_eq!(messages[0].content[1]["image_url"]["url"], PNG_URL);
        }
        assert_eq!(site.paths(), ["/a"]);
    }

    #[test]
    fn an_endpoint_that_completes_text_gets_no_images() {
        let (_folder, path) = crate::fixtures::file("{}");
        let spec = Spec {
            name: "custom_image".to_owned(),
            path: Some(path),
            apply_chat_template: false,
            ..Spec::default()
        };
        let error = dataset::open(&spec, None).unwrap_err().to_string();
        assert!(error.contains("images need a chat endpoint"), "{error}");
    }
}
