//! The parameters of an action: names and texts, as query and form body gave them, and readers that refuse what is not
//! allowed with the parameter's whole name.
//!
//! Parameters that an action does not know are ignored, as the cloud does; fields of a list's elements are not: a rule
//! whose misspelt `SourceCidrBlok` is ignored would match more than its author asked for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::ApiError;
use super::lists::{self, Element};

/// Parameters of a request.
pub const MAX_PARAMETERS: usize = 2000;
/// Bytes of a parameter's name.
pub const MAX_NAME: usize = 128;
/// Bytes of a parameter's value.
pub const MAX_VALUE: usize = 4096;

/// Parameters by name; no name stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Parameters from pairs; of a name that stands twice nobody knows which is meant.
    ///
    /// # Errors
    /// The name that stands twice or is longer than [`MAX_NAME`], the value longer than [`MAX_VALUE`], or more than
    /// [`MAX_PARAMETERS`] parameters.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ApiError> {
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if params.len() == MAX_PARAMETERS {
                let text = format!("The request has too many parameters; at most {MAX_PARAMETERS} are allowed.");
                return Err(ApiError::new(400, "InvalidParameter", text));
            }
            if name.is_empty() || name.len() > MAX_NAME {
                let start: String = name.chars().take(40).collect();
                let text =
                    format!("The parameter name \"{start}\" is not valid; a name has from 1 to {MAX_NAME} bytes.");
                return Err(ApiError::new(400, "InvalidParameter", text));
            }
            if value.len() > MAX_VALUE {
                return Err(ApiError::invalid(&name, &value, &format!("at most {MAX_VALUE} bytes long")));
            }
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

    /// All of them, by name, empty ones too.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Those whose name is not among `names`.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// The values of `name.1`, `name.2` and so on, at most `max`.
    ///
    /// # Errors
    /// An index that is not a plain number from 1 to `max`, a gap, or `name` itself beside or instead of them.
    pub fn list(&self, name: &str, max: usize) -> Result<Vec<&str>, ApiError> {
        let elements = lists::elements(self.under(name), name, max)?;
        elements.into_iter().map(|element| element.scalar(name, max)).collect()
    }

    /// The elements of `name.1.Field`, `name.2.Field` and so on, at most `max`, each with some of `fields`.
    ///
    /// # Errors
    /// As with [`Params::list`], and a field that is not among `fields`.
    pub fn objects(&self, name: &str, fields: &[&str], max: usize) -> Result<Vec<ObjectParams<'_>>, ApiError> {
        let mut objects: Vec<ObjectParams<'_>> = Vec::new();
        for element in lists::elements(self.under(name), name, max)? {
            element.field_of(name, fields)?;
            if element.index > objects.len() {
                objects.push(ObjectParams { params: self, prefix: format!("{name}.{}.", element.index) });
            }
        }
        Ok(objects)
    }

    /// What is given of a list: `name`, and all that starts with `name.`.
    fn under<'a>(&'a self, name: &str) -> impl Iterator<Item = Element<'a>> {
        let prefix = format!("{name}.");
        let inside: Vec<Element<'a>> = self
            .0
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| Element::new(key, &key[prefix.len()..], value))
            .collect();
        let whole = self.0.get_key_value(name).filter(|(_, value)| !value.is_empty());
        whole.map(|(key, value)| Element::new(key, "", value)).into_iter().chain(inside)
    }
}

/// One element of a list of objects, such as `IngressRules.2`.
#[derive(Clone, Debug)]
pub struct ObjectParams<'a> {
    params: &'a Params,
    prefix: String,
}

/// Typed readers, the same for a request and for an element of a list. An empty value counts as absent.
pub trait Fields {
    /// The name as the client spelt it: `IngressRules.2.Priority` for `Priority` of the second rule.
    fn whole_name(&self, name: &str) -> String;

    /// The text, if there is one.
    fn text(&self, name: &str) -> Option<&str>;

    /// The text.
    ///
    /// # Errors
    /// `Missing<Name>`, with what is `allowed`.
    fn required(&self, name: &str, allowed: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::missing(&self.whole_name(name), allowed))
    }

    /// A whole number in decimal digits, without a plus sign or leading zeros.
    ///
    /// # Errors
    /// `InvalidParameter.<Name>`, with what is `allowed`.
    fn integer<T>(&self, name: &str, range: RangeInclusive<T>, allowed: &str) -> Result<Option<T>, ApiError>
    where
        T: FromStr + Display + PartialOrd,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse::<T>().ok().filter(|n| range.contains(n) && n.to_string() == text);
        number.map(Some).ok_or_else(|| self.not_allowed(name, text, allowed))
    }

    /// The same of a parameter that must be there.
    ///
    /// # Errors
    /// `Missing<Name>` or `InvalidParameter.<Name>`, with what is `allowed`.
    fn required_integer<T>(&self, name: &str, range: RangeInclusive<T>, allowed: &str) -> Result<T, ApiError>
    where
        T: FromStr + Display + PartialOrd,
    {
        let number = self.integer(name, range, allowed)?;
        number.ok_or_else(|| ApiError::missing(&self.whole_name(name), allowed))
    }

    /// `true` or `false` in any case of letters: the SDKs differ.
    ///
    /// # Errors
    /// `InvalidParameter.<Name>`.
    fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(text) => Err(self.not_allowed(name, text, "true or false")),
        }
    }

    /// The error for a value that is not allowed.
    fn not_allowed(&self, name: &str, value: &str, allowed: &str) -> ApiError {
        ApiError::invalid(&self.whole_name(name), value, allowed)
    }
}

impl Fields for Params {
    fn whole_name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
    }
}

impl Fields for ObjectParams<'_> {
    fn whole_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.params.get(&self.whole_name(name))
    }
}
