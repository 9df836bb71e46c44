//! What a request may ask for: what cannot be met is refused, in vLLM's words and in vLLM's order.
//!
//! Deliberately looks at numbers only: what a prompt says is nobody's affair here.

use serde_json::Value;
use tokometer_wire::Asked;

use crate::server::prompt::Measured;
use crate::server::refusal::Refusal;

/// Refuses an output that is longer than the context, before its prompt is looked at.
pub(crate) fn check_limits(asked: &Asked, context: u32) -> Result<(), Refusal> {
    let parameter = LIMITS.iter().find(|name| asked.fields.contains_key(**name));
    let parameter = parameter.copied().unwrap_or("max_new_tokens");
    match asked.max_tokens {
        Some(most) if most > context => {
            let message = format!(
                "{parameter}={most} cannot be greater than max_model_len={context}. Please request fewer output tokens."
            );
            Err(Refusal::parameter(&message, parameter, most))
        }
        _ => Ok(()),
    }
}

/// Refuses a prompt that is longer than the context even without any output.
pub(crate) fn check_prompt(prompt: &Measured, context: u32) -> Result<(), Refusal> {
    if prompt.longest <= context {
        return Ok(());
    }
    // vLLM's tokenizer goes no further than one token too many.
    let known = if prompt.exact { prompt.longest } else { context + 1 };
    let qualifier = if known == context + 1 { "at least " } else { "" };
    let message = format!(
        "This model's maximum context length is {context} tokens. However, your prompt contains {qualifier}{known} \
         input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input \
         prompt."
    );
    Err(Refusal::parameter(&message, "input_tokens", known))
}

/// Refuses ways to generate that there are not. An output that has no room beside its prompt is cut short, and only one that has none at
/// all is refused.
pub(crate) fn check_sampling(asked: &Asked, prompt: u32, context: u32) -> Result<(), Refusal> {
    let n = asked.n;
    if n == 0 {
        return Err(Refusal::bad("n must be at least 1, got 0."));
    }
    if n > MOST_CHOICES {
        return Err(Refusal::bad(&format!("n must be at most {MOST_CHOICES}, got {n}.")));
    }
    check_draws(asked)?;
    let room = context.saturating_sub(prompt);
    let most = asked.max_tokens.unwrap_or(room).min(room);
    if most == 0 {
        return Err(Refusal::parameter("max_tokens must be at least 1, got 0.", "max_tokens", 0));
    }
    if let Some(least) = asked.min_tokens.filter(|least| *least > most) {
        return Err(Refusal::bad(&format!(
            "min_tokens must be less than or equal to max_tokens={most}, got {least}."
        )));
    }
    if asked.stop.iter().any(String::is_empty) {
        return Err(Refusal::bad("stop cannot contain an empty string."));
    }
    if n > 1 && number(asked, "temperature").is_some_and(|temperature| temperature < GREEDY) {
        let message = format!("n must be 1 when using greedy sampling, got {n}.");
        return Err(Refusal::bad(&message));
    }
    match asked.logprobs {
        Some(wanted) if wanted > MOST_LOGPROBS => {
            let message = format!(
                "Requested sample logprobs of {wanted}, which is greater than max allowed: {MOST_LOGPROBS}"
            );
            Err(Refusal::parameter(&message, "logprobs", wanted))
        }
        _ => Ok(()),
    }
}

/// Refuses ways to draw a token that there are not.
fn check_draws(asked: &Asked) -> Result<(), Refusal> {
    for name in ["presence_penalty", "frequency_penalty"] {
        if let Some(penalty) = number(asked, name).filter(|value| !(-2.0..=2.0).contains(value)) {
            return Err(Refusal::bad(&format!("{name} must be in [-2, 2], got {penalty:?}.")));
        }
    }
    if let Some(penalty) = number(asked, "repetition_penalty").filter(|value| *value <= 0.0) {
        let message = format!("repetition_penalty must be greater than zero, got {penalty:?}.");
        return Err(Refusal::bad(&message));
    }
    if let Some(temperature) = number(asked, "temperature") {
        let wrong = |range: &str| {
            let message = format!("temperature must be {range}, got {temperature:?}.");
            Err(Refusal::parameter(&message, "temperature", format!("{temperature:?}")))
        };
        match temperature {
            ..0.0 => return wrong("non-negative"),
            0.0..=2.0 => {}
            _ => return wrong("in [0, 2]"),
        }
    }
    if let Some(p) = number(asked, "top_p").filter(|p| *p <= 0.0 || *p > 1.0) {
        let message = format!("top_p must be in (0, 1], got {p:?}.");
        return Err(Refusal::parameter(&message, "top_p", format!("{p:?}")));
    }
    if let Some(k) = asked.fields.get("top_k").and_then(Value::as_i64).filter(|k| *k < -1) {
        let message = format!("top_k must be 0 (disable), or at least 1, got {k}.");
        return Err(Refusal::bad(&message));
    }
    match number(asked, "min_p").filter(|p| !(0.0..=1.0).contains(p)) {
        Some(p) => Err(Refusal::bad(&format!("min_p must be in [0, 1], got {p:?}."))),
        None => Ok(()),
    }
}

/// The number in a field, if there is one.
fn number(asked: &Asked, name: &str) -> Option<f64> {
    asked.fields.get(name).and_then(Value::as_f64)
}

/// The most choices of a request. vLLM's own limit, 16384, would let one request fill a simulator's memory.
const MOST_CHOICES: u32 = 128;

/// The most log probabilities at each place: vLLM's default.
const MOST_LOGPROBS: u32 = 20;

/// The temperature below which vLLM takes the likeliest token.
const GREEDY: f64 = 1e-5;

/// What the most tokens to generate are called, by the APIs that have it among their fields.
const LIMITS: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
