//! ACS3-HMAC-SHA256: over method, path, query, the headers that the client names, and the body's hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Claim, Scheme, hex, read_nonce, read_stamp};
use crate::control::api::ApiError;
use crate::control::api::form::encoded;
use crate::control::api::request::Asked;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";
/// Headers that decide what is done: none of them counts unsigned.
const ACTED_ON: [&str; 5] =
    ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"];
/// Headers that a client may name as signed.
const MAX_SIGNED: usize = 100;

/// The header `Authorization`.
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// The claim of a request whose signature is a header.
pub(super) fn claim(asked: &Asked<'_>, authorization: &str) -> Result<Claim, ApiError> {
    let Authorization { credential, signed_headers, signature } = read(authorization)?;
    let names: Vec<&str> = signed_headers.split(';').collect();
    for name in ACTED_ON {
        if asked.header(name)?.is_some() && !names.contains(&name) {
            return Err(malformed(&format!("SignedHeaders with {name} in it, which the request carries")));
        }
    }
    let required = |name: &str, what: &str, allowed: &str| match asked.header(name)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(ApiError::missing(what, &format!("{allowed}, in the header {name}"))),
    };
    let nonce = required("x-acs-signature-nonce", "SignatureNonce", "a text that no other request has")?;
    let date = required("x-acs-date", "Timestamp", "UTC in the format YYYY-MM-DDThh:mm:ssZ")?;
    let body_hash = required("x-acs-content-sha256", "ContentSha256", "the body's SHA-256 in hexadecimal digits")?;
    let canonical = canonical_request(asked, &names, signed_headers, body_hash)?;
    Ok(Claim {
        access_key: credential.to_owned(),
        stamp: read_stamp("x-acs-date", date)?,
        nonce: read_nonce(nonce)?,
        scheme: Scheme::V3,
        signature: signature.to_owned(),
        string_to_sign: format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical))),
        body_hash: Some(body_hash.to_owned()),
    })
}

fn read<'a>(authorization: &'a str) -> Result<Authorization<'a>, ApiError> {
    let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        let shown: String = algorithm.chars().take(40).collect();
        let text = format!("The method \"{shown}\" of the header Authorization is not valid; it is {ALGORITHM}.");
        return Err(ApiError::new(400, "InvalidSignatureMethod", text));
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let (name, value) = part.trim().split_once('=').unwrap_or((part, ""));
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(malformed("Credential, SignedHeaders and Signature, and no other part")),
        };
        if place.replace(value).is_some() {
            return Err(malformed("Credential, SignedHeaders and Signature, each once"));
        }
    }
    let filled = |value: Option<&'a str>| value.filter(|v| !v.is_empty());
    match (filled(credential), filled(signed_headers), filled(signature)) {
        (Some(credential), Some(signed_headers), Some(signature)) => {
            Ok(Authorization { credential, signed_headers, signature })
        }
        _ => Err(malformed(&format!("{ALGORITHM} Credential=...,SignedHeaders=...,Signature=..."))),
    }
}

fn malformed(allowed: &str) -> ApiError {
    ApiError::new(400, "InvalidAuthorization", format!("The header Authorization is not valid; it is {allowed}."))
}

fn canonical_request(
    asked: &Asked<'_>,
    names: &[&str],
    signed_headers: &str,
    body_hash: &str,
) -> Result<String, ApiError> {
    if names.len() > MAX_SIGNED {
        return Err(malformed(&format!("at most {MAX_SIGNED} SignedHeaders")));
    }
    let query: Vec<String> =
        asked.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let mut headers = String::new();
    for name in names {
        let Some(value) = asked.header(name)? else {
            let shown: String = name.chars().take(40).collect();
            return Err(malformed(&format!(
                "SignedHeaders that the request carries, and \"{shown}\" is not among them"
            )));
        };
        headers.push_str(&format!("{name}:{value}\n"));
    }
    let method = asked.http.method();
    Ok(format!("{method}\n/\n{}\n{headers}\n{signed_headers}\n{body_hash}", query.join("&")))
}

pub(super) fn signature(secret: &str, string_to_sign: &str) -> String {
    // A key may have any length: this cannot fail.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    mac.map(|mac| hex(&mac.chain_update(string_to_sign).finalize().into_bytes())).unwrap_or_default()
}
