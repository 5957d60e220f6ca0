//! DPDK's own virtio-user driver as the guest: a second opinion on rings and negotiation.

use std::process::{Command, Stdio};

use crate::switch::{Setup, free_hugepages, kill, missing, wait_until};

/// Bounces packets between two ENIs of the switch until each has sent this many.
const PACKETS: u64 = 20_000;

fn bounce(packed: bool) {
    if Command::new("dpdk-testpmd").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return missing("there is no dpdk-testpmd (Debian's package dpdk-dev)");
    }
    let switch = Setup { enis: 2, server_mode: true, ..Setup::default() }.start();
    if free_hugepages() < 160 {
        return missing("virtio-user needs hugepages, and the kernel grants none");
    }
    let port = |n: usize| {
        format!(
            "net_virtio_user{n},path={}/eni-{n}.sock,mac=02:00:00:00:00:{:02x},mrg_rxbuf=1,in_order=0,packed_vq={}",
            switch.folder.0.display(),
            10 + n,
            u8::from(packed)
        )
    };
    let log = std::fs::File::create(switch.folder.0.join("testpmd.log")).unwrap();
    let mut guest = Command::new("dpdk-testpmd")
        .args(["--lcores", "0@0,1@0", "--no-pci", "--in-memory", "--single-file-segments", "-m", "256"])
        .arg(format!("--file-prefix=second-{}", std::process::id()))
        .args(["--vdev", &port(0), "--vdev", &port(1), "--", "--nb-cores=1", "--forward-mode=5tswap"])
        .args(["--port-topology=loop", "--txpkts=64", "--tx-ip=10.0.0.10,10.0.0.11", "--tx-udp=1000,2000"])
        .args([
            "--eth-peer=0,02:00:00:00:00:0b",
            "--eth-peer=1,02:00:00:00:00:0a",
            "--tx-first",
            "--stats-period",
            "3600",
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let enough = |eni: &str| switch.metric("vswitch_eni_rx_packets_total", &[eni]) > PACKETS;
    let moved = wait_until(|| enough("eni=\"eni-0\"") && enough("eni=\"eni-1\""));
    let rings =
        [switch.ctl_json(&["eni", "eni-0"])["ring"].clone(), switch.ctl_json(&["eni", "eni-1"])["ring"].clone()];
    kill(guest.id().cast_signed(), libc::SIGTERM);
    guest.wait().unwrap();
    let said = std::fs::read_to_string(switch.folder.0.join("testpmd.log")).unwrap();
    assert!(moved, "{said}");
    assert_eq!(rings, [if packed { "packed" } else { "split" }; 2]);
}

#[test]
fn split_rings() {
    bounce(false);
}

#[test]
fn packed_rings() {
    bounce(true);
}
