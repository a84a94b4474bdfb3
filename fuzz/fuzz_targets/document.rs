//! See `openpeer_fuzz::document`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| openpeer_fuzz::document(data));
