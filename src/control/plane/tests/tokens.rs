//! ClientTokens: one object however often a request comes, for a day.

use std::sync::atomic::Ordering;

use super::{Kit, refuses, wanted};
use crate::control::api::Action::{
    CreateTrafficMirrorFilter as CreateFilter, CreateTrafficMirrorSession as CreateSession,
    DeleteTrafficMirrorFilter as DeleteFilter, ListTrafficMirrorFilters as Filters, OpenTrafficMirrorService as Open,
};
use crate::control::document::{Document, ObjectKind};
use crate::control::plane::codes;
use crate::control::plane::tokens::{LIFETIME, MOST};
use crate::control::platform::Platform;
use crate::control::store::{Kind, Store};

const TOKEN: (&str, &str) = ("ClientToken", "t-1");

fn count(kit: &Kit) -> String {
    kit.ok(Filters, &[])["TotalCount"].as_str().unwrap().to_owned()
}

#[test]
fn a_request_that_is_sent_again_is_answered_again_and_done_once() {
    let kit = Kit::new().opened();
    let answer = kit.ok(CreateFilter, &[TOKEN, ("TrafficMirrorFilterName", "n")]);
    let before = kit.store.dump().unwrap();
    assert_eq!(kit.ok(CreateFilter, &[TOKEN, ("TrafficMirrorFilterName", "n")]), answer);
    let kit = kit.restarted();
    assert_eq!(kit.ok(CreateFilter, &[TOKEN, ("TrafficMirrorFilterName", "n")]), answer);
    let mismatch = codes::TOKEN_MISMATCH.code;
    refuses(
        &kit,
        CreateFilter,
        &[TOKEN],
        &[(&[], mismatch, "t-1"), (&[("TrafficMirrorFilterName", "m")], mismatch, "t-1")],
    );
    let id = answer["TrafficMirrorFilterId"].as_str().unwrap();
    refuses(&kit, DeleteFilter, &[TOKEN], &[(&[("TrafficMirrorFilterId", id)], mismatch, "t-1")]);
    assert_eq!((kit.store.dump().unwrap(), &*count(&kit)), (before, "1"));
    // Also when the object is gone since.
    kit.ok(DeleteFilter, &[("TrafficMirrorFilterId", id)]);
    assert_eq!(kit.ok(CreateFilter, &[TOKEN, ("TrafficMirrorFilterName", "n")]), answer);
    assert_eq!(count(&kit), "0");
}

#[test]
fn a_token_is_the_account_s_own() {
    let kit = Kit::new().opened();
    kit.call("b", Open, &[TOKEN]).unwrap();
    let of_a = kit.ok(CreateFilter, &[TOKEN]);
    assert_eq!(kit.call("b", CreateFilter, &[TOKEN]).unwrap_err().code, codes::TOKEN_MISMATCH.code);
    let of_b = kit.call("b", CreateFilter, &[("ClientToken", "t-2")]).unwrap();
    assert_ne!(of_a, of_b);
}

#[test]
fn a_refused_request_leaves_no_token() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let bad = super::and(&wanted(&filter, "eni-0", "eni-b", "1"), &[TOKEN]);
    assert_eq!(kit.no(CreateSession, &bad).code, codes::ENI_NOT_FOUND.code);
    kit.ok(CreateSession, &super::and(&wanted(&filter, "eni-0", "eni-1", "1"), &[TOKEN]));
    kit.store.fail_next(1);
    kit.no(CreateFilter, &[("ClientToken", "t-2")]);
    assert!(kit.store.load().unwrap().records.iter().all(|r| r.kind != Kind::Token || r.key == "a/t-1"));
}

#[test]
fn a_token_is_kept_for_a_day() {
    let kit = Kit::new().opened();
    let first = kit.ok(CreateFilter, &[TOKEN]);
    kit.now.fetch_add(LIFETIME * 1000 - 1, Ordering::Relaxed);
    assert_eq!(kit.ok(CreateFilter, &[TOKEN]), first);
    kit.now.fetch_add(1, Ordering::Relaxed);
    let second = kit.ok(CreateFilter, &[TOKEN, ("TrafficMirrorFilterName", "other")]);
    assert_ne!(first, second);
    kit.now.fetch_add(LIFETIME * 1000, Ordering::Relaxed);
    kit.ok(CreateFilter, &[("ClientToken", "t-3")]);
    let tokens: Vec<_> = kit.store.load().unwrap().records.into_iter().filter(|r| r.kind == Kind::Token).collect();
    assert_eq!(tokens.iter().map(|r| &*r.key).collect::<Vec<_>>(), ["a/t-3"], "old ones leave the store");
}

#[test]
fn an_account_has_so_many_tokens_and_the_oldest_goes() {
    let kit = Kit::new();
    for n in 0..=MOST {
        kit.now.fetch_add(1000, Ordering::Relaxed);
        kit.ok(Open, &[("ClientToken", &n.to_string())]);
    }
    let kept = |token: &str| kit.no(CreateFilter, &[("ClientToken", token)]).code == codes::TOKEN_MISMATCH.code;
    assert!(kept("1"));
    let tokens = kit.store.load().unwrap().records.iter().filter(|r| r.kind == Kind::Token).count();
    assert_eq!(tokens, MOST);
    kit.ok(CreateFilter, &[("ClientToken", "0")]);
}

#[test]
fn an_account_that_goes_takes_its_tokens_with_it() {
    let kit = Kit::new().opened();
    kit.call("b", Open, &[TOKEN]).unwrap();
    kit.ok(Open, &[TOKEN]);
    let mut forget = |document: &Document| {
        let mut document = document.clone();
        document.remove(ObjectKind::NetworkInterface, "eni-b");
        document.remove(ObjectKind::NetworkInterface, "eni-b2");
        document.remove(ObjectKind::Account, "b");
        Ok(document)
    };
    kit.control.change(None, &mut forget, false).unwrap();
    let tokens: Vec<_> = kit.store.load().unwrap().records.into_iter().filter(|r| r.kind == Kind::Token).collect();
    assert_eq!(tokens.iter().map(|r| &*r.key).collect::<Vec<_>>(), ["a/t-1"]);
}

#[test]
fn a_token_has_a_form() {
    let kit = Kit::new().opened();
    let (most, over) = ("x".repeat(64), "x".repeat(65));
    let bad = "InvalidParameter.ClientToken";
    refuses(
        &kit,
        CreateFilter,
        &[],
        &[
            (&[("ClientToken", &over)], bad, "1 to 64 ASCII"),
            (&[("ClientToken", "a b")], bad, "1 to 64 ASCII"),
            (&[("ClientToken", "é")], bad, "1 to 64 ASCII"),
        ],
    );
    kit.ok(CreateFilter, &[("ClientToken", &most)]);
    let slash = kit.ok(CreateFilter, &[("ClientToken", "a/b")]);
    let kit = kit.restarted();
    assert_eq!(kit.ok(CreateFilter, &[("ClientToken", "a/b")]), slash);
}
