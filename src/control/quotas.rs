//! Limits of the specification (the table at its end). The adjustable ones are in the configuration's `[quotas]`; the
//! fixed ones stand here.

pub use super::config::Quotas;
use crate::mirror::bandwidth::{MAX_BPS, MAX_BURST, MIN_BURST};

/// Priority of a rule.
pub const RULE_PRIORITY: std::ops::RangeInclusive<i64> = 1..=16_777_216;
/// Priority of a session.
pub const SESSION_PRIORITY: std::ops::RangeInclusive<i64> = 1..=32_766;
/// Bytes that a copy keeps at most.
pub const PACKET_LENGTH: std::ops::RangeInclusive<i64> = 64..=8500;
/// PacketLength of a session that names none.
pub const DEFAULT_PACKET_LENGTH: u16 = 1500;
/// VXLAN network identifiers.
pub const VNI: std::ops::RangeInclusive<i64> = 0..=16_777_215;
/// ENIs of one process: librte_vhost's devices.
pub const ENIS: usize = 1024;
/// ENIs of an inventory, those of all hosts together.
pub const REGION_ENIS: usize = 100_000;
/// Queue pairs of an ENI.
pub const QUEUE_PAIRS: std::ops::RangeInclusive<i64> = 1..=8;
/// Bits a second of an instance.
pub const BANDWIDTH: std::ops::RangeInclusive<i64> = 1000..=MAX_BPS.cast_signed();
/// Bytes that it may send at once.
pub const BANDWIDTH_BURST: std::ops::RangeInclusive<i64> = MIN_BURST.cast_signed()..=MAX_BURST.cast_signed();
/// MTUs of an ENI.
pub const MTUS: [i64; 2] = [1500, 8500];
