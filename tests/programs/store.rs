//! The programs and their store: the unit, `check`, `restore`.

use super::*;

/// `ProtectSystem=strict` leaves the daemon no other folder to write its store to.
#[test]
fn the_unit_makes_the_folder_of_the_store() {
    let unit = include_str!("../../conf/vswitch.service");
    assert!(unit.contains("\nStateDirectory=vswitch\nStateDirectoryMode=0700\n"), "{unit}");
    let config: toml::Table = CONF[0].1.parse().unwrap();
    assert_eq!(config["store"]["path"].as_str(), Some("/var/lib/vswitch/store.redb"));
}

#[test]
fn a_backup_mends_a_switch_that_cannot_start() {
    let folder = Folder::shipped();
    let [store, backup] = ["store.redb", "backup"].map(|name| folder.0.join(name));
    let file = folder.0.join("vswitch.toml");
    let environment = [("VSWITCH__STORE__PATH", store.to_str().unwrap()), ("VSWITCH__API__LISTEN", "")];
    let vswitch = |arguments: &[&str]| {
        let mut command = Command::new(VSWITCH);
        command.args(arguments).arg("--config").arg(&file).envs(environment).env("VSWITCH__WORKER__COUNT", "0");
        command.env("VSWITCH__OPS__SOCKET", file.with_file_name("ops.sock"));
        command.env("VSWITCH__METRICS__LISTEN", "127.0.0.1:0").output().unwrap()
    };
    let mut daemon = Daemon::start_with(folder, &environment);
    let saved = daemon.ctl(&["backup", backup.to_str().unwrap()]);
    assert!(saved.status.success(), "{}", text(&saved.stderr));
    let restore = ["restore", backup.to_str().unwrap()];
    let output = vswitch(&restore);
    assert!(
        !output.status.success()
            && text(&output.stderr).contains("while a vswitch runs, `vswitchctl restore` does this"),
        "{output:?}"
    );
    let listed = daemon.ctl(&["session", "list", "--account", "demo"]);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();

    std::fs::write(&store, "broken").unwrap();
    std::fs::write(store.with_file_name("store.redb.snapshot"), "broken").unwrap();
    let output = vswitch(&["run"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("`vswitch restore --config FILE BACKUP`"), "{output:?}");
    let output = vswitch(&["restore", file.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("is neither a snapshot nor a backup"), "{output:?}");
    assert_eq!(std::fs::read(&store).unwrap(), b"broken");
    let output = vswitch(&restore);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("the old store is"), "{output:?}");
    let folder = std::mem::replace(&mut daemon.folder, Folder::new());
    let daemon = Daemon::start_with(folder, &environment);
    assert_eq!(text(&daemon.ctl(&["session", "list", "--account", "demo"]).stdout), text(&listed.stdout));
}

/// The unit runs `check` before every start: files that a switch with a store does not read must not keep it down.
#[test]
fn check_reads_what_a_start_reads() {
    let folder = Folder::shipped();
    let path = |name: &str| folder.0.join(name).display().to_string();
    let check = |environment: &[(&str, &str)]| {
        let mut command = Command::new(VSWITCH);
        command.args(["check", "--config"]).arg(path("vswitch.toml")).env("VSWITCH__STORE__PATH", path("store.redb"));
        command.envs(environment.iter().copied()).output().unwrap()
    };
    std::fs::write(path("inventory.json"), "not JSON").unwrap();
    let output = check(&[]);
    assert!(text(&output.stderr).contains("inventory.json: is not JSON"), "the first start reads it: {output:?}");
    std::fs::write(path("store.redb"), "a store").unwrap();
    let output = check(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    std::fs::write(path("accounts.json"), r#"{"Accounts": [{}]}"#).unwrap();
    std::fs::set_permissions(path("accounts.json"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (accounts, certificate) = (path("accounts.json"), path("none.pem"));
    let output = check(&[
        ("VSWITCH__API__ACCOUNTS", &accounts),
        ("VSWITCH__API__TLS_CERTIFICATE", &certificate),
        ("VSWITCH__API__TLS_KEY", &certificate),
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for words in ["api.tls_certificate = ", "Accounts[0].AccountId: missing"] {
        assert!(text(&output.stderr).contains(words), "{words}: {output:?}");
    }
}
