//! Accounts of the inventory or of the file that `api.accounts` names: AccessKeys, state and quotas.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::config::{Config, Quotas};
use super::id::ALLOWED as ID;
use super::inventory::{id, unique};
use super::raw::{List, Object, Sink, string};
use super::secrets::HIDDEN;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id, which ENIs name as their owner.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// It owes money: its sessions do not mirror, and it may change nothing.
    pub locked: bool,
    /// What its requests are signed with.
    pub keys: Vec<AccessKey>,
    /// Its quotas: its own, and the configuration's where it has none.
    pub quotas: Quotas,
}

/// An AccessKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id, unique over all accounts.
    pub id: Arc<str>,
    /// Its secret.
    pub secret: Secret,
}

/// A secret, which no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

const ACCOUNT_KEYS: [&str; 5] = ["AccountId", "AccountName", "Status", "AccessKeys", "Quotas"];

/// Bytes of a secret.
const SECRET: usize = 256;

/// Reads a list of accounts.
pub(super) fn accounts(sink: &Sink, list: &List<'_>, config: &Config) -> Vec<Account> {
    let (mut ids, mut key_ids) = (HashSet::new(), HashSet::new());
    let one = |(path, value): &(String, &Value)| {
        let object = Object::new(sink, path, value, &ACCOUNT_KEYS, &["Description"])?;
        let id = object.required("AccountId", ID, id);
        unique(&object, "AccountId", id.as_ref(), &mut ids, "another account has this id");
        let name = object.optional("AccountName", "a name", string).unwrap_or_default();
        let locked =
            object.optional("Status", "\"active\" or \"financial_locked\"", |status| match status.as_str()? {
                "active" => Some(false),
                "financial_locked" => Some(true),
                _ => None,
            });
        let keys = object.list("AccessKeys").into_iter();
        let keys = keys.filter_map(|(path, value)| access_key(sink, &path, value, &mut key_ids)).collect();
        let quotas = quotas(&object, config);
        Some(Account { id: id?, name, locked: locked.unwrap_or(false), keys, quotas })
    };
    list.items.iter().filter_map(one).collect()
}

fn access_key(sink: &Sink, path: &str, value: &Value, ids: &mut HashSet<Arc<str>>) -> Option<AccessKey> {
    let object = Object::new(sink, path, value, &["AccessKeyId", "AccessKeySecret"], &[])?;
    let id = object.required("AccessKeyId", ID, id);
    unique(&object, "AccessKeyId", id.as_ref(), ids, "another AccessKey has this id");
    let allowed = format!("1 to {SECRET} visible ASCII characters, and not {HIDDEN}, which stands for it in answers");
    let secret = object.required("AccessKeySecret", &allowed, |secret| {
        let visible = |s: &&str| (1..=SECRET).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic());
        secret.as_str().filter(visible).filter(|s| *s != HIDDEN).map(|s| Secret(s.into()))
    });
    Some(AccessKey { id: id?, secret: secret? })
}

/// The account's quotas over those of the configuration; which instance types are large is not the account's to say.
fn quotas(object: &Object<'_>, config: &Config) -> Quotas {
    let known: Vec<&str> = Quotas::KEYS.iter().copied().filter(|key| *key != "large_instance_types").collect();
    let own = object
        .raw("Quotas")
        .and_then(|value| Object::new(object.sink(), &object.path_of("Quotas"), value, &known, &[]));
    let rest = config.quotas.clone();
    own.map_or_else(|| rest.clone(), |own| Quotas::read(&own, rest.clone()))
}
