//! JSON on one line, with the blanks that Python's `json.dump` leaves: what vLLM's files look like.
//!
//! Characters beyond ASCII stay as they are: every reader of JSON takes them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value on one line, without a line's end.
pub(super) fn write(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Python))?;
    Ok(())
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_stand_where_python_leaves_them() {
        let mut out = Vec::new();
        write(&mut out, &serde_json::json!({ "a": [1, 2.0, null], "b": {}, "c": "é" })).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a": [1, 2.0, null], "b": {}, "c": "é"}"#);
    }
}
