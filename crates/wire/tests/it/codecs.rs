//! What holds for every API: one half reads what the other writes, and no bytes make either stumble.

use std::borrow::Cow;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tokometer_wire::api::{Reply, SoFar, served_at};
use tokometer_wire::{
    APIS, Answers, Api, Audio, Channel, Delta, Input, Message, Options, Piece, Prompt, Request,
    Usage, by_name,
};

use crate::decode;

const REPLY: Reply<'_> =
    Reply { id: "id-\"1\"", model: "a/b", created: 7, usage_follows: true, choices: 1 };

fn api() -> impl Strategy<Value = &'static dyn Api> {
    select(APIS)
}

/// The APIs of which every event stands for itself: what an event tells is all that was written.
fn of_plain_events() -> impl Strategy<Value = &'static dyn Api> {
    select(&APIS[..2])
}

fn generating() -> Vec<&'static dyn Api> {
    APIS.iter().copied().filter(|api| api.answers() == Answers::Output).collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{1,6}", "[\u{0}-\u{7f}]{1,4}", Just("\u{2028}🕖\"\\/\r\n".to_owned())]
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u32>(), any::<u32>(), option::of(any::<u32>())).prop_map(
        |(prompt_tokens, completion_tokens, cached_tokens)| Usage {
            prompt_tokens: Some(prompt_tokens),
            completion_tokens,
            cached_tokens,
        },
    )
}

/// What an event can tell, or a whole body.
fn delta(channels: &'static [Channel]) -> impl Strategy<Value = Delta<'static>> {
    let piece = (0..3_u32, select(channels), text()).prop_map(|(choice, channel, text)| Piece {
        choice,
        channel,
        text: text.into(),
    });
    let output = (vec(piece, 0..5), option::of(usage()), option::of(text())).prop_map(
        |(pieces, usage, reason)| Delta {
            pieces: pieces.into(),
            usage,
            finish_reason: reason.map(Into::into),
            ..Delta::default()
        },
    );
    let error = "[!-~é]{1,5}( [!-~]{1,5}){0,3}"
        .prop_map(|message| Delta { error: Some(message.into()), ..Delta::default() });
    prop_oneof![8 => output, 1 => error]
}

fn of_an_api() -> impl Strategy<Value = (&'static dyn Api, Delta<'static>)> {
    of_plain_events().prop_flat_map(|api| (Just(api), delta(channels(api))))
}

/// The channels that an API tells apart.
fn channels(api: &dyn Api) -> &'static [Channel] {
    match api.name() {
        "openai-chat" | "openai-responses" => {
            &[Channel::Content, Channel::Reasoning, Channel::ToolCall, Channel::Refusal]
        }
        "anthropic-messages" => &[Channel::Content, Channel::Reasoning, Channel::ToolCall],
        _ => &[Channel::Content],
    }
}

/// What a stream tells from its opening to its end, as the simulator has it told.
#[derive(Clone, Debug)]
struct Story {
    pieces: Vec<(Channel, String)>,
    prompt_tokens: u32,
    cached_tokens: Option<u32>,
    finish_reason: &'static str,
}

fn story(api: &'static dyn Api) -> impl Strategy<Value = (&'static dyn Api, Story)> {
    let piece = (select(channels(api)), text());
    let reasons = select(&["length", "stop"][..]);
    (vec(piece, 1..8), 0..1000_u32, option::of(0..1000_u32), reasons).prop_map(
        move |(pieces, beside, cached_tokens, finish_reason)| {
            // No API tells of more cached tokens than there are.
            let prompt_tokens = beside + cached_tokens.unwrap_or(0);
            (api, Story { pieces, prompt_tokens, cached_tokens, finish_reason })
        },
    )
}

/// A client's view of a stream: how often there was something new, the text of each channel, and how it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    chunks: usize,
    said: Vec<(Channel, String)>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    done: bool,
}

impl Heard {
    fn say(&mut self, channel: Channel, text: &str) {
        match self.said.last_mut() {
            Some((last, said)) if *last == channel => said.push_str(text),
            _ => self.said.push((channel, text.to_owned())),
        }
    }

    fn hear(&mut self, delta: &Delta<'_>) {
        assert!(!self.done, "nothing follows the end: {delta:?}");
        self.chunks += usize::from(!delta.pieces.is_empty());
        for piece in &delta.pieces {
            if delta.cumulative {
                self.said.clear();
            }
            self.say(piece.channel, &piece.text);
        }
        self.usage = delta.usage.map(|usage| usage.after(self.usage)).or(self.usage);
        if let Some(reason) = &delta.finish_reason {
            self.finish_reason.get_or_insert(reason.to_string());
        }
        self.done |= delta.done;
    }
}

/// What a client hears of a story that was written as events.
fn heard(api: &dyn Api, story: &Story) -> Heard {
    let (mut written, mut so_far) = (BytesMut::new(), SoFar::default());
    let usage = |completion_tokens| {
        let Story { prompt_tokens, cached_tokens, .. } = *story;
        Some(Usage { prompt_tokens: Some(prompt_tokens), completion_tokens, cached_tokens })
    };
    let mut tell = |delta: Delta<'_>| api.event(&REPLY, &mut so_far, &delta, &mut written);
    tell(Delta { usage: usage(0), ..Delta::default() });
    let count = story.pieces.len();
    for (index, (channel, text)) in story.pieces.iter().enumerate() {
        let piece = Piece { choice: 0, channel: *channel, text: text.into() };
        tell(Delta {
            pieces: [piece].into(),
            usage: usage(index as u32 + 1),
            finish_reason: (index + 1 == count).then(|| story.finish_reason.into()),
            ..Delta::default()
        });
    }
    tell(Delta { usage: usage(count as u32), ..Delta::default() });
    tell(Delta { done: true, ..Delta::default() });
    let (events, rest) = decode([&*written]);
    assert_eq!(rest, None);
    let mut heard = Heard::default();
    for (data, name) in events {
        if let Some(name) = name {
            let event: Value = serde_json::from_slice(&data).unwrap();
            assert_eq!(event["type"], String::from_utf8(name).unwrap());
        }
        heard.hear(&api.delta(&data).unwrap());
    }
    heard
}

/// What is to be heard of a story.
fn expected(api: &dyn Api, story: &Story) -> Heard {
    let mut expected = Heard {
        chunks: story.pieces.len(),
        usage: Some(Usage {
            prompt_tokens: Some(story.prompt_tokens),
            completion_tokens: story.pieces.len() as u32,
            cached_tokens: match api.name() {
                // It always tells, and TGI never does.
                "openai-responses" => story.cached_tokens.or(Some(0)),
                "tgi-generate" => None,
                _ => story.cached_tokens,
            },
        }),
        finish_reason: Some(story.finish_reason.into()),
        done: true,
        ..Heard::default()
    };
    for (channel, text) in &story.pieces {
        expected.say(*channel, text);
    }
    expected
}

fn prompt(api: &dyn Api) -> BoxedStrategy<Prompt> {
    let texts = || text().prop_map(Prompt::Text);
    let tokens = || vec(any::<u32>(), 1..5).prop_map(Prompt::Tokens);
    let input = || {
        prop_oneof![text().prop_map(Input::Text), vec(any::<u32>(), 1..5).prop_map(Input::Tokens)]
    };
    match api.name() {
        "openai-completions" | "sglang-generate" => prop_oneof![texts(), tokens()].boxed(),
        "tgi-generate" => texts().boxed(),
        "openai-embeddings" | "pooling" | "infinity-embeddings" => {
            prop_oneof![texts(), tokens(), vec(input(), 1..4).prop_map(Prompt::Batch)].boxed()
        }
        "rerank" => (text(), vec(text(), 1..4))
            .prop_map(|(query, documents)| Prompt::Rerank { query, documents })
            .boxed(),
        "openai-audio" => (vec(any::<u8>(), 0..40), text(), text())
            .prop_map(|(bytes, name, hint)| {
                Prompt::Audio(Audio { bytes: bytes.into(), name, hint })
            })
            .boxed(),
        "anthropic-messages" => vec(message("[a-r]{1,6}"), 0..4).prop_map(Prompt::Messages).boxed(),
        _ => vec(message(".{1,6}"), 0..4).prop_map(Prompt::Messages).boxed(),
    }
}

fn message(role: &'static str) -> impl Strategy<Value = Message> {
    (role, text()).prop_map(|(role, content)| Message {
        role,
        content: content.into(),
        more: serde_json::Map::new(),
    })
}

/// JSON of about the form that an API sends or takes, and what is left of it when bytes are lost or changed.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<&str> = include_str!("../captures/sse-chat-continuous-usage.txt")
        .lines()
        .chain(include_str!("../captures/sse-completions-spec.txt").lines())
        .chain(include_str!("../captures/sse-responses.txt").lines())
        .chain(include_str!("../captures/sse-anthropic.txt").lines())
        .filter_map(|line| line.strip_prefix("data: "))
        .chain([
            include_str!("../captures/chat-nonstream.json"),
            include_str!("../captures/completions-nonstream.json"),
            include_str!("../captures/error-400.json"),
            r#"{"object":"list","data":[{"index":0,"object":"embedding","embedding":[0.5]}],"usage":{"prompt_tokens":3}}"#,
            r#"{"text":"a b","meta_info":{"id":"1","finish_reason":{"type":"stop"},"prompt_tokens":3,"completion_tokens":2,"cached_tokens":0}}"#,
            r#"{"index":1,"token":{"id":5,"text":"a","special":false},"generated_text":"a","details":{"finish_reason":"eos_token","generated_tokens":1,"input_length":3}}"#,
            r#"{"id":"1","output":[{"type":"reasoning","content":[{"text":"a","type":"reasoning_text"}]},{"type":"function_call","name":"f","arguments":"{}"}],"status":"completed","usage":{"input_tokens":3,"output_tokens":2}}"#,
            r#"{"id":"1","content":[{"type":"thinking","thinking":"a"},{"type":"tool_use","name":"f","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}}"#,
            r#"{"query":"q","documents":["a",{"text":"b"}]}"#,
            r#"{"text":"hi","sampling_params":{"max_new_tokens":3},"stream":true}"#,
            r#"{"inputs":"hi","parameters":{"max_new_tokens":3}}"#,
            r#"{"system":"s","messages":[{"role":"user","content":"hi"}],"max_tokens":3}"#,
            r#"{"input":"hi","instructions":"s"}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}],"reasoning":"r","refusal":"x"}}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"m","prompt":[[1,2,3]],"max_tokens":3,"n":2,"ignore_eos":true}"#,
        ])
        .collect();
    (select(seeds), vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..3)).prop_map(
        |(seed, changes)| {
            let mut bytes = seed.as_bytes().to_vec();
            for (place, byte, lost) in changes {
                let place = place.index(bytes.len());
                if lost {
                    bytes.remove(place);
                } else {
                    bytes[place] = byte;
                }
                if bytes.is_empty() {
                    break;
                }
            }
            bytes
        },
    )
}

fn owned(delta: Delta<'_>) -> Delta<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Delta {
        pieces: delta
            .pieces
            .into_iter()
            .map(|Piece { choice, channel, text }| Piece { choice, channel, text: own(text) })
            .collect(),
        cumulative: delta.cumulative,
        usage: delta.usage,
        finish_reason: delta.finish_reason.map(own),
        error: delta.error.map(own),
        done: delta.done,
        beside: &[],
    }
}

fn written_event(api: &dyn Api, delta: &Delta<'_>) -> Vec<u8> {
    let mut written = BytesMut::new();
    api.event(&REPLY, &mut SoFar::default(), delta, &mut written);
    let (mut events, rest) = decode([&*written]);
    assert_eq!(rest, None);
    assert!(events.len() <= 1);
    events.pop().map_or_else(Vec::new, |(data, _)| data)
}

fn written_whole(api: &dyn Api, delta: &Delta<'_>) -> Vec<u8> {
    let mut written = BytesMut::new();
    api.whole(&REPLY, delta, &mut written);
    written.into()
}

proptest! {
    #[test]
    fn an_event_tells_what_was_written((api, delta) in of_an_api()) {
        let written = written_event(api, &delta);
        prop_assert_eq!(owned(api.delta(&written).unwrap()), delta);
    }

    #[test]
    fn a_whole_body_tells_what_was_written((api, delta) in of_an_api()) {
        let written = written_whole(api, &delta);
        prop_assert_eq!(owned(api.body(&written).unwrap()), delta);
    }

    #[test]
    fn a_stream_tells_the_story_that_was_written((api, story) in select(generating()).prop_flat_map(story)) {
        prop_assert_eq!(heard(api, &story), expected(api, &story));
    }

    #[test]
    fn a_whole_body_tells_the_story_that_was_written((api, story) in select(generating()).prop_flat_map(story)) {
        let expected = expected(api, &story);
        let pieces = story.pieces.iter();
        let delta = Delta {
            pieces: pieces.map(|(channel, text)| Piece { choice: 0, channel: *channel, text: text.into() }).collect(),
            usage: expected.usage,
            finish_reason: Some(story.finish_reason.into()),
            ..Delta::default()
        };
        let written = written_whole(api, &delta);
        let told = api.body(&written).unwrap();
        let mut whole = Heard::default();
        whole.hear(&told);
        match api.name() {
            // Completions have a choice for each piece, and a transcription tells nothing but its text.
            "openai-completions" => {}
            "openai-audio" => prop_assert_eq!(whole.said, expected.said),
            name => {
                prop_assert_eq!(whole.said, expected.said);
                prop_assert_eq!(whole.finish_reason, expected.finish_reason);
                let prompt_tokens = expected.usage.unwrap().prompt_tokens.filter(|_| name != "tgi-generate");
                prop_assert_eq!(whole.usage, expected.usage.map(|usage| Usage { prompt_tokens, ..usage }));
            }
        }
    }

    #[test]
    fn results_tell_their_number_and_their_usage_and_nothing_else(inputs in vec(text(), 1..5), tokens in any::<u32>()) {
        let usage = Some(Usage { prompt_tokens: Some(tokens), completion_tokens: 0, cached_tokens: None });
        let piece = |text: String| Piece { choice: 0, channel: Channel::Result, text: text.into() };
        for api in APIS.iter().filter(|api| api.answers() == Answers::Result) {
            let pieces = inputs.iter().cloned().map(piece).collect();
            let written = written_whole(*api, &Delta { pieces, usage, ..Delta::default() });
            let told = owned(api.body(&written).unwrap());
            prop_assert_eq!(told, Delta { pieces: inputs.iter().map(|_| piece(String::new())).collect(), usage, ..Delta::default() });
        }
    }

    #[test]
    fn a_server_understands_what_a_client_asks(
        (api, prompt) in api().prop_flat_map(|api| (Just(api), prompt(api))),
        model in option::of(text()),
        (max_tokens, min_tokens, n) in (option::of(any::<u32>()), option::of(any::<u32>()), option::of(1..9_u32)),
        stream in any::<bool>(),
    ) {
        let openai = ["openai-chat", "openai-completions"].contains(&api.name());
        let result = api.answers() == Answers::Result;
        let max_tokens = if api.name() == "anthropic-messages" { max_tokens.or(Some(1)) } else { max_tokens };
        let min_tokens = min_tokens.filter(|_| openai || api.name() == "sglang-generate");
        let n = n.filter(|_| openai);
        let options = Options { max_tokens, min_tokens, n, stream, ..Options::default() };
        let request = Request { model: model.as_deref(), prompt: &prompt, options: &options, template: None };
        let asked = api.parse(&api.request(&request).unwrap()).unwrap();
        prop_assert_eq!(asked.prompt, prompt);
        // These two have one model a server.
        let named = !["sglang-generate", "tgi-generate"].contains(&api.name());
        prop_assert_eq!(asked.model, model.filter(|_| named));
        let max_tokens = max_tokens.filter(|_| !result);
        prop_assert_eq!((asked.max_tokens, asked.min_tokens, asked.n), (max_tokens, min_tokens, n.unwrap_or(1)));
        // Of TGI's two paths one streams and the other does not, whatever the body says.
        let stream = (stream || api.name() == "tgi-generate") && !result;
        prop_assert_eq!(asked.stream, stream);
        prop_assert!(asked.include_usage || !stream);
    }

    #[test]
    fn bytes_that_are_nearly_an_event_are_read_or_refused(bytes in nearly_json()) {
        for (index, api) in APIS.iter().enumerate() {
            let plain = index < 2;
            if let Ok(delta) = api.delta(&bytes).map(owned) && plain {
                let written = written_event(*api, &delta);
                prop_assert_eq!(owned(api.delta(&written).unwrap()), delta);
            } else if let Ok(delta) = api.delta(&bytes) {
                let mut written = BytesMut::new();
                api.event(&REPLY, &mut SoFar::default(), &delta, &mut written);
                for (data, _) in decode([&*written]).0 {
                    prop_assert!(api.delta(&data).is_ok());
                }
            }
            if let Ok(delta) = api.body(&bytes).map(owned) {
                let told = api.body(&written_whole(*api, &delta)).map(owned);
                if plain {
                    prop_assert_eq!(told.unwrap(), delta);
                } else {
                    prop_assert!(told.is_ok());
                }
            }
            if let Ok(asked) = api.parse(&bytes) {
                let again = serde_json::to_vec(&asked.fields).unwrap();
                prop_assert_eq!(api.parse(&again).unwrap().prompt, asked.prompt);
            }
        }
        prop_assert!(!tokometer_wire::error_message(&bytes).is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40)) {
        for api in APIS {
            let _ = (api.delta(&bytes), api.body(&bytes), api.parse(&bytes));
        }
        let message = tokometer_wire::error_message(&bytes);
        prop_assert!(!message.is_empty() && message.chars().count() <= 300);
        prop_assert!(!message.chars().any(char::is_control));
    }
}

#[test]
fn the_end_of_a_stream_is_understood_by_every_api_that_streams() {
    let done = Delta { done: true, ..Delta::default() };
    for api in generating() {
        assert_eq!(api.delta(b"[DONE]").unwrap(), done);
        assert_eq!(api.delta(b"").unwrap(), Delta::default());
    }
}

#[test]
fn an_error_is_told_by_every_api_in_a_stream_in_a_body_and_as_a_refusal() {
    let failed = Delta { error: Some("out of memory".into()), ..Delta::default() };
    for api in APIS {
        let (event, whole) = (written_event(*api, &failed), written_whole(*api, &failed));
        assert_eq!(owned(api.delta(&event).unwrap()), failed, "{}", api.name());
        assert_eq!(owned(api.body(&whole).unwrap()), failed, "{}", api.name());
        if let Some(refusal) = api.refusal("BadRequestError", "too long") {
            let words = tokometer_wire::error_message(refusal.to_string().as_bytes());
            assert_eq!(words, "too long");
        }
    }
}

#[test]
fn names_and_paths_tell_the_apis_apart() {
    for (index, api) in APIS.iter().enumerate() {
        assert_eq!(by_name(api.name()).map(Api::name), Some(api.name()));
        assert!(api.path().starts_with('/'));
        assert!(APIS.iter().skip(index + 1).all(|other| other.name() != api.name()));
    }
    assert!(by_name("nope").is_none());
    let names = |path| served_at(path).map(Api::name).collect::<Vec<_>>();
    assert_eq!(names("/v1/embeddings"), ["openai-embeddings", "openai-embeddings-chat"]);
    assert_eq!(names("/generate"), ["sglang-generate", "tgi-generate"]);
    assert_eq!(names("/v2/rerank"), ["rerank"]);
    assert_eq!(names("/v1/chat/completions"), ["openai-chat"]);
    assert_eq!(names("/v1"), [""; 0]);
}

#[test]
fn prompts_that_an_api_cannot_carry_are_refused_by_name() {
    let audio = Audio { bytes: vec![1].into(), name: "a.wav".into(), hint: String::new() };
    let options = Options { max_tokens: Some(1), ..Options::default() };
    let prompts = [
        Prompt::Text("a".into()),
        Prompt::Tokens(vec![1]),
        Prompt::Messages(
            serde_json::from_value(json!([{ "role": "user", "content": [] }])).unwrap(),
        ),
        Prompt::Batch(vec![Input::Text("a".into())]),
        Prompt::Rerank { query: "a".into(), documents: vec!["b".into()] },
        Prompt::Audio(audio),
        Prompt::Body(serde_json::Map::new()),
    ];
    let carried = |api: &dyn Api| -> String {
        let carries = |prompt: &Prompt| {
            let request = Request { model: None, prompt, options: &options, template: None };
            match api.request(&request) {
                Ok(_) => true,
                Err(error) => {
                    let start = format!("the {} API cannot carry ", api.name());
                    assert!(error.to_string().starts_with(&start), "{error}");
                    false
                }
            }
        };
        let letters = "TIMBRAO".chars();
        letters
            .zip(&prompts)
            .filter(|(_, prompt)| carries(prompt))
            .map(|(letter, _)| letter)
            .collect()
    };
    let carried: Vec<_> = APIS.iter().map(|api| (api.name(), carried(*api))).collect();
    let carried: Vec<_> = carried.iter().map(|(name, carried)| (*name, carried.as_str())).collect();
    assert_eq!(
        carried,
        [
            ("openai-chat", "TMO"),
            ("openai-completions", "TIO"),
            ("openai-responses", "TMO"),
            ("openai-embeddings", "TIBO"),
            ("openai-embeddings-chat", "TMO"),
            ("pooling", "TIMBO"),
            ("rerank", "RO"),
            ("infinity-embeddings", "TIBO"),
            ("openai-audio", "A"),
            ("anthropic-messages", "TMO"),
            ("sglang-generate", "TIO"),
            ("tgi-generate", "TO"),
        ]
    );
}
