//! The embedded store: a redb file, a table a kind, two-phase commits.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ::redb::backends::FileBackend;
use ::redb::{
    Builder, Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend,
    TableDefinition, TableError, WriteTransaction,
};

use super::overlay::Overlay;
use super::{Contents, Kind, Record, SCHEMA, Store, StoreError, Write};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const SCHEMA_KEY: &str = "schema";
const REVISION_KEY: &str = "revision";
/// Records are read once at the start, and intervals rarely: a small cache does, in bytes.
const CACHE: usize = 2 << 20;

fn table(kind: Kind) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(kind.name())
}

/// A store in a redb file.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
    name: String,
    /// Why it is not to be used any more: an access failed, and what is in the file is unknown until it is opened anew.
    broken: OnceLock<String>,
}

impl RedbStore {
    /// Opens the store, or makes an empty one. The whole file is verified, which reads all of it.
    ///
    /// # Errors
    /// See [`StoreError`]; never [`StoreError::Conflict`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let file = |e: std::io::Error| StoreError::Broken(format!("{name} cannot be opened: {e}"));
        match std::fs::metadata(path) {
            // A new store gets its name when it is whole, so this one lost what was in it.
            Ok(metadata) if metadata.len() == 0 => {
                return Err(StoreError::Broken(format!("{name} is empty: no store ever is")));
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::create(path)?,
            Err(e) => return Err(file(e)),
        }
        // What a newer vswitch wrote stays as it is, so opening, which writes, is tried without writing first.
        drop(Self::on(Overlay::new(backend(path).map_err(file)?).map_err(file)?, &name)?);
        Self::on(backend(path).map_err(file)?, &name)
    }

    /// Makes an empty store. It appears under its name when it is whole, or not at all.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when there is one by now; [`StoreError::Broken`].
    pub(super) fn create(path: &Path) -> Result<(), StoreError> {
        let name = path.display().to_string();
        let unmade = |e: std::io::Error| StoreError::Broken(format!("{name} cannot be made: {e}"));
        let draft = Self::draft(path, 0, [])?;
        // Unlike a rename, a link never replaces what another process made in the meantime.
        let linked = std::fs::hard_link(&draft, path);
        std::fs::remove_file(&draft).map_err(unmade)?;
        match linked {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(StoreError::InUse { path: name }),
            Err(e) => Err(unmade(e)),
            Ok(()) => super::sync_folder(path).map_err(unmade),
        }
    }

    /// Makes a store of records under a name of its own beside `path`, and returns that.
    pub(super) fn draft<'r>(
        path: &Path,
        revision: u64,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Result<PathBuf, StoreError> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let unmade = |e: std::io::Error| StoreError::Broken(format!("{} cannot be made: {e}", path.display()));
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unmade)?;
        }
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = super::beside(path, &format!(".new-{}-{number}", std::process::id()));
        let _ = std::fs::remove_file(&draft);
        // Secrets are inside.
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft).map_err(unmade)?;
        let made = FileBackend::new(file)
            .map_err(|e| unmade(std::io::Error::other(e)))
            .and_then(|backend| Self::on(backend, &path.display().to_string()))
            .and_then(|store| store.checked(|s| s.fill(revision, records)));
        if let Err(e) = made {
            let _ = std::fs::remove_file(&draft);
            return Err(e);
        }
        Ok(draft)
    }

    /// Opens a store on any storage, or makes an empty one where that is empty. `name` is what errors call it.
    ///
    /// # Errors
    /// See [`StoreError`]; never [`StoreError::Conflict`].
    pub fn on(backend: impl StorageBackend, name: &str) -> Result<Self, StoreError> {
        let database = Builder::new()
            .set_cache_size(CACHE)
            // Without it redb trusts what a clean shutdown left, and may panic on a file that was damaged later.
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(|e| match e {
                DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                    StoreError::InUse { path: name.to_owned() }
                }
                e => StoreError::Broken(format!("{name} is not a sound store: {e}")),
            })?;
        let store = RedbStore { database, name: name.to_owned(), broken: OnceLock::new() };
        match store.checked(Self::schema)? {
            Some(SCHEMA) => Ok(store),
            Some(found) if found > SCHEMA => Err(StoreError::Newer { path: name.to_owned(), found, known: SCHEMA }),
            Some(found) => Err(StoreError::Broken(format!("{name} has the schema {found}, which never was"))),
            None if store.checked(Self::is_empty)? => store.checked(|s| s.fill(0, [])).map(|()| store),
            None => Err(StoreError::Broken(format!("{name} is a redb file, but no store of vswitch"))),
        }
    }

    fn schema(&self) -> Result<Option<u64>, ::redb::Error> {
        match self.database.begin_read()?.open_table(META) {
            Ok(meta) => Ok(meta.get(SCHEMA_KEY)?.map(|v| v.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn is_empty(&self) -> Result<bool, ::redb::Error> {
        Ok(self.database.begin_read()?.list_tables()?.next().is_none())
    }

    /// Makes the tables, with records. All tables exist from here on.
    fn fill<'r>(&self, revision: u64, records: impl IntoIterator<Item = &'r Record>) -> Result<(), ::redb::Error> {
        let transaction = self.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(SCHEMA_KEY, SCHEMA)?;
            meta.insert(REVISION_KEY, revision)?;
            for kind in Kind::ALL {
                transaction.open_table(table(kind))?;
            }
            for record in records {
                transaction.open_table(table(record.kind))?.insert(record.key.as_str(), record.value.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// As after an access that failed.
    #[cfg(test)]
    pub(in crate::control) fn fail(&self) {
        let _ = self.broken.set("it was told to fail".to_owned());
    }

    /// The first failure is the last access.
    fn checked<T>(&self, access: impl FnOnce(&Self) -> Result<T, ::redb::Error>) -> Result<T, StoreError> {
        if let Some(reason) = self.broken.get() {
            return Err(StoreError::Broken(reason.clone()));
        }
        access(self).map_err(|e| {
            let reason = format!("{} failed and is not used until it is opened again: {e}", self.name);
            StoreError::Broken(self.broken.get_or_init(|| reason).clone())
        })
    }

    fn begin_write(&self) -> Result<WriteTransaction, ::redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    /// The new revision, or the one found instead of the expected.
    fn try_commit(&self, expected: u64, writes: &[Write]) -> Result<Result<u64, u64>, ::redb::Error> {
        let transaction = self.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            let found = meta.get(REVISION_KEY)?.map_or(0, |v| v.value());
            if found != expected {
                return Ok(Err(found));
            }
            meta.insert(REVISION_KEY, expected + 1)?;
        }
        for kind in Kind::ALL {
            let mut writes = writes.iter().filter(|w| w.kind == kind).peekable();
            if writes.peek().is_none() {
                continue;
            }
            let mut table = transaction.open_table(table(kind))?;
            for write in writes {
                match &write.value {
                    Some(value) => table.insert(write.key.as_str(), value.as_slice())?,
                    None => table.remove(write.key.as_str())?,
                };
            }
        }
        transaction.commit()?;
        Ok(Ok(expected + 1))
    }
}

fn visit_contents(transaction: &ReadTransaction, each: &mut dyn FnMut(Record)) -> Result<u64, ::redb::Error> {
    let revision = transaction.open_table(META)?.get(REVISION_KEY)?.map_or(0, |v| v.value());
    for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::Interval) {
        read_from(transaction, kind, "", usize::MAX, each)?;
    }
    Ok(revision)
}

fn read_from(
    transaction: &ReadTransaction,
    kind: Kind,
    from: &str,
    limit: usize,
    each: &mut dyn FnMut(Record),
) -> Result<(), ::redb::Error> {
    let table = transaction.open_table(table(kind))?;
    for entry in table.range(from..)?.take(limit) {
        let (key, value) = entry?;
        each(Record { kind, key: key.value().to_owned(), value: value.value().to_vec() });
    }
    Ok(())
}

fn backend(path: &Path) -> std::io::Result<FileBackend> {
    let file: File = OpenOptions::new().read(true).write(true).open(path)?;
    FileBackend::new(file).map_err(std::io::Error::other)
}

impl Store for RedbStore {
    fn visit(&self, each: &mut dyn FnMut(Record)) -> Result<u64, StoreError> {
        self.checked(|store| visit_contents(&store.database.begin_read()?, each))
    }

    fn dump(&self) -> Result<(Contents, Vec<Record>), StoreError> {
        self.checked(|store| {
            let transaction = store.database.begin_read()?;
            let mut intervals = Vec::new();
            read_from(&transaction, Kind::Interval, "", usize::MAX, &mut |interval| intervals.push(interval))?;
            let mut records = Vec::new();
            let revision = visit_contents(&transaction, &mut |record| records.push(record))?;
            Ok((Contents { revision, records }, intervals))
        })
    }

    fn scan(&self, kind: Kind, from: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.checked(|store| {
            let mut records = Vec::new();
            read_from(&store.database.begin_read()?, kind, from, limit, &mut |record| records.push(record))?;
            Ok(records)
        })
    }

    fn commit(&self, expected: u64, writes: &[Write]) -> Result<u64, StoreError> {
        self.checked(|store| store.try_commit(expected, writes))?
            .map_err(|found| StoreError::Conflict { expected, found })
    }
}
