//! Readers of parameters: what is read, and how the rest is refused.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::params::{MAX_NAME, MAX_PARAMETERS, MAX_VALUE};
use super::{ApiError, Fields, Params};

fn params(text: &str) -> Params {
    let pairs = text.split('&').filter(|p| !p.is_empty()).map(|pair| pair.split_once('=').unwrap());
    Params::from_pairs(pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))).unwrap()
}

/// The error has this code, and its message these words.
fn refused<T: std::fmt::Debug>(outcome: Result<T, ApiError>, code: &str, words: &[&str]) {
    let error = outcome.unwrap_err();
    assert_eq!((&*error.code, error.status), (code, 400), "{error}");
    words.iter().for_each(|w| assert!(error.message.contains(w), "{error} lacks {w:?}"));
}

#[test]
fn texts() {
    let p = params("A=x&B=");
    assert_eq!((p.text("A"), p.text("B"), p.text("C")), (Some("x"), None, None));
    assert_eq!(p.required("A", "a letter"), Ok("x"));
    refused(p.required("B", "a letter"), "MissingB", &["The parameter B is missing", "a letter"]);
    refused(p.required("C", "a letter"), "MissingC", &["C", "a letter"]);
}

#[test]
fn integers() {
    for (text, number) in [("1", Some(1)), ("10", Some(10)), ("", None)] {
        assert_eq!(params(&format!("N={text}")).integer("N", 1..=10u32, "1 to 10"), Ok(number));
    }
    for text in ["0", "11", "-1", "+1", "01", "1.0", " 1", "1 ", "x", "١", "99999999999999999999999"] {
        let p = params(&format!("N={text}"));
        refused(p.integer("N", 1..=10u32, "1 to 10"), "InvalidParameter.N", &["N = ", "1 to 10"]);
    }
    assert_eq!(params("N=-5").integer("N", -5..=5i64, ""), Ok(Some(-5)));
    refused(params("N=-0").integer("N", -5..=5i64, "x"), "InvalidParameter.N", &[]);
    refused(params("N=").required_integer("N", 1..=2u8, "1 or 2"), "MissingN", &["1 or 2"]);
    assert_eq!(params("N=2").required_integer("N", 1..=2u8, "1 or 2"), Ok(2));
}

#[test]
fn booleans() {
    for text in ["true", "True", "TRUE"] {
        assert_eq!(params(&format!("B={text}")).boolean("B"), Ok(Some(true)));
    }
    assert_eq!(params("B=False").boolean("B"), Ok(Some(false)));
    assert_eq!(params("B=").boolean("B"), Ok(None));
    for text in ["1", "yes", "tru", "true ", "null"] {
        refused(params(&format!("B={text}")).boolean("B"), "InvalidParameter.B", &["true or false", text]);
    }
}

#[test]
fn lists() {
    assert_eq!(params("").list("L", 3), Ok(vec![]));
    assert_eq!(params("L.1=a&L.2=b&L.3=c&Lx=d&M.1=e").list("L", 3), Ok(vec!["a", "b", "c"]));
    assert_eq!(params("L=&L.1=a&L.2=").list("L", 3), Ok(vec!["a"]), "empty counts as absent");
    let ten: String = (1..=10).map(|n| format!("L.{n}={n}&")).collect();
    let numbers: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
    assert_eq!(params(&ten).list("L", 10).unwrap(), numbers, "by number, not by letter");
    for (text, words) in [
        ("L.3=a", &["L.3 = \"a\"", "L.1 is missing"] as &[&str]),
        ("L.1=a&L.3=c", &["L.3", "L.2 is missing"]),
        ("L.1=&L.2=b", &["L.2", "L.1 is missing"]),
        ("L.0=a", &["L.0", "L.1 to L.3"]),
        ("L.01=a", &["L.01"]),
        ("L.+1=a", &["L.+1"]),
        ("L.-1=a", &["L.-1"]),
        ("L.x=a", &["L.x"]),
        ("L.=a", &["L. = "]),
        ("L.1=a&L.2=b&L.3=c&L.4=d", &["L.4", "L.1 to L.3"]),
        ("L.99999999999999999999999=a", &["L.999", "L.1 to L.3"]),
        ("L.1.Key=a", &["L.1.Key"]),
        ("L=a", &["L = \"a\"", "L.1 to L.3"]),
        ("L=a&L.1=b", &["L = \"a\""]),
    ] {
        refused(params(text).list("L", 3), "InvalidParameter.L", words);
    }
}

#[test]
fn objects() {
    let fields = ["Action", "Priority"];
    let p = params("R.1.Action=accept&R.1.Priority=7&R.2.Priority=x&R.3.Action=drop&R.3.Priority=");
    let rules = p.objects("R", &fields, 3).unwrap();
    assert_eq!(rules.len(), 3);
    assert_eq!((rules[0].text("Action"), rules[0].integer("Priority", 1..=9u8, "")), (Some("accept"), Ok(Some(7))));
    assert_eq!(rules[2].integer("Priority", 1..=9u8, ""), Ok(None));
    refused(rules[1].integer("Priority", 1..=9u8, "1 to 9"), "InvalidParameter.R", &["R.2.Priority", "1 to 9"]);
    refused(rules[1].required("Action", "accept or drop"), "MissingR", &["R.2.Action", "accept or drop"]);
    assert_eq!(params("R.1.Action=").objects("R", &fields, 3).unwrap().len(), 0);
    for (text, words) in [
        ("R.3.Action=a", &["R.3.Action", "R.1 is missing"] as &[&str]),
        ("R.1.Action=a&R.3.Action=a", &["R.3.Action", "R.2 is missing"]),
        ("R.1.Acton=a", &["R.1.Acton", "Action, Priority"]),
        ("R.1.Action.1=a", &["R.1.Action.1", "Action, Priority"]),
        ("R.1=a", &["R.1", "Action, Priority"]),
        ("R.1.=a", &["R.1.", "Action, Priority"]),
        ("R.0.Action=a", &["R.0.Action"]),
        ("R.01.Action=a", &["R.01.Action"]),
        ("R.Action=a", &["R.Action"]),
        ("R=a", &["R = "]),
        ("R.4.Action=a", &["R.4.Action", "R.1 to R.3"]),
    ] {
        refused(params(text).objects("R", &fields, 3), "InvalidParameter.R", words);
    }
}

#[test]
fn a_name_twice_and_what_is_too_long_or_too_many() {
    let of = |pairs: Vec<(String, String)>| Params::from_pairs(pairs);
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    refused(of(vec![pair("A", "1"), pair("A", "1")]), "InvalidParameter.A", &["A", "twice"]);
    assert!(of(vec![pair(&"n".repeat(MAX_NAME), &"v".repeat(MAX_VALUE))]).is_ok());
    refused(of(vec![pair(&"n".repeat(MAX_NAME + 1), "v")]), "InvalidParameter", &["128 bytes"]);
    refused(of(vec![pair("", "v")]), "InvalidParameter", &["from 1"]);
    refused(of(vec![pair("A", &"v".repeat(MAX_VALUE + 1))]), "InvalidParameter.A", &["4096 bytes"]);
    let many = |n: usize| of((0..n).map(|i| (format!("P{i}"), String::new())).collect());
    assert!(many(MAX_PARAMETERS).is_ok());
    refused(many(MAX_PARAMETERS + 1), "InvalidParameter", &["2000"]);
    refused(of(vec![pair("<b>\n", "1"), pair("<b>\n", "1")]), "InvalidParameter", &["twice"]);
}

proptest! {
    /// The slow obvious twin: try every index in turn, and count that nothing is left.
    #[test]
    fn lists_as_their_twin(given in proptest::collection::btree_map("L(\\.(0|1|2|3|4|01|x))?", "[ab]?", 0..5)) {
        let p = Params::from_pairs(given.clone()).unwrap();
        let mut left: BTreeMap<_, _> = given.into_iter().filter(|(_, v)| !v.is_empty()).collect();
        let mut expected = Vec::new();
        while let Some(value) = left.remove(&format!("L.{}", expected.len() + 1)) {
            expected.push(value);
        }
        let whole = left.is_empty() && expected.len() <= 3;
        match p.list("L", 3) {
            Ok(list) => prop_assert!(whole && list == expected),
            Err(e) => prop_assert!(!whole, "{}", e),
        }
    }
}
