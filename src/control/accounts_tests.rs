//! Accounts of the inventory, and of a file of their own.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::config::Config;
use super::document::tests::read;
use super::tests::shipped;
use super::{accounts_file, model::Account};

fn with_accounts(accounts: Value) -> Value {
    let (mut inventory, _) = shipped();
    inventory["Accounts"] = accounts;
    inventory
}

#[test]
fn accounts_have_their_own_quotas_over_those_of_the_configuration() {
    let mut config = Config::default();
    config.quotas.filters = 7;
    let accounts = json!([
        {
            "AccountId": "1001", "AccountName": "alice", "Status": "financial_locked",
            "AccessKeys": [{ "AccessKeyId": "AK1", "AccessKeySecret": "s3cr3t" }],
            "Quotas": { "rules_per_filter": 40 },
        },
        { "AccountId": "1002" },
    ]);
    let model = read(&with_accounts(accounts), &config).unwrap();
    let [alice, bob] = &model.accounts[..] else { panic!("two accounts") };
    assert_eq!((&*alice.id, &*alice.name, alice.locked), ("1001", "alice", true));
    assert_eq!((&*alice.keys[0].id, &**alice.keys[0].secret.expose()), ("AK1", "s3cr3t"));
    assert_eq!((alice.quotas.rules_per_filter, alice.quotas.filters), (40, 7));
    assert_eq!((&*bob.id, bob.locked, bob.keys.len(), &bob.quotas), ("1002", false, 0, &config.quotas));
    assert!(!format!("{model:?}").contains("s3cr3t"), "no Debug shows a secret");
}

#[test]
fn every_mistake_is_found_and_no_secret_is_said() {
    let lines = read(
        &with_accounts(json!([
            { "AccountId": "a", "Status": "locked", "AccessKeys": [{ "AccessKeyId": "k", "AccessKeySecret": "se cret" }] },
            { "AccountId": "b", "AccessKeys": [{ "AccessKeyId": "k", "AccessKeySecret": "***" }, { "AccessKeyId": "l" }] },
            { "AccountId": "c", "AccessKeys": "hushhush", "Quotas": { "filters": 0, "large_instance_types": [] } },
            { "AccountId": "d", "AccessKeys": [{ "AccessKeyId": "m", "AccesKeySecret": "hushhush" }] },
        ])),
        &Config::default(),
    )
    .unwrap_err();
    let secret = "1 to 256 visible ASCII characters, and not ***, which stands for it in answers";
    assert_eq!(
        lines,
        [
            "inventory: Accounts[a].Status = \"locked\": \"active\" or \"financial_locked\"".to_owned(),
            format!("inventory: Accounts[a].AccessKeys[0].AccessKeySecret = ***: {secret}"),
            "inventory: Accounts[b].AccessKeys[0].AccessKeyId = \"k\": another AccessKey has this id".to_owned(),
            format!("inventory: Accounts[b].AccessKeys[0].AccessKeySecret = ***: {secret}"),
            format!("inventory: Accounts[b].AccessKeys[1].AccessKeySecret: missing; {secret}"),
            "inventory: Accounts[c].AccessKeys = ***: a list is expected here".to_owned(),
            "inventory: Accounts[c].Quotas.large_instance_types = []: unknown key; the nearest known one is \
             sources_per_target_eni"
                .to_owned(),
            "inventory: Accounts[c].Quotas.filters = 0: a whole number from 1 to 100000".to_owned(),
            "inventory: Accounts[d].AccessKeys[0].AccesKeySecret = ***: unknown key; the nearest known one is \
             AccessKeySecret"
                .to_owned(),
            format!("inventory: Accounts[d].AccessKeys[0].AccessKeySecret: missing; {secret}"),
        ]
    );
}

/// A file with a mode, gone when dropped.
struct Temporary(std::path::PathBuf);

impl Temporary {
    fn new(name: &str, text: &str, mode: u32) -> Self {
        let path = std::env::temp_dir().join(format!("vswitch-accounts-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Temporary(path)
    }

    fn read(&self) -> Result<Vec<Account>, Vec<String>> {
        let read = accounts_file::read(&self.0, &Config::default());
        read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_of_accounts_is_nobody_else_s_to_read() {
    let text = r#"{"Accounts": [{"AccountId": "1001", "AccessKeys": [{"AccessKeyId": "k", "AccessKeySecret": "s"}]}]}"#;
    for mode in [0o600, 0o400, 0o640] {
        assert_eq!(Temporary::new("fine", text, mode).read().unwrap()[0].keys[0].id, "k".into());
    }
    for mode in [0o604, 0o602, 0o601] {
        let file = Temporary::new("open", text, mode);
        let shown = file.0.display();
        let sentence = format!(
            "{shown}: holds AccessKey secrets, and its mode {mode:o} gives others access; run: chmod 600 '{shown}'"
        );
        assert_eq!(file.read().unwrap_err(), [sentence]);
    }
    let wrong = |text| Temporary::new("wrong", text, 0o600).read().unwrap_err().join("; ");
    assert!(wrong("[]").ends_with("an object is expected here"), "{}", wrong("[]"));
    assert!(wrong("{").contains(": is not JSON: "));
    assert!(wrong(r#"{"Accounts": [], "Accounts": []}"#).contains("Accounts: the key is given twice"));
    assert!(wrong(r#"{"Vpcs": []}"#).contains("unknown key; the nearest known one is Accounts"));
}

#[test]
fn an_account_or_an_accesskey_is_in_one_place() {
    let account = |id: &str, key: &str| {
        let keys = json!([{ "AccessKeyId": key, "AccessKeySecret": "s" }]);
        let accounts = json!([{ "AccountId": id, "AccessKeys": keys }]);
        read(&with_accounts(accounts), &Config::default()).unwrap().accounts
    };
    let both = accounts_file::merge(&account("a", "k"), &account("b", "l")).unwrap();
    assert_eq!(both.iter().map(|a| &*a.id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        accounts_file::merge(&account("a", "k"), &account("a", "k")).unwrap_err(),
        [
            "account a is in the inventory and in the file of api.accounts: it belongs in one of them",
            "AccessKey k is in the inventory and in the file of api.accounts: ids are unique",
        ]
    );
}

#[test]
fn which_enis_are_here_is_a_matter_of_hosts() {
    let (mut inventory, _) = shipped();
    inventory["NetworkInterfaces"][0]["HostId"] = json!("one");
    inventory["NetworkInterfaces"][1]["HostId"] = json!("two");
    let here = |inventory: &Value, host: &str| {
        let mut config = Config::default();
        config.store.host = host.to_owned();
        let model = read(inventory, &config).unwrap();
        let remote: Vec<String> = model.remote.iter().map(|e| format!("{} on {}", e.id, e.host)).collect();
        (model.enis.iter().map(|e| e.id.to_string()).collect::<Vec<_>>(), remote)
    };
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(here(&inventory, ""), (strings(&["eni-c"]), strings(&["eni-a on one", "eni-b on two"])));
    assert_eq!(here(&inventory, "two"), (strings(&["eni-b", "eni-c"]), strings(&["eni-a on one"])));
    // What is elsewhere shares no socket with anybody here, but the VPC's addresses and the subnet's MACs.
    inventory["NetworkInterfaces"][0]["Socket"] = json!("same.sock");
    inventory["NetworkInterfaces"][1]["Socket"] = json!("same.sock");
    here(&inventory, "two");
    inventory["NetworkInterfaces"][0]["PrivateIpAddress"] = json!("10.0.0.30");
    inventory["NetworkInterfaces"][0]["MacAddress"] = json!("02:00:00:00:00:0c");
    inventory["NetworkInterfaces"][1]["HostId"] = json!(7);
    assert_eq!(
        read(&inventory, &Config::default()).unwrap_err(),
        [
            "inventory: NetworkInterfaces[eni-b].HostId = 7: 1 to 64 letters, digits, '.', '_' or '-', and no '.' at the \
             beginning",
            "inventory: NetworkInterfaces[eni-c].MacAddress = \"02:00:00:00:00:0c\": another ENI of the subnet has this MAC",
            "inventory: NetworkInterfaces[eni-c].PrivateIpAddress = \"10.0.0.30\": ENI eni-a of the VPC has this address",
        ]
    );
}
