//! What became of a packet, as one JSON object.

use serde_json::{Value, json};

use crate::datapath::Verdict;
use crate::mirror::session::MirrorSource;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::Direction;

/// One line of `verdicts.jsonl`.
pub(super) fn line(
    index: u64,
    direction: Direction,
    eni: &Eni,
    snapshot: &Snapshot,
    verdicts: &[(usize, Verdict)],
) -> Value {
    let mut service = json!("delivered");
    let mut mirror = Vec::new();
    for (_, verdict) in verdicts {
        match verdict {
            Verdict::Dropped(reason) => service = json!({ "dropped": reason.label() }),
            Verdict::Consumed(reason) => service = json!({ "consumed": reason.label() }),
            Verdict::Crossed => service = json!("crossed"),
            Verdict::Delivered => {}
            other => mirror.extend(judgement(direction, eni, snapshot, verdicts, other)),
        }
    }
    json!({ "index": index, "direction": direction.label(), "service": service, "mirror": mirror })
}

/// The sources that judged: the replayed ENI in its own direction; in the other one, the packet's other end.
pub(super) fn judgement(
    direction: Direction,
    eni: &Eni,
    snapshot: &Snapshot,
    all: &[(usize, Verdict)],
    verdict: &Verdict,
) -> Option<Value> {
    let named = |d: Direction, text: Value| json!({ "direction": d.label(), "verdict": text });
    Some(match verdict {
        Verdict::Excluded(d, reason) => {
            let mut v = named(*d, json!("excluded"));
            v["reason"] = json!(reason.label());
            v
        }
        Verdict::Unmatched(d) => named(*d, json!("unmatched")),
        Verdict::Refused(d, rule) => {
            let mut v = named(*d, json!("refused"));
            if let Some(source) = source(snapshot, eni, direction, *d) {
                v["rule"] = json!(source.tables[d.index()].rules.get(usize::from(*rule)).map(|r| &**r));
            }
            v
        }
        Verdict::Matched { direction: d, row, rule, kept, cut } => {
            let skip = all.iter().find_map(|(_, v)| match v {
                Verdict::Skipped(other, reason) if other == d => Some(reason.label()),
                _ => None,
            });
            let mut v = named(*d, json!(if skip.is_some() { "skipped" } else { "mirrored" }));
            if let Some(source) = source(snapshot, eni, direction, *d) {
                v["rule"] = json!(source.tables[d.index()].rules.get(usize::from(*rule)).map(|r| &**r));
                if let Some(row) = source.rows.get(usize::from(*row)) {
                    v["session"] = json!(&*row.session);
                    v["vni"] = json!(row.vni);
                    let target = snapshot.eni_of(row.target, row.target_generation);
                    v["target"] = json!(target.map(|t| &*t.id));
                }
            }
            v["kept"] = json!(kept);
            v["cut"] = json!(cut.map(crate::mirror::cut::CutCause::label));
            v["reason"] = json!(skip);
            v
        }
        _ => return None,
    })
}

/// The mirror source behind a judgement. A packet of a replay has two ends; the one that is not the replayed ENI is
/// known only when it alone has sessions.
fn source<'a>(snapshot: &'a Snapshot, eni: &'a Eni, passed: Direction, judged: Direction) -> Option<&'a MirrorSource> {
    if passed == judged {
        return eni.mirror.as_deref();
    }
    let mut others = snapshot.enis.iter().flatten().filter(|e| e.slot != eni.slot && e.mirror.is_some());
    let other = others.next()?;
    if others.next().is_some() { None } else { other.mirror.as_deref() }
}
