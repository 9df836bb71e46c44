//! The other ways to write a stream of events that the standard allows, and that clients trip over.
//!
//! Deliberately changes nothing that an event says.

use bytes::BytesMut;

use crate::faults::{Given, Kind};

/// How events are written, where that is not as vLLM writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    crlf: bool,
    comments: bool,
    no_space: bool,
    /// Each byte is written by itself.
    pub(crate) split: bool,
    /// Two chunks are written at once.
    pub(crate) pairs: bool,
}

impl Shape {
    /// The shape that the faults of a response ask for.
    pub(crate) fn of(given: &Given) -> Self {
        Self {
            crlf: given.has(Kind::Crlf),
            comments: given.has(Kind::Comments),
            no_space: given.has(Kind::NoSpace),
            split: given.has(Kind::SplitBytes),
            pairs: given.has(Kind::Pairs),
        }
    }

    /// Whether events are written as the API has them.
    pub(crate) const fn is_plain(self) -> bool {
        !(self.crlf || self.comments || self.no_space)
    }

    /// What ends a line.
    pub(crate) const fn line_end(self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// Appends an event in this shape. Its data has no line ends, for JSON escapes them.
    pub(crate) fn write(self, event: &[u8], into: &mut BytesMut) {
        if self.comments {
            into.extend_from_slice(b": a comment");
            into.extend_from_slice(self.line_end());
        }
        for line in event.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match line.strip_prefix(b"data: ") {
                Some(data) if self.no_space => {
                    into.extend_from_slice(b"data:");
                    into.extend_from_slice(data);
                }
                _ => into.extend_from_slice(line),
            }
            into.extend_from_slice(self.line_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shape: &str) -> String {
        let mut given = Given::default();
        given.add(shape).unwrap();
        let mut into = BytesMut::new();
        Shape::of(&given).write(b"data: {\"a\": 1}\n\n", &mut into);
        String::from_utf8(into.to_vec()).unwrap()
    }

    #[test]
    fn each_shape_changes_what_it_says_and_all_go_together() {
        assert_eq!(written("crlf"), "data: {\"a\": 1}\r\n\r\n");
        assert_eq!(written("comments"), ": a comment\ndata: {\"a\": 1}\n\n");
        assert_eq!(written("no_space"), "data:{\"a\": 1}\n\n");
        assert_eq!(written("crlf, comments, no_space"), ": a comment\r\ndata:{\"a\": 1}\r\n\r\n");
    }
}
