//! Ranks by AVX-512: sixteen addresses or thirty-two ports walk their tree at once, its levels in registers. A few keys
//! are looked at one by one, each compared with a tree's top at once.

use std::arch::x86_64::*;

use super::ranks::{Found, combine, down, first, places};
use crate::classify::Verdict;
use crate::classify::keys::{Keys, Kind};
use crate::classify::ranks::{Addresses, Field, KINDS, Line, PortsField, Ranks};
use crate::packet::BURST;

/// Keys up to which one by one is quicker.
const FEW: usize = 6;

/// Every second of 64 words, from the first, and from the second.
static EVEN: Line<u16, 32> = every_second(0);
static ODD: Line<u16, 32> = every_second(1);

const fn every_second(from: u16) -> Line<u16, 32> {
    let mut line = Line([0; 32]);
    let mut at = 0;
    while at < 32 {
        line.0[at] = 2 * at as u16 + from;
        at += 1;
    }
    line
}

/// First matches.
///
/// # Safety
/// The CPU has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
pub(super) unsafe fn classify(table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    let len = keys.len.min(BURST);
    if len <= FEW {
        return few(table, keys, len, verdicts);
    }
    let mut found = Found::NONE;
    // The upper and the lower halves of 32 pairs of ports.
    // SAFETY: 64 bytes each.
    let (even, odd) =
        unsafe { (_mm512_load_si512((&raw const EVEN).cast()), _mm512_load_si512((&raw const ODD).cast())) };
    for at in (0..len).step_by(16) {
        // SAFETY: 16 values from a multiple of 16 below 64, in arrays of 64.
        unsafe {
            let load = |from: &[u32; BURST]| _mm512_loadu_si512(from.as_ptr().add(at).cast());
            let (src, dst) = (addresses(&table.src, load(&keys.src)), addresses(&table.dst, load(&keys.dst)));
            _mm_storeu_si128(found.src.as_mut_ptr().add(at).cast(), src);
            _mm_storeu_si128(found.dst.as_mut_ptr().add(at).cast(), dst);
        }
    }
    for at in (0..len).step_by(32) {
        // SAFETY: 32 values from 0 or 32, in arrays of 64.
        unsafe {
            let pairs = keys.ports.as_ptr().add(at);
            let (low, high) = (_mm512_loadu_si512(pairs.cast()), _mm512_loadu_si512(pairs.add(16).cast()));
            let kinds = _mm256_loadu_si256(keys.kind.as_ptr().add(at).cast());
            let known = _mm256_cmplt_epu8_mask(kinds, _mm256_set1_epi8(Kind::TcpUnknown as i8));
            let src_port = ports(&table.src_port, _mm512_permutex2var_epi16(low, odd, high));
            let by_kind = _mm512_or_si512(_mm512_slli_epi16::<3>(src_port), _mm512_cvtepu8_epi16(kinds));
            _mm512_storeu_si512(found.src_port.as_mut_ptr().add(at).cast(), by_kind);
            let dst_port = ports(&table.dst_port, _mm512_permutex2var_epi16(low, even, high));
            let none = _mm512_set1_epi16(1 << table.dst_port.levels);
            let dst_port = _mm512_cvtepi16_epi8(_mm512_mask_blend_epi16(known, none, dst_port));
            _mm256_storeu_si256(found.dst_port.as_mut_ptr().add(at).cast(), dst_port);
        }
    }
    // SAFETY: BMI1 is among the features.
    unsafe { combine(table, len, &found, verdicts) };
}

/// One key after the other.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn few(table: &Ranks, keys: &Keys, len: usize, verdicts: &mut [Verdict; BURST]) {
    for (at, verdict) in verdicts.iter_mut().enumerate().take(len) {
        *verdict = one(table, keys, at);
    }
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
    for _ in 0..levels.min(4) {
        place = down(place, _mm512_permutexvar_epi32(place, top));
    }
    if levels > 4 {
        place = down(place, _mm512_permutexvar_epi32(place, line(1)));
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

/// Ranks of thirty-two ports.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn ports(field: &PortsField, values: __m512i) -> __m512i {
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
    _mm512_and_si512(place, _mm512_set1_epi16((1 << levels) - 1))
}

/// The first match of one key: a tree's top by one comparison with all of it, the rest step by step.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn one(table: &Ranks, keys: &Keys, at: usize) -> Verdict {
    let (kind, ports) = (usize::from(keys.kind[at]) % KINDS, keys.ports[at]);
    let src_port = kind + KINDS * port(&table.src_port, (ports >> 16) as u16);
    let dst_port = port(&table.dst_port, ports as u16);
    let dst_port = if kind < Kind::TcpUnknown as usize { dst_port } else { table.dst_port.places };
    first(table, address(&table.src, keys.src[at]), address(&table.dst, keys.dst[at]), src_port, dst_port)
}

/// The rank of one address.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn address(field: &Addresses, value: u32) -> usize {
    // SAFETY: the tree has at least a line, which is 64 bytes and aligned to them.
    let top = unsafe { _mm512_load_si512(places(&field.tree).cast()) };
    let below = _mm512_cmple_epu32_mask(top, _mm512_set1_epi32(value.cast_signed()));
    below_top(field, value, below.count_ones() as usize, 4)
}

/// The rank of one port.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,bmi1,bmi2,popcnt")]
fn port(field: &PortsField, value: u16) -> usize {
    // SAFETY: as above.
    let top = unsafe { _mm512_load_si512(places(&field.tree).cast()) };
    let below = _mm512_cmple_epu16_mask(top, _mm512_set1_epi16(value.cast_signed()));
    below_top(field, value, below.count_ones() as usize, 5)
}

/// From how many of the bounds of a tree's top, which has `top` levels at most, are not above a value down to its rank.
/// Places without a bound, the unused first one among them, count for the largest value alone.
#[inline(always)]
fn below_top<T: Copy + Ord, const N: usize>(field: &Field<T, N>, value: T, below: usize, top: usize) -> usize {
    let mut place = field.top + below.min(field.top - 1);
    if field.levels > top {
        place = down(field, value, place);
    }
    if field.levels > top + 1 {
        place = down(field, value, place);
    }
    if field.levels > top + 2 {
        place = down(field, value, place);
    }
    place & (field.places - 1)
}
