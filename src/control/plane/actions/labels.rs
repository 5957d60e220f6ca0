//! Names, descriptions, tags and resource groups of requests.

use std::collections::BTreeMap;

use super::Asked;
use crate::control::api::{ApiError, Fields, Params};
use crate::control::id::is_id;
use crate::control::plane::labels::{DEFAULT_RESOURCE_GROUP, Labels, MAX_TAGS};

/// Longest name.
const NAME: usize = 128;
/// Longest description.
const DESCRIPTION: usize = 256;

/// The labels of an object that is created; `kind` is `TrafficMirrorFilter` or `TrafficMirrorSession`.
pub(super) fn created(asked: Asked<'_>, kind: &str) -> Result<Labels, ApiError> {
    let params = &asked.call.params;
    let mut labels = Labels {
        name: String::new(),
        description: String::new(),
        resource_group: DEFAULT_RESOURCE_GROUP.into(),
        tags: tags(params, "Tag")?,
        created: asked.now,
    };
    rename(&mut labels, params, kind)?;
    if let Some(group) = resource_group(params, "ResourceGroupId")? {
        labels.resource_group = group.into();
    }
    Ok(labels)
}

/// Takes a name and a description over, where the request has them.
pub(super) fn rename(labels: &mut Labels, params: &Params, kind: &str) -> Result<(), ApiError> {
    if let Some(name) = words(params, &format!("{kind}Name"), NAME)? {
        name.clone_into(&mut labels.name);
    }
    if let Some(description) = words(params, &format!("{kind}Description"), DESCRIPTION)? {
        description.clone_into(&mut labels.description);
    }
    Ok(())
}

fn words<'a>(params: &'a Params, name: &str, most: usize) -> Result<Option<&'a str>, ApiError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let fine = text.chars().count() <= most && !is_link(text) && !text.chars().any(char::is_control);
    let allowed =
        format!("1 to {most} characters, none of them for control, that do not start with http:// or https://");
    if fine { Ok(Some(text)) } else { Err(params.not_allowed(name, text, &allowed)) }
}

fn is_link(text: &str) -> bool {
    let start = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    start.starts_with("http://") || start.starts_with("https://")
}

/// A resource group, if the request names one.
pub(super) fn resource_group<'a>(params: &'a Params, name: &str) -> Result<Option<&'a str>, ApiError> {
    match params.text(name) {
        Some(text) if !is_id(text) => Err(params.not_allowed(name, text, crate::control::id::ALLOWED)),
        group => Ok(group),
    }
}

/// Tags to set: `Tag.N.Key` and `Tag.N.Value`.
pub(super) fn tags(params: &Params, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in params.objects(name, &["Key", "Value"], MAX_TAGS)? {
        let allowed = "1 to 128 characters without http:// and https:// that do not start with aliyun or acs:";
        let key = tag.required("Key", allowed)?;
        if !is_tag_key(key) {
            return Err(tag.not_allowed("Key", key, allowed));
        }
        let value = tag.text("Value").unwrap_or_default();
        if value.chars().count() > 128 || has_link(value) {
            let allowed = "at most 128 characters without http:// and https://";
            return Err(tag.not_allowed("Value", value, allowed));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(tag.not_allowed("Key", key, "given once"));
        }
    }
    Ok(tags)
}

/// Tags to look for; one without a value matches any.
pub(super) fn wanted_tags<'a>(params: &'a Params, name: &str) -> Result<Vec<(&'a str, Option<&'a str>)>, ApiError> {
    let mut wanted = Vec::new();
    for index in 1..=params.objects(name, &["Key", "Value"], MAX_TAGS)?.len() {
        let key = params.required(&format!("{name}.{index}.Key"), "a tag's key")?;
        wanted.push((key, params.text(&format!("{name}.{index}.Value"))));
    }
    Ok(wanted)
}

/// A tag's key that may be set.
pub(super) fn is_tag_key(key: &str) -> bool {
    let lower = key.to_lowercase();
    let reserved = lower.starts_with("aliyun") || lower.starts_with("acs:");
    (1..=128).contains(&key.chars().count()) && !reserved && !has_link(key)
}

fn has_link(text: &str) -> bool {
    text.contains("http://") || text.contains("https://")
}
