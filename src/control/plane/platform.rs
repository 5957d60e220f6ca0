//! What operators and the platform ask of the control plane.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::billing;
use super::control::Control;
use super::desired::{Change as Part, Desired};
use super::session::TargetType;
use super::usage;
use super::world::World;
use crate::control::api::{Action, ApiError, Call, Params};
use crate::control::document::{Document, DocumentChange, Op, diff};
use crate::control::platform::{Change, Changed, Changes, Platform, Refused, SessionEffect};
use crate::control::store::Kind;

impl Platform for Control {
    fn inventory(&self) -> (u64, Arc<Document>) {
        let state = self.lock();
        (state.desired.revision, state.desired.world.document.clone())
    }

    fn change(&self, expected: Option<u64>, change: &mut Change<'_>, dry_run: bool) -> Result<Changed, Refused> {
        let mut state = self.lock();
        self.reopen(&mut state);
        let revision = state.desired.revision;
        if let Some(expected) = expected.filter(|expected| *expected != revision) {
            return Err(Refused::Conflict(format!("the inventory is at revision {revision}, not {expected}")));
        }
        let document = change(&state.desired.world.document)?;
        let changes = diff(&state.desired.world.document, &document);
        let world = World::new(Arc::new(document), &self.config, &self.regions, &self.accounts)
            .map_err(|problems| Refused::Invalid(problems.iter().map(ToString::to_string).collect()))?;
        let conflicts = conflicts(&state.desired, &world, &changes);
        if !conflicts.is_empty() {
            return Err(Refused::Conflict(conflicts.join("; ")));
        }
        let sessions = effects(&state.desired, &changes);
        let mut parts = vec![Part::World(Arc::new(world))];
        // An account of the same name that comes later begins anew.
        for gone in changes.iter().filter(|c| c.kind == Kind::Account && c.op == Op::Removed) {
            parts.push(Part::Service(gone.id.as_str().into(), false));
            parts.extend(state.desired.tokens.of_account(&gone.id).map(|key| Part::Token(key.clone(), None)));
        }
        if dry_run || changes.is_empty() {
            self.candidate(&mut state, &parts).map_err(refused)?;
            return Ok(Changed { revision, changes, sessions });
        }
        let applied = self.commit(&mut state, &parts, (self.clock)()).map_err(refused)?;
        let revision = state.desired.revision;
        self.wait_applied(&mut state, applied);
        Ok(Changed { revision, changes, sessions })
    }

    fn act(&self, account: &str, action: Action, params: Params) -> Result<Value, ApiError> {
        if self.lock().desired.world.account(account).is_none() {
            return Err(ApiError::new(404, "ResourceNotFound.Account", format!("There is no account {account}.")));
        }
        self.act_on(&Call { request_id: String::new(), account: account.into(), action, params })
    }

    fn quotas(&self, account: &str) -> Option<Value> {
        let state = self.lock();
        state.desired.world.account(account)?;
        Some(usage::of(&state.desired, account, &self.config))
    }

    fn status(&self) -> Value {
        let state = self.lock();
        let (store, reason) = match &state.store {
            Ok(_) => ("ok", None),
            Err(why) => ("read_only", Some(why.clone())),
        };
        json!({
            "region": self.config.region.id,
            "store": { "state": store, "path": self.config.store.path.display().to_string(), "reason": reason },
            "desired_revision": state.desired.revision,
            "applied_revision": state.applied,
            "trouble": state.trouble,
            "accounts": state.desired.world.accounts().count(),
            "filters": state.desired.filters.len(),
            "sessions": state.desired.sessions.len(),
        })
    }

    fn intervals(&self, account: &str, from: i64, to: i64) -> Result<Value, String> {
        let (store, open) = {
            let state = self.lock();
            let open: Vec<_> = state.desired.activity.of_account(account).collect();
            (state.store.clone()?, open)
        };
        billing::between(&*store, account, open, (from, to)).map_err(|e| e.to_string())
    }

    fn backup(&self) -> Result<Vec<u8>, String> {
        let store = self.lock().store.clone()?;
        crate::control::store::restore::backup(&*store).map_err(|e| e.to_string())
    }

    fn restore(&self, backup: &[u8]) -> Result<u64, Refused> {
        self.put_back(backup)
    }

    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn changes(&self, after: u64) -> Changes {
        let state = self.lock();
        state.history.after(after, state.desired.revision)
    }
}

/// An answer to a tenant as one to the platform.
pub(super) fn refused(error: ApiError) -> Refused {
    if error.status == 503 { Refused::ReadOnly(error.message) } else { Refused::Invalid(vec![error.message]) }
}

/// What would leave objects behind that nobody could have created.
fn conflicts(desired: &Desired, world: &World, changes: &[DocumentChange]) -> Vec<String> {
    let mut conflicts = Vec::new();
    for change in changes {
        let id = &*change.id;
        match change.kind {
            Kind::Account if change.op == Op::Removed => {
                let (filters, sessions) = (desired.index.filters_of_account(id), desired.index.sessions_of_account(id));
                if filters + sessions > 0 {
                    conflicts
                        .push(format!("account {id} has {filters} filters and {sessions} sessions: delete them first"));
                }
            }
            // Also one that comes back: sessions keep its id.
            Kind::NetworkInterface if change.op != Op::Removed => {
                let (before, Some(after)) = (desired.world.eni(id), world.eni(id)) else { continue };
                let other_owner = before.is_none_or(|before| before.owner != after.owner);
                let managed = after.managed && before.is_none_or(|before| !before.managed);
                for (_, session) in parts_of(desired, id) {
                    let account = desired.sessions.get(session).map_or("", |s| &*s.account);
                    let field = if other_owner && account != after.owner {
                        "OwnerId"
                    } else if managed {
                        "Managed"
                    } else {
                        continue;
                    };
                    let text = "has the ENI: take it out first";
                    conflicts.push(format!("NetworkInterfaces[{id}].{field}: session {session} {text}"));
                    break;
                }
            }
            _ => {}
        }
    }
    conflicts
}

/// The parts that an ENI plays: `source` or `target`, and the session.
fn parts_of<'a>(desired: &'a Desired, eni: &str) -> impl Iterator<Item = (&'static str, &'a Arc<str>)> {
    let sources = desired.index.sessions_of_source(eni).iter().map(|session| ("source", session));
    let targets: Vec<&Arc<str>> =
        desired.index.sessions_of_target(&(TargetType::NetworkInterface, eni.into())).collect();
    sources.chain(targets.into_iter().map(|session| ("target", session)))
}

/// What becomes of sessions whose ENIs go.
fn effects(desired: &Desired, changes: &[DocumentChange]) -> Vec<SessionEffect> {
    let gone = changes.iter().filter(|c| c.kind == Kind::NetworkInterface && c.op == Op::Removed);
    let effect = |(role, session, eni): (&'static str, &Arc<str>, &str)| {
        let account = desired.sessions.get(session).map(|s| s.account.to_string()).unwrap_or_default();
        let effect = match role {
            "source" => "the session keeps the source, of which nothing is mirrored until an ENI with this id is back",
            _ => "the session goes on, and its copies are skipped as target_down until an ENI with this id is back",
        };
        SessionEffect { session: session.to_string(), account, eni: eni.to_owned(), role, effect: effect.to_owned() }
    };
    gone.flat_map(|change| parts_of(desired, &change.id).map(|(role, session)| (role, session, &*change.id)))
        .map(effect)
        .collect()
}
