//! The compiled classifier: a layout for the rules' number and shape, chosen when they are compiled.

use super::Verdict;
use super::keys::Keys;
use super::ranks::{BOUNDS, RULES, Ranks};
use super::rule::Rule;
use super::simd::Level;
use super::trie::Trie;
use crate::packet::BURST;

/// More rules than an index can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} rules in one direction of one source; {max} are the most", max = u16::MAX)]
pub struct TooManyRules(pub usize);

/// Rules in search order, compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    layout: Layout,
    rules: usize,
}

#[derive(Clone, Debug)]
enum Layout {
    Ranks(Box<Ranks>),
    Trie(Trie),
}

impl Compiled {
    /// Compiles rules in search order, for this CPU.
    ///
    /// # Errors
    /// [`TooManyRules`] above 65,535.
    pub fn new(rules: &[Rule]) -> Result<Self, TooManyRules> {
        Self::with_level(rules, Level::chosen())
    }

    /// The same for another width of registers; one that the CPU lacks is [`Level::Scalar`].
    ///
    /// # Errors
    /// As above.
    pub fn with_level(rules: &[Rule], level: Level) -> Result<Self, TooManyRules> {
        if rules.len() > usize::from(u16::MAX) {
            return Err(TooManyRules(rules.len()));
        }
        let level = if level.is_available() { level } else { Level::Scalar };
        let layout = match Ranks::new(rules, level) {
            Some(ranks) => Layout::Ranks(Box::new(ranks)),
            None => Layout::Trie(Trie::with_level(rules, level)),
        };
        Ok(Compiled { layout, rules: rules.len() })
    }

    /// Judges each key of a batch; verdicts behind the last key are left alone.
    #[inline]
    pub fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        match &self.layout {
            Layout::Ranks(ranks) => ranks.classify(keys, verdicts),
            Layout::Trie(trie) => trie.classify(keys, verdicts),
        }
    }

    /// Which layout was chosen, and why.
    #[must_use]
    pub fn layout(&self) -> String {
        match &self.layout {
            Layout::Ranks(ranks) => {
                let [src, dst, src_port, dst_port] = ranks.levels();
                format!(
                    "ranks: {} rules are at most {RULES}; trees of {src}, {dst}, {src_port} and {dst_port} levels",
                    self.rules
                )
            }
            Layout::Trie(trie) if self.rules > RULES => {
                format!("trie: {} rules are more than {RULES}; {}", self.rules, trie.describe())
            }
            Layout::Trie(trie) => {
                format!("trie: {} rules with more than {BOUNDS} bounds in a field; {}", self.rules, trie.describe())
            }
        }
    }

    /// Number of rules.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules
    }

    /// No rules: nothing matches.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules == 0
    }

    /// Bytes of the compiled form.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.layout {
            Layout::Ranks(ranks) => ranks.bytes(),
            Layout::Trie(trie) => trie.bytes(),
        }
    }
}
