//! Server-sent events, by the WHATWG's standard (HTML, § 9.2.6), from whatever pieces a socket reads.
//!
//! **Hot path.** An event that lies wholly inside one read is lent from that read without a copy; only an event that a read cut
//! is buffered. Everything works on bytes, so a character may be cut anywhere.
//!
//! Deliberately no client of the standard's whole protocol: `id:` and `retry:` lines serve reconnection, which a measurement
//! never does, so they are read and dropped. Nor does anything here look inside an event's data.

use bytes::BytesMut;
use memchr::memchr2;

/// The longest line, and the longest data of one event, that a [`Decoder`] takes: 16 MiB.
pub const LIMIT: usize = 16 << 20;

/// An event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its `data:` lines, joined by line feeds.
    pub data: &'a [u8],
    /// Its type, from its last `event:` line. `None` for plain messages.
    pub name: Option<&'a [u8]>,
}

/// Finds the events in the bytes of one response.
///
/// ```
/// let mut decoder = tokometer_wire::sse::Decoder::new();
/// let mut found = Vec::new();
/// for read in [&b"data: one\n\nda"[..], b"ta: two\r", b"\n\r\n"] {
///     decoder.push(read, |event| found.push(event.data.to_vec()))?;
/// }
/// assert_eq!(found, [b"one", b"two"]);
/// # Ok::<(), tokometer_wire::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// The line that the last read cut.
    line: Vec<u8>,
    /// The data of the event that the last read cut: whole lines, joined.
    data: Vec<u8>,
    /// The type of the event at hand.
    name: Vec<u8>,
    /// Whether `data` holds a line, which may be an empty one.
    has_data: bool,
    /// Whether the last line ended in a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    /// Whether no line has ended yet: the first may begin with a byte order mark.
    first_line: bool,
    /// Whether the event at hand has been handed out, so that what is held of it can go.
    lent: bool,
    limit: usize,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            name: Vec::new(),
            has_data: false,
            after_cr: false,
            first_line: true,
            lent: false,
            limit: LIMIT,
        }
    }

    /// Takes the bytes of one read, and lends out each event that ends in them. What is left of an unfinished event is kept for
    /// the next read.
    ///
    /// An event is handed out as soon as its blank line is certain: after a carriage return no line feed is awaited.
    ///
    /// # Errors
    /// If a line or an event's data is longer than [`LIMIT`]. The stream cannot be read on from there; the events before it have
    /// been handed out.
    #[inline]
    pub fn push(
        &mut self,
        mut read: &[u8],
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<(), TooLong> {
        while let Some(event) = self.next(&mut read)? {
            on_event(event);
        }
        Ok(())
    }

    /// Whether bytes of an unfinished event are held.
    pub const fn pending(&self) -> bool {
        !self.lent && (self.has_data || !self.line.is_empty() || !self.name.is_empty())
    }

    /// The stream is at its end: lends out what it left unfinished, if that has any data. It is an event without its blank line,
    /// and its last line may lack its end.
    ///
    /// The standard discards such an event, for it may have been cut. Here the caller decides, because servers are met that end
    /// with `data: [DONE]` and no blank line: data that an API can decode was whole (`[DONE]` is a stream's proper end, and JSON
    /// tells its own), data that it cannot was cut.
    pub fn finish(&mut self, on_event: impl FnOnce(Event<'_>)) {
        self.forget_lent();
        if !self.line.is_empty() {
            // Fails only where the line does not fit beside data that is there already, and then that is handed out without it.
            let _ = self.end_cut_line(&[]);
        }
        if self.has_data {
            on_event(Event { data: &self.data, name: self.name() });
        }
        self.lent = true;
    }

    /// The next event that ends in `read`, which is advanced past it. `None` once `read` is used up.
    #[inline]
    fn next<'s, 'r: 's>(&'s mut self, read: &mut &'r [u8]) -> Result<Option<Event<'s>>, TooLong> {
        self.forget_lent();
        // The event's only data line so far, while it lies wholly in `read`.
        let mut whole: Option<&'r [u8]> = None;
        while let Some(tail) = self.line_end(read)? {
            if !self.line.is_empty() {
                self.end_cut_line(tail)?;
                continue;
            }
            match self.field(tail) {
                Field::Data(value) if !self.has_data && whole.is_none() => whole = Some(value),
                Field::Data(value) => {
                    self.hold(whole.take())?;
                    self.hold(Some(value))?;
                }
                Field::Event(name) => self.rename(name),
                Field::Other => {}
                Field::Blank if self.has_data || whole.is_some() => {
                    self.lent = true;
                    return Ok(Some(Event {
                        data: whole.unwrap_or(&self.data),
                        name: self.name(),
                    }));
                }
                Field::Blank => self.name.clear(),
            }
        }
        self.hold(whole)?;
        Ok(None)
    }

    /// What of `read` belongs to the line at hand, if the line ends there; `read` is advanced past the line's end. Otherwise all
    /// of `read` is held.
    #[inline]
    fn line_end<'r>(&mut self, read: &mut &'r [u8]) -> Result<Option<&'r [u8]>, TooLong> {
        if self.after_cr
            && let Some(rest) = read.strip_prefix(b"\n")
        {
            *read = rest;
            self.after_cr = false;
        }
        if read.is_empty() {
            return Ok(None);
        }
        self.after_cr = false;
        let end = memchr2(b'\n', b'\r', read);
        let tail = &read[..end.unwrap_or(read.len())];
        if tail.len() > self.limit.saturating_sub(self.line.len()) {
            return Err(TooLong { limit: self.limit });
        }
        let Some(end) = end else {
            self.line.extend_from_slice(tail);
            *read = &[];
            return Ok(None);
        };
        self.after_cr = read[end] == b'\r';
        *read = &read[end + 1..];
        Ok(Some(tail))
    }

    /// Completes the line that an earlier read cut, and takes it in.
    #[cold]
    fn end_cut_line(&mut self, tail: &[u8]) -> Result<(), TooLong> {
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(tail);
        let held = match self.field(&line) {
            Field::Data(value) => self.hold(Some(value)),
            Field::Event(name) => {
                self.rename(name);
                Ok(())
            }
            // Blank only as a byte order mark alone, before which there is no event to end.
            Field::Blank | Field::Other => Ok(()),
        };
        line.clear();
        self.line = line;
        held
    }

    #[inline]
    fn field<'l>(&mut self, mut line: &'l [u8]) -> Field<'l> {
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            Field::Blank
        } else if let Some(value) = value_of(b"data", line) {
            Field::Data(value)
        } else if let Some(name) = value_of(b"event", line) {
            Field::Event(name)
        } else {
            Field::Other
        }
    }

    /// Adds a line of data to those held.
    fn hold(&mut self, value: Option<&[u8]>) -> Result<(), TooLong> {
        let Some(value) = value else { return Ok(()) };
        if self.has_data {
            if value.len() >= self.limit.saturating_sub(self.data.len()) {
                return Err(TooLong { limit: self.limit });
            }
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(())
    }

    fn rename(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    fn name(&self) -> Option<&[u8]> {
        (!self.name.is_empty()).then_some(&*self.name)
    }

    #[inline]
    fn forget_lent(&mut self) {
        if std::mem::take(&mut self.lent) {
            self.data.clear();
            self.name.clear();
            self.has_data = false;
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// A line or an event is longer than a decoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct TooLong {
    /// The longest that is taken, in bytes.
    pub limit: usize,
}

/// Appends a plain message. `data` is one line: it bears neither a line feed nor a carriage return, as compact JSON never does.
pub(crate) fn write(into: &mut BytesMut, data: impl FnOnce(&mut BytesMut)) {
    into.extend_from_slice(b"data: ");
    data(into);
    into.extend_from_slice(b"\n\n");
}

/// Appends a message of a type. `data` is one line, as in [`write`].
pub(crate) fn write_named(into: &mut BytesMut, name: &str, data: impl FnOnce(&mut BytesMut)) {
    into.extend_from_slice(b"event: ");
    into.extend_from_slice(name.as_bytes());
    into.extend_from_slice(b"\n");
    write(into, data);
}

/// What a line says.
enum Field<'l> {
    Blank,
    Data(&'l [u8]),
    Event(&'l [u8]),
    /// A comment, or a field that does not matter here.
    Other,
}

/// The value of `line`, if its field is `field`. One space after the colon is not part of it.
#[inline]
fn value_of<'l>(field: &[u8], line: &'l [u8]) -> Option<&'l [u8]> {
    match line.strip_prefix(field)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    type Owned = (Vec<u8>, Option<Vec<u8>>);

    fn owned(event: Event<'_>) -> Owned {
        (event.data.to_vec(), event.name.map(<[u8]>::to_vec))
    }

    fn decode(reads: &[&[u8]]) -> Vec<Owned> {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for read in reads {
            decoder.push(read, |event| events.push(owned(event))).unwrap();
        }
        events
    }

    fn rest(decoder: &mut Decoder) -> Option<Owned> {
        let mut rest = None;
        decoder.finish(|event| rest = Some(owned(event)));
        rest
    }

    fn messages(stream: &str) -> Vec<String> {
        decode(&[stream.as_bytes()])
            .into_iter()
            .map(|(data, name)| {
                assert_eq!(name, None);
                String::from_utf8(data).unwrap()
            })
            .collect()
    }

    #[test]
    fn every_line_ending_ends_lines_and_events() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = format!("data: a{end}{end}data: b{end}{end}");
            assert_eq!(messages(&stream), ["a", "b"], "{end:?}");
        }
        assert_eq!(messages("data: a\r\n\ndata: b\n\r\ndata: c\r\r\n"), ["a", "b", "c"]);
    }

    #[test]
    fn split_inside_a_crlf_yields_one_event() {
        let expected = [(b"a".to_vec(), None)];
        assert_eq!(decode(&[b"data: a\r", b"\n\r\n"]), expected);
        assert_eq!(decode(&[b"data: a\r\n\r", b"\n"]), expected);
        assert_eq!(decode(&[b"data: a\r", b"", b"\n\r", b"", b"\n"]), expected);
    }

    #[test]
    fn an_event_is_handed_out_at_its_second_carriage_return() {
        let mut decoder = Decoder::new();
        let mut count = 0;
        decoder.push(b"data: a\r\r", |_| count += 1).unwrap();
        assert_eq!(count, 1);
        assert!(!decoder.pending());
    }

    #[test]
    fn the_space_after_the_colon_is_optional_and_only_one_goes() {
        assert_eq!(
            messages("data:a\n\ndata: b\n\ndata:  c\n\ndata:\td\n\n"),
            ["a", "b", " c", "\td"]
        );
    }

    #[test]
    fn several_data_lines_are_joined_by_line_feeds() {
        assert_eq!(messages("data: a\ndata:\ndata: b\r\ndata\n\n"), ["a\n\nb\n"]);
    }

    #[test]
    fn data_without_a_value_is_an_event_and_a_block_without_data_is_none() {
        assert_eq!(messages("data\n\n\n\n: comment\n\nid: 1\n\ndata:\n\n"), ["", ""]);
    }

    #[test]
    fn comments_and_other_fields_are_skipped() {
        let stream =
            ":\n: ping\nid: 7\nretry: 10\ndatum: x\ndata-x: y\nDATA: z\n data: w\ndata: a\nfoo\n\n";
        assert_eq!(messages(stream), ["a"]);
    }

    #[test]
    fn the_last_event_line_names_the_event_and_only_that_event() {
        let stream =
            b"event: x\nevent: delta\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\nevent:\n\n";
        let named = Some(b"delta".to_vec());
        assert_eq!(
            decode(&[stream]),
            [(b"a".to_vec(), named), (b"b".to_vec(), None), (b"c".to_vec(), None)]
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_start_and_nowhere_else() {
        assert_eq!(messages("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
        assert_eq!(decode(&[b"\xEF", b"\xBB\xBF", b"data: a\n\n"]), [(b"a".to_vec(), None)]);
        assert_eq!(messages("\u{feff}\ndata: a\n\n"), ["a"]);
    }

    #[test]
    fn a_whole_event_is_lent_from_the_read_itself() {
        let stream = b"data: abc\n\ndata: de\n\n".to_vec();
        let mut decoder = Decoder::new();
        let mut starts = Vec::new();
        decoder.push(&stream, |event| starts.push(event.data.as_ptr())).unwrap();
        assert_eq!(starts, [&raw const stream[6], &raw const stream[17]]);
        assert_eq!(decoder.data.capacity() + decoder.line.capacity(), 0);
    }

    #[test]
    fn bytes_that_are_not_utf8_pass_unchanged() {
        assert_eq!(
            decode(&[b"data: \xff\xf0\x9f", b"\x98\x80\n\n"]),
            [(b"\xff\xf0\x9f\x98\x80".to_vec(), None)]
        );
    }

    #[test]
    fn finish_hands_out_a_last_event_without_its_blank_line() {
        for end in ["data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n", "data: [DONE]\n: x"] {
            let mut decoder = Decoder::new();
            decoder.push(end.as_bytes(), |event| panic!("{event:?}")).unwrap();
            assert!(decoder.pending());
            assert_eq!(rest(&mut decoder), Some((b"[DONE]".to_vec(), None)));
            assert!(!decoder.pending());
            assert_eq!(rest(&mut decoder), None);
        }
    }

    #[test]
    fn finish_tells_of_nothing_after_a_whole_event_or_without_data() {
        for (end, pending) in [
            ("", false),
            ("data: a\n\n", false),
            ("data: a\r\n\r", false),
            ("dat", true),
            ("event: x\n", true),
        ] {
            let mut decoder = Decoder::new();
            decoder.push(end.as_bytes(), |_| {}).unwrap();
            assert_eq!(decoder.pending(), pending, "{end:?}");
            assert_eq!(rest(&mut decoder), None, "{end:?}");
        }
    }

    #[test]
    fn what_exceeds_the_limit_fails_however_it_is_split() {
        let limit = 12;
        for (stream, fits) in [
            ("data: 123456\n\n", true),
            ("data: 1234567\n\n", false),
            ("data:123456\ndata:12345\n\n", true),
            ("data:123456\ndata:123456\n\n", false),
            (": 1234567890\n: 1234567890\ndata: 1\n\n", true),
            ("data: 1234567", false),
        ] {
            for cut in 0..=stream.len() {
                let (head, tail) = stream.as_bytes().split_at(cut);
                let mut decoder = Decoder { limit, ..Decoder::new() };
                let pushed = decoder.push(head, |_| {}).and_then(|()| decoder.push(tail, |_| {}));
                let expected = if fits { Ok(()) } else { Err(TooLong { limit }) };
                assert_eq!(pushed, expected, "{stream:?} cut at {cut}");
            }
        }
    }
}
