//! Values of flags that have a form of their own: lists, pairs, ratios, sizes of images, JSON.
//!
//! Every error names the flag, what was typed, and an example; values that may be secret are not repeated.

use serde_json::{Value, json};

use crate::dialect::json::object;
use crate::trouble::Trouble;

/// Words between commas.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Numbers between commas.
///
/// # Errors
/// If one is none.
pub(super) fn numbers(flag: &str, text: &str, example: &str) -> Result<Vec<f64>, Trouble> {
    let number = |word: &str| {
        word.trim().parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| {
            Trouble::input(format!("{flag} takes numbers between commas, not {word:?}"))
                .with_hint(example.to_owned())
        })
    };
    text.split(',').map(number).collect()
}

/// `KEY=VALUE`, both without the blanks around them. The value is not repeated in an error: it may be half of a secret.
///
/// # Errors
/// If there is no `=`.
pub(super) fn pair(
    flag: &str,
    index: usize,
    text: &str,
    example: &str,
) -> Result<(String, String), Trouble> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Trouble::input(format!("{flag}: value {} is not KEY=VALUE", index + 1))
            .with_hint(format!("quote values with blanks: {example}"))),
    }
}

/// `METRIC:MILLISECONDS`. Which metrics there are is for the plan to say.
///
/// # Errors
/// If it is not of that form.
pub(super) fn goodput(text: &str) -> Result<(String, Value), Trouble> {
    let wrong = || {
        Trouble::input(format!("--goodput: {text} is not METRIC:MILLISECONDS"))
            .with_hint("for example --goodput ttft:500 tpot:50")
    };
    let (name, limit) = text.split_once(':').ok_or_else(wrong)?;
    let limit: f64 = limit.trim().parse().map_err(|_| wrong())?;
    if !limit.is_finite() {
        return Err(wrong());
    }
    Ok((name.trim().to_owned(), json!(limit)))
}

/// One ratio, or one for inputs and one for outputs; each from 0 to less than 1.
///
/// # Errors
/// If it is neither, or out of range.
pub(super) fn range_ratio(text: &str) -> Result<Value, Trouble> {
    let flag = "--random-range-ratio";
    let within = |ratio: f64| (0.0..1.0).contains(&ratio);
    let outside = |ratio: String| {
        Trouble::input(format!("{flag}: {ratio} is not from 0 to less than 1"))
            .with_hint("0.3 draws lengths from 70 % to 130 % of what was asked for")
    };
    if let Ok(ratio) = text.trim().parse::<f64>() {
        return if within(ratio) { Ok(json!(ratio)) } else { Err(outside(ratio.to_string())) };
    }
    let ratios = object(flag, text, RATIO_EXAMPLE)?;
    for name in ["input", "output"] {
        match ratios.get(name).map(Value::as_f64) {
            Some(Some(ratio)) if within(ratio) => {}
            Some(_) => {
                return Err(outside(ratios.get(name).map_or_else(String::new, Value::to_string)));
            }
            None => {
                return Err(
                    Trouble::input(format!("{flag}: {name} is missing")).with_hint(RATIO_EXAMPLE)
                );
            }
        }
    }
    match ratios.keys().find(|key| !matches!(key.as_str(), "input" | "output")) {
        Some(unknown) => {
            Err(Trouble::input(format!("{flag}: unknown key {unknown}")).with_hint(RATIO_EXAMPLE))
        }
        None => Ok(Value::Object(ratios)),
    }
}

/// Sizes of images and videos, and how likely each is, as vLLM takes them: `{(HEIGHT, WIDTH, FRAMES): PROBABILITY, …}`.
///
/// # Errors
/// If it is not of that form.
pub(super) fn buckets(text: &str) -> Result<Value, Trouble> {
    let flag = "--random-mm-bucket-config";
    let wrong = |what: String| Trouble::input(format!("{flag}: {what}")).with_hint(BUCKETS_EXAMPLE);
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let inner = inner.ok_or_else(|| wrong("it is not in braces".into()))?;
    let mut buckets = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let entry = || {
            // Keys may be quoted, as JSON wants them.
            let (before, from) = rest.split_once('(')?;
            let (size, from) = from.split_once(')')?;
            let (between, from) = from.split_once(':')?;
            let blank = |text: &str| text.trim().trim_matches(['"', '\'']).is_empty();
            (blank(before) && blank(between)).then_some((size, from))
        };
        let Some((size, from)) = entry() else {
            return Err(wrong(format!("{rest} does not begin with (height, width, frames): ")));
        };
        let (probability, left) = from.split_once(',').unwrap_or((from, ""));
        let sides: Option<Vec<u32>> = size.split(',').map(|n| n.trim().parse().ok()).collect();
        let probability =
            probability.trim().parse::<f64>().ok().filter(|p| p.is_finite() && *p >= 0.0);
        match (sides.as_deref(), probability) {
            (Some(&[height, width, frames]), Some(probability)) => {
                buckets.push(bucket(height, width, frames, probability));
            }
            (Some([_, _, _]), None) => {
                return Err(wrong(format!("({size}) has no probability of 0 or more")));
            }
            _ => return Err(wrong(format!("({size}) is not height, width and frames"))),
        }
        rest = left.trim();
    }
    match buckets.is_empty() {
        true => Err(wrong("it holds no size".into())),
        false => Ok(Value::Array(buckets)),
    }
}

/// One size, as the dataset takes it.
pub(super) fn bucket(height: u32, width: u32, frames: u32, probability: f64) -> Value {
    json!({ "width": width, "height": height, "frames": frames, "probability": probability })
}

const RATIO_EXAMPLE: &str =
    "for example --random-range-ratio 0.3, or '{\"input\": 0.3, \"output\": 0.5}'";
const BUCKETS_EXAMPLE: &str =
    "for example --random-mm-bucket-config '{(256, 256, 1): 0.5, (720, 1280, 1): 0.5}'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_one_number_or_two() {
        assert_eq!(range_ratio("0.3").unwrap(), json!(0.3));
        let both = json!({ "input": 0.3, "output": 0 });
        assert_eq!(range_ratio("{\"input\": 0.3, \"output\": 0}").unwrap(), both);
    }

    #[test]
    fn a_ratio_out_of_range_is_refused() {
        let said = |text: &str| range_ratio(text).unwrap_err().to_string();
        assert!(said("1").starts_with("error: --random-range-ratio: 1 is not from 0"));
        assert!(said("-0.1").starts_with("error: --random-range-ratio: -0.1 is not from 0"));
        assert!(said("nan").starts_with("error: --random-range-ratio: NaN is not from 0"));
        assert!(said("{\"input\": 1.5, \"output\": 0}").contains("1.5 is not from 0"));
        assert!(said("{\"input\": 0.5}").contains("output is missing"));
        assert!(said("{\"input\": 0, \"output\": 0, \"in\": 1}").contains("unknown key in"));
        assert!(said("a third").contains("not a JSON object"));
    }

    #[test]
    fn sizes_are_read_as_python_and_as_json_write_them() {
        let expected = json!([
            { "width": 200, "height": 100, "frames": 1, "probability": 0.5 },
            { "width": 4, "height": 3, "frames": 16, "probability": 1.0 },
        ]);
        assert_eq!(buckets("{(100, 200, 1): 0.5, (3,4,16): 1}").unwrap(), expected);
        assert_eq!(buckets("{\"(100, 200, 1)\": 0.5, \"(3, 4, 16)\": 1.0,}").unwrap(), expected);
    }

    #[test]
    fn sizes_of_another_form_are_refused() {
        let said = |text: &str| buckets(text).unwrap_err().to_string();
        assert!(said("(1, 2, 3): 4").contains("not in braces"));
        assert!(said("{}").contains("holds no size"));
        assert!(said("{(1, 2): 0.5}").contains("(1, 2) is not height, width and frames"));
        assert!(said("{(1, 2, 3): -1}").contains("(1, 2, 3) has no probability"));
        assert!(said("{256: 1}").contains("does not begin with"));
    }

    #[test]
    fn pairs_and_numbers_are_split() {
        assert_eq!(pair("--metadata", 0, "a = b=c", "").unwrap(), ("a".into(), "b=c".into()));
        assert!(pair("--header", 1, "s3cret", "x").unwrap_err().to_string().contains("value 2"));
        assert_eq!(numbers("--f", "25, 99.9", "").unwrap(), [25.0, 99.9]);
        assert!(numbers("--f", "25,,99", "").is_err());
        assert_eq!(goodput("ttft:500").unwrap(), ("ttft".into(), json!(500.0)));
        assert!(goodput("ttft=500").is_err() && goodput("ttft:inf").is_err());
    }
}
