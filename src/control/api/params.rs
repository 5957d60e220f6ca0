//! The parameters of an action: names and texts, as query and form body gave them.

use std::collections::BTreeMap;

use super::ApiError;

/// Parameters by name; no name stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Parameters from pairs; of a name that stands twice nobody knows which is meant.
    ///
    /// # Errors
    /// The name that stands twice.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ApiError> {
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if params.contains_key(&name) {
                return Err(ApiError::invalid(&name, &value, "given twice, once is allowed"));
            }
            params.insert(name, value);
        }
        Ok(Params(params))
    }

    /// The text of a parameter. An empty one counts as absent, as the SDKs send them so.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}
