//! Lists: every condition, pages, and their tokens.

use serde_json::Value;

use super::{Kit, and, refuses, wanted};
use crate::control::api::Action::{
    self, CreateTrafficMirrorFilter as CreateFilter, CreateTrafficMirrorSession as CreateSession,
    DeleteTrafficMirrorFilter as DeleteFilter, ListTagResources, ListTrafficMirrorFilters as Filters,
    ListTrafficMirrorSessions as Sessions,
};

/// Parameters, and the ids that they leave.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [String]);

fn ids(answer: &Value) -> Vec<String> {
    let (list, id) = if answer["TrafficMirrorFilters"].is_array() {
        ("TrafficMirrorFilters", "TrafficMirrorFilterId")
    } else {
        ("TrafficMirrorSessions", "TrafficMirrorSessionId")
    };
    answer[list].as_array().unwrap().iter().map(|o| o[id].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list.
fn walk(kit: &Kit, action: Action, params: &[(&str, &str)], mut between: impl FnMut()) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let answer = kit.ok(action, &and(params, &[("NextToken", &token)]));
        pages.push(ids(&answer));
        let Some(next) = answer["NextToken"].as_str() else { return pages };
        next.clone_into(&mut token);
        between();
    }
}

#[test]
fn pages_hold_every_object_once_whatever_comes_and_goes_meanwhile() {
    let kit = Kit::new().opened();
    let mut all: Vec<String> = (0..25).map(|_| kit.filter()).collect();
    all.sort();
    let answer = kit.ok(Filters, &[]);
    assert_eq!(
        (&answer["TotalCount"], &answer["Count"], &answer["MaxResults"]),
        (&"25".into(), &10.into(), &10.into())
    );
    for size in ["1", "4", "5", "24", "25", "100"] {
        let pages = walk(&kit, Filters, &[("MaxResults", size)], || ());
        assert_eq!(pages.concat(), all, "pages of {size}");
        let most = size.parse::<usize>().unwrap();
        assert_eq!(pages.len(), all.len().div_ceil(most), "no empty page behind the last of {size}");
    }
    let mut gone = all.clone();
    let pages = walk(&kit, Filters, &[("MaxResults", "5")], || {
        let id = gone.remove(0);
        kit.ok(DeleteFilter, &[("TrafficMirrorFilterId", &id)]);
    });
    assert_eq!(pages.concat(), all, "what was shown may go without moving the rest");
}

#[test]
fn sessions_come_in_pages_too() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let mut all: Vec<String> =
        (0..12).map(|n| kit.session(&filter, &format!("eni-{}", n % 5), "eni-9", &(n + 1).to_string())).collect();
    all.sort();
    assert_eq!(walk(&kit, Sessions, &[], || ()).iter().map(Vec::len).collect::<Vec<_>>(), [10, 2]);
    assert_eq!(walk(&kit, Sessions, &[("MaxResults", "5")], || ()).concat(), all);
    let answer = kit.ok(Sessions, &[("MaxResults", "100")]);
    assert!(answer.get("NextToken").is_none() && answer.get("Count").is_none(), "{answer}");
    assert_eq!(answer["TotalCount"], "12");
}

#[test]
fn a_list_that_is_asked_for_badly_is_refused() {
    let kit = Kit::new().opened();
    for action in [Filters, Sessions, ListTagResources] {
        let kind = [("ResourceType", "TrafficMirrorFilter")];
        let over = if action == ListTagResources { "51" } else { "101" };
        let max = "InvalidParameter.MaxResults";
        refuses(
            &kit,
            action,
            &kind,
            &[
                (&[("MaxResults", "0")], max, "from 1 to"),
                (&[("MaxResults", over)], max, "from 1 to"),
                (&[("MaxResults", "ten")], max, "from 1 to"),
                (&[("NextToken", "!")], "InvalidParameter.NextToken", "the last answer"),
                (&[("NextToken", "_w")], "InvalidParameter.NextToken", "the last answer"),
            ],
        );
    }
    let names: Vec<String> = (1..=101).map(|n| format!("TrafficMirrorSessionIds.{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "tms-x")).collect();
    assert_eq!(ids(&kit.ok(Sessions, &many[..100])).len(), 0);
    refuses(&kit, Sessions, &many, &[(&[], "InvalidParameter.TrafficMirrorSessionIds", "TrafficMirrorSessionIds.100")]);
    refuses(
        &kit,
        Sessions,
        &[],
        &[
            (&[("Priority", "0")], "InvalidParameter.Priority", "32766"),
            (&[("VirtualNetworkId", "16777216")], "InvalidParameter.VirtualNetworkId", "16777215"),
            (&[("Enabled", "maybe")], "InvalidParameter.Enabled", "true or false"),
            (&[("Tags.1.Value", "v")], "MissingTags", "Tags.1.Key"),
            (&[("Tags.21.Key", "v")], "InvalidParameter.Tags", "Tags.20"),
            (&[("TrafficMirrorSessionIds.2", "tms-1")], "InvalidParameter.TrafficMirrorSessionIds", "without gaps"),
        ],
    );
}

#[test]
fn every_condition_narrows_the_list_of_filters() {
    let kit = Kit::new().opened();
    let create =
        |params: &[(&str, &str)]| kit.ok(CreateFilter, params)["TrafficMirrorFilterId"].as_str().unwrap().to_owned();
    let plain = create(&[]);
    let full = create(&[
        ("TrafficMirrorFilterName", "n"),
        ("ResourceGroupId", "rg-1"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
        ("Tag.2.Key", "l"),
    ]);
    let mut both = vec![plain.clone(), full.clone()];
    both.sort();
    let cases: [Case<'_>; 12] = [
        (&[], &both),
        (&[("TrafficMirrorFilterIds.1", &full)], std::slice::from_ref(&full)),
        (&[("TrafficMirrorFilterIds.1", &full), ("TrafficMirrorFilterIds.2", &plain)], &both),
        (&[("TrafficMirrorFilterIds.1", &full), ("TrafficMirrorFilterIds.2", &full)], std::slice::from_ref(&full)),
        (&[("TrafficMirrorFilterIds.1", "tmf-none")], &[]),
        (&[("TrafficMirrorFilterName", "n")], std::slice::from_ref(&full)),
        (&[("TrafficMirrorFilterName", "N")], &[]),
        (&[("ResourceGroupId", "rg-default")], std::slice::from_ref(&plain)),
        (&[("Tags.1.Key", "k")], std::slice::from_ref(&full)),
        (&[("Tags.1.Key", "k"), ("Tags.1.Value", "v"), ("Tags.2.Key", "l")], std::slice::from_ref(&full)),
        (&[("Tags.1.Key", "k"), ("Tags.1.Value", "w")], &[]),
        (&[("Tags.1.Key", "k"), ("Tags.2.Key", "m")], &[]),
    ];
    for (params, expected) in cases {
        assert_eq!(ids(&kit.ok(Filters, params)), expected, "{params:?}");
    }
}

#[test]
fn every_condition_narrows_the_list_of_sessions() {
    let kit = Kit::new().opened();
    let (filter, other) = (kit.filter(), kit.filter());
    let create =
        |params: &[(&str, &str)]| kit.ok(CreateSession, params)["TrafficMirrorSessionId"].as_str().unwrap().to_owned();
    let one = create(&and(
        &wanted(&filter, "eni-0", "eni-1", "1"),
        &[
            ("TrafficMirrorSourceIds.2", "eni-2"),
            ("VirtualNetworkId", "0"),
            ("TrafficMirrorSessionName", "one"),
            ("ResourceGroupId", "rg-1"),
            ("Tag.1.Key", "k"),
        ],
    ));
    let two = create(&and(
        &wanted(&other, "eni-3", "lb-1", "2"),
        &[("VirtualNetworkId", "9"), ("Enabled", "false"), ("TrafficMirrorTargetType", "SLB")],
    ));
    let mut both = vec![one.clone(), two.clone()];
    both.sort();
    assert_eq!(ids(&kit.ok(Sessions, &[])), both, "Enabled left out is no condition");
    let narrows: [(&str, &str, &str); 11] = [
        ("TrafficMirrorSessionIds.1", &one, &two),
        ("TrafficMirrorSessionName", "one", ""),
        ("TrafficMirrorFilterId", &filter, &other),
        ("TrafficMirrorSourceId", "eni-0", "eni-3"),
        ("TrafficMirrorSourceId", "eni-2", "eni-3"),
        ("TrafficMirrorTargetId", "eni-1", "lb-1"),
        ("Priority", "1", "2"),
        ("VirtualNetworkId", "0", "9"),
        ("Enabled", "True", "false"),
        ("ResourceGroupId", "rg-1", "rg-default"),
        ("Tags.1.Key", "k", ""),
    ];
    for (name, of_one, of_two) in narrows {
        assert_eq!(ids(&kit.ok(Sessions, &[(name, of_one)])), [&*one], "{name}");
        if !of_two.is_empty() {
            assert_eq!(ids(&kit.ok(Sessions, &[(name, of_two)])), [&*two], "{name}");
        }
    }
    assert!(ids(&kit.ok(Sessions, &[("Priority", "1"), ("VirtualNetworkId", "9")])).is_empty(), "all must hold");
    let twice = [("TrafficMirrorSessionIds.1", &*one), ("TrafficMirrorSessionIds.2", &*one)];
    assert_eq!(ids(&kit.ok(Sessions, &twice)), [&*one]);
}
