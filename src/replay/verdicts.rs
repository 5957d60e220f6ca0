//! What became of a packet, as one JSON object.

use serde_json::{Value, json};

use crate::datapath::Verdict;
use crate::mirror::cut::CutCause;
use crate::mirror::session::MirrorSource;
use crate::mirror::snapshot::Snapshot;
use crate::packet::Direction;

/// One line of `verdicts.jsonl`.
pub(super) fn line(index: u64, direction: Direction, snapshot: &Snapshot, verdicts: &[(usize, Verdict)]) -> Value {
    // Null until the datapath says what it was.
    let mut service = Value::Null;
    let mut mirror = Vec::new();
    for (_, verdict) in verdicts {
        match verdict {
            Verdict::Dropped(reason) => service = json!({ "dropped": reason.label() }),
            Verdict::Consumed(reason) => service = json!({ "consumed": reason.label() }),
            Verdict::Crossed => service = json!("crossed"),
            Verdict::Delivered => service = json!("delivered"),
            other => mirror.extend(judgement(snapshot, verdicts, other)),
        }
    }
    json!({ "index": index, "direction": direction.label(), "service": service, "mirror": mirror })
}

/// What the mirror stage judged about a packet, for one of its ends; nothing for other verdicts.
pub(super) fn judgement(snapshot: &Snapshot, all: &[(usize, Verdict)], verdict: &Verdict) -> Option<Value> {
    let named = |d: Direction, text: &str| json!({ "direction": d.label(), "verdict": text });
    Some(match verdict {
        Verdict::Excluded(d, reason) => {
            let mut v = named(*d, "excluded");
            v["reason"] = json!(reason.label());
            v
        }
        Verdict::Unmatched(d) => named(*d, "unmatched"),
        Verdict::Refused { source, direction, rule } => {
            let mut v = named(*direction, "refused");
            let mirror = snapshot.eni(*source).and_then(|e| e.mirror.as_deref());
            v["rule"] = json!(mirror.and_then(|m| rule_id(m, *direction, *rule)));
            v
        }
        Verdict::Matched { source, direction, row, rule, kept } => {
            let skip = all.iter().find_map(|(_, v)| match v {
                Verdict::Skipped(other, reason) if other == direction => Some(reason.label()),
                _ => None,
            });
            let mut v = named(*direction, if skip.is_some() { "skipped" } else { "mirrored" });
            if let Some(mirror) = snapshot.eni(*source).and_then(|e| e.mirror.as_deref()) {
                v["rule"] = json!(rule_id(mirror, *direction, *rule));
                if let Some(row) = mirror.rows.get(usize::from(*row)) {
                    v["session"] = json!(&*row.session);
                    v["vni"] = json!(row.vni);
                    let target = snapshot.eni_of(row.target, row.target_generation);
                    v["target"] = json!(target.map(|t| &*t.id));
                }
            }
            v["kept"] = json!(kept.bytes);
            v["cut"] = json!(kept.cut.map(CutCause::label));
            v["reason"] = json!(skip);
            v
        }
        _ => return None,
    })
}

fn rule_id(source: &MirrorSource, direction: Direction, rule: u16) -> Option<&str> {
    source.tables[direction.index()].rules.get(usize::from(rule)).map(|id| &**id)
}
