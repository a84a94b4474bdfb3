//! See `openpeer_fuzz::peer_machine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| openpeer_fuzz::peer_machine(data));
