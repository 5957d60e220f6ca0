//! A guest's memory: a memfd, mapped here and by the switch.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// Shared memory with checked access by offset. The other side may change it at any time, so every access is volatile,
/// atomic, or a copy of bytes that the ring's protocol gives us alone.
#[derive(Debug)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
    file: File,
}

// SAFETY: the mapping is plain shared memory; every access is atomic, volatile or a byte copy.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Bytes of a hugepage.
const HUGE_PAGE: usize = 2 << 20;

impl Memory {
    /// `len` bytes, zeroed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(len: usize) -> io::Result<Self> {
        Self::with_flags(len, 0)
    }

    /// `len` bytes rounded up to 2 MiB pages, zeroed, in real hugepages.
    ///
    /// # Errors
    /// The kernel's; out of memory where too few hugepages are free.
    pub fn huge(len: usize) -> io::Result<Self> {
        Self::with_flags(len.next_multiple_of(HUGE_PAGE), libc::MFD_HUGETLB | libc::MFD_HUGE_2MB)
    }

    fn with_flags(len: usize, flags: libc::c_uint) -> io::Result<Self> {
        // SAFETY: the name is NUL-terminated; the result is checked.
        let fd = unsafe { libc::memfd_create(c"vswitch-guest".as_ptr(), libc::MFD_CLOEXEC | flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: fd is fresh and nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(len as u64)?;
        // SAFETY: a new shared mapping of a file of this length; the result is checked.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Memory { base, len, file })
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// No bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it is mapped here: the address that vhost-user calls the user address.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    /// The file behind it.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Where `len` bytes at `offset` are, for code that upholds the ring's protocol itself.
    pub(super) fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len), "outside guest memory");
        // SAFETY: checked above.
        unsafe { self.base.as_ptr().add(offset) }
    }

    fn word(&self, offset: usize) -> &AtomicU16 {
        assert!(offset.is_multiple_of(2), "unaligned");
        // SAFETY: inside the mapping and aligned; atomics may be shared with another process.
        unsafe { AtomicU16::from_ptr(self.at(offset, 2).cast()) }
    }

    /// Copies bytes in.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: `at` checks the range; the source is a slice of this length, elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(offset, bytes.len()), bytes.len()) };
    }

    /// Copies bytes out.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy_nonoverlapping(self.at(offset, bytes.len()), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Sets bytes to zero.
    pub fn clear(&self, offset: usize, len: usize) {
        // SAFETY: `at` checks the range.
        unsafe { std::ptr::write_bytes(self.at(offset, len), 0, len) };
    }

    /// Reads an index or flags word; later reads see at least what was written before it.
    #[must_use]
    pub fn load(&self, offset: usize) -> u16 {
        u16::from_le(self.word(offset).load(Ordering::Acquire))
    }

    /// Writes an index or flags word after everything written before.
    pub fn store(&self, offset: usize, value: u16) {
        self.word(offset).store(value.to_le(), Ordering::Release);
    }

    /// Little-endian 32 bits.
    #[must_use]
    pub fn read_u32(&self, offset: usize) -> u32 {
        let mut b = [0; 4];
        self.read(offset, &mut b);
        u32::from_le_bytes(b)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length and ends here.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// A full fence: what was written before is visible before what is read after (the driver's notification check).
pub fn fence() {
    std::sync::atomic::fence(Ordering::SeqCst);
}
