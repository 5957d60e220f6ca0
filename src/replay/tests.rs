//! What a replay says of single packets.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::env::HeapEnv;
use super::{find, pass, verdicts};
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::packet::{Burst, Direction};

/// The shipped files with one more ENI, eni-d, and these sources.
fn verdict(sources: &[&str], eni: &str, direction: Direction, frame: Vec<u8>) -> Value {
    let mut inventory: Value = serde_json::from_str(include_str!("../../conf/inventory.json")).unwrap();
    let mut mirror: Value = serde_json::from_str(include_str!("../../conf/mirror.json")).unwrap();
    let mut fourth = inventory["NetworkInterfaces"][0].clone();
    fourth["NetworkInterfaceId"] = json!("eni-d");
    fourth["MacAddress"] = json!("02:00:00:00:00:0d");
    fourth["PrivateIpAddress"] = json!("10.0.0.40");
    inventory["NetworkInterfaces"].as_array_mut().unwrap().push(fourth);
    mirror["TrafficMirrorSessions"][0]["TrafficMirrorSourceIds"] = json!(sources);
    let texts = (inventory.to_string(), mirror.to_string());
    let model = model_from_json(("i", &texts.0), ("m", &texts.1), &Config::default()).unwrap();
    let snapshot = compile(&model, &mut Registry::new(1), 64).unwrap();
    let (mut env, mut burst) = (HeapEnv::default(), Burst::default());
    pass(&mut env, &snapshot, find(&snapshot, eni).unwrap(), direction, frame, &mut burst);
    verdicts::line(0, direction, &snapshot, &env.verdicts)
}

/// UDP from one ENI to another, by their last letters.
fn frame(from: u8, to: u8) -> Vec<u8> {
    let number = |letter: u8| letter - b'a';
    let mut f = vec![0; 60];
    f[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a + number(to)]);
    f[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a + number(from)]);
    f[12..14].copy_from_slice(&[8, 0]);
    f[14..18].copy_from_slice(&[0x45, 0, 0, 46]);
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&[10, 0, 0, 10 + 10 * number(from)]);
    f[30..34].copy_from_slice(&[10, 0, 0, 10 + 10 * number(to)]);
    f[34..40].copy_from_slice(&[4, 0, 8, 0, 0, 26]);
    f
}

#[test]
fn an_inbound_frame_that_cannot_be_delivered_says_why() {
    assert_eq!(verdict(&["eni-a"], "eni-b", Direction::Inbound, frame(b'a', b'b'))["service"], "delivered");
    type Change = fn(&mut Vec<u8>);
    let lies: [(Change, &str); 6] = [
        (|f| f.truncate(20), "short_frame"),
        (|f| f[12..14].copy_from_slice(&[0x81, 0]), "vlan_tag"),
        (|f| f[12..14].copy_from_slice(&[0x86, 0xdd]), "ipv6"),
        (|f| f[16..18].copy_from_slice(&[9, 9]), "bad_ip_length"),
        (|f| f[38..40].copy_from_slice(&[9, 9]), "bad_l4_header"),
        (|f| f[12..14].copy_from_slice(&[8, 6]), "no_route"),
    ];
    for (lie, reason) in lies {
        let mut f = frame(b'a', b'b');
        lie(&mut f);
        let line = verdict(&["eni-a"], "eni-b", Direction::Inbound, f);
        assert_eq!(line["service"], json!({ "dropped": reason }));
    }
}

#[test]
fn every_end_of_a_packet_names_its_session_and_rule() {
    // Both ends are sources, or the other end is, beside a third ENI.
    for (sources, judged) in [(["eni-a", "eni-b"], 2), (["eni-b", "eni-d"], 1)] {
        let line = verdict(&sources, "eni-a", Direction::Outbound, frame(b'a', b'b'));
        assert_eq!(line["service"], "delivered");
        let mirror = line["mirror"].as_array().unwrap();
        assert_eq!(mirror.len(), judged, "{line}");
        for judged in mirror {
            assert_eq!(judged["verdict"], "mirrored", "{line}");
            assert!(judged["session"].is_string() && judged["rule"].is_string(), "{line}");
        }
    }
}

#[test]
fn fragments_are_remembered_in_the_time_of_the_capture() {
    let folder = std::env::temp_dir().join(format!("vswitch-replay-fragments-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let of = |word: u16| {
        let mut f = frame(b'a', b'b');
        f[20..22].copy_from_slice(&word.to_be_bytes());
        f
    };
    let mut input = super::pcap::Writer::create(&folder.join("in.pcap")).unwrap();
    let second = 1_000_000_000u64;
    // The first fragment, two that follow in time, one that is late; one inside TCP's header, one beyond all packets.
    input.write(1000 * second, &of(0x2000)).unwrap();
    input.write(1000 * second + 1, &of(0x2004)).unwrap();
    input.write(1015 * second - 1, &of(0x0008)).unwrap();
    input.write(1015 * second, &of(0x0008)).unwrap();
    let mut overlap = of(1);
    overlap[23] = 6;
    input.write(1016 * second, &overlap).unwrap();
    input.write(1017 * second, &of(0x1fff)).unwrap();
    drop(input);
    let texts = (include_str!("../../conf/inventory.json"), include_str!("../../conf/mirror.json"));
    let model = model_from_json(("i", texts.0), ("m", texts.1), &Config::default()).unwrap();
    let args = super::Args {
        inventory: "conf/inventory.json".into(),
        mirror: "conf/mirror.json".into(),
        eni: "eni-a".to_owned(),
        direction: "out".to_owned(),
        pcap: folder.join("in.pcap"),
        out: folder.clone(),
        regions: None,
    };
    super::replay(&model, &args).unwrap();
    let text = std::fs::read_to_string(folder.join("verdicts.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mirror: Vec<&Value> = lines.iter().map(|l| &l["mirror"][0]["verdict"]).collect();
    assert_eq!(mirror[..4], [&json!("mirrored"), &json!("mirrored"), &json!("mirrored"), &json!("excluded")], "{text}");
    assert_eq!(lines[3]["mirror"][0]["reason"], "fragment_orphan");
    assert_eq!(lines[4]["service"], json!({ "dropped": "fragment_overlap" }));
    assert_eq!(lines[5]["service"], json!({ "dropped": "fragment_beyond" }));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn limits_apply_in_the_time_of_the_capture() {
    let folder = std::env::temp_dir().join(format!("vswitch-replay-limits-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut inventory: Value = serde_json::from_str(include_str!("../../conf/inventory.json")).unwrap();
    inventory["Instances"] = json!([{ "InstanceId": "i-a", "BandwidthBps": 1_000_000 }]);
    let model = model_from_json(
        ("i", &inventory.to_string()),
        ("m", include_str!("../../conf/mirror.json")),
        &Config::default(),
    );
    let mut input = super::pcap::Writer::create(&folder.join("in.pcap")).unwrap();
    let mut long = frame(b'a', b'b');
    long.resize(1014, 0);
    long[16..18].copy_from_slice(&1000u16.to_be_bytes());
    long[38..40].copy_from_slice(&980u16.to_be_bytes());
    // 17,028 bytes deep: 16 packets at once, 8 of them with a copy, and no more; then what 20 ms bring, 2,500 bytes.
    let began = 1_700_000_000_000_000_000;
    for at in [0; 18].into_iter().chain([20_000_000; 3]) {
        input.write(began + at, &long).unwrap();
    }
    drop(input);
    let path = |name: &str| folder.join(name);
    let args = super::Args {
        inventory: path("unused"),
        mirror: path("unused"),
        eni: "eni-a".to_owned(),
        direction: "auto".to_owned(),
        pcap: path("in.pcap"),
        out: path("out"),
        regions: None,
    };
    let summary = super::replay(&model.unwrap(), &args);
    let lines = std::fs::read_to_string(path("out").join("verdicts.jsonl")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let service: Vec<bool> = lines.iter().map(|l| l["service"] == "delivered").collect();
    assert_eq!(service, [[true; 16].as_slice(), &[false; 2], &[true; 3]].concat(), "{lines:#?}");
    assert_eq!(lines[17]["service"], json!({ "dropped": "policed" }));
    let copies: Vec<&Value> = lines.iter().map(|l| &l["mirror"][0]["verdict"]).collect();
    assert!(
        copies[..8].iter().all(|v| *v == "mirrored") && copies[8..16].iter().all(|v| *v == "skipped"),
        "{lines:#?}"
    );
    assert_eq!(lines[8]["mirror"][0]["reason"], "bandwidth");
    let summary = summary.unwrap();
    assert_eq!((summary.packets, summary.delivered, summary.mirrored), (21, 19, 8));
}

/// Every file of one's own: inventory, sessions, capture and list of regions.
#[test]
fn another_list_of_regions_gives_the_inventory_s_region_its_abilities() {
    let folder = std::env::temp_dir().join(format!("vswitch-replay-regions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name);
    let mut inventory: Value = serde_json::from_str(include_str!("../../conf/inventory.json")).unwrap();
    inventory["RegionId"] = json!("mars");
    inventory.as_object_mut().unwrap().remove("JumboMirroring");
    for eni in inventory["NetworkInterfaces"].as_array_mut().unwrap() {
        eni["Mtu"] = json!(8500);
    }
    std::fs::write(path("inventory.json"), inventory.to_string()).unwrap();
    let mut mirror: Value = serde_json::from_str(include_str!("../../conf/mirror.json")).unwrap();
    mirror["TrafficMirrorSessions"][0]["PacketLength"] = json!(8500);
    std::fs::write(path("mirror.json"), mirror.to_string()).unwrap();
    let mut long = frame(b'a', b'b');
    long.resize(14 + 2000, 0);
    long[16..18].copy_from_slice(&2000u16.to_be_bytes());
    long[38..40].copy_from_slice(&1980u16.to_be_bytes());
    super::pcap::Writer::create(&path("in.pcap")).unwrap().write(0, &long).unwrap();
    let list = |jumbo: bool| {
        let list = json!({ "Regions": [{ "RegionId": "mars", "JumboMirroring": jumbo, "Gwlb": false }] });
        std::fs::write(path("regions.json"), list.to_string()).unwrap();
    };
    let replayed = |regions: Option<&str>| {
        let args = super::Args {
            inventory: path("inventory.json"),
            mirror: path("mirror.json"),
            eni: "eni-a".to_owned(),
            direction: "out".to_owned(),
            pcap: path("in.pcap"),
            out: folder.clone(),
            regions: regions.map(path),
        };
        super::main(&args)?;
        let line: Value = serde_json::from_str(&std::fs::read_to_string(path("verdicts.jsonl")).unwrap()).unwrap();
        Ok::<_, Vec<String>>((line["mirror"][0]["kept"].clone(), line["mirror"][0]["cut"].clone()))
    };
    let cut = Ok((json!(1450), json!("path_mtu")));
    assert_eq!(replayed(None), cut, "the built-in list knows no such region");
    list(true);
    assert_eq!(replayed(Some("regions.json")), Ok((json!(2000), json!(null))));
    list(false);
    assert_eq!(replayed(Some("regions.json")), cut);
    let missing = replayed(Some("none.json")).unwrap_err();
    assert!(missing.len() == 1 && missing[0].contains("none.json: cannot be read"), "{missing:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}
