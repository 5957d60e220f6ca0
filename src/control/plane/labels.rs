//! What filters and sessions have in common and packets do not care about.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The resource group of what names none.
pub const DEFAULT_RESOURCE_GROUP: &str = "rg-default";
/// Tags of a resource.
pub const MAX_TAGS: usize = 20;

/// Name, description, tags, resource group, age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Labels {
    /// Its name; may be empty.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// The resource group.
    pub resource_group: Arc<str>,
    /// Tags by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// When it was created, in seconds since 1970.
    pub created: i64,
}

impl Labels {
    /// As List answers show tags.
    pub(super) fn tags_answer(&self) -> Value {
        self.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
    }

    /// It has all these tags; one without a value matches any value.
    pub(super) fn has(&self, wanted: &[(&str, Option<&str>)]) -> bool {
        wanted.iter().all(|(key, value)| {
            let own = self.tags.get(*key);
            own.is_some_and(|own| value.is_none_or(|v| v == own))
        })
    }
}

/// A moment as the API writes it: UTC, to the minute.
pub(super) fn created_text(seconds: i64) -> String {
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
