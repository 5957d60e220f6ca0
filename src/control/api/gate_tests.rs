//! Requests that are wrong in one way, each told so; and those that are right, once and within the rate.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::fuzz;
use super::gate::{Clock, Gate};
use super::nonces::{Nonces, WINDOW};
use super::throttle::Throttle;
use super::twin::{Draft, FORMS, Form, STAMP};
use super::{Actions, ApiError, Call, Credential, stamp};

/// Says what it was asked, in its own words.
struct Echo;

impl Actions for Echo {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        let (account, secret) = match access_key_id {
            "testak" => ("one", "testsk"),
            "otherak" => ("two", "othersk"),
            _ => return None,
        };
        Some(Credential { account: account.into(), secret: secret.into() })
    }

    fn perform(&self, call: &Call) -> Result<Value, ApiError> {
        let params: serde_json::Map<String, Value> =
            call.params.iter().map(|(n, v)| (n.to_owned(), Value::from(v))).collect();
        match call.params.get("Do") {
            Some("panic") => panic!("as asked"),
            Some("text") => Ok(Value::from("no object")),
            Some("refuse") => Err(ApiError { retry_after: Some(7), ..ApiError::new(409, "No.Way", "said no") }),
            _ => Ok(json!({ "Account": &*call.account, "Action": call.action.name(), "Params": params })),
        }
    }
}

/// Seconds after [`STAMP`], set by tests.
#[derive(Clone, Default)]
pub(super) struct Later(Arc<AtomicI64>);

impl Clock for Later {
    fn wall(&self) -> i64 {
        stamp::parse(STAMP).unwrap() + self.0.load(Ordering::Relaxed)
    }

    fn steady(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed).max(0).unsigned_abs())
    }
}

pub(super) fn gate(per_minute: u32) -> (Gate, Later) {
    let later = Later::default();
    let gate = Gate {
        actions: Arc::new(Echo),
        nonces: Nonces::new(later.wall() - 100, per_minute),
        throttle: Throttle::new(per_minute),
        clock: Box::new(later.clone()),
        ..fuzz::gate().unwrap()
    };
    (gate, later)
}

pub(super) fn ask(gate: &Gate, raw: &[u8]) -> (Answer, Value) {
    let answer = gate.answer(&fuzz::request(raw).unwrap());
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["RequestId"], *answer.request_id);
    (answer, body)
}

pub(super) fn list(form: Form, nonce: &str) -> Draft {
    Draft::new(form, "ListTrafficMirrorSessions", nonce, &[("MaxResults", "5"), ("TrafficMirrorSessionName", "a b+ü")])
}

/// It is refused with this code and status, and a message with these words.
#[track_caller]
fn refused(draft: &Draft, status: u16, code: &str, words: &[&str]) {
    refused_raw(&draft.raw(), status, code, words);
}

#[track_caller]
fn refused_raw(raw: &[u8], status: u16, code: &str, words: &[&str]) {
    let (answer, body) = ask(&gate(600).0, raw);
    assert_eq!((body["Code"].as_str().unwrap(), answer.status), (code, status), "{body}");
    let message = body["Message"].as_str().unwrap();
    words.iter().for_each(|w| assert!(message.contains(w), "{message:?} lacks {w:?}"));
    assert!(!answer.body.contains("testsk"));
}

#[test]
fn each_form_reaches_its_action() {
    for form in FORMS {
        let (answer, body) = ask(&gate(600).0, &list(form, "n").raw());
        assert_eq!((answer.status, &body["Account"]), (200, &json!("one")), "{form:?}: {body}");
        assert_eq!(body["Action"], "ListTrafficMirrorSessions");
        assert_eq!(body["Params"], json!({ "MaxResults": "5", "TrafficMirrorSessionName": "a b+ü" }), "{form:?}");
    }
}

#[test]
fn a_v3_request_may_have_a_form_body_and_an_empty_json_one() {
    use sha2::Digest;
    let mut draft = list(Form::A, "n");
    draft.body = vec![("Tags.1.Key".to_owned(), "k".to_owned())];
    let hash = super::twin::hex(&sha2::Sha256::digest(super::twin::join(&draft.body)));
    let (_, body) = ask(&gate(600).0, &draft.set("x-acs-content-sha256", &hash).raw());
    assert_eq!(body["Params"]["Tags.1.Key"], "k", "{body}");
    let json = list(Form::A, "n").set("content-type", "application/json");
    assert_eq!(ask(&gate(600).0, &json.raw()).0.status, 200);
}

#[test]
fn the_body_s_hash_is_the_body_s() {
    let mut draft = list(Form::A, "n");
    refused(&draft.clone().set("x-acs-content-sha256", "00"), 400, "ContentSha256Mismatch", &["x-acs-content-sha256"]);
    draft.body = vec![("A".to_owned(), "1".to_owned())];
    refused(&draft, 400, "ContentSha256Mismatch", &["SHA-256 of the body"]);
}

#[test]
fn actions_and_versions() {
    for form in [Form::B, Form::C] {
        refused(&list(form, "n").set("Action", "Nope"), 404, "InvalidApi.NotFound", &["Nope", "TagResources"]);
        refused(&list(form, "n").without("Action"), 400, "MissingAction", &["Action", "x-acs-action"]);
        refused(&list(form, "n").set("Version", "2014-05-26"), 400, "InvalidVersion", &["2014-05-26", "2016-04-28"]);
        refused(&list(form, "n").without("Version"), 400, "MissingVersion", &["2016-04-28"]);
        refused(&list(form, "n").set("Format", "XML"), 400, "InvalidFormat", &["XML", "JSON"]);
        let other = list(form, "n").set("x-acs-action", "TagResources");
        refused(&other, 400, "InvalidAction", &["ListTrafficMirrorSessions", "TagResources"]);
        refused(&list(form, "n").set("x-acs-version", "1"), 400, "InvalidVersion", &["the same"]);
        // Headers are not signed here, so they cannot stand in for parameters.
        let unsigned = list(form, "n").without("Action").set("x-acs-action", "ListTrafficMirrorSessions");
        refused(&unsigned, 400, "MissingAction", &["as a parameter"]);
        let unsigned = list(form, "n").without("Version").set("x-acs-version", "2016-04-28");
        refused(&unsigned, 400, "MissingVersion", &["a parameter"]);
        let same = list(form, "n").set("x-acs-action", "ListTrafficMirrorSessions").set("Format", "json");
        assert_eq!(ask(&gate(600).0, &same.raw()).0.status, 200);
    }
    refused(&list(Form::A, "n").set("x-acs-action", "listtrafficmirrorsessions"), 404, "InvalidApi.NotFound", &[]);
    refused(&list(Form::A, "n").without("x-acs-action"), 400, "MissingAction", &[]);
    refused(&list(Form::A, "n").set("x-acs-version", "x"), 400, "InvalidVersion", &[]);
    refused(&list(Form::A, "n").set("Action", "TagResources"), 400, "InvalidAction", &["the same"]);
    let in_query = list(Form::A, "n").without("x-acs-action").set("Action", "ListTrafficMirrorSessions");
    assert_eq!(ask(&gate(600).0, &in_query.raw()).0.status, 200, "the query is signed");
}

#[test]
fn regions() {
    for form in FORMS {
        let other = list(form, "n").set("RegionId", "cn-beijing");
        refused(&other, 404, "InvalidRegionId.NotFound", &["RegionId", "cn-beijing", "cn-hangzhou"]);
        refused(&list(form, "n").without("RegionId"), 400, "MissingRegionId", &["cn-hangzhou"]);
        for action in ["OpenTrafficMirrorService", "GetTrafficMirrorServiceStatus"] {
            let draft = Draft::new(form, action, "n", &[]).without("RegionId");
            assert_eq!(ask(&gate(600).0, &draft.raw()).0.status, 200);
            refused(&draft.set("RegionId", "x"), 404, "InvalidRegionId.NotFound", &[]);
        }
    }
}

#[test]
fn http_that_is_not_ours() {
    for method in ["PUT", "DELETE", "HEAD", "PATCH", "FOO"] {
        let draft = Draft { method: method.to_owned(), ..list(Form::B, "n") };
        refused(&draft, 405, "UnsupportedHTTPMethod", &["POST and GET"]);
    }
    let get = Draft { method: "GET".to_owned(), ..list(Form::B, "n") };
    assert_eq!(ask(&gate(600).0, &get.raw()).0.status, 200);
    refused_raw(b"GET / HTTP/1.1\n\n", 400, "MissingAction", &[]);
    refused_raw(b"GET /x?Action=TagResources HTTP/1.1\n\n", 404, "InvalidApi.NotFound", &["/x"]);
    refused_raw(b"GET http://h/?Action=TagResources HTTP/1.1\n\n", 404, "InvalidApi.NotFound", &["http://h/"]);
    let text = String::from_utf8(list(Form::C, "n").raw()).unwrap();
    for kind in ["application/json", "multipart/form-data; boundary=x", "x", ""] {
        let raw = text.replace("application/x-www-form-urlencoded", kind);
        refused_raw(raw.as_bytes(), 415, "UnsupportedContentType", &["application/x-www-form-urlencoded"]);
    }
    let charset = text.replace("form-urlencoded", "FORM-urlencoded; charset=utf-8");
    assert_eq!(ask(&gate(600).0, charset.as_bytes()).0.status, 200);
    let long = format!("GET /?A=1 HTTP/1.1\nX: {}\n\n", "x".repeat(65 << 10));
    refused_raw(long.as_bytes(), 431, "RequestHeaderTooLarge", &["65536 bytes"]);
}

#[test]
fn parameters_twice_and_bad_encodings() {
    for form in FORMS {
        let twice = list(form, "n").add("RegionId", "cn-hangzhou");
        refused(&twice, 400, "InvalidParameter.RegionId", &["RegionId", "twice"]);
    }
    refused(&list(Form::C, "n").add("MaxResults", "6"), 400, "InvalidParameter.MaxResults", &["twice"]);
    for (pair, code) in [("X=%zz", "InvalidParameter.X"), ("X=%C3", "InvalidParameter.X"), ("%f=1", "InvalidParameter")]
    {
        for form in FORMS {
            let text = String::from_utf8(list(form, "n").raw()).unwrap();
            let raw = text.replacen("RegionId=", &format!("{pair}&RegionId="), 1);
            refused_raw(raw.as_bytes(), 400, code, &["percent-encoded"]);
        }
    }
    let twice = list(Form::A, "n").add("x-acs-action", "TagResources");
    refused(&twice, 400, "InvalidHeader", &["x-acs-action", "once"]);
}

#[test]
fn signatures_that_are_none_or_two() {
    let unsigned = b"POST /?Action=TagResources&Version=2016-04-28&RegionId=cn-hangzhou HTTP/1.1\n\n";
    refused_raw(unsigned, 400, "MissingSignature", &["Signature", "Authorization"]);
    let both = list(Form::A, "n").set("Signature", "x").set("AccessKeyId", "testak");
    refused(&both, 400, "MultipleSignatures", &["Authorization"]);
    let both = list(Form::B, "n").set("authorization", "Bearer x");
    refused(&both, 400, "MultipleSignatures", &[]);
    for form in FORMS {
        refused(&list(form, "n").set("SecurityToken", "t0p"), 400, "InvalidSecurityToken.NotSupported", &["AccessKey"]);
    }
    refused(&list(Form::A, "n").set("x-acs-security-token", "t"), 400, "InvalidSecurityToken.NotSupported", &[]);
}

#[test]
fn parts_of_the_v1_signature() {
    for form in [Form::B, Form::C] {
        for name in ["SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp", "AccessKeyId"] {
            refused(&list(form, "n").without(name), 400, &format!("Missing{name}"), &[name]);
            refused(&list(form, "n").set(name, ""), 400, &format!("Missing{name}"), &[name]);
        }
        let sha256 = list(form, "n").set("SignatureMethod", "HMAC-SHA256");
        refused(&sha256, 400, "InvalidSignatureMethod", &["HMAC-SHA256", "HMAC-SHA1"]);
        refused(&list(form, "n").set("SignatureVersion", "2.0"), 400, "InvalidSignatureVersion", &["1.0"]);
        refused(&list(form, "n").set("SignatureType", "BEARERTOKEN"), 400, "InvalidSignatureType", &["empty"]);
        let long = list(form, &"n".repeat(129));
        refused(&long, 400, "InvalidSignatureNonce", &["128 bytes"]);
    }
}

#[test]
fn parts_of_the_v3_signature() {
    for (name, code) in [
        ("x-acs-date", "MissingTimestamp"),
        ("x-acs-signature-nonce", "MissingSignatureNonce"),
        ("x-acs-content-sha256", "MissingContentSha256"),
    ] {
        refused(&list(Form::A, "n").without(name), 400, code, &[name]);
        refused(&list(Form::A, "n").set(name, ""), 400, code, &[name]);
    }
    for name in ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"] {
        let unsigned = Draft { unsigned: vec![name.to_owned()], ..list(Form::A, "n") };
        refused(&unsigned, 400, "InvalidAuthorization", &["SignedHeaders", name]);
    }
    let hostless = Draft { unsigned: vec!["host".to_owned()], ..list(Form::A, "n") };
    assert_eq!(ask(&gate(600).0, &hostless.raw()).0.status, 200);
    let text = String::from_utf8(list(Form::A, "n").raw()).unwrap();
    for (from, to, code) in [
        ("ACS3-HMAC-SHA256 ", "ACS3-HMAC-SM3 ", "InvalidSignatureMethod"),
        ("ACS3-HMAC-SHA256 ", "Basic ", "InvalidSignatureMethod"),
        ("Credential=testak,", "", "InvalidAuthorization"),
        ("Credential=testak,", "Credential=,", "InvalidAuthorization"),
        ("Credential=testak,", "Credential=testak,Credential=testak,", "InvalidAuthorization"),
        ("Credential=testak,", "Credential=testak,Other=1,", "InvalidAuthorization"),
        ("SignedHeaders=", "SignedHeaders=nosuch;", "InvalidAuthorization"),
        (",Signature=", ",Signatur=", "InvalidAuthorization"),
    ] {
        assert!(text.contains(from));
        refused_raw(text.replacen(from, to, 1).as_bytes(), 400, code, &["Authorization"]);
    }
}

#[test]
fn stamps() {
    for form in FORMS {
        for wrong in ["yesterday", "2026-11-23T15:30:06", "1795447806"] {
            refused(&list(form, "n").stamped(wrong), 400, "InvalidTimeStamp.Format", &[wrong, "YYYY-MM-DDThh:mm:ssZ"]);
        }
        let now = stamp::parse(STAMP).unwrap();
        for (seconds, expected) in [(WINDOW, "OK"), (WINDOW + 1, "InvalidTimeStamp.Expired")] {
            let (gate, _) = gate(600);
            let (_, body) = ask(&gate, &list(form, "n").stamped(&stamp::text(now + seconds)).raw());
            assert_eq!(body["Code"].as_str().unwrap_or("OK"), expected, "{form:?} {seconds}");
        }
        let before = list(form, "n").stamped(&stamp::text(now - 100));
        refused(&before, 400, "InvalidTimeStamp.Expired", &["before this switch started"]);
    }
}

#[test]
fn unknown_keys_and_wrong_secrets() {
    for form in FORMS {
        refused(&list(form, "n").of_key("nobody", "x"), 404, "InvalidAccessKeyId.NotFound", &["AccessKeyId"]);
        refused(&list(form, "n").of_key("testak", "othersk"), 400, "SignatureDoesNotMatch", &["sign is:"]);
        refused(&list(form, "n").of_key("otherak", "testsk"), 400, "SignatureDoesNotMatch", &[]);
        let (_, body) = ask(&gate(600).0, &list(form, "n").of_key("otherak", "othersk").raw());
        assert_eq!(body["Account"], "two");
    }
}

/// Connections that read slowly would hold megabytes each.
#[test]
fn a_large_body_with_a_wrong_signature_has_a_small_answer() {
    let value = " ".repeat(4096);
    let names: Vec<String> = (0..100).map(|n| format!("P{n}")).collect();
    let params: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    let draft = Draft::new(Form::C, "GetTrafficMirrorServiceStatus", "n", &params).of_key("testak", "wrong");
    let (answer, body) = ask(&gate(600).0, &draft.raw());
    assert_eq!(body["Code"], "SignatureDoesNotMatch");
    assert!(answer.body.len() < 20_000, "{}", answer.body.len());
}

/// One SDK takes what stands behind the first colon, and compares it with its own string to sign.
#[test]
fn the_string_to_sign_is_behind_the_only_colon() {
    let draft = Draft::new(Form::B, "GetTrafficMirrorServiceStatus", "n", &[]).of_key("testak", "wrong");
    let (_, body) = ask(&gate(600).0, &draft.raw());
    let message = body["Message"].as_str().unwrap();
    let expected = "POST&%2F&AccessKeyId%3Dtestak%26Action%3DGetTrafficMirrorServiceStatus%26Format%3DJSON%26RegionId\
                    %3Dcn-hangzhou%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3Dn%26SignatureType%3D%26\
                    SignatureVersion%3D1.0%26Timestamp%3D2026-11-23T15%253A30%253A06Z%26Version%3D2016-04-28";
    assert_eq!(message.split(':').collect::<Vec<_>>()[1..], [expected]);
    let (_, body) = ask(&gate(600).0, &list(Form::A, "n").of_key("testak", "wrong").raw());
    let message = body["Message"].as_str().unwrap();
    assert!(message.split(':').nth(1).unwrap().starts_with("ACS3-HMAC-SHA256\n"), "{message}");
}

#[test]
fn a_request_is_done_once() {
    for form in FORMS {
        let (gate, later) = gate(600);
        let raw = list(form, "n").raw();
        assert_eq!(ask(&gate, &raw).0.status, 200);
        for seconds in [0, WINDOW] {
            later.0.store(seconds, Ordering::Relaxed);
            assert_eq!(ask(&gate, &raw).1["Code"], "SignatureNonceUsed", "{form:?} after {seconds} s");
        }
        later.0.store(WINDOW + 1, Ordering::Relaxed);
        assert_eq!(ask(&gate, &raw).1["Code"], "InvalidTimeStamp.Expired");
    }
    let (gate, _) = gate(600);
    let forged = list(Form::B, "n").of_key("testak", "wrong").raw();
    assert_eq!(ask(&gate, &forged).1["Code"], "SignatureDoesNotMatch");
    assert_eq!(ask(&gate, &list(Form::B, "n").raw()).0.status, 200, "a forged request uses up nobody's nonce");
    let other = list(Form::B, "n").of_key("otherak", "othersk");
    assert_eq!(ask(&gate, &other.raw()).0.status, 200, "nonces are a key's own");
}

#[test]
fn an_account_has_its_rate() {
    let (gate, later) = gate(2);
    let raw = |n: u32| list(Form::A, &n.to_string()).raw();
    let forged = list(Form::A, "f").of_key("testak", "wrong").raw();
    (0..5).for_each(|_| drop(ask(&gate, &forged)));
    assert_eq!((ask(&gate, &raw(1)).0.status, ask(&gate, &raw(2)).0.status), (200, 200), "strangers cost it nothing");
    assert_eq!(ask(&gate, &raw(1)).1["Code"], "SignatureNonceUsed", "nor do replays");
    let (answer, body) = ask(&gate, &raw(3));
    assert_eq!((&body["Code"], answer.status, answer.retry_after), (&json!("Throttling.User"), 400, Some(30)));
    let other = list(Form::A, "1").of_key("otherak", "othersk").raw();
    assert_eq!(ask(&gate, &other).0.status, 200);
    later.0.store(30, Ordering::Relaxed);
    assert_eq!(ask(&gate, &raw(3)).0.status, 200, "what was throttled may be sent again");
}

#[test]
fn strangers_are_bounded_and_harm_nobody() {
    let (gate, _) = gate(600);
    let stranger = list(Form::B, "n").of_key("nobody", "x").raw();
    let answers: Vec<Answer> = (0..6001).map(|_| ask(&gate, &stranger).0).collect();
    assert!(answers[..6000].iter().all(|a| a.status == 404 && !a.close));
    assert!(answers[6000].close && answers[6000].body.contains("\"Throttling\""), "{:?}", answers[6000]);
    assert_eq!(ask(&gate, &list(Form::B, "n").raw()).0.status, 200, "who is known is served");
}

#[test]
fn actions_answer_and_fail() {
    let (gate, _) = gate(600);
    let call = |what: &str| ask(&gate, &list(Form::A, what).set("Do", what).raw());
    let (answer, body) = call("refuse");
    assert_eq!((answer.status, answer.retry_after), (409, Some(7)));
    assert_eq!((&body["Code"], &body["Message"]), (&json!("No.Way"), &json!("said no")));
    assert_eq!(body["HostId"], "127.0.0.1:18099");
    for what in ["panic", "text"] {
        let (answer, body) = call(what);
        assert_eq!((answer.status, &body["Code"]), (500, &json!("InternalError")));
        assert!(body["Message"].as_str().unwrap().contains(&answer.request_id));
    }
    let metrics = prometheus::TextEncoder::new().encode_to_string(&gate.metrics.gather()).unwrap();
    for code in ["No.Way\"} 1", "InternalError\"} 2"] {
        assert!(metrics.contains(&format!("{{action=\"ListTrafficMirrorSessions\",code=\"{code}")), "{metrics}");
    }
}
