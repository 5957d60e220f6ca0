//! Parameters behind a path's question mark: known by name, each with its kind.

use std::collections::BTreeMap;

use crate::control::id::{ALLOWED, is_id};
use crate::control::raw::unknown;

/// What a parameter's text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number between two.
    Number(u64, u64),
    /// An id.
    Id,
}

/// A parameter that a route knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// What it is for.
    pub(super) about: &'static str,
}

impl Kind {
    /// What is allowed, in words.
    pub(super) fn allowed(self) -> String {
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Id => ALLOWED.to_owned(),
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Kind::Flag => matches!(text, "true" | "false"),
            Kind::Number(least, most) => text.parse().is_ok_and(|n| (least..=most).contains(&n)),
            Kind::Id => is_id(text),
        }
    }
}

/// Parameters, each of its kind.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads what stands behind the question mark.
    ///
    /// # Errors
    /// Every parameter that is unknown, doubled, missing or of another kind; a sentence each.
    pub(super) fn read(text: &str, known: &[Param]) -> Result<Self, Vec<String>> {
        let (mut read, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()).into_owned() {
            match known.iter().find(|p| p.name == name) {
                None if known.is_empty() => problems.push(format!("parameter {name}: there are none here")),
                None => {
                    let names: Vec<&str> = known.iter().map(|p| p.name).collect();
                    let why = unknown(&name, &names).replace("unknown key", "unknown parameter");
                    problems.push(format!("parameter {name}: {why}"));
                }
                Some(_) if read.contains_key(&name) => {
                    problems.push(format!("parameter {name}: given twice; once is allowed"));
                }
                Some(param) => {
                    if !param.kind.accepts(&value) {
                        let shown: String = value.chars().take(80).collect();
                        problems.push(format!("parameter {name} = \"{shown}\": {}", param.kind.allowed()));
                    }
                    read.insert(name, value);
                }
            }
        }
        for param in known.iter().filter(|p| p.required && !read.contains_key(p.name)) {
            problems.push(format!("parameter {}: missing; {}", param.name, param.kind.allowed()));
        }
        if problems.is_empty() { Ok(Query(read)) } else { Err(problems) }
    }

    /// A flag; one that is not given is not set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A number, if it is given.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A text, if it is given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KNOWN: [Param; 3] = [
        Param { name: "dry_run", kind: Kind::Flag, required: false, about: "" },
        Param { name: "after", kind: Kind::Number(0, 9), required: false, about: "" },
        Param { name: "account", kind: Kind::Id, required: true, about: "" },
    ];

    #[test]
    fn known_parameters_are_read_and_the_rest_is_named() {
        let query = Query::read("dry_run=true&after=9&account=a%2Eb", &KNOWN).unwrap();
        assert!(query.flag("dry_run"));
        assert_eq!((query.number("after"), query.text("account")), (Some(9), Some("a.b")));
        let problems = Query::read("dry_run=yes&after=10&after=1&acount=a", &KNOWN).unwrap_err();
        assert_eq!(
            problems,
            [
                "parameter dry_run = \"yes\": true or false",
                "parameter after = \"10\": a whole number from 0 to 9",
                "parameter after: given twice; once is allowed",
                "parameter acount: unknown parameter; the nearest known one is account",
                &format!("parameter account: missing; {ALLOWED}"),
            ]
        );
        assert_eq!(Query::read("x=1", &[]).unwrap_err(), ["parameter x: there are none here"]);
    }
}
