//! The text forms in which servers expose their metrics: Prometheus's own,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, and OpenMetrics,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
//!
//! Reads samples and nothing else: types, help, timestamps, exemplars and `# EOF` are passed over, and so is a line that is
//! no sample, for one odd line must not cost the others. A page that was cut short is read as far as it goes: of its last
//! line, which lacks the line feed that both forms ask for, nobody knows whether its number is whole, and it is left out. A
//! reader of our own: what there is ready-made brings regular expressions and a calendar.
//!
//! What a sample means is for the tables of [`crate::server`] and [`crate::gpu`].

mod histogram;
mod page;

use std::borrow::Cow;

pub(crate) use histogram::histogram;
pub(crate) use page::Page;

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

/// What tells a series from the others of its name: its labels, by their names. Those that are empty say nothing, and are
/// left out.
pub(crate) type Identity<'p> = Vec<(&'p str, Cow<'p, str>)>;

impl<'p> Sample<'p> {
    /// The value of a label, without its escapes. `None` if it has no such label.
    pub fn label(&self, name: &str) -> Option<Cow<'p, str>> {
        self.labels().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The labels and their values, without escapes, as they follow one another on the page.
    pub fn labels(&self) -> impl Iterator<Item = (&'p str, Cow<'p, str>)> + use<'p> {
        let labels = self.key[self.name.len()..].trim_start();
        let mut rest = labels.strip_prefix('{').unwrap_or_default();
        std::iter::from_fn(move || {
            let (label, after) = label(rest)?;
            rest = after;
            Some(label)
        })
    }

    /// What tells its series from the others of its name, apart from these labels.
    pub(crate) fn identity(&self, apart_from: &[&str]) -> Identity<'p> {
        let tells =
            |(name, value): &(&str, Cow<'_, str>)| !value.is_empty() && !apart_from.contains(name);
        let mut labels: Identity<'p> = self.labels().filter(tells).collect();
        labels.sort_unstable();
        labels
    }
}

/// The samples of a page, in its order. Values that are no number (`NaN`) are left out: they say that nothing was measured.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    let whole = page.rfind('\n').map_or("", |end| &page[..end]);
    whole.lines().filter_map(sample).filter(|sample| !sample.value.is_nan())
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    let length = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let name = &line[..length];
    let begins_well = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    if !name.starts_with(begins_well) {
        return None;
    }
    let gap = line[length..].len() - line[length..].trim_start().len();
    let key_length = match line[length + gap..].strip_prefix('{') {
        Some(labels) => length + gap + 1 + end_of_labels(labels)? + 1,
        None => length,
    };
    let (key, rest) = line.split_at(key_length);
    // A timestamp may follow the value, and an exemplar that.
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

/// The first label of these and what follows it. `None` where there is none, or nothing that can be read as one.
fn label(labels: &str) -> Option<((&str, Cow<'_, str>), &str)> {
    let labels = labels.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    let (name, rest) = labels.split_once('=')?;
    let quoted = rest.trim_start().strip_prefix('"')?;
    let end = end_of_quotes(quoted)?;
    Some(((name.trim_end(), unescaped(&quoted[..end])), &quoted[end + 1..]))
}

fn end_of_quotes(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// A backslash stands before a backslash, a quote, and the `n` of a line feed. Before anything else it stands for itself.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, characters.clone().next()) {
            ('\\', Some(escaped @ ('\\' | '"'))) => plain.push(escaped),
            ('\\', Some('n')) => plain.push('\n'),
            (other, _) => {
                plain.push(other);
                continue;
            }
        }
        characters.next();
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(line: &str) -> Option<(String, String, f64)> {
        let page = format!("{line}\n");
        samples(&page)
            .next()
            .map(|sample| (sample.name.to_owned(), sample.key.to_owned(), sample.value))
    }

    fn told(name: &str, key: &str, value: f64) -> Option<(String, String, f64)> {
        Some((name.to_owned(), key.to_owned(), value))
    }

    fn labels_of(line: &str) -> Vec<(String, String)> {
        let page = format!("{line}\n");
        let labels = samples(&page).next().unwrap().labels();
        labels.map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
    }

    #[test]
    fn a_sample_has_a_name_labels_and_a_value() {
        assert_eq!(one("up 1"), told("up", "up", 1.0));
        assert_eq!(one("a:b{x=\"1\"} 2.5e3"), told("a:b", "a:b{x=\"1\"}", 2500.0));
        assert_eq!(one("a +Inf"), told("a", "a", f64::INFINITY));
        assert_eq!(one("a {x=\"1\"} 2"), told("a", "a {x=\"1\"}", 2.0));
    }

    #[test]
    fn a_timestamp_and_an_exemplar_behind_the_value_are_passed_over() {
        assert_eq!(one("a{x=\"1\"} 2 1700000000"), told("a", "a{x=\"1\"}", 2.0));
        assert_eq!(one("a{x=\"1\"} 2 1700000000.25"), told("a", "a{x=\"1\"}", 2.0));
        let exemplar = r#"t_bucket{le="0.5"} 17 # {trace_id="a } b"} 0.43 1700000000.5"#;
        assert_eq!(one(exemplar), told("t_bucket", r#"t_bucket{le="0.5"}"#, 17.0));
        assert_eq!(one(r#"a_total 3 # {id="}"} 1"#), told("a_total", "a_total", 3.0));
    }

    #[test]
    fn a_brace_in_quotes_ends_no_labels() {
        assert_eq!(one(r#"a{x="}\"}"} 3"#), told("a", r#"a{x="}\"}"}"#, 3.0));
    }

    #[test]
    fn labels_are_told_without_their_escapes() {
        let line = r#"a{path="C:\\new\n\"x\"", odd="\q", b = "=,}" ,} 1"#;
        let expected = [("path", "C:\\new\n\"x\""), ("odd", "\\q"), ("b", "=,}")];
        assert_eq!(
            labels_of(line),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(labels_of("a{} 1"), []);
        assert_eq!(labels_of("a 1"), []);
        assert_eq!(labels_of("a{x} 1"), []);
    }

    #[test]
    fn a_label_is_found_by_its_whole_name() {
        let page = "a{rank=\"0\",tp_rank=\"1\"} 1\n";
        let sample = samples(page).next().unwrap();
        assert_eq!(sample.label("rank").as_deref(), Some("0"));
        assert_eq!(sample.label("tp_rank").as_deref(), Some("1"));
        assert_eq!(sample.label("ran"), None);
    }

    #[test]
    fn a_series_is_told_by_its_labels_in_any_order_and_an_empty_one_says_nothing() {
        let page =
            "a{x=\"1\",y=\"2\",z=\"\"} 1\na{y=\"2\",x=\"1\"} 1\na{y=\"2\",x=\"1\",rank=\"3\"} 1\n";
        let identities: Vec<_> = samples(page).map(|sample| sample.identity(&["rank"])).collect();
        assert_eq!(identities[0], identities[1]);
        assert_eq!(identities[1], identities[2]);
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in
            ["", "# HELP a b", "# EOF", "a", "a{x=\"1\" 2", "a NaN", "1a 2", "a b", "{\"a\": 1}"]
        {
            assert_eq!(one(line), None, "{line}");
        }
    }

    #[test]
    fn a_page_that_was_cut_short_is_read_up_to_its_last_whole_line() {
        let names =
            |page: &'static str| samples(page).map(|sample| sample.name).collect::<Vec<_>>();
        assert_eq!(names("a 1\nb 36"), ["a"], "was it 36, or the beginning of 360?");
        assert_eq!(names("a 1\nb 36\n"), ["a", "b"]);
        assert_eq!(names("a 1\r\nb 36\r\n# EOF"), ["a", "b"]);
        assert_eq!(names("a 1"), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic(page in r#"([a-z_:{}="\\,# 0-9\n.é]|.){0,200}\n?"#) {
            for sample in samples(&page) {
                sample.labels().for_each(drop);
                let _ = (sample.label("x"), sample.identity(&["le"]));
            }
        }

        #[test]
        fn a_value_that_was_written_is_read(value in -1e12_f64..1e12) {
            let page = format!("a{{b=\"c\"}} {value}\n");
            prop_assert_eq!(samples(&page).next().unwrap().value, value);
        }

        #[test]
        fn a_label_that_was_written_is_read(first in ".*", second in ".*") {
            let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let line_break = |c: char| c == '\r';
            prop_assume!(!first.contains(line_break) && !second.contains(line_break));
            let page = format!("a{{b=\"{}\",c=\"{}\"}} 1\n", escaped(&first), escaped(&second));
            let sample = samples(&page).next().unwrap();
            prop_assert_eq!(sample.label("b").unwrap(), first);
            prop_assert_eq!(sample.label("c").unwrap(), second);
        }
    }
}
