//! Documents there and back, what differs between two, and what is wrong with one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::control::config::Config;
use crate::control::load_regions;
use crate::control::model::Model;
use crate::control::store::{Kind, Record, Write};

pub(in crate::control) fn document(tree: &Value) -> Document {
    Document::from_json("d.json", tree).unwrap()
}

pub(in crate::control) fn read(tree: &Value, config: &Config) -> Result<Model, Vec<String>> {
    let regions = load_regions(config).unwrap();
    document(tree).read(config, &regions).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn shipped() -> Value {
    let mut tree = crate::control::tests::shipped().0;
    tree["Accounts"] =
        json!([{ "AccountId": "1001", "AccessKeys": [{ "AccessKeyId": "AK1", "AccessKeySecret": "s" }] }]);
    tree["Instances"] = json!([]);
    tree
}

#[test]
fn a_file_is_read_as_it_was_and_written_back() {
    let tree = shipped();
    let document = document(&tree);
    assert_eq!(document.to_json(), tree);
    assert_eq!(Document::from_text("d.json", &tree.to_string()).unwrap(), document);
    let from_file = crate::control::tests::load(&tree, &json!({})).unwrap();
    assert_eq!(read(&tree, &Config::default()).unwrap(), from_file);
}

#[test]
fn records_hold_a_document_and_nothing_else_matters() {
    let document = document(&shipped());
    let mut records = document.records();
    assert_eq!(records.len(), 1 + 1 + 1 + 1 + 3);
    let session = Record { kind: Kind::Session, key: "tms-a".to_owned(), value: b"no JSON".to_vec() };
    records.push(session);
    assert_eq!(Document::from_records(&records).unwrap(), document);
    for (value, why) in
        [(&b"[]"[..], "the store's vpc vpc-a is no JSON object"), (b"{", "the store's vpc vpc-a is not JSON: ")]
    {
        let bad = Record { kind: Kind::Vpc, key: "vpc-a".to_owned(), value: value.to_vec() };
        assert!(Document::from_records([&bad]).unwrap_err().starts_with(why));
    }
}

#[test]
fn objects_say_the_id_by_which_they_are_known() {
    let mut document = document(&shipped());
    document.put(ObjectKind::Vpc, "vpc-x", json!({ "VpcId": "vpc-y", "CidrBlock": "10.9.0.0/16" }));
    let problems = document.read(&Config::default(), &load_regions(&Config::default()).unwrap()).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["inventory: Vpcs[vpc-x].VpcId = \"vpc-y\": the object is known as vpc-x: both must agree"]);
}

#[test]
fn an_instance_may_come_before_its_enis() {
    let mut tree = shipped();
    tree["Instances"] = json!([{ "InstanceId": "i-new", "BandwidthBps": 1000 }]);
    read(&tree, &Config::default()).unwrap();
    assert!(crate::control::tests::load(&tree, &json!({})).is_err(), "in a file it is a mistake");
}

#[test]
fn a_region_s_enis_are_read_and_one_too_many_is_not() {
    let eni = |n: usize| {
        json!({
            "NetworkInterfaceId": format!("eni-{n}"), "VSwitchId": "vsw-demo", "HostId": "elsewhere",
            "MacAddress": format!("02:00:00:{:02x}:{:02x}:{:02x}", n >> 16, n >> 8 & 255, n & 255),
            "PrivateIpAddress": std::net::Ipv4Addr::from_bits(0x0a00_0001 + u32::try_from(n).unwrap()).to_string(),
        })
    };
    let mut tree = shipped();
    tree["Vpcs"][0]["CidrBlock"] = json!("10.0.0.0/8");
    tree["VSwitches"][0]["CidrBlock"] = json!("10.0.0.0/8");
    tree["VSwitches"][0]["GatewayIp"] = json!("10.255.255.253");
    tree["NetworkInterfaces"] = (0..10_000).map(eni).collect();
    let model = read(&tree, &Config::default()).unwrap();
    assert_eq!((model.enis.len(), model.remote.len()), (0, 10_000));
    for eni in tree["NetworkInterfaces"].as_array_mut().unwrap().iter_mut().take(1025) {
        eni.as_object_mut().unwrap().remove("HostId");
    }
    let lines = read(&tree, &Config::default()).unwrap_err();
    assert_eq!(lines, ["inventory: NetworkInterfaces: 1025 ENIs; at most 1024 fit a process"]);
}

/// Small documents, so that two of them have much in common.
fn documents() -> impl Strategy<Value = Document> {
    let object = (0..5_usize, 0..3_u8, 0..3_u8);
    let objects = proptest::collection::vec(object, 0..12);
    (objects, proptest::option::of(0..2_u8)).prop_map(|(objects, region)| {
        let mut document = Document::default();
        if let Some(region) = region {
            document.region = Arc::new(Map::from_iter([("RegionId".to_owned(), json!(region))]));
        }
        for (kind, id, value) in objects {
            document.put(ObjectKind::ALL[kind], &format!("x{id}"), json!({ "V": value }));
        }
        document
    })
}

/// All records of a document by kind and key: the slow twin compares these.
fn flat(document: &Document) -> BTreeSet<(Kind, String, Vec<u8>)> {
    document.records().into_iter().map(|r| (r.kind, r.key, r.value)).collect()
}

/// Subnets of two VPCs that both are 10.0.0.0/16: VPC, first address and prefix.
fn subnets() -> impl Strategy<Value = Vec<(u8, ipnet::Ipv4Net)>> {
    let network = (0..8_u32, 24..=29_u8).prop_map(|(n, prefix)| {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n * 64);
        ipnet::Ipv4Net::new(address, prefix).unwrap().trunc()
    });
    proptest::collection::vec((0..2_u8, network), 0..5)
}

proptest! {
    #[test]
    fn subnets_that_overlap_are_found(subnets in subnets()) {
        let mut tree = json!({ "RegionId": "local", "Vpcs": [], "VSwitches": [] });
        for vpc in 0..2 {
            let vpc = json!({ "VpcId": format!("vpc-{vpc}"), "CidrBlock": "10.0.0.0/16" });
            tree["Vpcs"].as_array_mut().unwrap().push(vpc);
        }
        let subnet = |(n, (vpc, cidr)): (usize, &(u8, ipnet::Ipv4Net))| {
            json!({ "VSwitchId": format!("s-{n}"), "VpcId": format!("vpc-{vpc}"), "CidrBlock": cidr.to_string() })
        };
        tree["VSwitches"] = subnets.iter().enumerate().map(subnet).collect();
        let overlap = |(at, (vpc, cidr)): (usize, &(u8, ipnet::Ipv4Net))| {
            subnets[..at].iter().any(|(v, c)| v == vpc && (c.contains(cidr) || cidr.contains(c)))
        };
        let expected = subnets.iter().enumerate().any(overlap);
        let complaints = read(&tree, &Config::default()).err().unwrap_or_default();
        prop_assert_eq!(complaints.iter().any(|line| line.contains("overlaps")), expected, "{:?}", complaints);
        prop_assert!(complaints.iter().all(|line| line.contains("overlaps")), "{:?}", complaints);
    }

    #[test]
    fn what_differs_is_what_has_to_be_written(old in documents(), new in documents()) {
        let changes = diff(&old, &new);
        let keys = |document: &Document| -> BTreeSet<(Kind, String)> {
            let of_region = |kind: Kind| kind == Kind::Region && document.region.is_empty();
            flat(document).into_iter().filter(|(k, ..)| !of_region(*k)).map(|(k, id, _)| (k, id)).collect()
        };
        let (before, after) = (flat(&old), flat(&new));
        for DocumentChange { kind, id, op } in &changes {
            let key = (*kind, id.clone());
            match op {
                Op::Added => prop_assert!(!keys(&old).contains(&key) && keys(&new).contains(&key)),
                Op::Changed => prop_assert!(keys(&old).contains(&key)),
                Op::Removed => prop_assert!(keys(&old).contains(&key) && !keys(&new).contains(&key)),
            }
        }
        let written: BTreeSet<(Kind, String)> = changes.iter().map(|c| (c.kind, c.id.clone())).collect();
        let differing: BTreeSet<_> = before.symmetric_difference(&after).map(|(k, id, _)| (*k, id.clone())).collect();
        prop_assert_eq!(&written, &differing);
        prop_assert_eq!(written.len(), changes.len());
        // A store that held the old one holds the new one after the writes.
        let mut store = before;
        for Write { kind, key, value } in new.writes(&changes) {
            store.retain(|(k, id, _)| (*k, id) != (kind, &key));
            store.extend(value.map(|value| (kind, key, value)));
        }
        prop_assert_eq!(store, after);
    }
}

#[test]
fn no_debug_of_a_document_shows_a_secret() {
    let accounts = json!([{ "AccountId": "a", "AccessKeys": [{ "AccessKeyId": "k", "AccessKeySecret": "s3cr3t" }] }]);
    let document = Document::from_json("i", &json!({ "RegionId": "local", "Accounts": accounts })).unwrap();
    let shown = format!("{document:?}");
    assert!(shown.contains("***") && !shown.contains("s3cr3t"), "{shown}");
}
