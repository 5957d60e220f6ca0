//! Ranks by AVX-512: sixteen addresses or thirty-two ports walk their tree at once, its levels in registers. A few keys
//! are looked at one by one, each compared with all bounds.

use std::arch::x86_64::*;

use super::ranks::{Found, combine, first, places};
use crate::classify::Verdict;
use crate::classify::keys::Keys;
use crate::classify::ranks::{Addresses, PortsField, Ranks};
use crate::packet::BURST;

/// Keys up to which one by one is quicker.
const FEW: usize = 6;

/// First matches.
///
/// # Safety
/// The CPU has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn classify(table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    let len = keys.len.min(BURST);
    if len <= FEW {
        for at in 0..len {
            verdicts[at] = one(table, keys, at);
        }
        return;
    }
    let mut found = Found::NONE;
    for half in 0..len.div_ceil(32) {
        let at = 32 * half;
        for quarter in [at, at + 16] {
            // SAFETY: 16 values from a multiple of 16 below 64, in arrays of 64.
            unsafe {
                let load = |from: &[u32; BURST]| _mm512_loadu_si512(from.as_ptr().add(quarter).cast());
                let (src, dst) = (addresses(&table.src, load(&keys.src)), addresses(&table.dst, load(&keys.dst)));
                _mm_storeu_si128(found.src.as_mut_ptr().add(quarter).cast(), src);
                _mm_storeu_si128(found.dst.as_mut_ptr().add(quarter).cast(), dst);
            }
        }
        let known = (keys.known >> at) as u32;
        // SAFETY: 32 values from 0 or 32, in arrays of 64.
        unsafe {
            let load = |from: &[u16; BURST]| _mm512_loadu_si512(from.as_ptr().add(at).cast());
            let src_port = ports(&table.src_port, load(&keys.src_port), known);
            let dst_port = ports(&table.dst_port, load(&keys.dst_port), known);
            _mm256_storeu_si256(found.src_port.as_mut_ptr().add(at).cast(), src_port);
            _mm256_storeu_si256(found.dst_port.as_mut_ptr().add(at).cast(), dst_port);
        }
    }
    combine(table, keys, &found, verdicts);
}

/// Ranks of sixteen addresses.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn addresses(field: &Addresses, values: __m512i) -> __m128i {
    let (levels, tree) = (field.levels, places(&field.tree));
    // SAFETY: the tree has 2^levels places, at least a line of 16; which line a level needs, it has.
    let line = |n: usize| unsafe { _mm512_load_si512(tree.add(16 * n).cast()) };
    let one = _mm512_set1_epi32(1);
    let down = |place: __m512i, bound: __m512i| {
        let right = _mm512_cmple_epu32_mask(bound, values);
        let twice = _mm512_add_epi32(place, place);
        _mm512_mask_add_epi32(twice, right, twice, one)
    };
    let mut place = one;
    let top = line(0);
    let rest = if levels > 4 { line(1) } else { top };
    for _ in 0..levels.min(5) {
        place = down(place, _mm512_permutex2var_epi32(top, place, rest));
    }
    if levels > 5 {
        place = down(place, _mm512_permutex2var_epi32(line(2), place, line(3)));
    }
    if levels > 6 {
        let lower = _mm512_permutex2var_epi32(line(4), place, line(5));
        let upper = _mm512_permutex2var_epi32(line(6), place, line(7));
        let is_upper = _mm512_test_epi32_mask(place, _mm512_set1_epi32(32));
        place = down(place, _mm512_mask_blend_epi32(is_upper, lower, upper));
    }
    _mm512_cvtepi32_epi8(_mm512_and_si512(place, _mm512_set1_epi32((1 << levels) - 1)))
}

/// Ranks of thirty-two ports, where they are known.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn ports(field: &PortsField, values: __m512i, known: u32) -> __m256i {
    let (levels, tree) = (field.levels, places(&field.tree));
    // SAFETY: the tree has 2^levels places, at least a line of 32; which line a level needs, it has.
    let line = |n: usize| unsafe { _mm512_load_si512(tree.add(32 * n).cast()) };
    let one = _mm512_set1_epi16(1);
    let down = |place: __m512i, bound: __m512i| {
        let right = _mm512_cmple_epu16_mask(bound, values);
        let twice = _mm512_add_epi16(place, place);
        _mm512_mask_add_epi16(twice, right, twice, one)
    };
    let mut place = one;
    let top = line(0);
    for _ in 0..levels.min(5) {
        place = down(place, _mm512_permutexvar_epi16(place, top));
    }
    if levels > 5 {
        place = down(place, _mm512_permutexvar_epi16(place, line(1)));
    }
    if levels > 6 {
        place = down(place, _mm512_permutex2var_epi16(line(2), place, line(3)));
    }
    let rank = _mm512_and_si512(place, _mm512_set1_epi16((1 << levels) - 1));
    _mm512_cvtepi16_epi8(_mm512_mask_blend_epi16(known, _mm512_set1_epi16(1 << levels), rank))
}

/// The first match of one key.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn one(table: &Ranks, keys: &Keys, at: usize) -> Verdict {
    let known = keys.known >> at & 1 == 1;
    let rules = table.src.maps[address(&table.src, keys.src[at])]
        & table.dst.maps[address(&table.dst, keys.dst[at])]
        & table.src_port.maps[port(&table.src_port, keys.src_port[at], known)]
        & table.dst_port.maps[port(&table.dst_port, keys.dst_port[at], known)]
        & table.kinds[usize::from(keys.kind[at] & 7)];
    first(rules)
}

/// The rank of one address: how many bounds are not above it. Places without a bound count for the largest value alone.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn address(field: &Addresses, value: u32) -> usize {
    let value = _mm512_set1_epi32(value.cast_signed());
    let mut rank = 0;
    for line in &field.tree {
        // SAFETY: a line is 64 bytes, and aligned to them.
        let bounds = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
        rank += _mm512_cmple_epu32_mask(bounds, value).count_ones() as usize;
    }
    rank.min((1 << field.levels) - 1)
}

/// The same of a port.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn port(field: &PortsField, value: u16, known: bool) -> usize {
    let value = _mm512_set1_epi16(value.cast_signed());
    let mut rank = 0;
    for line in &field.tree {
        // SAFETY: a line is 64 bytes, and aligned to them.
        let bounds = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
        rank += _mm512_cmple_epu16_mask(bounds, value).count_ones() as usize;
    }
    if known { rank.min((1 << field.levels) - 1) } else { 1 << field.levels }
}
