//! Any bytes are read or refused by the API of TGI, and what is read can be written.
#![no_main]

use tokometer_wire::api::TgiGenerate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::story(&TgiGenerate, bytes));
