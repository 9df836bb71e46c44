//! The script of one choice: what each of its tokens says, on which channel, and what is told beside it.
//!
//! Most choices say words and nothing else, and cost nothing more. Others reason first, call a tool, end at a stop string, or tell how
//! likely their tokens were. All of it is a pure function of the seed, the request and the choice, so that a length is known beforehand.
//! Deliberately knows neither moments nor APIs.

use std::num::NonZeroU32;

use tokometer_wire::{Beside, Channel, Head, Likely};

use crate::model::Finish;
use crate::said::calls;
use crate::said::stops::{self, Cut, Stops};
use crate::said::text::Draws;
use crate::said::{Text, Tokens, Vocabulary};

/// How the choices of a response are to be said, as far as they are not to be said plainly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) stops: Stops,
    pub(crate) min_tokens: u32,
    /// How many of the likeliest tokens are told at each place, if log probabilities are.
    pub(crate) logprobs: Option<u32>,
    /// The share of the tokens that is reasoning.
    pub(crate) reasoning: f64,
    pub(crate) calling: Calling,
    /// How many tokens make a chunk, where that is not as the server has it.
    pub(crate) tokens_per_chunk: Option<NonZeroU32>,
    /// Whether text is held back while it may be the beginning of a stop string: APIs that write an empty chunk then can.
    pub(crate) holds_back: bool,
}

/// Whether a tool is called.
#[derive(Clone, Debug, Default)]
pub(crate) enum Calling {
    #[default]
    No,
    /// One of these functions: its name, and the schema of its arguments.
    One {
        functions: Vec<(String, serde_json::Value)>,
        /// Whether the request named it: then it does not finish for the call.
        named: bool,
        /// Whether it left no choice but to call.
        forced: bool,
    },
    /// Words are said as if they were arguments.
    Words,
}

/// Which choice of which request is to be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) seed: u64,
    pub(crate) request: u64,
    pub(crate) choice: u32,
}

/// How long a choice would be if it were said plainly, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) tokens: u32,
    pub(crate) finish: Finish,
    pub(crate) limit: u32,
}

/// What a choice says.
#[derive(Debug)]
pub(crate) struct Script {
    text: Text,
    unplain: Option<Box<Unplain>>,
}

/// What is not plain about a choice.
#[derive(Debug)]
struct Unplain {
    choice: u32,
    /// Tokens of reasoning that come first.
    reasoning: u32,
    call: Option<Call>,
    cut: Option<Cut>,
    stop: Option<String>,
    held_back: usize,
    likely: Option<(u32, Draws)>,
    /// Tokens that were said.
    said: u32,
    /// Text that was said and is held back.
    held: String,
    /// Bytes and characters of the text that came before what is held.
    told: usize,
    chars: usize,
    /// Bytes of the text that are reasoning, once that is known.
    boundary: Option<usize>,
}

/// A call under way.
#[derive(Debug)]
struct Call {
    head: Option<Head>,
    /// Its arguments, token by token; empty where words stand for them.
    pieces: Vec<String>,
    named: bool,
}

/// What was said.
#[derive(Debug)]
pub(crate) struct Spoken {
    /// How many bytes of it are reasoning.
    pub(crate) reasoning: usize,
    /// The channel of the rest.
    pub(crate) channel: Channel,
    /// What is told beside it.
    pub(crate) beside: Option<Beside>,
}

impl Script {
    /// The script of a choice that is said plainly.
    pub(crate) const fn plain(text: Text) -> Self {
        Self { text, unplain: None }
    }

    /// The script of a choice, and how long it is.
    pub(crate) fn new(
        (vocabulary, tokens): (&Vocabulary, &dyn Tokens),
        text: Text,
        manner: &Manner,
        address: Address,
        span: Span,
    ) -> (Self, (u32, Finish)) {
        if manner.is_plain() {
            return (Self::plain(text), (span.tokens, span.finish));
        }
        let draws =
            |purpose| Draws::new(address.seed ^ purpose).at(address.request, address.choice);
        let mut call = manner.call(tokens, &mut draws(ARGUMENTS));
        let thought = (f64::from(span.tokens) * manner.reasoning) as u32;
        let (reasoning, total, finish) = match &mut call {
            Some(call) if !call.pieces.is_empty() => {
                // It ends with its arguments, whatever else was to be said.
                let all =
                    thought.saturating_add(u32::try_from(call.pieces.len()).unwrap_or(u32::MAX));
                let finish = if all <= span.limit { Finish::Stop } else { Finish::Length };
                (thought, all.min(span.limit), finish)
            }
            _ => (thought, span.tokens, span.finish),
        };
        let mut unplain = Unplain {
            choice: address.choice,
            reasoning,
            call,
            cut: None,
            stop: None,
            held_back: if manner.holds_back { manner.stops.held_back() } else { 0 },
            likely: manner.logprobs.map(|top| (top, draws(LIKELY))),
            said: 0,
            held: String::new(),
            told: 0,
            chars: 0,
            boundary: None,
        };
        let words = unplain.call.as_ref().is_none_or(|call| call.pieces.is_empty());
        if words && !manner.stops.strings.is_empty() {
            let mut ahead = text.clone();
            let spoken = (0..total).map(|index| {
                if index == reasoning {
                    ahead.begin_again();
                }
                vocabulary.word(&mut ahead)
            });
            unplain.cut = stops::cut(spoken, manner.min_tokens, &manner.stops);
            unplain.stop = unplain.cut.as_ref().map(|cut| manner.stops.strings[cut.which].clone());
        }
        let length = unplain.cut.as_ref().map_or((total, finish), |cut| (cut.tokens, Finish::Stop));
        (Self { text, unplain: Some(Box::new(unplain)) }, length)
    }

    /// Appends what the next `tokens` tokens say. What they hold back is appended with later ones, at the latest where the choice ends.
    pub(crate) fn say(
        &mut self,
        vocabulary: &Vocabulary,
        tokens: u32,
        ends: Option<Finish>,
        into: &mut String,
    ) -> Spoken {
        match &mut self.unplain {
            None => {
                vocabulary.say(&mut self.text, tokens, into);
                Spoken { reasoning: 0, channel: Channel::Content, beside: None }
            }
            Some(unplain) => unplain.say((vocabulary, &mut self.text), tokens, ends, into),
        }
    }

    /// Why it ends, as APIs write it.
    pub(crate) fn reason(&self, finish: Finish) -> &'static str {
        let call = self.unplain.as_ref().and_then(|unplain| unplain.call.as_ref());
        match (finish, call) {
            (Finish::Stop, Some(call)) if !call.named => "tool_calls",
            _ => finish.as_str(),
        }
    }
}

impl Manner {
    fn is_plain(&self) -> bool {
        self.stops.strings.is_empty()
            && self.logprobs.is_none()
            && self.reasoning <= 0.0
            && matches!(self.calling, Calling::No)
    }

    fn call(&self, tokens: &dyn Tokens, draws: &mut Draws) -> Option<Call> {
        let id = format!("chatcmpl-tool-{:016x}", draws.next());
        let head = |name: &str, forced| Some(Head { id, name: name.to_owned(), forced });
        match &self.calling {
            Calling::No => None,
            Calling::Words => {
                Some(Call { head: head("simulated", false), pieces: Vec::new(), named: false })
            }
            Calling::One { functions, named, forced } => {
                let (name, schema) = functions.get(draws.below(functions.len().max(1)))?;
                let arguments = calls::arguments(schema, draws);
                let pieces = calls::pieces(tokens, &arguments);
                Some(Call { head: head(name, *forced), pieces, named: *named })
            }
        }
    }
}

impl Unplain {
    fn say(
        &mut self,
        (vocabulary, text): (&Vocabulary, &mut Text),
        tokens: u32,
        ends: Option<Finish>,
        into: &mut String,
    ) -> Spoken {
        let mut beside = Beside { choice: self.choice, offset: self.chars, ..Beside::default() };
        let mut logprobs = self.likely.is_some().then(Vec::new);
        for _ in 0..tokens {
            if self.said == self.reasoning {
                self.boundary = Some(self.told + self.held.len());
                text.begin_again();
            }
            let place = (self.said.checked_sub(self.reasoning))
                .and_then(|place| self.call.as_ref()?.pieces.get(place as usize));
            let token = match place {
                Some(piece) => piece.as_str(),
                None => vocabulary.word(text),
            };
            if let (Some(told), Some((top, draws))) = (&mut logprobs, &mut self.likely) {
                told.push(likely(vocabulary, token, *top, draws));
            }
            self.chars += token.chars().count();
            self.held.push_str(token);
            self.said += 1;
        }
        let told = self.tell(ends.is_some());
        let reasoning = self.boundary.map_or(told.len(), |boundary| {
            boundary.saturating_sub(self.told - told.len()).min(told.len())
        });
        into.push_str(&told);
        let channel = if self.call.is_some() { Channel::ToolCall } else { Channel::Content };
        if reasoning < told.len() {
            beside.call = self.call.as_mut().and_then(|call| call.head.take());
        }
        beside.logprobs = logprobs;
        beside.stop_reason = ends.and_then(|_| self.stop.take());
        Spoken { reasoning, channel, beside: Some(beside) }
    }

    /// Takes what can be told of the text that is held.
    fn tell(&mut self, all: bool) -> String {
        let limit = self.cut.as_ref().map_or(usize::MAX, |cut| cut.told.saturating_sub(self.told));
        let mut end = self.held.len();
        if !all && self.held_back > 0 {
            let kept = self.held.char_indices().rev().nth(self.held_back - 1);
            end = kept.map_or(0, |(start, _)| start);
        }
        let told: String = self.held.drain(..end.min(limit)).collect();
        self.told += told.len();
        told
    }
}

/// How likely a token was. It is the likeliest, as a greedy sampler would have it; the others share what is left, each half as much as the
/// one before.
fn likely(vocabulary: &Vocabulary, token: &str, top: u32, draws: &mut Draws) -> Likely {
    let own = 0.5 + draws.share() / 2.0;
    let logprob = own.ln() as f32;
    let mut listed: Vec<(String, f32)> = Vec::with_capacity(top as usize);
    let mut rest = 1.0 - own;
    if top > 0 {
        listed.push((token.to_owned(), logprob));
    }
    // A word more than once would be one entry of a completion's, so the same is not taken twice.
    let mut word = draws.below(vocabulary.size());
    while listed.len() < (top as usize).min(vocabulary.size()) {
        rest /= 2.0;
        let other = vocabulary.nth(word);
        word = (word + 1) % vocabulary.size();
        if listed.iter().all(|(known, _)| known != other) {
            listed.push((other.to_owned(), rest.max(f64::MIN_POSITIVE).ln() as f32));
        }
    }
    Likely { token: token.to_owned(), logprob, top: listed }
}

/// Set apart the draws of arguments and of probabilities from those of the text.
const ARGUMENTS: u64 = 0x6172_6775_6d65_6e74;
const LIKELY: u64 = 0x6c69_6b65_6c79_2e2e;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Words;

    struct Heard {
        reasoning: String,
        rest: String,
        chunks: Vec<String>,
        beside: Vec<Beside>,
        length: (u32, Finish),
        reason: &'static str,
    }

    /// Says a choice of 12 tokens, which may have 20, in chunks of that many tokens.
    fn hear(manner: &Manner, chunk: u32) -> Heard {
        let vocabulary = Vocabulary::of(&Words);
        let address = Address { seed: 1, request: 2, choice: 0 };
        let span = Span { tokens: 12, finish: Finish::Length, limit: 20 };
        let text = Text::new(1, 2, 0);
        let (mut script, length) = Script::new((&vocabulary, &Words), text, manner, address, span);
        let mut heard = Heard {
            reasoning: String::new(),
            rest: String::new(),
            chunks: Vec::new(),
            beside: Vec::new(),
            length,
            reason: script.reason(length.1),
        };
        let mut left = length.0;
        while left > 0 {
            let tokens = left.min(chunk);
            left -= tokens;
            let mut said = String::new();
            let ends = (left == 0).then_some(length.1);
            let spoken = script.say(&vocabulary, tokens, ends, &mut said);
            heard.reasoning += &said[..spoken.reasoning];
            heard.rest += &said[spoken.reasoning..];
            heard.chunks.push(said);
            heard.beside.extend(spoken.beside);
        }
        heard
    }

    fn plain() -> String {
        hear(&Manner::default(), 1).rest
    }

    fn stopping(at: &str, holds_back: bool) -> Manner {
        let stops = Stops { strings: vec![at.to_owned()], kept: false };
        Manner { stops, holds_back, ..Manner::default() }
    }

    #[test]
    fn a_stop_string_ends_the_choice_and_is_not_told_however_it_is_chunked() {
        let whole = plain();
        let stop = &whole[whole.len() / 2..whole.len() / 2 + 5];
        let at = whole.find(stop).unwrap();
        let tokens = Words.encode(&whole[..at + stop.len()]).len();
        for (chunk, holds_back) in [(1, true), (1, false), (5, true), (20, true)] {
            let heard = hear(&stopping(stop, holds_back), chunk);
            assert_eq!(heard.rest, whole[..at], "chunks of {chunk}");
            assert_eq!(heard.length.1, Finish::Stop);
            assert!(heard.length.0 <= tokens as u32 && heard.length.0 > 0);
            assert_eq!(heard.beside.last().unwrap().stop_reason.as_deref(), Some(stop));
        }
    }

    #[test]
    fn text_is_held_back_while_it_may_begin_a_stop_string() {
        let heard = hear(&stopping("not to be found", true), 1);
        assert_eq!(heard.chunks[0], "", "the first token is shorter than what is held back");
        assert_eq!((heard.rest, heard.length), (plain(), (12, Finish::Length)));
    }

    #[test]
    fn reasoning_comes_first_and_both_texts_have_the_tokens_that_they_cost() {
        let manner = Manner { reasoning: 0.25, ..Manner::default() };
        for chunk in [1, 2, 5] {
            let heard = hear(&manner, chunk);
            assert_eq!(Words.encode(&heard.reasoning).len(), 3, "chunks of {chunk}");
            assert_eq!(Words.encode(&heard.rest).len(), 9);
        }
    }

    #[test]
    fn a_call_has_a_head_once_and_as_many_tokens_as_its_arguments() {
        let schema = json!({ "type": "object", "required": ["city"], "properties": { "city": { "enum": [" the"] } } });
        let calling = |named| Calling::One {
            functions: vec![("f".into(), schema.clone())],
            named,
            forced: true,
        };
        let manner = Manner { calling: calling(false), reasoning: 0.25, ..Manner::default() };
        let heard = hear(&manner, 2);
        assert_eq!(heard.rest, r#"{"city":" the"}"#);
        assert_eq!(heard.length, (3 + Words.encode(&heard.rest).len() as u32, Finish::Stop));
        assert_eq!(heard.reason, "tool_calls");
        let heads: Vec<_> = heard.beside.iter().filter_map(|beside| beside.call.as_ref()).collect();
        assert!(
            heads.len() == 1 && heads[0].name == "f" && heads[0].id.starts_with("chatcmpl-tool-")
        );
        assert_eq!(hear(&Manner { calling: calling(true), ..Manner::default() }, 2).reason, "stop");
    }

    #[test]
    fn a_call_that_has_no_room_is_cut_short() {
        let long = json!({ "type": "object", "required": ["a"], "properties": { "a": { "const": "x".repeat(50) } } });
        let calling =
            Calling::One { functions: vec![("f".into(), long)], named: false, forced: true };
        let heard = hear(&Manner { calling, ..Manner::default() }, 3);
        assert_eq!((heard.length, heard.reason), ((20, Finish::Length), "length"));
        assert_eq!(Words.encode(&heard.rest).len(), 20);
    }

    #[test]
    fn every_token_is_told_once_with_its_probability_and_those_of_a_place_sum_to_no_more_than_one()
    {
        let heard = hear(&Manner { logprobs: Some(3), ..Manner::default() }, 5);
        let tokens: Vec<_> =
            heard.beside.iter().filter_map(|beside| beside.logprobs.as_ref()).flatten().collect();
        assert_eq!(tokens.len(), 12);
        assert_eq!(
            tokens.iter().map(|likely| likely.token.as_str()).collect::<String>(),
            heard.rest
        );
        for likely in tokens {
            assert_eq!((likely.top.len(), &likely.top[0].0), (3, &likely.token));
            assert!(likely.top.iter().map(|(_, logprob)| logprob.exp()).sum::<f32>() <= 1.001);
            assert!(likely.top.is_sorted_by(|a, b| a.1 >= b.1));
        }
        let offsets: Vec<_> = heard.beside.iter().map(|beside| beside.offset).collect();
        let ends = [0, 5, 10].map(|count| Words.decode(&Words.encode(&heard.rest)[..count]).len());
        assert_eq!(offsets, ends);
    }

    #[test]
    fn the_same_choice_is_said_the_same_each_time() {
        let manner = Manner { logprobs: Some(2), reasoning: 0.5, ..Manner::default() };
        assert_eq!(hear(&manner, 3).beside, hear(&manner, 3).beside);
    }
}
