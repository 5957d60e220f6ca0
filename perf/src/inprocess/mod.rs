//! Guests that each worker's own thread emulates, between its turns.
//!
//! Two CPUs hold a switch with two workers only if nobody needs a third for the guests. So the worker's thread turns an
//! [`Engine`] after each turn of its own, over real vhost-user rings of its own process. What the guests cost is
//! measured and told beside the rate. EAL is one per process, so every trial is a process: [`serve`] is its inside,
//! [`ask`] its outside.

mod inside;
mod outside;
mod point;

pub use inside::serve;
pub use outside::{Answer, COMMAND, Question, Set, ask};
pub use point::point;
