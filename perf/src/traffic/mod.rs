//! The generator's frames, and how each is verified when it comes back.
//!
//! A stream is what one port sends to another: UDP, its frames numbered from 0. The number alone says flow, length and
//! every byte, so a frame that comes back, or the copy of one, is compared with what was sent without keeping it.

mod copy;
mod frame;
mod track;

pub use copy::{CopyFault, Outer, check_copy, outer_of};
pub use frame::{Endpoint, HEADERS, MAX_FRAME, MIN_FRAME, Stamp, Stream, StreamSpec};
pub use track::{Sampling, Seen, Tracker};
