//! A rule on the command line: `action=accept,priority=1,protocol=TCP,source=10.0.0.0/8,destination-ports=80/443`.
//!
//! What the values may be is the API's to say; here is only which fields there are.

/// Fields of a rule, and what the API calls them.
pub const FIELDS: [(&str, &str); 7] = [
    ("action", "Action"),
    ("priority", "Priority"),
    ("protocol", "Protocol"),
    ("source", "SourceCidrBlock"),
    ("destination", "DestinationCidrBlock"),
    ("source-ports", "SourcePortRange"),
    ("destination-ports", "DestinationPortRange"),
];

/// A rule: the API's names and their values, in the order they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText(pub Vec<(&'static str, String)>);

/// Reads a rule.
///
/// # Errors
/// What is wrong, and what is known.
pub fn rule(text: &str) -> Result<RuleText, String> {
    let mut fields: Vec<(&'static str, String)> = Vec::new();
    for part in text.split(',') {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("\"{part}\" is no FIELD=VALUE; {}", known()));
        };
        let Some((_, field)) = FIELDS.iter().find(|(ours, _)| *ours == name.trim()) else {
            return Err(format!("\"{}\" is no field of a rule; {}", name.trim(), known()));
        };
        if fields.iter().any(|(other, _)| other == field) {
            return Err(format!("{} is given twice", name.trim()));
        }
        if value.trim().is_empty() {
            return Err(format!("{} has no value", name.trim()));
        }
        fields.push((field, value.trim().to_owned()));
    }
    if !fields.iter().any(|(field, _)| *field == "Action") {
        return Err("action=accept or action=drop is missing".to_owned());
    }
    Ok(RuleText(fields))
}

fn known() -> String {
    format!("fields are {}", FIELDS.map(|(name, _)| name).join(", "))
}

/// Fuzz entry: any bytes; what is read can be written and read again.
pub fn fuzz_rule(data: &[u8]) {
    let Ok(RuleText(fields)) = rule(&String::from_utf8_lossy(data)) else { return };
    let name = |field: &str| FIELDS.iter().find(|(_, ours)| *ours == field).map_or("", |(name, _)| name);
    let written: Vec<String> = fields.iter().map(|(field, value)| format!("{}={value}", name(field))).collect();
    assert_eq!(rule(&written.join(",")), Ok(RuleText(fields)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rule_is_read_in_any_order_with_spaces() {
        let RuleText(fields) = rule("priority=1, action=drop ,source-ports=-1/-1").unwrap();
        let expected = [("Priority", "1"), ("Action", "drop"), ("SourcePortRange", "-1/-1")];
        assert_eq!(fields, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("", "\"\" is no FIELD=VALUE; fields are action, "),
            ("action=drop,tcp", "\"tcp\" is no FIELD=VALUE"),
            ("action=drop,port=1", "\"port\" is no field of a rule; fields are action, priority"),
            ("action=drop,action=drop", "action is given twice"),
            ("action=drop,priority=", "priority has no value"),
            ("priority=1", "action=accept or action=drop is missing"),
        ] {
            let error = rule(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(values in proptest::collection::vec("[a-zA-Z0-9./-]{1,12}", 7), mask in 0u8..128) {
            let given = |n: usize| n == 0 || mask >> n & 1 == 1;
            let fields: Vec<usize> = (0..FIELDS.len()).filter(|n| given(*n)).collect();
            let written: Vec<String> = fields.iter().map(|n| format!("{}={}", FIELDS[*n].0, values[*n])).collect();
            let expected = fields.iter().map(|n| (FIELDS[*n].1, values[*n].clone())).collect();
            prop_assert_eq!(rule(&written.join(",")), Ok(RuleText(expected)));
        }

        #[test]
        fn any_text_gets_an_answer(text in "\\PC{0,60}") {
            fuzz_rule(text.as_bytes());
        }
    }
}
