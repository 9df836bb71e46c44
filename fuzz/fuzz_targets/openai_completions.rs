//! Any bytes are read or refused by the completions API, and what is read can be written.
#![no_main]

use tokometer_wire::api::OpenAiCompletions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::codec(&OpenAiCompletions, bytes));
