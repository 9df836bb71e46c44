//! The lines of a file, read and parsed by threads of their own, and handed out in their order.
//!
//! One thread reads blocks of whole lines, and deals them out to others in turn, which parse them; whoever asks for lines takes them from
//! those in the same turn. All of them run ahead by a few blocks at most, so that a log of any length takes little memory. Deliberately knows
//! nothing of what lines mean, but for the last one: a crash may have cut it off.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Line;

/// The lines of a file, in order.
#[derive(Debug)]
pub(super) struct Lines {
    /// Those who parse, in the order of their turns.
    parsers: Vec<Receiver<io::Result<Parsed>>>,
    turn: usize,
    lines: std::vec::IntoIter<serde_json::Result<Line>>,
    /// Whether the last block was taken.
    over: bool,
}

/// Whole lines as they stand.
struct Block {
    text: Vec<u8>,
    /// Whether the file's first line is among them.
    first: bool,
    /// Whether the file's last line is among them.
    last: bool,
}

/// The lines of a block, each of them or why it is none.
#[derive(Debug)]
struct Parsed {
    lines: Vec<serde_json::Result<Line>>,
    /// Whether it was the last block.
    last: bool,
}

impl Lines {
    /// Opens the file at `path` and begins to read ahead.
    ///
    /// # Errors
    /// If the file cannot be opened, or the system has no more threads.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_PARSERS);
        let parsers = (0..threads).map(|_| parser()).collect::<io::Result<Vec<_>>>()?;
        let (dealers, parsers): (Vec<_>, Vec<_>) = parsers.into_iter().unzip();
        thread::Builder::new().spawn(move || deal(file, &dealers))?;
        Ok(Self { parsers, turn: 0, lines: Vec::new().into_iter(), over: false })
    }

    /// The next line. `None` behind the last.
    ///
    /// # Errors
    /// If the file cannot be read further.
    pub(super) fn next(&mut self) -> io::Result<Option<serde_json::Result<Line>>> {
        loop {
            let line = self.lines.next();
            if line.is_some() || self.over {
                return Ok(line);
            }
            let block = self.parsers[self.turn].recv().map_err(io::Error::other)??;
            self.turn = (self.turn + 1) % self.parsers.len();
            (self.lines, self.over) = (block.lines.into_iter(), block.last);
        }
    }
}

/// Reads blocks and deals them out, until the file ends, cannot be read, or nobody wants them any more.
fn deal(mut file: BufReader<File>, parsers: &[SyncSender<io::Result<Block>>]) {
    let mut first = true;
    for parser in parsers.iter().cycle() {
        let block = block(&mut file, first);
        let over = block.as_ref().map_or(true, |block| block.last);
        if parser.send(block).is_err() || over {
            return;
        }
        first = false;
    }
}

fn block(file: &mut BufReader<File>, first: bool) -> io::Result<Block> {
    let mut text = Vec::with_capacity(BLOCK + LINE);
    file.by_ref().take(BLOCK as u64).read_to_end(&mut text)?;
    if text.last().is_some_and(|&end| end != b'\n') {
        file.read_until(b'\n', &mut text)?;
    }
    let last = file.fill_buf()?.is_empty();
    Ok(Block { text, first, last })
}

/// A thread that parses what it is dealt.
fn parser() -> io::Result<Parser> {
    let (dealer, blocks) = sync_channel::<io::Result<Block>>(AHEAD);
    let (sender, parsed) = sync_channel(AHEAD);
    thread::Builder::new().spawn(move || {
        for block in blocks {
            if sender.send(block.map(|block| block.parsed())).is_err() {
                return;
            }
        }
    })?;
    Ok((dealer, parsed))
}

/// Where blocks go to, and where they come from as lines.
type Parser = (SyncSender<io::Result<Block>>, Receiver<io::Result<Parsed>>);

impl Block {
    /// Its lines. One that was cut off is the file's last, may end inside a character, and is passed over: unless it is the first as well.
    fn parsed(&self) -> Parsed {
        let (mut lines, mut rest) = (Vec::new(), &self.text[..]);
        while !rest.is_empty() {
            let line = rest;
            // Of what is in memory, reading cannot fail.
            let length = rest.skip_until(b'\n').unwrap_or(line.len());
            let parsed = serde_json::from_slice(&line[..length]);
            let (is_first, is_last) =
                (self.first && lines.is_empty(), self.last && rest.is_empty());
            if parsed.is_ok() || is_first || !is_last {
                lines.push(parsed);
            }
        }
        Parsed { lines, last: self.last }
    }
}

/// More threads than this would wait for the one that reads.
const MOST_PARSERS: usize = 8;

/// How many blocks wait at most for each who parses, and how many parsed ones for whoever takes them.
const AHEAD: usize = 1;

/// Bytes of a block, but for the rest of its last line.
const BLOCK: usize = 1 << 20;

/// Room for the rest of a last line.
const LINE: usize = 1 << 16;
