//! Regions and what they can: data, in `conf/regions.json` or the file that `files.regions` names.

use std::collections::HashMap;

use serde_json::Value;

use super::model::Region;
use super::raw::{Object, Sink, boolean, text};

/// The list that goes with this program.
pub(super) const BUILT_IN: &str = include_str!("../../conf/regions.json");

/// What a region can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Copies may be longer than 1,500 bytes of IP.
    jumbo_mirroring: bool,
    /// Gateway Load Balancer endpoints may be targets.
    gwlb: bool,
}

/// Regions by id.
pub type Regions = HashMap<String, Abilities>;

/// Reads a list of regions.
pub(super) fn read(sink: &Sink, tree: &Value) -> Regions {
    let mut regions = Regions::new();
    let Some(root) = Object::new(sink, "", tree, &["Regions"], &[]) else {
        return regions;
    };
    for (path, value) in root.list("Regions") {
        let known = ["RegionId", "JumboMirroring", "Gwlb"];
        let Some(object) = Object::new(sink, &path, value, &known, &["RegionName"]) else { continue };
        let id = object.required("RegionId", "a region's id", text);
        let jumbo_mirroring = object.required("JumboMirroring", "true or false", boolean);
        let gwlb = object.required("Gwlb", "true or false", boolean);
        let (Some(id), Some(jumbo_mirroring), Some(gwlb)) = (id, jumbo_mirroring, gwlb) else { continue };
        if regions.insert(id, Abilities { jumbo_mirroring, gwlb }).is_some() {
            object.report("RegionId", "another region of the list has this id");
        }
    }
    regions
}

/// The region with this id; `jumbo` is what the inventory itself says, which wins.
pub(super) fn region(regions: &Regions, id: String, jumbo: Option<bool>) -> Region {
    let found = regions.get(&id).copied();
    Region {
        jumbo_mirroring: jumbo.unwrap_or(found.is_some_and(|r| r.jumbo_mirroring)),
        gwlb: found.is_some_and(|r| r.gwlb),
        listed: found.is_some(),
        id,
    }
}

/// What a region can, as one sentence.
#[must_use]
pub fn describe(region: &Region) -> String {
    let Region { id, .. } = region;
    let listed = if region.listed { "" } else { " is not in the list of regions (files.regions)" };
    let jumbo = if region.jumbo_mirroring { "jumbo mirroring" } else { "no jumbo mirroring" };
    let gwlb = if region.gwlb { "targets may be" } else { "targets may not be" };
    format!("region {id}{listed}: {jumbo}, {gwlb} Gateway Load Balancer endpoints")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::control::tests::{load, shipped};
    use serde_json::json;

    /// The seed's regions with jumbo mirroring and Gateway Load Balancer endpoints: Hangzhou, Shanghai, Qingdao,
    /// Beijing, Hohhot, Shenzhen, Singapore, Silicon Valley, Virginia.
    const BOTH: [&str; 9] = [
        "cn-hangzhou",
        "cn-shanghai",
        "cn-qingdao",
        "cn-beijing",
        "cn-huhehaote",
        "cn-shenzhen",
        "ap-southeast-1",
        "us-west-1",
        "us-east-1",
    ];

    fn built_in() -> Regions {
        let sink = Sink::new("regions.json");
        let regions = read(&sink, &serde_json::from_str(BUILT_IN).unwrap());
        assert!(sink.is_clean());
        regions
    }

    #[test]
    fn the_seed_s_regions_are_all_there_and_nine_can_both() {
        let regions = built_in();
        // 26 public, 3 of Finance Cloud, 1 of Gov Cloud; and ours.
        assert_eq!(regions.len(), 30 + 1);
        for (id, abilities) in &regions {
            let able = BOTH.contains(&id.as_str()) || id == "local";
            assert_eq!(*abilities, Abilities { jumbo_mirroring: able, gwlb: able }, "{id}");
        }
        assert!(BOTH.iter().all(|id| regions.contains_key(*id)));
    }

    #[test]
    fn the_inventory_s_own_word_wins_and_an_unknown_region_can_nothing() {
        let regions = built_in();
        let cases = [
            ("cn-beijing", None, true, true, true),
            ("cn-beijing", Some(false), false, true, true),
            ("cn-chengdu", None, false, false, true),
            ("cn-chengdu", Some(true), true, false, true),
            ("mars", None, false, false, false),
            ("mars", Some(true), true, false, false),
        ];
        for (id, inventory, jumbo_mirroring, gwlb, listed) in cases {
            let expected = Region { id: id.to_owned(), jumbo_mirroring, gwlb, listed };
            assert_eq!(region(&regions, id.to_owned(), inventory), expected);
        }
        assert_eq!(
            describe(&region(&regions, "mars".to_owned(), None)),
            "region mars is not in the list of regions (files.regions): no jumbo mirroring, \
             targets may not be Gateway Load Balancer endpoints"
        );
        assert_eq!(
            describe(&region(&regions, "local".to_owned(), None)),
            "region local: jumbo mirroring, targets may be Gateway Load Balancer endpoints"
        );
    }

    #[test]
    fn region_id_of_the_inventory_chooses() {
        let (mut inventory, mirror) = shipped();
        inventory["JumboMirroring"] = json!(null);
        let model = load(&inventory, &mirror).unwrap();
        assert_eq!((model.region.jumbo_mirroring, model.region.gwlb, model.region.listed), (true, true, true));
        inventory["JumboMirroring"] = json!(false);
        assert!(!load(&inventory, &mirror).unwrap().region.jumbo_mirroring);
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let good = json!({"RegionId": "a", "JumboMirroring": true, "Gwlb": false});
        let complaints = |list: Value| {
            let sink = Sink::new("r.json");
            read(&sink, &json!({ "Regions": list }));
            sink.into_problems().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(complaints(json!([good])), Vec::<String>::new());
        let with = |key: &str, value: Value| {
            let mut region = good.clone();
            region[key] = value;
            complaints(json!([region]))
        };
        assert_eq!(with("RegionId", json!(7)), ["r.json: Regions[0].RegionId = 7: a region's id"]);
        assert_eq!(with("Gwlb", json!("perhaps")), ["r.json: Regions[0].Gwlb = \"perhaps\": true or false"]);
        assert_eq!(with("JumboMirroring", json!(null)), ["r.json: Regions[0].JumboMirroring: missing; true or false"]);
        assert_eq!(
            with("Jumbo", json!(true)),
            ["r.json: Regions[0].Jumbo = true: unknown key; the nearest known one is Gwlb"]
        );
        assert_eq!(
            complaints(json!([good, good])),
            ["r.json: Regions[1].RegionId = \"a\": another region of the list has this id"]
        );
        assert_eq!(complaints(json!({})), ["r.json: Regions = {}: a list is expected here"]);
    }
}
