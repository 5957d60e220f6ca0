//! The older signature: HMAC-SHA1 over method and parameters, itself a parameter.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{Claim, Scheme, read_nonce, read_stamp};
use crate::control::api::ApiError;
use crate::control::api::form::encoded;
use crate::control::api::params::Fields;
use crate::control::api::request::{Asked, wrong};

/// The claim of a request whose signature is a parameter. The action must be one too: headers are not signed here.
pub(super) fn claim(asked: &Asked<'_>) -> Result<Claim, ApiError> {
    let params = &asked.params;
    let only = |name: &str, allowed: &str| match params.required(name, allowed)? {
        text if text == allowed => Ok(()),
        text => Err(wrong(name, text, allowed)),
    };
    let access_key = params.required("AccessKeyId", "the id of an AccessKey")?.to_owned();
    let signature = params.required("Signature", "the HMAC-SHA1 of the request in base64")?.to_owned();
    only("SignatureMethod", "HMAC-SHA1")?;
    only("SignatureVersion", "1.0")?;
    if let Some(kind) = params.text("SignatureType") {
        return Err(wrong("SignatureType", kind, "empty"));
    }
    params.required("Action", "the name of an action, as a parameter, where the signature is one")?;
    params.required("Version", "a parameter where the signature is one")?;
    let nonce = read_nonce(params.required("SignatureNonce", "a text that no other request has")?)?;
    let stamp = read_stamp("Timestamp", params.required("Timestamp", "UTC in the format YYYY-MM-DDThh:mm:ssZ")?)?;
    let string_to_sign = string_to_sign(asked);
    Ok(Claim { access_key, stamp, nonce, scheme: Scheme::V1, signature, string_to_sign, body_hash: None })
}

fn string_to_sign(asked: &Asked<'_>) -> String {
    let signed = asked.params.iter().filter(|(name, _)| *name != "Signature");
    let pairs: Vec<String> = signed.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    format!("{}&%2F&{}", asked.http.method(), encoded(&pairs.join("&")))
}

pub(super) fn signature(secret: &str, string_to_sign: &str) -> String {
    // A key may have any length: this cannot fail.
    let mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes());
    mac.map(|mac| STANDARD.encode(mac.chain_update(string_to_sign).finalize().into_bytes())).unwrap_or_default()
}
