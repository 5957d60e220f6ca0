//! ClientTokens: the same request is done once, however often it is sent.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::codes;
use crate::control::api::{ApiError, Call};

/// How long a token is kept, seconds.
pub const LIFETIME: i64 = 24 * 60 * 60;
/// Tokens of an account; the oldest one goes when there would be more.
pub const MOST: usize = 10_000;
/// Longest token.
const LENGTH: usize = 64;

/// A token and the answer that its request was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Token {
    /// SHA-256 of the action and its parameters, in hexadecimal.
    pub fingerprint: String,
    /// What was answered.
    pub answer: Value,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// All tokens, by `account/token`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    tokens: HashMap<Arc<str>, Arc<Token>>,
    /// When each was used, and its key, by account.
    ages: HashMap<Box<str>, BTreeSet<(i64, Arc<str>)>>,
}

/// What a token means for a call.
#[derive(Debug)]
pub enum Seen {
    /// The call has none, or is the first with it.
    New(Option<Arc<str>>),
    /// It was answered so.
    Again(Value),
}

impl Tokens {
    /// What a call's token means at a time (seconds since 1970).
    ///
    /// # Errors
    /// The token is no token, or was used with other parameters.
    pub fn look(&self, call: &Call, now: i64) -> Result<Seen, ApiError> {
        let Some(token) = call.params.get("ClientToken") else {
            return Ok(Seen::New(None));
        };
        if token.len() > LENGTH || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ApiError::invalid("ClientToken", token, "1 to 64 ASCII characters without blanks"));
        }
        let key: Arc<str> = format!("{}/{token}", call.account).into();
        match self.tokens.get(&key).filter(|t| now < t.at + LIFETIME) {
            None => Ok(Seen::New(Some(key))),
            Some(before) if before.fingerprint == fingerprint(call) => Ok(Seen::Again(before.answer.clone())),
            Some(_) => Err(codes::TOKEN_MISMATCH.error(format!(
                "ClientToken: \"{token}\" was used with another action or other parameters less than 24 hours ago; \
                 use a new one."
            ))),
        }
    }

    /// The token that a call leaves behind.
    #[must_use]
    pub fn made(call: &Call, answer: &Value, now: i64) -> Arc<Token> {
        Arc::new(Token { fingerprint: fingerprint(call), answer: answer.clone(), at: now })
    }

    /// Keys of an account's tokens that must go, so that one more has room.
    pub fn stale(&self, account: &str, now: i64) -> Vec<Arc<str>> {
        let Some(ages) = self.ages.get(account) else {
            return Vec::new();
        };
        let over = (ages.len() + 1).saturating_sub(MOST);
        let stale = ages.iter().enumerate().take_while(|(n, (at, _))| *n < over || at + LIFETIME <= now);
        stale.map(|(_, (_, key))| key.clone()).collect()
    }

    /// Keys of all of an account's tokens.
    pub fn of_account(&self, account: &str) -> impl Iterator<Item = &Arc<str>> {
        self.ages.get(account).into_iter().flatten().map(|(_, key)| key)
    }

    /// Puts a token in a place, or empties it; what was there.
    pub(super) fn replace(&mut self, key: &Arc<str>, token: Option<Arc<Token>>) -> Option<Arc<Token>> {
        let account = key.split_once('/').map_or("", |(account, _)| account);
        let before = self.tokens.remove(key);
        if let (Some(before), Some(ages)) = (&before, self.ages.get_mut(account)) {
            ages.remove(&(before.at, key.clone()));
            if ages.is_empty() {
                self.ages.remove(account);
            }
        }
        if let Some(token) = token {
            self.ages.entry(account.into()).or_default().insert((token.at, key.clone()));
            self.tokens.insert(key.clone(), token);
        }
        before
    }
}

/// Tells calls apart: the action and all parameters but the token itself.
fn fingerprint(call: &Call) -> String {
    let mut hash = Sha256::new();
    hash.update(call.action.name());
    for (name, value) in call.params.iter().filter(|(name, _)| *name != "ClientToken") {
        for part in [name, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
