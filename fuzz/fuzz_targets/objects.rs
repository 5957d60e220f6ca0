//! See `vswitch::control::fuzz_objects`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::control::fuzz_objects(data));
