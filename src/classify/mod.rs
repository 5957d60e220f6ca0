//! Rules → compiled classifier: rules in search order and a batch of keys in, the first match of each out.
//!
//! [`Compiled`] is what workers use: ranks for up to 64 rules, [`Trie`] for more. [`Linear`] is its slow obvious twin.

mod compiled;
pub mod fuzz;
mod keys;
mod linear;
mod ranks;
pub mod rule;
mod simd;
mod trie;

#[cfg(test)]
mod proof;
#[cfg(test)]
mod tests;

pub use compiled::{Compiled, TooManyRules};
pub use keys::{Key, Keys};
pub use linear::Linear;
pub use simd::Level;
pub use trie::Trie;

/// What the rules say of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule matches.
    None,
    /// The first rule that matches, by index.
    Match(u16),
    /// A rule that asks for ports was reached, its other fields match, and the packet's ports are not known.
    Unknown,
}
