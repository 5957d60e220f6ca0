//! See `vswitch::datapath::fuzz::fuzz_segments`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::datapath::fuzz::fuzz_segments(data));
