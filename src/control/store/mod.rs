//! What is kept across restarts: records by kind and key, and one revision for all of them.
//!
//! A store knows nothing of what its records mean. It offers a compare-and-set on the revision and nothing else, so that
//! another one (etcd) can take its place.

#[cfg(test)]
mod damage_tests;
mod memory;
pub mod opened;
#[cfg(test)]
mod opened_tests;
mod overlay;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod power_cut_tests;
mod redb;
#[cfg(test)]
mod redb_tests;
pub mod restore;
#[cfg(test)]
mod scratch;
pub mod snapshot;
#[cfg(test)]
mod snapshot_tests;
pub mod snapshot_writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

pub use memory::MemoryStore;
pub use redb::RedbStore;

/// The schema of stores, snapshots and backups that this vswitch writes.
pub const SCHEMA: u64 = 1;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Facts of the region: platform networks, jumbo mirroring. Its key is `region`.
    Region,
    /// An account, its AccessKeys and its quotas.
    Account,
    /// A VPC.
    Vpc,
    /// A subnet.
    VSwitch,
    /// An instance.
    Instance,
    /// An ENI.
    NetworkInterface,
    /// An account's switch of the traffic mirror service.
    Service,
    /// A traffic mirror filter with its rules.
    Filter,
    /// A traffic mirror session.
    Session,
    /// A ClientToken and what it was answered, by `account/token`.
    Token,
    /// A source that a session mirrors since some time, by `session/source`.
    Active,
    /// A time that a source was active in a session, by `account/end/session/source/begin`. These only grow: they are scanned,
    /// never loaded.
    Interval,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 12] = [
        Kind::Region,
        Kind::Account,
        Kind::Vpc,
        Kind::VSwitch,
        Kind::Instance,
        Kind::NetworkInterface,
        Kind::Service,
        Kind::Filter,
        Kind::Session,
        Kind::Token,
        Kind::Active,
        Kind::Interval,
    ];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Region => "region",
            Kind::Account => "account",
            Kind::Vpc => "vpc",
            Kind::VSwitch => "vswitch",
            Kind::Instance => "instance",
            Kind::NetworkInterface => "network_interface",
            Kind::Service => "service",
            Kind::Filter => "filter",
            Kind::Session => "session",
            Kind::Token => "token",
            Kind::Active => "active",
            Kind::Interval => "interval",
        }
    }
}

/// A record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// Its key, unique in its kind.
    pub key: String,
    /// Its bytes: JSON, to the store's users.
    pub value: Vec<u8>,
}

/// One part of a commit.
#[derive(Clone, PartialEq, Eq)]
pub struct Write {
    /// The kind of the record.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// What it becomes; `None` removes it.
    pub value: Option<Vec<u8>>,
}

/// Values may hold secrets: only their length is shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({} bytes)", self.kind.name(), self.key, self.value.len())
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}/{} = {} bytes", self.kind.name(), self.key, value.len()),
            None => write!(f, "{}/{} removed", self.kind.name(), self.key),
        }
    }
}

/// All that a store holds, but for [`Kind::Interval`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Number of commits so far.
    pub revision: u64,
    /// Records, by kind and key.
    pub records: Vec<Record>,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else committed: read again.
    #[error("the store is at revision {found}, not {expected}")]
    Conflict {
        /// The caller's revision.
        expected: u64,
        /// The store's.
        found: u64,
    },
    /// A later version of vswitch wrote it.
    #[error(
        "{path} has schema {found}; this vswitch knows schemas up to {known}: run a newer vswitch, or restore a backup"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: u64,
        /// The highest known one.
        known: u64,
    },
    /// Another process has it open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: String,
    },
    /// It cannot be read or written. Of a commit that ends so nobody knows whether it is kept, until the store is opened
    /// again.
    #[error("{0}")]
    Broken(String),
}

/// A store.
pub trait Store: Send + Sync {
    /// Shows all records but intervals, by kind and key, one after the other and of one revision, which it returns. Nothing
    /// is in memory but the record that is shown.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn visit(&self, each: &mut dyn FnMut(Record)) -> Result<u64, StoreError>;

    /// All records but intervals.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn load(&self) -> Result<Contents, StoreError> {
        let mut records = Vec::new();
        let revision = self.visit(&mut |record| records.push(record))?;
        Ok(Contents { revision, records })
    }

    /// All records at one revision: contents, and intervals.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn dump(&self) -> Result<(Contents, Vec<Record>), StoreError>;

    /// Records of a kind from a key on, in the order of keys, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn scan(&self, kind: Kind, from: &str, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Applies all writes as one, if the store is at `expected`, and returns the new revision, one more. It is durable
    /// then.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn commit(&self, expected: u64, writes: &[Write]) -> Result<u64, StoreError>;
}

/// A path with something behind its file name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Makes what a file is called durable, once the file is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
