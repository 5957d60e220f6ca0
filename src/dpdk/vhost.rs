//! librte_vhost behind a safe door: sockets, guests' comings and goings, bursts out of and into their queues.
//!
//! Guest offloads are masked: the code behind them is where the library's worst bugs were, and it becomes unreachable.
//! Buffers are linear: a guest's descriptor chain never decides how many buffers it takes.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use arrayvec::ArrayVec;
use dpdk_sys::{rte_mbuf, rte_vhost_msg_result as Answer};
use parking_lot::Mutex;

use super::mbuf::Mbuf;
use super::mempool::Mempool;
use super::vhost_fds;
use crate::packet::BURST;

/// Most packets that the library moves in a call.
const LIBRARY_BURST: usize = 32;
/// `VIRTIO_F_RING_PACKED`.
const PACKED: u64 = 1 << 34;
/// CSUM, GUEST_CSUM, GUEST_TSO4/6/ECN/UFO, HOST_TSO4/6/ECN/UFO (VIRTIO 1.1, section 5.1.3).
const OFFLOADS: u64 = 1 | 1 << 1 | 0b1111 << 7 | 0b1111 << 11;

/// A guest's device, as the library numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vid(pub i32);

/// Who owns the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The VMM listens; we connect, again and again.
    Client,
    /// We listen.
    Server,
}

/// A socket was refused.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct VhostError {
    path: String,
    what: String,
}

/// What happens on a socket. Called on the library's own thread, or on the one that closes the socket.
pub trait VhostEvents: Send + Sync {
    /// A frontend connected; nothing of it may be used yet.
    fn connected(&self, vid: Vid);
    /// A guest's queues may be used from now on.
    fn new_device(&self, vid: Vid);
    /// They may not be used any more when this returns.
    fn destroy_device(&self, vid: Vid);
    /// One queue was switched on or off. The library holds the queue's lock: do not wait here.
    fn vring_state_changed(&self, vid: Vid, queue: u16, enable: bool);
    /// A frontend asked for what is not allowed and was cut off.
    fn refused(&self, vid: Vid, why: &str);
}

struct Socket {
    queue_pairs: u8,
    events: Arc<dyn VhostEvents>,
}

/// A frontend that is there.
struct Connection {
    socket: Arc<Socket>,
    /// It was said that somebody else wanted its place.
    told: bool,
}

/// Sockets by path, and the one of each connection. Only the control thread and the library's thread come here.
#[derive(Default)]
struct Registry {
    sockets: HashMap<PathBuf, Arc<Socket>>,
    connections: HashMap<i32, Connection>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

fn with_registry<R>(f: impl FnOnce(&mut Registry) -> R) -> R {
    f(REGISTRY.lock().get_or_insert_default())
}

fn socket_of(vid: c_int) -> Option<Arc<Socket>> {
    with_registry(|r| r.connections.get(&vid).map(|c| c.socket.clone()))
}

/// An open socket; dropping it disconnects the guest and closes it.
pub struct VhostDriver {
    path: PathBuf,
    c_path: CString,
}

impl std::fmt::Debug for VhostDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VhostDriver").field(&self.path).finish()
    }
}

impl VhostDriver {
    /// Opens a socket for guests with up to `queue_pairs` queue pairs. Control thread only.
    ///
    /// # Errors
    /// The library refused the path, or it is in use.
    pub fn register(
        path: &Path,
        mode: Mode,
        queue_pairs: u8,
        events: Arc<dyn VhostEvents>,
    ) -> Result<Self, VhostError> {
        let error = |what: &str| VhostError { path: path.display().to_string(), what: what.to_owned() };
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| error("the path holds a NUL byte"))?;
        let mut flags = u64::from(dpdk_sys::RTE_VHOST_USER_LINEARBUF_SUPPORT);
        if mode == Mode::Client {
            flags |= u64::from(dpdk_sys::RTE_VHOST_USER_CLIENT);
        }
        let fresh = with_registry(|r| {
            let vacant = !r.sockets.contains_key(path);
            if vacant {
                r.sockets.insert(path.to_owned(), Arc::new(Socket { queue_pairs, events }));
            }
            vacant
        });
        if !fresh {
            return Err(error("the socket is in use by another ENI"));
        }
        if mode == Mode::Server
            && let Err(what) = vhost_fds::clear_the_way(path)
        {
            with_registry(|r| r.sockets.remove(path));
            return Err(error(&what));
        }
        // SAFETY: c_path is NUL-terminated; the library copies it.
        let registered = unsafe { dpdk_sys::rte_vhost_driver_register(c_path.as_ptr(), flags) } == 0;
        if !registered {
            with_registry(|r| r.sockets.remove(path));
            return Err(error("librte_vhost does not take the socket (is the folder there and writable?)"));
        }
        // From here on a failure drops `open`, which unregisters.
        let open = VhostDriver { path: path.to_owned(), c_path };
        let c = open.c_path.as_ptr();
        // SAFETY: the driver is registered under this path.
        if unsafe { dpdk_sys::rte_vhost_driver_disable_features(c, OFFLOADS) } != 0 {
            return Err(error("guest offloads cannot be masked"));
        }
        // SAFETY: as above; OPS is static.
        if unsafe { dpdk_sys::rte_vhost_driver_callback_register(c, &raw const OPS.0) } != 0 {
            return Err(error("librte_vhost takes no callbacks"));
        }
        // SAFETY: as above.
        if unsafe { dpdk_sys::rte_vhost_driver_start(c) } != 0 {
            return Err(error("the socket cannot be opened"));
        }
        Ok(open)
    }
}

impl Drop for VhostDriver {
    fn drop(&mut self) {
        // SAFETY: the driver was registered under this path; the callbacks it makes find their socket until below.
        unsafe { dpdk_sys::rte_vhost_driver_unregister(self.c_path.as_ptr()) };
        with_registry(|r| {
            if let Some(socket) = r.sockets.remove(&self.path) {
                r.connections.retain(|_, c| !Arc::ptr_eq(&c.socket, &socket));
            }
        });
    }
}

/// The library's callback table; it is read only, the library keeps a pointer to it.
struct Ops(dpdk_sys::rte_vhost_device_ops);

// SAFETY: function pointers and reserved nulls that nobody writes.
unsafe impl Sync for Ops {}

static OPS: Ops = Ops(dpdk_sys::rte_vhost_device_ops {
    new_device: Some(new_device),
    destroy_device: Some(destroy_device),
    vring_state_changed: Some(vring_state_changed),
    features_changed: None,
    new_connection: Some(new_connection),
    destroy_connection: Some(destroy_connection),
    guest_notified: None,
    reserved: [std::ptr::null_mut()],
});

static EXTERN_OPS: dpdk_sys::rte_vhost_user_extern_ops =
    dpdk_sys::rte_vhost_user_extern_ops { pre_msg_handle: Some(pre_message), post_msg_handle: Some(post_message) };

unsafe extern "C" fn new_connection(vid: c_int) -> c_int {
    let mut name = [0 as std::ffi::c_char; 256];
    // SAFETY: the buffer has the length given; the library writes a NUL-terminated path.
    let path = unsafe {
        if dpdk_sys::rte_vhost_get_ifname(vid, name.as_mut_ptr(), name.len()) != 0 {
            return -1;
        }
        CStr::from_ptr(name.as_ptr())
    };
    let path = Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()));
    let Some(socket) = with_registry(|r| take_place(r, vid, path)) else {
        return -1;
    };
    vhost_fds::limit_waits(path);
    socket.events.connected(Vid(vid));
    // SAFETY: EXTERN_OPS is static; no context is passed.
    let result =
        unsafe { dpdk_sys::rte_vhost_extern_callback_register(vid, &raw const EXTERN_OPS, std::ptr::null_mut()) };
    if result != 0 {
        with_registry(|r| r.connections.remove(&vid));
    }
    result
}

/// Gives a new connection its socket. A listening socket takes any number of frontends, a port has one guest: whoever
/// is there stays, and the others are turned away until it goes.
fn take_place(r: &mut Registry, vid: c_int, path: &Path) -> Option<Arc<Socket>> {
    let socket = r.sockets.get(path)?.clone();
    if let Some(first) = r.connections.values_mut().find(|c| Arc::ptr_eq(&c.socket, &socket)) {
        if !std::mem::replace(&mut first.told, true) {
            tracing::warn!("{}: another frontend was turned away: a port has one guest", path.display());
        }
        return None;
    }
    r.connections.insert(vid, Connection { socket: socket.clone(), told: false });
    Some(socket)
}

unsafe extern "C" fn destroy_connection(vid: c_int) {
    with_registry(|r| r.connections.remove(&vid));
}

unsafe extern "C" fn new_device(vid: c_int) -> c_int {
    match socket_of(vid) {
        Some(socket) => {
            socket.events.new_device(Vid(vid));
            0
        }
        None => -1,
    }
}

unsafe extern "C" fn destroy_device(vid: c_int) {
    if let Some(socket) = socket_of(vid) {
        socket.events.destroy_device(Vid(vid));
    }
}

unsafe extern "C" fn vring_state_changed(vid: c_int, queue: u16, enable: c_int) -> c_int {
    if let Some(socket) = socket_of(vid) {
        socket.events.vring_state_changed(Vid(vid), queue, enable != 0);
    }
    0
}

/// vhost-user requests that name a queue, or ask how many there are (vhost-user specification, "Front-end messages").
mod request {
    pub const SET_VRING_NUM: u32 = 8;
    pub const SET_VRING_ADDR: u32 = 9;
    pub const SET_VRING_BASE: u32 = 10;
    pub const GET_VRING_BASE: u32 = 11;
    pub const SET_VRING_KICK: u32 = 12;
    pub const SET_VRING_CALL: u32 = 13;
    pub const GET_QUEUE_NUM: u32 = 17;
    pub const SET_VRING_ENABLE: u32 = 18;
}

/// The head of the library's message: request, flags, size, then the payload (`VhostUserMsg`, packed).
#[repr(C, packed)]
struct Message {
    request: u32,
    flags: u32,
    size: u32,
    payload: u64,
}

/// Before the library handles a message: our number of queues, and nothing beyond it. Never waits.
unsafe extern "C" fn pre_message(vid: c_int, message: *mut c_void) -> Answer {
    let (Some(socket), Some(message)) = (socket_of(vid), NonNull::new(message.cast::<Message>())) else {
        return Answer::RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    };
    // SAFETY: the library passes its message, which starts with these packed fields and has a payload of at least 8
    // bytes; it stays valid for the call, and nobody else touches it.
    let (request, payload) = unsafe { ((*message.as_ptr()).request, (*message.as_ptr()).payload) };
    let queue = match request {
        request::GET_QUEUE_NUM => {
            // SAFETY: as above.
            unsafe {
                (*message.as_ptr()).payload = u64::from(socket.queue_pairs);
                (*message.as_ptr()).size = 8;
            }
            return Answer::RTE_VHOST_MSG_RESULT_REPLY;
        }
        request::SET_VRING_NUM
        | request::SET_VRING_ADDR
        | request::SET_VRING_BASE
        | request::GET_VRING_BASE
        | request::SET_VRING_ENABLE => payload & 0xffff_ffff,
        _ => return Answer::RTE_VHOST_MSG_RESULT_NOT_HANDLED,
    };
    within_limit(&socket, vid, queue)
}

/// After the library handled a message, and before it lets go of the queues' locks: descriptors. Until now the library
/// owns them, so that what is refused is closed with the connection. Never waits.
unsafe extern "C" fn post_message(vid: c_int, message: *mut c_void) -> Answer {
    let (Some(socket), Some(message)) = (socket_of(vid), NonNull::new(message.cast::<Message>())) else {
        return Answer::RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    };
    // SAFETY: as in `pre_message`.
    let (request, payload) = unsafe { ((*message.as_ptr()).request, (*message.as_ptr()).payload) };
    if request != request::SET_VRING_KICK && request != request::SET_VRING_CALL {
        return Answer::RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }
    let queue = payload & 0xff;
    if request == request::SET_VRING_CALL
        && let Some(fd) = call_descriptor(vid, queue as u16)
        && let Err(why) = vhost_fds::tame(fd)
    {
        socket.events.refused(Vid(vid), &format!("virtio queue {queue}: {why}"));
        return Answer::RTE_VHOST_MSG_RESULT_ERR;
    }
    within_limit(&socket, vid, queue)
}

/// Refuses what is beyond the ENI's queues.
fn within_limit(socket: &Socket, vid: c_int, queue: u64) -> Answer {
    if queue < 2 * u64::from(socket.queue_pairs) {
        return Answer::RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }
    let why = format!("the frontend uses virtio queue {queue}, but the ENI has {} queue pairs", socket.queue_pairs);
    socket.events.refused(Vid(vid), &why);
    Answer::RTE_VHOST_MSG_RESULT_ERR
}

/// The descriptor with which the library tells the guest that a queue moved.
fn call_descriptor(vid: c_int, queue: u16) -> Option<c_int> {
    let mut vring = dpdk_sys::rte_vhost_vring::default();
    // SAFETY: the library checks device and queue numbers and writes one structure.
    let result = unsafe { dpdk_sys::rte_vhost_get_vhost_vring(vid, queue, &raw mut vring) };
    (result == 0 && vring.callfd >= 0).then_some(vring.callfd)
}

/// The features that guest and library agreed on.
#[must_use]
pub fn features(vid: Vid) -> u64 {
    let mut features = 0;
    // SAFETY: the library checks the device number and writes one integer.
    unsafe { dpdk_sys::rte_vhost_get_negotiated_features(vid.0, &raw mut features) };
    features
}

/// Do these features include packed rings?
#[must_use]
pub const fn is_packed(features: u64) -> bool {
    features & PACKED != 0
}

/// The MTU that the VMM announced, if it did.
#[must_use]
pub fn mtu(vid: Vid) -> Option<u16> {
    let mut mtu = 0;
    // SAFETY: the library checks the device number and writes one integer.
    let result = unsafe { dpdk_sys::rte_vhost_get_mtu(vid.0, &raw mut mtu) };
    (result == 0 && mtu != 0).then_some(mtu)
}

/// Tells the guest that nobody wants its kicks: the transmit queues are polled.
pub fn silence_transmit_kicks(vid: Vid, queue_pairs: u8) {
    for pair in 0..u16::from(queue_pairs) {
        // SAFETY: the library checks device and queue numbers.
        unsafe { dpdk_sys::rte_vhost_enable_guest_notification(vid.0, 2 * pair + 1, 0) };
    }
}

/// Where the library stands in a queue's available ring.
#[must_use]
pub fn vring_position(vid: Vid, queue: u16) -> Option<u16> {
    let (mut available, mut used) = (0, 0);
    // SAFETY: the library checks device and queue numbers and writes two integers.
    let result = unsafe { dpdk_sys::rte_vhost_get_vring_base(vid.0, queue, &raw mut available, &raw mut used) };
    (result == 0).then_some(available)
}

/// Entries waiting in a transmit queue of the guest.
#[must_use]
pub fn waiting(vid: Vid, queue: u16) -> u32 {
    // SAFETY: the library checks device and queue numbers.
    unsafe { dpdk_sys::rte_vhost_rx_queue_count(vid.0, queue) }
}

/// Takes up to `most` packets out of a transmit queue of the guest, appends them to `into` and returns how many. An
/// exhausted pool takes none and loses none.
#[inline]
pub fn dequeue(vid: Vid, queue: u16, pool: &Mempool, into: &mut ArrayVec<Option<Mbuf>, BURST>, most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        let want = (most - taken).min(LIBRARY_BURST).min(into.remaining_capacity());
        let start = into.len();
        // SAFETY: an Option<Mbuf> is a pointer to an rte_mbuf or null, and `want` of them fit behind `start`. The
        // library fills the first `got` with buffers that it owned and now gives away. It checks the device number;
        // the port's owner has seen the device in this turn, so it is not freed before the turn ends.
        let got = unsafe {
            let at = into.as_mut_ptr().add(start).cast::<*mut rte_mbuf>();
            let got = dpdk_sys::rte_vhost_dequeue_burst(vid.0, queue, pool.as_ptr(), at, want as u16) as usize;
            into.set_len(start + got);
            got
        };
        taken += got;
        if got < want || want == 0 {
            break;
        }
    }
    taken
}

/// Copies packets into a receive queue of the guest, in order, as far as there is room; returns how many it took.
/// The buffers stay with the caller.
#[inline]
pub fn enqueue<'a>(vid: Vid, queue: u16, bufs: impl Iterator<Item = &'a Mbuf>) -> usize {
    let mut pointers: ArrayVec<*mut rte_mbuf, BURST> = bufs.take(BURST).map(Mbuf::as_ptr).collect();
    let mut taken = 0;
    for chunk in pointers.chunks_mut(LIBRARY_BURST) {
        // SAFETY: the pointers are valid buffers, borrowed for the call; the library only reads them and copies their
        // bytes. It checks the device number; see `dequeue` for its lifetime.
        let got =
            unsafe { dpdk_sys::rte_vhost_enqueue_burst(vid.0, queue, chunk.as_mut_ptr(), chunk.len() as u16) as usize };
        taken += got;
        if got < chunk.len() {
            break;
        }
    }
    taken
}
