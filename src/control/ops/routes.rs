//! The table of routes: the router and the OpenAPI document are both made of it.

use std::borrow::Cow;
use std::sync::LazyLock;

use hyper::Method;

use super::query::{Kind, Param};
use super::route::Content::{Bytes, Json, List, Text};
use super::route::Handler::{Always, Objects, Stored, Watch};
use super::route::{Content, Handler, Route};
use super::{actions, inventory, object, openapi, seen, stored, watch};
use crate::control::document::ObjectKind;

/// Parameters of what changes the inventory.
const CHANGE: &[Param] = &[
    optional("dry_run", Kind::Flag, "Check, answer what would change, and change nothing."),
    optional("revision", Kind::Number(0, u64::MAX), "Refuse when the store is at another revision."),
];
const WATCH: &[Param] = &[
    optional("after", Kind::Number(0, u64::MAX), "The revision that is known; without it the answer comes at once."),
    optional("timeout", Kind::Number(0, watch::LONGEST), "Seconds to wait for a change, 30 if not given."),
];
const ACCOUNT: Param = Param { required: true, ..optional("account", Kind::Id, "The account.") };
const INTERVALS: &[Param] = &[
    ACCOUNT,
    optional("from", SECONDS, "Seconds since 1970, 0 if not given."),
    optional("to", SECONDS, "Seconds since 1970, now if not given."),
];
/// Up to the year 9999.
const SECONDS: Kind = Kind::Number(0, 253_402_300_799);

const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Param {
    Param { name, kind, required: false, about }
}

/// All routes.
pub(super) static ROUTES: LazyLock<Vec<Route>> =
    LazyLock::new(|| fixed().into_iter().chain(ObjectKind::ALL.into_iter().flat_map(of_kind)).collect());

fn fixed() -> Vec<Route> {
    vec![
        get("/healthz", Text, Always(seen::healthz), "Is the process there?"),
        get("/readyz", Text, Always(seen::readyz), "Does it serve? 503 with the reason when it does not."),
        get("/version", Json("Version"), Always(seen::version), "Which vswitch this is."),
        get("/openapi.json", Json("Document"), Always(openapi::serve), "This document."),
        get("/v1/status", Json("Status"), Always(stored::status), "State of the store, and its revisions."),
        post("/v1/reload", Json("Applied"), Always(seen::reload), "Read the object files again; without a store only."),
        post("/v1/explain", Json("Explained"), Always(seen::explain), "What would become of a packet?")
            .with(Json("ExplainQuery")),
        get("/v1/enis", List("Eni"), Always(seen::enis), "ENIs on this host, with their ports and counters."),
        get("/v1/enis/{id}", Json("Eni"), Always(seen::enis), "One of them."),
        get("/v1/filters", List("Filter"), Always(seen::filters), "Filters."),
        get("/v1/filters/{id}", Json("Filter"), Always(seen::filters), "One of them."),
        get("/v1/sessions", List("Session"), Always(seen::sessions), "Sessions with their counters."),
        get("/v1/sessions/{id}", Json("Session"), Always(seen::sessions), "One of them."),
        get("/v1/stats", Json("Stats"), Always(seen::stats), "Totals, and the conservation laws that do not hold."),
        get(
            "/v1/inventory",
            Json("Inventory"),
            Stored(inventory::get),
            "The whole inventory; the header x-vswitch-revision has its revision.",
        ),
        put(
            "/v1/inventory",
            Json("Changed"),
            Stored(inventory::put),
            "Put this inventory in the place of the one there is.",
        )
        .with(Json("Inventory"))
        .taking(CHANGE),
        get(
            "/v1/watch",
            Json("Changes"),
            Watch,
            "Changes of the inventory after a revision; waits if there is none yet.",
        )
        .taking(WATCH),
        post(
            "/v1/actions/{action}",
            Json("ActionAnswer"),
            Stored(actions::act),
            "Do what the account could through the tenant API.",
        )
        .with(Json("Parameters"))
        .taking(&[ACCOUNT]),
        get("/v1/quotas", Json("Quotas"), Stored(stored::quotas), "Quotas of an account.").taking(&[ACCOUNT]),
        get("/v1/intervals", Json("Intervals"), Stored(stored::intervals), "The times in which sources were mirrored.")
            .taking(INTERVALS),
        get("/v1/backup", Bytes, Stored(stored::backup), "The whole store."),
        post("/v1/restore", Json("Restored"), Stored(stored::restore), "Put a backup in the place of what is stored.")
            .with(Bytes),
    ]
}

/// List, get, put and delete.
fn of_kind(kind: ObjectKind) -> [Route; 4] {
    let (list, what) = (format!("/v1/{}", kind.collection()), kind.singular());
    let one = format!("{list}/{{id}}");
    let schema = Json(kind.schema());
    let changed = Json("Changed");
    [
        get(list, List(kind.schema()), Objects(kind, object::list), format!("Each {what} of the inventory.")),
        get(one.clone(), schema, Objects(kind, object::get), format!("One {what} of the inventory.")),
        put(one.clone(), changed, Objects(kind, object::put), format!("Add this {what}, or replace it."))
            .with(schema)
            .taking(CHANGE),
        delete(one, changed, Objects(kind, object::delete), format!("Take this {what} out of the inventory."))
            .taking(CHANGE),
    ]
}

type Words = Cow<'static, str>;

fn get(path: impl Into<Words>, answer: Content, handler: Handler, about: impl Into<Words>) -> Route {
    Route { method: Method::GET, path: path.into(), about: about.into(), query: &[], body: None, answer, handler }
}

fn put(path: impl Into<Words>, answer: Content, handler: Handler, about: impl Into<Words>) -> Route {
    Route { method: Method::PUT, ..get(path, answer, handler, about) }
}

fn post(path: impl Into<Words>, answer: Content, handler: Handler, about: impl Into<Words>) -> Route {
    Route { method: Method::POST, ..get(path, answer, handler, about) }
}

fn delete(path: impl Into<Words>, answer: Content, handler: Handler, about: impl Into<Words>) -> Route {
    Route { method: Method::DELETE, ..get(path, answer, handler, about) }
}
