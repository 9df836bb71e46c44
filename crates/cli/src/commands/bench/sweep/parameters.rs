//! The parameters that a sweep varies: lists of combinations, their names, and what they make of a command.
//!
//! The forms are vLLM's: a list of objects, or an object of named ones; a name gives folders their names.

use std::fs;

use serde_json::{Map, Value};

use super::secrets::{hidden, shows_a_secret};
use super::words::Words;
use crate::trouble::Trouble;

/// Parameters that are set together, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Combination(Map<String, Value>);

/// Reads the value of `flag`: JSON itself, or a file of it. Without a value, a single combination that changes nothing.
///
/// # Errors
/// If the file cannot be read, does not hold combinations, or one of them shows a secret: parameters stand in names and results.
pub(crate) fn read(flag: &str, given: Option<&str>) -> Result<Vec<Combination>, Trouble> {
    let Some(given) = given else { return Ok(vec![Combination::default()]) };
    let inline = given.trim_start().starts_with(['[', '{']);
    let (text, place) = match inline {
        true => (given.to_owned(), flag.to_owned()),
        false => (
            fs::read_to_string(given).map_err(|error| {
                Trouble::input(format!("{flag}: cannot read {}: {error}", hidden(given)))
                    .with_hint("give a file of JSON, or the JSON itself")
            })?,
            format!("{flag}: {given}"),
        ),
    };
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Trouble::input(format!("{place}: not JSON: {error}")).with_hint(FORM))?;
    let combinations = combinations(value)
        .map_err(|why| Trouble::input(format!("{place}: {why}")).with_hint(FORM))?;
    let shows = |(key, value): &(&str, &Value)| shows_a_secret(key, value);
    if let Some((key, _)) = combinations.iter().flat_map(Combination::parameters).find(shows) {
        return Err(Trouble::input(format!(
            "{place}: {key} holds a secret, and parameters stand in the names of folders and in results"
        ))
        .with_hint(NO_SECRETS));
    }
    Ok(combinations)
}

fn combinations(value: Value) -> Result<Vec<Combination>, String> {
    let combinations: Vec<Combination> = match value {
        Value::Array(list) => list.into_iter().enumerate().map(item).collect::<Result<_, _>>()?,
        Value::Object(named) => named
            .into_iter()
            .map(|(name, value)| {
                let Value::Object(fields) = value else {
                    return Err(format!("{name:?} is no object of parameters"));
                };
                let mut all = Map::from_iter([(NAME.to_owned(), Value::from(name))]);
                all.extend(fields);
                Ok(Combination(all))
            })
            .collect::<Result<_, _>>()?,
        _ => return Err("neither a list nor an object".to_owned()),
    };
    if combinations.is_empty() {
        return Err("no combination at all".to_owned());
    }
    let mut names: Vec<String> = combinations.iter().filter_map(Combination::given_name).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two combinations are named {:?}", pair[0])),
        None => Ok(combinations),
    }
}

fn item((index, value): (usize, Value)) -> Result<Combination, String> {
    match value {
        Value::Object(fields) => Ok(Combination(fields)),
        _ => Err(format!("entry {} is no object of parameters", index + 1)),
    }
}

impl Combination {
    /// What it is called in a folder's name: its `_benchmark_name`, or all its parameters.
    pub(crate) fn name(&self) -> String {
        self.given_name().unwrap_or_else(|| self.text("-"))
    }

    fn given_name(&self) -> Option<String> {
        self.0.get(NAME).map(python)
    }

    /// Its parameters, with that between them.
    pub(crate) fn text(&self, between: &str) -> String {
        let pairs = self.parameters().map(|(key, value)| format!("{key}={}", python(value)));
        pairs.collect::<Vec<_>>().join(between)
    }

    /// Whether it has nothing to its name.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, the name included.
    pub(crate) const fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value of a parameter, whichever of `_` and `-` its key has.
    pub(crate) fn parameter(&self, key: &str) -> Option<&Value> {
        let plain = |key: &str| key.replace('-', "_");
        self.0.iter().find(|(own, _)| plain(own) == plain(key)).map(|(_, value)| value)
    }

    /// With another parameter, or another value of it.
    pub(crate) fn with(&self, key: &str, value: impl Into<Value>) -> Self {
        let mut fields = self.0.clone();
        let plain = |key: &str| key.replace('-', "_");
        let own = fields.keys().find(|own| plain(own) == plain(key)).cloned();
        fields.insert(own.unwrap_or_else(|| key.to_owned()), value.into());
        Self(fields)
    }

    /// The command with these parameters.
    pub(crate) fn applied_to(&self, command: &Words) -> Words {
        let mut words = command.clone();
        self.parameters().for_each(|(key, value)| words.set(key, value));
        words
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().filter(|(key, _)| *key != NAME).map(|(key, value)| (key.as_str(), value))
    }
}

/// A value as Python writes it, for the names of folders and figures and the cells of tables are made of that.
pub(crate) fn python(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => represented(other),
    }
}

fn represented(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => literal(text),
        Value::Array(list) => {
            format!("[{}]", list.iter().map(represented).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{}: {}", literal(key), represented(value))
            };
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text as Python's `repr` writes it: in double quotes where only single ones stand in it.
fn literal(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut literal = String::from(quote);
    for sign in text.chars() {
        match sign {
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\\' => literal.push_str("\\\\"),
            sign if sign == quote => literal.extend(['\\', quote]),
            sign if sign.is_ascii_control() => {
                literal.push_str(&format!("\\x{:02x}", u32::from(sign)));
            }
            sign => literal.push(sign),
        }
    }
    literal.push(quote);
    literal
}

/// The key of a combination's name.
const NAME: &str = "_benchmark_name";

const NO_SECRETS: &str = "the commands inherit the environment: export OPENAI_API_KEY=… for the benchmark, VLLM_API_KEY=… for vllm serve; a header of tokometer bench serve may refer to a variable: Authorization=Bearer ${NAME}";

const FORM: &str = "for example [{\"max_concurrency\": 8}, {\"max_concurrency\": 16}], or {\"small\": {\"max_concurrency\": 8}}";

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let read = read("--bench-params", Some(text)).unwrap();
        read.iter().map(Combination::name).collect()
    }

    fn refusal(text: &str) -> String {
        read("--bench-params", Some(text)).unwrap_err().to_string()
    }

    #[test]
    fn combinations_are_named_by_their_name_or_their_parameters() {
        assert_eq!(
            names(r#"[{"a": 1, "b": true}, {"_benchmark_name": "x", "a": 2}]"#),
            ["a=1-b=True", "x"]
        );
        assert_eq!(names(r#"{"first": {"a": 1}, "second": {}}"#), ["first", "second"]);
        assert_eq!(names(r#"[{"a": {"k": ["v", 1.0, null]}}]"#), ["a={'k': ['v', 1.0, None]}"]);
    }

    #[test]
    fn texts_within_are_written_as_python_s_repr_does() {
        let value = serde_json::json!({"the server's": ["a\\b's \"c\"", "x\\'", "d\n"]});
        // repr({"the server's": [...]}) of CPython.
        assert_eq!(python(&value), r#"{"the server's": ['a\\b\'s "c"', "x\\'", 'd\n']}"#);
    }

    #[test]
    fn what_holds_no_combinations_is_refused_with_its_place() {
        assert!(refusal("[1]").contains("--bench-params: entry 1 is no object"));
        assert!(refusal("[]").contains("no combination at all"));
        assert!(refusal(r#"{"a": 3}"#).contains("\"a\" is no object"));
        assert!(
            refusal(r#"[{"_benchmark_name": "x"}, {"_benchmark_name": "x"}]"#)
                .contains("two combinations are named \"x\"")
        );
        assert!(refusal("{oops").contains("not JSON: key must be a string at line 1 column 2"));
        assert!(refusal("nowhere.json").contains("cannot read nowhere.json"));
    }

    #[test]
    fn a_secret_is_refused_and_not_repeated() {
        for text in [
            r#"[{"api_key": "sk-1"}]"#,
            r#"{"a": {"header": "Authorization=Bearer sk-1"}}"#,
            r#"[{"n": 1}, {"extra_body": {"api_key": "sk-1"}}]"#,
        ] {
            let said = refusal(text);
            assert!(said.contains("holds a secret") && !said.contains("sk-1"), "{said}");
        }
        assert_eq!(
            names(r#"[{"header": "Authorization=Bearer ${KEY}"}]"#),
            ["header=Authorization=Bearer ${KEY}"]
        );
    }

    #[test]
    fn a_parameter_is_the_same_with_either_sign() {
        let combination = read("x", Some(r#"[{"max-concurrency": 1}]"#)).unwrap().remove(0);
        assert_eq!(combination.parameter("max_concurrency"), Some(&Value::from(1)));
        assert_eq!(combination.with("max_concurrency", 3).text(", "), "max-concurrency=3");
    }
}
