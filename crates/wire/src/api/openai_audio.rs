//! OpenAI's transcriptions and translations, with vLLM's streaming: a file of audio in, its words out.
//!
//! Translations differ by their path only, so this codec does for both; what the simulator writes calls itself a transcription. A
//! response that is not streamed counts no tokens, and names no reason for its end: servers tell the seconds of audio there.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::fields::Setting;
use super::multipart::{self, Form};
use super::openai_response::{
    Choice, Counted, Null, Text, add, end, write_end, write_error, write_json,
};
use super::{Api, Asked, DecodeError, EncodeError, Reply, SoFar, fields, openai_response};
use crate::{Audio, Channel, Delta, Piece, Prompt, Request, sse};

/// `/v1/audio/transcriptions`.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiAudio;

impl Api for OpenAiAudio {
    fn name(&self) -> &'static str {
        "openai-audio"
    }

    fn path(&self) -> &'static str {
        "/v1/audio/transcriptions"
    }

    fn other_paths(&self) -> &'static [&'static str] {
        &["/v1/audio/translations"]
    }

    fn content_type(&self) -> &'static str {
        "multipart/form-data; boundary=tokometer-7b1f0c52e4a94d3a9d0e6c8b35fa2671"
    }

    /// A form: the file, and every setting as text. Objects and lists of `extra` are sent as JSON.
    fn request(&self, request: &Request<'_>) -> Result<Bytes, EncodeError> {
        let Prompt::Audio(audio) = request.prompt else {
            return fields::unsupported(self.name(), fields::named(request.prompt));
        };
        if !multipart::fits(&audio.bytes) {
            return fields::unsupported(self.name(), "audio that contains the form's boundary");
        }
        let options = request.options;
        fields::refuse(self.name(), options, WITHOUT)?;
        let mut settings = request.template.cloned().unwrap_or_default();
        let number = |value: Option<f64>| value.map(Value::from);
        let known = [
            ("model", request.model.map(Value::from)),
            ("prompt", (!audio.hint.is_empty()).then(|| audio.hint.as_str().into())),
            ("max_completion_tokens", options.max_tokens.map(Value::from)),
            ("temperature", number(options.temperature)),
            ("top_p", number(options.top_p)),
            ("top_k", options.top_k.map(Value::from)),
            ("min_p", number(options.min_p)),
            ("presence_penalty", number(options.presence_penalty)),
            ("frequency_penalty", number(options.frequency_penalty)),
            ("repetition_penalty", number(options.repetition_penalty)),
            ("seed", options.seed.map(Value::from)),
            ("stream", Some(options.stream.into())),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        settings.extend(known);
        settings.extend(options.extra.clone());
        if settings.get("stream").is_some_and(is_on) {
            // They are flat here, for a form has no objects.
            for name in ["stream_include_usage", "stream_continuous_usage_stats"] {
                settings.entry(name).or_insert(true.into());
            }
        }
        let mut form = Form::default();
        form.file("file", &audio.name, content_type(&audio.name), &audio.bytes);
        for (name, value) in &settings {
            match value {
                Value::Null => {}
                Value::String(text) => form.field(name, text),
                other => form.field(name, &other.to_string()),
            }
        }
        Ok(form.finish())
    }

    fn delta<'e>(&self, data: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        openai_response::delta::<StreamedChoice<'e>>(data)
    }

    fn body<'e>(&self, body: &'e [u8]) -> Result<Delta<'e>, DecodeError> {
        let body = openai_response::object(body.trim_ascii())?;
        let said: WholeIn<'e> = serde_json::from_slice(body)?;
        match (openai_response::error(body)?, said.text) {
            (Some(error), _) => Ok(Delta { error: Some(error.into()), ..Delta::default() }),
            (None, None) => Err(DecodeError::Field("the response has no text".into())),
            (None, text) => {
                let text = Text::some(text);
                let piece = |text| Piece { choice: 0, channel: Channel::Content, text };
                Ok(Delta { pieces: text.map(piece).into_iter().collect(), ..Delta::default() })
            }
        }
    }

    fn parse(&self, body: &[u8]) -> Result<Asked, DecodeError> {
        let (mut text, mut file) = (Map::new(), None);
        for part in multipart::parts(body)? {
            if part.name == "file" {
                file = Some(part);
            } else {
                let value = str::from_utf8(part.content).map_err(|error| {
                    DecodeError::Field(format!("{}: not text: {error}", part.name))
                })?;
                text.insert(part.name, value.into());
            }
        }
        let file = file.ok_or_else(|| fields::missing("file"))?;
        let prompt = Prompt::Audio(Audio {
            bytes: Bytes::copy_from_slice(file.content),
            name: file.file_name.unwrap_or_default(),
            hint: text.get("prompt").and_then(Value::as_str).unwrap_or_default().to_owned(),
        });
        let stream = flag(&text, "stream")?;
        let (include_usage, continuous_usage) =
            (flag(&text, "stream_include_usage")?, flag(&text, "stream_continuous_usage_stats")?);
        if !stream && (include_usage || continuous_usage) {
            return Err(DecodeError::Field(
                "Stream options can only be defined when `stream=True`.".into(),
            ));
        }
        Ok(Asked {
            max_tokens: count(&text, "max_completion_tokens")?,
            stream,
            include_usage,
            continuous_usage,
            ..Asked::plain(fields::model(&text)?, prompt, text)
        })
    }

    fn id_prefix(&self) -> &'static str {
        "trsc-"
    }

    fn event(&self, reply: &Reply<'_>, _: &mut SoFar, delta: &Delta<'_>, into: &mut BytesMut) {
        if write_end(delta, into) {
            return;
        }
        let mut choices: SmallVec<[_; 1]> = delta.pieces.iter().map(StreamedOut::new).collect();
        if let Some(reason) = &delta.finish_reason {
            let last = choices.pop().unwrap_or_else(|| StreamedOut::of_text(""));
            choices.push(StreamedOut {
                finish_reason: Some(reason),
                stop_reason: Some(()),
                ..last
            });
        }
        let opening = delta.usage.is_none_or(|usage| usage.completion_tokens == 0);
        if choices.is_empty() && opening {
            return;
        }
        let chunk = Chunk {
            id: reply.id,
            object: "transcription.chunk",
            created: reply.created,
            model: reply.model,
            choices: &choices,
            usage: delta.usage.map(Counted::at_the_end),
        };
        sse::write(into, |into| write_json(&chunk, into));
    }

    fn whole(&self, _: &Reply<'_>, delta: &Delta<'_>, into: &mut BytesMut) {
        match &delta.error {
            Some(message) => write_error(message, into),
            None => {
                let texts: SmallVec<[&str; 1]> =
                    delta.pieces.iter().map(|piece| &*piece.text).collect();
                write_json(&WholeOut { text: texts.concat() }, into);
            }
        }
    }
}

/// The type of a file by its name's ending.
fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |of| of.1)
}

fn is_on(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A field that is on or off. Python writes `True`, others `true` or `1`.
fn flag(form: &Map<String, Value>, name: &str) -> Result<bool, DecodeError> {
    match form.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0" | "") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => {
            Err(DecodeError::Field(format!("{name}: expected true or false, got {other}")))
        }
    }
}

fn count(form: &Map<String, Value>, name: &str) -> Result<Option<u32>, DecodeError> {
    let Some(text) = form.get(name).and_then(Value::as_str) else { return Ok(None) };
    let count = text.parse().map_err(|_| {
        DecodeError::Field(format!(
            "{name}: expected a whole number that is not negative, got {text}"
        ))
    });
    count.map(Some)
}

#[derive(Deserialize)]
struct StreamedChoice<'e> {
    #[serde(borrow)]
    delta: Option<Said<'e>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'e>>,
}

#[derive(Deserialize)]
struct Said<'e> {
    #[serde(borrow)]
    content: Option<Text<'e>>,
}

impl<'e> Choice<'e> for StreamedChoice<'e> {
    fn tell(self, delta: &mut Delta<'e>) {
        add(delta, None, Channel::Content, self.delta.and_then(|said| said.content));
        end(delta, self.finish_reason);
    }
}

#[derive(Deserialize)]
struct WholeIn<'e> {
    #[serde(borrow)]
    text: Option<Text<'e>>,
}

/// What one event says, in vLLM's order.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [StreamedOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counted>,
}

#[derive(Serialize)]
struct StreamedOut<'d> {
    delta: SaidOut<'d>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<Null>,
}

#[derive(Serialize)]
struct SaidOut<'d> {
    content: &'d str,
}

impl<'d> StreamedOut<'d> {
    fn new(piece: &'d Piece<'_>) -> Self {
        Self::of_text(&piece.text)
    }

    const fn of_text(content: &'d str) -> Self {
        Self { delta: SaidOut { content }, finish_reason: None, stop_reason: None }
    }
}

/// As translations answer; transcriptions name the seconds of audio too, which are not known here.
#[derive(Serialize)]
struct WholeOut {
    text: String,
}

/// What it has no field for.
const WITHOUT: &[Setting] = &[
    Setting::MinTokens,
    Setting::Logprobs,
    Setting::Stop,
    Setting::StopTokenIds,
    Setting::Choices,
];

const TYPES: &[(&str, &str)] = &[
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("mp3", "audio/mpeg"),
    ("mpga", "audio/mpeg"),
    ("mpeg", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("webm", "audio/webm"),
];
