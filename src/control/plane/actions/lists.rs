//! Lists of filters and sessions, page by page.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Asked, labels};
use crate::control::api::{ApiError, Fields};
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::labels::Labels;
use crate::control::plane::session::MirrorSession;
use crate::control::plane::status::Ghost;

/// Ids that a request may ask for.
const IDS: usize = 100;

pub(super) fn filters(asked: Asked<'_>) -> Result<Value, ApiError> {
    let wanted = Wanted::read(asked, "TrafficMirrorFilter")?;
    let ghosts = asked.pending.ghosts().filter_map(|g| if let Ghost::Filter(f) = g { Some(f) } else { None });
    let live = asked.desired.filters.values();
    let mut found: Vec<&Arc<MirrorFilter>> =
        live.chain(ghosts).filter(|f| &*f.account == asked.account() && wanted.fits(&f.id, &f.labels)).collect();
    found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let page = Page::read(asked, 100, 10)?;
    let (shown, next) = page.cut(&found, |f| &f.id);
    let list = shown.iter().map(|f| f.listed(asked.pending));
    let mut answer = json!({
        "TotalCount": found.len().to_string(),
        "Count": shown.len(),
        "MaxResults": page.size,
        "TrafficMirrorFilters": list.collect::<Value>(),
    });
    next.into_iter().for_each(|next| answer["NextToken"] = json!(next));
    Ok(answer)
}

pub(super) fn sessions(asked: Asked<'_>) -> Result<Value, ApiError> {
    let params = &asked.call.params;
    let wanted = Wanted::read(asked, "TrafficMirrorSession")?;
    let (filter, source) = (params.text("TrafficMirrorFilterId"), params.text("TrafficMirrorSourceId"));
    let target = params.text("TrafficMirrorTargetId");
    let priority = params.integer("Priority", 1..=32_766u16, "a whole number from 1 to 32766")?;
    let vni = params.integer("VirtualNetworkId", 0..=16_777_215u32, "a whole number from 0 to 16777215")?;
    // Clients look for enabled sessions without sending it: left out, it is no condition.
    let enabled = params.boolean("Enabled")?;
    let fits = |s: &MirrorSession| {
        &*s.account == asked.account()
            && wanted.fits(&s.id, &s.labels)
            && filter.is_none_or(|id| *s.filter == *id)
            && source.is_none_or(|id| s.sources.iter().any(|s| **s == *id))
            && target.is_none_or(|id| *s.target.1 == *id)
            && priority.is_none_or(|p| s.priority == p)
            && vni.is_none_or(|v| s.vni == v)
            && enabled.is_none_or(|e| s.enabled == e)
    };
    let ghosts = asked.pending.ghosts().filter_map(|g| if let Ghost::Session(s) = g { Some(s) } else { None });
    let mut found: Vec<&Arc<MirrorSession>> = match wanted.ids.as_slice() {
        [] => asked.desired.sessions.values().chain(ghosts).filter(|s| fits(s)).collect(),
        // Clients that poll one session are many.
        ids => ids.iter().filter_map(|id| asked.desired.sessions.get(*id)).chain(ghosts).filter(|s| fits(s)).collect(),
    };
    found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    let page = Page::read(asked, 100, 10)?;
    let (shown, next) = page.cut(&found, |s| &s.id);
    let locked = asked.desired.world.is_locked(asked.account());
    let list = shown.iter().map(|s| s.listed(asked.pending.status(&s.id), locked));
    let mut answer = json!({
        "TotalCount": found.len().to_string(),
        "TrafficMirrorSessions": list.collect::<Value>(),
    });
    next.into_iter().for_each(|next| answer["NextToken"] = json!(next));
    Ok(answer)
}

/// Conditions that filters and sessions share.
struct Wanted<'a> {
    ids: Vec<&'a str>,
    name: Option<&'a str>,
    group: Option<&'a str>,
    tags: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Wanted<'a> {
    fn read(asked: Asked<'a>, kind: &str) -> Result<Self, ApiError> {
        let params = &asked.call.params;
        Ok(Wanted {
            ids: params.list(&format!("{kind}Ids"), IDS)?,
            name: params.text(&format!("{kind}Name")),
            group: labels::resource_group(params, "ResourceGroupId")?,
            tags: labels::wanted_tags(params, "Tags")?,
        })
    }

    fn fits(&self, id: &str, labels: &Labels) -> bool {
        (self.ids.is_empty() || self.ids.contains(&id))
            && self.name.is_none_or(|name| labels.name == name)
            && self.group.is_none_or(|group| *labels.resource_group == *group)
            && labels.has(&self.tags)
    }
}

/// Which part of a list an answer has.
pub(super) struct Page {
    pub(super) size: usize,
    /// The key of the last one before.
    pub(super) after: Option<String>,
}

impl Page {
    /// `MaxResults` and `NextToken`.
    pub(super) fn read(asked: Asked<'_>, most: usize, default: usize) -> Result<Self, ApiError> {
        let params = &asked.call.params;
        let allowed = format!("a whole number from 1 to {most}");
        let size = params.integer("MaxResults", 1..=most, &allowed)?.unwrap_or(default);
        let after = params.text("NextToken").map(|token| {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok();
            let after = bytes.and_then(|b| String::from_utf8(b).ok());
            after.ok_or_else(|| params.not_allowed("NextToken", token, "what the last answer had as NextToken"))
        });
        Ok(Page { size, after: after.transpose()? })
    }

    /// The page of a list that is sorted by `key`, and the token of the next one.
    pub(super) fn cut<'a, T>(&self, list: &'a [T], key: impl Fn(&T) -> &str) -> (&'a [T], Option<String>) {
        let start = self.after.as_ref().map_or(0, |after| list.partition_point(|t| key(t) <= after.as_str()));
        let end = (start + self.size).min(list.len());
        let shown = &list[start..end];
        let next = shown.last().filter(|_| end < list.len()).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        (shown, next)
    }
}
