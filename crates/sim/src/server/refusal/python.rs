//! How Python says what is wrong with a body: vLLM's validation errors are its dictionaries, printed.
//!
//! Deliberately only the two that clients meet: a body that is no JSON, and a field that is missing.

/// A field that is missing from a body of so many fields.
pub(super) fn missing(field: &str, fields: usize) -> String {
    format!(
        "1 validation error:\n  {{'type': 'missing', 'loc': '{field}', 'msg': 'Field required', 'input': '<dict of {fields} items>'}}"
    )
}

/// A body that is no JSON: the place of what is wrong, counted in characters, and what Python says of it. `None` if it is JSON.
pub(super) fn decode_error(error: &serde_json::Error, body: &[u8]) -> Option<(usize, String)> {
    if error.is_data() {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let (place, why) = decode(&text).err()?;
    Some((
        place,
        format!(
            "1 validation error:\n  {{'type': 'json_invalid', 'loc': 'body.{place}', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {{'error': '{why}'}}}}"
        ),
    ))
}

type Wrong = (usize, &'static str);

/// Reads JSON as Python's `json` does, to fail where it fails.
fn decode(text: &str) -> Result<(), Wrong> {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0 };
    reader.space();
    reader.value(0)?;
    reader.space();
    match reader.at < chars.len() {
        true => Err((reader.at, "Extra data")),
        false => Ok(()),
    }
}

struct Reader<'t> {
    chars: &'t [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, expected: char) -> bool {
        let takes = self.peek() == Some(expected);
        self.at += usize::from(takes);
        takes
    }

    fn value(&mut self, depth: usize) -> Result<(), Wrong> {
        let start = self.at;
        match self.peek() {
            // What is nested deeper is not looked into: serde_json has refused it already.
            Some('{' | '[') if depth > DEEPEST => Err((start, "Expecting value")),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some('"') => self.string(),
            _ => self.word(start),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Wrong> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        self.at += 1;
        self.space();
        if self.takes('}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some('"') {
                return Err((self.at, NAME));
            }
            self.string()?;
            self.space();
            if !self.takes(':') {
                return Err((self.at, "Expecting ':' delimiter"));
            }
            self.space();
            self.value(depth + 1)?;
            self.space();
            match (self.takes('}'), self.takes(',')) {
                (true, _) => return Ok(()),
                (false, false) => return Err((self.at, "Expecting ',' delimiter")),
                (false, true) => self.space(),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Wrong> {
        self.at += 1;
        self.space();
        if self.takes(']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match (self.takes(']'), self.takes(',')) {
                (true, _) => return Ok(()),
                (false, false) => return Err((self.at, "Expecting ',' delimiter")),
                (false, true) => self.space(),
            }
        }
    }

    fn string(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err((start, "Unterminated string starting at")),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\0'..='\u{1f}') => return Err((self.at, "Invalid control character at")),
                Some('\\') => self.escape(start)?,
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, start: usize) -> Result<(), Wrong> {
        let backslash = self.at;
        self.at += 1;
        match self.peek() {
            None => Err((start, "Unterminated string starting at")),
            Some('u') => {
                let digits = self.chars.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(char::is_ascii_hexdigit)) {
                    return Err((self.at, "Invalid \\\\uXXXX escape"));
                }
                self.at += 5;
                Ok(())
            }
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err((backslash, "Invalid \\\\escape")),
        }
    }

    fn word(&mut self, start: usize) -> Result<(), Wrong> {
        for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
            let length = word.len();
            if self.chars[start..].iter().take(length).copied().eq(word.chars()) {
                self.at += length;
                return Ok(());
            }
        }
        self.takes('-');
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.peek().is_some_and(|char| char.is_ascii_digit()) {
                reader.at += 1;
            }
            reader.at > from
        };
        let whole = if self.takes('0') { true } else { digits(self) };
        if !whole {
            self.at = start;
            return Err((start, "Expecting value"));
        }
        // A fraction or an exponent without digits is no part of the number.
        for marks in [&['.'][..], &['e', 'E'][..]] {
            let before = self.at;
            if self.peek().is_some_and(|char| marks.contains(&char)) {
                self.at += 1;
                if marks.len() > 1 && matches!(self.peek(), Some('+' | '-')) {
                    self.at += 1;
                }
                if !digits(self) {
                    self.at = before;
                }
            }
        }
        Ok(())
    }
}

/// How deep lists and objects are followed: no deeper than serde_json does.
const DEEPEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_fails_where_python_fails() {
        // The places and words are those of json.loads of Python 3.11, which ran the server whose bodies were taken for patterns.
        let cases = [
            ("", 0, "Expecting value"),
            ("nope", 0, "Expecting value"),
            ("{", 1, "Expecting property name enclosed in double quotes"),
            ("{a", 1, "Expecting property name enclosed in double quotes"),
            ("{\"a\"", 4, "Expecting ':' delimiter"),
            ("{\"a\": ", 6, "Expecting value"),
            ("{\"a\": 1", 7, "Expecting ',' delimiter"),
            ("{\"a\": 1 \"b\"", 8, "Expecting ',' delimiter"),
            ("{\"a\": 1,}", 8, "Expecting property name enclosed in double quotes"),
            ("[1,]", 3, "Expecting value"),
            ("[1", 2, "Expecting ',' delimiter"),
            ("{\"a", 1, "Unterminated string starting at"),
            ("{\"é\n", 3, "Invalid control character at"),
            ("\"\\x\"", 1, "Invalid \\\\escape"),
            ("\"\\u12\"", 2, "Invalid \\\\uXXXX escape"),
            ("{} x", 3, "Extra data"),
            ("01", 1, "Extra data"),
        ];
        for (text, place, why) in cases {
            assert_eq!(decode(text), Err((place, why)), "{text:?}");
        }
        for text in ["{}", " [1, -2.5e3, null, true, \"\\u00e9\\n\"] ", "0"] {
            assert_eq!(decode(text), Ok(()), "{text:?}");
        }
    }
}
