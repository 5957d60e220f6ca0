//! Reloads, without a packet side.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::fabric::NoFabric;
use super::operations::Operations;
use super::switch::Switch;

const INVENTORY: &str = include_str!("../../conf/inventory.json");
const MIRROR: &str = include_str!("../../conf/mirror.json");

#[test]
fn a_source_says_how_its_rules_are_compiled() {
    let config = Config::default();
    let files = (("inventory", INVENTORY), ("mirror", MIRROR));
    let mut model = super::model_from_json(files.0, files.1, &config).unwrap();
    let rules = &mut model.filters[0].egress;
    let more = (0..70u8).map(|n| {
        let mut rule = rules[0].clone();
        rule.rule.src = ipnet::Ipv4Net::from(std::net::Ipv4Addr::new(10, 1, 1, n));
        rule
    });
    rules.extend(more.collect::<Vec<_>>());
    let switch = Switch::new(config, Box::new(NoFabric::default()));
    switch.apply(model).unwrap();
    let enis = switch.enis();
    assert_eq!(enis[1]["classifier"], serde_json::Value::Null, "no source");
    let about = &enis[0]["classifier"];
    for (direction, rules, layout) in
        [("inbound", 3, "ranks: 3 rules are at most 64;"), ("outbound", 73, "trie: 73 rules are more than 64;")]
    {
        assert_eq!(about[direction]["rules"], rules);
        assert!(about[direction]["layout"].as_str().unwrap().starts_with(layout), "{about}");
        assert!(about[direction]["bytes"].as_u64().unwrap() > 100, "{about}");
    }
}

/// The first reload reads a slow file (a FIFO) while a second one comes, for files that are newer by then.
#[test]
fn of_two_reloads_at_once_the_one_that_read_last_wins() {
    let folder = std::env::temp_dir().join(format!("vswitch-reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (slow, mirror) = (folder.join("inventory.json"), folder.join("mirror.json"));
    std::fs::write(&mirror, MIRROR).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let mut config = Config::default();
    (config.files.inventory, config.files.mirror) = (slow.clone(), mirror);
    config.store.path = Default::default();
    let switch = Arc::new(Switch::new(config, Box::new(NoFabric::default())));
    let reload = || {
        let switch = switch.clone();
        std::thread::spawn(move || switch.reload().unwrap())
    };
    let first = reload();
    // Opens when the first reload has opened the other end.
    let mut old = std::fs::OpenOptions::new().write(true).open(&slow).unwrap();
    std::fs::remove_file(&slow).unwrap();
    std::fs::write(&slow, INVENTORY.replace("02:00:00:00:00:0a", "02:00:00:00:00:77")).unwrap();
    let second = reload();
    std::thread::sleep(Duration::from_millis(100));
    std::io::Write::write_all(&mut old, INVENTORY.as_bytes()).unwrap();
    drop(old);
    assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 2));
    assert_eq!(switch.state.lock().model.enis[0].mac[5], 0x77);
    std::fs::remove_dir_all(&folder).unwrap();
}
