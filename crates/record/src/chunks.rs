//! The output of a request as it came, kept small: a run of a hundred thousand requests has a hundred million chunks.
//!
//! A [`Chunk`] takes 16 bytes, and all that is new about most of them is the gap before. So [`Chunks`] keeps gaps: about four bytes a
//! chunk. It is written by appending and read from the first to the last. Deliberately no access by place, and no figure: gaps
//! are counted and summed up in `metrics`.
//!
//! In the log, chunks that follow each other with the same tokens on the same channel make one row: `[at, tokens, channel]` of the first,
//! in nanoseconds since the run began, and behind it the gap before each of the others. A row without gaps is one chunk, which is all
//! that logs of version 1 have.

use std::fmt;
use std::iter::FusedIterator;
use std::time::Duration;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Offset;

/// One event of the response that bore output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The moment at which its bytes left the socket.
    pub at: Offset,
    /// How many tokens it bore, where the server told (`continuous_usage_stats`). 0 if unknown.
    pub tokens: u32,
    /// What kind of output it bore.
    pub channel: Channel,
}

/// The kinds of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// The answer's text.
    #[serde(rename = "c")]
    Content,
    /// Reasoning that precedes the answer.
    #[serde(rename = "r")]
    Reasoning,
    /// A call of a tool.
    #[serde(rename = "t")]
    ToolCall,
    /// A refusal.
    #[serde(rename = "x")]
    Refusal,
    /// The result of a request that generates nothing: embeddings, scores.
    #[serde(rename = "o")]
    Result,
}

/// The output of a request as it came, in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Chunks {
    /// For each chunk the gap before it, shifted by a bit that tells whether anything else is new: see [`Chunks::push`].
    bytes: Vec<u8>,
    len: usize,
    last: Option<Chunk>,
    told: u64,
    fewest: u32,
    most: u32,
    /// A bit for each channel.
    channels: u8,
}

impl Chunks {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing arrived.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first of them.
    pub fn first(&self) -> Option<Chunk> {
        self.iter().next()
    }

    /// The last of them, at no cost.
    pub const fn last(&self) -> Option<Chunk> {
        self.last
    }

    /// All of them, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes, left: self.len, before: START }
    }

    /// Each but the first, and how long it came after the one before it.
    pub fn gaps(&self) -> impl Iterator<Item = (Chunk, Duration)> + Clone {
        let mut all = self.iter();
        let mut before = all.next().unwrap_or(START).at;
        all.map(move |chunk| (chunk, chunk.at - std::mem::replace(&mut before, chunk.at)))
    }

    /// Whether any of them bore output of this kind, at no cost.
    pub const fn bear(&self, channel: Channel) -> bool {
        self.channels & (1 << channel as u8) != 0
    }

    /// Σ of the tokens that the server told of each, at no cost.
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// The fewest and the most tokens that one of them bore, as far as the server told, at no cost. `None` if nothing arrived.
    pub fn tokens(&self) -> Option<(u32, u32)> {
        (!self.is_empty()).then_some((self.fewest, self.most))
    }

    /// How many bytes they take beside this structure.
    pub const fn footprint(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds one behind the last.
    ///
    /// Its gap comes first, seven bits a byte and the least first (LEB128), the first byte's lowest bit telling whether more than
    /// the gap is new. If so, the tokens follow in the same way, and a byte with the channel and whether it came before the last.
    pub fn push(&mut self, chunk: Chunk) {
        let before = self.last.unwrap_or(START);
        let earlier = chunk.at < before.at;
        let gap = chunk.at.as_nanos().abs_diff(before.at.as_nanos());
        let new = earlier || (chunk.tokens, chunk.channel) != (before.tokens, before.channel);
        let more = if gap >> 6 == 0 { 0 } else { MORE };
        self.bytes.push(more | ((gap & 0x3f) as u8) << 1 | u8::from(new));
        if more != 0 {
            append(&mut self.bytes, gap >> 6);
        }
        if new {
            append(&mut self.bytes, u64::from(chunk.tokens));
            self.bytes.push((chunk.channel as u8) << 1 | u8::from(earlier));
        }
        self.fewest = if self.is_empty() { chunk.tokens } else { self.fewest.min(chunk.tokens) };
        self.most = self.most.max(chunk.tokens);
        self.told += u64::from(chunk.tokens);
        self.channels |= 1 << chunk.channel as u8;
        self.last = Some(chunk);
        self.len += 1;
    }

    /// Changes them as a list. For records that are made by hand: all of them are unpacked and packed again.
    pub fn edit(&mut self, change: impl FnOnce(&mut Vec<Chunk>)) {
        let mut list: Vec<Chunk> = self.iter().collect();
        change(&mut list);
        *self = list.into();
    }

    fn packed(mut self) -> Self {
        self.bytes.shrink_to_fit();
        self
    }
}

/// A number, seven bits a byte and the least first.
fn append(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        bytes.push(MORE | (number & 0x7f) as u8);
        number >>= 7;
    }
    bytes.push(number as u8);
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl FromIterator<Chunk> for Chunks {
    fn from_iter<I: IntoIterator<Item = Chunk>>(chunks: I) -> Self {
        let chunks = chunks.into_iter();
        let mut all = Self::default();
        all.bytes.reserve(chunks.size_hint().0.saturating_mul(4));
        chunks.for_each(|chunk| all.push(chunk));
        all.packed()
    }
}

impl From<Vec<Chunk>> for Chunks {
    fn from(chunks: Vec<Chunk>) -> Self {
        chunks.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Chunks {
    type Item = Chunk;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The chunks of a request, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    left: usize,
    before: Chunk,
}

impl Iterator for Iter<'_> {
    type Item = Chunk;

    #[inline]
    fn next(&mut self) -> Option<Chunk> {
        (self.before, self.bytes) = match usual(self.bytes) {
            Some((gap, rest)) => (Chunk { at: later(self.before.at, gap), ..self.before }, rest),
            None => unusual(self.bytes, self.before)?,
        };
        self.left = self.left.saturating_sub(1);
        Some(self.before)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl FusedIterator for Iter<'_> {}

impl Iter<'_> {
    /// Whether the next one differs from the one before it by its moment alone, which is no earlier.
    fn repeats(&self) -> bool {
        self.bytes.first().is_some_and(|head| head & 1 == 0)
    }
}

/// The gap of the next chunk and what is behind it, if nothing but the gap is new and it takes four bytes: at the usual pace of tokens that
/// is so of nearly all, and then it is by far the quicker way.
#[inline]
fn usual(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&four, rest) = bytes.split_first_chunk()?;
    let four = u32::from_le_bytes(four);
    if four & 0x8080_8081 != 0x0080_8080 {
        return None;
    }
    let pairs = four & 0x007f_007f | (four & 0x7f00_7f00) >> 1;
    let number = pairs & 0x3fff | (pairs & 0x3fff_0000) >> 2;
    Some((u64::from(number >> 1), rest))
}

/// The next chunk and what is behind it, however it is kept. Not in line, and by values alone: so whoever loops over the usual ones keeps all
/// of it in registers.
#[inline(never)]
fn unusual(bytes: &[u8], before: Chunk) -> Option<(Chunk, &[u8])> {
    let (&head, mut rest) = bytes.split_first()?;
    let mut gap = u64::from(head >> 1 & 0x3f);
    if head & MORE != 0 {
        let (number, behind) = number(rest)?;
        (gap, rest) = (gap | number << 6, behind);
    }
    if head & 1 == 0 {
        return Some((Chunk { at: later(before.at, gap), ..before }, rest));
    }
    let (tokens, rest) = number(rest)?;
    let (&last, rest) = rest.split_first()?;
    let at = match last & 1 == 0 {
        true => later(before.at, gap),
        false => Offset::from_nanos(before.at.as_nanos().wrapping_sub(gap)),
    };
    let channel = CHANNELS[usize::from(last >> 1) % CHANNELS.len()];
    // Nothing is longer than what was appended.
    Some((Chunk { at, tokens: tokens as u32, channel }, rest))
}

fn number(mut bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & MORE == 0 {
            return Some((number, rest));
        }
        (bytes, shift) = (rest, shift + 7);
    }
}

/// That long after. No sum is beyond what was appended.
const fn later(at: Offset, gap: u64) -> Offset {
    Offset::from_nanos(at.as_nanos().wrapping_add(gap))
}

impl Serialize for Chunks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        let mut rest = self.iter();
        while let Some(first) = rest.next() {
            rows.serialize_element(&Row { first, rest: rest.clone() })?;
            while rest.repeats() {
                rest.next();
            }
        }
        rows.end()
    }
}

/// A chunk, and those behind it that have its tokens and its channel.
struct Row<'a> {
    first: Chunk,
    rest: Iter<'a>,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(None)?;
        row.serialize_element(&self.first.at)?;
        row.serialize_element(&self.first.tokens)?;
        row.serialize_element(&self.first.channel)?;
        let (mut before, mut rest) = (self.first, self.rest.clone());
        while rest.repeats()
            && let Some(chunk) = rest.next()
        {
            row.serialize_element(&(chunk.at.as_nanos() - before.at.as_nanos()))?;
            before = chunk;
        }
        row.end()
    }
}

impl<'de> Deserialize<'de> for Chunks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;

        impl<'de> Visitor<'de> for Rows {
            type Value = Chunks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rows of chunks")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Chunks, A::Error> {
                let mut chunks = Chunks::default();
                while rows.next_element_seed(Behind(&mut chunks))?.is_some() {}
                Ok(chunks.packed())
            }
        }

        deserializer.deserialize_seq(Rows)
    }
}

/// Reads a row of chunks and adds them behind these.
struct Behind<'a>(&'a mut Chunks);

impl<'de> DeserializeSeed<'de> for Behind<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Behind<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment, tokens, a channel, and gaps")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        let missing = |place| A::Error::invalid_length(place, &"a moment, tokens, and a channel");
        let at = row.next_element()?.ok_or_else(|| missing(0))?;
        let tokens = row.next_element()?.ok_or_else(|| missing(1))?;
        let channel = row.next_element()?.ok_or_else(|| missing(2))?;
        let mut chunk = Chunk { at, tokens, channel };
        self.0.push(chunk);
        while let Some(gap) = row.next_element()? {
            chunk.at = chunk.at + Duration::from_nanos(gap);
            self.0.push(chunk);
        }
        Ok(())
    }
}

/// What stands before the first chunk.
const START: Chunk = Chunk { at: Offset::ZERO, tokens: 0, channel: Channel::Content };

/// The channels in the order of their numbers.
const CHANNELS: [Channel; 5] = {
    use Channel::*;
    [Content, Reasoning, ToolCall, Refusal, Result]
};

/// That more bytes of a number follow.
const MORE: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    const fn chunk(at: u64, tokens: u32, channel: Channel) -> Chunk {
        Chunk { at: Offset::from_nanos(at), tokens, channel }
    }

    const fn content(at: u64) -> Chunk {
        chunk(at, 1, Channel::Content)
    }

    /// Whatever the server may send: gaps of every length, tokens of every number, every channel, and moments that go back.
    fn odd() -> Vec<Chunk> {
        let mut list = vec![content(0), content(0), chunk(u64::MAX, u32::MAX, Channel::Result)];
        let (mut at, mut word) = (7_u64, 1_u64);
        for bits in (0..64).cycle().take(2_000) {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            at = at.wrapping_add((word >> 1) >> bits);
            let tokens = if word & 0x300 == 0 { (word >> 40) as u32 } else { 0 };
            list.push(chunk(
                at,
                tokens,
                CHANNELS[(word >> 50) as usize % 5 * usize::from(word & 0x400 == 0)],
            ));
        }
        list
    }

    fn written(chunks: &Chunks) -> String {
        serde_json::to_string(chunks).unwrap()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let list = odd();
        let chunks = Chunks::from(list.clone());
        assert_eq!(chunks.iter().collect::<Vec<_>>(), list);
        assert_eq!((chunks.len(), chunks.iter().len()), (list.len(), list.len()));
        assert_eq!((chunks.first(), chunks.last()), (list.first().copied(), list.last().copied()));
        let gaps = list.windows(2).map(|pair| (pair[1], pair[1].at - pair[0].at));
        assert_eq!(chunks.gaps().collect::<Vec<_>>(), gaps.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_known_at_no_cost_is_what_counting_tells() {
        let list = odd();
        let chunks = Chunks::from(list.clone());
        assert_eq!(chunks.told(), list.iter().map(|chunk| u64::from(chunk.tokens)).sum::<u64>());
        let tokens = || list.iter().map(|chunk| chunk.tokens);
        assert_eq!(chunks.tokens(), tokens().min().zip(tokens().max()));
        let bear = |channel| chunks.bear(channel);
        assert!(CHANNELS.into_iter().all(bear));
        let reasoning = Chunks::from(vec![chunk(1, 2, Channel::Reasoning)]);
        assert!(reasoning.bear(Channel::Reasoning) && !reasoning.bear(Channel::Content));
    }

    #[test]
    fn nothing_is_nothing() {
        let none = Chunks::default();
        assert!(none.is_empty() && none.iter().next().is_none() && none.gaps().next().is_none());
        assert_eq!((none.first(), none.last(), none.tokens(), none.told()), (None, None, None, 0));
        assert_eq!(written(&none), "[]");
        assert_eq!(serde_json::from_str::<Chunks>("[]").unwrap(), none);
    }

    #[test]
    fn chunks_that_have_all_but_their_moments_in_common_are_one_row() {
        let answered = |at| chunk(at, 0, Channel::Content);
        let list = vec![chunk(10, 0, Channel::Reasoning), answered(30), answered(55), answered(55)];
        assert_eq!(written(&list.into()), r#"[[10,0,"r"],[30,0,"c",25,0]]"#);
    }

    #[test]
    fn a_moment_that_goes_back_begins_a_row() {
        assert_eq!(
            written(&vec![content(9), content(4), content(6)].into()),
            r#"[[9,1,"c"],[4,1,"c",2]]"#
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let chunks = Chunks::from(odd());
        assert_eq!(serde_json::from_str::<Chunks>(&written(&chunks)).unwrap(), chunks);
    }

    #[test]
    fn the_first_version_s_chunks_are_read() {
        let old = r#"[[4,1,"c"],[9,1,"c"],[9,3,"r"]]"#;
        let list = vec![content(4), content(9), chunk(9, 3, Channel::Reasoning)];
        assert_eq!(serde_json::from_str::<Chunks>(old).unwrap(), Chunks::from(list));
    }

    #[test]
    fn a_row_that_is_none_is_refused() {
        for wrong in
            [r"[[]]", r"[[4]]", r"[[4,1]]", r#"[[4,1,"q"]]"#, r#"[[4,1,"c",-1]]"#, "[4]", "{}"]
        {
            assert!(serde_json::from_str::<Chunks>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_chunk_at_the_usual_pace_takes_four_bytes() {
        // Gaps of 20 ms, none like another.
        let at = |i: u64| i * 20_000_000 + i * i * 7_919 % 1_000_000;
        let chunks: Chunks = (1..=1_000).map(|i| chunk(at(i), 0, Channel::Content)).collect();
        assert!(chunks.footprint() <= 4_010, "{}", chunks.footprint());
    }

    #[test]
    fn a_change_of_the_list_is_kept() {
        let mut chunks = Chunks::from(vec![content(4), content(9)]);
        chunks.edit(|list| list[1].tokens = 5);
        assert_eq!(chunks.iter().map(|chunk| chunk.tokens).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(chunks.tokens(), Some((1, 5)));
    }
}
