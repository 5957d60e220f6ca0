//! librte_acl behind a safe door: IPv4 5-tuples, one category, the first rule wins.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use vswitch::classify::Key;
use vswitch::classify::rule::{PortRange, Rule};
use vswitch::dpdk::eal::Eal;
use vswitch::packet::BURST;
use vswitch::wire::ipv4::{Ports, protocol};

/// Fields of a rule: protocol, addresses, ports.
const FIELDS: usize = 5;

/// How librte_acl searches. It has its own name for each in `dpdk-test-acl --alg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Plain C.
    Scalar,
    /// SSE 4.1, 8 packets at once.
    Sse,
    /// AVX2, 16 packets at once.
    Avx2,
    /// AVX-512 in registers of 256 bits, 16 packets at once.
    Avx512x16,
    /// AVX-512 in registers of 512 bits, 32 packets at once.
    Avx512x32,
}

impl Algorithm {
    /// All.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Scalar, Algorithm::Sse, Algorithm::Avx2, Algorithm::Avx512x16, Algorithm::Avx512x32];

    /// The library's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Scalar => "scalar",
            Algorithm::Sse => "sse",
            Algorithm::Avx2 => "avx2",
            Algorithm::Avx512x16 => "avx512x16",
            Algorithm::Avx512x32 => "avx512x32",
        }
    }

    const fn raw(self) -> dpdk_sys::rte_acl_classify_alg {
        match self {
            Algorithm::Scalar => dpdk_sys::RTE_ACL_CLASSIFY_SCALAR,
            Algorithm::Sse => dpdk_sys::RTE_ACL_CLASSIFY_SSE,
            Algorithm::Avx2 => dpdk_sys::RTE_ACL_CLASSIFY_AVX2,
            Algorithm::Avx512x16 => dpdk_sys::RTE_ACL_CLASSIFY_AVX512X16,
            Algorithm::Avx512x32 => dpdk_sys::RTE_ACL_CLASSIFY_AVX512X32,
        }
    }
}

/// A key as librte_acl reads it, network order: a byte-sized first field, then groups of four bytes (its programmer's
/// guide asks for both). Ports of a protocol without ports are 0: rules with ports name a protocol that has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(4))]
pub struct AclKey {
    protocol: u8,
    pad: [u8; 3],
    src: [u8; 4],
    dst: [u8; 4],
    ports: [u8; 4],
}

impl From<Key> for AclKey {
    #[inline]
    fn from(key: Key) -> Self {
        let ports = match key.ports {
            Ports::Known(src, dst) => u32::from(src) << 16 | u32::from(dst),
            Ports::None | Ports::Unknown => 0,
        };
        AclKey {
            protocol: key.protocol,
            pad: [0; 3],
            src: key.src.to_be_bytes(),
            dst: key.dst.to_be_bytes(),
            ports: ports.to_be_bytes(),
        }
    }
}

/// Keys, and the array of pointers to them that librte_acl takes.
#[derive(Debug)]
pub struct AclKeys {
    pointers: Box<[*const AclKey]>,
    /// What the pointers point to; never moved out or written.
    _keys: Box<[AclKey]>,
}

impl AclKeys {
    /// These keys, in order.
    #[must_use]
    pub fn new(keys: Vec<AclKey>) -> Self {
        let keys = keys.into_boxed_slice();
        AclKeys { pointers: keys.iter().map(std::ptr::from_ref).collect(), _keys: keys }
    }

    /// Number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pointers.len()
    }

    /// No keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }
}

/// Lets librte_acl use registers of 512 bits, as `--force-max-simd-bitwidth=512` does; EAL's default on x86 is 256.
///
/// # Errors
/// EAL was told another width on its command line.
pub fn allow_512_bits(_eal: &'static Eal) -> Result<(), String> {
    // SAFETY: EAL runs; the call changes one integer of its configuration.
    let result = unsafe { dpdk_sys::rte_vect_set_max_simd_bitwidth(512) };
    if result == 0 { Ok(()) } else { Err(format!("registers of 512 bits: {}", strerror(result))) }
}

/// A compiled rule set.
#[derive(Debug)]
pub struct Acl {
    raw: NonNull<dpdk_sys::rte_acl_ctx>,
    usable: [bool; Algorithm::ALL.len()],
    build: Duration,
    bytes: usize,
}

impl Drop for Acl {
    fn drop(&mut self) {
        // SAFETY: made by rte_acl_create, freed once.
        unsafe { dpdk_sys::rte_acl_free(self.raw.as_ptr()) };
    }
}

impl Acl {
    /// Compiles rules in search order. `max_size` bounds the run-time tables in bytes; 0 is the library's default, which
    /// prefers small tables in several tries, while a large bound gives fewer and faster ones.
    ///
    /// # Errors
    /// One sentence: the library's, such as no memory, or tables beyond `max_size`.
    pub fn new(_eal: &'static Eal, rules: &[Rule], max_size: usize) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = CString::new(format!("perf-acl-{}", NEXT.fetch_add(1, Relaxed))).map_err(|e| e.to_string())?;
        let raw_rules = raw_rules(rules);
        let param = dpdk_sys::rte_acl_param {
            name: name.as_ptr(),
            socket_id: -1,
            rule_size: size_of::<RawRule>() as u32,
            max_rule_num: raw_rules.len().max(1) as u32,
        };
        // SAFETY: EAL runs; the name is NUL-terminated and copied.
        let raw = unsafe { dpdk_sys::rte_acl_create(&raw const param) };
        let raw = NonNull::new(raw).ok_or("librte_acl: no memory for a context")?;
        let mut acl = Acl { raw, usable: [false; 5], build: Duration::ZERO, bytes: 0 };
        let count = raw_rules.len() as u32;
        // SAFETY: `count` rules of the size that the context was made with; they are copied.
        let added = unsafe { dpdk_sys::rte_acl_add_rules(raw.as_ptr(), raw_rules.as_ptr().cast(), count) };
        check("rules", added)?;
        let config = config(max_size);
        let (before, began) = (allocated(), Instant::now());
        // SAFETY: the context is valid and not in use by a search; the configuration is only read.
        let built = unsafe { dpdk_sys::rte_acl_build(raw.as_ptr(), &raw const config) };
        check("build", built)?;
        acl.build = began.elapsed();
        acl.bytes = allocated().saturating_sub(before);
        for (usable, algorithm) in acl.usable.iter_mut().zip(Algorithm::ALL) {
            // SAFETY: the context is valid; the call checks CPU and permitted width, and sets its default.
            *usable = unsafe { dpdk_sys::rte_acl_set_ctx_classify(raw.as_ptr(), algorithm.raw()) } == 0;
        }
        Ok(acl)
    }

    /// What this CPU can run, and EAL permits.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().zip(self.usable).filter_map(|(a, usable)| usable.then_some(a))
    }

    /// How long the build took.
    #[must_use]
    pub const fn build_time(&self) -> Duration {
        self.build
    }

    /// Bytes of the run-time tables, by the allocator's own figures before and after the build.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Looks up keys `first..first + count` (cut to those there are, and to 64): the first matching rule's index plus
    /// one, or 0. An algorithm that is not usable answers as the scalar one.
    #[inline]
    pub fn classify(
        &self,
        algorithm: Algorithm,
        keys: &AclKeys,
        first: usize,
        count: usize,
        results: &mut [u32; BURST],
    ) -> usize {
        let pointers = keys.pointers.get(first..).unwrap_or_default();
        let count = count.min(pointers.len()).min(BURST);
        // SAFETY: the first `count` pointers are to keys that `keys` owns.
        unsafe { self.search(algorithm, pointers.as_ptr(), count, results) };
        count
    }

    /// The same for keys that were just gathered: pointers to them are made here, as a user of the library must.
    #[inline]
    pub fn classify_gathered(&self, algorithm: Algorithm, keys: &[AclKey], results: &mut [u32; BURST]) {
        let mut pointers = [std::ptr::null::<AclKey>(); BURST];
        for (pointer, key) in pointers.iter_mut().zip(keys) {
            *pointer = std::ptr::from_ref(key);
        }
        // SAFETY: the first min(64, len) pointers are to the keys of the slice.
        unsafe { self.search(algorithm, pointers.as_ptr(), keys.len().min(BURST), results) };
    }

    /// # Safety
    /// `pointers` are `count` pointers to [`AclKey`]s, and `count` is at most 64.
    #[inline]
    unsafe fn search(
        &self,
        algorithm: Algorithm,
        pointers: *const *const AclKey,
        count: usize,
        results: &mut [u32; BURST],
    ) {
        // An algorithm that the CPU lacks would be an illegal instruction: the library does not look.
        let usable = self.usable[algorithm as usize];
        let raw = if usable { algorithm.raw() } else { Algorithm::Scalar.raw() };
        // SAFETY: the context is built; keys hold all fields of the configuration; there is one category, so at most
        // 64 results are written. The array of pointers is only read, though C's type does not say so.
        unsafe {
            dpdk_sys::rte_acl_classify_alg(
                self.raw.as_ptr(),
                pointers.cast_mut().cast(),
                results.as_mut_ptr(),
                count as u32,
                1,
                raw,
            );
        }
    }
}

/// `RTE_ACL_RULE_DEF(…, 5)`.
#[repr(C)]
struct RawRule {
    data: dpdk_sys::rte_acl_rule_data,
    fields: [dpdk_sys::rte_acl_field; FIELDS],
}

fn raw_rules(rules: &[Rule]) -> Vec<RawRule> {
    let mut raw = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        // librte_acl knows no "protocols that have ports": such a rule is one for TCP and one for UDP.
        let asks = rule.src_ports.is_some() || rule.dst_ports.is_some();
        let upside_down = |range: Option<PortRange>| range.is_some_and(|r| r.first > r.last);
        if upside_down(rule.src_ports) || upside_down(rule.dst_ports) {
            // No port is inside, and the library refuses such a range.
            continue;
        }
        match rule.protocol.number() {
            None if asks => {
                raw.push(raw_rule(index, rule, Some(protocol::TCP)));
                raw.push(raw_rule(index, rule, Some(protocol::UDP)));
            }
            Some(p) if asks && p != protocol::TCP && p != protocol::UDP => {}
            p => raw.push(raw_rule(index, rule, p)),
        }
    }
    raw
}

fn raw_rule(index: usize, rule: &Rule, protocol: Option<u8>) -> RawRule {
    let net = |net: &ipnet::Ipv4Net| field(net.network().to_bits(), u32::from(net.prefix_len()));
    let ports = |range: Option<PortRange>| {
        let (first, last) = range.map_or((0, u16::MAX), |r| (r.first, r.last));
        field(u32::from(first), u32::from(last))
    };
    RawRule {
        data: dpdk_sys::rte_acl_rule_data {
            category_mask: 1,
            priority: (dpdk_sys::RTE_ACL_MAX_PRIORITY as usize - index) as i32,
            userdata: index as u32 + 1,
        },
        fields: [
            field(u32::from(protocol.unwrap_or(0)), protocol.map_or(0, |_| 0xff)),
            net(&rule.src),
            net(&rule.dst),
            ports(rule.src_ports),
            ports(rule.dst_ports),
        ],
    }
}

/// Values of any width are written as 64 bits: on a little-endian machine the narrower members of the union read the
/// low ones.
fn field(value: u32, mask_range: u32) -> dpdk_sys::rte_acl_field {
    dpdk_sys::rte_acl_field {
        value: dpdk_sys::rte_acl_field_types { u64_: u64::from(value) },
        mask_range: dpdk_sys::rte_acl_field_types { u64_: u64::from(mask_range) },
    }
}

fn config(max_size: usize) -> dpdk_sys::rte_acl_config {
    let mut config =
        dpdk_sys::rte_acl_config { num_categories: 1, num_fields: FIELDS as u32, max_size, ..Default::default() };
    let (mask, range, bits) =
        (dpdk_sys::RTE_ACL_FIELD_TYPE_MASK, dpdk_sys::RTE_ACL_FIELD_TYPE_RANGE, dpdk_sys::RTE_ACL_FIELD_TYPE_BITMASK);
    // Type, size, group of four bytes, offset. Both ports are one group.
    let fields = [(bits, 1, 0, 0), (mask, 4, 1, 4), (mask, 4, 2, 8), (range, 2, 3, 12), (range, 2, 3, 14)];
    for (index, (kind, size, group, offset)) in fields.into_iter().enumerate() {
        let def = &mut config.defs[index];
        (def.type_, def.size, def.offset) = (kind as u8, size, offset);
        (def.field_index, def.input_index) = (index as u8, group);
    }
    config
}

/// Bytes in use on EAL's heaps.
fn allocated() -> usize {
    let mut bytes = 0;
    for socket in 0..8 {
        let mut stats = dpdk_sys::rte_malloc_socket_stats::default();
        // SAFETY: EAL runs; the figures are written into `stats`; a socket that is not there is refused.
        if unsafe { dpdk_sys::rte_malloc_get_socket_stats(socket, &raw mut stats) } == 0 {
            bytes += stats.heap_allocsz_bytes;
        }
    }
    bytes
}

fn check(what: &str, result: i32) -> Result<(), String> {
    if result == 0 { Ok(()) } else { Err(format!("librte_acl: {what}: {}", strerror(result))) }
}

fn strerror(errno: i32) -> String {
    // SAFETY: rte_strerror returns a NUL-terminated string that lives as long as the thread.
    unsafe { CStr::from_ptr(dpdk_sys::rte_strerror(errno.abs())) }.to_string_lossy().into_owned()
}
