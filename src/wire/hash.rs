//! The flow hash (helper's version follows).

/// Flow hash of a 5-tuple: the same in both directions.
#[must_use]
pub fn flow_hash(source: u32, destination: u32, protocol: u8, ports: Option<(u16, u16)>) -> u64 {
    let (a, b) = ports.unwrap_or((0, 0));
    let x = (u64::from(source) << 16) | u64::from(a);
    let y = (u64::from(destination) << 16) | u64::from(b);
    let (low, high) = if x <= y { (x, y) } else { (y, x) };
    let wide = u128::from(low ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from((high << 8 | u64::from(protocol)) ^ 0xd6e8_feb8_6659_fd93);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// UDP source port of a copy, 49152–65535.
#[must_use]
pub const fn source_port(hash: u64) -> u16 {
    0xc000 | (hash as u16 & 0x3fff)
}
