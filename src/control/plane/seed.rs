//! The first contents of an empty store: the object files, if they are there.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::filter::MirrorFilter;
use super::labels::{DEFAULT_RESOURCE_GROUP, Labels};
use super::session::{MirrorSession, TargetType};
use crate::control::config::Config;
use crate::control::document::Document;
use crate::control::load_model;
use crate::control::model::{Model, Session, Target};

/// What a store begins with.
#[derive(Debug, Default)]
pub(super) struct Seed {
    pub(super) document: Document,
    pub(super) filters: Vec<MirrorFilter>,
    pub(super) sessions: Vec<MirrorSession>,
}

impl Seed {
    /// Reads the object files that the configuration names. Without an inventory there is nothing but the region.
    ///
    /// # Errors
    /// Every problem of the files, a sentence each.
    pub(super) fn read(config: &Config, now: i64) -> Result<Self, Vec<String>> {
        let (inventory, mirror) = (&config.files.inventory, &config.files.mirror);
        if !inventory.exists() {
            if mirror.exists() {
                let (inventory, mirror) = (inventory.display(), mirror.display());
                return Err(vec![format!(
                    "{inventory} is missing, but {mirror} is there: the first start takes both over, or neither"
                )]);
            }
            return Ok(Seed { document: bare(config)?, ..Seed::default() });
        }
        let text = text(inventory)?;
        let name = inventory.display().to_string();
        let document = Document::from_text(&name, &text).map_err(sentences)?;
        if !mirror.exists() {
            return Ok(Seed { document, ..Seed::default() });
        }
        let model = load_model(inventory, mirror, config).map_err(sentences)?;
        let tree: Value = serde_json::from_str(&self::text(mirror)?).map_err(|e| vec![e.to_string()])?;
        let seed = Seeds { model: &model, tree: &tree, now };
        let accounts = seed.accounts_of_filters()?;
        Ok(Seed { filters: seed.filters(&accounts), sessions: seed.sessions(), document })
    }
}

/// An inventory of nothing.
pub(super) fn bare(config: &Config) -> Result<Document, Vec<String>> {
    Document::from_json("inventory", &json!({ "RegionId": config.region.id })).map_err(sentences)
}

fn text(path: &Path) -> Result<String, Vec<String>> {
    std::fs::read_to_string(path).map_err(|e| vec![format!("{}: cannot be read: {e}", path.display())])
}

pub(super) fn sentences(problems: Vec<crate::control::raw::Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

struct Seeds<'a> {
    model: &'a Model,
    tree: &'a Value,
    now: i64,
}

impl Seeds<'_> {
    /// Who a session belongs to: who its ENIs belong to.
    fn account_of(&self, session: &Session) -> Arc<str> {
        let target = if let Target::Eni(eni) = session.target { Some(eni) } else { None };
        let eni = session.sources.first().copied().or(target);
        eni.map_or("", |eni| &self.model.enis[eni].owner).into()
    }

    /// By filter index, of those that sessions use.
    fn accounts_of_filters(&self) -> Result<HashMap<usize, Arc<str>>, Vec<String>> {
        let mut accounts: HashMap<usize, Arc<str>> = HashMap::new();
        for session in &self.model.sessions {
            let account = self.account_of(session);
            let first = accounts.entry(session.filter).or_insert_with(|| account.clone());
            if *first != account {
                let filter = &self.model.filters[session.filter].id;
                return Err(vec![format!(
                    "filter {filter} is used by sessions of the accounts {first} and {account}: give each its own"
                )]);
            }
        }
        Ok(accounts)
    }

    /// Who a filter without sessions belongs to: the one account that there is, or nobody.
    fn only_account(&self) -> Arc<str> {
        match self.model.accounts.as_slice() {
            [only] => only.id.clone(),
            _ => "".into(),
        }
    }

    fn filters(&self, accounts: &HashMap<usize, Arc<str>>) -> Vec<MirrorFilter> {
        let filters = self.model.filters.iter().enumerate().map(|(n, filter)| MirrorFilter {
            id: filter.id.clone(),
            account: accounts.get(&n).cloned().unwrap_or_else(|| self.only_account()),
            labels: self.labels("TrafficMirrorFilter", &filter.id, &filter.name),
            ingress: filter.ingress.clone(),
            egress: filter.egress.clone(),
        });
        filters.collect()
    }

    fn sessions(&self) -> Vec<MirrorSession> {
        let eni = |n: usize| self.model.enis[n].id.clone();
        let sessions = self.model.sessions.iter().map(|session| MirrorSession {
            id: session.id.clone(),
            account: self.account_of(session),
            labels: self.labels("TrafficMirrorSession", &session.id, &session.name),
            enabled: session.enabled,
            priority: session.priority,
            packet_length: session.packet_length,
            vni: session.vni,
            filter: self.model.filters[session.filter].id.clone(),
            sources: session.sources.iter().map(|n| eni(*n)).collect(),
            target: match &session.target {
                Target::Eni(n) => (TargetType::NetworkInterface, eni(*n)),
                Target::Away(id) => (TargetType::NetworkInterface, id.as_str().into()),
                Target::Slb(id) => (TargetType::Slb, id.as_str().into()),
                Target::Gwlbe(id) => (TargetType::GatewayLoadBalancerEndpoint, id.as_str().into()),
            },
        });
        sessions.collect()
    }

    /// What the file says beside what is compiled.
    fn labels(&self, kind: &str, id: &str, name: &str) -> Labels {
        let list = self.tree[format!("{kind}s")].as_array();
        let id_key = format!("{kind}Id");
        let object = list.into_iter().flatten().find(|object| object[&id_key] == id).unwrap_or(&Value::Null);
        let tags = object["Tags"].as_array().into_iter().flatten();
        Labels {
            name: name.to_owned(),
            description: object[format!("{kind}Description")].as_str().unwrap_or_default().to_owned(),
            resource_group: object["ResourceGroupId"].as_str().unwrap_or(DEFAULT_RESOURCE_GROUP).into(),
            tags: tags
                .filter_map(|t| Some((t["Key"].as_str()?.to_owned(), t["Value"].as_str().unwrap_or("").to_owned())))
                .collect(),
            created: self.now,
        }
    }
}
