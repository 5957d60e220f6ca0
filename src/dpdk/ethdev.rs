//! Ethernet devices, for uplinks: a device is stopped or started by type, and each queue has one owner.

use std::ffi::CString;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::eal::Eal;
use super::mbuf::Mbuf;
use super::mempool::Mempool;
use super::strerror;
use crate::packet::BURST;

/// Packets that a queue holds.
const DESCRIPTORS: u16 = 512;

/// A device could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{device}: {what}: {why}")]
pub struct EthError {
    device: String,
    what: &'static str,
    why: String,
}

/// A device that is plugged and does nothing yet. Offloads are not asked for; "fast free" cannot be, since it breaks
/// buffers of several segments and several owners.
#[derive(Debug)]
pub struct Stopped {
    name: String,
    id: u16,
}

/// A device that runs. It stops and is unplugged when this and both its queues are gone.
#[derive(Debug)]
pub struct Started {
    running: Arc<Running>,
}

/// Stops the device.
#[derive(Debug)]
struct Running {
    device: Stopped,
}

/// A receive queue; one lcore at a time, by `&mut`.
#[derive(Debug)]
pub struct RxQueue {
    device: Arc<Running>,
    queue: u16,
}

/// A transmit queue; one lcore at a time, by `&mut`.
#[derive(Debug)]
pub struct TxQueue {
    device: Arc<Running>,
    queue: u16,
}

impl Stopped {
    /// Plugs a virtual device, such as `net_ring0`.
    ///
    /// # Errors
    /// [`EthError`].
    pub fn plug(_eal: &'static Eal, name: &str, arguments: &str) -> Result<Self, EthError> {
        let error = |what, why: String| EthError { device: name.to_owned(), what, why };
        let nul = |_| error("its name", "holds a NUL byte".to_owned());
        let c_name = CString::new(name).map_err(nul)?;
        let c_arguments = CString::new(arguments).map_err(nul)?;
        let mut id = 0;
        // DPDK would plug a device of the same name again, and whoever unplugs first would take it from the other.
        // SAFETY: EAL runs; the name is NUL-terminated; one integer is written.
        if unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(c_name.as_ptr(), &raw mut id) } == 0 {
            return Err(error("cannot be plugged", "there is one of this name".to_owned()));
        }
        // SAFETY: EAL runs; the strings are NUL-terminated and copied.
        let plugged = unsafe { dpdk_sys::rte_eal_hotplug_add(c"vdev".as_ptr(), c_name.as_ptr(), c_arguments.as_ptr()) };
        if plugged != 0 {
            return Err(error("cannot be plugged", strerror(plugged)));
        }
        // SAFETY: the name is NUL-terminated; one integer is written.
        let found = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(c_name.as_ptr(), &raw mut id) };
        if found != 0 {
            return Err(error("has no port", strerror(found)));
        }
        Ok(Stopped { name: name.to_owned(), id })
    }

    /// Sets up one queue pair whose received packets come from `pool`, and starts the device.
    ///
    /// # Errors
    /// [`EthError`].
    pub fn start(self, pool: &Mempool) -> Result<(Started, RxQueue, TxQueue), EthError> {
        let check = |what, result: i32| {
            if result == 0 { Ok(()) } else { Err(EthError { device: self.name.clone(), what, why: strerror(result) }) }
        };
        let conf = dpdk_sys::rte_eth_conf::default();
        // SAFETY: the port is ours; an all-zero configuration asks for nothing, and is only read.
        check("cannot be configured", unsafe { dpdk_sys::rte_eth_dev_configure(self.id, 1, 1, &raw const conf) })?;
        // SAFETY: the port is configured with one queue each way; null configurations are the driver's defaults; the
        // pool lives as long as the process.
        check("has no receive queue", unsafe {
            dpdk_sys::rte_eth_rx_queue_setup(self.id, 0, DESCRIPTORS, 0, std::ptr::null(), pool.as_ptr())
        })?;
        // SAFETY: as above.
        check("has no transmit queue", unsafe {
            dpdk_sys::rte_eth_tx_queue_setup(self.id, 0, DESCRIPTORS, 0, std::ptr::null())
        })?;
        // SAFETY: the port is configured.
        check("cannot be started", unsafe { dpdk_sys::rte_eth_dev_start(self.id) })?;
        let running = Arc::new(Running { device: self });
        let queues = (RxQueue { device: running.clone(), queue: 0 }, TxQueue { device: running.clone(), queue: 0 });
        Ok((Started { running }, queues.0, queues.1))
    }
}

impl Started {
    /// Stops and unplugs the device, with its queues.
    pub fn stop(self, _rx: RxQueue, _tx: TxQueue) {}

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.running.device.name
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: the port was started by `start`.
        unsafe { dpdk_sys::rte_eth_dev_stop(self.device.id) };
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Ok(name) = CString::new(self.name.as_str()) {
            // SAFETY: the device was plugged under this name and is stopped.
            unsafe { dpdk_sys::rte_eal_hotplug_remove(c"vdev".as_ptr(), name.as_ptr()) };
        }
    }
}

impl RxQueue {
    /// Takes what is there, as far as `into` has room, and returns how many.
    pub fn receive(&mut self, into: &mut ArrayVec<Option<Mbuf>, BURST>) -> usize {
        let (start, room) = (into.len(), into.remaining_capacity() as u16);
        // SAFETY: an Option<Mbuf> is a pointer to an rte_mbuf or null; `room` of them fit behind `start`; the driver
        // fills the first `taken` with buffers that it gives away. The queue has one owner, by `&mut`.
        unsafe {
            let at = into.as_mut_ptr().add(start).cast();
            let taken = dpdk_sys::ds_eth_rx_burst(self.device.device.id, self.queue, at, room) as usize;
            into.set_len(start + taken);
            taken
        }
    }
}

impl TxQueue {
    /// Sends as many as there is room for; the rest stays in `batch`, in order.
    pub fn send(&mut self, batch: &mut ArrayVec<Mbuf, BURST>) -> usize {
        // SAFETY: an Mbuf is a pointer to an rte_mbuf (repr(transparent)); the driver owns the first `sent` afterwards.
        let sent = unsafe {
            dpdk_sys::ds_eth_tx_burst(self.device.device.id, self.queue, batch.as_mut_ptr().cast(), batch.len() as u16)
        } as usize;
        for mbuf in batch.drain(..sent.min(batch.len())) {
            std::mem::forget(mbuf);
        }
        sent
    }
}
