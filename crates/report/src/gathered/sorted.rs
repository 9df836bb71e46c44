//! The order of results: by number, never by name.

use std::cmp::Ordering;

use super::cell::{Cell, natural};

/// By input, output, concurrency, rate, requests and repetition, whichever of them are told; then by model, file and date.
pub(super) fn by_number(a: &[(String, Cell)], b: &[(String, Cell)]) -> Ordering {
    let number = |row: &[(String, Cell)], key: &str| at(row, key).and_then(Cell::number);
    let numbers = NUMBERS.iter().map(|key| ordered(number(a, key), number(b, key)));
    let names = NAMES.iter().map(|key| natural(text(a, key), text(b, key)));
    numbers.chain(names).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// What has no such number stands behind what has: no limit of concurrency is more than any.
fn ordered(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn at<'r>(row: &'r [(String, Cell)], key: &str) -> Option<&'r Cell> {
    row.iter().find(|(name, _)| name == key).map(|(_, cell)| cell)
}

fn text<'r>(row: &'r [(String, Cell)], key: &str) -> &'r str {
    match at(row, key) {
        Some(Cell::Text(text)) => text,
        _ => "",
    }
}

const NUMBERS: [&str; 6] =
    ["input_len", "output_len", "max_concurrency", "request_rate", "num_prompts", "repetition"];

const NAMES: [&str; 4] = ["model_id", "result_dir", "filename", "date"];
