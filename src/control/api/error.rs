//! What a tenant is told when a request is not done.

use std::borrow::Cow;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The code that clients decide by.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// For people: the parameter, its value, and what is allowed.
    pub message: String,
    /// Seconds after which trying again makes sense, for `x-acs-retry-after`.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// An error.
    #[must_use]
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        ApiError { code: code.into(), status, message: message.into(), retry_after: None }
    }

    /// A parameter that must be there and is not: `Missing<Name>`.
    #[must_use]
    pub fn missing(name: &str, allowed: &str) -> Self {
        ApiError::new(
            400,
            format!("Missing{}", family(name)),
            format!("The parameter {name} is missing; it is {allowed}."),
        )
    }

    /// A parameter whose value is not allowed: `InvalidParameter.<Name>`.
    #[must_use]
    pub fn invalid(name: &str, value: &str, allowed: &str) -> Self {
        let code = match family(name) {
            "" => Cow::Borrowed("InvalidParameter"),
            family => Cow::Owned(format!("InvalidParameter.{family}")),
        };
        let shown: String = value.chars().take(80).collect();
        ApiError::new(400, code, format!("The parameter {name} = \"{shown}\" is not valid; it is {allowed}."))
    }
}

/// `IngressRules` of `IngressRules.3.Priority`: codes are few, the message has the whole name. Nothing of a name that is
/// no word: clients choose what stands there.
fn family(name: &str) -> &str {
    let family = name.split('.').next().unwrap_or(name);
    let word = family.len() <= 64 && family.bytes().all(|b| b.is_ascii_alphanumeric());
    if word { family } else { "" }
}
