//! What the responses of OpenAI's two APIs have in common: the envelope around the choices, usage, errors, `[DONE]`.
//!
//! **Hot path.** The client reads every event of every stream through [`delta`]: texts are borrowed from the event where they
//! bear no escapes, and fields that do not matter are skipped without being kept. Written is what vLLM 0.32 writes, field for
//! field, so that a client that reads the simulator reads vLLM.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{DecodeError, Reply};
use crate::{Channel, Delta, Piece, Usage, error_message, sse};

/// A choice of a response, as an API forms it.
pub(super) trait Choice<'e> {
    /// Adds what the choice says.
    fn tell(self, delta: &mut Delta<'e>);
}

/// What one event's data tells.
#[inline]
pub(super) fn delta<'e, C: Choice<'e> + Deserialize<'e>>(
    data: &'e [u8],
) -> Result<Delta<'e>, DecodeError> {
    match data.trim_ascii() {
        // Some proxies keep a stream alive with empty events.
        b"" => Ok(Delta::default()),
        b"[DONE]" => Ok(Delta { done: true, ..Delta::default() }),
        data => read::<C>(data).map(|(delta, _)| delta),
    }
}

/// What a whole body tells.
pub(super) fn body<'e, C: Choice<'e> + Deserialize<'e>>(
    body: &'e [u8],
) -> Result<Delta<'e>, DecodeError> {
    match read::<C>(body.trim_ascii())? {
        (delta, false) if delta.error.is_none() => {
            Err(DecodeError::Field("the response has no choices".into()))
        }
        (delta, _) => Ok(delta),
    }
}

/// What a response or a part of one tells, and whether it has choices at all.
#[inline]
fn read<'e, C: Choice<'e> + Deserialize<'e>>(
    json: &'e [u8],
) -> Result<(Delta<'e>, bool), DecodeError> {
    let envelope: Envelope<'e, C> = serde_json::from_slice(object(json)?)?;
    if (envelope.error.is_some() || envelope.object.is_some_and(|object| object.0 == "error"))
        && let Some(error) = error(json)?
    {
        return Ok((Delta { error: Some(error.into()), ..Delta::default() }, false));
    }
    let has_choices = envelope.choices.is_some();
    let told = envelope.choices.map_or_else(Delta::default, |choices| choices.told);
    Ok((Delta { usage: envelope.usage.and_then(|counts| counts.usage()), ..told }, has_choices))
}

/// JSON that begins as an object does: serde would take a list for one, its items for the fields.
#[inline]
pub(super) fn object(json: &[u8]) -> Result<&[u8], DecodeError> {
    match json.first() {
        Some(b'{') => Ok(json),
        _ => Err(DecodeError::Field("expected a JSON object".into())),
    }
}

/// The message of a response that may be an error.
#[cold]
pub(super) fn error(json: &[u8]) -> Result<Option<String>, DecodeError> {
    Ok(error_message::told(&serde_json::from_slice(json)?))
}

/// A text that is borrowed where it can be, also within an `Option`, where serde would copy a plain `Cow`.
#[derive(Deserialize)]
pub(super) struct Text<'e>(#[serde(borrow)] Cow<'e, str>);

impl<'e> Text<'e> {
    /// The text, unless it is empty.
    #[inline]
    pub(super) fn some(text: Option<Self>) -> Option<Cow<'e, str>> {
        text.map(|text| text.0).filter(|text| !text.is_empty())
    }

    /// Whether it is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0 == text
    }

    /// The text as it is.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Adds a piece of output, if there is any text.
#[inline]
pub(super) fn add<'e>(
    delta: &mut Delta<'e>,
    choice: Option<u32>,
    channel: Channel,
    text: Option<Text<'e>>,
) {
    if let Some(text) = Text::some(text) {
        delta.pieces.push(Piece { choice: choice.unwrap_or(0), channel, text });
    }
}

/// Notes why a choice ended, unless another choice has ended already.
#[inline]
pub(super) fn end<'e>(delta: &mut Delta<'e>, reason: Option<Text<'e>>) {
    // Some servers send an empty reason until there is one.
    if let Some(reason) = Text::some(reason) {
        delta.finish_reason.get_or_insert(reason);
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "C: Choice<'e> + Deserialize<'de>"))]
struct Envelope<'e, C> {
    #[serde(borrow)]
    choices: Option<Choices<'e, C>>,
    usage: Option<Counts>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Option<Text<'e>>,
}

/// What all choices say. Each is heard as it is read: to collect them first would cost more than to read them.
struct Choices<'e, C> {
    told: Delta<'e>,
    form: PhantomData<C>,
}

impl<'de: 'e, 'e, C: Choice<'e> + Deserialize<'de>> Deserialize<'de> for Choices<'e, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self { told: Delta::default(), form: PhantomData })
    }
}

impl<'de: 'e, 'e, C: Choice<'e> + Deserialize<'de>> Visitor<'de> for Choices<'e, C> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut choices: A) -> Result<Self, A::Error> {
        while let Some(choice) = choices.next_element::<C>()? {
            choice.tell(&mut self.told);
        }
        Ok(self)
    }
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Details {
    cached_tokens: Option<u32>,
}

impl Counts {
    /// The usage, if both counts are there or follow from the total.
    fn usage(&self) -> Option<Usage> {
        let without = |part: Option<u32>| {
            let rest = self.total_tokens?.checked_sub(part?.into())?;
            u32::try_from(rest).ok()
        };
        let prompt_tokens = self.prompt_tokens.or_else(|| without(self.completion_tokens))?;
        Some(Usage {
            prompt_tokens: Some(prompt_tokens),
            completion_tokens: self.completion_tokens.or_else(|| without(self.prompt_tokens))?,
            cached_tokens: self.prompt_tokens_details.as_ref().and_then(|told| told.cached_tokens),
        })
    }
}

/// Writes what is alike in every API: the end of a stream, and an error in it. Whether `delta` was one of them.
pub(super) fn write_end(delta: &Delta<'_>, into: &mut BytesMut) -> bool {
    if delta.done {
        sse::write(into, |into| into.extend_from_slice(b"[DONE]"));
    } else if let Some(message) = &delta.error {
        sse::write(into, |into| write_error(message, into));
    } else {
        return false;
    }
    true
}

/// Writes the JSON of an error inside the server.
pub(super) fn write_error(message: &str, into: &mut BytesMut) {
    let error = Error { message, r#type: "InternalServerError", param: (), code: 500 };
    write_json(&Failed { error }, into);
}

/// What one event of a stream says, in vLLM's order.
#[derive(Serialize)]
pub(super) struct Chunk<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_fingerprint: Option<&'static str>,
    /// Nulls that vLLM sends with the opening event of a chat only.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<Null>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_text: Option<Null>,
}

impl<'a, C: Serialize> Chunk<'a, C> {
    /// An event with these choices. Without any it is the event of usage at the stream's end.
    pub(super) fn new(
        reply: &Reply<'a>,
        object: &'static str,
        choices: &'a [C],
        usage: Option<Usage>,
    ) -> Self {
        let last = choices.is_empty();
        Self {
            id: reply.id,
            object,
            created: reply.created,
            model: reply.model,
            choices,
            usage: usage.map(if last { Counted::at_the_end } else { Counted::meanwhile }),
            system_fingerprint: last.then_some(FINGERPRINT),
            prompt_token_ids: None,
            prompt_text: None,
        }
    }

    /// The same as an event that ends a choice: it is the last, and signed, unless one of usage follows.
    pub(super) fn ending(self, reply: &Reply<'_>) -> Self {
        let signed = (!reply.usage_follows).then_some(FINGERPRINT);
        Self { system_fingerprint: self.system_fingerprint.or(signed), ..self }
    }

    /// The same as the opening event of a chat.
    pub(super) fn opening(self) -> Self {
        Self { prompt_token_ids: Some(()), prompt_text: Some(()), ..self }
    }

    pub(super) fn write(&self, into: &mut BytesMut) {
        sse::write(into, |into| write_json(self, into));
    }
}

/// What a whole body says, in vLLM's order.
#[derive(Serialize)]
pub(super) struct Whole<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    service_tier: Null,
    system_fingerprint: &'static str,
    usage: Option<Counted>,
    /// Nulls of chats only.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_logprobs: Option<Null>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<Null>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_text: Option<Null>,
    kv_transfer_params: Null,
    ec_transfer_params: Null,
    metrics: Null,
}

impl<'a, C: Serialize> Whole<'a, C> {
    /// The body of a completion with these choices.
    pub(super) fn new(
        reply: &Reply<'a>,
        object: &'static str,
        choices: &'a [C],
        usage: Option<Usage>,
    ) -> Self {
        Self {
            id: reply.id,
            object,
            created: reply.created,
            model: reply.model,
            choices,
            service_tier: (),
            system_fingerprint: FINGERPRINT,
            usage: usage.map(Counted::whole),
            prompt_logprobs: None,
            prompt_token_ids: None,
            prompt_text: None,
            kv_transfer_params: (),
            ec_transfer_params: (),
            metrics: (),
        }
    }

    /// The same as the body of a chat.
    pub(super) fn of_chat(self) -> Self {
        let null = Some(());
        Self { prompt_logprobs: null, prompt_token_ids: null, prompt_text: null, ..self }
    }

    pub(super) fn write(&self, into: &mut BytesMut) {
        write_json(self, into);
    }
}

/// Usage as vLLM writes it: which of its details are there depends on where it stands.
#[derive(Serialize)]
pub(super) struct Counted {
    prompt_tokens: u32,
    total_tokens: u64,
    completion_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<Option<Details>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<Null>,
}

impl Counted {
    pub(super) fn at_the_end(usage: Usage) -> Self {
        let details = usage.cached_tokens.map(|cached| Details { cached_tokens: Some(cached) });
        let prompt_tokens = usage.prompt_tokens.unwrap_or(0);
        Self {
            prompt_tokens,
            total_tokens: u64::from(prompt_tokens) + u64::from(usage.completion_tokens),
            completion_tokens: usage.completion_tokens,
            prompt_tokens_details: details.map(Some),
            completion_tokens_details: None,
        }
    }

    fn meanwhile(usage: Usage) -> Self {
        Self { completion_tokens_details: Some(()), ..Self::at_the_end(usage) }
    }

    fn whole(usage: Usage) -> Self {
        let counted = Self::meanwhile(usage);
        Self { prompt_tokens_details: Some(counted.prompt_tokens_details.flatten()), ..counted }
    }
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Null,
    code: u16,
}

/// Writes a value as JSON, without line ends.
pub(super) fn write_json(value: &impl Serialize, into: &mut BytesMut) {
    serde_json::to_writer(into.writer(), value)
        .expect("these structs are JSON, and memory takes it");
}

/// Written as `null`.
pub(super) type Null = ();

/// Who answers. vLLM names its version here.
const FINGERPRINT: &str = concat!("tokometer-", env!("CARGO_PKG_VERSION"));
