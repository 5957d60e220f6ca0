//! The file that `api.accounts` names: accounts beside those of the inventory, `{"Accounts": [...]}`.
//!
//! An account stands in one of the two, never in both, so that nobody has to know which one wins.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::accounts::{Account, accounts};
use super::config::Config;
use super::document;
use super::raw::{Object, Problem, Sink};

/// Whoever is neither the owner nor of the group.
const OTHERS: u32 = 0o007;

/// Reads the accounts of a file.
///
/// # Errors
/// Every problem; a file that others may read, write or execute is one.
pub fn read(path: &Path, config: &Config) -> Result<Vec<Account>, Vec<Problem>> {
    let name = path.display().to_string();
    let sink = Sink::new(name.as_str());
    let text = open(path).map_err(|e| {
        sink.report("", None, e);
        sink.into_problems()
    })?;
    let tree = document::tree(&name, &text)?;
    let sink = Sink::new(name);
    let found = match Object::new(&sink, "", &tree, &["Accounts"], &[]) {
        Some(root) => accounts(&sink, &root.listed("Accounts"), config),
        None => Vec::new(),
    };
    if sink.is_clean() { Ok(found) } else { Err(sink.into_problems()) }
}

/// The text of a file that holds secrets. The rights are those of the file that is read, whatever its name means later.
fn open(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("cannot be read: {e}");
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mode = file.metadata().map_err(cannot)?.permissions().mode();
    if mode & OTHERS != 0 {
        let shown = path.display();
        return Err(format!(
            "holds AccessKey secrets, and its mode {:03o} gives others access; run: chmod 600 '{shown}'",
            mode & 0o777
        ));
    }
    std::io::read_to_string(file).map_err(cannot)
}

/// All accounts of both sources.
///
/// # Errors
/// Accounts and AccessKeys that are in both; a sentence each.
pub fn merge(inventory: &[Account], file: &[Account]) -> Result<Vec<Account>, Vec<String>> {
    let ids: HashSet<_> = inventory.iter().map(|a| &a.id).collect();
    let keys: HashSet<_> = inventory.iter().flat_map(|a| &a.keys).map(|k| &k.id).collect();
    let mut problems = Vec::new();
    for account in file {
        if ids.contains(&account.id) {
            problems.push(format!(
                "account {} is in the inventory and in the file of api.accounts: it belongs in one of them",
                account.id
            ));
        }
        let twice = account.keys.iter().filter(|key| keys.contains(&key.id));
        problems.extend(twice.map(|key| {
            format!("AccessKey {} is in the inventory and in the file of api.accounts: ids are unique", key.id)
        }));
    }
    if problems.is_empty() { Ok(inventory.iter().chain(file).cloned().collect()) } else { Err(problems) }
}
