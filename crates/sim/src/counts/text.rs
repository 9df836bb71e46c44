//! The text that Prometheus reads, as Python's client writes it: labels in alphabetical order, every number a float.
//!
//! No library is used, for none writes this form: Rust's write OpenMetrics, where counters and the moments of their creation are
//! told in other ways. Deliberately knows no family.

use std::fmt::Write;

use crate::counts::histogram::Histogram;

/// A page under way.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Opens a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Opens the family of when the samples of `name` were created.
    pub(super) fn created(&mut self, name: &str, help: &str) {
        self.family(&format!("{name}_created"), "gauge", help);
    }

    /// One sample. Labels are given in alphabetical order.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            self.escape(value);
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.0.push(' ');
        number(&mut self.0, value);
        self.0.push('\n');
    }

    /// The samples of a histogram. Labels are given in alphabetical order.
    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], of: &Histogram) {
        let bucket = format!("{name}_bucket");
        let place = labels.partition_point(|(label, _)| *label < "le");
        let mut bound = String::new();
        let mut count = 0;
        for (upper, cumulated) in of.cumulated() {
            bound.clear();
            number(&mut bound, upper);
            let mut labels = labels.to_vec();
            labels.insert(place, ("le", &bound));
            self.sample(&bucket, &labels, cumulated as f64);
            count = cumulated;
        }
        self.sample(&format!("{name}_count"), labels, count as f64);
        self.sample(&format!("{name}_sum"), labels, of.sum());
    }

    fn escape(&mut self, value: &str) {
        for char in value.chars() {
            match char {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                char => self.0.push(char),
            }
        }
    }
}

/// Writes a number as Python's client does: as Python would, but with an exponent from a million on.
fn number(text: &mut String, value: f64) {
    if value.is_infinite() {
        text.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        return;
    }
    let written = format!("{value:?}");
    match (written.split_once('e'), written.split_once('.')) {
        // Python gives exponents two digits, and a sign.
        (Some((mantissa, exponent)), _) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
            let _ = write!(text, "{mantissa}e{sign}{digits:0>2}");
        }
        (None, Some((whole, rest))) if whole.len() > 6 && value > 0.0 => {
            let digits = format!("{whole}{rest}");
            let digits = digits.trim_end_matches('0');
            let (first, others) = digits.split_at(1);
            let point = if others.is_empty() { "" } else { "." };
            let _ = write!(text, "{first}{point}{others}e+{:02}", whole.len() - 1);
        }
        _ => text.push_str(&written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut text = String::new();
        number(&mut text, value);
        text
    }

    #[test]
    fn numbers_are_written_as_pythons_client_writes_them() {
        // What `prometheus_client.utils.floatToGoString` makes of them.
        let expected = [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (123_456.5, "123456.5"),
            (999_999.0, "999999.0"),
            (1_000_000.0, "1e+06"),
            (1_468_710.0, "1.46871e+06"),
            (5_135_388_672.0, "5.135388672e+09"),
            (1_795_425_994.197_986_1, "1.7954259941979861e+09"),
            (-2_000_000.0, "-2000000.0"),
            (1e16, "1e+16"),
            (2.5e17, "2.5e+17"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in expected {
            assert_eq!(written(value), text);
        }
    }

    #[test]
    fn labels_are_quoted_as_prometheus_wants_them() {
        let mut page = Page::default();
        page.sample("a", &[("b", "c\"\\\n"), ("d", "")], 1.0);
        page.sample("a", &[], 2.0);
        assert_eq!(page.into_text(), "a{b=\"c\\\"\\\\\\n\",d=\"\"} 1.0\na 2.0\n");
    }

    #[test]
    fn a_bound_stands_in_its_alphabetical_place() {
        let histogram = Histogram::of_numbers(&[0.5][..]);
        histogram.observe(1);
        let mut page = Page::default();
        page.histogram("h", &[("engine", "0"), ("model_name", "m")], &histogram);
        assert_eq!(
            page.into_text(),
            "h_bucket{engine=\"0\",le=\"0.5\",model_name=\"m\"} 0.0\n\
             h_bucket{engine=\"0\",le=\"+Inf\",model_name=\"m\"} 1.0\n\
             h_count{engine=\"0\",model_name=\"m\"} 1.0\n\
             h_sum{engine=\"0\",model_name=\"m\"} 1.0\n"
        );
    }
}
