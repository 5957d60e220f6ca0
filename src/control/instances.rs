//! Instances of the inventory: what the ENIs of one share, which is bandwidth.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::id::ALLOWED as ID;
use super::inventory::{Inventory, id, unique};
use super::quotas::{BANDWIDTH, BANDWIDTH_BURST};
use super::raw::{Object, integer};
use crate::mirror::bandwidth::Bandwidth;

/// The fields of a limit, of an instance or of an ENI that belongs to none.
pub(super) const LIMIT_KEYS: [&str; 2] = ["BandwidthBps", "BurstBytes"];

/// Limits by instance; an instance without one may have any bandwidth.
pub(super) fn instances(inventory: &Inventory<'_>) -> HashMap<Arc<str>, Bandwidth> {
    let (mut limits, mut ids) = (HashMap::new(), HashSet::new());
    let named = inventory.enis.items.iter().filter_map(|(_, eni)| eni.get("InstanceId")?.as_str());
    let named: HashSet<&str> = named.collect();
    // What is no list hides who belongs to whom, and is complained about where it is read.
    let known = inventory.enis.readable && !inventory.one_by_one;
    for (path, value) in &inventory.instances.items {
        let keys = ["InstanceId", LIMIT_KEYS[0], LIMIT_KEYS[1]];
        let Some(object) = Object::new(inventory.root.sink(), path, value, &keys, &["InstanceName", "Description"])
        else {
            continue;
        };
        let id = object.required("InstanceId", ID, id);
        unique(&object, "InstanceId", id.as_ref(), &mut ids, "another instance has this id");
        if known && id.as_deref().is_some_and(|id| !named.contains(id)) {
            object.report("InstanceId", "no ENI of NetworkInterfaces belongs to this instance");
        }
        if let (Some(id), Some(limit)) = (id, limit(&object)) {
            limits.insert(id, limit);
        }
    }
    limits
}

/// The limit that an object gives.
pub(super) fn limit(object: &Object<'_>) -> Option<Bandwidth> {
    let number = |key: &str, unit: &str, allowed: &std::ops::RangeInclusive<i64>| {
        let (least, most) = (*allowed.start(), *allowed.end());
        let sentence = format!("{unit}, a whole number from {least} to {most}");
        object.optional(key, &sentence, |v| integer(v, least, most).map(i64::unsigned_abs))
    };
    let bps = number("BandwidthBps", "bits a second", &BANDWIDTH);
    let burst = number("BurstBytes", "bytes", &BANDWIDTH_BURST);
    if object.raw("BandwidthBps").is_none() && object.raw("BurstBytes").is_some() {
        object.report("BurstBytes", "is the depth of a limit, and there is none: BandwidthBps is missing");
    }
    Some(Bandwidth::new(bps?, burst))
}

/// The limit of an ENI: its instance's, or its own when it belongs to none.
pub(super) fn limit_of_eni(
    object: &Object<'_>,
    instance: Option<&Arc<str>>,
    instances: &HashMap<Arc<str>, Bandwidth>,
) -> Option<Bandwidth> {
    let own = limit(object);
    for key in LIMIT_KEYS {
        if object.raw(key).is_some() && object.raw("InstanceId").is_some() {
            object.report(key, "the ENI belongs to an instance, whose ENIs share one limit: give it in Instances");
        }
    }
    instance.map_or(own, |id| instances.get(id).copied())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use crate::control::tests::{complaints, load, shipped};
    use crate::mirror::bandwidth::{Bandwidth, MAX_BPS};

    #[test]
    fn limits_are_an_instance_s_or_an_eni_s_or_there_is_none() {
        let (mut i, m) = shipped();
        assert!(load(&i, &m).unwrap().enis.iter().all(|e| e.bandwidth.is_none()));
        i["NetworkInterfaces"][1]["InstanceId"] = json!("i-a");
        i["NetworkInterfaces"][2].as_object_mut().unwrap().remove("InstanceId");
        i["NetworkInterfaces"][2]["BandwidthBps"] = json!(MAX_BPS);
        i["Instances"] = json!([{"InstanceId": "i-a", "BandwidthBps": "1000000000", "BurstBytes": 100_000}]);
        let of = |i: &serde_json::Value| load(i, &m).unwrap().enis.iter().map(|e| e.bandwidth).collect::<Vec<_>>();
        let shared = Some(Bandwidth { bps: 1_000_000_000, burst: 100_000 });
        assert_eq!(of(&i), [shared, shared, Some(Bandwidth { bps: MAX_BPS, burst: 250_000_000 })]);
        i["Instances"] = json!([{"InstanceId": "i-a"}]);
        assert_eq!(of(&i)[..2], [None, None], "a known instance without a limit");
    }

    #[test]
    fn every_mistake_is_found() {
        let lines = complaints(|i, _| {
            i["Instances"] = json!([
                {"InstanceId": "i-a", "BandwidthBps": 999, "BurstBytes": 17_027},
                {"InstanceId": "i-a", "BandwidthBps": 400_000_000_001u64, "BurstBytes": 268_435_457},
                {"InstanceId": "i-nobody", "BandwidthBps": "1 Gb/s"},
                {"BandwithBps": 1000},
                {"InstanceId": "i-b", "BurstBytes": 20_000},
                7,
            ]);
            i["NetworkInterfaces"][0]["BandwidthBps"] = json!(1000);
            i["NetworkInterfaces"][1]["BurstBytes"] = json!(0);
        });
        let bps = "bits a second, a whole number from 1000 to 400000000000";
        let burst = "bytes, a whole number from 17028 to 268435456";
        let alone = "is the depth of a limit, and there is none: BandwidthBps is missing";
        let shared = "the ENI belongs to an instance, whose ENIs share one limit: give it in Instances";
        assert_eq!(
            lines,
            [
                format!("i.json: Instances[0].BandwidthBps = 999: {bps}"),
                format!("i.json: Instances[0].BurstBytes = 17027: {burst}"),
                "i.json: Instances[1].InstanceId = \"i-a\": another instance has this id".to_owned(),
                format!("i.json: Instances[1].BandwidthBps = 400000000001: {bps}"),
                format!("i.json: Instances[1].BurstBytes = 268435457: {burst}"),
                "i.json: Instances[2].InstanceId = \"i-nobody\": no ENI of NetworkInterfaces belongs to this instance"
                    .to_owned(),
                format!("i.json: Instances[2].BandwidthBps = \"1 Gb/s\": {bps}"),
                "i.json: Instances[3].BandwithBps = 1000: unknown key; the nearest known one is BandwidthBps"
                    .to_owned(),
                format!("i.json: Instances[3].InstanceId: missing; {}", super::ID),
                format!("i.json: Instances[4].BurstBytes = 20000: {alone}"),
                "i.json: Instances[5] = 7: an object is expected here".to_owned(),
                format!("i.json: NetworkInterfaces[0].BandwidthBps = 1000: {shared}"),
                format!("i.json: NetworkInterfaces[1].BurstBytes = 0: {burst}"),
                format!("i.json: NetworkInterfaces[1].BurstBytes = 0: {alone}"),
                format!("i.json: NetworkInterfaces[1].BurstBytes = 0: {shared}"),
            ]
        );
    }

    #[test]
    fn unreadable_enis_are_not_held_against_instances() {
        let lines = complaints(|i, _| {
            i["Instances"] = json!([{"InstanceId": "i-a", "BandwidthBps": 1000}]);
            i["NetworkInterfaces"] = json!("nonsense");
        });
        assert!(lines.iter().all(|line| !line.contains("Instances")), "{lines:#?}");
        let lines = complaints(|i, _| {
            i["Instances"] = json!([{"InstanceId": "i-a", "BandwidthBps": 1000}]);
            i["NetworkInterfaces"][0]["MacAddress"] = json!("x");
        });
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
}
