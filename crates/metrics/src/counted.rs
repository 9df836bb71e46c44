//! Counts in words, as findings and reports tell them.

/// A count, in groups of three: `197,632`.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// One or the other form of a word: `1 request`, `2 requests`.
pub fn plural(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { several })
}

/// Digits, perhaps behind a sign, in groups of three.
pub(crate) fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("−", rest),
        None => ("", digits),
    };
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
