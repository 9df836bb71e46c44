//! However a stream of events is cut, it gives the same events.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tokometer_fuzz::streams(bytes));
