//! A document without its secrets, for answers, and back.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Document, ObjectKind, Objects};
use crate::control::secrets::{HIDDEN, hidden};

const SECRET: &str = "AccessKeySecret";

/// As answers show it: no secret is in a log by way of what holds a document.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.redacted().to_json())
    }
}

impl Document {
    /// The document with `***` in the place of each secret.
    #[must_use]
    pub fn redacted(&self) -> Document {
        let mut shown = self.clone();
        let accounts = &mut shown.objects[ObjectKind::Account as usize];
        accounts.values_mut().for_each(|account| *account = Arc::new(hidden(account)));
        shown
    }

    /// The document with the secrets that `before` has for the same AccessKey of the same account, where it says `***`.
    #[must_use]
    pub fn with_secrets_of(mut self, before: &Document) -> Document {
        let known = before.objects(ObjectKind::Account);
        for (id, account) in &mut self.objects[ObjectKind::Account as usize] {
            if let Some(restored) = restored(known, id, account) {
                *account = Arc::new(restored);
            }
        }
        self
    }
}

/// The account with its secrets, if it lacks some that are known.
fn restored(known: &Objects, id: &str, account: &Value) -> Option<Value> {
    let keys = |account: &Value| account.get("AccessKeys").and_then(Value::as_array).cloned();
    let (before, mut now) = (keys(known.get(id)?)?, keys(account)?);
    let lacking = now.iter_mut().filter(|key| key.get(SECRET).and_then(Value::as_str) == Some(HIDDEN));
    let mut found = false;
    for key in lacking {
        let same = |other: &&Value| other.get("AccessKeyId") == key.get("AccessKeyId");
        if let Some(secret) = before.iter().find(same).and_then(|other| other.get(SECRET)) {
            key[SECRET] = secret.clone();
            found = true;
        }
    }
    let mut account = account.clone();
    account["AccessKeys"] = Value::Array(now);
    found.then_some(account)
}
