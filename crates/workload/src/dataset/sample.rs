//! A sample of rows: in an order that the seed draws, or in the files', without those that will not do.
//!
//! Rows are read and measured in that order, no further than prompts are asked for. Where rows come in blocks that are read as
//! a whole (Parquet), the blocks are put in order first and then the rows inside each, so that every block is read once. What a
//! row asks is a closure's affair.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec;

use rand::seq::SliceRandom;

use super::args::Common;
use super::length::Fate;
use super::rows::{Item, Place, Row, Table};
use super::{Dataset, DatasetError, Drawn};
use crate::seed::Seed;
use crate::tokenizer::TokenizerError;

/// What a row asks: nothing, a prompt, or a prompt of a length that is not wanted.
pub(super) type Make =
    Box<dyn Fn(&Row, &Place) -> Result<Option<Fate>, Wrong> + Send + Sync + 'static>;

/// Why a row asks nothing that can be asked.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The row is not what it should be: how so, and in which column.
    Row(String),
    /// It is no fault of the row's.
    Other(DatasetError),
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

/// A sample of the rows of some files.
pub(super) struct Sample {
    /// What to call the files, for errors: their folder, or the one there is.
    path: PathBuf,
    taking: Taking,
    make: Make,
    /// Prompts are wanted by several threads, in about the same order; whichever comes first reads on.
    state: Mutex<State>,
}

struct State {
    tables: Vec<Box<dyn Table>>,
    pass: Option<Pass>,
}

/// A pass through the rows, in the order of one seed.
struct Pass {
    seed: Seed,
    queue: Queue,
    kept: Vec<Drawn>,
    passed: Passed,
    /// A row that was not what it should be, or a file that could not be read.
    bad: Option<DatasetError>,
    over: bool,
}

/// Lengths of what was passed over.
#[derive(Default)]
struct Passed {
    count: u64,
    shortest: Option<u32>,
    longest: Option<u32>,
}

impl Sample {
    pub(super) fn new(
        path: PathBuf,
        tables: Vec<Box<dyn Table>>,
        taking: Taking,
        make: Make,
    ) -> Self {
        Self { path, taking, make, state: Mutex::new(State { tables, pass: None }) }
    }

    /// The pass of a seed, with at least `wanted` prompts if there are as many.
    fn with_pass<T>(&self, seed: Option<Seed>, wanted: u64, then: impl FnOnce(&Pass) -> T) -> T {
        // A thread that panicked meanwhile has left at worst fewer prompts behind.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { tables, pass } = &mut *state;
        let held = pass.take().filter(|pass| seed.is_none_or(|seed| pass.seed == seed));
        let pass = pass.insert(held.unwrap_or_else(|| {
            let seed = seed.unwrap_or(Seed::new(0));
            Pass::new(seed, Queue::new(tables, self.taking.order, seed))
        }));
        while (pass.kept.len() as u64) < wanted && !pass.over && pass.bad.is_none() {
            self.read_on(tables, pass);
        }
        then(pass)
    }

    /// Reads some rows further.
    fn read_on(&self, tables: &mut [Box<dyn Table>], pass: &mut Pass) {
        let mut items = Vec::with_capacity(AT_ONCE);
        let mut bad = None;
        while items.len() < AT_ONCE && bad.is_none() && !pass.over {
            match pass.queue.next() {
                None => pass.over = true,
                Some((table, number)) => match tables[table].item(number) {
                    Ok(item) => items.push(item),
                    Err(error) => bad = Some(error),
                },
            }
        }
        for fate in in_parallel(items, |item| self.fate(item)) {
            match fate {
                Ok(None) => {}
                Ok(Some(Fate::Kept(drawn))) => pass.kept.push(drawn),
                Ok(Some(Fate::Passed(length))) => pass.passed.note(length),
                Err(error) => {
                    pass.bad = Some(error);
                    return;
                }
            }
        }
        pass.bad = bad;
    }

    fn fate(&self, item: Item) -> Result<Option<Fate>, DatasetError> {
        let (place, row) = item.row();
        let made = row.map_err(Wrong::Row).and_then(|row| (self.make)(&row, &place));
        made.map_err(|wrong| match wrong {
            Wrong::Row(why) => place.wrong(why, self.taking.form),
            Wrong::Other(error) => error,
        })
    }

    fn empty(&self, passed: &Passed) -> DatasetError {
        let why = match (passed.shortest, passed.longest) {
            (Some(shortest), Some(longest)) => format!(
                "all {} prompts were passed over for their length, which is {shortest} to {longest}",
                passed.count
            ),
            _ => format!("no row of it will do; it should be {}", self.taking.form),
        };
        DatasetError::Empty { path: self.path.clone(), why }
    }
}

impl Dataset for Sample {
    fn draw(&self, index: u64, seed: Seed) -> Result<Drawn, DatasetError> {
        let index = self.taking.offset.saturating_add(index);
        self.with_pass(Some(seed), index.saturating_add(1), |pass| {
            let known = pass.kept.len() as u64;
            match &pass.bad {
                _ if index < known => Ok(pass.kept[index as usize].clone()),
                Some(error) => Err(error.clone()),
                None if known == 0 => Err(self.empty(&pass.passed)),
                None if !self.taking.oversample => Err(DatasetError::Exhausted {
                    path: self.path.clone(),
                    available: known.saturating_sub(self.taking.offset),
                }),
                None => Ok(pass.kept[(index % known) as usize].clone()),
            }
        })
    }

    fn len(&self) -> Option<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = state.pass.as_ref().filter(|pass| pass.over && pass.bad.is_none());
        pass.map(|pass| pass.kept.len() as u64)
    }

    fn available(&self, wanted: u64) -> Result<u64, DatasetError> {
        let end = self.taking.offset.saturating_add(wanted);
        self.with_pass(None, end, |pass| {
            let known = pass.kept.len() as u64;
            match &pass.bad {
                Some(error) if known < end => Err(error.clone()),
                _ => Ok(known.saturating_sub(self.taking.offset).min(wanted)),
            }
        })
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

impl Pass {
    fn new(seed: Seed, queue: Queue) -> Self {
        let passed = Passed::default();
        Self { seed, queue, kept: Vec::new(), passed, bad: None, over: false }
    }
}

impl Passed {
    fn note(&mut self, length: u32) {
        self.count += 1;
        self.shortest = Some(self.shortest.map_or(length, |shortest| shortest.min(length)));
        self.longest = Some(self.longest.map_or(length, |longest| longest.max(length)));
    }
}

/// Rows still to come, each as the number of its file and its own. The rows of a block are put in order when it is its turn.
struct Queue {
    blocks: vec::IntoIter<Block>,
    rows: vec::IntoIter<(usize, u64)>,
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

    fn next(&mut self) -> Option<(usize, u64)> {
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

fn in_turn(tables: &[Box<dyn Table>]) -> Vec<(usize, u64)> {
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

/// Rows that are looked at together.
const AT_ONCE: usize = 64;
