//! Any bytes are read or refused by the responses API, and what is read can be written.
#![no_main]

use tokometer_wire::api::OpenAiResponses;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::story(&OpenAiResponses, bytes));
