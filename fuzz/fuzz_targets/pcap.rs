//! See `vswitch::replay::pcap::fuzz_pcap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vswitch::replay::pcap::fuzz_pcap(data));
