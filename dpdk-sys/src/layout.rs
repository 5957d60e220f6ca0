//! The fields that Rust touches by itself, per packet, are where DPDK 22.11's own headers say (rte_mbuf_core.h).
//! A DPDK with another layout does not compile.

use core::mem::{align_of, offset_of, size_of};

use crate::{rte_mbuf, rte_vhost_device_ops, rte_vhost_user_extern_ops};

const _: () = {
    assert!(size_of::<rte_mbuf>() == 128);
    assert!(align_of::<rte_mbuf>() == 64);
    assert!(offset_of!(rte_mbuf, buf_addr) == 0);
    assert!(offset_of!(rte_mbuf, data_off) == 16);
    assert!(offset_of!(rte_mbuf, refcnt) == 18);
    assert!(offset_of!(rte_mbuf, nb_segs) == 20);
    assert!(offset_of!(rte_mbuf, port) == 22);
    assert!(offset_of!(rte_mbuf, ol_flags) == 24);
    assert!(offset_of!(rte_mbuf, pkt_len) == 36);
    assert!(offset_of!(rte_mbuf, data_len) == 40);
    assert!(offset_of!(rte_mbuf, buf_len) == 54);
    assert!(offset_of!(rte_mbuf, pool) == 56);
    assert!(offset_of!(rte_mbuf, next) == 64);
    assert!(offset_of!(rte_mbuf, priv_size) == 88);
    assert!(size_of::<rte_vhost_device_ops>() == 64);
    assert!(size_of::<rte_vhost_user_extern_ops>() == 16);
};
