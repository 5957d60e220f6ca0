//! Fuzz entry: any bytes as an HTTP request, through parsing, signatures and readers.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;

use super::gate::{Clock, Gate};
use super::nonces::Nonces;
use super::throttle::Throttle;
use super::{Actions, ApiError, ApiMetrics, Call, Credential, Fields};

/// The account and key of the reference's captured requests, and the time of their capture.
struct Captured;

impl Actions for Captured {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        (access_key_id == "testak").then(|| Credential { account: "account".into(), secret: "testsk".into() })
    }

    fn perform(&self, call: &Call) -> Result<Value, ApiError> {
        let fields = ["Action", "Priority", "Protocol"];
        for rule in call.params.objects("IngressRules", &fields, 10)? {
            rule.integer("Priority", 1..=16_777_216u32, "a number")?;
        }
        call.params.list("TrafficMirrorSourceIds", 10)?;
        call.params.boolean("DryRun")?;
        Ok(Value::Object(serde_json::Map::new()))
    }
}

impl Clock for Captured {
    fn wall(&self) -> i64 {
        1_795_447_806
    }

    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}

/// A gate with the captured requests' key and time.
pub(super) fn gate() -> Result<Gate, prometheus::Error> {
    Ok(Gate {
        actions: Arc::new(Captured),
        metrics: Arc::new(ApiMetrics::new()?),
        region: "cn-hangzhou".to_owned(),
        nonces: Nonces::new(Captured.wall() - 3600, 600),
        throttle: Throttle::new(600),
        clock: Box::new(Captured),
    })
}

/// A request from bytes, lines ending with or without a carriage return; the body is what is behind the empty line.
pub(super) fn request(data: &[u8]) -> Option<Request<Bytes>> {
    let mut rest = data;
    let mut line = || {
        let end = rest.iter().position(|b| *b == b'\n')?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    };
    let mut words = line()?.split(|b| *b == b' ');
    let mut builder = Request::builder().method(words.next()?).uri(words.next()?);
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|b| *b == b':')?;
        builder = builder.header(&header[..colon], header[colon + 1..].trim_ascii());
    }
    builder.body(Bytes::copy_from_slice(rest)).ok()
}

/// Fuzz entry: an answer comes, never a panic, never a 5xx, and always JSON.
pub fn fuzz_request(data: &[u8]) {
    let (Some(request), Ok(gate)) = (request(data), gate()) else { return };
    let answer = gate.answer(&request);
    let body: Result<Value, _> = serde_json::from_str(&answer.body);
    assert!(answer.status < 500 && body.is_ok_and(|b| b["RequestId"].is_string()), "{}", answer.body);
}
