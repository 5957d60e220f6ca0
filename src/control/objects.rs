//! The mirror file: filters and sessions as the tenant API's List answers hold them.

use serde_json::Value;

use super::across::across;
use super::broken::Broken;
use super::config::Config;
use super::filters::filters;
use super::model::Model;
use super::raw::{Object, Sink};
use super::sessions::{Draft, drafts};

/// What a List answer says of itself.
const ANSWER: [&str; 5] = ["RequestId", "TotalCount", "Count", "MaxResults", "NextToken"];

/// Adds filters and sessions to a model that holds the inventory.
pub(super) fn read(sink: &Sink, tree: &Value, config: &Config, model: &mut Model, broken_enis: &Broken) {
    let known = ["TrafficMirrorFilters", "TrafficMirrorSessions"];
    let Some(root) = Object::new(sink, "", tree, &known, &ANSWER) else {
        return;
    };
    let broken_filters = filters(&root, config, model);
    let drafts = drafts(&root, config, model, &broken_filters, broken_enis);
    across(sink, config, model, &drafts);
    model.sessions = drafts.into_iter().filter_map(Draft::finish).collect();
}

/// Complains about more than a quota allows.
pub(super) fn limit(sink: &Sink, path: &str, count: usize, quota: u32, what: &str) {
    if count > quota as usize {
        sink.report(path, None, format!("{count} {what}; the quota is {quota}"));
    }
}
