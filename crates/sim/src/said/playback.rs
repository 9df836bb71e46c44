//! One response as bytes, ahead of time: each call of [`Playback::next`] prepares what is to be written next, and says when.
//!
//! Here the model's emissions become the events of an API, and faults do to them what they do. Pure and clockless: moments are
//! counted from the request's arrival, and whoever asks waits for them.

mod whole;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use tokometer_wire::api::{Reply, SoFar};
use tokometer_wire::{Api, Channel, Delta, Piece, Usage};

use crate::faults::{Fault, Given, Kind};
use crate::model::{Emission, Finish};
use crate::said::Vocabulary;
use crate::said::choice::Choice;
use crate::said::script::Spoken;
use crate::said::shape::Shape;

pub(crate) use whole::Whole;

/// What a response says of itself, and how it goes wrong.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) api: &'static dyn Api,
    pub(crate) id: String,
    pub(crate) model: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) prompt_tokens: u32,
    pub(crate) usage: Told,
    /// How many choices there are.
    pub(crate) choices: u32,
    pub(crate) given: Given,
    /// Where the API answers with a result: each input, and its text where the answer repeats it.
    pub(crate) inputs: Vec<String>,
}

/// When usage is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Never,
    AtTheEnd,
    Always,
}

/// A response under way.
#[derive(Debug)]
pub(crate) struct Playback {
    head: Head,
    vocabulary: Arc<Vocabulary>,
    choices: Vec<Choice>,
    stage: Stage,
    /// Faults in the middle of the stream that are still to come, in order.
    ahead: Vec<Fault>,
    shape: Shape,
    /// How much later than the model has it everything happens by now.
    behind: Duration,
    /// Until when chunks are held back.
    burst: Option<Duration>,
    /// The tokens of chunks that are prepared and not handed over.
    unwritten: SmallVec<[u32; 2]>,
    opened: bool,
    so_far: SoFar,
    chunks: u32,
    tokens: u32,
    cached_tokens: Option<u32>,
    finish: Option<Finish>,
    said: String,
    buffer: BytesMut,
    /// What is left of a frame that is written byte by byte.
    rest: Option<Frame>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait until more is told of a choice.
    Wait,
    /// Write these bytes.
    Write(Frame),
    /// Reset the connection.
    Reset {
        /// When.
        at: Duration,
    },
    /// End the response as if it were complete.
    End {
        /// When.
        at: Duration,
    },
}

/// Bytes to be written together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The moment, counted from the request's arrival.
    pub(crate) at: Duration,
    pub(crate) bytes: Bytes,
    /// The tokens of each readable chunk of output that is complete with these bytes.
    pub(crate) tokens: SmallVec<[u32; 2]>,
    /// Whether the response ends with them.
    pub(crate) last: bool,
}

#[derive(Debug)]
enum Stage {
    /// The opening event is to be sent by itself, at once.
    Opening,
    /// Output, if any is left.
    Output,
    /// No output, although there is some: the end comes with the first of it.
    Nothing,
    /// What follows the output.
    Tail(Duration),
    Reset(Duration),
    End(Duration),
}

impl Playback {
    /// The response that has these choices.
    pub(crate) fn new(head: Head, vocabulary: Arc<Vocabulary>, choices: Vec<Choice>) -> Self {
        let mut ahead: Vec<Fault> = head.given.all_of(MIDDLE).collect();
        ahead.sort_by_key(|fault| fault.after);
        let in_a_fleet = choices.iter().any(Choice::is_told);
        let before = head.given.all_of(BEFORE);
        // Engines hear of a request when its stall is over: what they emit is late already.
        let counted = before.filter(|fault| !(in_a_fleet && fault.kind == Kind::StallFirst));
        let mut playback = Self {
            behind: counted.map(|fault| fault.length).sum(),
            choices,
            stage: Stage::Output,
            ahead,
            shape: Shape::of(&head.given),
            burst: None,
            unwritten: SmallVec::new(),
            opened: false,
            so_far: SoFar::default(),
            chunks: 0,
            tokens: 0,
            cached_tokens: None,
            finish: None,
            said: String::new(),
            buffer: BytesMut::new(),
            rest: None,
            head,
            vocabulary,
        };
        if playback.head.given.has(Kind::EmptyStream) {
            playback.stage = Stage::Nothing;
        } else if playback.head.given.has(Kind::RoleFirst) {
            playback.stage = Stage::Opening;
        }
        playback
    }

    /// How many chunks are still to come, for those who reserve room.
    pub(crate) fn chunks_left(&self) -> usize {
        self.choices.iter().map(Choice::emissions_left).sum()
    }

    /// Why the choice that ended last did so. `None` while none has.
    pub(crate) const fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// Takes in what was emitted for a choice, at a moment counted from the request's arrival.
    pub(crate) fn told(&mut self, choice: usize, emission: Emission) {
        self.choices[choice].told(emission);
    }

    /// Whether something has yet to be told of a choice before it can go on.
    pub(crate) fn waits_for(&self, choice: usize) -> bool {
        self.choices[choice].waits()
    }

    /// Whether everything is known that a choice will say.
    pub(crate) fn knows_all(&self, choice: usize) -> bool {
        self.choices[choice].is_known()
    }

    /// Says how many tokens of the prompt were in the prefix cache, for the usage.
    pub(crate) const fn cached(&mut self, tokens: u32) {
        self.cached_tokens = Some(tokens);
    }

    /// Prepares what is to be done next.
    pub(crate) fn next(&mut self) -> Step {
        let frame = match self.rest.take() {
            Some(rest) => rest,
            None => match self.advance() {
                Step::Write(frame) => frame,
                other => return other,
            },
        };
        Step::Write(if self.shape.split { self.first_byte(frame) } else { frame })
    }

    fn advance(&mut self) -> Step {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Output;
                self.open();
                match self.buffer.is_empty() {
                    // This API opens with its first output.
                    true => self.output(),
                    false => self.write(self.behind, SmallVec::new()),
                }
            }
            Stage::Output => self.output(),
            Stage::Nothing if self.earliest().is_none() => Step::Wait,
            Stage::Nothing => self.tail(self.next_at()),
            Stage::Tail(at) => self.tail(at),
            Stage::Reset(at) => Step::Reset { at },
            Stage::End(at) => Step::End { at },
        }
    }

    /// The next chunk of output, or the fault that takes its place.
    fn output(&mut self) -> Step {
        if self.earliest().is_none() && !self.has_ended() {
            return Step::Wait;
        }
        while let Some(fault) = self.take_fault() {
            let at = self.next_at();
            match fault.kind {
                Kind::StallBetween => self.behind += fault.length,
                Kind::StallBurst => self.burst = Some(at + fault.length),
                Kind::BadJson => {
                    self.emit_unreadable();
                    return self.write(at, SmallVec::new());
                }
                Kind::ResetMidStream => return Step::Reset { at },
                Kind::ResetMidEvent => {
                    self.emit();
                    self.buffer.truncate(self.buffer.len() / 2);
                    self.stage = Stage::Reset(at);
                    return self.write(at, SmallVec::new());
                }
                Kind::ErrorEvent => {
                    self.event(&Delta { error: Some(ERROR.into()), ..Delta::default() });
                    self.event(&Delta { done: true, ..Delta::default() });
                    return self.write_last(at);
                }
                _ => return Step::End { at },
            }
        }
        let Some((mut at, tokens)) = self.emit() else {
            return self.tail(self.behind);
        };
        self.unwritten.push(tokens);
        if self.shape.pairs
            && !self.fault_is_due()
            && let Some((second_at, second)) = self.emit()
        {
            at = second_at;
            self.unwritten.push(second);
        }
        at = self.hold_back(at);
        if self.buffer.is_empty() {
            // Its text is held back, and this API sends nothing then.
            return self.output();
        }
        let tokens = std::mem::take(&mut self.unwritten);
        self.write(at, tokens)
    }

    /// Puts off what is due while chunks are held back, and adds what is known to come until then.
    fn hold_back(&mut self, at: Duration) -> Duration {
        let Some(until) = self.burst.filter(|until| at < *until) else { return at };
        while !self.fault_is_due()
            && self.earliest().is_some()
            && self.next_at() <= until
            && let Some((_, tokens)) = self.emit()
        {
            self.unwritten.push(tokens);
        }
        if let Stage::Tail(at) = &mut self.stage {
            *at = until.max(*at);
        }
        until
    }

    /// Usage, where it is told at the end, and the end.
    fn tail(&mut self, at: Duration) -> Step {
        if self.head.usage != Told::Never && self.tokens > 0 {
            self.event(&Delta { usage: Some(self.usage()), ..Delta::default() });
        }
        if !self.head.given.has(Kind::NoDone) {
            self.event(&Delta { done: true, ..Delta::default() });
        } else if self.buffer.is_empty() {
            return Step::End { at };
        }
        self.write_last(at)
    }

    /// Appends the event of the emission that is next, and the opening event if that is still to come. Gives back the moment and
    /// the tokens. `None` if nothing is left.
    fn emit(&mut self) -> Option<(Duration, u32)> {
        let index = self.earliest()?;
        self.open();
        let choice = &mut self.choices[index];
        let emission = choice.take()?;
        self.said.clear();
        let (tokens, ends) = (emission.tokens, emission.finish);
        let spoken = choice.script.say(&self.vocabulary, tokens, ends, &mut self.said);
        self.chunks += 1;
        self.tokens += emission.tokens;
        self.finish = emission.finish.or(self.finish);
        let (index, so_far) = (choice.index, choice.taken());
        let reason = ends.map(|finish| choice.script.reason(finish).into());
        let delta = Delta {
            pieces: pieces(index, &self.said, &spoken),
            usage: (self.head.usage == Told::Always).then(|| self.usage_of(so_far)),
            finish_reason: reason,
            beside: spoken.beside.as_slice(),
            ..Delta::default()
        };
        write_event(&self.head, self.shape, &mut self.so_far, &delta, &mut self.buffer);
        let at = emission.at + self.behind;
        if self.has_ended() {
            self.stage = Stage::Tail(at);
        }
        Some((at, emission.tokens))
    }

    fn open(&mut self) {
        if !std::mem::replace(&mut self.opened, true) {
            let nothing = || Usage { completion_tokens: 0, ..self.usage() };
            let usage = (self.head.usage == Told::Always).then(nothing);
            self.event(&Delta { usage, ..Delta::default() });
        }
    }

    fn event(&mut self, delta: &Delta<'_>) {
        write_event(&self.head, self.shape, &mut self.so_far, delta, &mut self.buffer);
    }

    fn write(&mut self, at: Duration, tokens: SmallVec<[u32; 2]>) -> Step {
        Step::Write(Frame { at, bytes: self.buffer.split().freeze(), tokens, last: false })
    }

    fn write_last(&mut self, at: Duration) -> Step {
        self.stage = Stage::End(at);
        let bytes = self.buffer.split().freeze();
        Step::Write(Frame { at, bytes, tokens: SmallVec::new(), last: true })
    }

    /// Keeps all but the first byte of a frame for later. What the frame completes is complete with its last byte.
    fn first_byte(&mut self, mut frame: Frame) -> Frame {
        if frame.bytes.len() <= 1 {
            return frame;
        }
        let byte = Frame {
            at: frame.at,
            bytes: frame.bytes.split_to(1),
            tokens: SmallVec::new(),
            last: false,
        };
        self.rest = Some(frame);
        byte
    }

    /// Appends the next event without its second half.
    fn emit_unreadable(&mut self) {
        self.open();
        let start = self.buffer.len();
        self.emit();
        self.buffer.truncate(start.midpoint(self.buffer.len()));
        self.buffer.extend_from_slice(self.shape.line_end());
        self.buffer.extend_from_slice(self.shape.line_end());
    }

    fn take_fault(&mut self) -> Option<Fault> {
        self.fault_is_due().then(|| self.ahead.remove(0))
    }

    /// Whether the next fault comes before the next chunk. One that would come after the last chunk comes in its place.
    fn fault_is_due(&self) -> bool {
        let is_last = || {
            let mut left = self.choices.iter().filter_map(|choice| choice.next);
            left.next().is_some_and(|emission| emission.finish.is_some())
                && left.next().is_none()
                && !self.choices.iter().any(Choice::waits)
        };
        self.ahead.first().is_some_and(|fault| fault.after <= self.chunks || is_last())
    }

    fn has_ended(&self) -> bool {
        self.choices.iter().all(Choice::has_ended)
    }

    /// The choice whose emission is next, of those that are known.
    fn earliest(&self) -> Option<usize> {
        let at = |choice: &Choice| choice.next.map(|emission| emission.at);
        let left = (0..self.choices.len()).filter_map(|i| at(&self.choices[i]).map(|at| (at, i)));
        left.min().map(|(_, i)| i)
    }

    /// The moment of the next emission. There always is one before the tail.
    fn next_at(&self) -> Duration {
        let next = self.earliest().and_then(|i| self.choices[i].next);
        next.map_or(Duration::ZERO, |emission| emission.at) + self.behind
    }

    fn usage(&self) -> Usage {
        self.usage_of(self.tokens)
    }

    /// The usage when so many tokens have been generated: as it is, or as far off as a fault has it.
    fn usage_of(&self, tokens: u32) -> Usage {
        let off = self.head.given.get(Kind::WrongUsage).map_or(0, |fault| fault.tokens);
        Usage {
            prompt_tokens: Some(self.head.prompt_tokens.saturating_add(off)),
            completion_tokens: tokens.saturating_add(off),
            cached_tokens: self.cached_tokens,
        }
    }
}

impl Head {
    fn reply(&self) -> Reply<'_> {
        let usage_follows = self.usage != Told::Never;
        let (id, model, created) = (&self.id, &self.model, self.created);
        Reply { id, model, created, usage_follows, choices: self.choices }
    }
}

/// Appends the event that tells `delta`, in its shape.
fn write_event(
    head: &Head,
    shape: Shape,
    so_far: &mut SoFar,
    delta: &Delta<'_>,
    into: &mut BytesMut,
) {
    let start = into.len();
    head.api.event(&head.reply(), so_far, delta, into);
    if !shape.is_plain() {
        let event = into.split_off(start);
        shape.write(&event, into);
    }
}

/// The pieces of what was spoken: reasoning, and what follows it.
fn pieces<'s>(choice: u32, said: &'s str, spoken: &Spoken) -> SmallVec<[Piece<'s>; 1]> {
    let (reasoning, rest) = said.split_at(spoken.reasoning);
    let parts = [(Channel::Reasoning, reasoning), (spoken.channel, rest)];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    parts.map(|(channel, text)| Piece { choice, channel, text: Cow::Borrowed(text) }).collect()
}

/// Faults that put off all of a response.
const BEFORE: &[Kind] = &[Kind::StallFirst, Kind::TtftStep];

/// Faults that come in the middle of a stream.
const MIDDLE: &[Kind] = &[
    Kind::StallBetween,
    Kind::StallBurst,
    Kind::BadJson,
    Kind::ResetMidStream,
    Kind::ResetMidEvent,
    Kind::ErrorEvent,
    Kind::Truncated,
];

/// What the server says when it fails in the middle of a stream.
pub(crate) const ERROR: &str =
    "EngineCore encountered an issue. See stack trace (above) for the root cause.";

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;
    use tokometer_wire::sse::Decoder;

    use super::*;
    use crate::Words;
    use crate::model::{Delay, Length, Lengths, Pace, Work};
    use crate::said::Text;
    use crate::said::Tokens;
    use crate::said::choice::Source;
    use crate::said::script::Script;

    const MILLI: Duration = Duration::from_millis(1);

    fn playback(chunk: u32, output: u32, choices: u32, faults: &str) -> Playback {
        let pace = Pace {
            ttft: Delay::Exponential { mean: 200 * MILLI },
            itl: Delay::Exponential { mean: 20 * MILLI },
            tokens_per_chunk: NonZeroU32::new(chunk).unwrap(),
            lengths: Lengths { output: Length::Fixed(output), context: 100_000 },
            seed: 1,
        };
        let mut given = Given::default();
        if !faults.is_empty() {
            given.add(faults).unwrap();
        }
        let head = Head {
            api: tokometer_wire::by_name("openai-chat").unwrap(),
            id: "chatcmpl-1".to_owned(),
            model: "m".to_owned(),
            created: 0,
            prompt_tokens: 3,
            usage: Told::AtTheEnd,
            choices,
            given,
            inputs: Vec::new(),
        };
        let choice = |index| {
            let work = Work { choice: index, ..Work::default() };
            let source = Source::Own(Box::new(pace.generate(&work)));
            Choice::new(index, source, output, Script::plain(Text::new(1, 0, index)))
        };
        let choices = (0..choices).map(choice).collect();
        Playback::new(head, Arc::new(Vocabulary::of(&Words)), choices)
    }

    /// Plays to the end: every frame, and what the events in them say to a client, choice by choice.
    fn play(mut playback: Playback, choices: u32) -> (Vec<Frame>, Vec<String>, Option<Usage>) {
        let api = playback.head.api;
        let (mut frames, mut said, mut usage) =
            (Vec::new(), vec![String::new(); choices as usize], None);
        let mut decoder = Decoder::new();
        while let Step::Write(frame) = playback.next() {
            let read = |event: tokometer_wire::sse::Event<'_>| {
                let delta = api.delta(event.data).unwrap();
                usage = delta.usage.or(usage);
                for piece in delta.pieces {
                    said[piece.choice as usize] += &piece.text;
                }
            };
            decoder.push(&frame.bytes, read).unwrap();
            frames.push(frame);
        }
        (frames, said, usage)
    }

    proptest! {
        #[test]
        fn no_token_is_lost_or_doubled_and_time_never_goes_back(
            chunk in 1_u32..6,
            output in 1_u32..40,
            choices in 1_u32..4,
            shapes in proptest::sample::subsequence(
                vec!["crlf", "comments", "no_space", "split_bytes", "pairs", "role_first"], 0..=6),
        ) {
            let (frames, said, usage) = play(playback(chunk, output, choices, &shapes.join(",")), choices);
            for text in &said {
                prop_assert_eq!(Words.encode(text).len() as u32, output);
            }
            let total = output * choices;
            let told: u32 = frames.iter().flat_map(|frame| &frame.tokens).sum();
            prop_assert_eq!(told, total);
            let expected = Usage { prompt_tokens: Some(3), completion_tokens: total, cached_tokens: None };
            prop_assert_eq!(usage, Some(expected));
            prop_assert!(frames.is_sorted_by_key(|frame| frame.at));
            let last: Vec<bool> = frames.iter().map(|frame| frame.last).collect();
            prop_assert_eq!(last.iter().position(|last| *last), Some(frames.len() - 1));
        }

        #[test]
        fn room_is_made_for_as_many_chunks_as_come(chunk in 1_u32..6, output in 1_u32..40, choices in 1_u32..4) {
            let playback = playback(chunk, output, choices, "");
            let expected = playback.chunks_left();
            let (frames, ..) = play(playback, choices);
            prop_assert_eq!(frames.iter().map(|frame| frame.tokens.len()).sum::<usize>(), expected);
        }
    }

    #[test]
    fn several_faults_come_in_the_order_of_their_chunks() {
        let mut given = Given::default();
        given.add("truncated; after=3").unwrap();
        given.add("stall_between; after=1; ms=1000").unwrap();
        let mut playback = playback(1, 9, 1, "");
        playback.ahead = given.all_of(MIDDLE).collect();
        playback.ahead.sort_by_key(|fault| fault.after);
        let (frames, said, _) = play(playback, 1);
        assert_eq!(Words.encode(&said[0]).len(), 3);
        assert!(frames[1].at - frames[0].at > 1000 * MILLI);
        assert!(frames[2].at - frames[1].at < 1000 * MILLI);
    }
}
