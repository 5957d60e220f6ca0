//! Ports that change under a running switch.

use serde_json::Value;

use crate::frames::exchange;
use crate::switch::{PATIENCE, Setup, Switch, wait_until};

/// Reloads with the inventory changed; the exit code and what was said.
fn reload_with(switch: &Switch, change: impl FnOnce(&mut Value)) -> (Option<i32>, String) {
    let mut inventory = switch.setup.inventory();
    change(&mut inventory["NetworkInterfaces"]);
    switch.folder.write("inventory.json", &inventory.to_string());
    let output = switch.ctl(&["reload"]);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_refused_reload_leaves_a_changed_port_as_it_was() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let file = switch.folder.write("file", "");
    let path = |name: &str| Value::from(switch.folder.0.join(name).display().to_string());
    let broken = Value::from(file.join("x.sock").display().to_string());
    // eni-0 gets another socket; eni-2 one that cannot be: its folder is a file.
    let (code, said) = reload_with(&switch, |enis| {
        enis[0]["Socket"] = path("other.sock");
        enis[2]["Socket"] = broken.clone();
    });
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("eni-2"), "{said}");
    exchange((0, &mut a), (1, &mut b), 100, 100);
    exchange((1, &mut b), (0, &mut a), 100, 100);
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["connections"], 1, "nobody hung up");
    // More queue pairs on the same socket: the old port would have to make room, but it does not come to that.
    let (code, said) = reload_with(&switch, |enis| {
        enis[0]["QueuePairs"] = 2.into();
        enis[2]["Socket"] = broken;
    });
    assert_eq!(code, Some(1), "{said}");
    exchange((0, &mut a), (1, &mut b), 100, 100);
    exchange((1, &mut b), (0, &mut a), 100, 100);
    let eni = switch.ctl_json(&["eni", "eni-0"]);
    assert_eq!((&eni["connections"], &eni["queue_pairs_offered"]), (&1.into(), &1.into()));
    // The same changes without the broken one are taken.
    let (code, said) = reload_with(&switch, |enis| {
        enis[0]["QueuePairs"] = 2.into();
        enis[1]["Socket"] = path("other.sock");
    });
    assert_eq!(code, Some(0), "{said}");
    assert!(wait_until(|| !a.is_connected() && !b.is_connected()));
    let mut b = {
        drop(b);
        switch.guest_like(1, |c| c.socket = switch.folder.0.join("other.sock"))
    };
    a.connect(PATIENCE).unwrap();
    switch.wait_up(0);
    exchange((0, &mut a), (1, &mut b), 100, 100);
}

#[test]
fn a_port_that_made_room_in_vain_comes_back() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let folder = switch.folder.0.join("sub");
    let socket = Value::from(folder.join("x.sock").display().to_string());
    let (code, said) = reload_with(&switch, |enis| enis[2]["Socket"] = socket.clone());
    assert_eq!(code, Some(0), "{said}");
    // Both ports need their own sockets anew; that of eni-2 cannot be had any more.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let (code, said) = reload_with(&switch, |enis| {
        enis[0]["QueuePairs"] = 2.into();
        enis[2]["Socket"] = socket;
        enis[2]["QueuePairs"] = 2.into();
    });
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be opened again: eni-2"), "{said}");
    assert!(wait_until(|| !a.is_connected()));
    // The refused port may have been there for a moment: its connection is a dead one.
    assert!(wait_until(|| a.connect(PATIENCE).is_ok()));
    switch.wait_up(0);
    exchange((0, &mut a), (1, &mut b), 100, 100);
    exchange((1, &mut b), (0, &mut a), 100, 100);
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["queue_pairs_offered"], 1);
}

#[test]
fn two_enis_swap_their_sockets() {
    for server_mode in [true, false] {
        let switch = Setup { server_mode, ..Setup::default() }.start();
        let (mut a, mut b) = (switch.guest(0), switch.guest(1));
        exchange((0, &mut a), (1, &mut b), 100, 100);
        let path = |name: &str| Value::from(switch.folder.0.join(name).display().to_string());
        let (code, said) = reload_with(&switch, |enis| {
            enis[0]["Socket"] = path("eni-1.sock");
            enis[1]["Socket"] = path("eni-0.sock");
        });
        assert_eq!(code, Some(0), "{said}");
        assert!(wait_until(|| !a.is_connected() && !b.is_connected()));
        for port in [&mut a, &mut b] {
            port.connect(PATIENCE).unwrap();
        }
        switch.wait_up(0);
        switch.wait_up(1);
        // The guest on the first socket is the second ENI now.
        exchange((1, &mut a), (0, &mut b), 100, 100);
        exchange((0, &mut b), (1, &mut a), 100, 100);
    }
}

#[test]
fn a_new_eni_takes_the_socket_of_one_that_leaves() {
    let switch = Setup { server_mode: true, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let path = Value::from(switch.folder.0.join("eni-1.sock").display().to_string());
    let (code, said) = reload_with(&switch, |enis| {
        enis[1]["NetworkInterfaceId"] = "eni-new".into();
        enis[1]["Socket"] = path;
    });
    assert_eq!(code, Some(0), "{said}");
    assert!(wait_until(|| !b.is_connected()));
    b.connect(PATIENCE).unwrap();
    assert!(wait_until(|| switch.metric("vswitch_eni_up", &["eni=\"eni-new\""]) == 1));
    exchange((0, &mut a), (1, &mut b), 100, 100);
}
