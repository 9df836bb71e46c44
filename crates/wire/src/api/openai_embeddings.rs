//! OpenAI's embeddings: inputs in, a vector each out.
//!
//! Vectors are read as JSON, of numbers or of text (`encoding_format: base64`). vLLM's binary forms are no JSON and are refused.

use super::result::{self, Embedding, ResultApi};

/// `/v1/embeddings`, with texts or token ids.
pub const OPENAI_EMBEDDINGS: ResultApi = ResultApi {
    name: "openai-embeddings",
    path: "/v1/embeddings",
    other_paths: &[],
    id_prefix: "embd-",
    truncates: true,
    may_leave_out: false,
    fields: result::input,
    prompt: result::prompt,
    answer: |reply, delta, into| result::write_list(reply, delta, Embedding::new, into),
};
