//! See `vswitch::classify::fuzz::fuzz_classify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::classify::fuzz::fuzz_classify(data));
