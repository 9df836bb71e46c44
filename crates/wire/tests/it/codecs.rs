//! What holds for every API: one half reads what the other writes, and no bytes make either stumble.

use std::borrow::Cow;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokometer_wire::api::Reply;
use tokometer_wire::{
    APIS, Api, Channel, Delta, Message, Options, Piece, Prompt, Request, Usage, by_name,
};

use crate::decode;

const REPLY: Reply<'_> = Reply { id: "id-\"1\"", model: "a/b", created: 7 };

fn api() -> impl Strategy<Value = &'static dyn Api> {
    select(APIS)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{1,6}", "[\u{0}-\u{7f}]{1,4}", Just("\u{2028}🕖\"\\/\r\n".to_owned())]
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u32>(), any::<u32>(), option::of(any::<u32>())).prop_map(
        |(prompt_tokens, completion_tokens, cached_tokens)| Usage {
            prompt_tokens,
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
    api().prop_flat_map(|api| (Just(api), delta(channels(api))))
}

/// The channels that an API tells apart.
fn channels(api: &dyn Api) -> &'static [Channel] {
    match api.name() {
        "openai-completions" => &[Channel::Content],
        _ => &[Channel::Content, Channel::Reasoning, Channel::ToolCall, Channel::Refusal],
    }
}

fn prompt(api: &dyn Api) -> BoxedStrategy<Prompt> {
    if api.name() == "openai-completions" {
        prop_oneof![text().prop_map(Prompt::Text), vec(any::<u32>(), 0..5).prop_map(Prompt::Tokens)]
            .boxed()
    } else {
        let message = (text(), text()).prop_map(|(role, content)| Message {
            role,
            content: content.into(),
            more: serde_json::Map::new(),
        });
        vec(message, 0..4).prop_map(Prompt::Messages).boxed()
    }
}

/// JSON of about the form that an API sends or takes, and what is left of it when bytes are lost or changed.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<&str> = include_str!("../captures/sse-chat-continuous-usage.txt")
        .lines()
        .chain(include_str!("../captures/sse-completions-spec.txt").lines())
        .filter_map(|line| line.strip_prefix("data: "))
        .chain([
            include_str!("../captures/chat-nonstream.json"),
            include_str!("../captures/completions-nonstream.json"),
            include_str!("../captures/error-400.json"),
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
        usage: delta.usage,
        finish_reason: delta.finish_reason.map(own),
        error: delta.error.map(own),
        done: delta.done,
    }
}

fn written_event(api: &dyn Api, delta: &Delta<'_>) -> Vec<u8> {
    let mut written = BytesMut::new();
    api.event(&REPLY, delta, &mut written);
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
    fn a_server_understands_what_a_client_asks(
        (api, prompt) in api().prop_flat_map(|api| (Just(api), prompt(api))),
        model in option::of(text()),
        (max_tokens, min_tokens, n) in (option::of(any::<u32>()), option::of(any::<u32>()), option::of(1..9_u32)),
        stream in any::<bool>(),
    ) {
        let options = Options { max_tokens, min_tokens, n, stream, ..Options::default() };
        let request = Request { model: model.as_deref(), prompt: &prompt, options: &options, template: None };
        let asked = api.parse(&api.request(&request).unwrap()).unwrap();
        prop_assert_eq!(asked.prompt, prompt);
        prop_assert_eq!(asked.model, model);
        prop_assert_eq!((asked.max_tokens, asked.min_tokens, asked.n), (max_tokens, min_tokens, n.unwrap_or(1)));
        prop_assert_eq!((asked.stream, asked.include_usage), (stream, stream));
    }

    #[test]
    fn bytes_that_are_nearly_an_event_are_read_or_refused(bytes in nearly_json()) {
        for api in APIS {
            if let Ok(delta) = api.delta(&bytes).map(owned) {
                let written = written_event(*api, &delta);
                prop_assert_eq!(owned(api.delta(&written).unwrap()), delta);
            }
            if let Ok(delta) = api.body(&bytes).map(owned) {
                let written = written_whole(*api, &delta);
                prop_assert_eq!(owned(api.body(&written).unwrap()), delta);
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
fn the_end_of_a_stream_is_told_by_every_api() {
    let done = Delta { done: true, ..Delta::default() };
    for api in APIS {
        assert_eq!(written_event(*api, &done), b"[DONE]");
        assert_eq!(api.delta(b"[DONE]").unwrap(), done);
    }
}

#[test]
fn names_and_paths_tell_the_apis_apart() {
    for (index, api) in APIS.iter().enumerate() {
        assert_eq!(by_name(api.name()).map(Api::name), Some(api.name()));
        assert!(api.path().starts_with("/v1/"));
        let others = APIS.iter().skip(index + 1);
        assert!(
            others.clone().all(|other| other.name() != api.name() && other.path() != api.path())
        );
    }
    assert!(by_name("nope").is_none());
}
