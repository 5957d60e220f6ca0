//! A switch that holds an inventory and nothing else.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::control::api::{Action, ApiError, Params};
use crate::control::attach;
use crate::control::config::Config;
use crate::control::document::{Document, DocumentChange, diff};
use crate::control::load_regions;
use crate::control::model::Model;
use crate::control::operations::{ExplainQuery, Operations};
use crate::control::platform::{Change, Changed, Changes, Platform, Refused, SessionEffect};
use crate::metrics::scrape::Scrape;

/// Changes that it remembers.
const REMEMBERED: usize = 4;

struct Kept {
    document: Arc<Document>,
    changes: Vec<(u64, DocumentChange)>,
}

/// Its one session, `tms-a` of account 1001, has `eni-a` as its source.
pub(super) struct FakeSwitch {
    kept: Mutex<Kept>,
    revision: watch::Sender<u64>,
    /// What was asked for in the name of tenants.
    pub(super) acted: Mutex<Vec<(String, Action, Params)>>,
    /// Why nothing can be written, if so.
    pub(super) read_only: Mutex<Option<String>>,
}

impl FakeSwitch {
    pub(super) fn new(inventory: &Value) -> Self {
        let document = Arc::new(Document::from_json("start", inventory).unwrap());
        let kept = Mutex::new(Kept { document, changes: Vec::new() });
        let revision = watch::channel(1).0;
        FakeSwitch { kept, revision, acted: Mutex::default(), read_only: Mutex::default() }
    }

    pub(super) fn document(&self) -> Arc<Document> {
        self.kept.lock().document.clone()
    }

    /// Somebody else's commit, which changes no inventory.
    pub(super) fn commit_something_else(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.revision.receiver_count() > 0
    }
}

fn read(document: &Document) -> Result<Model, Vec<String>> {
    let regions = load_regions(&Config::default()).unwrap();
    document.read(&Config::default(), &regions).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

impl Operations for FakeSwitch {
    fn reload(&self) -> Result<u64, Vec<String>> {
        Ok(2)
    }

    fn enis(&self) -> Value {
        let eni = |spec| {
            let (qemu, libvirt) = (attach::qemu(spec), attach::libvirt(spec));
            json!({ "id": &*spec.id, "socket": spec.socket.display().to_string(), "qemu": qemu, "libvirt": libvirt })
        };
        read(&self.document()).unwrap().enis.iter().map(eni).collect()
    }

    fn filters(&self) -> Value {
        json!([{ "id": "tmf-a" }])
    }

    fn sessions(&self) -> Value {
        json!([{ "id": "tms-a" }])
    }

    fn stats(&self) -> Value {
        json!({ "violations": [] })
    }

    fn explain(&self, query: &ExplainQuery) -> Result<Value, String> {
        query.asked().map(|_| json!({ "service": {} }))
    }

    fn scrape(&self) -> Scrape {
        Scrape::default()
    }

    fn ready(&self) -> Result<(), String> {
        self.read_only.lock().clone().map_or(Ok(()), Err)
    }
}

impl Platform for FakeSwitch {
    fn inventory(&self) -> (u64, Arc<Document>) {
        (*self.revision.borrow(), self.document())
    }

    fn change(&self, expected: Option<u64>, change: &mut Change<'_>, dry_run: bool) -> Result<Changed, Refused> {
        if let Some(why) = self.read_only.lock().clone() {
            return Err(Refused::ReadOnly(why));
        }
        let mut kept = self.kept.lock();
        let revision = *self.revision.borrow();
        if expected.is_some_and(|expected| expected != revision) {
            return Err(Refused::Conflict(format!("the store is at revision {revision}")));
        }
        let next = change(&kept.document)?;
        read(&next).map_err(Refused::Invalid)?;
        let changes = diff(&kept.document, &next);
        let noticed = |change: &&DocumentChange| change.id == "eni-a";
        let effect = |change: &DocumentChange| SessionEffect {
            session: "tms-a".to_owned(),
            account: "1001".to_owned(),
            eni: change.id.clone(),
            role: "source",
            effect: "it mirrors nothing of this ENI any more".to_owned(),
        };
        let sessions = changes.iter().filter(noticed).map(effect).collect();
        if dry_run || changes.is_empty() {
            return Ok(Changed { revision, changes, sessions });
        }
        kept.document = Arc::new(next);
        kept.changes.extend(changes.iter().map(|change| (revision + 1, change.clone())));
        let forgotten = kept.changes.len().saturating_sub(REMEMBERED);
        kept.changes.drain(..forgotten);
        drop(kept);
        self.revision.send_replace(revision + 1);
        Ok(Changed { revision: revision + 1, changes, sessions })
    }

    fn act(&self, account: &str, action: Action, params: Params) -> Result<Value, ApiError> {
        if params.get("TrafficMirrorFilterName") == Some("http://") {
            return Err(ApiError::invalid("TrafficMirrorFilterName", "http://", "a name"));
        }
        self.acted.lock().push((account.to_owned(), action, params));
        Ok(json!({ "RequestId": "1" }))
    }

    fn quotas(&self, account: &str) -> Option<Value> {
        (account == "1001").then(|| json!({ "account": account, "quotas": [{ "name": "filters", "limit": 5 }] }))
    }

    fn status(&self) -> Value {
        let revision = *self.revision.borrow();
        json!({ "store": { "state": "open" }, "desired_revision": revision, "applied_revision": revision })
    }

    fn intervals(&self, account: &str, from: i64, to: i64) -> Result<Value, String> {
        Ok(json!({ "account": account, "intervals": [{ "from": from, "to": to }] }))
    }

    fn backup(&self) -> Result<Vec<u8>, String> {
        Ok(vec![0, 159, 146, 150])
    }

    fn restore(&self, backup: &[u8]) -> Result<u64, Refused> {
        if backup == [0, 159, 146, 150] { Ok(9) } else { Err(Refused::Invalid(vec!["body: is no backup".to_owned()])) }
    }

    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn changes(&self, after: u64) -> Changes {
        let kept = self.kept.lock();
        let oldest = kept.changes.first().map(|(revision, _)| *revision);
        let compacted = kept.changes.len() == REMEMBERED && oldest.is_some_and(|oldest| after + 1 < oldest);
        let changes = kept.changes.iter().filter(|(revision, _)| *revision > after).cloned().collect();
        Changes { revision: *self.revision.borrow(), compacted, changes }
    }
}
