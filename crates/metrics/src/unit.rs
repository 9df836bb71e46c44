//! The units that figures are held in.
//!
//! Deliberately holds no conversion: whoever prints a figure in milliseconds converts it there.

/// The unit of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Tokens.
    Tokens,
    /// Output chunks.
    Chunks,
    /// Requests.
    Requests,
    /// Tokens per second.
    TokensPerSecond,
    /// Requests per second.
    RequestsPerSecond,
    /// Tokens per output chunk.
    TokensPerChunk,
    /// Hundredths.
    Percent,
    /// Bytes.
    Bytes,
    /// Inputs of requests that can bear several.
    Inputs,
    /// Inputs per second.
    InputsPerSecond,
    /// Steps of a model that denoises.
    Steps,
    /// So many times as fast as played.
    Times,
}

impl Unit {
    /// The unit as it stands behind a number: `tok/s`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Tokens => "tokens",
            Self::Chunks => "chunks",
            Self::Requests => "requests",
            Self::TokensPerSecond => "tok/s",
            Self::RequestsPerSecond => "req/s",
            Self::TokensPerChunk => "tokens/chunk",
            Self::Percent => "%",
            Self::Bytes => "B",
            Self::Inputs => "inputs",
            Self::InputsPerSecond => "inputs/s",
            Self::Steps => "steps",
            Self::Times => "×",
        }
    }
}
