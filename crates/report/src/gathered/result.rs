//! A file of results in vLLM's form, read without the lists that it may hold of single requests.
//!
//! One object, a list of them (a sweep's `summary.json`), or one a line (`--append-result`). A list is passed over while the file is
//! read, but for its texts, of which the first are kept: `not_applicable` is such a list. So a file of gigabytes takes no memory.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// The results of a file, in their order, at least one.
///
/// # Errors
/// In words, if the file cannot be read, was cut off, or holds anything but results: then none of it is taken.
pub(super) fn read(path: &Path) -> Result<Vec<Map<String, Value>>, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    from(BufReader::with_capacity(1 << 16, file))
}

/// As [`read`], of what is read already.
pub(super) fn from(text: impl Read) -> Result<Vec<Map<String, Value>>, String> {
    let mut results = Vec::new();
    let ended = Rc::new(Cell::new(false));
    let text = Ending { text, ended: Rc::clone(&ended) };
    for value in serde_json::Deserializer::from_reader(text).into_iter::<Top>() {
        match value.map_err(|error| refused(&error, ended.get()))? {
            Top::One(result) => results.push(result),
            Top::Several(several) => results.extend(several),
        }
    }
    if results.is_empty() {
        return Err("there is no result in it".to_owned());
    }
    for result in &results {
        // The two keys that results of generation and of pooling have in common.
        let lacks = |key: &&str| !result.get(*key).is_some_and(Value::is_number);
        if let Some(lacking) = ["completed", "duration"].iter().find(|key| lacks(key)) {
            return Err(format!("not the result of a benchmark: it has no number at {lacking:?}"));
        }
    }
    Ok(results)
}

/// What is wrong, in words. `ended`: whether it was found where the file ends, as half a number is, which alone would be a wrong one.
fn refused(error: &serde_json::Error, ended: bool) -> String {
    match error.classify() {
        Category::Eof | Category::Syntax if ended => format!(
            "it ends in the middle, at line {}, column {}: cut off, or still being written",
            error.line(),
            error.column()
        ),
        Category::Eof | Category::Syntax => format!("not JSON: {error}"),
        Category::Data => error.to_string(),
        Category::Io => format!("cannot be read: {error}"),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// A text that tells when it was read to its end.
struct Ending<R> {
    text: R,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.text.read(into)?;
        if length == 0 && !into.is_empty() {
            self.ended.set(true);
        }
        Ok(length)
    }
}

/// What a file holds.
enum Top {
    One(Map<String, Value>),
    Several(Vec<Map<String, Value>>),
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Top;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a result, which is an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Top, A::Error> {
                object(map).map(Top::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Top, A::Error> {
                let mut results = Vec::new();
                while let Some(Thin(value)) = seq.next_element()? {
                    let Value::Object(result) = value else {
                        return Err(A::Error::custom("a result is an object"));
                    };
                    results.push(result);
                }
                Ok(Top::Several(results))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// A value without what lists hold, but for texts.
struct Thin(Value);

impl<'de> Deserialize<'de> for Thin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Thin;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E: Error>(self) -> Result<Thin, E> {
                Ok(Thin(Value::Null))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Thin, E> {
                Ok(Thin(truth.into()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Thin, E> {
                Ok(Thin(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Thin, E> {
                Ok(Thin(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Thin, E> {
                Ok(Thin(number.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Thin, E> {
                Ok(Thin(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Thin, A::Error> {
                let mut texts = Vec::new();
                while texts.len() < MOST_TEXTS {
                    match seq.next_element()? {
                        Some(Word(Some(text))) => texts.push(Value::String(text)),
                        Some(Word(None)) => {}
                        None => return Ok(Thin(texts.into())),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Thin(texts.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Thin, A::Error> {
                object(map).map(|object| Thin(Value::Object(object)))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Map<String, Value>, A::Error> {
    let mut object = Map::new();
    while let Some((key, Thin(value))) = map.next_entry::<String, Thin>()? {
        object.insert(key, value);
    }
    Ok(object)
}

/// A text, or that it is none.
struct Word(Option<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E: Error>(self) -> Result<Word, E> {
                Ok(Word(None))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Word, E> {
                Ok(Word(None))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Word, E> {
                Ok(Word(None))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Word, E> {
                Ok(Word(None))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Word, E> {
                Ok(Word(None))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(Some(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Word, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Word(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Word(None))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// How many texts of a list are kept: more than a result has keys that may not apply.
const MOST_TEXTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"completed": 1, "duration": 2.5, "ttfts": [0.1, 0.2], "itls": [[0.1], [0.2]],
        "errors": ["", "x"], "steady": {"why_not": null, "parts": [{"a": 1}]}, "big": 18446744073709551615}"#;

    #[test]
    fn lists_are_passed_over_but_for_their_texts() {
        let result = from(ONE.as_bytes()).unwrap().remove(0);
        assert_eq!(result["ttfts"], Value::Array(Vec::new()));
        assert_eq!(result["itls"], Value::Array(Vec::new()));
        assert_eq!(result["errors"], serde_json::json!(["", "x"]));
        assert_eq!(result["steady"]["why_not"], Value::Null);
        assert_eq!(result["big"], serde_json::json!(u64::MAX));
    }

    #[test]
    fn one_result_a_list_and_one_a_line_are_read() {
        assert_eq!(from(format!("[{ONE}, {ONE}]").as_bytes()).unwrap().len(), 2);
        assert_eq!(from(format!("{ONE}\n{ONE}\n").as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_gives_no_result() {
        for end in 1..ONE.len() {
            let refused = from(&ONE.as_bytes()[..end]).unwrap_err();
            assert!(refused.starts_with("it ends in the middle, at line "), "{end}: {refused}");
        }
        // Neither does one whose second result was.
        let two = format!("{ONE}\n{}", &ONE[..40]);
        assert!(from(two.as_bytes()).unwrap_err().contains("cut off"));
    }

    #[test]
    fn what_is_no_result_is_told_by_what_it_lacks() {
        let refused = |text: &str| from(text.as_bytes()).unwrap_err();
        assert_eq!(refused(""), "there is no result in it");
        assert_eq!(refused("[]"), "there is no result in it");
        assert_eq!(
            refused("{\"name\": 1}"),
            "not the result of a benchmark: it has no number at \"completed\""
        );
        assert_eq!(
            refused("{\"completed\": 1, \"duration\": \"2\"}"),
            "not the result of a benchmark: it has no number at \"duration\""
        );
        assert!(refused("[3]").starts_with("a result is an object"), "{}", refused("[3]"));
        assert!(refused("3").contains("expected a result, which is an object"), "{}", refused("3"));
        assert!(refused("{\"a\": NaN}").starts_with("not JSON: "), "{}", refused("{\"a\": NaN}"));
        assert!(refused("{\"a\"\n 1}").contains("line 2"), "{}", refused("{\"a\"\n 1}"));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let lists = format!("{{\"a\": {}", "[".repeat(100_000));
        assert!(from(lists.as_bytes()).unwrap_err().starts_with("it ends in the middle"));
        let objects = "{\"a\": ".repeat(100_000);
        assert!(from(objects.as_bytes()).unwrap_err().contains("recursion limit"));
    }
}
