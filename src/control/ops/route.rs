//! What a route is, and which one a call takes.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use super::query::{Param, Query};
use super::routes::ROUTES;
use crate::control::document::ObjectKind;
use crate::control::http::Answer;
use crate::control::operations::Operations;
use crate::control::platform::Platform;

/// A switch as this API serves it.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) operations: Arc<dyn Operations>,
    /// Only with a store.
    pub(super) platform: Option<Arc<dyn Platform>>,
}

/// What is asked of a route.
pub(super) struct Asked<'a> {
    /// The part of the path that names an object, where there is one.
    pub(super) id: &'a str,
    pub(super) query: &'a Query,
    pub(super) body: &'a Bytes,
}

/// Who answers.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Any switch can.
    Always(fn(&Served, &Asked<'_>) -> Answer),
    /// Only a switch with a store can.
    Stored(fn(&dyn Platform, &Served, &Asked<'_>) -> Answer),
    /// The same, for objects of a kind.
    Objects(ObjectKind, fn(ObjectKind, &dyn Platform, &Served, &Asked<'_>) -> Answer),
    /// Waits for changes, on no thread.
    Watch,
}

/// What a body or an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// JSON of a schema of the OpenAPI document.
    Json(&'static str),
    /// A JSON list of these.
    List(&'static str),
    /// One line of text.
    Text,
    /// Bytes.
    Bytes,
}

/// A method on a path.
pub(super) struct Route {
    pub(super) method: Method,
    /// Its path; `{id}` or `{action}` is one part of it, whatever that says.
    pub(super) path: Cow<'static, str>,
    /// What it does.
    pub(super) about: Cow<'static, str>,
    pub(super) query: &'static [Param],
    pub(super) body: Option<Content>,
    pub(super) answer: Content,
    pub(super) handler: Handler,
}

impl Route {
    /// With a body.
    pub(super) fn with(self, body: Content) -> Self {
        Route { body: Some(body), ..self }
    }

    /// With parameters behind the question mark.
    pub(super) fn taking(self, query: &'static [Param]) -> Self {
        Route { query, ..self }
    }

    /// Whether it needs a store.
    pub(super) fn is_stored(&self) -> bool {
        !matches!(self.handler, Handler::Always(_))
    }

    /// The name of the part of its path that varies.
    pub(super) fn variable(&self) -> Option<&str> {
        Some(self.path.split_once('{')?.1.split_once('}')?.0)
    }

    /// What stands in the varying part of `path`, nothing if none varies; `None` if this is not a path of the route.
    fn matches<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (mut own, mut asked) = (self.path.split('/'), path.split('/'));
        let mut id = "";
        loop {
            match (own.next(), asked.next()) {
                (None, None) => return Some(id),
                (Some(own), Some(part)) if own.starts_with('{') && !part.is_empty() => id = part,
                (Some(own), Some(part)) if own == part => {}
                _ => return None,
            }
        }
    }
}

/// The route of a call and the varying part of its path.
///
/// # Errors
/// The answer to one that has none.
pub(super) fn find<'a>(method: &Method, path: &'a str) -> Result<(&'static Route, &'a str), Answer> {
    let here: Vec<_> = ROUTES.iter().filter_map(|route| Some((route, route.matches(path)?))).collect();
    if here.is_empty() {
        let sentence = format!("{path} is not here; GET /openapi.json says what is");
        return Err(Answer::errors(StatusCode::NOT_FOUND, &[sentence]));
    }
    let methods: Vec<&str> = here.iter().map(|(route, _)| route.method.as_str()).collect();
    here.into_iter().find(|(route, _)| route.method == method).ok_or_else(|| {
        let allowed = methods.join(", ");
        let sentence = format!("{method} is not allowed on {path}; allowed: {allowed}");
        let mut answer = Answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[sentence]);
        answer.headers.extend(HeaderValue::from_str(&allowed).ok().map(|value| (ALLOW, value)));
        answer
    })
}
