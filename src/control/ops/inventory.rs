//! The inventory as one document, and what any change of it is answered.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::route::{Asked, Served};
use crate::control::document::{self, Document, Op};
use crate::control::http::Answer;
use crate::control::platform::{Changed, Platform, Refused};

/// Names the revision of what is answered.
const REVISION: HeaderName = HeaderName::from_static("x-vswitch-revision");
/// What complaints call a request's body.
const BODY: &str = "body";

pub(super) fn get(platform: &dyn Platform, _: &Served, _: &Asked<'_>) -> Answer {
    let (revision, document) = platform.inventory();
    at(revision, Answer::json(StatusCode::OK, &document.redacted().to_json()))
}

pub(super) fn put(platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let document = json(asked.body).and_then(|tree| {
        Document::from_json(BODY, &tree).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    });
    match document {
        Ok(document) => change(platform, asked, |now| Ok(document.clone().with_secrets_of(now))).answer(),
        Err(problems) => Answer::errors(StatusCode::BAD_REQUEST, &problems),
    }
}

/// The answer with the revision of what it says.
pub(super) fn at(revision: u64, mut answer: Answer) -> Answer {
    answer.headers.push((REVISION, HeaderValue::from(revision)));
    answer
}

/// The JSON of a request's body.
///
/// # Errors
/// Every problem, a sentence each.
pub(super) fn json(body: &[u8]) -> Result<Value, Vec<String>> {
    let text = std::str::from_utf8(body).map_err(|e| vec![format!("{BODY}: is not UTF-8: {e}")])?;
    document::tree(BODY, text).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// What became of a change.
pub(super) struct Outcome {
    outcome: Result<Value, Refused>,
    dry_run: bool,
}

/// Changes the inventory as the parameters of the call say.
pub(super) fn change(
    platform: &dyn Platform,
    asked: &Asked<'_>,
    mut change: impl FnMut(&Document) -> Result<Document, Refused>,
) -> Outcome {
    let dry_run = asked.query.flag("dry_run");
    let changed = platform.change(asked.query.number("revision"), &mut change, dry_run);
    Outcome { outcome: changed.map(|changed| self::changed(&changed, dry_run)), dry_run }
}

impl Outcome {
    /// Adds fields to the answer of a change that was done.
    pub(super) fn with(mut self, more: impl FnOnce(&mut Value)) -> Self {
        if let Ok(answer) = &mut self.outcome
            && !self.dry_run
        {
            more(answer);
        }
        self
    }

    /// The answer.
    pub(super) fn answer(self) -> Answer {
        match self.outcome {
            Ok(value) => Answer::json(StatusCode::OK, &value),
            Err(refused) => self::refused(refused),
        }
    }
}

/// The answer to what was not done.
pub(super) fn refused(refused: Refused) -> Answer {
    let (status, problems) = match refused {
        Refused::Missing(why) => (StatusCode::NOT_FOUND, vec![why]),
        Refused::Invalid(problems) => (StatusCode::BAD_REQUEST, problems),
        Refused::Conflict(why) => (StatusCode::CONFLICT, vec![why]),
        Refused::ReadOnly(why) => (StatusCode::SERVICE_UNAVAILABLE, vec![why]),
    };
    Answer::errors(status, &problems)
}

fn changed(changed: &Changed, dry_run: bool) -> Value {
    let of = |op: Op| -> Value {
        let changes = changed.changes.iter().filter(|change| change.op == op);
        changes.map(|change| json!({ "kind": change.kind.name(), "id": change.id })).collect()
    };
    json!({
        "added": of(Op::Added),
        "changed": of(Op::Changed),
        "removed": of(Op::Removed),
        "sessions": changed.sessions,
        "revision": changed.revision,
        "dry_run": dry_run,
    })
}
