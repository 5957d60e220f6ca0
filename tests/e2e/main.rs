//! The switch as a process, guests over vhost-user, real rings. Each test has a switch, sockets and ports of its own;
//! they take turns, since CPUs and hugepages are one per machine.
#![cfg(feature = "dpdk")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bandwidth;
mod evidence;
mod failures;
mod fleet;
mod forwarding;
mod frames;
mod guests;
mod hitless;
mod hostile;
mod mirroring;
mod netns;
mod overload;
mod ports;
mod programs;
mod reload;
mod replay;
mod rings;
#[path = "../common/rpc.rs"]
mod rpc;
mod sdk;
mod second_opinion;
mod signals;
#[path = "../common/stream.rs"]
mod stream;
mod switch;
mod target;
mod traffic;
mod workers;
