//! The way of a request, in its order: read, known, fresh, within the rate, done, answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use serde_json::{Map, Value};
use tracing::{debug, error};

use super::answer::{self, Answer};
use super::metrics::ApiMetrics;
use super::nonces::Nonces;
use super::request::Asked;
use super::signature::Claim;
use super::throttle::Throttle;
use super::{Action, Actions, ApiError, Call};

/// The time, as requests state it and as rates need it.
pub(super) trait Clock: Send + Sync {
    /// Seconds since 1970.
    fn wall(&self) -> i64;
    /// Since some moment; never goes back.
    fn steady(&self) -> Duration;
}

/// The machine's.
pub(super) struct SystemClock(pub(super) Instant);

impl Clock for SystemClock {
    fn wall(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    }

    fn steady(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What a request must pass.
pub(super) struct Gate {
    pub(super) actions: Arc<dyn Actions>,
    pub(super) metrics: Arc<ApiMetrics>,
    pub(super) region: String,
    pub(super) nonces: Nonces,
    pub(super) throttle: Throttle,
    pub(super) clock: Box<dyn Clock>,
}

/// A request whose signature is right.
pub(super) struct Known<'a> {
    asked: Asked<'a>,
    action: Action,
    claim: Claim,
    pub(super) account: Arc<str>,
}

impl Gate {
    /// Does what is asked. May take as long as a commit does.
    pub(super) fn answer(&self, http: &Request<Bytes>) -> Answer {
        let (started, request_id) = (Instant::now(), answer::request_id());
        let (mut action, mut close) = (None, false);
        let outcome =
            self.known(http, &mut action).inspect_err(|_| close = self.throttle.stranger(self.clock.steady()));
        let outcome = outcome.and_then(|known| self.fresh(known, &request_id)).and_then(|call| self.perform(&call));
        let code = outcome.as_ref().map_or_else(|e| e.code.as_ref(), |_| "OK");
        debug!(request_id, action = action.map_or("unknown", Action::name), code);
        self.metrics.count(action, code, started.elapsed());
        match outcome {
            Ok(fields) => Answer::done(&request_id, fields),
            Err(error) => Answer { close, ..Answer::refused(&request_id, &host(http), &error) },
        }
    }

    /// A refusal of what is no request that could be read.
    pub(super) fn unreadable(&self, error: &ApiError) -> Answer {
        let close = self.throttle.stranger(self.clock.steady());
        self.metrics.count(None, &error.code, Duration::ZERO);
        Answer { close, ..Answer::refused(&answer::request_id(), "", error) }
    }

    /// Whose request it is. `action` is set as soon as it is known.
    pub(super) fn known<'a>(
        &self,
        http: &'a Request<Bytes>,
        action: &mut Option<Action>,
    ) -> Result<Known<'a>, ApiError> {
        let asked = Asked::read(http)?;
        let asked_for = asked.action()?;
        *action = Some(asked_for);
        asked.check_version()?;
        asked.check_region(asked_for, &self.region)?;
        let claim = Claim::read(&asked)?;
        self.nonces.check_stamp(claim.stamp, self.clock.wall())?;
        let Some(credential) = self.actions.credential(&claim.access_key) else {
            self.throttle.room_for_strangers(self.clock.steady())?;
            // The same work as for a key that exists, so that the time says nothing.
            let _ = claim.check("no such key's secret", http.body());
            let text = "The parameter AccessKeyId is not found; it is the id of an AccessKey of an account here.";
            return Err(ApiError::new(404, "InvalidAccessKeyId.NotFound", text));
        };
        claim.check(&credential.secret, http.body())?;
        Ok(Known { asked, action: asked_for, claim, account: credential.account })
    }

    /// It was not made before, and the account may make one more. Only then its nonce is used: a client that is told to
    /// slow down may send the same again.
    fn fresh(&self, known: Known<'_>, request_id: &str) -> Result<Call, ApiError> {
        let Known { asked, action, claim, account } = known;
        self.nonces.check(&account, &claim.access_key, &claim.nonce)?;
        self.throttle.account(&account, self.clock.steady())?;
        self.nonces.record(&account, &claim.access_key, &claim.nonce, claim.stamp, self.clock.wall())?;
        Ok(Call { request_id: request_id.to_owned(), account, action, params: asked.into_params() })
    }

    /// In debug builds a panic costs one request. Release builds abort on it, and the supervisor starts anew.
    fn perform(&self, call: &Call) -> Result<Map<String, Value>, ApiError> {
        let broken = |what: &str| {
            error!(request_id = call.request_id, action = call.action.name(), "{what}");
            let text = format!("An internal error; the log has it under {}.", call.request_id);
            ApiError::new(500, "InternalError", text)
        };
        match catch_unwind(AssertUnwindSafe(|| self.actions.perform(call))) {
            Ok(Ok(Value::Object(fields))) => Ok(fields),
            Ok(Ok(_)) => Err(broken("the answer of an action is not an object")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(broken("an action panicked")),
        }
    }
}

fn host(http: &Request<Bytes>) -> String {
    let host = http.headers().get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    host.chars().take(255).collect()
}
