//! Files of the switch: they are there, can be written, and give no secret away.

use std::path::Path;

use super::Finding;
use super::facts::{Facts, Kind, Place};
use crate::control::config::Config;

pub(super) fn permissions(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let store = &config.store.path;
    if store.as_os_str().is_empty() {
        findings.push(Finding::ok("store", "none: the object files are the objects (store.path = \"\")"));
    } else {
        let folder = facts.nearest_folder(store);
        findings.push(self::store(store, facts.place(store), &folder, facts.place(&folder)));
        findings.extend(facts.store.as_ref().map(|(state, why)| served(state, why)));
    }
    for (name, key, path) in
        [("accounts_file", "api.accounts", &config.api.accounts), ("tls_key", "api.tls_key", &config.api.tls_key)]
    {
        if !path.as_os_str().is_empty() {
            findings.push(secret(name, key, path, facts.place(path)));
        }
    }
    findings
}

/// The store's file, or the folder in which it will be made.
fn store(path: &Path, place: Place, folder: &Path, above: Place) -> Finding {
    const NAME: &str = "store";
    let (shown, above_shown) = (path.display(), folder.display());
    match place.kind {
        Kind::Missing if above.kind != Kind::Folder || !above.writable => {
            let made = path.parent().unwrap_or(path).display();
            let says = format!("{shown} cannot be made: {above_shown} cannot be written");
            Finding::fail(NAME, says, format!("install -d -m 0750 {made} as root, for the user of the daemon"))
        }
        Kind::Missing => Finding::ok(NAME, format!("{shown} will be made at the first start")),
        Kind::File if place.mode & 0o007 != 0 => {
            let says = format!("{shown} holds secrets, and any user may read or write it");
            Finding::fail(NAME, says, format!("chmod o-rwx {shown}"))
        }
        Kind::File if !place.writable => {
            let says = format!("{shown} cannot be written by this user");
            Finding::fail(NAME, says, format!("chown {shown} to the user of the daemon, or run as root"))
        }
        Kind::File => Finding::ok(NAME, shown.to_string()),
        Kind::Hidden => hidden(NAME, path),
        _ => Finding::fail(NAME, format!("{shown} is not a file"), "set store.path to a file's path"),
    }
}

fn hidden(name: &'static str, path: &Path) -> Finding {
    Finding::warn(name, format!("{}: this user may not look there", path.display()), "sudo vswitchctl doctor")
}

/// What the daemon says of its store.
fn served(state: &str, why: &str) -> Finding {
    const NAME: &str = "store_state";
    match state {
        "ok" => Finding::ok(NAME, "the daemon reads and writes it"),
        "none" => {
            Finding::warn(NAME, "the daemon runs without a store", "set store.path, then systemctl restart vswitch")
        }
        _ => {
            let says = format!("the daemon refuses all writes: {why}");
            Finding::fail(NAME, says, "journalctl -u vswitch; mend the cause and restart, or vswitchctl restore BACKUP")
        }
    }
}

/// A file with secrets.
fn secret(name: &'static str, key: &str, path: &Path, place: Place) -> Finding {
    let shown = path.display();
    match place.kind {
        Kind::File if place.mode & 0o007 != 0 => {
            let says = format!("{shown} holds secrets, and any user may read or write it");
            Finding::fail(name, says, format!("chmod o-rwx {shown}"))
        }
        Kind::File => Finding::ok(name, shown.to_string()),
        Kind::Hidden => hidden(name, path),
        Kind::Missing => {
            Finding::fail(name, format!("{shown} does not exist"), format!("correct {key}, or set it to \"\""))
        }
        _ => Finding::fail(name, format!("{shown} is not a file"), format!("set {key} to a file's path")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn place(kind: Kind, mode: u32) -> Place {
        Place { kind, mode, writable: true }
    }

    #[test]
    fn a_store_can_be_made_or_written_and_gives_nothing_away() {
        let path = Path::new("/var/lib/vswitch/store.redb");
        let of = |place, above| store(path, place, Path::new("/var/lib"), above);
        let level = |place, above| of(place, above).level;
        let folder = place(Kind::Folder, 0o755);
        let closed = Place { writable: false, ..folder };
        assert_eq!(level(place(Kind::File, 0o600), folder), Level::Ok);
        assert_eq!(level(place(Kind::File, 0o660), folder), Level::Ok);
        assert_eq!(level(place(Kind::File, 0o644), folder), Level::Fail);
        assert_eq!(level(Place { writable: false, ..place(Kind::File, 0o600) }, folder), Level::Fail);
        assert_eq!(level(folder, folder), Level::Fail);
        assert_eq!(level(place(Kind::Hidden, 0), folder), Level::Warn);
        assert_eq!(level(place(Kind::Missing, 0), folder), Level::Ok);
        let refused = of(place(Kind::Missing, 0), closed);
        assert_eq!(refused.level, Level::Fail);
        assert!(refused.mend.is_some_and(|mend| mend.starts_with("install -d -m 0750 /var/lib/vswitch ")));
    }

    #[test]
    fn what_the_daemon_says_of_its_store() {
        assert_eq!(served("ok", "").level, Level::Ok);
        assert_eq!(served("none", "").level, Level::Warn);
        let refused = served("read_only", "schema 9 is newer");
        assert_eq!((refused.level, refused.says.contains("schema 9 is newer")), (Level::Fail, true));
    }

    #[test]
    fn files_with_secrets_are_there_and_not_everybody_s() {
        let level = |place| secret("tls_key", "api.tls_key", Path::new("key.pem"), place).level;
        assert_eq!(level(place(Kind::File, 0o640)), Level::Ok);
        for mode in [0o644, 0o602, 0o601] {
            assert_eq!(level(place(Kind::File, mode)), Level::Fail, "{mode:o}");
        }
        assert_eq!(level(place(Kind::Hidden, 0)), Level::Warn);
        assert_eq!(level(place(Kind::Missing, 0)), Level::Fail);
        assert_eq!(level(place(Kind::Folder, 0o750)), Level::Fail);
    }
}
