//! A file becomes a scenario; everything that is wrong in it is found in one go.

use std::path::Path;

use serde_json::Value;
use vswitch::control::raw::{Object, Problem, Sink, integer, text, unknown};

use super::model::{Kind, Level, Overload, Peer, Ring, Scenario, Size, Target};

/// Keys of a file.
const KEYS: &[&str] = &[
    "name",
    "kind",
    "about",
    "level",
    "peers",
    "sizes",
    "flows",
    "match_percent",
    "rules",
    "enis",
    "stored_sessions",
    "local_sessions",
    "target",
    "overload",
    "workers",
    "ring",
    "packet_length",
    "mtu",
    "offered_percent",
    "rounds",
    "seconds",
    "warmup_seconds",
    "needs",
];

/// What a person may `set`, and the key that it is. Labels of points and keys of files both do.
const SETTABLE: &[(&str, &str)] = &[
    ("size", "sizes"),
    ("match", "match_percent"),
    ("offered", "offered_percent"),
    ("warmup", "warmup_seconds"),
    ("level", "level"),
    ("peers", "peers"),
    ("sizes", "sizes"),
    ("flows", "flows"),
    ("match_percent", "match_percent"),
    ("rules", "rules"),
    ("enis", "enis"),
    ("stored_sessions", "stored_sessions"),
    ("local_sessions", "local_sessions"),
    ("target", "target"),
    ("overload", "overload"),
    ("workers", "workers"),
    ("ring", "ring"),
    ("packet_length", "packet_length"),
    ("mtu", "mtu"),
    ("offered_percent", "offered_percent"),
    ("rounds", "rounds"),
    ("seconds", "seconds"),
    ("warmup_seconds", "warmup_seconds"),
];

/// Keys of which there is one value, not a list.
const SINGLE: &[&str] = &["level", "rounds", "seconds", "warmup_seconds"];

const SIZES: &str = "bytes of a frame without FCS, 64 to 8514, or \"imix\"";
const FLOWS: &str = "a power of two from 1 to 1048576";
const MTUS: &str = "1500 or 8500";

impl Scenario {
    /// Reads a file; `name` must be its stem.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load(file: &Path) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let toml = std::fs::read_to_string(file).map_err(|e| vec![whole(&name, &format!("cannot be read: {e}"))])?;
        Self::from_text(&toml, &name)
    }

    /// The same from the file's text.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn from_text(toml: &str, file: &str) -> Result<Self, Vec<Problem>> {
        let tree: Value = toml::from_str(toml).map_err(|e| vec![whole(file, e.to_string().trim_end())])?;
        let scenario = validate(&tree, file)?;
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        if scenario.name == stem {
            Ok(scenario)
        } else {
            let value = Value::from(scenario.name).to_string();
            let allowed = format!("the file's own name, {stem}");
            Err(vec![Problem { file: file.to_owned(), path: "name".to_owned(), value, allowed }])
        }
    }

    /// The same scenario with other values, as `("size", "64,128,imix")`: names of points' labels or of keys, values
    /// separated by commas.
    ///
    /// # Errors
    /// Every problem there is, in the file's words.
    pub fn with_overrides<'a>(
        &self,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Problem>> {
        const FILE: &str = "command line";
        let mut tree = serde_json::to_value(self).map_err(|e| vec![whole(FILE, &e.to_string())])?;
        let names: Vec<&str> = SETTABLE.iter().map(|(name, _)| *name).collect();
        let mut problems = Vec::new();
        for (name, value) in overrides {
            let Some((_, key)) = SETTABLE.iter().find(|(known, _)| *known == name) else {
                let value = Value::from(value).to_string();
                let allowed = unknown(name, &names);
                problems.push(Problem { file: FILE.to_owned(), path: name.to_owned(), value, allowed });
                continue;
            };
            let one = |v: &str| v.trim().parse::<i64>().map_or_else(|_| Value::from(v.trim()), Value::from);
            tree[*key] = match *key {
                "seconds" | "warmup_seconds" => value.parse::<f64>().map_or_else(|_| Value::from(value), Value::from),
                key if SINGLE.contains(&key) => one(value),
                "peers" if value == "none" => Value::Array(Vec::new()),
                _ => value.split(',').map(one).collect(),
            };
        }
        let scenario = validate(&tree, FILE);
        if problems.is_empty() {
            return scenario;
        }
        problems.extend(scenario.err().unwrap_or_default());
        Err(problems)
    }
}

fn whole(file: &str, what: &str) -> Problem {
    Problem { file: file.to_owned(), path: String::new(), value: String::new(), allowed: what.to_owned() }
}

fn validate(tree: &Value, file: &str) -> Result<Scenario, Vec<Problem>> {
    let sink = Sink::new(file);
    let scenario = Object::new(&sink, "", tree, KEYS, &[]).and_then(|object| fields(&object));
    match scenario {
        Some(scenario) if sink.is_clean() => Ok(scenario),
        _ => Err(sink.into_problems()),
    }
}

/// A word out of a list of words.
fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Option<T> {
    move |v| words.iter().find(|(text, _)| v.as_str() == Some(text)).map(|(_, word)| *word)
}

fn allowed<T>(words: &[(&str, T)]) -> String {
    let quoted: Vec<String> = words.iter().map(|(text, _)| format!("\"{text}\"")).collect();
    quoted.join(" or ")
}

fn number<T: TryFrom<i64>>(min: i64, max: i64) -> impl Fn(&Value) -> Option<T> {
    move |v| integer(v, min, max).and_then(|n| T::try_from(n).ok())
}

fn seconds(min: f64, max: f64) -> impl Fn(&Value) -> Option<f64> {
    move |v| v.as_f64().filter(|s| (min..=max).contains(s))
}

fn size(value: &Value) -> Option<Size> {
    if value.as_str() == Some("imix") { Some(Size::Imix) } else { number(64, 8514)(value).map(Size::Fixed) }
}

/// A list of values, or one value; wrong ones are reported one by one. A missing list is `default`.
fn list<T: Copy + PartialEq>(
    object: &Object<'_>,
    key: &str,
    allowed: &str,
    default: &[T],
    read: impl Fn(&Value) -> Option<T>,
) -> Vec<T> {
    let items = match object.raw(key) {
        None => return default.to_vec(),
        Some(Value::Array(_)) => object.list(key),
        Some(single) => vec![(object.path_of(key), single)],
    };
    if items.is_empty() && !default.is_empty() {
        object.report(key, format!("at least one value: {allowed}"));
    }
    let mut values = Vec::new();
    for (path, item) in items {
        match read(item) {
            None => object.sink().report(path, Some(item), allowed),
            Some(value) if values.contains(&value) => object.sink().report(path, Some(item), "named twice"),
            Some(value) => values.push(value),
        }
    }
    values
}

fn fields(object: &Object<'_>) -> Option<Scenario> {
    let whole_number = |min: u32, max: u32| format!("a whole number from {min} to {max}");
    let numbers = |key: &str, min: u32, max: u32, default: &[u32]| {
        list(object, key, &whole_number(min, max), default, number(min.into(), max.into()))
    };
    let kind = object.required("kind", &allowed(Kind::ALL), word(Kind::ALL));
    let rules: u32 = match kind {
        Some(Kind::Forward | Kind::Scale) => 0,
        Some(Kind::Mirror | Kind::Latency) | None => 1,
        Some(Kind::Classify | Kind::Churn | Kind::Replay) => 20,
    };
    let level = object.optional("level", &allowed(Level::ALL), word(Level::ALL));
    let name = object.required("name", "the file's own name", text);
    let about = object.required("about", "a sentence that says what is measured", text);
    let percent = "percent, a whole number from 0 to 100";
    let offered = "percent, a whole number from 1 to 100";
    let scenario = Scenario {
        peers: list(object, "peers", &allowed(Peer::ALL), &[], word(Peer::ALL)),
        sizes: list(object, "sizes", SIZES, &[Size::Fixed(64)], size),
        flows: list(object, "flows", FLOWS, &[1024], |v| number(1, 1 << 20)(v).filter(|n: &u32| n.is_power_of_two())),
        match_percent: list(object, "match_percent", percent, &[100], number(0, 100)),
        rules: numbers("rules", 0, 10_000, &[rules]),
        enis: numbers("enis", 2, 256, &[2]),
        stored_sessions: numbers("stored_sessions", 1, 20_000, &[]),
        local_sessions: numbers("local_sessions", 1, 768, &[1]),
        target: list(object, "target", &allowed(Target::ALL), &[Target::Fast], word(Target::ALL)),
        overload: list(object, "overload", &allowed(Overload::ALL), &[Overload::Share], word(Overload::ALL)),
        workers: list(object, "workers", "1 or 2", &[1], number(1, 2)),
        ring: list(object, "ring", &allowed(Ring::ALL), &[Ring::Split], word(Ring::ALL)),
        packet_length: list(object, "packet_length", "a whole number from 64 to 8500", &[1500], number(64, 8500)),
        mtu: list(object, "mtu", MTUS, &[], |v| number(1500, 8500)(v).filter(|m| [1500, 8500].contains(m))),
        offered_percent: list(object, "offered_percent", offered, &[100], number(1, 100)),
        rounds: object.optional("rounds", &whole_number(1, 1000), number(1, 1000)).unwrap_or(10),
        seconds: object.optional("seconds", "seconds, from 0.1 to 600", seconds(0.1, 600.0)).unwrap_or(5.0),
        warmup_seconds: object.optional("warmup_seconds", "seconds, from 0 to 60", seconds(0.0, 60.0)).unwrap_or(2.0),
        needs: object.optional("needs", "a sentence that names what has not landed", text),
        name: name?,
        kind: kind?,
        about: about?,
        level: level.unwrap_or(if kind == Some(Kind::Classify) { Level::Stage } else { Level::Processes }),
    };
    together(object, &scenario);
    Some(scenario)
}

/// What only keys together can get wrong.
fn together(object: &Object<'_>, s: &Scenario) {
    for mtu in &s.mtu {
        if let Some(size) = s.sizes.iter().find(|size| size.longest() > mtu + 14) {
            object.report("mtu", format!("at least the IP packet of every size; a frame of {size} bytes needs 8500"));
        }
    }
    let one = |values: &[u32], pick: fn(u32, u32) -> u32| values.iter().copied().reduce(pick).unwrap_or_default();
    let (least, most) = (one(&s.stored_sessions, u32::min), one(&s.local_sessions, u32::max));
    if !s.stored_sessions.is_empty() && least < most {
        object.report("stored_sessions", format!("at least local_sessions ({most}), which are among them"));
    }
    let enis = one(&s.enis, u32::min);
    if most > 3 * enis {
        object.report("local_sessions", format!("at most 3 for each of the {enis} ENIs"));
    }
    if matches!(s.kind, Kind::Mirror | Kind::Latency) && s.rules.contains(&0) {
        object.report("rules", "at least 1: without a session nothing is mirrored");
    }
    let acl = s.peers.contains(&Peer::LibrteAcl);
    if s.kind == Kind::Classify && (s.level != Level::Stage || s.peers.iter().any(|p| *p != Peer::LibrteAcl)) {
        object.report("kind", "for \"classify\" the level is \"stage\" and the only peer \"librte_acl\"");
    } else if s.kind != Kind::Classify && acl {
        object.report("peers", "\"librte_acl\" only where kind is \"classify\"");
    }
}
