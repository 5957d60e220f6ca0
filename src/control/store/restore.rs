//! A store from a backup.

use std::fs::OpenOptions;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

use super::opened::aside;
use super::snapshot::{SnapshotFile, decode, encode};
use super::{RedbStore, Store, StoreError, sync_folder};

/// A backup's bytes: all that a store holds.
///
/// # Errors
/// See [`StoreError`].
pub fn backup(store: &dyn Store) -> Result<Vec<u8>, StoreError> {
    let (contents, intervals) = store.dump()?;
    Ok(encode(&contents, &intervals))
}

/// What [`restore`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Of the new store: higher than the backup's, and than the old snapshot's, since revisions never go back.
    pub revision: u64,
    /// Number of records.
    pub records: usize,
    /// Where the old store is now.
    pub aside: Option<PathBuf>,
}

/// Makes a store, and the snapshot beside it, of a backup's or snapshot's bytes; `name` is what errors call those. The old
/// store is kept under another name. At any moment the old or the new one is there, whole.
///
/// # Errors
/// [`StoreError::InUse`] while the old store is open; those of [`decode`]; [`StoreError::Broken`].
pub fn restore(path: &Path, backup: &[u8], name: &str) -> Result<Restored, StoreError> {
    let (mut contents, intervals) = decode(backup, name)?;
    let snapshot = SnapshotFile::beside(path);
    let old_revision = snapshot.read().map_or(0, |s| s.revision);
    contents.revision = contents.revision.max(old_revision) + 1;
    let failed = |e: std::io::Error| StoreError::Broken(format!("{} cannot be replaced: {e}", path.display()));
    let aside = path.try_exists().map_err(failed)?.then(|| aside(path));
    if aside.is_some() && !is_free(path).map_err(failed)? {
        return Err(StoreError::InUse { path: path.display().to_string() });
    }
    let draft = RedbStore::draft(path, contents.revision, contents.records.iter().chain(&intervals))?;
    if let Some(aside) = &aside {
        std::fs::hard_link(path, aside).map_err(failed)?;
    }
    std::fs::rename(&draft, path).and_then(|()| sync_folder(path)).map_err(failed)?;
    snapshot.write(&contents)?;
    Ok(Restored { revision: contents.revision, records: contents.records.len() + intervals.len(), aside })
}

/// No process has it open.
fn is_free(path: &Path) -> std::io::Result<bool> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let backend = FileBackend::new(file).map_err(std::io::Error::other)?;
    let free = backend.try_lock_range(Bound::Unbounded, Bound::Unbounded);
    backend.close()?;
    free.map_err(std::io::Error::other)
}
