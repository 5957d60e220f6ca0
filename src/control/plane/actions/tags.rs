//! Tags and resource groups of filters and sessions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::lists::Page;
use super::{Asked, Plan, labels};
use crate::control::api::{ApiError, Fields};
use crate::control::plane::desired::Change;
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::labels::{Labels, MAX_TAGS};
use crate::control::plane::session::MirrorSession;

/// Resources that one request names at most.
const RESOURCES: usize = 50;

/// Ids, accounts and labels, in the order of the ids.
type Resources<'a> = Box<dyn Iterator<Item = (&'a str, &'a str, &'a Labels)> + 'a>;

/// What can have tags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Filter,
    Session,
}

/// `ResourceType`; the cloud's own clients differ in its case.
fn kind(asked: Asked<'_>) -> Result<Kind, ApiError> {
    let params = &asked.call.params;
    let allowed = "TrafficMirrorFilter or TrafficMirrorSession";
    let text = params.required("ResourceType", allowed)?;
    match text.to_ascii_lowercase().as_str() {
        "trafficmirrorfilter" => Ok(Kind::Filter),
        "trafficmirrorsession" => Ok(Kind::Session),
        _ => Err(params.not_allowed("ResourceType", text, allowed)),
    }
}

/// A resource with other labels.
fn relabel(
    asked: Asked<'_>,
    kind: Kind,
    id: &str,
    edit: impl FnOnce(&mut Labels) -> Result<(), ApiError>,
) -> Result<Change, ApiError> {
    match kind {
        Kind::Filter => {
            let mut filter = MirrorFilter::clone(asked.desired.filter(asked.account(), id)?);
            edit(&mut filter.labels)?;
            Ok(Change::Filter(filter.id.clone(), Some(Arc::new(filter))))
        }
        Kind::Session => {
            let mut session = MirrorSession::clone(asked.desired.session(asked.account(), id)?);
            edit(&mut session.labels)?;
            Ok(Change::Session(session.id.clone(), Some(Arc::new(session))))
        }
    }
}

fn each(asked: Asked<'_>, edit: impl Fn(&str, &mut Labels) -> Result<(), ApiError>) -> Result<Plan, ApiError> {
    let kind = kind(asked)?;
    let ids = asked.call.params.list("ResourceId", RESOURCES)?;
    if ids.is_empty() {
        return Err(ApiError::missing("ResourceId.1", "the id of a filter or session of the account"));
    }
    for (n, id) in ids.iter().enumerate() {
        if ids[..n].contains(id) {
            return Err(ApiError::invalid(&format!("ResourceId.{}", n + 1), id, "given once"));
        }
    }
    let changes: Result<Vec<Change>, ApiError> =
        ids.into_iter().map(|id| relabel(asked, kind, id, |labels| edit(id, labels))).collect();
    Ok(Plan::done(changes?))
}

pub(super) fn tag(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let tags = labels::tags(&asked.call.params, "Tag")?;
    if tags.is_empty() {
        return Err(ApiError::missing("Tag.1.Key", "a tag's key"));
    }
    each(asked, |id, labels| {
        labels.tags.extend(tags.clone());
        let count = labels.tags.len();
        if count > MAX_TAGS {
            let text = format!("at most {MAX_TAGS} tags a resource; {id} would have {count}");
            return Err(ApiError::invalid("Tag", &count.to_string(), &text));
        }
        Ok(())
    })
}

pub(super) fn untag(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let params = &asked.call.params;
    let (keys, all) = (params.list("TagKey", MAX_TAGS)?, params.boolean("All")?.unwrap_or(false));
    if keys.is_empty() && !all {
        return Err(ApiError::missing("TagKey.1", "a tag's key, unless All is true"));
    }
    // As the cloud has it: All counts only where no key is given.
    each(asked, |_, labels| {
        labels.tags.retain(|key, _| !keys.is_empty() && !keys.contains(&key.as_str()));
        Ok(())
    })
}

pub(super) fn move_group(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let params = &asked.call.params;
    let kind = kind(asked)?;
    let id = params.required("ResourceId", "the id of a filter or session of the account")?;
    params.required("NewResourceGroupId", "the id of a resource group")?;
    let group = labels::resource_group(params, "NewResourceGroupId")?.unwrap_or_default();
    let change = relabel(asked, kind, id, |labels| {
        labels.resource_group = group.into();
        Ok(())
    })?;
    Ok(Plan::done(vec![change]))
}

/// Resources of a type that have any of the ids and all of the tags, a line for each of their tags.
pub(super) fn list(asked: Asked<'_>) -> Result<Value, ApiError> {
    let params = &asked.call.params;
    let kind = kind(asked)?;
    let ids = params.list("ResourceId", RESOURCES)?;
    let wanted = labels::wanted_tags(params, "Tag")?;
    let page = Page::read(asked, 50, 50)?;
    let fits = |id: &str, account: &str, labels: &Labels| {
        account == asked.account() && (ids.is_empty() || ids.contains(&id)) && labels.has(&wanted)
    };
    let (name, resources): (&str, Resources<'_>) = match kind {
        Kind::Filter => {
            let all = asked.desired.filters.values().map(|f| (&*f.id, &*f.account, &f.labels));
            ("TRAFFICMIRRORFILTER", Box::new(all))
        }
        Kind::Session => {
            let all = asked.desired.sessions.values().map(|s| (&*s.id, &*s.account, &s.labels));
            ("TRAFFICMIRRORSESSION", Box::new(all))
        }
    };
    // No line is made that the page does not need: an account may have 400,000.
    let after = page.after.as_deref().map(|after| after.split_once('\n').unwrap_or((after, "")));
    let lines = resources
        .filter(|(id, account, labels)| fits(id, account, labels))
        .flat_map(|(id, _, labels)| labels.tags.iter().map(move |(key, value)| (id, key, value)))
        .skip_while(|(id, key, _)| after.is_some_and(|after| (*id, key.as_str()) <= after))
        .take(page.size + 1);
    let lines: Vec<(String, &str, &String, &String)> =
        lines.map(|(id, key, value)| (format!("{id}\n{key}"), id, key, value)).collect();
    let (shown, next) = page.cut(&lines, |line| &line.0);
    let tags = shown
        .iter()
        .map(|(_, id, key, value)| json!({ "ResourceId": id, "ResourceType": name, "TagKey": key, "TagValue": value }));
    let mut answer = json!({ "TagResources": { "TagResource": tags.collect::<Value>() } });
    next.into_iter().for_each(|next| answer["NextToken"] = json!(next));
    Ok(answer)
}
