//! See `vswitch::ctl::doctor::fuzz_texts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::ctl::doctor::fuzz_texts(data));
