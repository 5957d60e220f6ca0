//! See `vswitch::control::api::fuzz::fuzz_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::control::api::fuzz::fuzz_request(data));
