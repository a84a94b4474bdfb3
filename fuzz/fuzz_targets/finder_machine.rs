//! See `openpeer_fuzz::finder_machine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| openpeer_fuzz::finder_machine(data));
