//! Any bytes are read or refused by the chat API, and what is read can be written.
#![no_main]

use tokometer_wire::api::OpenAiChat;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::codec(&OpenAiChat, bytes));
