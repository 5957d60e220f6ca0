//! Tags and resource groups.

use serde_json::{Value, json};

use super::{Kit, and, refuses};
use crate::control::api::Action::{
    CreateTrafficMirrorFilter as Create, ListTagResources as List, MoveResourceGroup as Move, TagResources as Tag,
    UnTagResources as Untag,
};
use crate::control::plane::codes;

const FILTER: (&str, &str) = ("ResourceType", "TRAFFICMIRRORFILTER");

fn tags(kit: &Kit, id: &str) -> Value {
    kit.listed_filter(id)["Tags"].clone()
}

#[test]
fn tags_are_set_changed_and_taken_away() {
    let kit = Kit::new().opened();
    let (one, two) = (kit.filter(), kit.filter());
    let both = [FILTER, ("ResourceId.1", &*one), ("ResourceId.2", &*two)];
    kit.ok(Tag, &and(&both, &[("Tag.1.Key", "k"), ("Tag.1.Value", "v"), ("Tag.2.Key", "l")]));
    let expected = json!([{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}]);
    assert_eq!((tags(&kit, &one), tags(&kit, &two)), (expected.clone(), expected));
    kit.ok(
        Tag,
        &[("ResourceType", "trafficMirrorFilter"), ("ResourceId.1", &one), ("Tag.1.Key", "k"), ("Tag.1.Value", "w")],
    );
    assert_eq!(tags(&kit, &one)[0]["Value"], "w");
    kit.ok(Untag, &[FILTER, ("ResourceId.1", &one), ("TagKey.1", "k"), ("TagKey.2", "absent")]);
    assert_eq!(tags(&kit, &one), json!([{"Key": "l", "Value": ""}]));
    kit.ok(Untag, &and(&both, &[("TagKey.1", "k"), ("All", "true")]));
    assert_eq!(tags(&kit, &two), json!([{"Key": "l", "Value": ""}]), "All counts only where no key is given");
    kit.ok(Untag, &and(&both, &[("All", "true")]));
    assert_eq!((tags(&kit, &one), tags(&kit, &two)), (json!([]), json!([])));
}

#[test]
fn what_cannot_be_tagged_is_refused_for_all() {
    let kit = Kit::new().opened();
    let id = kit.filter();
    let good = [FILTER, ("ResourceId.1", &*id), ("Tag.1.Key", "k")];
    let (key, long) = ("ü".repeat(128), "ü".repeat(129));
    kit.ok(Tag, &and(&good, &[("Tag.1.Key", &key), ("Tag.1.Value", &key)]));
    kit.ok(Untag, &[FILTER, ("ResourceId.1", &id), ("All", "true")]);
    let (bad, none) = ("InvalidParameter.Tag", codes::FILTER_NOT_FOUND.code);
    refuses(
        &kit,
        Tag,
        &good,
        &[
            (&[("ResourceType", "")], "MissingResourceType", "TrafficMirrorFilter or TrafficMirrorSession"),
            (
                &[("ResourceType", "VPC")],
                "InvalidParameter.ResourceType",
                "TrafficMirrorFilter or TrafficMirrorSession",
            ),
            (&[("ResourceType", "TrafficMirrorSession")], codes::SESSION_NOT_FOUND.code, &id),
            (&[("ResourceId.1", "")], "MissingResourceId", "ResourceId.1"),
            (&[("ResourceId.2", "tmf-none")], none, "tmf-none"),
            (&[("ResourceId.2", &id)], "InvalidParameter.ResourceId", "given once"),
            (&[("ResourceId.3", &id)], "InvalidParameter.ResourceId", "without gaps"),
            (&[("ResourceId.51", &id)], "InvalidParameter.ResourceId", "ResourceId.50"),
            (&[("Tag.1.Key", "")], "MissingTag", "Tag.1.Key"),
            (&[("Tag.1.Key", ""), ("Tag.1.Value", "v")], "MissingTag", "Tag.1.Key"),
            (&[("Tag.1.Key", "aliyunX")], bad, "Tag.1.Key"),
            (&[("Tag.1.Key", "ACS:x")], bad, "Tag.1.Key"),
            (&[("Tag.1.Key", "ahttp://x")], bad, "Tag.1.Key"),
            (&[("Tag.1.Key", &long)], bad, "1 to 128"),
            (&[("Tag.1.Value", &long)], bad, "at most 128"),
            (&[("Tag.1.Value", "https://x")], bad, "Tag.1.Value"),
            (&[("Tag.2.Key", "k")], bad, "given once"),
            (&[("Tag.21.Key", "x")], bad, "Tag.20"),
            (&[("Tag.1.Colour", "x")], bad, "Tag.1.Colour"),
        ],
    );
    refuses(
        &kit,
        Untag,
        &good[..2],
        &[
            (&[], "MissingTagKey", "unless All is true"),
            (&[("All", "false")], "MissingTagKey", "unless All is true"),
            (&[("All", "x")], "InvalidParameter.All", "true or false"),
            (&[("TagKey.1", "k"), ("ResourceId.2", "tmf-none")], none, "tmf-none"),
        ],
    );
}

#[test]
fn a_resource_has_twenty_tags_at_most() {
    let kit = Kit::new().opened();
    let names: Vec<(String, String)> = (1..=20).map(|n| (format!("Tag.{n}.Key"), format!("k{n:02}"))).collect();
    let names: Vec<_> = names.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let id = kit.ok(Create, &names)["TrafficMirrorFilterId"].as_str().unwrap().to_owned();
    let good = [FILTER, ("ResourceId.1", &*id), ("Tag.1.Key", "k01"), ("Tag.1.Value", "new")];
    kit.ok(Tag, &good);
    refuses(&kit, Tag, &good, &[(&[("Tag.2.Key", "k21")], "InvalidParameter.Tag", "at most 20 tags")]);
    assert_eq!(tags(&kit, &id).as_array().unwrap().len(), 20);
}

#[test]
fn tags_are_listed_line_by_line() {
    let kit = Kit::new().opened();
    let filters: Vec<String> = (0..3).map(|_| kit.filter()).collect();
    for (n, id) in filters.iter().enumerate() {
        let n = n.to_string();
        kit.ok(Tag, &[FILTER, ("ResourceId.1", id), ("Tag.1.Key", "k"), ("Tag.1.Value", &n), ("Tag.2.Key", "l")]);
    }
    let lines = |params: &[(&str, &str)]| {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let answer = kit.ok(List, &and(&and(&[FILTER], params), &[("NextToken", &token)]));
            all.extend(answer["TagResources"]["TagResource"].as_array().unwrap().clone());
            let Some(next) = answer["NextToken"].as_str() else { return all };
            next.clone_into(&mut token);
        }
    };
    let all = lines(&[]);
    assert_eq!(all.len(), 6);
    for size in ["1", "4", "5"] {
        assert_eq!(lines(&[("MaxResults", size)]), all, "pages of {size}");
    }
    let line = |key: &str, value: &str| {
        json!({
            "ResourceId": filters[1], "ResourceType": "TRAFFICMIRRORFILTER", "TagKey": key, "TagValue": value,
        })
    };
    assert_eq!(lines(&[("ResourceId.1", &filters[1])]), [line("k", "1"), line("l", "")]);
    assert_eq!(lines(&[("Tag.1.Key", "k"), ("Tag.1.Value", "1")]), [line("k", "1"), line("l", "")]);
    assert_eq!(lines(&[("ResourceId.1", "tmf-none")]).len(), 0);
    assert_eq!(kit.no(List, &[]).code, "MissingResourceType");
}

#[test]
fn a_resource_moves_to_another_group() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let good = [("ResourceType", "TrafficMirrorSession"), ("ResourceId", &*session), ("NewResourceGroupId", "rg-2")];
    kit.ok(Move, &good);
    kit.ok(Move, &good);
    assert_eq!(kit.listed_session(&session)["ResourceGroupId"], "rg-2");
    refuses(
        &kit,
        Move,
        &good,
        &[
            (&[("ResourceType", "")], "MissingResourceType", "TrafficMirrorFilter"),
            (&[("ResourceType", "TRAFFICMIRRORFILTER")], codes::FILTER_NOT_FOUND.code, &session),
            (&[("ResourceId", "")], "MissingResourceId", "the id of a filter or session"),
            (&[("ResourceId", "tms-none")], codes::SESSION_NOT_FOUND.code, "tms-none"),
            (&[("NewResourceGroupId", "")], "MissingNewResourceGroupId", "a resource group"),
            (&[("NewResourceGroupId", "rg 2")], "InvalidParameter.NewResourceGroupId", "letters"),
        ],
    );
}
