//! Watching: changes come once, in order, and who waits for them keeps nobody from anything.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::*;

fn put_vpc(api: &Api, id: &str) {
    let network = id.bytes().last().unwrap();
    let vpc = json!({ "VpcId": id, "CidrBlock": format!("10.{network}.0.0/16") });
    api.done(Method::PUT, &format!("/v1/vpcs/{id}"), Some(&vpc));
}

#[test]
fn changes_after_a_revision_come_at_once_and_in_order() {
    let api = Api::new(json!({ "RegionId": "local" }));
    let start = api.done(Method::GET, "/v1/watch", None);
    assert_eq!(start, json!({ "revision": 1, "compacted": false, "changes": [] }));
    put_vpc(&api, "vpc-a");
    put_vpc(&api, "vpc-b");
    api.done(Method::DELETE, "/v1/vpcs/vpc-a", None);
    let all = api.done(Method::GET, "/v1/watch?after=1", None);
    let changes = [(2, "vpc-a", "added"), (3, "vpc-b", "added"), (4, "vpc-a", "removed")];
    let change =
        |(revision, id, op): (u64, &str, &str)| json!({ "revision": revision, "kind": "vpc", "id": id, "op": op });
    let changes = changes.map(change);
    assert_eq!(all, json!({ "revision": 4, "compacted": false, "changes": changes }));
    let some = api.done(Method::GET, "/v1/watch?after=3", None);
    assert_eq!(some["changes"], json!([changes[2]]));
    let none = api.done(Method::GET, "/v1/watch?after=4&timeout=0", None);
    assert_eq!(none, json!({ "revision": 4, "compacted": false, "changes": [] }));
}

#[test]
fn what_is_forgotten_or_of_another_store_is_said() {
    let api = Api::new(json!({ "RegionId": "local" }));
    ["vpc-a", "vpc-b", "vpc-c", "vpc-d", "vpc-e"].iter().for_each(|id| put_vpc(&api, id));
    assert_eq!(api.done(Method::GET, "/v1/watch?after=1", None)["compacted"], true);
    assert_eq!(api.done(Method::GET, "/v1/watch?after=2", None)["compacted"], false);
    assert_eq!(api.done(Method::GET, "/v1/watch?after=7", None)["compacted"], true);
}

#[test]
fn who_waits_hears_of_a_change_and_of_nothing_else() {
    let api = Api::new(json!({ "RegionId": "local" }));
    let start = Instant::now();
    let heard = std::thread::scope(|scope| {
        let (served, watchers) = (api.served.clone(), api.watchers.clone());
        let waiting = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let query = "after=1&timeout=60".to_owned();
            let call = Call { method: Method::GET, path: "/v1/watch".to_owned(), query, body: Vec::new().into() };
            runtime.block_on(crate::control::ops::answer(served, watchers, call))
        });
        while !api.switch.is_watched() {
            std::thread::yield_now();
        }
        api.switch.commit_something_else();
        put_vpc(&api, "vpc-a");
        waiting.join().unwrap()
    });
    let heard: Value = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!((&heard["revision"], &heard["changes"][0]["id"]), (&json!(3), &json!("vpc-a")));
    assert!(start.elapsed() < Duration::from_secs(30), "it waited for the end of its time");
}

#[test]
fn waiting_is_for_so_many_and_takes_no_thread() {
    let api = Api::new(json!({ "RegionId": "local" }));
    // A single blocking thread: a second waiter that held one would keep all others waiting.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let ask = |target: &str| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let call = Call { method: Method::GET, path, query, body: Vec::new().into() };
        crate::control::ops::answer(api.served.clone(), api.watchers.clone(), call)
    };
    runtime.block_on(async {
        let waiting: Vec<_> = (0..32).map(|_| tokio::spawn(ask("/v1/watch?after=1&timeout=60"))).collect();
        // Those that were spawned first begin first.
        let refused = tokio::spawn(ask("/v1/watch?after=1&timeout=60")).await.unwrap();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        let vpcs = tokio::time::timeout(Duration::from_secs(20), ask("/v1/vpcs")).await.unwrap();
        assert_eq!(vpcs.status, StatusCode::OK);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for one in waiting {
            assert!(one.await.unwrap_err().is_cancelled(), "it waited");
        }
        let again = ask("/v1/watch?after=1&timeout=0").await;
        assert_eq!(again.status, StatusCode::OK, "their places are free again");
    });
}
