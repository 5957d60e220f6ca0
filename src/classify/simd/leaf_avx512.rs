//! Leaves of the trie with AVX-512: sixteen rules in each instruction.

use std::arch::x86_64::*;

use crate::classify::trie::leaf::Block;
use crate::classify::trie::walk::{self, Tables};
use crate::classify::{Keys, Verdict};
use crate::packet::BURST;

/// The index of the first rule that matches.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512cd,bmi1,bmi2")]
fn first(block: &Block, src: u32, dst: u32, ports: u32) -> u16 {
    // SAFETY: each array has the size of what is loaded from it, and the block is aligned to 64 bytes with all arrays at
    // multiples of their sizes.
    let (srcs, dsts, src_port, src_span, dst_port, dst_span, src_bits, dst_bits) = unsafe {
        (
            _mm512_load_si512(block.src.as_ptr().cast()),
            _mm512_load_si512(block.dst.as_ptr().cast()),
            _mm256_load_si256(block.src_port.as_ptr().cast()),
            _mm256_load_si256(block.src_span.as_ptr().cast()),
            _mm256_load_si256(block.dst_port.as_ptr().cast()),
            _mm256_load_si256(block.dst_span.as_ptr().cast()),
            _mm_load_si128(block.src_bits.as_ptr().cast()),
            _mm_load_si128(block.dst_bits.as_ptr().cast()),
        )
    };
    // As many leading bits are equal as the prefix is long.
    let equal = |key: u32, net| _mm512_lzcnt_epi32(_mm512_xor_si512(_mm512_set1_epi32(key as i32), net));
    let src_equal = _mm512_cmpge_epu32_mask(equal(src, srcs), _mm512_cvtepu8_epi32(src_bits));
    let dst_equal = _mm512_cmpge_epu32_mask(equal(dst, dsts), _mm512_cvtepu8_epi32(dst_bits));
    let within =
        |port: u16, from, span| _mm256_cmple_epu16_mask(_mm256_sub_epi16(_mm256_set1_epi16(port as i16), from), span);
    let ports = within((ports >> 16) as u16, src_port, src_span) & within(ports as u16, dst_port, dst_span);
    block.at(u32::from(src_equal & dst_equal & ports))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512cd,bmi1,bmi2")]
fn search(keys: &Keys, tables: Tables<'_>, out: &mut [Verdict; BURST]) {
    walk::search(keys, tables, |block, src, dst, ports| first(block, src, dst, ports), out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512cd,bmi1,bmi2")]
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
