//! A sample of rows: in an order that the seed draws, or in the files', without those that will not do.
//!
//! Rows are read and measured in that order, no further than prompts are asked for. Where rows come in blocks that are read as
//! a whole (Parquet), the blocks are put in order first and then the rows inside each, so that every block is read once. What a
//! row asks is a closure's affair.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec;

use rand::seq::SliceRandom;
use serde_json::{Map, Value};
use tokometer_wire::Prompt;

use super::args::Common;
use super::length::{Fate, Passed};
use super::rows::{Item, Place, Row, Table};
pub(super) use super::skipped::Skip;
use super::skipped::Skipped;
use super::{Dataset, DatasetError, Drawn};
use crate::seed::Seed;
use crate::tokenizer::TokenizerError;

/// What a row asks: a prompt, or a prompt of a length that is not wanted; or why nothing.
pub(super) type Make = Box<dyn Fn(&Row, &Place) -> Result<Fate, Wrong> + Send + Sync + 'static>;

/// Why a row asks nothing that can be asked.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The row is not what it should be: how so, and in which column.
    Row(String),
    /// It is no fault of the row's.
    Other(DatasetError),
    /// It is passed over, which is no error while other rows are not.
    Skip(Skip),
}

impl From<Skip> for Wrong {
    fn from(skip: Skip) -> Self {
        Self::Skip(skip)
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self::Row(why)
    }
}

impl From<DatasetError> for Wrong {
    fn from(error: DatasetError) -> Self {
        Self::Other(error)
    }
}

impl From<TokenizerError> for Wrong {
    fn from(error: TokenizerError) -> Self {
        Self::Other(error.into())
    }
}

/// In which order rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// One that the seed draws.
    Shuffled,
    /// As in the files, one file after the other.
    AsFiled,
    /// As in the files, one row of each in turn.
    InTurn,
}

/// How a sample is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taking {
    pub(super) order: Order,
    /// Whether it begins anew at its end.
    pub(super) oversample: bool,
    /// How many prompts are passed over at the beginning.
    pub(super) offset: u64,
    /// What the files should hold, for errors.
    pub(super) form: &'static str,
}

impl Taking {
    /// What the common settings say.
    pub(super) fn new(common: Common, offset: u64, form: &'static str) -> Self {
        let order = if common.shuffle { Order::Shuffled } else { Order::AsFiled };
        Self { order, oversample: common.oversample, offset, form }
    }
}

/// A sample of the rows of some files. What rows ask is kept up to a bound, and beyond it asked of them anew: images and sounds
/// would fill the memory that requests are to be made in.
pub(super) struct Sample {
    /// What to call the files, for errors: their folder, or the one there is.
    path: PathBuf,
    taking: Taking,
    make: Make,
    /// Bytes of prompts that may be kept.
    keeps: usize,
    /// Prompts are wanted by several threads, in about the same order; whichever comes first reads on.
    state: Mutex<State>,
}

struct State {
    tables: Tables,
    pass: Option<Pass>,
}

/// The files.
struct Tables {
    all: Vec<Box<dyn Table>>,
    /// Those that were read last. What others hold for their next reading was let go of.
    recent: [Option<usize>; 2],
}

/// Where a row is: which table, and which of its rows.
pub(super) type Address = (usize, u64);

/// A pass through the rows, in the order of one seed.
struct Pass {
    seed: Seed,
    queue: Queue,
    kept: Vec<Kept>,
    /// Bytes of the prompts that are kept.
    bytes: usize,
    passed: Passed,
    skipped: Skipped,
    /// A row that was not what it should be, or a file that could not be read.
    bad: Option<DatasetError>,
    over: bool,
}

/// What became of a row.
type Looked = Result<Fate, (Place, Skip)>;

/// A row that asks something, and what, where there was room for it.
struct Kept {
    address: Address,
    drawn: Option<Box<Drawn>>,
}

impl Sample {
    pub(super) fn new(
        path: PathBuf,
        tables: Vec<Box<dyn Table>>,
        taking: Taking,
        make: Make,
    ) -> Self {
        let tables = Tables { all: tables, recent: [None; 2] };
        let state = Mutex::new(State { tables, pass: None });
        Self { path, taking, make, keeps: MOST_BYTES_KEPT, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked meanwhile has left at worst fewer rows behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pass of a seed, with at least `wanted` rows if there are as many.
    fn pass<'a>(&self, state: &'a mut State, seed: Option<Seed>, wanted: u64) -> &'a Pass {
        let State { tables, pass } = state;
        let held = pass.take().filter(|pass| seed.is_none_or(|seed| pass.seed == seed));
        let pass = pass.insert(held.unwrap_or_else(|| {
            let seed = seed.unwrap_or(Seed::new(0));
            Pass::new(seed, Queue::new(&tables.all, self.taking.order, seed))
        }));
        while (pass.kept.len() as u64) < wanted && !pass.over && pass.bad.is_none() {
            self.read_on(tables, pass);
        }
        pass
    }

    /// Reads some rows further.
    fn read_on(&self, tables: &mut Tables, pass: &mut Pass) {
        let mut items = Vec::with_capacity(AT_ONCE);
        let mut bad = None;
        while items.len() < AT_ONCE && bad.is_none() && !pass.over {
            match pass.queue.next() {
                None => pass.over = true,
                Some(address) => match tables.item(address) {
                    Ok(item) => items.push((address, item)),
                    Err(error) => bad = Some(error),
                },
            }
        }
        for (address, fate) in in_parallel(items, |(address, item)| (address, self.fate(item))) {
            match fate {
                Ok(Ok(Fate::Kept(drawn))) => pass.keep(address, drawn, self.keeps),
                Ok(Ok(Fate::Passed(length))) => pass.passed.note(length),
                Ok(Err((place, skip))) => pass.skipped.note(address, place, skip),
                Err(error) => {
                    pass.bad = Some(error);
                    return;
                }
            }
        }
        pass.bad = bad;
    }

    /// The row that asks what is wanted at that index.
    fn row<'a>(&self, pass: &'a Pass, index: u64) -> Result<&'a Kept, DatasetError> {
        let known = pass.kept.len() as u64;
        match &pass.bad {
            _ if index < known => Ok(&pass.kept[index as usize]),
            Some(error) => Err(error.clone()),
            None if known == 0 => Err(self.empty(pass)),
            None if !self.taking.oversample => Err(DatasetError::Exhausted {
                path: self.path.clone(),
                available: known.saturating_sub(self.taking.offset),
            }),
            None => Ok(&pass.kept[(index % known) as usize]),
        }
    }

    fn fate(&self, item: Item) -> Result<Looked, DatasetError> {
        let (place, row) = item.row();
        match row.map_err(Wrong::Row).and_then(|row| (self.make)(&row, &place)) {
            Ok(fate) => Ok(Ok(fate)),
            Err(Wrong::Skip(skip)) => Ok(Err((place, skip))),
            Err(Wrong::Row(why)) => Err(place.wrong(why, self.taking.form)),
            Err(Wrong::Other(error)) => Err(error),
        }
    }

    /// Why no row will do.
    fn empty(&self, pass: &Pass) -> DatasetError {
        match pass.passed.told() {
            Some(why) => DatasetError::Empty { path: self.path.clone(), why },
            None => pass.skipped.error(&self.path, self.taking.form),
        }
    }
}

impl Dataset for Sample {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let index = self.taking.offset.saturating_add(index);
        let mut state = self.state();
        let pass = self.pass(&mut state, Some(seed), index.saturating_add(1));
        let kept = self.row(pass, index)?;
        if let Some(drawn) = &kept.drawn {
            return Ok(Drawn::clone(drawn));
        }
        let address = kept.address;
        let item = state.tables.item(address)?;
        drop(state);
        let place = item.place.clone();
        match self.fate(item)? {
            Ok(Fate::Kept(drawn)) => Ok(drawn),
            _ => {
                let why = "it is no longer what it was when it was looked at first".to_owned();
                Err(place.wrong(why, self.taking.form))
            }
        }
    }

    fn len(&self) -> Option<u64> {
        let state = self.state();
        let pass = state.pass.as_ref().filter(|pass| pass.over && pass.bad.is_none());
        pass.map(|pass| pass.kept.len() as u64)
    }

    fn available(&self, wanted: u64) -> Result<u64, DatasetError> {
        let end = self.taking.offset.saturating_add(wanted);
        let mut state = self.state();
        let pass = self.pass(&mut state, None, end);
        let known = pass.kept.len() as u64;
        match &pass.bad {
            Some(error) if known < end => Err(error.clone()),
            _ => Ok(known.saturating_sub(self.taking.offset).min(wanted)),
        }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample")
            .field("path", &self.path)
            .field("taking", &self.taking)
            .finish_non_exhaustive()
    }
}

impl Tables {
    /// Reads a row.
    fn item(&mut self, (table, number): Address) -> Result<Item, DatasetError> {
        if self.recent[0] != Some(table) {
            if let Some(past) = self.recent[1].filter(|past| *past != table) {
                self.all[past].let_go();
            }
            self.recent = [Some(table), self.recent[0]];
        }
        self.all[table].item(number)
    }
}

impl Pass {
    fn new(seed: Seed, queue: Queue) -> Self {
        let (passed, skipped) = Default::default();
        Self { seed, queue, kept: Vec::new(), bytes: 0, passed, skipped, bad: None, over: false }
    }

    /// Keeps the row, and what it asks if there is room for it.
    fn keep(&mut self, address: Address, drawn: Drawn, most: usize) {
        let bytes = self.bytes + size(&drawn);
        let fits = bytes <= most;
        if fits {
            self.bytes = bytes;
        }
        self.kept.push(Kept { address, drawn: fits.then(|| Box::new(drawn)) });
    }
}

/// Rows still to come, each as the number of its file and its own. The rows of a block are put in order when it is its turn.
struct Queue {
    blocks: vec::IntoIter<Block>,
    rows: vec::IntoIter<Address>,
    /// What rows inside a block are put in order by, if they are.
    seed: Option<Seed>,
}

/// Rows that stand together: of each table, the first and how many.
struct Block {
    number: u64,
    parts: Vec<(usize, u64, u64)>,
}

impl Queue {
    fn new(tables: &[Box<dyn Table>], order: Order, seed: Seed) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut together = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let Some(sizes) = table.blocks() else {
                together.push((index, 0, table.len()));
                continue;
            };
            let mut first = 0;
            for size in sizes {
                blocks.push(Block { number: 0, parts: vec![(index, first, size)] });
                first += size;
            }
        }
        blocks.push(Block { number: 0, parts: together });
        for (number, block) in (0..).zip(&mut blocks) {
            block.number = number;
        }
        let seed = (order == Order::Shuffled).then(|| seed.stream("rows"));
        if let Some(seed) = seed {
            blocks.shuffle(&mut seed.stream("blocks").rng());
        }
        let rows = if order == Order::InTurn { in_turn(tables) } else { Vec::new() };
        let blocks = if order == Order::InTurn { Vec::new() } else { blocks };
        Self { blocks: blocks.into_iter(), rows: rows.into_iter(), seed }
    }

    fn next(&mut self) -> Option<Address> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            let block = self.blocks.next()?;
            let mut rows = Vec::new();
            for (table, first, size) in block.parts {
                rows.extend((first..first + size).map(|row| (table, row)));
            }
            if let Some(seed) = self.seed {
                rows.shuffle(&mut seed.at(block.number).rng());
            }
            self.rows = rows.into_iter();
        }
    }
}

fn in_turn(tables: &[Box<dyn Table>]) -> Vec<Address> {
    let lengths: Vec<u64> = tables.iter().map(|table| table.len()).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let round = |row| {
        let there = lengths.iter().enumerate().filter(move |(_, length)| row < **length);
        there.map(move |(table, _)| (table, row))
    };
    (0..longest).flat_map(round).collect()
}

/// What becomes of each. Measuring takes most of the time, so every core has its share.
pub(super) fn in_parallel<T: Send, R: Send>(items: Vec<T>, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let share = items.len().div_ceil(cores).max(1);
    let mut rest = items.into_iter();
    thread::scope(|scope| {
        let each = &each;
        let mut shares = Vec::new();
        loop {
            let own: Vec<T> = rest.by_ref().take(share).collect();
            if own.is_empty() {
                break;
            }
            shares.push(scope.spawn(move || own.into_iter().map(each).collect::<Vec<R>>()));
        }
        let joined = shares.into_iter().map(|share| match share.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

/// About how many bytes a prompt takes.
fn size(drawn: &Drawn) -> usize {
    let all = |fields: &Map<String, Value>| fields.values().map(size_of_json).sum::<usize>();
    let prompt = match &drawn.prompt {
        Prompt::Text(text) => text.len(),
        Prompt::Tokens(ids) => size_of_val(ids.as_slice()),
        Prompt::Messages(messages) => {
            messages.iter().map(|said| size_of_json(&said.content) + all(&said.more)).sum()
        }
        Prompt::Audio(audio) => audio.bytes.len(),
        Prompt::Body(body) => all(body),
        // What no row asks.
        Prompt::Batch(_) | Prompt::Rerank { .. } => 0,
    };
    size_of::<Drawn>() + prompt + all(&drawn.extra)
}

fn size_of_json(value: &Value) -> usize {
    let within = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size_of_json).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + size_of_json(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + within
}

/// Enough for tens of thousands of texts, and little beside the requests that images make.
const MOST_BYTES_KEPT: usize = 64 << 20;
/// Rows that are looked at together.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::super::rows;
    use super::*;

    const COUNT: u64 = 200;

    fn numbered(word: &str) -> String {
        (0..COUNT).map(|number| format!("{{\"text\": \"{word} {number:03}\"}}\n")).collect()
    }

    /// The texts of the rows of a file, of which so many bytes are kept.
    fn open(path: &Path, keeps: usize) -> Sample {
        let make = |row: &Row, _: &Place| match row["text"].as_str() {
            Some("none") => Err(Skip::Form("it has none".to_owned()).into()),
            text => {
                let prompt = Prompt::Text(text.unwrap().to_owned());
                Ok(Fate::Kept(Drawn::of(prompt, None)))
            }
        };
        let tables = vec![rows::open_json(path).unwrap()];
        let taking = Taking { order: Order::Shuffled, oversample: true, offset: 0, form: "" };
        Sample { keeps, ..Sample::new(path.to_owned(), tables, taking, Box::new(make)) }
    }

    fn texts(data: &dyn Dataset) -> Vec<String> {
        let text = |index| match data.prompt(index, Seed::new(1)).unwrap() {
            Prompt::Text(text) => text,
            other => panic!("{other:?}"),
        };
        (0..COUNT).map(text).collect()
    }

    #[test]
    fn prompts_beyond_the_bound_are_not_kept_but_their_rows_read_anew() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, numbered("row")).unwrap();
        let each = size_of::<Drawn>() + "row 000".len();
        let (all, some) = (open(&path, usize::MAX), open(&path, 5 * each));
        let before = texts(&all);
        assert_eq!(texts(&some), before);
        std::fs::write(&path, numbered("now")).unwrap();
        assert_eq!(texts(&all), before);
        let after = texts(&some);
        assert_eq!(after[..5], before[..5]);
        assert!(after[5..].iter().zip(&before[5..]).all(|(a, b)| *a == b.replace("row", "now")));
        std::fs::write(&path, "{\"text\": \"none\"   }\n".repeat(COUNT as usize)).unwrap();
        let error = some.draw(7, Seed::new(1)).unwrap_err().to_string();
        assert!(
            error.contains("it is no longer what it was when it was looked at first"),
            "{error}"
        );
    }

    #[test]
    fn files_that_were_read_long_ago_hold_nothing() {
        #[derive(Debug)]
        struct Holding(Arc<Mutex<Vec<usize>>>, usize);
        impl Table for Holding {
            fn blocks(&self) -> Option<Vec<u64>> {
                Some(vec![1])
            }
            fn len(&self) -> u64 {
                1
            }
            fn item(&mut self, number: u64) -> Result<Item, DatasetError> {
                self.0.lock().unwrap().push(self.1);
                Ok(Item::of_row(&Path::new("file").into(), number, Map::new()))
            }
            fn let_go(&mut self) {
                self.0.lock().unwrap().retain(|held| *held != self.1);
            }
        }
        let held = Arc::default();
        let all: Vec<Box<dyn Table>> = (0..4)
            .map(|number| Box::new(Holding(Arc::clone(&held), number)) as Box<dyn Table>)
            .collect();
        let mut tables = Tables { all, recent: [None; 2] };
        for (table, expected) in
            [(0, vec![0]), (1, vec![0, 1]), (0, vec![0, 1]), (2, vec![0, 2]), (3, vec![2, 3])]
        {
            tables.item((table, 0)).unwrap();
            let mut now: Vec<usize> = held.lock().unwrap().clone();
            now.sort_unstable();
            now.dedup();
            assert_eq!(now, expected);
        }
    }
}
