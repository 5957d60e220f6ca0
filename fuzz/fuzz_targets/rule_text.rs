//! See `vswitch::cli::rule_text::fuzz_rule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::cli::rule_text::fuzz_rule(data));
