//! The text form in which servers expose their metrics: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! Reads samples and nothing else: types, help and timestamps are passed over, and so is a line that is no sample, for one odd line must not
//! cost the others. A reader of our own, of one function's length: what there is ready-made brings regular expressions and a calendar.

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'p> {
    /// The name.
    pub name: &'p str,
    /// The name and the labels, as they stand on the page: `up{job="a"}`.
    pub key: &'p str,
    /// The value.
    pub value: f64,
}

/// The samples of a page, in its order. Values that are no number (`NaN`) are left out: they say that nothing was measured.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter_map(sample).filter(|sample| !sample.value.is_nan())
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    let length = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let name = &line[..length];
    let begins_well = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    if !name.starts_with(begins_well) {
        return None;
    }
    let key_length = match line[length..].strip_prefix('{') {
        Some(labels) => length + 1 + end_of_labels(labels)? + 1,
        None => length,
    };
    let (key, rest) = line.split_at(key_length);
    // A timestamp may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, key, value })
}

/// Where the brace stands that ends the labels. One inside quotes does not.
fn end_of_labels(labels: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in labels.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<(&str, &str, f64)> {
        samples(line).next().map(|sample| (sample.name, sample.key, sample.value))
    }

    #[test]
    fn a_sample_has_a_name_labels_and_a_value() {
        assert_eq!(one("up 1"), Some(("up", "up", 1.0)));
        assert_eq!(one("a:b{x=\"1\"} 2.5e3"), Some(("a:b", "a:b{x=\"1\"}", 2500.0)));
        assert_eq!(one("a{x=\"1\"} 2 1700000000"), Some(("a", "a{x=\"1\"}", 2.0)));
        assert_eq!(one("a +Inf"), Some(("a", "a", f64::INFINITY)));
    }

    #[test]
    fn a_brace_in_quotes_ends_no_labels() {
        assert_eq!(one(r#"a{x="}\"}"} 3"#), Some(("a", r#"a{x="}\"}"}"#, 3.0)));
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["", "# HELP a b", "a", "a{x=\"1\" 2", "a NaN", "1a 2", "a b", "{\"a\": 1}"] {
            assert_eq!(one(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(page in ".*") {
            samples(&page).for_each(drop);
        }

        #[test]
        fn a_value_that_was_written_is_read(value in -1e12_f64..1e12) {
            let page = format!("a{{b=\"c\"}} {value}\n");
            prop_assert_eq!(samples(&page).next().unwrap().value, value);
        }
    }
}
