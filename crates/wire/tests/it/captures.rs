//! What vLLM 0.32.0 sent, read and written back.

use bytes::BytesMut;
use serde_json::Value;
use tokometer_wire::api::{
    AnthropicMessages, OpenAiChat, OpenAiCompletions, OpenAiResponses, Reply, SoFar,
};
use tokometer_wire::{Api, Channel, Delta, Piece, Usage, error_message};

use crate::decode;

const CHAT: &str = include_str!("../captures/sse-chat.txt");
const CHAT_CONTINUOUS: &str = include_str!("../captures/sse-chat-continuous-usage.txt");
const COMPLETIONS: &str = include_str!("../captures/sse-completions.txt");
const COMPLETIONS_SPEC: &str = include_str!("../captures/sse-completions-spec.txt");
const RESPONSES: &str = include_str!("../captures/sse-responses.txt");
const ANTHROPIC: &str = include_str!("../captures/sse-anthropic.txt");
const CHAT_WHOLE: &str = include_str!("../captures/chat-nonstream.json");
const COMPLETIONS_WHOLE: &str = include_str!("../captures/completions-nonstream.json");
const ERROR_400: &[u8] = include_bytes!("../captures/error-400.json");
const ERROR_404: &[u8] = include_bytes!("../captures/error-404.json");

const STREAMS: [(&dyn Api, &str); 4] = [
    (&OpenAiChat, CHAT),
    (&OpenAiChat, CHAT_CONTINUOUS),
    (&OpenAiCompletions, COMPLETIONS),
    (&OpenAiCompletions, COMPLETIONS_SPEC),
];

/// The data of a capture's events, found without the decoder.
fn data_of(capture: &str) -> Vec<&str> {
    let blocks = capture.strip_suffix("\n\n").expect("captures are whole").split("\n\n");
    blocks.map(|block| block.strip_prefix("data: ").expect("captures are plain messages")).collect()
}

fn deltas<'c>(api: &dyn Api, capture: &'c str) -> Vec<Delta<'c>> {
    data_of(capture)
        .into_iter()
        .map(|data| api.delta(data.as_bytes()).expect("vLLM sends JSON"))
        .collect()
}

fn texts(deltas: &[Delta<'_>]) -> Vec<String> {
    deltas.iter().flat_map(|delta| &delta.pieces).map(|piece| piece.text.to_string()).collect()
}

fn usage(prompt_tokens: u32, completion_tokens: u32, cached_tokens: Option<u32>) -> Option<Usage> {
    Some(Usage { prompt_tokens: Some(prompt_tokens), completion_tokens, cached_tokens })
}

#[test]
fn every_split_of_a_capture_gives_the_same_events() {
    for (_, capture) in STREAMS {
        let expected: Vec<_> =
            data_of(capture).into_iter().map(|data| (data.as_bytes().to_vec(), None)).collect();
        let bytes = capture.as_bytes();
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(decode([head, tail]), (expected.clone(), None), "cut at {cut}");
        }
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(decode(bytes.chunks(size)), (expected.clone(), None), "reads of {size}");
        }
    }
}

#[test]
fn every_split_with_other_line_ends_gives_the_same_events() {
    let expected = decode([CHAT.as_bytes()]);
    for end in ["\r", "\r\n"] {
        let stream = CHAT.replace('\n', end);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(decode([head, tail]), expected, "cut at {cut}");
        }
    }
}

#[test]
fn a_chat_tells_its_pieces_its_end_and_its_usage() {
    let deltas = deltas(&OpenAiChat, CHAT);
    let expected = [
        " \"/\",",
        ".TEST",
        "设",
        ".character",
        " arisen",
        " composers",
        " Radiation",
        "oire",
        " quite",
        " Tale",
        " Peak",
        "UNKNOWN",
    ];
    assert_eq!(texts(&deltas), expected);
    assert_eq!(deltas[0], Delta::default());
    assert!(deltas[..13].iter().all(|delta| delta.usage.is_none() && !delta.done));
    assert_eq!(deltas[12].finish_reason.as_deref(), Some("length"));
    assert_eq!(deltas[13], Delta { usage: usage(10, 12, None), ..Delta::default() });
    assert_eq!(deltas[14], Delta { done: true, ..Delta::default() });
    assert_eq!(deltas.len(), 15);
}

#[test]
fn a_chat_with_continuous_usage_counts_each_chunk() {
    let deltas = deltas(&OpenAiChat, CHAT_CONTINUOUS);
    let counts: Vec<_> =
        deltas.iter().map(|delta| delta.usage.map(|usage| usage.completion_tokens)).collect();
    let expected: Vec<_> = (0..=12).map(Some).chain([Some(12), None]).collect();
    assert_eq!(counts, expected);
    assert!(deltas[0].pieces.is_empty());
    assert!(deltas[1..=12].iter().all(|delta| delta.pieces.len() == 1));
}

#[test]
fn completions_tell_their_pieces_their_end_and_their_usage() {
    let deltas = deltas(&OpenAiCompletions, COMPLETIONS);
    let expected = [
        "党政",
        "pecified",
        "หัน",
        "subtype",
        "EndDate",
        "Hallo",
        "一辈子",
        "activité",
        "栝",
        "ตำแ",
        "萸",
        "(formatter",
    ];
    assert_eq!(texts(&deltas), expected);
    assert_eq!(deltas[11].finish_reason.as_deref(), Some("length"));
    assert_eq!(deltas[12], Delta { usage: usage(2, 12, None), ..Delta::default() });
    assert_eq!(deltas[13], Delta { done: true, ..Delta::default() });
    assert_eq!(deltas.len(), 14);
}

#[test]
fn speculated_completions_bear_several_tokens_a_chunk() {
    let deltas = deltas(&OpenAiCompletions, COMPLETIONS_SPEC);
    assert_eq!(texts(&deltas).len(), 28);
    assert_eq!(texts(&deltas)[3], "亲手 Incident亲手");
    assert_eq!(deltas[28].usage, usage(20, 120, Some(0)));
}

#[test]
fn whole_bodies_tell_all_at_once() {
    let chat = OpenAiChat.body(CHAT_WHOLE.as_bytes()).unwrap();
    let piece =
        |text: &'static str| Piece { choice: 0, channel: Channel::Content, text: text.into() };
    let length = Some("length".into());
    let expected = Delta {
        pieces: [piece("窟geme🕖tdicycle__(/*! \u{5d5}\u{5d6} rental-offs \u{e08}\u{e32}\u{e01}\u{e19}\u{e31}\u{e49}\u{e19} Grinding缓解")].into(),
        usage: usage(10, 12, None),
        finish_reason: length.clone(),
        ..Delta::default()
    };
    assert_eq!(chat, expected);
    let completions = OpenAiCompletions.body(COMPLETIONS_WHOLE.as_bytes()).unwrap();
    assert_eq!(completions.usage, usage(3, 12, None));
    assert_eq!(completions.finish_reason, length);
    assert_eq!(completions.pieces.len(), 1);
}

#[test]
fn errors_tell_the_servers_words() {
    assert_eq!(
        error_message(ERROR_404),
        "The model `nope` does not exist. Valid aliases: tiny-qwen."
    );
    assert_eq!(
        error_message(ERROR_400),
        "max_tokens=9000 cannot be greater than max_model_len=4096. Please request fewer output tokens. \
         (parameter=max_tokens, value=9000)"
    );
}

#[test]
fn what_is_written_is_what_vllm_wrote_byte_for_byte() {
    for (api, capture) in STREAMS {
        let expected = as_written_here(capture);
        let first = data_of(&expected)[0];
        let (mut written, mut so_far) = (BytesMut::new(), SoFar::default());
        for delta in deltas(api, &expected) {
            api.event(&reply(first), &mut so_far, &delta, &mut written);
        }
        assert_eq!(String::from_utf8(written.into()).unwrap(), expected);
    }
    for (api, capture) in
        [(&OpenAiChat as &dyn Api, CHAT_WHOLE), (&OpenAiCompletions, COMPLETIONS_WHOLE)]
    {
        let expected = as_written_here(capture);
        let mut written = BytesMut::new();
        let delta = api.body(expected.as_bytes()).unwrap();
        api.whole(&reply(&expected), &delta, &mut written);
        assert_eq!(String::from_utf8(written.into()).unwrap(), expected);
    }
}

#[test]
fn responses_tell_their_pieces_their_end_and_their_usage() {
    let deltas = named_deltas(&OpenAiResponses, RESPONSES);
    let expected = [
        "目前国内",
        " superClassỗ",
        "べ",
        " Kir",
        "毛主席",
        " stocking",
        ":j",
        "_vi",
        " heroic",
        "真的是",
        "宁",
    ];
    assert_eq!(texts(&deltas), expected);
    let last = deltas.last().unwrap();
    let end = Delta {
        usage: usage(10, 12, Some(0)),
        finish_reason: Some("length".into()),
        done: true,
        ..Delta::default()
    };
    assert_eq!(*last, end);
    assert!(deltas[..deltas.len() - 1].iter().all(|delta| !delta.done && delta.usage.is_none()));
}

#[test]
fn anthropic_messages_tell_their_pieces_their_end_and_their_usage() {
    let deltas = named_deltas(&AnthropicMessages, ANTHROPIC);
    assert_eq!(texts(&deltas).len(), 12);
    assert_eq!(texts(&deltas)[9], "電子郵");
    assert_eq!(deltas[0], Delta { usage: usage(10, 0, None), ..Delta::default() });
    let ending = Delta {
        usage: usage(10, 12, None),
        finish_reason: Some("length".into()),
        ..Delta::default()
    };
    assert_eq!(deltas[deltas.len() - 2], ending);
    assert_eq!(deltas[deltas.len() - 1], Delta { done: true, ..Delta::default() });
}

#[test]
fn what_is_written_with_names_has_vllms_events_and_fields_in_vllms_order() {
    for (api, capture) in
        [(&OpenAiResponses as &dyn Api, RESPONSES), (&AnthropicMessages, ANTHROPIC)]
    {
        let (mut written, mut so_far) = (BytesMut::new(), SoFar::default());
        let reply = Reply {
            id: "resp_1",
            model: "tiny-qwen",
            created: 1_795_343_082,
            usage_follows: true,
            choices: 1,
        };
        let deltas = named_deltas(api, capture);
        let pieces = deltas.iter().filter(|delta| !delta.pieces.is_empty());
        // As the simulator tells it: an opening, the output, its reason and its usage, the end.
        let usage = usage(10, 12, Some(0).filter(|_| api.name() == "openai-responses"));
        let opening = usage.map(|usage| Usage { completion_tokens: 0, ..usage });
        let mut told = vec![Delta { usage: opening, ..Delta::default() }];
        told.extend(pieces.cloned());
        told.last_mut().unwrap().finish_reason = Some("length".into());
        told.push(Delta { usage, ..Delta::default() });
        told.push(Delta { done: true, ..Delta::default() });
        for delta in &told {
            api.event(&reply, &mut so_far, delta, &mut written);
        }
        let written = String::from_utf8(written.into()).unwrap();
        let (written, expected) = (blocks(&written), blocks(capture));
        assert_eq!(written.len(), expected.len(), "{written:?}");
        for ((name, data), (expected_name, expected_data)) in written.iter().zip(&expected) {
            assert_eq!(name, expected_name);
            assert_eq!(form(data), form(expected_data), "{name}");
        }
    }
}

/// The name and the data of each event of a capture of named events, found without the decoder.
fn blocks(capture: &str) -> Vec<(&str, &str)> {
    let blocks = capture.strip_suffix("\n\n").expect("captures are whole").split("\n\n");
    blocks
        .map(|block| {
            let (name, data) = block.split_once('\n').expect("two lines");
            let name = name.strip_prefix("event: ").expect("a name");
            (name, data.strip_prefix("data: ").expect("data"))
        })
        .collect()
}

fn named_deltas<'c>(api: &dyn Api, capture: &'c str) -> Vec<Delta<'c>> {
    let read = |(_, data): (&'c str, &'c str)| api.delta(data.as_bytes()).expect("vLLM sends JSON");
    blocks(capture).into_iter().map(read).collect()
}

/// The form of JSON: its keys in their order, and what does not depend on the request or the run.
fn form(json: &str) -> Value {
    fn blank(key: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), blank(key, value)));
                // A list keeps the order in which comparing objects would not look at.
                Value::Array(
                    fields.map(|(key, value)| Value::Array(vec![key.into(), value])).collect(),
                )
            }
            Value::Array(items) => items.iter().map(|item| blank(key, item)).collect(),
            _ if matches!(key, "id" | "item_id" | "max_output_tokens") => Value::Null,
            other => other.clone(),
        }
    }
    blank("", &serde_json::from_str(json).expect("events are JSON"))
}

/// A capture as the simulator would write it: under its own name.
fn as_written_here(capture: &str) -> String {
    let own = concat!("tokometer-", env!("CARGO_PKG_VERSION"));
    capture.replace("vllm-0.32.0-f7dff4b3", own).replace("vllm-0.32.0-56878542", own)
}

/// What a captured response says of itself.
fn reply(json: &str) -> Reply<'_> {
    let text = |name: &str| {
        let start = json.find(name).expect("a field of every response") + name.len();
        json[start..].split(['"', ',']).next().expect("split gives one part at least")
    };
    Reply {
        id: text("\"id\":\""),
        model: text("\"model\":\""),
        created: text("\"created\":").parse().expect("seconds"),
        usage_follows: true,
        choices: 1,
    }
}
