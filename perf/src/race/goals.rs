//! The goals, as data.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use vswitch::control::raw::{Object, Problem, Sink, boolean, text};

use crate::report::anchors::{labels_of, tables};

const KEYS: &[&str] = &["name", "scenario", "where", "ours", "peer", "inverse", "at_least", "at_most"];

/// What a ratio, or a figure that stands alone, must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::AtLeast(n) => write!(f, "≥ {n}"),
            Wanted::AtMost(n) => write!(f, "≤ {n}"),
        }
    }
}

/// A figure of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Whose; a star at the end stands for any tuning.
    pub contender: String,
    /// Its metrics; of several the smallest counts, round by round.
    pub metrics: Vec<String>,
    /// Labels of the point.
    pub labels: BTreeMap<String, String>,
}

/// What the switch must reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What tables call it.
    pub name: String,
    /// The scenario that measures it.
    pub scenario: String,
    /// The switch's figure.
    pub ours: Figure,
    /// The figure it is divided by; `None`: ours stands alone.
    pub peer: Option<Figure>,
    /// The peer's figure is divided by ours: less is better.
    pub inverse: bool,
    /// The limit.
    pub wanted: Wanted,
}

/// The goals that come with the program.
///
/// # Errors
/// Every problem in the file; a test holds that there is none.
pub fn builtin() -> Result<Vec<Goal>, Vec<Problem>> {
    from_text(include_str!("../../goals.toml"), "goals.toml")
}

/// Reads a file's text.
///
/// # Errors
/// Every problem there is.
pub fn from_text(toml: &str, file: &str) -> Result<Vec<Goal>, Vec<Problem>> {
    let sink = Sink::new(file);
    let goals = tables(&sink, toml, "goal", KEYS, goal);
    if sink.is_clean() { Ok(goals) } else { Err(sink.into_problems()) }
}

fn goal(object: &Object<'_>) -> Option<Goal> {
    let name = object.required("name", "what is wanted, in a few words", text);
    let scenario = object.required("scenario", "a scenario's name", text);
    let labels = labels_of(object, "where");
    let figure_at = |key: &str, keys: &[&str]| {
        let figure = object.raw(key).and_then(|v| Object::new(object.sink(), &object.path_of(key), v, keys, &[]));
        figure.and_then(|f| figure_of(&f, &labels))
    };
    let ours = figure_at("ours", &["contender", "metric"]);
    if object.raw("ours").is_none() {
        object.report("ours", "missing; such as { contender = \"vswitch\", metric = \"service\" }");
    }
    let peer = figure_at("peer", &["contender", "metric", "where"]);
    let limit = |key: &str| object.optional(key, "a number", Value::as_f64);
    let wanted = match (limit("at_least"), limit("at_most")) {
        (Some(least), None) => Some(Wanted::AtLeast(least)),
        (None, Some(most)) => Some(Wanted::AtMost(most)),
        _ => {
            object.report("at_least", "one of at_least and at_most, a number");
            None
        }
    };
    let inverse = object.optional("inverse", "true or false", boolean).unwrap_or(false);
    if inverse && peer.is_none() {
        object.report("inverse", "only where there is a peer");
    }
    Some(Goal { name: name?, scenario: scenario?, ours: ours?, peer, inverse, wanted: wanted? })
}

/// A figure of the goal's point, or of one that differs from it in its own `where`.
fn figure_of(object: &Object<'_>, labels: &BTreeMap<String, String>) -> Option<Figure> {
    let contender = object.required("contender", "a contender's name, such as \"ovs*\"", text);
    let metric = object.required("metric", "a metric, or the smaller of two, such as \"service+copies\"", text);
    let mut labels = labels.clone();
    labels.extend(labels_of(object, "where"));
    Some(Figure { contender: contender?, metrics: metric?.split('+').map(|m| m.trim().to_owned()).collect(), labels })
}
