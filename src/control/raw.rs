//! Validation over raw trees: everything that is wrong is found in one go, each with its place and what is allowed.

use std::cell::RefCell;
use std::fmt;

use serde_json::{Map, Value};

use super::secrets;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file it is in, or `environment`.
    pub file: String,
    /// Path of the field, such as `NetworkInterfaces[2].Mtu`.
    pub path: String,
    /// The value, as JSON; empty when the field is missing.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match (self.path.is_empty(), self.value.is_empty()) {
            (true, _) => write!(f, "{}", self.allowed),
            (false, true) => write!(f, "{}: {}", self.path, self.allowed),
            (false, false) => write!(f, "{} = {}: {}", self.path, self.value, self.allowed),
        }
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Sink {
    file: String,
    problems: RefCell<Vec<Problem>>,
}

impl Sink {
    /// A collector for `file`.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Sink { file: file.into(), problems: RefCell::default() }
    }

    /// Notes a problem.
    pub fn report(&self, path: impl Into<String>, value: Option<&Value>, allowed: impl Into<String>) {
        let path = path.into();
        self.problems.borrow_mut().push(Problem {
            file: self.file.clone(),
            value: value.map(|v| shown(&path, v)).unwrap_or_default(),
            path,
            allowed: allowed.into(),
        });
    }

    /// Nothing was noted.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// All problems.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A value as a complaint shows it: not too long, and without secrets.
fn shown(path: &str, value: &Value) -> String {
    if secrets::is_secret(path) {
        return secrets::HIDDEN.to_owned();
    }
    let text = secrets::hidden(value).to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The elements of a list, each with the path that complaints name.
#[derive(Clone, Debug)]
pub struct List<'a> {
    /// Paths and elements.
    pub items: Vec<(String, &'a Value)>,
    /// It is a list, or missing; otherwise nobody knows what it was meant to hold.
    pub readable: bool,
}

/// An object of a raw tree, and where it stands.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    sink: &'a Sink,
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The object at `path`; keys that are neither `known` nor `ignored` are reported with the nearest known one.
    #[must_use]
    pub fn new(sink: &'a Sink, path: &str, value: &'a Value, known: &[&str], ignored: &[&str]) -> Option<Self> {
        let Some(map) = value.as_object() else {
            sink.report(path, Some(value), "an object is expected here");
            return None;
        };
        let object = Object { sink, path: path.to_owned(), map };
        for (key, value) in map {
            if !known.contains(&key.as_str()) && !ignored.contains(&key.as_str()) {
                sink.report(object.path_of(key), Some(value), unknown(key, known));
            }
        }
        Some(object)
    }

    /// Path of a field.
    #[must_use]
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The raw value of a field; null counts as absent.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// Notes a problem with a field.
    pub fn report(&self, key: &str, allowed: impl Into<String>) {
        self.sink.report(self.path_of(key), self.raw(key), allowed);
    }

    /// A field that may be missing; one that `read` cannot make sense of is reported.
    pub fn optional<T>(&self, key: &str, allowed: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.raw(key)?;
        let read = read(value);
        if read.is_none() {
            self.report(key, allowed);
        }
        read
    }

    /// A field that must be there.
    pub fn required<T>(&self, key: &str, allowed: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        if self.raw(key).is_none() {
            self.sink.report(self.path_of(key), None, format!("missing; {allowed}"));
            return None;
        }
        self.optional(key, allowed, read)
    }

    /// The elements of a list with their paths; a missing list is empty.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<(String, &'a Value)> {
        match self.raw(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(i, v)| (format!("{}[{i}]", self.path_of(key)), v)).collect()
            }
            Some(_) => {
                self.report(key, "a list is expected here");
                Vec::new()
            }
        }
    }

    /// The same list, and whether it is one.
    #[must_use]
    pub fn listed(&self, key: &str) -> List<'a> {
        List { items: self.list(key), readable: self.raw(key).is_none_or(Value::is_array) }
    }

    /// The sink of this tree.
    #[must_use]
    pub fn sink(&self) -> &'a Sink {
        self.sink
    }
}

/// A whole number from `min` to `max`, also written as text, as clouds' answers do.
#[must_use]
pub fn integer(value: &Value, min: i64, max: i64) -> Option<i64> {
    let n = match value {
        Value::String(s) => s.parse().ok()?,
        other => other.as_i64()?,
    };
    (min..=max).contains(&n).then_some(n)
}

/// True or false, also written as text.
#[must_use]
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
        Value::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Text that is not empty.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|s| !s.is_empty()).map(str::to_owned)
}

/// Text that may be empty, as the name of a thing without one is.
#[must_use]
pub fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Says that a key is not known, and which known one is nearest.
#[must_use]
pub fn unknown(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|k| distance(&key.to_lowercase(), &k.to_lowercase()));
    match nearest {
        Some(nearest) => format!("unknown key; the nearest known one is {nearest}"),
        None => "unknown key".to_owned(),
    }
}

/// Edit distance (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_keys_name_the_nearest() {
        let sink = Sink::new("f.json");
        let tree = json!({"Mut": 1});
        Object::new(&sink, "x[0]", &tree, &["MacAddress", "Mtu"], &[]).unwrap();
        let problems = sink.into_problems();
        assert_eq!(problems[0].to_string(), "f.json: x[0].Mut = 1: unknown key; the nearest known one is Mtu");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn numbers_may_be_text_and_have_bounds() {
        assert_eq!(integer(&json!("12"), 1, 20), Some(12));
        assert_eq!(integer(&json!(21), 1, 20), None);
        assert_eq!(integer(&json!(1.5), 1, 20), None);
    }
}
