//! The one place where the desired state changes: plan, candidate, commit, publication, under one lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use serde_json::Value;
use tokio::sync::watch;

use super::actions::{self, Asked, Plan};
use super::activity::Turns;
use super::codes;
use super::desired::{Change, Desired};
use super::history::History;
use super::status::{Ghost, Pending, Status};
use super::tokens::{Seen, Tokens};
use crate::control::api::{Action, Actions, ApiError, Call, Credential, Fields};
use crate::control::config::Config;
use crate::control::document::diff;
use crate::control::model::Account;
use crate::control::regions::Regions;
use crate::control::store::{Store, StoreError};
use crate::control::switch::{Candidate, Switch};

/// How long an answer waits for the workers: long enough for healthy ones, so that most clients never see `Modifying`.
const COURTESY: Duration = Duration::from_millis(500);

/// Milliseconds since 1970.
pub type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// Is told of each commit.
pub type Committed = Box<dyn Fn(&Arc<dyn Store>) + Send + Sync>;

/// The time of the machine.
#[must_use]
pub fn wall_clock() -> Clock {
    Box::new(|| jiff::Timestamp::now().as_millisecond())
}

/// The control plane of a switch with a store.
pub struct Control {
    /// Told of each commit, for the snapshot beside the store. It comes first: the last snapshot is written when this is
    /// dropped, of a store that must still be there.
    pub(super) committed: Committed,
    pub(super) config: Config,
    pub(super) regions: Regions,
    /// Accounts that do not stand in the inventory.
    pub(super) accounts: Vec<Account>,
    pub(super) switch: Arc<Switch>,
    pub(super) clock: Clock,
    state: Mutex<State>,
    /// Something is to be published, was published, or all ends.
    pub(super) moved: Condvar,
    pub(super) revision: watch::Sender<u64>,
}

pub(super) struct State {
    pub(super) desired: Desired,
    pub(super) pending: Pending,
    /// Where changes are kept, or why they cannot be.
    pub(super) store: Result<Arc<dyn Store>, String>,
    /// What the publisher takes next, and the revision that it brings.
    pub(super) next: Option<(u64, Candidate)>,
    /// The revision that the workers have.
    pub(super) applied: u64,
    /// Why they do not have the desired one.
    pub(super) trouble: Option<String>,
    pub(super) stopped: bool,
    pub(super) history: History,
    /// When a store that failed was tried last.
    pub(super) tried: Option<Instant>,
}

/// What a control plane is made of.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Regions and what they can.
    pub regions: Regions,
    /// Accounts that do not stand in the inventory.
    pub accounts: Vec<Account>,
    /// The switch; the desired state is applied to it already.
    pub switch: Arc<Switch>,
    /// The time.
    pub clock: Clock,
    /// What the store holds.
    pub desired: Desired,
    /// The store, or why there is none.
    pub store: Result<Arc<dyn Store>, String>,
    /// Told of each commit.
    pub committed: Committed,
}

impl Control {
    /// A control plane; [`super::publisher`] brings its changes to the workers.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, regions, accounts, switch, clock, desired, store, committed } = parts;
        let (revision, _) = watch::channel(desired.revision);
        let state = State {
            applied: desired.revision,
            history: History::new(desired.revision),
            desired,
            pending: Pending::default(),
            store,
            next: None,
            trouble: None,
            stopped: false,
            tried: None,
        };
        let state = Mutex::new(state);
        Control { config, regions, accounts, switch, clock, state, moved: Condvar::new(), revision, committed }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Brings the control plane's threads to an end.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.moved.notify_all();
    }

    fn asked<'a>(&'a self, state: &'a State, call: &'a Call, now: i64) -> Asked<'a> {
        let State { desired, pending, .. } = state;
        Asked { desired, pending, config: &self.config, call, now: now / 1000 }
    }

    /// Does what is asked; errors say all that is known.
    pub(super) fn act_on(&self, call: &Call) -> Result<Value, ApiError> {
        if call.action.writes() {
            return self.write(call);
        }
        let now = (self.clock)();
        let state = self.lock();
        actions::read(self.asked(&state, call, now))
    }

    fn write(&self, call: &Call) -> Result<Value, ApiError> {
        let now = (self.clock)();
        let mut state = self.lock();
        self.reopen(&mut state);
        let token = match state.desired.tokens.look(call, now / 1000)? {
            Seen::Again(answer) => return Ok(answer),
            Seen::New(token) => token,
        };
        // The cloud knows no dry run of this one.
        let can_be_tried = call.action != Action::OpenTrafficMirrorService;
        let dry_run = call.params.boolean("DryRun")?.unwrap_or(false) && can_be_tried;
        let Plan { mut changes, answer } = actions::plan(self.asked(&state, call, now))?;
        if dry_run {
            state.store.as_ref().map_err(|why| read_only(why))?;
            self.candidate(&mut state, &changes)?;
            return Err(codes::DRY_RUN.error("The request passed all checks; nothing was changed, as DryRun is true."));
        }
        if let Some(key) = token {
            let stale = state.desired.tokens.stale(&call.account, now / 1000);
            changes.extend(stale.into_iter().filter(|s| *s != key).map(|key| Change::Token(key, None)));
            changes.push(Change::Token(key, Some(Tokens::made(call, &answer, now / 1000))));
        }
        if changes.is_empty() {
            return Ok(answer);
        }
        let revision = self.commit(&mut state, &changes, now)?;
        self.wait_applied(&mut state, revision);
        Ok(answer)
    }

    /// Waits a while for the workers to have a revision.
    pub(super) fn wait_applied(&self, state: &mut MutexGuard<'_, State>, revision: u64) {
        let deadline = Instant::now() + COURTESY;
        // Where workers have been refusing for a while, nobody's request holds a thread for them.
        while state.applied < revision && !state.stopped && state.trouble.is_none() {
            if self.moved.wait_until(state, deadline).timed_out() {
                break;
            }
        }
    }

    /// Would these changes compile? The state is as before.
    pub(super) fn candidate(&self, state: &mut State, changes: &[Change]) -> Result<(), ApiError> {
        let concerns = changes.iter().any(|change| state.desired.concerns_host(change));
        if !concerns {
            return Ok(());
        }
        let undo = state.desired.apply(changes);
        let outcome = self.switch.prepare(state.desired.model());
        state.desired.apply(&undo);
        outcome.map(drop).map_err(|problems| refused(&problems))
    }

    /// Compiles, commits and hands over to the publisher: all of the changes, or none. Returns the new revision; what no
    /// worker needs to know is applied at once.
    pub(super) fn commit(&self, state: &mut State, changes: &[Change], now: i64) -> Result<u64, ApiError> {
        let store = match &state.store {
            Ok(store) => store.clone(),
            Err(why) => return Err(read_only(why)),
        };
        let before = state.desired.revision;
        let (mut writes, mut notes, mut turns) = (Vec::new(), Vec::new(), Turns::default());
        let (mut workers, mut host) = (false, false);
        let mut shown = Vec::new();
        let mut undo = Vec::new();
        for change in changes {
            let concerned = state.desired.concerns_workers(change);
            workers |= concerned;
            host |= concerned || state.desired.concerns_host(change);
            writes.extend(change.writes(&state.desired));
            if concerned {
                self::notes(&state.desired, change, &mut notes);
            }
            if let Change::World(world) = change {
                shown.extend(diff(&state.desired.world.document, &world.document));
            }
            let mut undone = state.desired.apply(std::slice::from_ref(change));
            undone.append(&mut undo);
            undo = undone;
            if matches!(change, Change::World(_)) {
                state.desired.all_turns(&mut turns);
            } else if let Change::Session(id, session) = change {
                state.desired.session_turns(id, session.as_deref(), &mut turns);
            }
        }
        writes.extend(turns.writes(now));
        let outcome = self.prepared(state, host).and_then(|candidate| {
            let revision = store.commit(before, &writes).map_err(|e| self.store_failed(state, &e))?;
            Ok((revision, candidate))
        });
        let (revision, candidate) = match outcome {
            Ok(done) => done,
            Err(e) => {
                state.desired.apply(&undo);
                return Err(e);
            }
        };
        state.desired.revision = revision;
        state.desired.activity.turn(turns, now);
        state.history.note(revision, &shown);
        (self.committed)(&store);
        for (id, status, ghost) in notes {
            state.pending.note(&id, revision, status, ghost);
        }
        match candidate {
            Some(candidate) => {
                state.next = Some((revision, candidate));
                self.moved.notify_all();
            }
            // Nothing to wait for, unless an earlier revision is still under way.
            None if state.next.is_none() && state.applied == before => state.applied = revision,
            None => {}
        }
        self.revision.send_replace(revision);
        Ok(if workers { revision } else { 0 })
    }

    fn prepared(&self, state: &State, host: bool) -> Result<Option<Candidate>, ApiError> {
        if !host {
            return Ok(None);
        }
        self.switch.prepare(state.desired.model()).map(Some).map_err(|problems| refused(&problems))
    }

    /// A store that failed is not written any more, until it is opened again.
    pub(super) fn store_failed(&self, state: &mut State, error: &StoreError) -> ApiError {
        let why = error.to_string();
        tracing::error!("the store cannot be written, changes are refused from now on: {why}");
        state.store = Err(why.clone());
        state.tried = Some(Instant::now());
        read_only(&why)
    }
}

fn refused(problems: &[String]) -> ApiError {
    ApiError::new(400, "InvalidParameter", problems.join("; "))
}

fn read_only(why: &str) -> ApiError {
    codes::READ_ONLY.error(format!("Nothing can be changed now, what is configured goes on: {why}"))
}

/// The statuses that a change brings about, which is applied next.
fn notes(desired: &Desired, change: &Change, notes: &mut Vec<(Arc<str>, Status, Option<Ghost>)>) {
    match change {
        Change::Session(id, after) => {
            let before = desired.sessions.get(id);
            let ghost = if after.is_none() { before.cloned().map(Ghost::Session) } else { None };
            notes.push((id.clone(), status(before.is_some(), after.is_some()), ghost));
        }
        Change::Filter(id, after) => {
            let before = desired.filters.get(id);
            let ghost = if after.is_none() { before.cloned().map(Ghost::Filter) } else { None };
            notes.push((id.clone(), status(before.is_some(), after.is_some()), ghost));
            let (Some(before), Some(after)) = (before, after) else { return };
            for (side, rule) in before.all_rules().filter(|(_, rule)| after.find(&rule.id).is_none()) {
                let ghost = Ghost::Rule { filter: id.clone(), side, rule: rule.clone() };
                notes.push((rule.id.clone(), Status::Deleting, Some(ghost)));
            }
            for (side, rule) in after.all_rules() {
                match before.find(&rule.id) {
                    None => notes.push((rule.id.clone(), Status::Creating, None)),
                    Some(was) if was != (side, rule) => notes.push((rule.id.clone(), Status::Modifying, None)),
                    Some(_) => {}
                }
            }
        }
        Change::World(_) | Change::Service(..) | Change::Token(..) => {}
    }
}

const fn status(before: bool, after: bool) -> Status {
    match (before, after) {
        (false, _) => Status::Creating,
        (true, true) => Status::Modifying,
        (true, false) => Status::Deleting,
    }
}

impl Actions for Control {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        self.lock().desired.world.credential(access_key_id)
    }

    fn perform(&self, call: &Call) -> Result<Value, ApiError> {
        // Files and disks of the host are not the tenant's to know; the log and the operators' status have the reason.
        self.act_on(call).map_err(|e| if e.code == codes::READ_ONLY.code { read_only("try again later") } else { e })
    }
}
