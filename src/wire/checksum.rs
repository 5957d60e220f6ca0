//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

/// Sum of 16-bit words, network order, carries not folded. An odd last byte is padded with zero.
#[must_use]
pub fn sum(bytes: &[u8]) -> u32 {
    let mut total: u32 = 0;
    let mut words = bytes.chunks_exact(2);
    for w in &mut words {
        total += u32::from(u16::from_be_bytes([w[0], w[1]]));
    }
    if let [last] = words.remainder() {
        total += u32::from(*last) << 8;
    }
    total
}

/// Folds the carries of a sum and complements it: the value that goes into the header.
#[must_use]
pub const fn finish(mut total: u32) -> u16 {
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    !(total as u16)
}

/// The checksum after one 16-bit word of the covered bytes went from `old` to `new` (RFC 1624, equation 3).
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    finish((!checksum) as u32 + (!old) as u32 + new as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_1071_example() {
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0x2_ddf0);
        assert_eq!(finish(0x2_ddf0), !0xddf2);
    }

    proptest! {
        #[test]
        fn incremental_update_equals_a_new_sum(mut header in proptest::collection::vec(any::<u8>(), 20), ttl in 2u8..) {
            header[8] = ttl;
            header[10] = 0;
            header[11] = 0;
            let before = finish(sum(&header));
            let old = u16::from_be_bytes([header[8], header[9]]);
            header[8] = ttl - 1;
            let new = u16::from_be_bytes([header[8], header[9]]);
            let updated = update(before, old, new);
            header[10..12].copy_from_slice(&updated.to_be_bytes());
            prop_assert_eq!(finish(sum(&header)), 0);
        }
    }
}
