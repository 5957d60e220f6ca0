//! `vswitch-guest`: a vhost-user frontend with a TAP or a pcap behind it.
fn main() {}
