//! temp
#![allow(missing_docs)]
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};
#[derive(Debug)]
struct Shared<T> {
    version: AtomicU64,
    now: Mutex<Arc<T>>,
    retired: Mutex<Vec<Arc<T>>>,
    seen: Vec<AtomicU64>,
}
#[derive(Debug)]
pub struct Publisher<T>(Arc<Shared<T>>);
#[derive(Debug)]
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    index: usize,
    version: u64,
    now: Arc<T>,
}
impl<T> Publisher<T> {
    pub fn new(first: Arc<T>, readers: usize) -> Self {
        Publisher(Arc::new(Shared {
            version: AtomicU64::new(0),
            now: Mutex::new(first),
            retired: Mutex::new(vec![]),
            seen: (0..readers).map(|_| AtomicU64::new(0)).collect(),
        }))
    }
    pub fn reader(&self, index: usize) -> Reader<T> {
        Reader {
            shared: self.0.clone(),
            index,
            version: 0,
            now: self.0.now.lock().clone(),
        }
    }
    pub fn publish(&self, v: Arc<T>) -> u64 {
        *self.0.now.lock() = v;
        self.0.version.fetch_add(1, AcqRel) + 1
    }
    pub fn versions(&self) -> Vec<u64> {
        self.0.seen.iter().map(|s| s.load(Acquire)).collect()
    }
    pub fn wait_until_seen(
        &self,
        version: u64,
        patience: std::time::Duration,
    ) -> Result<(), String> {
        let end = std::time::Instant::now() + patience;
        while self.versions().iter().any(|v| *v < version) {
            if std::time::Instant::now() > end {
                return Err("a worker lags".into());
            }
            std::thread::sleep(std::time::Duration::from_micros(50))
        }
        self.0.retired.lock().clear();
        Ok(())
    }
}
impl<T> Reader<T> {
    pub fn current(&mut self) -> &T {
        let v = self.shared.version.load(Acquire);
        if v != self.version {
            let n = self.shared.now.lock().clone();
            let old = std::mem::replace(&mut self.now, n);
            self.shared.retired.lock().push(old);
            self.version = v;
            self.shared.seen[self.index].store(v, Release);
        }
        &self.now
    }
}
