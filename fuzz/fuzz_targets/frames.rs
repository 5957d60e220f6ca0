//! See `vswitch::replay::fuzz::fuzz_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::replay::fuzz::fuzz_frames(data));
