//! Lists as parameters: `Name.1`, `Name.2`, or with fields `Name.1.Field`. Numbered from 1, without gaps.

use super::ApiError;

/// A parameter that belongs to a list.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// From 1; 0 where the name has no index that counts.
    pub(super) index: usize,
    field: Option<&'a str>,
    key: &'a str,
    value: &'a str,
}

impl<'a> Element<'a> {
    /// The parameter `key`, of which `rest` stands behind the list's name and a dot.
    pub(super) fn new(key: &'a str, rest: &'a str, value: &'a str) -> Self {
        let (index, field) = match rest.split_once('.') {
            Some((index, field)) => (index, Some(field)),
            None => (rest, None),
        };
        Element { index: plain_number(index).unwrap_or(0), field, key, value }
    }

    /// The value, of an element without fields.
    pub(super) fn scalar(&self, name: &str, max: usize) -> Result<&'a str, ApiError> {
        match self.field {
            None => Ok(self.value),
            Some(_) => Err(self.refused(&numbered(name, max))),
        }
    }

    /// An element with a field that is known.
    pub(super) fn field_of(&self, name: &str, fields: &[&str]) -> Result<(), ApiError> {
        if self.field.is_some_and(|field| fields.contains(&field)) {
            return Ok(());
        }
        let known = fields.join(", ");
        Err(self.refused(&format!("{name}.{} with a field behind it, one of {known}", self.index)))
    }

    fn refused(&self, allowed: &str) -> ApiError {
        ApiError::invalid(self.key, self.value, allowed)
    }
}

/// The elements by index, after a check that their indexes are 1, 2 and so on.
pub(super) fn elements<'a>(
    given: impl Iterator<Item = Element<'a>>,
    name: &str,
    max: usize,
) -> Result<Vec<Element<'a>>, ApiError> {
    let mut elements: Vec<Element<'a>> = given.collect();
    if let Some(wrong) = elements.iter().find(|e| e.index == 0 || e.index > max) {
        return Err(wrong.refused(&numbered(name, max)));
    }
    elements.sort_by_key(|element| element.index);
    let mut last = 0;
    for element in &elements {
        if element.index > last + 1 {
            let allowed = format!("{}, and {name}.{} is missing", numbered(name, max), last + 1);
            return Err(element.refused(&allowed));
        }
        last = element.index;
    }
    Ok(elements)
}

fn numbered(name: &str, max: usize) -> String {
    format!("one of {name}.1 to {name}.{max}, numbered without gaps")
}

/// A number from 1 without sign or leading zeros: two spellings of one index would be two values of one element.
fn plain_number(text: &str) -> Option<usize> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}
