//! A result as it was written: one JSON object, a list of them (a sweep's `summary.json`), or one a line (`--append-result`).

use serde_json::{Map, Value};

use super::figures::{Figure, figure};

/// The result of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Where it was read.
    pub source: String,
    fields: Map<String, Value>,
}

/// Why a text is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it was read, and the line where it stands in one.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for Malformed {}

/// The results that stand in a text, in their order.
///
/// # Errors
/// If it is not JSON, or holds anything but results; a result is an object with `completed` and `duration`.
pub fn read(text: &str, source: &str) -> Result<Vec<Outcome>, Malformed> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut outcomes = Vec::new();
    for value in values {
        let value = value.map_err(|error| Malformed {
            place: format!("{source}, line {}", error.line()),
            why: format!("not JSON: {error}"),
        })?;
        let objects = match value {
            Value::Array(list) => list,
            other => vec![other],
        };
        for object in objects {
            outcomes.push(Outcome::of(object, source)?);
        }
    }
    match outcomes.is_empty() {
        true => Err(Malformed { place: source.to_owned(), why: "holds no result".to_owned() }),
        false => Ok(outcomes),
    }
}

impl Outcome {
    /// A result that was read from `source`.
    ///
    /// # Errors
    /// If it is no object with numbers at `completed` and `duration`.
    pub fn of(value: Value, source: &str) -> Result<Self, Malformed> {
        let malformed = |why: String| Malformed { place: source.to_owned(), why };
        let Value::Object(fields) = value else {
            return Err(malformed("a result is a JSON object".to_owned()));
        };
        let outcome = Self { source: source.to_owned(), fields };
        let stands = |key: &str| outcome.fields.get(key).is_some_and(Value::is_number);
        match ["completed", "duration"].into_iter().find(|key| !stands(key)) {
            None => Ok(outcome),
            Some(lacking) => {
                Err(malformed(format!("no result of a benchmark: it has no number at {lacking:?}")))
            }
        }
    }

    /// The number at a key, if there is a finite one and the figure applies.
    pub fn number(&self, key: &str) -> Option<f64> {
        let number = self.fields.get(key)?.as_f64().filter(|value| value.is_finite());
        number.filter(|_| applies(&self.fields, key))
    }

    /// What stands at a key.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// All that stands in it.
    pub const fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Its keys, in their order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Its figures, in their order.
    pub(crate) fn figures(&self) -> impl Iterator<Item = Figure> + '_ {
        self.keys().filter(|key| self.number(key).is_some()).filter_map(figure)
    }

    /// The numbers of a list; what is no number is NaN, so that places are kept.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<f64>> {
        let values = self.fields.get(key)?.as_array()?;
        Some(values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect())
    }
}

/// Whether the figure at a key is one, in a result with these fields: where there is none to be told, this program writes a 0 as vLLM
/// does, and names the key under `not_applicable`.
pub fn applies(fields: &Map<String, Value>, key: &str) -> bool {
    let absent = fields.get("not_applicable").and_then(Value::as_array);
    !absent.is_some_and(|keys| keys.iter().any(|absent| absent == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_result_a_list_and_one_a_line_are_read() {
        let one = r#"{"completed": 1, "duration": 2.0}"#;
        assert_eq!(read(one, "a").unwrap().len(), 1);
        assert_eq!(read(&format!("[{one}, {one}]"), "a").unwrap().len(), 2);
        assert_eq!(read(&format!("{one}\n{one}\n{one}"), "a").unwrap().len(), 3);
    }

    #[test]
    fn a_zero_for_want_of_a_figure_is_no_number() {
        let text = r#"{"completed": 0, "duration": 0.0, "mean_ttft_ms": 0.0, "not_applicable": ["duration", "mean_ttft_ms"]}"#;
        let outcome = read(text, "a").unwrap().remove(0);
        let numbers = ["mean_ttft_ms", "duration", "completed"].map(|key| outcome.number(key));
        assert_eq!(numbers, [None, None, Some(0.0)]);
        assert_eq!(outcome.figures().map(|figure| figure.key).collect::<Vec<_>>(), ["completed"]);
    }

    #[test]
    fn what_is_no_result_is_refused_with_its_place() {
        let refused = |text: &str| read(text, "a.json").unwrap_err().to_string();
        assert_eq!(refused(""), "a.json: holds no result");
        assert_eq!(
            refused("{}"),
            "a.json: no result of a benchmark: it has no number at \"completed\""
        );
        assert_eq!(refused("[3]"), "a.json: a result is a JSON object");
        assert!(refused("{\"completed\": 1,\n oops").starts_with("a.json, line 2: not JSON"));
    }
}
