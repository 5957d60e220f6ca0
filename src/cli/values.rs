//! What single arguments must look like.

use crate::control::id::{ALLOWED, is_id};

/// The id of an object.
pub(super) fn id(text: &str) -> Result<String, String> {
    if is_id(text) { Ok(text.to_owned()) } else { Err(format!("an id has {ALLOWED}")) }
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=3600.0).contains(s));
    seconds.ok_or_else(|| "seconds from 0.1 to 3600".to_owned())
}

/// `KEY=VALUE`, or a key alone.
pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() { Err("a tag is KEY=VALUE".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}
