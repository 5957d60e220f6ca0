//! Actions of the tenant API that the operator asks for in an account's name.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use crate::cli::{NewFields, TenantWrite};

/// What a dry run is answered when the request would be done.
const WOULD_BE_DONE: &str = "DryRunOperation";
/// Objects of a list that are asked for at a time; the API's most.
const PAGE: u64 = 100;

/// An action and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action<'a> {
    name: &'static str,
    account: &'a str,
    parameters: Map<String, Value>,
}

impl<'a> Action<'a> {
    pub(super) fn new(name: &'static str, account: &'a str) -> Self {
        Action { name, account, parameters: Map::new() }
    }

    /// An action that writes.
    pub(super) fn write(name: &'static str, tenant: &'a TenantWrite) -> Self {
        let token = Action::new(name, &tenant.account).with("ClientToken", json!(tenant.client_token));
        token.with("DryRun", json!(tenant.dry_run.then_some(true)))
    }

    /// With a parameter, if it has a value.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        if !value.is_null() {
            self.parameters.insert(name.to_owned(), value);
        }
        self
    }

    /// With a parameter that is a list, if anything is in it.
    pub(super) fn with_list<T: serde::Serialize>(self, name: &str, list: &[T]) -> Self {
        let value = if list.is_empty() { Value::Null } else { json!(list) };
        self.with(name, value)
    }

    /// With what any new object may have.
    pub(super) fn with_new(self, new: &NewFields) -> Self {
        let tags: Vec<Value> = new.tag.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        self.with("ResourceGroupId", json!(new.resource_group)).with_list("Tag", &tags)
    }

    /// Refuses to ask for nothing: beside those of every write there must be more parameters than `named` ones.
    pub(super) fn changing_more_than(self, named: usize) -> Result<Self, CtlError> {
        let given = self.parameters.keys().filter(|name| !["DryRun", "ClientToken"].contains(&name.as_str())).count();
        if given > named { Ok(self) } else { Err(CtlError::Usage("nothing is to change: see --help".to_owned())) }
    }

    /// Asks for it.
    pub(super) fn perform(&self, daemon: Daemon<'_>) -> Result<Value, CtlError> {
        let path = format!("/v1/actions/{}?account={}", self.name, self.account);
        daemon.ask(Method::POST, &path, Some(&Value::Object(self.parameters.clone())))
    }

    /// Asks for a write and says in a word what was done to what.
    pub(super) fn done(&self, daemon: Daemon<'_>, what: impl FnOnce(&Value) -> String) -> Result<Outcome, CtlError> {
        match self.perform(daemon) {
            Ok(answer) => Ok(Outcome::new(format!("{}\n", what(&answer)), answer)),
            Err(CtlError::Refused { code: Some(code), .. }) if code == WOULD_BE_DONE && self.is_dry() => {
                let text = "dry run: it would be done; nothing was changed\n".to_owned();
                Ok(Outcome::new(text, json!({ "dry_run": true, "code": code })))
            }
            Err(other) => Err(other),
        }
    }

    fn is_dry(&self) -> bool {
        self.parameters.get("DryRun").is_some_and(|dry| dry == true)
    }

    /// Asks for all pages of a list.
    pub(super) fn all(mut self, daemon: Daemon<'_>, list: &str) -> Result<Vec<Value>, CtlError> {
        let mut objects = Vec::new();
        self = self.with("MaxResults", json!(PAGE));
        loop {
            let mut answer = self.perform(daemon)?;
            if let Value::Array(page) = answer[list].take() {
                objects.extend(page);
            }
            match answer["NextToken"].take() {
                Value::String(next) if !next.is_empty() => self = self.with("NextToken", json!(next)),
                _ => return Ok(objects),
            }
        }
    }
}
