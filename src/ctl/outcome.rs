//! What a command has to say, for people and for programs.

use serde_json::Value;

use super::render;

/// An answer that can be shown both ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// What was looked for is not as it should be: the exit code is 1.
    pub failed: bool,
}

impl Outcome {
    /// All is well.
    #[must_use]
    pub fn new(text: String, json: Value) -> Self {
        Outcome { text, json, failed: false }
    }

    /// All was shown while it happened.
    #[must_use]
    pub fn told() -> Self {
        Outcome::new(String::new(), Value::Null)
    }

    /// A list as a table.
    #[must_use]
    pub fn table(list: Value, columns: &[(&str, &str)]) -> Self {
        Outcome::new(render::table(&list, columns), list)
    }

    /// A list as a table, one object field by field.
    #[must_use]
    pub fn listed(value: Value, columns: &[(&str, &str)]) -> Self {
        if value.is_array() { Outcome::table(value, columns) } else { Outcome::new(render::object(&value), value) }
    }

    /// The text that is to be printed.
    #[must_use]
    pub fn shown(&self, json: bool) -> String {
        match &self.json {
            Value::Null => String::new(),
            value if json => format!("{value:#}\n"),
            _ => self.text.clone(),
        }
    }
}
