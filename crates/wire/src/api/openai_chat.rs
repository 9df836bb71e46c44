//! OpenAI's chat completions, with what vLLM, SGLang and others add: reasoning, refusals, calls of tools.
//!
//! Deliberately no agent: a tool's call is output like any other and is never made.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use smallvec::SmallVec;

use super::beside::{self, OfChat};
use super::openai_request::Form;
use super::openai_response::{Choice, Chunk, Null, Text, Whole, add, end};
use super::{
    Api, Asked, DecodeError, EncodeError, Reply, SoFar, fields, openai_request, openai_response,
    tools,
};
use crate::{Beside, Channel, Delta, Head, Message, Piece, Prompt, Request};

/// `/v1/chat/completions`.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl Api for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai-chat"
    }

    fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let messages = match request.prompt {
            Prompt::Text(text) => json!([{ "role": "user", "content": text }]),
            Prompt::Messages(messages) => json!(messages),
            Prompt::Body(own) => return Ok(openai_request::complete(own, request, Form::Chat)),
            other => return fields::unsupported(self.name(), fields::named(other)),
        };
        Ok(openai_request::encode(request, ("messages", messages), Form::Chat))
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        openai_response::delta::<StreamedChoice<'e>>(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        openai_response::body::<WholeChoice<'e>>(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let asked = openai_request::parse(body, messages)?;
        let (tools, tool_choice) = tools::read(&asked.fields)?;
        Ok(Asked { tools, tool_choice, ..asked })
    }

    fn id_prefix(&self) -> &'static str {
        "chatcmpl-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        if openai_response::write_end(delta, into) {
            return;
        }
        let choices = streamed_choices(delta);
        let counted = delta.usage.is_some_and(|usage| usage.completion_tokens > 0);
        if choices.is_empty() && !counted {
            for index in 0..reply.choices {
                let opening = [StreamedOut { index, ..StreamedOut::opening(delta) }];
                Chunk::new(reply, OBJECT, &opening, delta.usage).opening().write(into);
            }
            return;
        }
        let chunk = Chunk::new(reply, OBJECT, &choices, delta.usage);
        let ends = delta.finish_reason.is_some();
        if ends { chunk.ending(reply) } else { chunk }.write(into);
    }

    fn whole(&self, reply: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        if let Some(message) = &delta.error {
            return openai_response::write_error(message, into);
        }
        let mut choices: SmallVec<[WholeOut<'_>; 1]> =
            turns(&delta.pieces).map(|turn| WholeOut::new(turn, delta)).collect();
        if choices.is_empty() {
            choices.push(WholeOut::new(&[], delta));
        }
        Whole::new(reply, "chat.completion", &choices, delta.usage).of_chat().write(into);
    }
}

pub(super) fn messages(body: &Map<String, Value>) -> Result<Prompt, DecodeError> {
    let Some(messages) = body.get("messages") else {
        return Err(DecodeError::Field("messages: field required".into()));
    };
    let Value::Array(messages) = messages else {
        return Err(fields::wrong("messages", "a list", messages));
    };
    messages.iter().enumerate().map(message).collect::<Result<_, _>>().map(Prompt::Messages)
}

fn message((index, message): (usize, &Value)) -> Result<Message, DecodeError> {
    let message: Message = Message::deserialize(message)
        .map_err(|error| DecodeError::Field(format!("messages[{index}]: {error}")))?;
    match &message.content {
        Value::Null | Value::String(_) | Value::Array(_) => Ok(message),
        other => {
            let name = format!("messages[{index}].content");
            Err(fields::wrong(&name, "a string or a list of parts", other))
        }
    }
}

#[derive(Deserialize)]
struct StreamedChoice<'e> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Said<'e>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'e>>,
}

impl<'e> Choice<'e> for StreamedChoice<'e> {
    #[inline]
    fn tell(self, delta: &mut Delta<'e>) {
        if let Some(said) = self.delta {
            said.tell(self.index, delta);
        }
        end(delta, self.finish_reason);
    }
}

#[derive(Deserialize)]
struct WholeChoice<'e> {
    index: Option<u32>,
    #[serde(borrow)]
    message: Option<Said<'e>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'e>>,
}

impl<'e> Choice<'e> for WholeChoice<'e> {
    fn tell(self, delta: &mut Delta<'e>) {
        if let Some(said) = self.message {
            said.tell(self.index, delta);
        }
        end(delta, self.finish_reason);
    }
}

/// What a choice says, on all of its channels.
#[derive(Deserialize)]
struct Said<'e> {
    #[serde(borrow)]
    content: Option<Text<'e>>,
    #[serde(borrow)]
    reasoning_content: Option<Text<'e>>,
    #[serde(borrow)]
    reasoning: Option<Text<'e>>,
    #[serde(borrow)]
    reasoning_details: Option<Vec<ReasoningDetail<'e>>>,
    #[serde(borrow)]
    refusal: Option<Text<'e>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'e>>>,
    #[serde(borrow)]
    function_call: Option<Function<'e>>,
}

impl<'e> Said<'e> {
    #[inline]
    fn tell(self, choice: Option<u32>, delta: &mut Delta<'e>) {
        let before = delta.pieces.len();
        // Servers that know two or three of these names send the same text under each.
        add(delta, choice, Channel::Reasoning, self.reasoning_content);
        if delta.pieces.len() == before {
            add(delta, choice, Channel::Reasoning, self.reasoning);
        }
        if delta.pieces.len() == before {
            for detail in self.reasoning_details.into_iter().flatten() {
                add(delta, choice, Channel::Reasoning, detail.text.or(detail.summary));
            }
        }
        add(delta, choice, Channel::Content, self.content);
        add(delta, choice, Channel::Refusal, self.refusal);
        let calls = self.tool_calls.into_iter().flatten().filter_map(|call| call.function);
        for function in calls.chain(self.function_call) {
            add(delta, choice, Channel::ToolCall, function.name);
            add(delta, choice, Channel::ToolCall, function.arguments);
        }
    }
}

#[derive(Deserialize)]
struct ReasoningDetail<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
    #[serde(borrow)]
    summary: Option<Text<'e>>,
}

#[derive(Deserialize)]
struct ToolCall<'e> {
    #[serde(borrow)]
    function: Option<Function<'e>>,
}

#[derive(Deserialize)]
struct Function<'e> {
    #[serde(borrow)]
    name: Option<Text<'e>>,
    #[serde(borrow)]
    arguments: Option<Text<'e>>,
}

/// The runs of pieces that one `delta` or `message` can hold so that reading gives the same pieces in the same order.
fn turns<'d, 'e>(pieces: &'d [Piece<'e>]) -> impl Iterator<Item = &'d [Piece<'e>]> {
    pieces.chunk_by(|one, next| {
        let calls = (one.channel, next.channel) == (Channel::ToolCall, Channel::ToolCall);
        one.choice == next.choice && (calls || rank(one.channel) < rank(next.channel))
    })
}

/// The order in which [`Said::tell`] takes the channels.
const fn rank(channel: Channel) -> u8 {
    match channel {
        Channel::Reasoning => 0,
        Channel::Content => 1,
        Channel::Refusal => 2,
        Channel::ToolCall | Channel::Result => 3,
    }
}

/// The text of a turn on one channel.
fn text<'d>(turn: &'d [Piece<'_>], channel: Channel) -> Option<&'d str> {
    turn.iter().find(|piece| piece.channel == channel).map(|piece| &*piece.text)
}

/// The calls of a turn. Which piece is a name and which arguments is not known any more: all are written as arguments, the first with
/// the head of the call that it opens.
fn calls<'d>(turn: &'d [Piece<'_>], beside: Option<&'d Beside>) -> Vec<CallOut<'d>> {
    let mut head = beside.and_then(|beside| beside.call.as_ref());
    let pieces = turn.iter().filter(|piece| piece.channel == Channel::ToolCall);
    pieces.map(|piece| CallOut::new(&piece.text, head.take())).collect()
}

fn streamed_choices<'d>(delta: &'d Delta<'_>) -> SmallVec<[StreamedOut<'d>; 1]> {
    let mut choices: SmallVec<[_; 1]> =
        turns(&delta.pieces).map(|turn| StreamedOut::new(turn, delta)).collect();
    if choices.is_empty()
        && let Some(beside) = delta.beside.first()
    {
        // Tokens whose text is held back: vLLM sends an empty chunk.
        let nothing = StreamedOut::new(&[], delta);
        let logprobs = OfChat::of(beside);
        choices.push(StreamedOut { index: beside.choice, logprobs, ..nothing });
    }
    if let Some(reason) = &delta.finish_reason {
        let last = choices.pop().unwrap_or_else(|| StreamedOut::new(&[], delta));
        let beside = beside::of(delta, last.index);
        let stop_reason = Some(beside.and_then(|beside| beside.stop_reason.as_deref()));
        choices.push(StreamedOut { finish_reason: Some(reason), stop_reason, ..last });
    }
    choices
}

#[derive(Serialize)]
struct StreamedOut<'d> {
    index: u32,
    delta: DeltaOut<'d>,
    logprobs: Option<OfChat<'d>>,
    finish_reason: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<Option<&'d str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_ids: Option<Null>,
}

impl<'d> StreamedOut<'d> {
    fn new(turn: &'d [Piece<'_>], delta: &'d Delta<'_>) -> Self {
        let content = text(turn, Channel::Content).or(turn.is_empty().then_some(""));
        let index = turn.first().map_or(0, |piece| piece.choice);
        let beside = beside::of(delta, index).filter(|_| !turn.is_empty());
        Self {
            index,
            delta: DeltaOut {
                role: None,
                content,
                reasoning: text(turn, Channel::Reasoning),
                refusal: text(turn, Channel::Refusal),
                tool_calls: calls(turn, beside),
            },
            logprobs: beside.and_then(OfChat::of),
            finish_reason: None,
            stop_reason: None,
            token_ids: Some(()),
        }
    }

    fn opening(delta: &'d Delta<'_>) -> Self {
        let nothing = Self::new(&[], delta);
        let delta = DeltaOut { role: Some("assistant"), ..nothing.delta };
        Self { delta, token_ids: None, ..nothing }
    }
}

#[derive(Serialize)]
struct DeltaOut<'d> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'d str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'d>>,
}

/// A call, or more of its arguments. Its place is told in streams only.
#[derive(Serialize)]
struct CallOut<'d> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    function: FunctionOut<'d>,
}

#[derive(Serialize)]
struct FunctionOut<'d> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'d str>,
    arguments: &'d str,
}

impl<'d> CallOut<'d> {
    fn new(arguments: &'d str, head: Option<&'d Head>) -> Self {
        Self {
            id: head.map(|head| head.id.as_str()),
            r#type: head.map(|_| "function"),
            index: Some(0),
            function: FunctionOut { name: head.map(|head| head.name.as_str()), arguments },
        }
    }

    fn whole(self) -> Self {
        Self { index: None, r#type: Some("function"), ..self }
    }
}

#[derive(Serialize)]
struct WholeOut<'d> {
    index: u32,
    message: MessageOut<'d>,
    logprobs: Option<OfChat<'d>>,
    finish_reason: Option<&'d str>,
    stop_reason: Option<&'d str>,
    token_ids: Null,
    routed_experts: Null,
}

impl<'d> WholeOut<'d> {
    fn new(turn: &'d [Piece<'_>], delta: &'d Delta<'_>) -> Self {
        let index = turn.first().map_or(0, |piece| piece.choice);
        let beside = beside::of(delta, index);
        let forced = beside.and_then(|beside| beside.call.as_ref()).is_some_and(|head| head.forced);
        let empty = (turn.is_empty() || forced).then_some("");
        Self {
            index,
            message: MessageOut {
                role: "assistant",
                content: text(turn, Channel::Content).or(empty),
                refusal: text(turn, Channel::Refusal),
                annotations: (),
                audio: (),
                function_call: (),
                tool_calls: calls(turn, beside).into_iter().map(CallOut::whole).collect(),
                reasoning: text(turn, Channel::Reasoning),
            },
            logprobs: beside.and_then(OfChat::of),
            finish_reason: beside::finish_reason(beside, delta),
            stop_reason: beside.and_then(|beside| beside.stop_reason.as_deref()),
            token_ids: (),
            routed_experts: (),
        }
    }
}

#[derive(Serialize)]
struct MessageOut<'d> {
    role: &'static str,
    content: Option<&'d str>,
    refusal: Option<&'d str>,
    annotations: Null,
    audio: Null,
    function_call: Null,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'d>>,
    reasoning: Option<&'d str>,
}

const OBJECT: &str = "chat.completion.chunk";

#[cfg(test)]
mod tests {
    use Channel::{Content, Reasoning, Refusal, ToolCall};

    use super::*;
    use crate::{Options, Usage};

    fn pieces(choices: &str) -> Vec<(u32, Channel, String)> {
        let event = format!(r#"{{"choices":{choices}}}"#);
        let delta = OpenAiChat.delta(event.as_bytes()).unwrap();
        delta
            .pieces
            .into_iter()
            .map(|piece| (piece.choice, piece.channel, piece.text.into()))
            .collect()
    }

    fn said(delta: &str) -> Vec<(u32, Channel, String)> {
        pieces(&format!(r#"[{{"index":0,"delta":{delta}}}]"#))
    }

    fn body(prompt: &Prompt, options: &Options) -> Value {
        let request = Request { model: Some("m"), prompt, options, template: None };
        serde_json::from_slice(&OpenAiChat.request(&request).unwrap()).unwrap()
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value} is not an object") };
        map
    }

    #[test]
    fn each_channel_gives_its_piece() {
        assert_eq!(said(r#"{"content":"a"}"#), [(0, Content, "a".into())]);
        assert_eq!(said(r#"{"reasoning_content":"a"}"#), [(0, Reasoning, "a".into())]);
        assert_eq!(said(r#"{"reasoning":"a","content":null}"#), [(0, Reasoning, "a".into())]);
        assert_eq!(said(r#"{"refusal":"a"}"#), [(0, Refusal, "a".into())]);
        assert_eq!(
            said(
                r#"{"reasoning_details":[{"text":"a"},{"summary":"b"},{"type":"reasoning.encrypted"}]}"#
            ),
            [(0, Reasoning, "a".into()), (0, Reasoning, "b".into())]
        );
        assert_eq!(
            said(
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}},{"index":1,"function":{"arguments":"{}"}}]}"#
            ),
            [(0, ToolCall, "f".into()), (0, ToolCall, "{}".into())]
        );
        assert_eq!(said(r#"{"function_call":{"arguments":"1"}}"#), [(0, ToolCall, "1".into())]);
    }

    #[test]
    fn reasoning_under_several_names_counts_once() {
        let delta =
            r#"{"reasoning":"a","reasoning_content":"a","reasoning_details":[{"text":"a"}]}"#;
        assert_eq!(said(delta), [(0, Reasoning, "a".into())]);
        assert_eq!(
            said(r#"{"reasoning":"a","reasoning_content":""}"#),
            [(0, Reasoning, "a".into())]
        );
    }

    #[test]
    fn role_only_empty_and_null_chunks_bear_no_piece() {
        for delta in [
            r#"{"role":"assistant","content":""}"#,
            "{}",
            "null",
            r#"{"content":null,"tool_calls":null}"#,
        ] {
            assert_eq!(said(delta), [], "{delta}");
        }
        assert_eq!(pieces("[]"), []);
        assert_eq!(pieces("null"), []);
        assert_eq!(pieces(r#"[{"index":0}]"#), []);
    }

    #[test]
    fn several_choices_keep_their_numbers() {
        let choices = r#"[{"index":1,"delta":{"content":"a"}},{"index":0,"delta":{"content":"b"}},{"delta":{"content":"c"}}]"#;
        assert_eq!(
            pieces(choices),
            [(1, Content, "a".into()), (0, Content, "b".into()), (0, Content, "c".into())]
        );
    }

    #[test]
    fn a_text_without_escapes_is_borrowed_from_the_event() {
        let event = br#"{"choices":[{"delta":{"content":"abc"},"finish_reason":"stop"}]}"#;
        let delta = OpenAiChat.delta(event).unwrap();
        assert!(matches!(delta.pieces[0].text, std::borrow::Cow::Borrowed("abc")));
        assert!(matches!(delta.finish_reason, Some(std::borrow::Cow::Borrowed("stop"))));
    }

    #[test]
    fn usage_is_read_alone_beside_output_and_not_where_it_is_null() {
        let usage = |json: &str| OpenAiChat.delta(json.as_bytes()).unwrap().usage;
        let counts = |cached_tokens| {
            Some(Usage { prompt_tokens: Some(3), completion_tokens: 2, cached_tokens })
        };
        assert_eq!(
            usage(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#),
            counts(None)
        );
        assert_eq!(
            usage(
                r#"{"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":null,"prompt_tokens_details":{"cached_tokens":1}}}"#
            ),
            counts(Some(1))
        );
        let huge =
            Usage { prompt_tokens: Some(u32::MAX), completion_tokens: 1, cached_tokens: None };
        let beyond = r#"{"usage":{"prompt_tokens":4294967295,"total_tokens":4294967296,"completion_tokens":1}}"#;
        assert_eq!(usage(beyond), Some(huge));
        assert_eq!(
            usage(
                r#"{"usage":{"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":null}}}"#
            ),
            counts(None)
        );
        for none in
            [r#"{"usage":null}"#, r#"{"usage":{}}"#, r#"{"usage":{"prompt_tokens":3}}"#, "{}"]
        {
            assert_eq!(usage(none), None, "{none}");
        }
    }

    #[test]
    fn the_first_finish_reason_counts_and_an_empty_one_does_not() {
        let reason = |json: &str| {
            let delta = OpenAiChat.delta(json.as_bytes()).unwrap();
            delta.finish_reason.map(std::borrow::Cow::into_owned)
        };
        assert_eq!(reason(r#"{"choices":[{"finish_reason":null},{"finish_reason":"length"},{"finish_reason":"stop"}]}"#).as_deref(), Some("length"));
        assert_eq!(reason(r#"{"choices":[{"finish_reason":""}]}"#), None);
    }

    #[test]
    fn done_and_empty_events_are_known() {
        for done in ["[DONE]", " [DONE] "] {
            assert_eq!(
                OpenAiChat.delta(done.as_bytes()).unwrap(),
                Delta { done: true, ..Delta::default() }
            );
        }
        assert_eq!(OpenAiChat.delta(b" ").unwrap(), Delta::default());
    }

    #[test]
    fn an_error_event_tells_its_message_and_nothing_else() {
        for event in [
            r#"{"error":{"message":"out of memory","code":500}}"#,
            r#"{"error":"out of memory"}"#,
            r#"{"object":"error","message":"out of memory","type":"x","param":null,"code":500}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"error"}],"error":{"message":"out of memory"}}"#,
        ] {
            let expected = Delta { error: Some("out of memory".into()), ..Delta::default() };
            assert_eq!(OpenAiChat.delta(event.as_bytes()).unwrap(), expected, "{event}");
            assert_eq!(OpenAiChat.body(event.as_bytes()).unwrap(), expected, "{event}");
        }
        assert_eq!(said(r#"{"content":"a"}"#).len(), 1);
        assert_eq!(OpenAiChat.delta(br#"{"error":null,"choices":[]}"#).unwrap(), Delta::default());
    }

    #[test]
    fn what_is_no_event_of_the_api_is_an_error() {
        for event in [
            "[]",
            "hello",
            "{",
            "1",
            "null",
            r#"{"choices":3}"#,
            r#"{"choices":[{"delta":{"content":7}}]}"#,
        ] {
            assert!(OpenAiChat.delta(event.as_bytes()).is_err(), "{event}");
        }
        for body in ["", "{}", "[DONE]"] {
            assert!(OpenAiChat.body(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_text_is_sent_as_one_user_message_and_options_by_their_names() {
        let options = Options {
            max_tokens: Some(9),
            min_tokens: Some(8),
            temperature: Some(0.0),
            top_p: Some(0.5),
            top_k: Some(-1),
            frequency_penalty: Some(0.1),
            repetition_penalty: Some(1.1),
            logprobs: Some(true),
            n: Some(2),
            seed: Some(7),
            stop: vec!["x".into()],
            stop_token_ids: vec![5, 6],
            stream: true,
            extra: map(json!({ "ignore_eos": true, "n": 3 })),
            ..Options::default()
        };
        assert_eq!(
            body(&Prompt::Text("hi".into()), &options),
            json!({
                "model": "m",
                "messages": [{ "role": "user", "content": "hi" }],
                "max_tokens": 9,
                "min_tokens": 8,
                "temperature": 0.0,
                "top_p": 0.5,
                "top_k": -1,
                "frequency_penalty": 0.1,
                "repetition_penalty": 1.1,
                "logprobs": true,
                "n": 3,
                "seed": 7,
                "stop": ["x"],
                "stop_token_ids": [5, 6],
                "stream": true,
                "stream_options": { "include_usage": true },
                "ignore_eos": true,
            })
        );
    }

    #[test]
    fn nothing_is_sent_that_was_not_asked_for() {
        let prompt = Prompt::Text("hi".into());
        let options = Options::default();
        let request = Request { model: None, prompt: &prompt, options: &options, template: None };
        let expected = r#"{"messages":[{"role":"user","content":"hi"}],"stream":false}"#;
        assert_eq!(OpenAiChat.request(&request).unwrap(), expected);
    }

    #[test]
    fn messages_go_as_they_are() {
        let messages = json!([
            { "role": "system", "content": "s" },
            { "role": "user", "content": [{ "type": "text", "text": "t" }], "name": "n" },
        ]);
        let prompt = Prompt::Messages(serde_json::from_value(messages.clone()).unwrap());
        assert_eq!(body(&prompt, &Options::default())["messages"], messages);
    }

    #[test]
    fn token_ids_cannot_be_sent() {
        let request = Request {
            model: None,
            prompt: &Prompt::Tokens(vec![1]),
            options: &Options::default(),
            template: None,
        };
        let error = OpenAiChat.request(&request).unwrap_err();
        assert_eq!(error.to_string(), "the openai-chat API cannot carry token ids");
    }

    #[test]
    fn options_override_a_template_whose_messages_are_replaced() {
        let template = map(json!({
            "temperature": 0.7, "max_tokens": 5, "messages": [{ "role": "user", "content": "Q: %p" }], "user": "u",
            "stream_options": { "include_usage": false, "continuous_usage_stats": true },
        }));
        let options = Options { max_tokens: Some(9), stream: true, ..Options::default() };
        let prompt = Prompt::Text("hi".into());
        let request = Request {
            model: Some("m"),
            prompt: &prompt,
            options: &options,
            template: Some(&template),
        };
        let body: Value = serde_json::from_slice(&OpenAiChat.request(&request).unwrap()).unwrap();
        assert_eq!(
            body,
            json!({
                "temperature": 0.7, "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }], "user": "u",
                "stream_options": { "include_usage": true, "continuous_usage_stats": true },
                "model": "m", "stream": true,
            })
        );
    }

    #[test]
    fn stream_options_go_only_with_a_stream() {
        let template = map(json!({ "stream_options": { "include_usage": true } }));
        let prompt = Prompt::Text("hi".into());
        let plain = Options::default();
        let unstreamed =
            Options { stream: true, extra: map(json!({ "stream": false })), ..Options::default() };
        for options in [plain, unstreamed] {
            let request = Request {
                model: None,
                prompt: &prompt,
                options: &options,
                template: Some(&template),
            };
            let body: Value =
                serde_json::from_slice(&OpenAiChat.request(&request).unwrap()).unwrap();
            assert_eq!(
                body,
                json!({ "messages": [{ "role": "user", "content": "hi" }], "stream": false })
            );
        }
    }

    #[test]
    fn the_settings_of_a_complete_body_win_over_options_but_not_over_extra() {
        let own = map(json!({ "model": "own", "messages": [], "max_tokens": 5, "top_k": 1 }));
        let options = Options {
            max_tokens: Some(9),
            seed: Some(1),
            stream: true,
            extra: map(json!({ "top_k": 2 })),
            ..Options::default()
        };
        assert_eq!(
            body(&Prompt::Body(own), &options),
            json!({
                "model": "own", "messages": [], "max_tokens": 5, "top_k": 2, "seed": 1,
                "stream": true, "stream_options": { "include_usage": true },
            })
        );
        let unstreamed = map(json!({ "messages": [], "stream": false }));
        let expected = json!({ "messages": [], "stream": false, "model": "m", "max_tokens": 9, "seed": 1, "top_k": 2 });
        assert_eq!(body(&Prompt::Body(unstreamed), &options), expected);
    }

    #[test]
    fn a_request_is_understood() {
        let asked = OpenAiChat
            .parse(
                br#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"}]},
                {"role":"assistant","tool_calls":[]}],"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},
                "max_tokens":3,"max_completion_tokens":4,"min_tokens":2,"ignore_eos":true,"n":2,"seed":null}"#,
            )
            .unwrap();
        let Prompt::Messages(messages) = &asked.prompt else { panic!("{:?}", asked.prompt) };
        assert_eq!(
            messages.iter().map(|message| &*message.role).collect::<Vec<_>>(),
            ["system", "user", "assistant"]
        );
        assert_eq!(messages[1].content, json!([{ "type": "text", "text": "t" }]));
        assert_eq!(messages[2].content, Value::Null);
        assert_eq!(asked.model.as_deref(), Some("m"));
        assert!(asked.stream && asked.include_usage && asked.continuous_usage && asked.ignore_eos);
        assert_eq!((asked.max_tokens, asked.min_tokens, asked.n), (Some(4), Some(2), 2));
        assert_eq!(asked.fields["seed"], Value::Null);
    }

    #[test]
    fn what_is_absent_or_null_takes_its_default() {
        let asked = OpenAiChat.parse(
            br#"{"messages":[],"stream":null,"n":null,"max_tokens":null,"stream_options":null}"#,
        );
        let asked = asked.unwrap();
        assert_eq!(
            (asked.model, asked.max_tokens, asked.min_tokens, asked.n),
            (None, None, None, 1)
        );
        assert!(
            !(asked.stream || asked.include_usage || asked.continuous_usage || asked.ignore_eos)
        );
    }

    #[test]
    fn a_request_that_is_wrong_says_where() {
        let complaint = |body: &str| OpenAiChat.parse(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(complaint("{}"), "messages: field required");
        assert_eq!(complaint(r#"{"messages":"hi"}"#), "messages: expected a list, got a string");
        assert_eq!(
            complaint(r#"{"messages":[{"content":"x"}]}"#),
            "messages[0]: missing field `role`"
        );
        assert_eq!(
            complaint(r#"{"messages":[{"role":"user","content":{}}]}"#),
            "messages[0].content: expected a string or a list of parts, got an object"
        );
        assert_eq!(
            complaint(r#"{"messages":[],"max_tokens":-1}"#),
            "max_tokens: expected a whole number that is not negative, got -1"
        );
        assert_eq!(
            complaint(r#"{"messages":[],"stream":"yes"}"#),
            "stream: expected true or false, got a string"
        );
        assert_eq!(
            complaint(r#"{"messages":[],"stream_options":{"include_usage":true}}"#),
            "stream_options can only be given with stream=true"
        );
        assert!(complaint("[1]").starts_with("not JSON of the form expected: "));
    }
}
