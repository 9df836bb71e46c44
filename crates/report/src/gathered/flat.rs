//! A result made flat: what stands inside its objects under names with dots, and no lists.
//!
//! Figures that do not apply, which this program writes as 0 and names under `not_applicable`, are empty.

use serde_json::{Map, Value};

use super::cell::Cell;
use super::columns;
use crate::compare::applies;

/// The cells of a result, in its own order.
pub(super) fn flat(result: &Map<String, Value>) -> Vec<(String, Cell)> {
    let mut cells = Vec::with_capacity(result.len());
    for (key, value) in result {
        // Clients of before vLLM's 0.6 wrote the key with its colon.
        let name = key.strip_suffix(':').unwrap_or(key);
        if columns::is_left_out(name) {
            continue;
        }
        if applies(result, key) {
            put(&mut cells, name.to_owned(), value);
        } else {
            cells.push((name.to_owned(), Cell::Empty));
        }
    }
    cells
}

fn put(cells: &mut Vec<(String, Cell)>, key: String, value: &Value) {
    if let Value::Object(inner) = value {
        for (name, value) in inner {
            let key = format!("{key}.{name}");
            if !columns::is_left_out(&key) {
                put(cells, key, value);
            }
        }
    } else if let Some(cell) = Cell::of_json(value, columns::kind(&key)) {
        cells.push((key, cell));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_get_dots_lists_go_and_what_does_not_apply_is_empty() {
        let result = json!({
            "model_id": "7",
            "tp": "2",
            "mean_ttft_ms": 0.0,
            "request_goodput:": 1.5,
            "ttfts": [0.1],
            "verdict": {"kind": "valid", "reasons": []},
            "not_applicable": ["mean_ttft_ms"],
        });
        let cells = flat(result.as_object().unwrap());
        let expected = [
            ("model_id", Cell::Text("7".to_owned())),
            ("tp", Cell::Integer(2)),
            ("mean_ttft_ms", Cell::Empty),
            ("request_goodput", Cell::Number(1.5)),
            ("verdict.kind", Cell::Text("valid".to_owned())),
        ];
        assert_eq!(cells, expected.map(|(key, cell)| (key.to_owned(), cell)));
    }
}
