//! See `openpeer_fuzz::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| openpeer_fuzz::envelope(data));
