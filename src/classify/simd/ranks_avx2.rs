//! Ranks by AVX2: eight values walk their tree at once, a level's bounds in one register or a few.

use std::arch::x86_64::*;

use super::ranks::{Found, combine, places};
use crate::classify::Verdict;
use crate::classify::keys::{Keys, Kind};
use crate::classify::ranks::Ranks;
use crate::packet::BURST;

/// Keys up to which one by one is quicker.
const FEW: usize = 3;

/// First matches.
///
/// # Safety
/// The CPU has the features.
#[target_feature(enable = "avx2,bmi1")]
pub(super) unsafe fn classify(table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    if keys.len <= FEW {
        return super::ranks::classify(table, keys, verdicts);
    }
    let mut found = Found::NONE;
    for at in (0..keys.len.min(BURST)).step_by(8) {
        // SAFETY: 8 values from a multiple of 8 below 64, in arrays of 64.
        unsafe {
            let load = |from: &[u32; BURST]| _mm256_loadu_si256(from.as_ptr().add(at).cast());
            // SAFETY: eight places of a level that the tree has, or of its first eight, which it always has.
            let address = |tree: *const u32, n: usize| _mm256_load_si256(tree.add(n).cast());
            let port = |tree: *const u16, n: usize| _mm256_cvtepu16_epi32(_mm_load_si128(tree.add(n).cast()));

            let (field, tree) = (&table.src, places(&table.src.tree));
            store(&mut found.src, at, ranks(field.levels, load(&keys.src), |n| address(tree, n)));
            let (field, tree) = (&table.dst, places(&table.dst.tree));
            store(&mut found.dst, at, ranks(field.levels, load(&keys.dst), |n| address(tree, n)));

            let (kinds, pairs) = (kinds(keys, at), load(&keys.ports));
            let (field, tree) = (&table.src_port, places(&table.src_port.tree));
            let rank = ranks(field.levels, _mm256_srli_epi32::<16>(pairs), |n| port(tree, n));
            let by_kind = _mm256_or_si256(_mm256_slli_epi32::<3>(rank), kinds);
            let words = _mm_packus_epi32(_mm256_castsi256_si128(by_kind), _mm256_extracti128_si256::<1>(by_kind));
            _mm_storeu_si128(found.src_port.as_mut_ptr().add(at).cast(), words);
            let (field, tree) = (&table.dst_port, places(&table.dst_port.tree));
            let rank = ranks(field.levels, _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff)), |n| port(tree, n));
            let known = _mm256_cmpgt_epi32(_mm256_set1_epi32(Kind::TcpUnknown as i32), kinds);
            store(&mut found.dst_port, at, _mm256_blendv_epi8(_mm256_set1_epi32(1 << field.levels), rank, known));
        }
    }
    // SAFETY: BMI1 is among the features.
    unsafe { combine(table, keys.len, &found, verdicts) };
}

/// Ranks of eight values in a tree whose places from n on `eight` gives.
#[inline]
#[target_feature(enable = "avx2,bmi1")]
fn ranks(levels: usize, values: __m256i, eight: impl Fn(usize) -> __m256i) -> __m256i {
    let mut place = _mm256_set1_epi32(1);
    let down = |place: __m256i, bound: __m256i| {
        // Unsigned: a bound is not above the value where the larger of both is the value.
        let right = _mm256_cmpeq_epi32(_mm256_max_epu32(bound, values), values);
        _mm256_sub_epi32(_mm256_add_epi32(place, place), right)
    };
    let top = eight(0);
    for _ in 0..levels.min(3) {
        place = down(place, _mm256_permutevar8x32_epi32(top, place));
    }
    for level in 3..levels {
        place = down(place, bounds(level, place, &eight));
    }
    _mm256_and_si256(place, _mm256_set1_epi32((1 << levels) - 1))
}

/// Bounds of a level of 8, 16, 32 or 64 places.
#[inline]
#[target_feature(enable = "avx2,bmi1")]
fn bounds(level: usize, place: __m256i, eight: &impl Fn(usize) -> __m256i) -> __m256i {
    let begin = 1 << level;
    let of = |n: usize| _mm256_permutevar8x32_epi32(eight(begin + 8 * n), place);
    // The place's bit 3, 4 or 5 says which of two; where it is the sign, a blend sees it.
    let bit = |n: i32| _mm256_castsi256_ps(_mm256_sll_epi32(place, _mm_cvtsi32_si128(31 - n)));
    let pick = |a: __m256i, b: __m256i, bit: __m256| {
        _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), bit))
    };
    let two = |n: usize| pick(of(n), of(n + 1), bit(3));
    let four = |n: usize| pick(two(n), two(n + 2), bit(4));
    match level {
        3 => of(0),
        4 => two(0),
        5 => four(0),
        _ => pick(four(0), four(4), bit(5)),
    }
}

/// Eight kinds.
#[inline]
#[target_feature(enable = "avx2,bmi1")]
fn kinds(keys: &Keys, at: usize) -> __m256i {
    // SAFETY: 8 bytes from a multiple of 8 below 64, in an array of 64.
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(keys.kind.as_ptr().add(at).cast())) }
}

/// Eight ranks as bytes.
#[inline]
#[target_feature(enable = "avx2,bmi1")]
fn store(into: &mut [u8; BURST], at: usize, ranks: __m256i) {
    let words = _mm_packus_epi32(_mm256_castsi256_si128(ranks), _mm256_extracti128_si256::<1>(ranks));
    let bytes = _mm_packus_epi16(words, words);
    // SAFETY: 8 bytes from a multiple of 8 below 64, in an array of 64.
    unsafe { _mm_storel_epi64(into.as_mut_ptr().add(at).cast(), bytes) };
}
