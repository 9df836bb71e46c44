//! A dataset's own settings: `prompts.args` of a plan, read into the dataset's own type.
//!
//! What the settings mean, and whether they go together, is each dataset's affair. Here is only how they are read, what
//! vLLM's datasets have in common, and how an error names the setting that is wrong.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{DatasetError, Spec};

/// What all datasets of vLLM's take beside their own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Common {
    /// Whether prompts come in an order drawn by the seed, in place of the file's.
    pub(super) shuffle: bool,
    /// Whether the dataset begins anew at its end. If not, a prompt beyond it is an error.
    pub(super) oversample: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self { shuffle: true, oversample: true }
    }
}

/// Reads the settings of `spec` into what all datasets of vLLM's have in common, and the rest into a type that should be
/// `#[serde(deny_unknown_fields)]`.
pub(super) fn args_with_common<T: DeserializeOwned>(
    spec: &Spec,
) -> Result<(Common, T), DatasetError> {
    let (common, own) =
        spec.args.clone().into_iter().partition(|(name, _)| COMMON.contains(&name.as_str()));
    Ok((read(spec, common)?, read(spec, own)?))
}

/// The error for a setting that is wrong.
pub(super) fn wrong(spec: &Spec, field: &str, why: impl Into<String>) -> DatasetError {
    DatasetError::Argument { dataset: spec.name.clone(), field: field.to_owned(), why: why.into() }
}

fn read<T: DeserializeOwned>(spec: &Spec, given: Map<String, Value>) -> Result<T, DatasetError> {
    let known = given.clone();
    serde_path_to_error::deserialize(Value::Object(given)).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner().to_string();
        // An unknown field is told by its name in the message; the path may end before it.
        let unknown = known.keys().find(|name| why.starts_with(&format!("unknown field `{name}`")));
        match unknown {
            Some(name) => wrong(spec, name, unknown_field(name, &why)),
            None => wrong(spec, &path, wrong_value(&why)),
        }
    })
}

/// "unknown field `a`, expected one of `b`, `c`" with the settings there are: the dataset's own, and those of all.
fn unknown_field(name: &str, why: &str) -> String {
    let own = why.split('`').skip(3).step_by(2);
    let known: Vec<&str> = own.chain(COMMON).collect();
    let likeness = |known: &&&str| strsim::jaro_winkler(name, known);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = nearest
        .filter(|known| likeness(known) > NEAR)
        .map_or_else(String::new, |known| format!(" (did you mean {known}?)"));
    format!("there is no such setting{meant}; there are {}", known.join(", "))
}

/// "invalid type: string "a", expected a nonzero u32" in words for people.
fn wrong_value(why: &str) -> String {
    let Some((found, expected)) = why.split_once(", expected ") else { return why.to_owned() };
    let told = ["invalid type: ", "invalid value: "];
    let Some(found) = told.iter().find_map(|told| found.strip_prefix(told)) else {
        return why.to_owned();
    };
    let expected = match expected {
        "a nonzero u32" | "a nonzero u64" => "a whole number above 0",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        expected if expected == "a map" || expected.starts_with("struct ") => "names with values",
        other => other,
    };
    format!("expected {expected}, found {}", found.replace('`', ""))
}

const COMMON: [&str; 2] = ["shuffle", "oversample"];
/// The likeness from which a name is taken for a misspelling.
const NEAR: f64 = 0.8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Own {
        input_len: u32,
        number: Option<std::num::NonZero<u32>>,
        nested: Option<Nested>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nested {
        input: f64,
    }

    impl Default for Own {
        fn default() -> Self {
            Self { input_len: 7, number: None, nested: None }
        }
    }

    fn spec(args: Value) -> Spec {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        Spec { name: "some".to_owned(), args, ..Spec::default() }
    }

    fn refusal(given: Value) -> String {
        args_with_common::<Own>(&spec(given)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_given_is_as_it_always_is() {
        let (common, own) = args_with_common::<Own>(&spec(json!({}))).unwrap();
        assert_eq!((common, own), (Common { shuffle: true, oversample: true }, Own::default()));
    }

    #[test]
    fn common_and_own_settings_are_told_apart() {
        let given = json!({ "shuffle": false, "input_len": 9, "nested": { "input": 0.5 } });
        let (common, own) = args_with_common::<Own>(&spec(given)).unwrap();
        assert_eq!(common, Common { shuffle: false, oversample: true });
        assert_eq!(own, Own { input_len: 9, number: None, nested: Some(Nested { input: 0.5 }) });
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        assert_eq!(
            refusal(json!({ "input_lne": 9 })),
            "prompts.args.input_lne of the dataset some: there is no such setting (did you mean input_len?); there are input_len, number, nested, shuffle, oversample"
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_place() {
        assert_eq!(
            refusal(json!({ "input_len": "many" })),
            "prompts.args.input_len of the dataset some: expected a whole number, not negative, found string \"many\""
        );
        assert_eq!(
            refusal(json!({ "number": "many" })),
            "prompts.args.number of the dataset some: expected a whole number above 0, found string \"many\""
        );
        let error = refusal(json!({ "number": 0 }));
        assert!(error.ends_with("expected a whole number above 0, found integer 0"), "{error}");
        let error = refusal(json!({ "nested": { "input": "a" } }));
        assert!(error.starts_with("prompts.args.nested.input of"), "{error}");
        let error = refusal(json!({ "shuffle": 3 }));
        assert!(error.starts_with("prompts.args.shuffle of"), "{error}");
    }
}
