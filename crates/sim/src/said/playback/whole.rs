//! A response that is not streamed: all that its choices say, in one body.
//!
//! Deliberately waits for nothing: whoever asks has seen to it that everything is known.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;
use tokometer_wire::{Answers, Beside, Channel, Delta, Piece};

use crate::faults::Kind;
use crate::model::Finish;
use crate::said::playback::{Playback, pieces};

/// A response that is not streamed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The moment, counted from the request's arrival.
    pub(crate) at: Duration,
    pub(crate) bytes: Bytes,
    /// The tokens of all choices.
    pub(crate) tokens: u32,
    /// Why the last choice ended.
    pub(crate) finish: Finish,
    /// Whether the connection is reset in the middle of it.
    pub(crate) reset: bool,
}

impl Playback {
    /// The whole response at once, for one that is not streamed. A result comes when the first token would.
    pub(crate) fn whole(mut self) -> Whole {
        if self.head.api.answers() == Answers::Result {
            return self.result();
        }
        let mut at = Duration::ZERO;
        let (mut said, mut beside, mut finish) = (Vec::new(), Vec::new(), Finish::Stop);
        let empty = self.head.given.has(Kind::EmptyStream);
        for choice in &mut self.choices {
            while let Some(emission) = choice.take() {
                self.said.clear();
                let (tokens, ends) = (emission.tokens, emission.finish);
                let spoken = choice.script.say(&self.vocabulary, tokens, ends, &mut self.said);
                for piece in pieces(choice.index, &self.said, &spoken) {
                    add(&mut said, piece);
                }
                let reason = ends.map(|finish| choice.script.reason(finish));
                gather(&mut beside, choice.index, spoken.beside, reason);
                self.tokens += if empty { 0 } else { emission.tokens };
                at = at.max(emission.at + self.behind);
                finish = emission.finish.unwrap_or(finish);
            }
        }
        let delta = Delta {
            pieces: if empty { SmallVec::new() } else { said.into_iter().collect() },
            usage: (!self.head.given.has(Kind::NoUsage)).then(|| self.usage()),
            finish_reason: Some(finish.as_str().into()),
            beside: if empty { &[] } else { &beside },
            ..Delta::default()
        };
        self.written(at, &delta, finish)
    }

    fn result(self) -> Whole {
        let at = self.next_at();
        let inputs =
            if self.head.given.has(Kind::EmptyStream) { &[][..] } else { &self.head.inputs };
        let piece = |text: &String| Piece {
            choice: 0,
            channel: Channel::Result,
            text: Cow::Owned(text.clone()),
        };
        let delta = Delta {
            pieces: inputs.iter().map(piece).collect(),
            usage: (!self.head.given.has(Kind::NoUsage)).then(|| self.usage()),
            ..Delta::default()
        };
        self.written(at, &delta, Finish::Stop)
    }

    fn written(mut self, at: Duration, delta: &Delta<'_>, finish: Finish) -> Whole {
        self.head.api.whole(&self.head.reply(), delta, &mut self.buffer);
        let reset = self.ahead.iter().any(|fault| RESETS.contains(&fault.kind));
        if self.ahead.iter().any(|fault| BREAKS.contains(&fault.kind)) {
            self.buffer.truncate(self.buffer.len() / 2);
        }
        let tokens = if reset { 0 } else { self.tokens };
        Whole { at, bytes: self.buffer.freeze(), tokens, finish, reset }
    }
}

/// Adds to the last piece, or a new one where the choice or the channel is another.
fn add(said: &mut Vec<Piece<'_>>, Piece { choice, channel, text }: Piece<'_>) {
    match said.last_mut() {
        Some(last) if last.choice == choice && last.channel == channel => {
            last.text.to_mut().push_str(&text);
        }
        _ => said.push(Piece { choice, channel, text: Cow::Owned(text.into_owned()) }),
    }
}

/// Adds what is told beside a part of a choice to what is told beside the whole of it.
fn gather(
    all: &mut Vec<Beside>,
    choice: u32,
    part: Option<Beside>,
    finish_reason: Option<&'static str>,
) {
    if all.last().is_none_or(|last| last.choice != choice) {
        all.push(Beside { choice, ..Beside::default() });
    }
    let Some(whole) = all.last_mut() else { return };
    whole.finish_reason = finish_reason.or(whole.finish_reason);
    let Some(part) = part else { return };
    whole.stop_reason = part.stop_reason.or(whole.stop_reason.take());
    whole.call = whole.call.take().or(part.call);
    if let Some(tokens) = part.logprobs {
        whole.logprobs.get_or_insert_default().extend(tokens);
    }
}

/// Of these, those that reset the connection.
const RESETS: &[Kind] = &[Kind::ResetMidStream, Kind::ResetMidEvent];

/// Of these, those that leave half of a body that is not streamed.
const BREAKS: &[Kind] = &[Kind::BadJson, Kind::Truncated];
