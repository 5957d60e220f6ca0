//! What a switch starts from: its store, or the snapshot beside it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::snapshot::SnapshotFile;
use super::{Contents, RedbStore, Store, StoreError, sync_folder};

/// A store as it was found at the start.
#[derive(Debug)]
pub enum Opened {
    /// The store and what is in it.
    Live {
        /// It.
        store: RedbStore,
        /// Its records.
        contents: Contents,
    },
    /// The store is broken; its last snapshot is not.
    ReadOnly {
        /// The snapshot's records. Nothing can be changed.
        contents: Contents,
        /// What is wrong and what mends it, in a sentence.
        reason: String,
    },
    /// Nothing to start from.
    Refused {
        /// What is wrong and what mends it, in sentences.
        reasons: Vec<String>,
    },
}

impl Opened {
    /// Opens the store in a file, makes an empty one where neither it nor a snapshot is, or reads the snapshot.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let snapshot = SnapshotFile::beside(path);
        let saved = snapshot.path.exists().then(|| snapshot.read());
        let saved_revision = saved.as_ref().and_then(|s| s.as_ref().ok()).map_or(0, |s| s.revision);
        match live(path, &snapshot, saved.is_some(), saved_revision) {
            Ok((store, contents)) => Opened::Live { store, contents },
            Err(error) => without_store(&error, &snapshot, saved),
        }
    }
}

fn live(
    path: &Path,
    snapshot: &SnapshotFile,
    saved: bool,
    saved_revision: u64,
) -> Result<(RedbStore, Contents), StoreError> {
    let (name, beside) = (path.display(), snapshot.path.display());
    // An empty store in place of a lost one would be a silent loss of everything.
    if saved && !path.exists() {
        return Err(StoreError::Broken(format!("{name} is missing, but {beside} is there")));
    }
    let store = RedbStore::open(path)?;
    let contents = store.load()?;
    // A snapshot is never ahead of its store.
    if contents.revision < saved_revision {
        let found = contents.revision;
        return Err(StoreError::Broken(format!(
            "{name} is at revision {found}, but {beside} at {saved_revision}: commits are lost"
        )));
    }
    Ok((store, contents))
}

fn without_store(error: &StoreError, snapshot: &SnapshotFile, saved: Option<Result<Contents, StoreError>>) -> Opened {
    let beside = snapshot.path.display();
    let mend = "`vswitchctl restore FILE` makes a store of a backup or a snapshot";
    // A restore needs a switch that runs.
    let mend_first = "move both files away and start the switch, which makes an empty store; then `vswitchctl restore FILE` \
                      puts a backup in its place";
    match (error, saved) {
        // The store is whole, but not for us: to go on from less would be wrong.
        (StoreError::InUse { .. } | StoreError::Newer { .. }, _) => {
            Opened::Refused { reasons: vec![error.to_string()] }
        }
        (_, Some(Ok(contents))) => {
            let revision = contents.revision;
            let reason =
                format!("{error}. Running on {beside}, revision {revision}, and all writes are refused: {mend}");
            Opened::ReadOnly { contents, reason }
        }
        (_, Some(Err(also))) => Opened::Refused { reasons: vec![format!("{error}: {mend_first}"), also.to_string()] },
        (_, None) => {
            Opened::Refused { reasons: vec![format!("{error}: {mend_first}"), format!("{beside} is missing as well")] }
        }
    }
}

/// Puts a broken store aside and returns its new name; nothing where there is none.
///
/// # Errors
/// [`StoreError::Broken`].
pub fn replace_broken(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let aside = aside(path);
    match std::fs::rename(path, &aside).and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(Some(aside)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::Broken(format!("{} cannot be put aside: {e}", path.display()))),
    }
}

/// A name that nothing has yet, with the time in it.
pub(super) fn aside(path: &Path) -> PathBuf {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let name = |n: u64| super::beside(path, &format!(".broken-{}", seconds + n));
    (0..).map(name).find(|p| !p.exists()).unwrap_or_else(|| name(0))
}
