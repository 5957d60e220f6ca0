//! The switch of the service, which an account turns on once.

use serde_json::{Value, json};

use super::{Asked, Plan};
use crate::control::plane::desired::Change;

pub(super) fn open(asked: Asked<'_>) -> Plan {
    let account = &asked.call.account;
    let changes = if asked.desired.services.contains(account) {
        Vec::new()
    } else {
        vec![Change::Service(account.clone(), true)]
    };
    Plan { changes, answer: json!({ "Code": "200", "Message": "successful" }) }
}

pub(super) fn status(asked: Asked<'_>) -> Value {
    json!({ "Enabled": asked.desired.services.contains(asked.account()) })
}
