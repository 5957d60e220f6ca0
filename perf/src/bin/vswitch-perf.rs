//! `vswitch-perf`: measures the switch beside its peers.

fn main() {}
