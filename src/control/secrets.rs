//! Secrets in JSON: what complaints and answers show in their place.

use serde_json::Value;

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// Whether a field's name, or the path to it, speaks of AccessKeys or secrets, as misspelt ones mostly do, too. The id of
/// an AccessKey is no secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    (name.contains("accesskey") || name.contains("secret")) && !name.ends_with("accesskeyid")
}

/// A value without the secrets in it.
#[must_use]
pub fn hidden(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(hidden).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                let scalar = !value.is_array() && !value.is_object();
                let value = if scalar && is_secret(key) { Value::from(HIDDEN) } else { hidden(value) };
                (key.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::control::raw::Sink;

    #[test]
    fn complaints_hold_no_secret_wherever_it_stands() {
        let sink = Sink::new("i.json");
        sink.report("Accounts[0].AccessKeys[0].AccessKeySecret", Some(&json!("s3cr3t")), "text");
        sink.report("Accounts[0].AccessKeys", Some(&json!("s3cr3t")), "a list is expected here");
        sink.report("Acounts", Some(&json!([{"AccessKeys": [{"AccessKeySecrt": "s3cr3t", "Mtu": 5}]}])), "unknown key");
        sink.report("SecretAccess", Some(&json!("s3cr3t")), "unknown key");
        sink.report("Accounts[0].AccessKeys[0].AccessKeyId", Some(&json!("a b")), "an id");
        sink.report("Accounts[0].Quotas.filters", Some(&json!(0)), "a whole number");
        let lines: Vec<String> = sink.into_problems().iter().map(ToString::to_string).collect();
        assert!(lines.iter().all(|line| !line.contains("s3cr3t")), "{lines:#?}");
        assert!(lines[2].contains(r#"{"AccessKeySecrt":"***","Mtu":5}"#), "{}", lines[2]);
        assert!(lines[4].contains("AccessKeyId = \"a b\": "), "{}", lines[4]);
        assert!(lines[5].contains("filters = 0: "), "{}", lines[5]);
    }
}
