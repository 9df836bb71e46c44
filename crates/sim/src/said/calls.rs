//! Calls of tools: arguments that fit the JSON schema of a function, made up from a seed.
//!
//! Understood of a schema are its types, `enum`, `const`, `anyOf` and its like, references within it, the bounds of numbers and the
//! lengths of lists. Deliberately not: patterns and formats of texts; what is made up for those are common words.

use serde_json::{Map, Value, json};

use crate::said::Tokens;
use crate::said::english::WORDS;
use crate::said::text::Draws;

/// Makes up the arguments of a call, as JSON.
pub(crate) fn arguments(schema: &Value, draws: &mut Draws) -> String {
    match value(schema, schema, draws, 0) {
        Value::Object(arguments) => Value::Object(arguments).to_string(),
        // Arguments are an object whatever the schema says.
        _ => "{}".to_owned(),
    }
}

/// The text of each token of `text`, as it adds to those before.
pub(crate) fn pieces(tokens: &dyn Tokens, text: &str) -> Vec<String> {
    let ids = tokens.encode(text);
    let alone: Vec<String> = ids.iter().map(|id| tokens.decode(&[*id])).collect();
    if alone.concat() == text {
        return alone;
    }
    // Some tokens are parts of a character, and some decoders leave out a space at the beginning.
    let mut told = 0;
    let mut pieces: Vec<String> = Vec::with_capacity(ids.len());
    for end in 1..=ids.len() {
        let so_far = tokens.decode(&ids[..end]);
        let through = if text.starts_with(&so_far) { so_far.len() } else { told };
        pieces.push(text[told.min(through)..through].to_owned());
        told = told.max(through);
    }
    match pieces.last_mut() {
        Some(last) => last.push_str(&text[told..]),
        None => pieces.push(text.to_owned()),
    }
    pieces
}

fn value(schema: &Value, root: &Value, draws: &mut Draws, depth: usize) -> Value {
    let given = |name: &str| schema.get(name);
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(reference) = given("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Value::Null, |target| value(target, root, draws, depth + 1));
    }
    if let Some(only) = given("const") {
        return only.clone();
    }
    if let Some(choices) = given("enum").and_then(Value::as_array)
        && !choices.is_empty()
    {
        return choices[draws.below(choices.len())].clone();
    }
    for name in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = given(name).and_then(|list| list.get(0)) {
            return value(first, root, draws, depth + 1);
        }
    }
    let kind = match given("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if given("properties").is_some() => "object",
        _ if given("items").is_some() => "array",
        _ => "string",
    };
    match kind {
        "object" => object(schema, root, draws, depth),
        "array" => {
            let least = size(schema, "minItems").unwrap_or(1).min(MOST_ITEMS);
            let most = size(schema, "maxItems").unwrap_or(least + 2).clamp(least, MOST_ITEMS);
            let count = least + draws.below(most - least + 1);
            let items = given("items").unwrap_or(&Value::Null);
            (0..count).map(|_| value(items, root, draws, depth + 1)).collect()
        }
        "integer" => integer(schema, draws).into(),
        "number" => {
            let (low, high) = bounds(schema);
            json!((low + (high - low) * draws.share() * 100.0).round().clamp(low, high))
        }
        "boolean" => (draws.below(2) == 1).into(),
        "null" => Value::Null,
        _ => {
            let words = (0..=draws.below(3)).map(|_| WORDS[draws.below(WORDS.len())]);
            words.collect::<Vec<_>>().join(" ").into()
        }
    }
}

fn object(schema: &Value, root: &Value, draws: &mut Draws, depth: usize) -> Value {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut made = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        // The draw is made in any case, so that what follows is the same whether this is required or not.
        let fancied = draws.below(2) == 1;
        if required.contains(&name.as_str()) || (fancied && depth < DEEPEST / 2) {
            made.insert(name.clone(), value(property, root, draws, depth + 1));
        }
    }
    Value::Object(made)
}

fn integer(schema: &Value, draws: &mut Draws) -> i64 {
    let (low, high) = bounds(schema);
    let (low, high) = (low.ceil() as i64, high.floor() as i64);
    let step =
        schema.get("multipleOf").and_then(Value::as_i64).filter(|step| *step > 0).unwrap_or(1);
    let first = low.div_euclid(step).saturating_mul(step);
    let first = if first < low { first.saturating_add(step) } else { first };
    let steps = usize::try_from(high.saturating_sub(first) / step).unwrap_or(0).min(1_000_000);
    first.saturating_add(step.saturating_mul(draws.below(steps + 1) as i64))
}

/// The least and the greatest that a number may be.
fn bounds(schema: &Value) -> (f64, f64) {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let low = number("minimum").or(number("exclusiveMinimum").map(|low| low + 1.0));
    let high = number("maximum").or(number("exclusiveMaximum").map(|high| high - 1.0));
    match (low, high) {
        (Some(low), Some(high)) => (low, high.max(low)),
        (Some(low), None) => (low, low + USUAL_SPAN),
        (None, Some(high)) => (high.min(0.0), high),
        (None, None) => (0.0, USUAL_SPAN),
    }
}

fn size(schema: &Value, name: &str) -> Option<usize> {
    usize::try_from(schema.get(name)?.as_u64()?).ok()
}

/// How deep a schema is followed: some refer to themselves.
const DEEPEST: usize = 8;

/// The most items of a list that is made up.
const MOST_ITEMS: usize = 16;

/// How far a number goes that nothing bounds.
const USUAL_SPAN: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Words;

    fn made(schema: &Value, seed: u64) -> Value {
        serde_json::from_str(&arguments(schema, &mut Draws::new(seed))).unwrap()
    }

    #[test]
    fn arguments_fit_their_schema_whatever_the_seed() {
        let schema = json!({
            "type": "object",
            "required": ["city", "days", "unit", "tags", "at", "deep", "maybe", "ratio"],
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "minimum": 3, "maximum": 9, "multipleOf": 3 },
                "unit": { "enum": ["C", "F"] },
                "tags": { "type": "array", "items": { "type": "boolean" }, "minItems": 2, "maxItems": 3 },
                "at": { "$ref": "#/$defs/place" },
                "deep": { "$ref": "#/$defs/deep" },
                "maybe": { "type": ["null", "number"] },
                "ratio": { "type": "number", "minimum": 0, "maximum": 1 },
                "extra": { "const": 7 },
            },
            "$defs": {
                "place": { "type": "object", "required": ["x"], "properties": { "x": { "type": "number" } } },
                "deep": { "type": "object", "required": ["more"], "properties": { "more": { "$ref": "#/$defs/deep" } } },
            },
        });
        let mut extras = 0;
        for seed in 0..200 {
            let made = made(&schema, seed);
            assert!(made["city"].as_str().is_some_and(|city| !city.is_empty()));
            assert!([3, 6, 9].contains(&made["days"].as_i64().unwrap()), "{made}");
            assert!(["C", "F"].contains(&made["unit"].as_str().unwrap()));
            let tags = made["tags"].as_array().unwrap();
            assert!((2..=3).contains(&tags.len()) && tags.iter().all(Value::is_boolean));
            assert!(made["at"]["x"].is_number() && made["maybe"].is_number());
            assert!((0.0..=1.0).contains(&made["ratio"].as_f64().unwrap()));
            extras += usize::from(made.get("extra").is_some());
        }
        assert!((60..140).contains(&extras), "{extras} of 200");
    }

    #[test]
    fn what_is_no_schema_makes_no_arguments() {
        for schema in
            [Value::Null, json!("x"), json!({ "type": "string" }), json!({ "$ref": "#/no" })]
        {
            assert_eq!(made(&schema, 1), json!({}));
        }
        let endless = json!({ "type": "object", "properties": {
            "a": { "type": "array", "minItems": 1_000_000_000 },
            "b": { "type": "integer", "minimum": 1e300 },
        }, "required": ["a", "b"] });
        assert_eq!(made(&endless, 1)["a"].as_array().unwrap().len(), MOST_ITEMS);
    }

    #[test]
    fn pieces_are_as_many_as_tokens_and_make_up_the_text() {
        for text in ["{\"a\": \" the people\"}", "ünïcode", "x"] {
            let pieces = pieces(&Words, text);
            assert_eq!(
                (pieces.len(), pieces.concat()),
                (Words.encode(text).len(), text.to_owned())
            );
        }
    }
}
