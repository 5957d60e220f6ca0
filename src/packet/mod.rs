//! What a packet is to us: a buffer, its parsed headers, its place in a burst, and the reason of its fate.

pub mod buf;
pub mod burst;
pub mod fragments;
pub mod headers;
pub mod heap;
pub mod reason;
#[cfg(test)]
mod reason_table;

pub use buf::{Exhausted, Meta, PacketBuf};
pub use burst::{BURST, Burst, Lanes};
pub use headers::{Headers, Kind};
pub use heap::HeapBuf;
pub use reason::{Direction, Reason, Stage};
