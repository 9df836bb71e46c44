//! Taking a file apart: into its lines, or into the elements of a JSON list, without reading ahead.
//!
//! An element is found by its brackets and strings alone. Whether it is well-formed JSON is for its reader to say.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// How items lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataset) enum Layout {
    /// One a line.
    Lines,
    /// As elements of one JSON list, or as JSON objects one a line.
    List,
}

/// The items of a file, each with the line it begins in.
#[derive(Debug)]
pub(in crate::dataset) struct Items {
    reader: BufReader<File>,
    line: u64,
    /// Bytes that were read.
    read: u64,
    /// Where the item read last begins.
    began: u64,
    list: List,
}

/// Where in a list the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// There is none: one item a line.
    None,
    /// Before the first element.
    First,
    /// Behind an element.
    Later,
    /// Behind the list.
    Over,
}

/// Why there is no further item.
#[derive(Debug)]
pub(in crate::dataset) enum Trouble {
    /// It could not be read.
    Io(io::Error),
    /// It is not what it should be: how so.
    Form(String),
}

impl Items {
    /// Begins to read. A byte order mark is passed over.
    pub(in crate::dataset) fn new(file: File, layout: Layout) -> io::Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, file);
        let mut items = Self { reader, line: 1, read: 0, began: 0, list: List::None };
        if items.reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            items.consume(BYTE_ORDER_MARK.len());
        }
        if layout == Layout::List && items.peek()? == Some(b'[') {
            items.list = List::First;
            items.consume(1);
        }
        Ok(items)
    }

    /// The next item with its line, `None` at the end; or what is wrong, and in which line.
    pub(in crate::dataset) fn next(&mut self) -> Result<Option<(u64, String)>, (u64, Trouble)> {
        let item = if self.list == List::None { self.next_line() } else { self.next_element() };
        item.map_err(|trouble| (self.line, trouble))
    }

    /// The file's byte at which the item that was read last begins.
    pub(in crate::dataset) const fn began(&self) -> u64 {
        self.began
    }

    fn next_line(&mut self) -> Result<Option<(u64, String)>, Trouble> {
        let mut bytes = Vec::new();
        self.began = self.read;
        self.read += self.reader.read_until(b'\n', &mut bytes).map_err(Trouble::Io)? as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        let text = text(bytes)?;
        let line = self.line;
        self.line += 1;
        Ok(Some((line, text)))
    }

    fn next_element(&mut self) -> Result<Option<(u64, String)>, Trouble> {
        if self.list == List::Over {
            return Ok(None);
        }
        let mut next = self.peek().map_err(Trouble::Io)?;
        if next == Some(b']') {
            self.list = List::Over;
            return Ok(None);
        }
        if self.list == List::Later {
            if next != Some(b',') {
                return Err(Trouble::Form(
                    "a comma or ] is missing behind an element of the list".to_owned(),
                ));
            }
            self.consume(1);
            next = self.peek().map_err(Trouble::Io)?;
        }
        self.list = List::Later;
        if next.is_none() {
            return Err(Trouble::Form("the file ends inside its list".to_owned()));
        }
        let line = self.line;
        self.began = self.read;
        let element = self.element().map_err(Trouble::Io)?;
        Ok(Some((line, text(element)?)))
    }

    /// The bytes up to the comma or bracket that ends an element, counted by the brackets and strings in between.
    fn element(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (mut depth, mut quoted, mut escaped) = (0_u64, false, false);
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(bytes);
            }
            for (at, byte) in buffer.iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    _ if quoted => {}
                    b'[' | b'{' => depth += 1,
                    b',' | b']' if depth == 0 => {
                        bytes.extend_from_slice(&buffer[..at]);
                        self.line += newlines(&bytes);
                        self.consume(at);
                        return Ok(bytes);
                    }
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            bytes.extend_from_slice(buffer);
            let read = buffer.len();
            self.consume(read);
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.read += bytes as u64;
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let next = buffer.get(blank).copied();
            self.line += newlines(&buffer[..blank]);
            self.consume(blank);
            if next.is_some() {
                return Ok(next);
            }
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn text(bytes: Vec<u8>) -> Result<String, Trouble> {
    String::from_utf8(bytes).map_err(|_| Trouble::Form("it is not UTF-8".to_owned()))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
