//! Answers as the SDKs read them: JSON with a RequestId, errors with Code and Message.

use serde_json::{Map, Value, json};

use super::ApiError;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Id of the request.
    pub(super) request_id: String,
    /// JSON.
    pub(super) body: String,
    /// Seconds after which trying again makes sense.
    pub(super) retry_after: Option<u32>,
    /// The connection ends with it.
    pub(super) close: bool,
}

impl Answer {
    /// What was asked for; an object, to which the id is added.
    pub(super) fn done(request_id: &str, fields: Map<String, Value>) -> Self {
        let mut body = Map::from_iter([("RequestId".to_owned(), Value::from(request_id))]);
        body.extend(fields.into_iter().filter(|(name, _)| name != "RequestId"));
        let body = Value::Object(body).to_string();
        Answer { status: 200, request_id: request_id.to_owned(), body, retry_after: None, close: false }
    }

    /// Why it was not done.
    pub(super) fn refused(request_id: &str, host: &str, error: &ApiError) -> Self {
        let body = json!({
            "RequestId": request_id,
            "HostId": host,
            "Code": error.code,
            "Message": error.message,
            "Recommend": "See \"Tenant API\" in the README of vswitch.",
        });
        Answer {
            status: error.status,
            request_id: request_id.to_owned(),
            body: body.to_string(),
            retry_after: error.retry_after,
            close: false,
        }
    }
}

/// A new id: a random UUID (RFC 9562, version 4) in upper case.
pub(super) fn request_id() -> String {
    let mut bytes = [0; 16];
    // Without random numbers the kernel would not have come up; an id that stands twice would confuse nobody but people.
    let _ = getrandom::fill(&mut bytes);
    let id = u128::from_be_bytes(bytes) & !(0xf << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62;
    let text = format!("{id:032X}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let (a, b) = (request_id(), request_id());
        assert_ne!(a, b);
        let parts: Vec<usize> = a.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{a}");
        assert!(a.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'A'..=b'F').contains(&b)), "{a}");
        assert!(a[14..].starts_with('4') && "89AB".contains(&a[19..20]), "{a}");
    }

    #[test]
    fn an_answer_starts_with_its_id() {
        let Value::Object(fields) = json!({ "A": 1, "RequestId": "no" }) else { unreachable!() };
        assert_eq!(Answer::done("X", fields).body, r#"{"RequestId":"X","A":1}"#);
    }

    #[test]
    fn an_error_has_what_the_sdks_read() {
        let error = ApiError { retry_after: Some(7), ..ApiError::new(400, "C", "m \"q\"") };
        let answer = Answer::refused("X", "h", &error);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, answer.retry_after), (400, Some(7)));
        assert_eq!((&body["RequestId"], &body["HostId"]), (&json!("X"), &json!("h")));
        assert_eq!((&body["Code"], &body["Message"]), (&json!("C"), &json!("m \"q\"")));
        assert!(body["Recommend"].is_string());
    }
}
