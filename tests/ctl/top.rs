//! Rates, once and live.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::fake::{Fake, Reply, Seen, VSWITCHCTL, text};

/// A daemon whose counters grow with every look: ENI b's the fastest.
fn busy() -> Fake {
    let looks = AtomicU64::new(0);
    Fake::start(move |seen: &Seen| {
        let eni = |id: &str, rx: u64| json!({ "id": id, "state": "up", "rx_packets": rx, "tx_packets": 0, "drops": 0 });
        if seen.path == "/v1/sessions" {
            let n = looks.load(Ordering::SeqCst);
            let session =
                json!({ "id": "tms-1", "enabled": true, "target": "t", "matched": n * 30_000, "sent": n * 10_000 });
            return Reply::json(200, &json!([session]));
        }
        let n = looks.fetch_add(1, Ordering::SeqCst);
        Reply::json(200, &json!([eni("a", n * 1000), eni("b", n * 2000)]))
    })
}

#[test]
fn one_look_for_pipes() {
    let daemon = busy();
    let said = daemon.says(&["top", "--once", "--interval", "0.1"]);
    let first: Vec<&str> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(first, ["ENI", "b", "a", "", "SESSION", "tms-1"], "{said}");
    assert!(!said.contains('\x1b'), "nothing for a terminal: {said}");
    let json = daemon.json(&["top", "--once", "--interval", "0.1"]);
    let rate = |of: &str, n: usize, key: &str| json[of][n][key].as_f64().unwrap();
    let seconds = json["interval_seconds"].as_f64().unwrap();
    assert!(seconds >= 0.1);
    assert!((rate("enis", 0, "rx") - 1000.0 / seconds).abs() <= 1.0, "{json}");
    assert!((rate("sessions", 0, "copies") - 10_000.0 / seconds).abs() <= 1.0, "{json}");
    assert!((rate("sessions", 0, "skips") - 20_000.0 / seconds).abs() <= 1.0, "{json}");
}

#[test]
fn as_many_looks_as_are_asked_for() {
    let said = busy().says(&["top", "--count", "3", "--interval", "0.1"]);
    assert_eq!(said.matches("SESSION").count(), 3, "{said}");
}

#[test]
fn in_a_terminal_a_key_ends_it_and_the_terminal_is_given_back() {
    let daemon = busy();
    let socket = daemon.folder.path("ops.sock");
    let command = format!("stty -a; {VSWITCHCTL} --socket {socket} top --interval 0.1; echo \"code $?\"; stty -a");
    let script = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = script else {
        println!("no script here: no terminal to test in");
        return;
    };
    // The session's counters are asked for again: a page with rates was drawn.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut looks = 0;
    while looks < 8 {
        assert!(std::time::Instant::now() < end, "top does not look");
        std::thread::sleep(std::time::Duration::from_millis(20));
        looks += daemon.seen().len();
    }
    script.stdin.as_mut().unwrap().write_all(b"rq").unwrap();
    let output = script.wait_with_output().unwrap();
    let said = text(&output.stdout);
    let (before, rest) = said.split_once("\x1b[?1049h").unwrap_or_else(|| panic!("no page of its own: {said:?}"));
    let (pages, after) = rest.split_once("\x1b[?1049l").unwrap_or_else(|| panic!("the page stays: {said:?}"));
    assert!(pages.contains("largest all first") && pages.contains("largest rx first"), "{pages:?}");
    let after = after.trim_start();
    let after = after.strip_prefix("code 0").unwrap_or_else(|| panic!("{after:?}"));
    assert_eq!(before.trim(), after.trim(), "the terminal is as it was");
}
