//! Forms of several parts (`multipart/form-data`, RFC 7578), as audio is uploaded: written by the client, read by the simulator.
//!
//! Deliberately strict and small: parts with a `content-disposition`, told apart by the boundary with which the body begins. There
//! are no nested parts, no transfer encodings and no preamble, for no client of these APIs sends any.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;

use super::DecodeError;

/// The boundary between the parts that are written here.
pub(super) const BOUNDARY: &str = "tokometer-7b1f0c52e4a94d3a9d0e6c8b35fa2671";

/// One part of a form that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: String,
    /// The file's name, if the part is a file.
    pub(super) file_name: Option<String>,
    pub(super) content: &'b [u8],
}

/// A form that is being written.
#[derive(Debug, Default)]
pub(super) struct Form(BytesMut);

impl Form {
    /// Adds a field.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.0.put_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n",
                quoted(name)
            )
            .as_bytes(),
        );
    }

    /// Adds a file.
    pub(super) fn file(&mut self, name: &str, file_name: &str, content_type: &str, bytes: &[u8]) {
        self.0.reserve(bytes.len() + 512);
        self.0.put_slice(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\
                 Content-Type: {content_type}\r\n\r\n",
                quoted(name),
                quoted(file_name)
            )
            .as_bytes(),
        );
        self.0.put_slice(bytes);
        self.0.put_slice(b"\r\n");
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Bytes {
        self.0.put_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.0.freeze()
    }
}

/// Whether these bytes can stand in a form: they must not contain what ends their part.
pub(super) fn fits(bytes: &[u8]) -> bool {
    memmem::find(bytes, BOUNDARY.as_bytes()).is_none()
}

/// The parts of a form, whatever its boundary.
///
/// # Errors
/// If the body is not a whole form.
pub(super) fn parts(body: &[u8]) -> Result<Vec<Part<'_>>, DecodeError> {
    let unlike = |what: &str| DecodeError::Field(format!("not a multipart form: {what}"));
    let first_line = memmem::find(body, b"\r\n").ok_or_else(|| unlike("it has no lines"))?;
    let dashes = &body[..first_line];
    if !dashes.starts_with(b"--") || dashes.len() < 3 || 72 < dashes.len() {
        return Err(unlike("it does not begin with a boundary"));
    }
    let delimiter = [b"\r\n", dashes].concat();
    let mut rest = &body[first_line..];
    let mut parts = Vec::new();
    loop {
        rest = match rest {
            [b'-', b'-', ..] => return Ok(parts),
            [b'\r', b'\n', after @ ..] => after,
            _ => return Err(unlike("a boundary is followed by neither a part nor the end")),
        };
        let end = memmem::find(rest, &delimiter).ok_or_else(|| unlike("its end is missing"))?;
        parts.push(part(&rest[..end]).ok_or_else(|| unlike("a part has no name"))?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let end = memmem::find(bytes, b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    Some(Part {
        name: parameter(disposition, "name")?,
        file_name: parameter(disposition, "filename"),
        content: &bytes[end + 4..],
    })
}

/// The value of `name="…"`. Quotes within are escaped as browsers do it (`%22`), or by a backslash.
fn parameter(disposition: &str, name: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let at = disposition
        .match_indices(&start)
        .map(|(at, _)| at)
        .find(|at| disposition[..*at].ends_with([' ', ';', '\t']))?;
    let mut value = String::new();
    let mut characters = disposition[at + start.len()..].chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
    Some(value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
}

/// A name as it stands between quotes.
fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut form = Form::default();
        form.field("model", "a/b");
        form.file("file", "a \"b\"\\.wav", "audio/wav", b"\r\n--x\0");
        let body = form.finish();
        let field = Part { name: "model".into(), file_name: None, content: b"a/b" };
        let file = Part {
            name: "file".into(),
            file_name: Some("a \"b\"\\.wav".into()),
            content: b"\r\n--x\0",
        };
        assert_eq!(parts(&body).unwrap(), [field, file]);
    }

    #[test]
    fn other_clients_boundaries_and_heads_are_read() {
        let body = b"--abc\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=\"n\"\r\n\r\n1\r\n--abc--\r\n";
        let expected = Part { name: "n".into(), file_name: None, content: b"1" };
        assert_eq!(parts(body).unwrap(), [expected]);
    }

    #[test]
    fn what_is_no_whole_form_is_refused() {
        for (body, complaint) in [
            (&b"{}"[..], "not a multipart form: it has no lines"),
            (b"{}\r\n", "not a multipart form: it does not begin with a boundary"),
            (b"--a\r\nx", "not a multipart form: its end is missing"),
            (b"--a\r\nx\r\n\r\n\r\n--a--", "not a multipart form: a part has no name"),
        ] {
            assert_eq!(parts(body).unwrap_err().to_string(), complaint);
        }
    }
}
