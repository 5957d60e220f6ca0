//! Which vswitch this is.

use serde_json::{Value, json};

use super::store::SCHEMA;

/// Versions of the tenant API that it speaks.
pub const API_VERSIONS: [&str; 1] = ["2016-04-28"];

/// What `/version` answers.
#[must_use]
pub fn version() -> Value {
    json!({
        "version": crate::VERSION,
        "commit": crate::COMMIT,
        "api_versions": API_VERSIONS,
        "store_schema": SCHEMA,
    })
}
