//! Any bytes are read or refused by the audio API, and what is read can be written.
#![no_main]

use tokometer_wire::api::OpenAiAudio;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::story(&OpenAiAudio, bytes));
