//! Any bytes are read or refused by the messages API, and what is read can be written.
#![no_main]

use tokometer_wire::api::AnthropicMessages;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::story(&AnthropicMessages, bytes));
