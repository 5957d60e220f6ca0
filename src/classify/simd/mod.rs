//! What the CPU can, and the classifier's inner loops for each: the only place of the pure part with `unsafe`.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod leaf_avx2;
#[cfg(target_arch = "x86_64")]
mod leaf_avx512;
mod ranks;
#[cfg(target_arch = "x86_64")]
mod ranks_avx2;
#[cfg(target_arch = "x86_64")]
mod ranks_avx512;

use std::sync::OnceLock;

use super::Verdict;
use super::keys::Keys;
use super::ranks::Ranks;
use super::trie::leaf::Block;
use super::trie::walk::{self, Tables};
use crate::packet::BURST;

/// Width of the registers that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None beside those that every CPU has.
    Scalar,
    /// 256 bits.
    Avx2,
    /// 512 bits.
    Avx512,
}

impl Level {
    /// All, narrowest first.
    pub const ALL: [Level; 3] = [Level::Scalar, Level::Avx2, Level::Avx512];

    /// As `VSWITCH_SIMD` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Can this CPU?
    #[must_use]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = || {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
            };
            let avx512 = || {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512cd")
                    && is_x86_feature_detected!("popcnt")
            };
            match self {
                Level::Scalar => true,
                Level::Avx2 => avx2(),
                Level::Avx512 => avx2() && avx512(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Level::Scalar
        }
    }

    /// What the environment variable `VSWITCH_SIMD` asks for, or the widest that the CPU has.
    ///
    /// # Errors
    /// One sentence: the variable names no level, or one that the CPU lacks.
    pub fn from_environment() -> Result<Self, String> {
        let widest = Level::ALL.into_iter().rev().find(|l| l.is_available()).unwrap_or(Level::Scalar);
        // What is not UTF-8 is no name of a level either.
        let Some(wanted) = std::env::var_os("VSWITCH_SIMD").map(|value| value.to_string_lossy().into_owned()) else {
            return Ok(widest);
        };
        let Some(level) = Level::ALL.into_iter().find(|l| l.name() == wanted) else {
            return Err(format!("VSWITCH_SIMD = {wanted:?}: scalar, avx2 or avx512"));
        };
        if level.is_available() { Ok(level) } else { Err(format!("VSWITCH_SIMD = {wanted}: this CPU has not got it")) }
    }

    /// The same, asked once; scalar where that is an error, which `vswitch` refuses before anything else.
    #[must_use]
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Level> = OnceLock::new();
        *CHOSEN.get_or_init(|| Level::from_environment().unwrap_or(Level::Scalar))
    }
}

/// The first match of each key by its ranks; ports that are not known match any.
#[inline]
pub(super) fn ranks(level: Level, table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level is only chosen where the CPU has it (`Compiled::with_level` asks).
        Level::Avx512 => unsafe { ranks_avx512::classify(table, keys, verdicts) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 => unsafe { ranks_avx2::classify(table, keys, verdicts) },
        _ => ranks::classify(table, keys, verdicts),
    }
}

/// The first match of each key by the trie.
#[inline]
pub(super) fn trie(level: Level, keys: &Keys, tables: Tables<'_>, verdicts: &mut [Verdict; BURST]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx512 => unsafe { leaf_avx512::classify(keys, tables, verdicts) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 => unsafe { leaf_avx2::classify(keys, tables, verdicts) },
        _ if keys.len() <= walk::FEW => walk::few(keys, tables, Block::first, verdicts),
        _ => walk::search(keys, tables, Block::first, verdicts),
    }
}
