//! Reads a response as it comes: events to chunks, counts and an outcome. Pure; the moments are handed in.
//!
//! An event is decoded after the moment of its bytes was taken, and only as far as to know whether it bore output.

use tokometer_record::{Channel, Chunk, Failure, FailureKind, Offset, OutputTokens, TokenSource};
use tokometer_wire::{Api, Delta, Usage, sse};

use crate::repeats::Repeats;

/// A response that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    api: &'static dyn Api,
    form: Form,
    /// How many results are due, where that is known and the API answers with results.
    due: Option<u32>,
    told: Told,
}

#[derive(Debug)]
enum Form {
    Events(sse::Decoder),
    Whole(Vec<u8>),
    /// Not what any API sends: its type and its words.
    Page(String, Vec<u8>),
}

/// What the response has told so far.
#[derive(Debug, Default)]
struct Told {
    chunks: Vec<Chunk>,
    text: String,
    /// What was said before, where events repeat it.
    repeats: Repeats,
    usage: Option<Usage>,
    /// Tokens by the server's count when the latest chunk was read.
    in_chunks: u32,
    /// The latest usage came with output: a running count.
    running: bool,
    finish_reason: Option<String>,
    done: bool,
    failure: Option<Failure>,
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) text: String,
    pub(crate) usage: Option<Usage>,
    pub(crate) output_tokens: Option<OutputTokens>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) failure: Option<Failure>,
}

/// What a read of the socket brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Chunks with output.
    pub(crate) chunks: u64,
}

impl Reading {
    /// A stream of events, of about so many chunks.
    pub(crate) fn events(api: &'static dyn Api, expected: usize) -> Self {
        let told =
            Told { chunks: Vec::with_capacity(expected.min(LONGEST_EXPECTED)), ..Told::default() };
        Self { api, form: Form::Events(sse::Decoder::default()), due: None, told }
    }

    /// A body that is not streamed, in answer to so many inputs, if that is known.
    pub(crate) fn whole(api: &'static dyn Api, inputs: Option<u32>) -> Self {
        Self { api, form: Form::Whole(Vec::new()), due: inputs, told: Told::default() }
    }

    /// A page in place of an API's response.
    pub(crate) fn page(api: &'static dyn Api, content_type: &str) -> Self {
        let form = Form::Page(content_type.to_owned(), Vec::new());
        Self { api, form, due: None, told: Told::default() }
    }

    /// Whether the response is a stream.
    pub(crate) const fn is_streamed(&self) -> bool {
        matches!(self.form, Form::Events(_))
    }

    /// Whether the response has said that it is complete.
    pub(crate) const fn is_done(&self) -> bool {
        self.told.done
    }

    /// How many chunks with output there were.
    pub(crate) const fn chunks(&self) -> usize {
        self.told.chunks.len()
    }

    /// The moment of the latest chunk.
    pub(crate) fn last(&self) -> Option<Offset> {
        self.told.chunks.last().map(|chunk| chunk.at)
    }

    /// Takes the bytes that left the socket at `at`.
    pub(crate) fn push(&mut self, bytes: &[u8], at: Offset) -> Progress {
        let before = self.told.chunks.len();
        match &mut self.form {
            Form::Whole(body) => body.extend_from_slice(bytes),
            Form::Page(_, words) => {
                let room = SHOWN.saturating_sub(words.len());
                words.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Form::Events(decoder) => {
                let (api, told) = (self.api, &mut self.told);
                let pushed = decoder.push(bytes, |event| told.event(api, event.data, at));
                if let Err(error) = pushed {
                    told.fail(FailureKind::BadJson, error.to_string());
                }
            }
        }
        // Never fewer than before: events that turn out to be news are all chunks.
        Progress { chunks: self.told.chunks.len().saturating_sub(before) as u64 }
    }

    /// As [`Reading::finish`]; but a large body is decoded on a thread of its own, for other exchanges' reads would wait for it
    /// here, and their moments with them.
    pub(crate) async fn finish_aside(self, at: Offset) -> Read {
        match &self.form {
            Form::Whole(body) if body.len() > LARGE => {
                let decoding = tokio::task::spawn_blocking(move || self.finish(at));
                decoding.await.expect("no body makes a decoder panic")
            }
            _ => self.finish(at),
        }
    }

    /// The response ended at `at`, in good order as far as HTTP knows.
    pub(crate) fn finish(mut self, at: Offset) -> Read {
        match self.form {
            Form::Whole(body) => self.told.body(self.api, &body, self.due, at),
            Form::Page(content_type, words) => {
                let words = tokometer_wire::error_message(&words);
                let message = format!("not a response of the API but {content_type}: {words}");
                self.told.fail(FailureKind::BadJson, message);
            }
            Form::Events(mut decoder) => {
                let (api, told) = (self.api, &mut self.told);
                // Some servers end without the last event's blank line: what can be read was whole, what cannot was cut.
                decoder.finish(|event| {
                    if let Ok(delta) = api.delta(event.data) {
                        told.delta(delta, at);
                    }
                });
                told.end_of_stream();
            }
        }
        self.told.read()
    }

    /// The response broke off with `failure`, unless it had said before that it failed or was complete.
    pub(crate) fn abandon(mut self, failure: Failure) -> Read {
        if self.told.done {
            self.told.end_of_stream();
        } else {
            self.told.failure.get_or_insert(failure);
        }
        self.told.read()
    }
}

impl Told {
    fn event(&mut self, api: &dyn Api, data: &[u8], at: Offset) {
        if data.is_empty() {
            return;
        }
        match api.delta(data) {
            Ok(delta) => self.delta(delta, at),
            Err(error) => {
                let shown = String::from_utf8_lossy(&data[..data.len().min(SHOWN)]).into_owned();
                self.fail(FailureKind::BadJson, format!("{error}: {shown}"));
            }
        }
    }

    fn delta(&mut self, mut delta: Delta<'_>, at: Offset) {
        let counted = delta.usage.map_or(0, |usage| usage.completion_tokens);
        if delta.cumulative {
            self.keep_what_is_new(&mut delta, at, counted);
        }
        if let Some(message) = &delta.error {
            self.fail(FailureKind::ErrorEvent, message.clone().into_owned());
        }
        if let Some(piece) = delta.pieces.first() {
            self.chunk(at, counted, piece.channel);
            for piece in &delta.pieces {
                self.text.push_str(&piece.text);
            }
        }
        if let Some(usage) = delta.usage {
            self.running = !delta.pieces.is_empty() && delta.finish_reason.is_none();
            self.usage = Some(usage.after(self.usage));
        }
        if let Some(reason) = &delta.finish_reason {
            self.finish_reason.get_or_insert_with(|| reason.clone().into_owned());
        }
        self.done |= delta.done;
    }

    /// A chunk bears the tokens that were counted since the one before, also those of events between that bore no output: half
    /// a character is told with the other half.
    fn chunk(&mut self, at: Offset, counted: u32, kind: tokometer_wire::Channel) {
        let tokens = counted.saturating_sub(self.in_chunks);
        self.in_chunks += tokens;
        self.chunks.push(Chunk { at, tokens, channel: channel(kind) });
    }

    /// Takes off what was said before. Where that was not right in the events before this, they are read again.
    fn keep_what_is_new(&mut self, delta: &mut Delta<'_>, at: Offset, counted: u32) {
        let Some(misread) = self.repeats.take_off(delta, at, counted) else { return };
        self.chunks.clear();
        self.text.clear();
        self.in_chunks = 0;
        for (at, counted, kind, text) in misread.news() {
            self.chunk(at, counted, kind);
            self.text.push_str(text);
        }
    }

    fn body(&mut self, api: &dyn Api, body: &[u8], due: Option<u32>, at: Offset) {
        match api.body(body) {
            Err(error) => {
                let words = tokometer_wire::error_message(body);
                self.fail(FailureKind::BadJson, format!("{error}: {words}"));
            }
            Ok(delta) => {
                let came = delta.pieces.len() as u64;
                self.delta(delta, at);
                if self.chunks.is_empty() && self.counted_output() == 0 {
                    self.fail(FailureKind::EmptyStream, "a success without any output".into());
                }
                let due = due.map(u64::from).filter(|_| self.is_result());
                if let Some(due) = due
                    && (came > due || came < due && !api.may_leave_out())
                {
                    let words = format!("the response holds {came} results for {due} inputs");
                    self.fail(FailureKind::BadJson, words);
                }
            }
        }
    }

    fn end_of_stream(&mut self) {
        let complete = self.done || self.finish_reason.is_some();
        if !complete {
            let words =
                format!("no [DONE] and no finish reason after {} chunks", self.chunks.len());
            let kind = if self.chunks.is_empty() {
                FailureKind::EmptyStream
            } else {
                FailureKind::TruncatedStream
            };
            self.fail(kind, words);
        } else if self.chunks.is_empty() && self.counted_output() == 0 {
            self.fail(
                FailureKind::EmptyStream,
                "the stream ended in good order, without output".into(),
            );
        }
    }

    /// Output that the server counted. Tokens without text (half a character) are output too.
    fn counted_output(&self) -> u32 {
        self.usage.map_or(0, |usage| usage.completion_tokens)
    }

    /// Whether what came is a result, and no generated output.
    fn is_result(&self) -> bool {
        self.chunks.first().is_some_and(|chunk| chunk.channel == Channel::Result)
    }

    /// The first failure is the cause; what follows is its consequence.
    fn fail(&mut self, kind: FailureKind, message: String) {
        self.failure.get_or_insert_with(|| Failure::new(kind, message));
    }

    fn read(self) -> Read {
        let output_tokens = match self.usage {
            // Where nothing is generated, there is nothing to count.
            _ if self.is_result() => Some(OutputTokens { count: 0, source: TokenSource::Usage }),
            // A server that broke off, or tells of the prompt only, has not counted what came.
            Some(usage) if usage.completion_tokens > 0 || self.chunks.is_empty() => {
                Some(OutputTokens {
                    count: usage.completion_tokens,
                    source: if self.running { TokenSource::ChunkUsage } else { TokenSource::Usage },
                })
            }
            None if self.chunks.is_empty() => None,
            _ => Some(OutputTokens {
                count: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
                source: TokenSource::ChunkCount,
            }),
        };
        Read {
            chunks: self.chunks,
            text: self.text,
            usage: self.usage,
            output_tokens,
            finish_reason: self.finish_reason,
            failure: self.failure,
        }
    }
}

const fn channel(channel: tokometer_wire::Channel) -> Channel {
    match channel {
        tokometer_wire::Channel::Content => Channel::Content,
        tokometer_wire::Channel::Reasoning => Channel::Reasoning,
        tokometer_wire::Channel::ToolCall => Channel::ToolCall,
        tokometer_wire::Channel::Refusal => Channel::Refusal,
        tokometer_wire::Channel::Result => Channel::Result,
    }
}

/// How much of an unreadable event is looked at; what is kept of it is shortened later, after secrets are taken out.
const SHOWN: usize = 16 << 10;

/// A body of more bytes than this takes too long to decode between the reads of other exchanges: some tenths of a millisecond.
const LARGE: usize = 128 << 10;

/// Chunks for which room is made at once; a longer response makes room as it comes.
const LONGEST_EXPECTED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn chat() -> &'static dyn Api {
        tokometer_wire::by_name("openai-chat").unwrap()
    }

    fn at(nanos: u64) -> Offset {
        Offset::from_nanos(nanos)
    }

    fn streamed(events: &[&str]) -> Read {
        let mut reading = Reading::events(chat(), 0);
        for (i, event) in events.iter().enumerate() {
            reading.push(format!("data: {event}\n\n").as_bytes(), at(i as u64));
        }
        reading.finish(at(100))
    }

    fn kind(read: &Read) -> Option<FailureKind> {
        read.failure.as_ref().map(|failure| failure.kind)
    }

    const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    const WORD: &str = r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7}}"#;

    #[test]
    fn only_events_with_output_are_chunks() {
        let read = streamed(&[ROLE, WORD, WORD, STOP, USAGE, "[DONE]"]);
        assert_eq!(read.chunks.iter().map(|chunk| chunk.at).collect::<Vec<_>>(), [at(1), at(2)]);
        assert_eq!(kind(&read), None);
    }

    #[test]
    fn tokens_are_those_of_the_usage() {
        let read = streamed(&[WORD, STOP, USAGE, "[DONE]"]);
        let counted = OutputTokens { count: 7, source: TokenSource::Usage };
        assert_eq!(read.output_tokens, Some(counted));
    }

    #[test]
    fn without_usage_chunks_are_counted_and_the_count_says_so() {
        let read = streamed(&[WORD, WORD, STOP, "[DONE]"]);
        let counted = OutputTokens { count: 2, source: TokenSource::ChunkCount };
        assert_eq!((read.output_tokens, read.text.as_str()), (Some(counted), "hihi"));
    }

    #[test]
    fn running_usage_tells_the_tokens_of_each_chunk() {
        let word = |n: u32| {
            WORD.replace(
                "}]}",
                &format!(r#"}}],"usage":{{"prompt_tokens":3,"completion_tokens":{n}}}}}"#),
            )
        };
        let (one, four) = (word(1), word(4));
        let read = streamed(&[one.as_str(), four.as_str(), STOP]);
        assert_eq!(read.chunks.iter().map(|chunk| chunk.tokens).collect::<Vec<_>>(), [1, 3]);
        let counted = OutputTokens { count: 4, source: TokenSource::ChunkUsage };
        assert_eq!(read.output_tokens, Some(counted));
    }

    fn grown(text: &str, tokens: u32, reason: &str) -> String {
        format!(
            r#"{{"text":"{text}","meta_info":{{"finish_reason":{reason},"prompt_tokens":3,"completion_tokens":{tokens}}}}}"#
        )
    }

    #[test]
    fn of_events_that_repeat_all_that_was_said_only_what_is_new_counts() {
        let mut reading = Reading::events(tokometer_wire::by_name("sglang-generate").unwrap(), 0);
        let events = [
            grown("ä", 1, "null"),
            grown("ä b c", 3, "null"),
            grown("ä b c", 3, "null"),
            grown("ä b c d", 4, r#"{"type":"length","length":4}"#),
        ];
        for (i, event) in events.iter().enumerate() {
            reading.push(format!("data: {event}\n\n").as_bytes(), at(i as u64));
        }
        reading.push(b"data: [DONE]\n\n", at(4));
        let read = reading.finish(at(5));
        let chunks: Vec<_> = read.chunks.iter().map(|chunk| (chunk.at, chunk.tokens)).collect();
        assert_eq!(chunks, [(at(0), 1), (at(1), 2), (at(3), 1)]);
        assert_eq!((read.text.as_str(), kind(&read)), ("ä b c d", None));
        assert_eq!(read.output_tokens.map(|counted| counted.count), Some(4));
    }

    #[test]
    fn of_events_that_hold_only_what_is_new_none_is_lost() {
        let mut reading = Reading::events(tokometer_wire::by_name("sglang-generate").unwrap(), 0);
        let events = [
            grown("H", 1, "null"),
            grown("He", 2, "null"),
            grown(" a", 4, "null"),
            grown(" a", 5, "null"),
            grown("", 5, r#"{"type":"length","length":5}"#),
        ];
        let mut chunks = 0;
        for (i, event) in events.iter().enumerate() {
            chunks += reading.push(format!("data: {event}\n\n").as_bytes(), at(i as u64)).chunks;
        }
        assert_eq!(chunks, 4);
        let read = reading.finish(at(5));
        let chunks: Vec<_> = read.chunks.iter().map(|chunk| (chunk.at, chunk.tokens)).collect();
        assert_eq!(chunks, [(at(0), 1), (at(1), 1), (at(2), 2), (at(3), 1)]);
        assert_eq!((read.text.as_str(), kind(&read)), ("HHe a a", None));
        assert_eq!(read.output_tokens.map(|counted| counted.count), Some(5));
    }

    #[test]
    fn tokens_of_an_event_without_text_belong_to_the_next_chunk() {
        let event = |text: &str, n: u32| {
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}],"usage":{{"prompt_tokens":3,"completion_tokens":{n}}}}}"#
            )
        };
        let (first, half, whole) = (event("a", 1), event("", 2), event("é", 3));
        let read = streamed(&[first.as_str(), half.as_str(), whole.as_str(), STOP]);
        let chunks: Vec<_> = read.chunks.iter().map(|chunk| (chunk.at, chunk.tokens)).collect();
        assert_eq!(chunks, [(at(0), 1), (at(2), 2)]);
    }

    #[test]
    fn a_text_that_shrinks_at_the_end_takes_nothing_back() {
        let mut reading = Reading::events(tokometer_wire::by_name("sglang-generate").unwrap(), 0);
        for (i, event) in
            [grown("a stop", 2, "null"), grown("a", 2, r#"{"type":"stop"}"#)].iter().enumerate()
        {
            reading.push(format!("data: {event}\n\n").as_bytes(), at(i as u64));
        }
        let read = reading.finish(at(5));
        assert_eq!((read.text.as_str(), read.chunks.len(), kind(&read)), ("a stop", 1, None));
    }

    #[test]
    fn usage_that_is_told_in_parts_is_put_together() {
        let mut reading =
            Reading::events(tokometer_wire::by_name("anthropic-messages").unwrap(), 0);
        let events = [
            r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ];
        for event in events {
            reading.push(format!("event: x\ndata: {event}\n\n").as_bytes(), at(1));
        }
        assert!(reading.is_done());
        let read = reading.finish(at(2));
        let usage = read.usage.unwrap();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(3), 2));
        let counted = OutputTokens { count: 2, source: TokenSource::Usage };
        assert_eq!((read.output_tokens, read.chunks.len()), (Some(counted), 1));
    }

    #[test]
    fn a_stream_that_breaks_off_before_it_is_counted_has_as_many_tokens_as_chunks() {
        let mut reading =
            Reading::events(tokometer_wire::by_name("anthropic-messages").unwrap(), 0);
        let start =
            r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":0}}}"#;
        let said = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"#;
        for event in [start, said, said] {
            reading.push(format!("data: {event}\n\n").as_bytes(), at(1));
        }
        let read = reading.finish(at(2));
        let counted = OutputTokens { count: 2, source: TokenSource::ChunkCount };
        assert_eq!(read.output_tokens, Some(counted));
        assert_eq!(kind(&read), Some(FailureKind::TruncatedStream));
    }

    #[test]
    fn a_stream_that_just_ends_is_truncated() {
        assert_eq!(kind(&streamed(&[WORD])), Some(FailureKind::TruncatedStream));
    }

    #[test]
    fn a_last_event_that_was_cut_makes_a_truncated_stream() {
        let mut reading = Reading::events(chat(), 0);
        reading.push(format!("data: {WORD}\n\ndata: {{\"choi").as_bytes(), at(1));
        assert_eq!(kind(&reading.finish(at(2))), Some(FailureKind::TruncatedStream));
    }

    #[test]
    fn done_without_its_blank_line_is_done() {
        let mut reading = Reading::events(chat(), 0);
        reading.push(format!("data: {WORD}\n\ndata: [DONE]\n").as_bytes(), at(1));
        assert_eq!(kind(&reading.finish(at(2))), None);
    }

    #[test]
    fn a_finish_reason_without_done_is_complete() {
        assert_eq!(kind(&streamed(&[WORD, STOP])), None);
    }

    #[test]
    fn a_stream_without_output_is_empty() {
        assert_eq!(kind(&streamed(&[ROLE, STOP, "[DONE]"])), Some(FailureKind::EmptyStream));
        assert_eq!(kind(&streamed(&[])), Some(FailureKind::EmptyStream));
    }

    #[test]
    fn tokens_without_text_are_output() {
        assert_eq!(kind(&streamed(&[ROLE, STOP, USAGE, "[DONE]"])), None);
    }

    #[test]
    fn an_error_event_fails_with_the_servers_words() {
        let read =
            streamed(&[WORD, r#"{"error":{"message":"out of memory","code":500}}"#, "[DONE]"]);
        let failure = read.failure.unwrap();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (FailureKind::ErrorEvent, "out of memory")
        );
        assert_eq!(read.chunks.len(), 1);
    }

    #[test]
    fn the_first_failure_is_the_cause() {
        let read = streamed(&[r#"{"error":{"message":"first"}}"#, "not json"]);
        assert_eq!(read.failure.unwrap().message, "first");
    }

    #[test]
    fn an_unreadable_event_is_shown() {
        let failure = streamed(&["{nonsense"]).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::BadJson);
        assert!(failure.message.ends_with("{nonsense"), "{}", failure.message);
    }

    #[test]
    fn a_break_after_done_is_no_failure() {
        let mut reading = Reading::events(chat(), 0);
        reading.push(format!("data: {WORD}\n\ndata: [DONE]\n\n").as_bytes(), at(1));
        let reset = Failure::new(FailureKind::Reset, "gone");
        assert_eq!(kind(&reading.abandon(reset)), None);
    }

    #[test]
    fn done_without_output_is_empty_however_the_stream_ends() {
        let mut reading = Reading::events(chat(), 0);
        reading.push(format!("data: {ROLE}\n\ndata: [DONE]\n\n").as_bytes(), at(1));
        let reset = Failure::new(FailureKind::Reset, "gone");
        assert_eq!(kind(&reading.abandon(reset)), Some(FailureKind::EmptyStream));
    }

    #[test]
    fn a_whole_body_is_one_chunk() {
        let mut reading = Reading::whole(chat(), None);
        reading.push(
            br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"#,
            at(1),
        );
        reading.push(
            br#""finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
            at(2),
        );
        let read = reading.finish(at(3));
        assert_eq!((read.chunks.len(), read.chunks[0].at), (1, at(3)));
        assert_eq!(kind(&read), None);
    }

    /// What becomes of a body with so many results.
    fn answered(api: &str, results: usize, inputs: Option<u32>) -> Reading {
        let mut reading = Reading::whole(tokometer_wire::by_name(api).unwrap(), inputs);
        let list = vec![r#"{"index":0,"relevance_score":0.5}"#; results].join(",");
        reading.push(format!(r#"{{"data":[{list}],"results":null}}"#).as_bytes(), at(1));
        reading
    }

    #[test]
    fn there_must_be_a_result_for_each_input_unless_a_ranking_leaves_some_out() {
        let kind = |api, results, inputs| kind(&answered(api, results, inputs).finish(at(2)));
        for whole in [("openai-embeddings", 64), ("rerank", 64), ("rerank", 3)] {
            assert_eq!(kind(whole.0, whole.1, Some(64)), None, "{whole:?}");
        }
        for wrong in [("openai-embeddings", 1), ("openai-embeddings", 65), ("rerank", 65)] {
            assert_eq!(kind(wrong.0, wrong.1, Some(64)), Some(FailureKind::BadJson), "{wrong:?}");
        }
        assert_eq!(kind("openai-embeddings", 1, None), None);
        let words = answered("pooling", 1, Some(2)).finish(at(2)).failure.unwrap().message;
        assert_eq!(words, "the response holds 1 results for 2 inputs");
    }

    #[tokio::test]
    async fn a_large_body_is_read_as_a_small_one_is() {
        let reading = answered("openai-embeddings", 10_000, Some(10_000));
        let read = reading.finish_aside(at(2)).await;
        assert_eq!((kind(&read), read.chunks.len(), read.chunks[0].at), (None, 1, at(2)));
    }

    #[test]
    fn a_page_in_place_of_a_response_is_told_with_its_words() {
        let mut reading = Reading::page(chat(), "text/html");
        reading.push(b"<html><title>Please log in</title></html>", at(1));
        let failure = reading.finish(at(1)).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::BadJson);
        assert!(failure.message.contains("text/html") && failure.message.contains("Please log in"));
    }

    #[test]
    fn an_error_in_a_successful_body_fails() {
        let mut reading = Reading::whole(chat(), None);
        reading.push(br#"{"error":{"message":"no"}}"#, at(1));
        assert_eq!(kind(&reading.finish(at(1))), Some(FailureKind::ErrorEvent));
    }
}
