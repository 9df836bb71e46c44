//! Any bytes are read or refused by the API of SGLang, and what is read can be written.
#![no_main]

use tokometer_wire::api::SglangGenerate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::story(&SglangGenerate, bytes));
