//! See `openpeer_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| openpeer_fuzz::frame(data));
