//! See `vswitch::control::store::snapshot::fuzz_snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::control::store::snapshot::fuzz_snapshot(data));
