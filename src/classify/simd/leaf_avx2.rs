//! Leaves of the trie with AVX2: sixteen rules in two halves.

use std::arch::x86_64::*;

use crate::classify::trie::leaf::{Block, LANES};
use crate::classify::trie::walk::{self, Tables};
use crate::classify::{Keys, Verdict};
use crate::packet::BURST;

/// The index of the first rule that matches.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn first(block: &Block, src: u32, dst: u32, ports: u32) -> u16 {
    // SAFETY: each array has the size of what is loaded from it, here or in halves below.
    let (src_port, src_span, dst_port, dst_span, src_bits, dst_bits) = unsafe {
        (
            _mm256_loadu_si256(block.src_port.as_ptr().cast()),
            _mm256_loadu_si256(block.src_span.as_ptr().cast()),
            _mm256_loadu_si256(block.dst_port.as_ptr().cast()),
            _mm256_loadu_si256(block.dst_span.as_ptr().cast()),
            _mm_loadu_si128(block.src_bits.as_ptr().cast()),
            _mm_loadu_si128(block.dst_bits.as_ptr().cast()),
        )
    };
    let halves = |nets: &[u32; LANES]| {
        let half = nets.as_ptr().cast::<__m256i>();
        // SAFETY: sixteen words are two halves.
        unsafe { (_mm256_loadu_si256(half), _mm256_loadu_si256(half.add(1))) }
    };
    let ((src_low, src_high), (dst_low, dst_high)) = (halves(&block.src), halves(&block.dst));
    // Nothing is left of the difference without the bits behind the prefix.
    let differs = |key: u32, nets, bits| {
        let free = _mm256_sub_epi32(_mm256_set1_epi32(32), _mm256_cvtepu8_epi32(bits));
        _mm256_srlv_epi32(_mm256_xor_si256(_mm256_set1_epi32(key as i32), nets), free)
    };
    let low = _mm256_or_si256(differs(src, src_low, src_bits), differs(dst, dst_low, dst_bits));
    let (src_bits, dst_bits) = (_mm_srli_si128::<8>(src_bits), _mm_srli_si128::<8>(dst_bits));
    let high = _mm256_or_si256(differs(src, src_high, src_bits), differs(dst, dst_high, dst_bits));
    let zero = _mm256_setzero_si256();
    let nets = _mm256_packs_epi32(_mm256_cmpeq_epi32(low, zero), _mm256_cmpeq_epi32(high, zero));
    let nets = _mm256_permute4x64_epi64::<0b11_01_10_00>(nets);
    let beyond =
        |port: u16, from, span| _mm256_subs_epu16(_mm256_sub_epi16(_mm256_set1_epi16(port as i16), from), span);
    let beyond =
        _mm256_or_si256(beyond((ports >> 16) as u16, src_port, src_span), beyond(ports as u16, dst_port, dst_span));
    let places = _mm256_and_si256(nets, _mm256_cmpeq_epi16(beyond, zero));
    let places = _mm_packs_epi16(_mm256_castsi256_si128(places), _mm256_extracti128_si256::<1>(places));
    block.at(_mm_movemask_epi8(places) as u32)
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn search(keys: &Keys, tables: Tables<'_>, out: &mut [Verdict; BURST]) {
    walk::search(keys, tables, |block, src, dst, ports| first(block, src, dst, ports), out);
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn few(keys: &Keys, tables: Tables<'_>, out: &mut [Verdict; BURST]) {
    walk::few(keys, tables, |block, src, dst, ports| first(block, src, dst, ports), out);
}

/// Searches all keys.
///
/// # Safety
/// The CPU has the features.
pub(super) unsafe fn classify(keys: &Keys, tables: Tables<'_>, out: &mut [Verdict; BURST]) {
    // SAFETY: the caller says that the CPU has them.
    unsafe { if keys.len() <= walk::FEW { few(keys, tables, out) } else { search(keys, tables, out) } }
}
